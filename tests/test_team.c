/*
 * test_team.c - every item of a loop is done once, by a member that nobody else is at the time, whoever comes and goes.
 *
 * Nothing here waits for a length of time: where a helper must come, the leader's item waits until one has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>

#include "util/team.h"
#include "util/threads.h"

enum { ITEMS = 37, HELPERS = 3 };
static const int any_core[HELPERS] = {-1, -1, -1};

struct tally {
    atomic_int done[ITEMS], member[TEAM_MEMBERS_MAX];
    atomic_int helped, members_seen;
    atomic_bool clash;
    int wanted; /* helpers that item 0 waits for */
};

static void count(void *context, int item, int member)
{
    struct tally *tally = context;
    if (atomic_fetch_add(&tally->member[member], 1))
        atomic_store(&tally->clash, true);
    if (member)
        atomic_fetch_or(&tally->members_seen, 1 << member);
    while (!item && __builtin_popcount((unsigned)atomic_load(&tally->members_seen)) < tally->wanted)
        sched_yield();
    atomic_fetch_add(&tally->done[item], 1);
    atomic_fetch_sub(&tally->member[member], 1);
}

static void check(struct tally *tally, int times)
{
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(atomic_load(&tally->done[i]), times);
    assert_false(atomic_load(&tally->clash));
}

static void without_a_team(void **state)
{
    static struct tally tally;
    team_do(NULL, ITEMS, count, &tally);
    check(&tally, 1);
    assert_int_equal(tally.members_seen, 0);
}

static void without_helpers(void **state)
{
    static struct tally tally;
    struct helpers *helpers = helpers_new(NULL, 0, 1);
    struct team *team = helpers_team(helpers, 0);
    assert_int_equal(team_members_most(team), 1);
    team_open(team, 1);
    team_do(team, ITEMS, count, &tally);
    check(&tally, 1);
    assert_int_equal(tally.members_seen, 0);
    team_close(team);
    helpers_free(helpers);
}

/* The first item ends when a helper has had another: so helpers do come, also after they fell asleep. */
static void helpers_come(void **state)
{
    static struct tally tally;
    struct helpers *helpers = helpers_new(any_core, HELPERS, 1);
    struct team *team = helpers_team(helpers, 0);
    assert_int_equal(team_members_most(team), HELPERS + 1);
    team_open(team, HELPERS + 1);
    for (int round = 1; round <= 200; round++) {
        tally.wanted = 1;
        tally.members_seen = 0;
        team_do(team, ITEMS, count, &tally);
        check(&tally, round);
    }
    team_close(team);
    helpers_free(helpers);
}

/* A team that is opened for two members never sees a third. */
static void no_more_than_asked_for(void **state)
{
    static struct tally tally;
    struct helpers *helpers = helpers_new(any_core, HELPERS, 1);
    struct team *team = helpers_team(helpers, 0);
    for (int round = 1; round <= 200; round++) {
        int members = 1 + round % (HELPERS + 1);
        team_open(team, members);
        tally.members_seen = 0;
        team_do(team, ITEMS, count, &tally);
        assert_true(tally.members_seen < 1 << members);
        check(&tally, round);
        team_close(team);
    }
    helpers_free(helpers);
}

struct leader {
    struct team *team;
    struct tally tally;
    pthread_t thread;
    int rounds;
};

static void *lead(void *context)
{
    struct leader *leader = context;
    for (int round = 0; round < leader->rounds; round++) {
        if (round % 10 == 0)
            team_open(leader->team, 2 + round / 10 % HELPERS);
        team_do(leader->team, ITEMS, count, &leader->tally);
        if (round % 10 == 9)
            team_close(leader->team);
    }
    return NULL;
}

/* Two leaders at once, while cores are lent and called back. */
static void who_comes_and_goes(void **state)
{
    enum { LEADERS = 2, ROUNDS = 2000 };
    static struct leader leaders[LEADERS];
    struct helpers *helpers = helpers_new(any_core, HELPERS, LEADERS);
    for (int i = 0; i < LEADERS; i++) {
        leaders[i].team = helpers_team(helpers, i);
        leaders[i].rounds = ROUNDS;
        assert_true(thread_start(&leaders[i].thread, lead, &leaders[i]));
    }
    for (int i = 0; i < 1000; i++) {
        helpers_lend(helpers, i % HELPERS, i / HELPERS % 2);
        sched_yield();
    }
    for (int i = 0; i < LEADERS; i++) {
        pthread_join(leaders[i].thread, NULL);
        check(&leaders[i].tally, ROUNDS);
    }
    helpers_free(helpers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_team),         cmocka_unit_test(without_helpers),    cmocka_unit_test(helpers_come),
        cmocka_unit_test(no_more_than_asked_for), cmocka_unit_test(who_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
