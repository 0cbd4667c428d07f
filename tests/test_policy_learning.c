/*
 * test_policy_learning.c - does the controller learn?  The paper's settings on a scripted reward, no training: after
 * a dozen episodes its networks must be better than random's, for each of ten seeds.
 *
 * The script wants the first two blocks wide, the last two left alone, and new layers with 5×5 kernels: so the
 * controller has to tell layers apart, not only to grow everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "repeats.h"

enum { SEEDS = REPEATS(10), EPISODES = 12, NETWORKS = 10, WIDER = 4, DEEPER = 5 };

static int widenings(const struct space *space, const struct layer *layer)
{
    int count = 0;
    while (space->widths[WIDTHS_FILTERS].values[count] < layer->units)
        count++;
    return count;
}

/* 0.3 … 0.95 for a child of the small space's start network; a random child has about 0.57. */
static double scripted_accuracy(const struct space *space, const struct arch *child)
{
    int block = 0, wanted = 0, unwanted = 0, large = 0;
    for (int i = 0; i < child->layer_count; i++) {
        const struct layer *layer = &child->layers[i];
        bool first = i == 0 || child->layers[i - 1].kind == LAYER_MAX_POOL;
        if (layer->kind == LAYER_MAX_POOL)
            block++;
        if (layer->kind != LAYER_CONV)
            continue;
        if (!first)
            large += layer->kernel == 5;
        else if (block < 2)
            wanted += widenings(space, layer);
        else
            unwanted += widenings(space, layer);
    }
    return 0.3 +
           0.65 * (0.4 * wanted / (2 * WIDER) + 0.3 * (1 - (double)unwanted / (2 * WIDER)) + 0.3 * large / DEEPER);
}

/* Mean accuracy of the last episode's networks. */
static double search(const char *name, uint64_t seed, bool released)
{
    struct policy_options options = {.space = space_find("small"),
                                     .input = {3, 32, 32},
                                     .wider_decisions = WIDER,
                                     .deeper_decisions = DEEPER,
                                     .rate = 2e-3,
                                     .entropy_bonus = 1e-5,
                                     .baseline_decay = 0.95,
                                     .baseline_released = released,
                                     .seed = seed};
    const struct policy_kind *kind = policy_find(name);
    struct policy *policy = policy_new(kind, &options);
    struct proposal proposals[NETWORKS];
    struct outcome outcomes[NETWORKS];
    struct policy_update update;
    struct arch start, child;
    double mean = 0;
    space_start(options.space, options.input, 10, &start);
    for (int episode = 0; episode < EPISODES; episode++) {
        mean = 0;
        for (int i = 0; i < NETWORKS; i++) {
            struct random_stream stream = random_stream_new(seed, RANDOM_POLICY, (uint32_t)(episode * NETWORKS + i), 0);
            kind->propose(policy, &(struct proposal_request){.parent = &start, .stream = &stream}, &proposals[i], NULL);
            assert_int_equal(proposal_apply(&start, &proposals[i], &child, NULL), 0);
            outcomes[i] = (struct outcome){.parent = &start, .proposal = &proposals[i], .accuracy = scripted_accuracy(options.space, &child)};
            mean += outcomes[i].accuracy / NETWORKS;
        }
        if (kind->observe)
            kind->observe(policy, outcomes, NETWORKS, &update);
    }
    policy_free(policy);
    return mean;
}

static void test_beats_random(void **unused)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bool released = seed % 2 == 0;
        double random = search("random", seed, released), learned = search("reinforce", seed, released);
        print_message("# seed %d: random %.3f, reinforce %.3f\n", (int)seed, random, learned);
        assert_true(learned > random + 0.04);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beats_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
