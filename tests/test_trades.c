/*
 * test_trades.c - a network as large as its limits allow still gets proposals, which keep within the limits and change
 * it; and a policy's learning doesn't see their trades.
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
#include "policy/trades.h"
#include "util/bug.h"

enum { PARENTS = 100 };

static struct policy_options default_options(void)
{
    return (struct policy_options){.space = space_find("small"),
                                   .input = {1, 28, 28},
                                   .trades = true,
                                   .wider_decisions = 2,
                                   .deeper_decisions = 1,
                                   .rate = 2e-3,
                                   .baseline_decay = 0.95,
                                   .seed = 17};
}

static void propose(const char *name, const struct policy_options *options, const struct arch *parent, uint32_t number,
                    struct proposal *proposal)
{
    const struct policy_kind *kind = policy_find(name);
    struct random_stream stream = random_stream_new(5, RANDOM_TEST, number, 0);
    struct policy *policy = policy_new(kind, options);
    const struct proposal_request request = {.parent = parent, .stream = &stream};
    assert_int_equal(kind->propose(policy, &request, proposal, NULL), 0);
    policy_free(policy);
}

/* A network that a search may have come to: `number` times random's decisions from the start. */
static struct arch grown(struct policy_options options, uint32_t number)
{
    struct arch arch;
    struct proposal proposal;
    options.trades = false;
    options.limits = (struct arch_limits){0};
    if (options.dense)
        space_start_dense(options.space, options.input, 10, &arch);
    else if (options.space->modern)
        space_start_modern(options.space, options.input, 10, &arch);
    else
        space_start(options.space, options.input, 10, &arch);
    for (uint32_t i = 0; i <= number % 6; i++) {
        propose("random", &options, &arch, 100 * number + i, &proposal);
        assert_int_equal(proposal_apply(&arch, &proposal, &arch, NULL), 0);
    }
    return arch;
}

/* Limits that the network just meets: of FLOPs, of parameters, or of all. */
static struct arch_limits its_limits(const struct policy_options *options, const struct arch *arch, uint32_t number)
{
    struct arch_cost cost = arch_cost(arch, options->input);
    return (struct arch_limits){.flops = number % 3 == 0 ? 0 : cost.flops,
                                .parameters = number % 3 == 1 ? 0 : cost.parameters,
                                .depth = number % 3 ? 0 : cost.depth};
}

static void check_trade(const struct policy_options *options, const struct arch *parent,
                        const struct proposal *proposal)
{
    struct decision decisions[PROPOSAL_STEPS_MAX];
    struct arch arch = *parent, child;
    int first = 0, step = options->wider_decisions + options->deeper_decisions;
    while (first < proposal->count && proposal->actions[first].step < step)
        first++;
    assert_true(first < proposal->count && trades_begins(options, proposal, first));
    assert_in_range(proposal->count - first, 2, 1 + TRADE_GROWTHS_MAX);
    for (int i = 0; i < proposal->count; i++) {
        const struct action *action = &proposal->actions[i].action;
        int64_t flops = arch_cost(&arch, options->input).flops;
        struct arch without;
        if (i == first && action->kind != ACTION_REMOVE && /* which moves the layers behind it */
            action_apply(&arch, &proposal->actions[i + 1].action, &without, NULL) == 0)
            assert_int_equal(arch_within(&without, options->input, &options->limits, NULL), -1);
        assert_int_equal(action_apply(&arch, action, &arch, NULL), 0);
        assert_int_equal(arch_within(&arch, options->input, &options->limits, NULL), 0);
        if (i < first)
            continue;
        assert_int_equal(proposal->actions[i].step, step);
        assert_true(proposal->actions[i].probability == 1);
        int64_t after = arch_cost(&arch, options->input).flops;
        assert_true(i == first ? after < flops : after > flops);
    }
    assert_int_equal(proposal_apply(parent, proposal, &child, NULL), 0);
    assert_true(arch_equal(&child, &arch) && !arch_equal(&child, parent));
    assert_true(decisions_recover(options, parent, proposal, decisions));
}

static void check_parents(const char *name, const char *space, bool dense)
{
    int kinds[ACTION_KINDS] = {0};
    for (uint32_t i = 0; i < PARENTS; i++) {
        struct policy_options options = default_options();
        struct proposal proposal;
        options.dense = dense;
        options.space = space_find(space);
        struct arch parent = grown(options, i);
        options.limits = its_limits(&options, &parent, i);
        assert_true(growth_possible(&options, &parent));
        propose(name, &options, &parent, i, &proposal);
        check_trade(&options, &parent, &proposal);
        for (int k = 0; k < proposal.count; k++)
            kinds[proposal.actions[k].action.kind]++;
    }
    for (int kind = 0; kind < ACTION_KINDS; kind++)
        assert_int_equal(kinds[kind] > 0,
                         !(dense && kind == ACTION_REMOVE) && (kind != ACTION_SQUEEZE || space_find(space)->modern));
}

/* Without limits there is no trade.  In a modern space about one of four proposals inserts se behind its decisions,
   where it may stand; what is drawn before that is as it was without. */
