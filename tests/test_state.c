/*
 * test_state.c - the reducer: what comes of generated sessions, what it refuses, and what the digest sees.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random_event.h"
#include "session_generator.h"
#include "sessions/forecast.h"
#include "util/bug.h"
#include "util/memory.h"

static void apply(struct session_state *state, const struct event *event)
{
    struct error error = {{0}};
    if (session_apply(state, event, &error))
        fail_msg("%s", error.text);
}

static struct session_state *fold(const struct event_list *list, bool transient)
{
    struct session_state *state = session_state_new();
    for (size_t i = 0; i < list->count; i++)
        if (transient || event_is_durable(list->items[i].kind))
            apply(state, &list->items[i]);
    return state;
}

static void assert_same_digest(const struct session_state *a, const struct session_state *b)
{
    char left[HASH_TEXT], right[HASH_TEXT];
    assert_string_equal(hash_print(session_digest(a), left), hash_print(session_digest(b), right));
}

/* Recipes of every sort: one device and many, broad and deep, calm and wild. */
static struct session_recipe recipe_of(uint64_t seed)
{
    struct session_recipe recipe = session_recipe_default(seed);
    recipe.networks = 1 + (int)(seed * 7 % 90);
    recipe.devices = 1 + (int)(seed % 5);
    recipe.from_start = seed % 3 == 0;
    recipe.person = seed % 4 * 0.03;
    recipe.failures = seed % 2 ? 0.3 : 0.05;
    recipe.crashes = seed % 5 ? 0.02 : 0;
    recipe.steps = (int)(seed % 4);
    recipe.finished = seed % 6 != 0;
    return recipe;
}

/* --- properties of whole sessions ---------------------------------------------------------------------------- */

static void check_expectation(const struct session_state *state, const struct session_expectation *expected)
{
    assert_int_equal(state->node_count, expected->nodes);
    for (int i = 0; i < NODE_STATUS_COUNT; i++)
        assert_int_equal(state->status_count[i], expected->status[i]);
    assert_int_equal(state->known_count, expected->known);
    assert_int_equal(state->refused_count, expected->refused);
    assert_int_equal(state->proposal_count, expected->proposals);
    assert_int_equal(state->policy_count, expected->updates);
    assert_int_equal(state->failure_count, expected->failures);
    assert_int_equal(state->event_count, expected->durable_events);
    assert_int_equal(state->last_number, expected->durable_events);
    assert_int_equal(state->best, expected->best);
    assert_true(state->time == expected->time);
    if (state->best)
        assert_true(session_node(state, state->best)->accuracy == expected->best_accuracy);
}

/* What holds in every state, whatever the session. */
static void check_invariants(const struct session_state *state)
{
    int64_t counts[NODE_STATUS_COUNT] = {0}, children = 0, known = 0, busy = 0;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        assert_int_equal(node->facts.node, i);
        assert_true(node->facts.parent < i);
        counts[node->status]++;
        children += node->child_count;
        known += node->known_count;
        assert_true(node->status != NODE_DONE || (node->weights && node->ended >= node->started));
        assert_true(node->status != NODE_FAILED || node->failure);
        assert_true(node->status != NODE_RUNNING || (node->device && node->curve_count <= node->epochs));
        assert_true(!node->pruned || node->status != NODE_QUEUED);
        if (node->facts.parent && session_node(state, node->facts.parent)->pruned && node->pruned)
            assert_true(node->status != NODE_QUEUED);
        if (node->status == NODE_DONE)
            assert_true(session_node(state, state->best)->accuracy >= node->accuracy);
    }
    for (int i = 0; i < NODE_STATUS_COUNT; i++)
        assert_int_equal(counts[i], state->status_count[i]);
    assert_int_equal(children, state->node_count ? state->node_count - 1 : 0);
    assert_int_equal(known, state->known_count);
    for (int i = 0; i < state->device_count; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        busy += node != NULL;
        if (node)
            assert_true(node->status == NODE_RUNNING && !strcmp(node->device, state->devices[i].id));
    }
    assert_int_equal(busy, state->status_count[NODE_RUNNING]);
    for (int64_t i = 0; i < state->proposal_count; i++)
        assert_int_equal(state->proposals[i]->facts.proposal, i + 1);
}

