/*
 * team.h - threads that do parts of another thread's loops while their core is idle.
 *
 * `helpers` are threads, one a core; each helps while its core is lent.  A team has one leader, which may be any thread.
 * It shares out the items of a loop with team_do() and works on them together with the helpers.  It never waits for a
 * helper that has not begun an item, so on a busy machine a leader is about as fast as alone.
 *
 * Which member does which item is chance.  So the work on an item must not depend on what another item of the same loop
 * writes, and results must not depend on the number of helpers.
 */
#ifndef ESPALIER_UTIL_TEAM_H
#define ESPALIER_UTIL_TEAM_H

#include <stdbool.h>

enum { TEAM_MEMBERS_MAX = 16, TEAM_ITEMS_MAX = 65535 };

struct helpers;
struct team;

/* One helper for each of `count` cores (-1: any core; `count` may be 0), all lent, and `teams` closed teams.  NULL: the
   system has no more threads. */
struct helpers *helpers_new(const int *cores, int count, int teams);
/* All teams must be closed. */
void helpers_free(struct helpers *helpers);
struct team *helpers_team(struct helpers *helpers, int team);
/* Lend a helper's core, or call it back: the helper then finishes its item.  Any thread. */
void helpers_lend(struct helpers *helpers, int helper, bool lent);

/* The most members that a team can have, the leader included. */
int team_members_most(const struct team *team);
/* Until team_close() up to members - 1 helpers may join.  A free helper joins the open team with the fewest helpers. */
void team_open(struct team *team, int members);
void team_close(struct team *team);

/* The members that it has at this moment, the leader included; 1 without a team (NULL).  A hint for cutting loops: the
   number may change at any time. */
int team_size(const struct team *team);

/* Call work(context, item, member) for items 0 … count-1, in any order and at the same time; all are done on return.
   `member` is below the number of team_open(), and no two calls have the same at one time, so it can index scratch
   memory.  The leader is 0.  Without a team (NULL), or with no helper, the items come in their order. */
typedef void team_work(void *context, int item, int member);
void team_do(struct team *team, int count, team_work *work, void *context);

#endif
