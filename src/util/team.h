/*
 * team.h - threads that help others through their loops while they have nothing else to do.
 *
 * `helpers` are threads, one a core; each helps while its core is lent.  A team has one leader, any thread, who hands
 * out the items of a loop with team_do() and does them together with the helpers that are awake.  It waits for no
 * helper that has not begun an item: on a busy machine a leader is as fast as alone, but for the items of a helper
 * whose core the system has given to someone else.
 *
 * Who does which item is chance.  So the work on an item may depend on nothing that another item of the same loop
 * writes, and results never on how many helped.
 */
#ifndef ESPALIER_UTIL_TEAM_H
#define ESPALIER_UTIL_TEAM_H

#include <stdbool.h>

enum { TEAM_MEMBERS_MAX = 16, TEAM_ITEMS_MAX = 65535 };

struct helpers;
struct team;

/* One helper for each of `count` cores (-1: on any; 0 helpers are allowed), all lent, and `teams` teams that they may
   serve.  NULL when the system has no more threads to give. */
struct helpers *helpers_new(const int *cores, int count, int teams);
/* All teams are closed. */
void helpers_free(struct helpers *helpers);
struct team *helpers_team(struct helpers *helpers, int team);
/* From any thread.  A helper that is called back ends the item it has begun. */
void helpers_lend(struct helpers *helpers, int helper, bool lent);

/* The leader and everyone who could ever help it. */
int team_members_most(const struct team *team);
/* From now on up to members - 1 helpers may come, from open to close always fewest to where fewest are. */
void team_open(struct team *team, int members);
void team_close(struct team *team);

/* The leader and the helpers it has at this moment; 1 without a team (NULL).  To cut a loop by: no promise. */
int team_size(const struct team *team);

/* work(context, item, member) for items 0 … count-1, in any order, also at the same time; done on return.  `member` is
   one below those of team_open() and no other's at the same time: it names scratch.  The leader is 0.  Without a team
   (NULL), or while nobody helps: the items in their order. */
typedef void team_work(void *context, int item, int member);
void team_do(struct team *team, int count, team_work *work, void *context);

#endif