static void test_generated_sessions_fold_to_what_they_are(void **unused)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct session_recipe recipe = recipe_of(seed);
        struct event_list list = {0};
        struct session_expectation expected = session_generate(&recipe, event_list_add, &list);
        struct session_state *state = session_state_new();
        for (size_t i = 0; i < list.count; i++) {
            apply(state, &list.items[i]);
            if (i % 17 == 0)
                check_invariants(state);
        }
        assert_int_equal(list.count, expected.events);
        check_invariants(state);
        check_expectation(state, &expected);
        assert_int_equal(state->finished, recipe.finished);
        session_state_free(state);
        event_list_done(&list);
    }
}

static void test_transient_events_leave_the_digest(void **unused)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct session_recipe recipe = recipe_of(seed);
        struct event_list list = {0};
        session_generate(&recipe, event_list_add, &list);
        struct session_state *all = fold(&list, true), *durable = fold(&list, false);
        assert_same_digest(all, durable);
        session_state_free(all);
        session_state_free(durable);
        event_list_done(&list);
    }
}

static void apply_from(struct session_state *state, const struct event_list *list, size_t from)
{
    for (size_t i = from; i < list->count; i++)
        apply(state, &list->items[i]);
}

/* A copy goes on as the original does, and neither sees the other's events; in whatever order they go. */
static void test_copies_go_on_alone(void **unused)
{
    struct session_recipe recipe = session_recipe_default(11);
    struct event_list list = {0};
    session_generate(&recipe, event_list_add, &list);
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 1, 0);
    struct session_state *whole = fold(&list, true);
    for (int round = 0; round < 10; round++) {
        size_t middle = random_below(&stream, (uint32_t)list.count + 1);
        struct session_state *first = session_state_new();
        for (size_t i = 0; i < middle; i++)
            apply(first, &list.items[i]);
        struct hash before = session_digest(first);
        struct session_state *copy = session_state_copy(first), *keyframe = session_state_copy(copy);
        assert_same_digest(first, copy);
        apply_from(copy, &list, middle);
        assert_true(hash_equal(before, session_digest(first)));
        if (round % 2)
            apply_from(first, &list, middle);
        assert_true(hash_equal(before, session_digest(keyframe)));
        session_state_free(first);
        assert_same_digest(copy, whole);
        check_invariants(copy);
        session_state_free(copy);
        apply_from(keyframe, &list, middle);
        assert_same_digest(keyframe, whole);
        session_state_free(keyframe);
    }
    session_state_free(whole);
    event_list_done(&list);
}

/* --- what the digest sees ------------------------------------------------------------------------------------ */

/* Fold with event `at` replaced; NULL when the reducer refuses what comes of it. */
static struct session_state *fold_with(const struct event_list *list, size_t at, const struct event *instead)
{
    struct session_state *state = session_state_new();
    for (size_t i = 0; i < list->count; i++) {
        if (session_apply(state, i == at ? instead : &list->items[i], NULL)) {
            session_state_free(state);
            return NULL;
        }
    }
    return state;
}

static int check_field(const struct event_list *list, size_t at, const struct event_field *field, struct hash whole,
                       struct random_stream *stream)
{
    struct event changed;
    event_copy(&list->items[at], &changed);
    random_field(stream, field, &changed);
    struct session_state *state = fold_with(list, at, &changed);
    int seen = state != NULL;
    if (!field->fact) {
        assert_non_null(state);
        assert_true(hash_equal(session_digest(state), whole));
    } else if (state) {
        bool same = hash_equal(session_digest(state), whole);
        if (same != !event_is_durable(changed.kind))
            fail_msg("%s.%s %s the digest", event_kind_name(changed.kind), field->name,
                     same ? "doesn't change" : "changes");
    }
    session_state_free(state);
    event_done(&changed);
    return seen;
}

/* For every field of every kind, on several events of the kind: a fact is either refused when it is another, or
   changes the digest; a timing never does either.  Other numbers and texts are taken at least once, so that the first
   alternative can't be all there is. */
