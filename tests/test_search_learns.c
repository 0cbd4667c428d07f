/*
 * test_search_learns.c - through the whole engine, the controller ends with better networks than random does.
 *
 * The paper's set-up (every network grows from the start, 4 wider and 5 deeper decisions, 10 an episode), on
 * scripted accuracies that grow with the parameters.  Means of the last episode; a margin that luck doesn't give.
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
#include "repeats.h"

enum { SEEDS = REPEATS(6), EPISODES = 8 };

static double last_episode(const char *policy, int64_t seed)
{
    struct search_options options = bed_options();
    strcpy(options.policy, policy);
    options.seed = seed;
    options.networks = 0;
    options.episodes = EPISODES;
    options.episode_networks = 10;
    options.parent = PARENT_START;
    options.wider = 4;
    options.deeper = 5;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 2, .no_epochs = true});
    double sum = 0;
    int count = 0;
    for (int64_t i = 0; i < session->proposal_count; i++) {
        const struct proposal_record *proposal = session->proposals[i];
        if (proposal->facts.episode == EPISODES && proposal->facts.node) {
            sum += session_node(session, proposal->facts.node)->accuracy;
            count++;
        }
    }
    session_state_free(session);
    assert_true(count > 0);
    return sum / count;
}

static void test_reinforce_beats_random(void **state)
{
    for (int64_t seed = 1; seed <= SEEDS; seed++) {
        double learned = last_episode("reinforce", seed), drawn = last_episode("random", seed);
        print_message("# seed %d: reinforce %.4f, random %.4f\n", (int)seed, learned, drawn);
        assert_true(learned > drawn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reinforce_beats_random)};
    return cmocka_run_group_tests_name("search learns", tests, NULL, NULL);
}