static void modern_proposals_insert_squeezes(void **unused)
{
    int inserted = 0;
    for (uint32_t i = 0; i < PARENTS; i++) {
        struct policy_options options = default_options(), without = options;
        struct proposal proposal, decisions;
        struct decision recovered[PROPOSAL_STEPS_MAX];
        options.space = without.space = space_find("modern");
        without.trades = false;
        struct arch parent = grown(options, i);
        propose("random", &options, &parent, i, &proposal);
        propose("random", &without, &parent, i, &decisions);
        assert_in_range(proposal.count - decisions.count, 0, 1);
        assert_memory_equal(proposal.actions, decisions.actions, (size_t)decisions.count * sizeof *decisions.actions);
        assert_true(decisions_recover(&options, &parent, &proposal, recovered));
        if (proposal.count == decisions.count)
            continue;
        const struct proposed_action *last = &proposal.actions[proposal.count - 1];
        assert_int_equal(last->action.kind, ACTION_SQUEEZE);
        assert_int_equal(last->step, options.wider_decisions + options.deeper_decisions);
        inserted++;
    }
    assert_in_range(inserted, PARENTS / 8, PARENTS / 2);
}

static void random_trades(void **unused)
{
    check_parents("random", "small", false);
    check_parents("random", "small", true);
    check_parents("random", "modern", false);
}

static void hillclimb_trades(void **unused)
{
    check_parents("hillclimb", "small", false);
}

static void reinforce_trades(void **unused)
{
    check_parents("reinforce", "small", false);
}

/* Far from the limits, without the option, and by a policy that doesn't trade. */
static void no_trade_is_made(void **unused)
{
    static const char *const never[] = {"widen", "evolve", "random-flops"};
    for (uint32_t i = 0; i < 30; i++) {
        struct policy_options options = default_options(), without = options;
        struct proposal proposal, same;
        struct arch parent = grown(options, i);
        without.trades = false;
        propose("random", &options, &parent, i, &proposal);
        propose("random", &without, &parent, i, &same);
        assert_memory_equal(&proposal, &same, sizeof proposal);
        without.limits = options.limits = its_limits(&options, &parent, 2); /* of FLOPs and parameters */
        propose("random", &without, &parent, i, &proposal);
        assert_int_equal(proposal.count, 0);
        propose(never[i % COUNT_OF(never)], &options, &parent, i, &proposal);
        assert_int_equal(proposal.count, 0);
    }
}

/* With room for some layers only, half of the proposals trade besides. */
static void near_the_limits_half_of_the_proposals_trade(void **unused)
{
    struct policy_options options = default_options();
    struct arch parent;
    struct proposal proposal;
    int traded = 0;
    assert_int_equal(arch_parse(&parent, "C(16,3,1) P(2,2) C(16,3,1) C(16,3,1) A(14,14) FC(16) SM(10)", NULL), 0);
    options.limits.flops = arch_cost(&parent, options.input).flops + 20000; /* for the FC layer */
    for (uint32_t i = 0; i < 200; i++) {
        propose("random", &options, &parent, i, &proposal);
        bool trades = proposal.actions[proposal.count - 1].step == 3;
        traded += trades;
        if (trades)
            check_trade(&options, &parent, &proposal);
    }
    assert_in_range(traded, 70, 130);
}

/* The update is that of the same decisions without the trade, to the bit. */
static void learning_does_not_see_a_trade(void **unused)
{
    const struct policy_kind *kind = policy_find("reinforce");
    struct policy_options options = default_options();
    struct arch parent;
    struct proposal plain, traded;
    void *bytes[2];
    size_t lengths[2];
    assert_int_equal(arch_parse(&parent, "C(8,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)", NULL), 0);
    options.trades = false;
    propose("reinforce", &options, &parent, 3, &plain);
    traded = plain;
    const struct action narrow = {.kind = ACTION_NARROW, .layer = 0, .units = 4};
    traded.actions[traded.count++] = (struct proposed_action){.action = narrow, .step = 3, .probability = 1};
    for (int i = 0; i < 2; i++) {
        struct policy *policy = policy_new(kind, &options);
        const struct outcome outcomes[] = {{.parent = &parent, .proposal = i ? &traded : &plain, .accuracy = 0.8},
                                           {.parent = &parent, .proposal = &plain, .accuracy = 0.5}};
        struct policy_update update;
        kind->observe(policy, outcomes, 2, &update);
        assert_true(update.gradient_norm > 0);
        kind->save(policy, &bytes[i], &lengths[i]);
        policy_free(policy);
    }
    assert_true(lengths[0] == lengths[1]);
    assert_memory_equal(bytes[0], bytes[1], lengths[0]);
    free(bytes[0]);
    free(bytes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modern_proposals_insert_squeezes),
        cmocka_unit_test(random_trades),
        cmocka_unit_test(hillclimb_trades),
        cmocka_unit_test(reinforce_trades),
        cmocka_unit_test(no_trade_is_made),
        cmocka_unit_test(near_the_limits_half_of_the_proposals_trade),
        cmocka_unit_test(learning_does_not_see_a_trade),
    };
    return cmocka_run_group_tests_name("trades", tests, NULL, NULL);
}