static void test_digest_sees_facts_and_nothing_else(void **unused)
{
    struct session_recipe recipe = session_recipe_default(5);
    recipe.networks = 40;
    recipe.failures = 0.3;
    recipe.crashes = 0.03;
    recipe.person = 0.3;
    struct event_list list = {0};
    session_generate(&recipe, event_list_add, &list);
    struct random_stream stream = random_stream_new(2, RANDOM_TEST, 2, 0);
    struct session_state *state = fold(&list, true);
    struct hash whole = session_digest(state);
    session_state_free(state);
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        int count, found = 0, taken[EVENT_FIELDS_MAX] = {0};
        const struct event_field *fields = event_fields((enum event_kind)kind, &count);
        for (size_t at = 0; at < list.count && found < 4; at++) {
            if (list.items[at].kind != (enum event_kind)kind)
                continue;
            found++;
            for (int i = 0; i < count; i++)
                taken[i] += check_field(&list, at, &fields[i], whole, &stream);
        }
        if (!found)
            fail_msg("the generated session has no event %s", event_kind_name((enum event_kind)kind));
        for (int i = 0; i < count; i++)
            if (!taken[i] && (fields[i].type == EVENT_FIELD_REAL || fields[i].type == EVENT_FIELD_TEXT ||
                              fields[i].type >= EVENT_FIELD_AUTHOR))
                fail_msg("no other %s.%s was ever taken", event_kind_name((enum event_kind)kind), fields[i].name);
    }
    event_list_done(&list);
}

/* What isn't known is the same everywhere, whatever bits a processor gives its NaN. */
static void test_digest_has_one_nan(void **unused)
{
    struct text left = TEXT_EMPTY, right = TEXT_EMPTY;
    struct event_epoch epoch = {.train_loss = (double)NAN};
    event_fields_add_facts(EVENT_EPOCH, &epoch, &left);
    epoch.train_loss = copysign((double)NAN, -1);
    event_fields_add_facts(EVENT_EPOCH, &epoch, &right);
    assert_int_equal(left.length, right.length);
    assert_memory_equal(left.bytes, right.bytes, left.length);
    text_done(&left);
    text_done(&right);
}

/* The digest is of the state, and not only of the facts that went into it: a reducer that makes something else of the
   same events gives another. */
