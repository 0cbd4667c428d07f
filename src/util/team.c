/*
 * team.c - shares out the items of a loop among threads.
 *
 * The items are cut into ranges, one a member, so that a member works on the same items in loop after loop and finds
 * their data in its own cache.  A member that has finished its range takes items of the others'.  A range's `claim` is
 * one word: generation, end, next item.  A member has an item when its compare-and-exchange moves `next` past it.
 *
 * The leader sets the work of a loop only when every item of the loop before is done, so a member whose claim succeeds
 * has read the work of the same loop.  The generation keeps a slow member from claiming an item of a later loop with
 * the work of an older one.
 *
 * Two loops of a step are microseconds apart.  So helpers, and a leader at the end of a loop, first spin for about as
 * long as a sleeping thread takes to wake, and then sleep on a condition.  `assigned` (how many helpers a team has) is
 * 0 in a search whose trainers are all at work; then team_do() is a plain loop.
 *
 * Whenever a team opens or closes, and whenever a core is lent or called back, all helpers are assigned to teams anew,
 * under the mutex of `helpers`.  That happens once or twice a network.  A helper notices between two items.  Until then
 * it may hold a place (`places` has a bit for each member) in a team that it no longer belongs to.
 */
#include "util/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "util/bug.h"
#include "util/memory.h"
#include "util/threads.h"

enum { SPINS = 1000 }; /* 20 to 50 microseconds */

/* Padded to a cache line. */
struct item_range {
    atomic_ullong claim;
    char padding[56];
};

struct team {
    struct helpers *helpers;
    int members;         /* under the mutex of `helpers`; 0: closed */
    atomic_int opening;  /* counts team_open and team_close */
    atomic_int assigned; /* helpers */
    atomic_uint places;  /* of members that are taken */
    /* The running loop. */
    struct item_range ranges[TEAM_MEMBERS_MAX];
    atomic_int range_count, count; /* items */
    _Atomic(team_work *) work;
    _Atomic(void *) context;
    atomic_int done;
    /* Sleeping. */
    pthread_mutex_t mutex;
    pthread_cond_t posted, finished;
    atomic_int sleeping; /* helpers */
    atomic_bool waiting; /* the leader */
};

struct helper {
    struct helpers *helpers;
    int core;
    pthread_t thread;
    bool lent; /* under the mutex of `helpers` */
    _Atomic(struct team *) team;
};

struct helpers {
    int count, team_count;
    struct helper *list;
    struct team *teams;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool closing;
};

