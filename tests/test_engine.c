/*
 * test_engine.c - scheduling, budget, pool, limits, failures, parents and determinism, on the scripted evaluator.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bed.h"

static void test_budget_of_networks(void **state)
{
    struct search_options options = bed_options();
    for (int slots = 1; slots <= 3; slots++) {
        struct session_state *session = bed_search(&options, &(struct script){.slots = slots, .seed = 1});
        assert_int_equal(session->status_count[NODE_DONE], 12);
        assert_int_equal(session->node_count, 12);
        assert_string_equal(session->finish_reason, "budget");
        assert_string_equal(session->nodes[0]->facts.by, "start");
        assert_string_equal(session->nodes[1]->facts.by, "random");
        session_state_free(session);
    }
}

static void test_same_seed_same_digest(void **state)
{
    struct search_options options = bed_options(), other = bed_options();
    other.seed = 2;
    struct session_state *a = bed_search(&options, &(struct script){.slots = 1});
    struct session_state *b = bed_search(&options, &(struct script){.slots = 1, .seed = 7});
    struct session_state *c = bed_search(&other, &(struct script){.slots = 1});
    assert_true(hash_equal(session_digest(a), session_digest(b)));
    assert_false(hash_equal(session_digest(a), session_digest(c)));
    char *first = bed_story(a), *third = bed_story(c);
    assert_string_not_equal(first, third);
    free(first);
    free(third);
    session_state_free(a);
    session_state_free(b);
    session_state_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_of_networks),
        cmocka_unit_test(test_same_seed_same_digest),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