static void test_digest_sees_the_state(void **unused)
{
    struct session_recipe recipe = session_recipe_default(5);
    struct event_list list = {0};
    session_generate(&recipe, event_list_add, &list);
    struct session_state *state = fold(&list, true);
    struct session_node *node = state->nodes[state->best - 1];
    struct hash whole = session_digest(state);
    char *note = node->note;
    enum event_kind answer = state->proposals[3]->answer;
    int by = state->proposals[3]->facts.by.value;
    double *baseline = &state->policies[1]->facts.baseline;
#define CHANGES(change, back)                                                                                          \
    do {                                                                                                               \
        change;                                                                                                        \
        if (hash_equal(whole, session_digest(state)))                                                                  \
            fail_msg("the digest doesn't see %s", #change);                                                            \
        back;                                                                                                          \
        assert_true(hash_equal(whole, session_digest(state)));                                                         \
    } while (0)
    CHANGES(node->pinned ^= 1, node->pinned ^= 1);
    CHANGES(node->pruned ^= 1, node->pruned ^= 1);
    CHANGES(node->attempts++, node->attempts--);
    CHANGES(node->epochs++, node->epochs--);
    CHANGES(node->curve_count--, node->curve_count++);
    CHANGES(node->child_count++, node->child_count--);
    CHANGES(node->known_count++, node->known_count--);
    CHANGES(node->status = NODE_FAILED, node->status = NODE_DONE);
    CHANGES(node->accuracy = -node->accuracy, node->accuracy = -node->accuracy);
    CHANGES(node->loss = -node->loss, node->loss = -node->loss);
    CHANGES(node->weights[0]++, node->weights[0]--);
    CHANGES(node->weights_hash[0]++, node->weights_hash[0]--);
    CHANGES(node->note = (char[]){"?"}, node->note = note);
    CHANGES(node->failure = (char[]){"?"}, node->failure = NULL);
    CHANGES(node->curve[0].rate = -node->curve[0].rate, node->curve[0].rate = -node->curve[0].rate);
    CHANGES(node->curve[1].validation_loss = -node->curve[1].validation_loss,
            node->curve[1].validation_loss = -node->curve[1].validation_loss);
    CHANGES(state->best--, state->best++);
    CHANGES(state->known_count++, state->known_count--);
    CHANGES(state->refused_count++, state->refused_count--);
    CHANGES(state->failure_count++, state->failure_count--);
    CHANGES(state->episode++, state->episode--);
    CHANGES(state->command_count++, state->command_count--);
    CHANGES(state->status_count[0]++, state->status_count[0]--);
    CHANGES(state->paused ^= 1, state->paused ^= 1);
    CHANGES(state->finished ^= 1, state->finished ^= 1);
    CHANGES(state->finish_reason.value++, state->finish_reason.value--);
    CHANGES(state->budget_episodes++, state->budget_episodes--);
    CHANGES(state->budget_networks++, state->budget_networks--);
    CHANGES(state->budget_seconds += 1, state->budget_seconds -= 1);
    CHANGES(state->budget_flops *= 2, state->budget_flops /= 2);
    CHANGES(state->test.node++, state->test.node--);
    CHANGES(state->test.images++, state->test.images--);
    CHANGES(state->test.accuracy *= 2, state->test.accuracy /= 2);
    CHANGES(state->test.loss *= 2, state->test.loss /= 2);
    CHANGES(state->epochs++, state->epochs--);
    CHANGES(state->rate *= 2, state->rate /= 2);
    CHANGES(state->proposals[3]->facts.parent++, state->proposals[3]->facts.parent--);
    CHANGES(state->proposals[3]->facts.node++, state->proposals[3]->facts.node--);
    CHANGES(state->proposals[3]->answer = state->proposals[3]->answer == EVENT_KNOWN ? EVENT_NODE : EVENT_KNOWN, state->proposals[3]->answer = answer);
    CHANGES(state->proposals[3]->facts.by.value = AUTHOR_USER, state->proposals[3]->facts.by.value = by);
    CHANGES(*baseline = -*baseline, *baseline = -*baseline);
    CHANGES(state->policies[1]->facts.networks++, state->policies[1]->facts.networks--);
#undef CHANGES
    session_state_free(state);
    event_list_done(&list);
}

/* Trainers side by side end in any order: the digest is of what was found. */
static void test_digest_is_blind_to_the_order_of_independent_events(void **unused)
{
    struct session_recipe recipe = session_recipe_default(8);
    recipe.person = 0;
    recipe.crashes = 0;
    recipe.steps = 0;
    recipe.devices = 4;
    struct event_list list = {0};
    session_generate(&recipe, event_list_add, &list);
    struct session_state *before = fold(&list, false);
    int swapped = 0;
    for (size_t i = 0; i + 1 < list.count; i++) {
        struct event *a = &list.items[i], *b = &list.items[i + 1];
        if (a->kind != EVENT_EPOCH || b->kind != EVENT_EPOCH || a->as.epoch.node == b->as.epoch.node)
            continue;
        struct event other = *a;
        other.number = b->number, other.time = b->time;
        b->number = a->number, b->time = a->time;
        *a = *b;
        *b = other;
        swapped++;
    }
    assert_true(swapped > 10);
    struct session_state *after = fold(&list, false);
    assert_same_digest(before, after);
    session_state_free(before);
    session_state_free(after);
    event_list_done(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated_sessions_fold_to_what_they_are),
        cmocka_unit_test(test_transient_events_leave_the_digest),
        cmocka_unit_test(test_copies_go_on_alone),
        cmocka_unit_test(test_digest_sees_facts_and_nothing_else),
        cmocka_unit_test(test_digest_sees_the_state),
        cmocka_unit_test(test_digest_has_one_nan),
        cmocka_unit_test(test_digest_is_blind_to_the_order_of_independent_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