static inline void spin_pause(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* --- the items of a loop --- */

static int next_of(unsigned long long claim)
{
    return (int)(claim & 0xffff);
}

static int end_of(unsigned long long claim)
{
    return (int)(claim >> 16 & 0xffff);
}

static bool has_items(const struct team *team)
{
    for (int i = 0; i < TEAM_MEMBERS_MAX; i++) {
        unsigned long long claim = atomic_load(&team->ranges[i].claim);
        if (next_of(claim) < end_of(claim))
            return true;
    }
    return false;
}

static void count_item(struct team *team, int count)
{
    if (atomic_fetch_add(&team->done, 1) + 1 < count || !atomic_load(&team->waiting))
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_signal(&team->finished);
    pthread_mutex_unlock(&team->mutex);
}

/* False: the range has no items left, or the team was opened anew since the member took its place. */
static bool do_item(struct team *team, struct item_range *range, int member, int opening)
{
    unsigned long long claim = atomic_load(&range->claim);
    do {
        if (next_of(claim) >= end_of(claim) || atomic_load(&team->opening) != opening)
            return false;
        team_work *work = atomic_load_explicit(&team->work, memory_order_relaxed);
        void *context = atomic_load_explicit(&team->context, memory_order_relaxed);
        int count = atomic_load_explicit(&team->count, memory_order_relaxed), item = next_of(claim);
        if (atomic_compare_exchange_weak(&range->claim, &claim, claim + 1)) {
            work(context, item, member);
            count_item(team, count);
            return true;
        }
    } while (true);
}

/* First the member's own range, then the others'.  True: there was an item. */
static bool do_items(struct team *team, int member, int opening)
{
    int ranges = atomic_load_explicit(&team->range_count, memory_order_relaxed);
    bool any = false;
    for (int i = 0; i < ranges; i++)
        while (do_item(team, &team->ranges[(member + i) % ranges], member, opening))
            any = true;
    return any;
}

static void wait_for_all(struct team *team, int count)
{
    for (int spins = 0; spins < SPINS; spins++) {
        if (atomic_load(&team->done) == count)
            return;
        spin_pause();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->waiting, true);
    while (atomic_load(&team->done) < count)
        pthread_cond_wait(&team->finished, &team->mutex);
    atomic_store(&team->waiting, false);
    pthread_mutex_unlock(&team->mutex);
}

/* Wake as many sleeping helpers as there are items for, less the leader and the helpers that are awake. */
static void wake_for(struct team *team, int count)
{
    int sleeping = atomic_load(&team->sleeping);
    int wanted = count - 1 - (atomic_load(&team->assigned) - sleeping);
    if (!sleeping || wanted <= 0)
        return;
    pthread_mutex_lock(&team->mutex);
    for (int i = 0; i < wanted && i < sleeping; i++)
        pthread_cond_signal(&team->posted);
    pthread_mutex_unlock(&team->mutex);
}

int team_size(const struct team *team)
{
    return team ? 1 + atomic_load_explicit(&team->assigned, memory_order_relaxed) : 1;
}

void team_do(struct team *team, int count, team_work *work, void *context)
{
    ASSERT(count <= TEAM_ITEMS_MAX);
    if (count < 2 || team_size(team) == 1) {
        for (int item = 0; item < count; item++)
            work(context, item, 0);
        return;
    }
    int opening = atomic_load(&team->opening), size = team_size(team), ranges = size < count ? size : count;
    unsigned long long generation = (atomic_load(&team->ranges[0].claim) >> 32) + 1;
    atomic_store_explicit(&team->work, work, memory_order_relaxed);
    atomic_store_explicit(&team->context, context, memory_order_relaxed);
    atomic_store_explicit(&team->count, count, memory_order_relaxed);
    atomic_store_explicit(&team->done, 0, memory_order_relaxed);
    atomic_store_explicit(&team->range_count, ranges, memory_order_relaxed);
    for (int i = ranges - 1; i >= 0; i--) {
        unsigned long long first = (unsigned long long)count * i / ranges,
                           end = (unsigned long long)count * (i + 1) / ranges;
        atomic_store(&team->ranges[i].claim, generation << 32 | end << 16 | first);
    }
    wake_for(team, count);
    do_items(team, 0, opening);
    wait_for_all(team, count);
}

/* --- helpers --- */

/* The lowest free place; -1: all are taken, because leaving helpers have not left yet. */
static int take_place(struct team *team)
{
    unsigned places = atomic_load(&team->places);
    for (int member = 1; member < TEAM_MEMBERS_MAX; member++) {
        unsigned bit = 1u << member;
        if (!(places & bit) && !(atomic_fetch_or(&team->places, bit) & bit))
            return member;
    }
    return -1;
}

static bool serves(const struct helper *helper, const struct team *team, int opening)
{
    return atomic_load(&helper->team) == team && atomic_load(&team->opening) == opening;
}

static void sleep_until_posted(const struct helper *helper, struct team *team, int opening)
{
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleeping, 1);
    while (!has_items(team) && serves(helper, team, opening))
        pthread_cond_wait(&team->posted, &team->mutex);
    atomic_fetch_sub(&team->sleeping, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void serve(const struct helper *helper, struct team *team, int opening, int member)
{
    for (int spins = 0; serves(helper, team, opening); spins++) {
        if (do_items(team, member, opening))
            spins = 0;
        else if (spins < SPINS)
            spin_pause();
        else {
            sleep_until_posted(helper, team, opening);
            spins = 0;
        }
    }
}

static void *helper_thread(void *context)
{
    struct helper *helper = context;
    struct helpers *helpers = helper->helpers;
    thread_pin(helper->core);
    pthread_mutex_lock(&helpers->mutex);
    while (!helpers->closing) {
        struct team *team = atomic_load(&helper->team);
        if (!team) {
            pthread_cond_wait(&helpers->changed, &helpers->mutex);
            continue;
        }
        int opening = atomic_load(&team->opening), members = team->members;
        pthread_mutex_unlock(&helpers->mutex);
        int member = take_place(team);
        if (member > 0 && member < members)
            serve(helper, team, opening, member);
        if (member > 0)
            atomic_fetch_and(&team->places, ~(1u << member));
        pthread_mutex_lock(&helpers->mutex);
    }
    pthread_mutex_unlock(&helpers->mutex);
    return NULL;
}

/* The open team with the fewest helpers that takes one more. */
static struct team *team_in_need(struct helpers *helpers)
{
    struct team *best = NULL;
    for (int i = 0; i < helpers->team_count; i++) {
        struct team *team = &helpers->teams[i];
        int assigned = atomic_load(&team->assigned);
        if (assigned + 1 < team->members && (!best || assigned < atomic_load(&best->assigned)))
            best = team;
    }
    return best;
}

/* Under the mutex. */
static void assign(struct helpers *helpers)
{
    for (int i = 0; i < helpers->team_count; i++)
        atomic_store(&helpers->teams[i].assigned, 0);
    for (int i = 0; i < helpers->count; i++) {
        struct helper *helper = &helpers->list[i];
        struct team *team = helper->lent ? team_in_need(helpers) : NULL;
        if (team)
            atomic_fetch_add(&team->assigned, 1);
        atomic_store(&helper->team, team);
    }
    pthread_cond_broadcast(&helpers->changed);
    for (int i = 0; i < helpers->team_count; i++) {
        struct team *team = &helpers->teams[i];
        pthread_mutex_lock(&team->mutex);
        pthread_cond_broadcast(&team->posted);
        pthread_mutex_unlock(&team->mutex);
    }
}

void helpers_lend(struct helpers *helpers, int helper, bool lent)
{
    ASSERT(helper >= 0 && helper < helpers->count);
    pthread_mutex_lock(&helpers->mutex);
    helpers->list[helper].lent = lent;
    assign(helpers);
    pthread_mutex_unlock(&helpers->mutex);
}

static void set_members(struct team *team, int members)
{
    struct helpers *helpers = team->helpers;
    pthread_mutex_lock(&helpers->mutex);
    team->members = members;
    atomic_fetch_add(&team->opening, 1);
    assign(helpers);
    pthread_mutex_unlock(&helpers->mutex);
}

void team_open(struct team *team, int members)
{
    ASSERT(members > 0 && members <= team_members_most(team));
    set_members(team, members);
}

void team_close(struct team *team)
{
    set_members(team, 0);
}

int team_members_most(const struct team *team)
{
    int members = team->helpers->count + 1;
    return members < TEAM_MEMBERS_MAX ? members : TEAM_MEMBERS_MAX;
}

struct team *helpers_team(struct helpers *helpers, int team)
{
    ASSERT(team >= 0 && team < helpers->team_count);
    return &helpers->teams[team];
}

/* --- beginning and end --- */

struct helpers *helpers_new(const int *cores, int count, int teams)
{
    ASSERT(count >= 0 && teams > 0);
    struct helpers *helpers = memory_new(1, sizeof *helpers);
    helpers->team_count = teams;
    helpers->list = memory_new((size_t)count + 1, sizeof *helpers->list);
    helpers->teams = memory_new((size_t)teams, sizeof *helpers->teams);
    CHECK(pthread_mutex_init(&helpers->mutex, NULL) == 0 && pthread_cond_init(&helpers->changed, NULL) == 0);
    for (int i = 0; i < teams; i++) {
        struct team *team = &helpers->teams[i];
        team->helpers = helpers;
        CHECK(pthread_mutex_init(&team->mutex, NULL) == 0 && pthread_cond_init(&team->posted, NULL) == 0 &&
              pthread_cond_init(&team->finished, NULL) == 0);
    }
    for (int i = 0; i < count; i++) {
        struct helper *helper = &helpers->list[i];
        helper->helpers = helpers;
        helper->core = cores[i];
        helper->lent = true;
        if (!thread_start(&helper->thread, helper_thread, helper)) {
            helpers_free(helpers);
            return NULL;
        }
        helpers->count++;
    }
    return helpers;
}

void helpers_free(struct helpers *helpers)
{
    if (!helpers)
        return;
    pthread_mutex_lock(&helpers->mutex);
    helpers->closing = true;
    for (int i = 0; i < helpers->team_count; i++)
        ASSERT(helpers->teams[i].members == 0);
    pthread_cond_broadcast(&helpers->changed);
    pthread_mutex_unlock(&helpers->mutex);
    for (int i = 0; i < helpers->count; i++)
        pthread_join(helpers->list[i].thread, NULL);
    for (int i = 0; i < helpers->team_count; i++) {
        pthread_mutex_destroy(&helpers->teams[i].mutex);
        pthread_cond_destroy(&helpers->teams[i].posted);
        pthread_cond_destroy(&helpers->teams[i].finished);
    }
    pthread_cond_destroy(&helpers->changed);
    pthread_mutex_destroy(&helpers->mutex);
    free(helpers->teams);
    free(helpers->list);
    free(helpers);
}
