/*
 * test_policy_peers.c - what each policy that learns nothing says of itself: how it widens, what it aims at.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/decisions.h"

static const struct shape input = {3, 32, 32};

static struct policy_options published_options(void)
{
    return (struct policy_options){
        .space = space_find("small"), .input = input, .wider_decisions = 4, .deeper_decisions = 5, .seed = 1};
}

static struct arch smallest(const struct policy_options *options)
{
    struct arch start;
    space_start(options->space, options->input, 10, &start);
    return start;
}

static struct random_stream test_stream(uint32_t number)
{
    return random_stream_new(7, RANDOM_TEST, number, 0);
}

static int64_t flops_of(const struct arch *parent, const struct proposal *proposal)
{
    struct arch child;
    assert_int_equal(proposal_apply(parent, proposal, &child, NULL), 0);
    return arch_cost(&child, input).flops;
}

/* One proposal on the smallest network. */
static void propose_once(const char *name, const struct policy_options *options, uint32_t number, int64_t aim,
                         struct proposal *proposal)
{
    const struct policy_kind *kind = policy_find(name);
    struct arch start = smallest(options);
    struct random_stream stream = test_stream(number);
    struct policy_options own = *options;
    own.match = &aim;
    own.match_count = aim > 0;
    struct policy *policy = policy_new(kind, &own);
    kind->propose(policy, &(struct proposal_request){.parent = &start, .network = 1, .stream = &stream}, proposal, NULL);
    policy_free(policy);
}

/* Whatever a wider decision offers is taken, also where a limit leaves room for some layers only. */
static void test_widen_takes_all(void **unused)
{
    struct policy_options options = published_options();
    struct arch start = smallest(&options);
    struct decision decisions[PROPOSAL_STEPS_MAX];
    struct proposal proposal;
    for (uint32_t i = 0; i < 200; i++) {
        options.limits.flops = i % 2 ? 400000 + 10000 * (int64_t)i : 0;
        propose_once("widen", &options, i, 0, &proposal);
        assert_true(decisions_recover(&options, &start, &proposal, decisions));
        for (int step = 0; step < options.wider_decisions; step++)
            assert_memory_equal(decisions[step].offered, decisions[step].chosen, sizeof decisions[step].offered);
        assert_true(isfinite(proposal.log_probability) && proposal.log_probability <= 0);
        int widened = 0;
        while (widened < proposal.count && proposal.actions[widened].action.kind == ACTION_WIDEN)
            widened++;
        assert_true(i % 2 || widened == 4 * 5); /* four convolutions and an FC, four times */
    }
}

/* Its insertions are random's: with no wider decisions the two are the same. */
static void test_widen_deepens_as_random(void **unused)
{
    struct policy_options options = published_options();
    struct proposal a, b;
    options.wider_decisions = 0;
    for (uint32_t i = 0; i < 50; i++) {
        propose_once("widen", &options, i, 0, &a);
        propose_once("random", &options, i, 0, &b);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

/* How near random-flops comes to the networks of another policy: the share within 2 %, and the largest ratio. */
static void matching(const char *other, int count, double *share, double *worst)
{
    struct policy_options options = published_options();
    struct arch start = smallest(&options);
    struct proposal proposal, matched;
    int within = 0;
    *worst = 1;
    for (int i = 0; i < count; i++) {
        propose_once(other, &options, (uint32_t)i, 0, &proposal);
        int64_t wanted = flops_of(&start, &proposal);
        propose_once("random-flops", &options, 1000 + (uint32_t)i, wanted, &matched);
        double ratio = (double)flops_of(&start, &matched) / (double)wanted;
        struct decision decisions[PROPOSAL_STEPS_MAX];
        assert_true(decisions_recover(&options, &start, &matched, decisions)); /* the same number of decisions */
        within += fabs(log(ratio)) <= log(1.02);
        *worst = fmax(*worst, fmax(ratio, 1 / ratio));
    }
    *share = (double)within / count;
    print_message("# %s matched: %.0f %% within 2 %%, the worst by a factor of %.3f\n", other, 100 * *share, *worst);
}

static void test_random_flops_matches(void **unused)
{
    double share, worst;
    matching("random", 60, &share, &worst);
    assert_true(share >= 0.97 && worst < 1.05);
    matching("widen", 60, &share, &worst);
    assert_true(share >= 0.85 && worst < 1.15);
}

/* Out of reach on both sides: as near as can be. */
static void test_random_flops_out_of_reach(void **unused)
{
    struct policy_options options = published_options();
    struct arch start = smallest(&options);
    struct proposal proposal;
    propose_once("random-flops", &options, 1, 1, &proposal);
    int64_t least = flops_of(&start, &proposal);
    propose_once("random-flops", &options, 1, INT64_MAX, &proposal);
    int64_t most = flops_of(&start, &proposal);
    propose_once("random", &options, 1, 0, &proposal);
    int64_t usual = flops_of(&start, &proposal);
    assert_true(2 * least < usual && most > 2 * usual);
}

/* One decision, wider or deeper as the options have it; never an empty one while something can grow. */
static void test_evolve_mutates(void **unused)
{
    enum { PROPOSALS = 3000 };
    struct policy_options options = published_options();
    struct proposal proposal;
    int wider = 0, layers = 0;
    options.wider_decisions = 3;
    options.deeper_decisions = 1;
    for (uint32_t i = 0; i < PROPOSALS; i++) {
        propose_once("evolve", &options, i, 0, &proposal);
        bool widens = proposal.actions[0].action.kind == ACTION_WIDEN;
        assert_true(widens ? proposal.count >= 1 : proposal.count == 1);
        for (int k = 0; k < proposal.count; k++)
            assert_int_equal(proposal.actions[k].step, 0);
        wider += widens;
        layers += widens ? proposal.count : 0;
    }
    /* A wider draw of five layers is empty once in 32, and drawn again: 3 * 31/32 of 3 * 31/32 + 1. */
    double share = 3 * 31 / 32.0 / (3 * 31 / 32.0 + 1), deviation = sqrt(PROPOSALS * share * (1 - share));
    assert_true(fabs(wider - PROPOSALS * share) < 5 * deviation);
    assert_true(fabs((double)layers / wider - 2.5 * 32 / 31) < 0.12);

    options.wider_decisions = 0; /* then deeper ones alone */
    propose_once("evolve", &options, 1, 0, &proposal);
    assert_int_equal(proposal.actions[0].action.kind, ACTION_DEEPEN);
    options.limits.flops = 1; /* and nothing where nothing fits */
    propose_once("evolve", &options, 1, 0, &proposal);
    assert_int_equal(proposal.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widen_takes_all),
        cmocka_unit_test(test_widen_deepens_as_random),
        cmocka_unit_test(test_evolve_mutates),
        cmocka_unit_test(test_random_flops_matches),
        cmocka_unit_test(test_random_flops_out_of_reach),
    };
    return cmocka_run_group_tests_name("policy peers", tests, NULL, NULL);
}
