/*
 * test_policy.c - what every policy promises: proposals that can be applied and keep within space and limits, that
 * are the same for the same seed, that can be recovered from their actions; and a state that continues identically.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/controller.h"
#include "policy/policy.h"
#include "repeats.h"
#include "util/bug.h"

static struct policy_options default_options(void)
{
    return (struct policy_options){.space = space_find("small"),
                                   .input = {3, 32, 32},
                                   .wider_decisions = 4,
                                   .deeper_decisions = 5,
                                   .rate = 2e-3,
                                   .entropy_bonus = 1e-5,
                                   .baseline_decay = 0.95,
                                   .seed = 17};
}

static struct random_stream test_stream(uint32_t number)
{
    return random_stream_new(99, RANDOM_TEST, number, 0);
}

static int below(struct random_stream *stream, int bound)
{
    return (int)random_below(stream, (uint32_t)bound);
}

static struct arch parsed(const char *text)
{
    struct arch arch;
    struct error error;
    if (arch_parse(&arch, text, &error) != 0)
        fail_msg("%s", error.text);
    return arch;
}

static struct arch child_of(const struct arch *parent, const struct proposal *proposal)
{
    struct arch child;
    struct error error;
    if (proposal_apply(parent, proposal, &child, &error) != 0)
        fail_msg("%s", error.text);
    return child;
}

/* Any network: widths and kernels of the space and others, blocks of 0 to 5 convolutions, 0 to 3 FC layers. */
static struct arch random_arch(struct random_stream *stream, struct shape input)
{
    struct arch arch;
    struct shape shapes[ARCH_LAYERS_MAX];
    do {
        arch = (struct arch){0};
        int blocks = 1 + below(stream, 4), fcs = below(stream, 4);
        for (int b = 0; b < blocks; b++) {
            int convolutions = below(stream, 6);
            if (b == 0)
                convolutions++;
            for (int i = 0; i < convolutions; i++)
                arch.layers[arch.layer_count++] = (struct layer){.kind = LAYER_CONV,
                                                                 .units = 1 + below(stream, 44),
                                                                 .kernel = 1 + 2 * below(stream, 4),
                                                                 .stride = 1 + (below(stream, 8) == 0)};
            if (below(stream, 4))
                arch.layers[arch.layer_count++] = (struct layer){
                    .kind = below(stream, 3) ? LAYER_MAX_POOL : LAYER_AVERAGE_POOL, .kernel = 2, .stride = 2};
        }
        for (int i = 0; i < fcs; i++)
            arch.layers[arch.layer_count++] = (struct layer){.kind = LAYER_FC, .units = 1 + below(stream, 90)};
        arch.layers[arch.layer_count++] = (struct layer){.kind = LAYER_SOFTMAX, .units = 10};
    } while (arch_shapes(&arch, input, shapes, NULL) != 0);
    return arch;
}

/* The same with R and M behind some of the maps, and S for some convolutions. */
static struct arch random_modern_arch(struct random_stream *stream, struct shape input)
{
    struct arch plain = random_arch(stream, input), arch = {0};
    for (int i = 0; i < plain.layer_count; i++) {
        struct layer *layer = &arch.layers[arch.layer_count++];
        *layer = plain.layers[i];
        if (layer->kind == LAYER_CONV && i && !below(stream, 3))
            layer->kind = LAYER_SEPARABLE;
        for (int blocks = layer_is_flat(layer) ? 0 : below(stream, 3); blocks > 0; blocks--)
            arch.layers[arch.layer_count++] = (struct layer){.kind = below(stream, 3) ? LAYER_MOBILE : LAYER_RESIDUAL,
                                                             .units = 1 + below(stream, 400),
                                                             .kernel = 1 + 2 * below(stream, 4)};
    }
    return arch;
}

/* From none to some that the network exceeds already. */
static struct arch_limits random_limits(struct random_stream *stream, const struct arch *arch, struct shape input)
{
    struct arch_limits limits = {0};
    struct arch_cost cost = arch_cost(arch, input);
    double room = 0.9 + 1.5 * random_uniform(stream);
    if (below(stream, 3) == 0)
        limits.parameters = (int64_t)(room * (double)cost.parameters);
    if (below(stream, 3) == 0)
        limits.flops = (int64_t)(room * (double)cost.flops);
    if (below(stream, 6) == 0)
        limits.depth = 4 + below(stream, 16);
    if (below(stream, 6) == 0) {
        limits.batch = 64;
        limits.memory = (int64_t)(room * 3 * 64 * (double)cost.activation_bytes);
    }
    return limits;
}

/* One action is a step of the space, in its decision's turn. */
static void check_action(const struct policy_options *options, const struct arch *arch,
                         const struct proposed_action *proposed)
{
    const struct action *action = &proposed->action;
    const struct layer *layer = &arch->layers[action->layer];
    assert_true(proposed->probability > 0 && proposed->probability <= 1);
    if (action->kind == ACTION_WIDEN) {
        assert_true(proposed->step < options->wider_decisions);
        assert_int_equal(action->units, space_wider(options->space, layer));
        return;
    }
    assert_in_range(proposed->step, options->wider_decisions, options->wider_decisions + options->deeper_decisions - 1);
    bool found = layer->kind == LAYER_FC && action->kernel == 0;
    assert_int_equal(action->block, options->space->modern && layer->kind != LAYER_FC ? LAYER_MOBILE : 0);
    for (int k = 0; k < options->space->kernel_count && layer->kind != LAYER_FC; k++)
        found = found || options->space->kernels[k] == action->kernel;
    assert_true(found);
}

static void check_proposal(const struct policy_options *options, const struct arch *parent,
                           const struct proposal *proposal)
{
    struct arch arch = *parent;
    struct shape shapes[ARCH_LAYERS_MAX];
    int deepened = 0;
    assert_true(isfinite(proposal->log_probability) && proposal->log_probability <= 0);
    assert_true(isfinite(proposal->entropy) && proposal->entropy >= 0);
    for (int i = 0; i < proposal->count; i++) {
        const struct proposed_action *proposed = &proposal->actions[i];
        check_action(options, &arch, proposed);
        deepened += proposed->action.kind == ACTION_DEEPEN;
        assert_true(i == 0 || proposed->step >= proposal->actions[i - 1].step);
        struct proposal one = {.count = 1, .actions = {*proposed}};
        arch = child_of(&arch, &one);
        assert_int_equal(arch_within(&arch, options->input, &options->limits, NULL), 0);
    }
    assert_int_equal(arch_shapes(&arch, options->input, shapes, NULL), 0);
    assert_true(deepened <= options->deeper_decisions);
    struct arch child = child_of(parent, proposal);
    assert_true(arch_equal(&child, &arch));
}

static void check_networks(const char *name, bool modern, int count)
{
    const struct policy_kind *kind = policy_find(name);
    struct random_stream stream = test_stream(1);
    struct decision decisions[PROPOSAL_STEPS_MAX];
    struct proposal proposal;
    int empty = 0, full = 0;
    for (int i = 0; i < count; i++) {
        struct policy_options options = default_options();
        struct arch parent = modern ? random_modern_arch(&stream, options.input) : random_arch(&stream, options.input);
        options.space = space_find(modern ? "modern" : below(&stream, 4) ? "small" : "paper");
        options.limits = random_limits(&stream, &parent, options.input);
        struct policy *policy = policy_new(kind, &options);
        kind->propose(policy, &(struct proposal_request){.parent = &parent, .stream = &stream}, &proposal, NULL);
        check_proposal(&options, &parent, &proposal);
        assert_true(decisions_recover(&options, &parent, &proposal, decisions));
        empty += proposal.count == 0;
        full += proposal.count > 9;
        policy_free(policy);
    }
    assert_true(SANITIZED || (empty > count / 200 && full > count / 5)); /* both ends were met */
}

static void test_random_stays_within(void **unused)
{
    check_networks("random", false, REPEATS(3000));
}

static void test_widen_stays_within(void **unused)
{
    check_networks("widen", false, REPEATS(1000));
}

static void test_reinforce_stays_within(void **unused)
{
    check_networks("reinforce", false, REPEATS(300));
}

static void test_modern_stays_within(void **unused)
{
    check_networks("random", true, REPEATS(1000));
    check_networks("reinforce", true, REPEATS(100));
}

/* The largest networks: no room for another layer, and more growable layers than a proposal holds. */
static void test_largest(void **unused)
{
    struct policy_options options = default_options();
    struct random_stream stream = test_stream(2);
    struct proposal proposal;
    struct decision decisions[PROPOSAL_STEPS_MAX];
    struct arch arch = {.layer_count = ARCH_LAYERS_MAX - 2};
    for (int i = 0; i < arch.layer_count; i++)
        arch.layers[i] = (struct layer){.kind = LAYER_CONV, .units = 4, .kernel = 1, .stride = 1};
    arch.layers[arch.layer_count - 1] = (struct layer){.kind = LAYER_SOFTMAX, .units = 10};
    options.wider_decisions = PROPOSAL_STEPS_MAX - options.deeper_decisions;
    for (int k = 0; k < 2; k++) {
        const struct policy_kind *kind = policy_find(k ? "reinforce" : "random");
        struct policy *policy = policy_new(kind, &options);
        kind->propose(policy, &(struct proposal_request){.parent = &arch, .stream = &stream}, &proposal, NULL);
        check_proposal(&options, &arch, &proposal);
        assert_int_equal(proposal.count, PROPOSAL_ACTIONS_MAX - options.deeper_decisions + 2);
        assert_int_equal(child_of(&arch, &proposal).layer_count, ARCH_LAYERS_MAX);
        assert_true(decisions_recover(&options, &arch, &proposal, decisions));
        policy_free(policy);
    }
}

static void test_random_is_uniform(void **unused)
{
    enum { PROPOSALS = 6000 };
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("random");
    struct random_stream stream = test_stream(3);
    /* Three layers can widen; three blocks of 3, 1 and 1 layers can be deepened. */
    struct arch start = parsed("C(4,3,1) C(4,3,1) C(4,3,1) P(2,2) C(40,3,1) A(4,4) FC(80) SM(10)");
    struct proposal proposal;
    int layers[ARCH_LAYERS_MAX] = {0}, widened = 0, kernels[ARCH_KERNEL_MAX + 1] = {0};
    options.wider_decisions = options.deeper_decisions = 1;
    struct policy *policy = policy_new(kind, &options);
    for (int i = 0; i < PROPOSALS; i++) {
        kind->propose(policy, &(struct proposal_request){.parent = &start, .stream = &stream}, &proposal, NULL);
        const struct proposed_action *last = &proposal.actions[proposal.count - 1];
        int layer = last->action.layer, choices = 3 * (layer < 3 ? 3 : 1) * (layer == 6 ? 1 : 3);
        assert_int_equal(last->action.kind, ACTION_DEEPEN);
        assert_true(fabs(last->probability - 1.0 / choices) < 1e-6);
        assert_true(fabs(proposal.entropy - 3 * log(2) - log(choices)) < 1e-12);
        assert_true(fabs(proposal.log_probability + 3 * log(2) + log(choices)) < 1e-12);
        layers[layer]++;
        kernels[last->action.kernel]++;
        widened += proposal.count - 1;
    }
    /* Within five standard deviations. */
    assert_in_range(widened, 9000 - 5 * 68, 9000 + 5 * 68);
    for (int layer = 0; layer < 3; layer++)
        assert_in_range(layers[layer], 667 - 5 * 25, 667 + 5 * 25);
    assert_in_range(layers[4], 2000 - 5 * 37, 2000 + 5 * 37);
    assert_in_range(layers[6], 2000 - 5 * 37, 2000 + 5 * 37);
    for (int kernel = 1; kernel <= 5; kernel += 2)
        assert_in_range(kernels[kernel], 1333 - 5 * 33, 1333 + 5 * 33);
    policy_free(policy);
}

static void test_manual_proposes_the_given_actions(void **unused)
{
    struct policy_options options = default_options();
    options.actions = "widen:conv1 deepen:conv1:3;; widen:conv9";
    const struct policy_kind *kind = policy_find("manual");
    struct arch start = parsed("C(4,3,1) SM(10)");
    struct proposal proposal = {.count = 3};
    struct error error;
    struct policy *policy = policy_new(kind, &options);
    assert_true(!kind->ends_before(policy, 2, 1, &error) && kind->ends_before(policy, 3, 1, &error));
    assert_string_equal(error.text, "all networks of --actions are made");
    assert_int_equal(
        kind->propose(policy, &(struct proposal_request){.parent = &start, .proposal = 1}, &proposal, &error), 0);
    assert_int_equal(proposal.count, 2);
    assert_int_equal(proposal.actions[1].action.kind, ACTION_DEEPEN);
    assert_int_equal(
        kind->propose(policy, &(struct proposal_request){.parent = &start, .proposal = 2}, &proposal, &error), -1);
    assert_null(kind->observe);
    policy_free(policy);
}

static void test_table(void **unused)
{
    int count = 0;
    for (; policy_at(count); count++)
        assert_ptr_equal(policy_find(policy_at(count)->name), policy_at(count));
    assert_int_equal(count, 7);
    assert_null(policy_find("greedy"));
    assert_null(policy_at(-1));
}

static bool same_proposal(const struct proposal *a, const struct proposal *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void test_same_seed_same_proposals(void **unused)
{
    struct policy_options options = default_options();
    struct arch start;
    space_start(options.space, options.input, 10, &start);
    for (int k = 0; k < 2; k++) {
        const struct policy_kind *kind = policy_find(k ? "reinforce" : "random");
        struct proposal proposals[3];
        for (int i = 0; i < 3; i++) {
            struct random_stream stream = test_stream(i < 2 ? 5 : 6);
            struct policy *policy = policy_new(kind, &options);
            kind->propose(policy, &(struct proposal_request){.parent = &start, .stream = &stream}, &proposals[i], NULL);
            policy_free(policy);
        }
        assert_true(same_proposal(&proposals[0], &proposals[1]));
        assert_false(same_proposal(&proposals[0], &proposals[2]));
    }
}

/* Sampled with one call, scored with another from nothing but the actions. */
static void test_log_probability_is_recovered(void **unused)
{
    struct policy_options options = default_options();
    struct random_stream stream = test_stream(7);
    struct controller *controller = controller_new(options.space, false, 5);
    struct chooser chooser = controller_chooser(controller);
    struct decision decisions[PROPOSAL_STEPS_MAX];
    struct proposal proposal;
    for (int i = 0; i < 50; i++) {
        struct arch parent = random_arch(&stream, options.input);
        double log_probability = 0;
        options.limits = random_limits(&stream, &parent, options.input);
        decisions_sample(&options, &chooser, &parent, &stream, &proposal);
        assert_true(decisions_recover(&options, &parent, &proposal, decisions));
        for (int d = 0; d < options.wider_decisions + options.deeper_decisions; d++)
            log_probability += controller_score(controller, &decisions[d]).log_probability;
        assert_true(fabs(log_probability - proposal.log_probability) < 1e-10);
    }
    controller_free(controller);
}

/* A wider decision that chose nothing leaves no action, but is one. */
static void test_empty_decision_is_recovered(void **unused)
{
    struct policy_options options = default_options();
    struct arch parent = parsed("C(4,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)");
    struct decision decisions[PROPOSAL_STEPS_MAX];
    struct proposal proposal = {.count = 2};
    options.wider_decisions = 3;
    options.deeper_decisions = 1;
    proposal.actions[0] = (struct proposed_action){{.kind = ACTION_WIDEN, .layer = 2, .units = 12}, .step = 1};
    proposal.actions[1] = (struct proposed_action){{.kind = ACTION_DEEPEN, .layer = 2, .kernel = 5}, .step = 3};
    assert_true(decisions_recover(&options, &parent, &proposal, decisions));
    for (int step = 0; step < 3; step++)
        for (int layer = 0; layer < parent.layer_count; layer++) {
            assert_int_equal(decisions[step].offered[layer], layer == 0 || layer == 2 || layer == 4);
            assert_int_equal(decisions[step].chosen[layer], step == 1 && layer == 2);
        }
    assert_int_equal(decisions[2].arch.layers[2].units, 12);
    assert_true(decisions[3].deeper);
    assert_int_equal(decisions[3].level_count, 3);
    assert_int_equal(decisions[3].levels[LEVEL_BLOCK].choice, 1);
    assert_int_equal(decisions[3].levels[LEVEL_BLOCK].count, 3);
    assert_int_equal(decisions[3].levels[LEVEL_LAYER].choice, 0);
    assert_int_equal(decisions[3].levels[LEVEL_KERNEL].choice, 2);
    options.wider_decisions = 2; /* then step 3 is no decision of theirs */
    assert_false(decisions_recover(&options, &parent, &proposal, decisions));
}

/* The baselines of the paper and of its code, by hand. */
static void test_baselines(void **unused)
{
    const double accuracies[3] = {0.5, 0.8, 0.7};
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("reinforce");
    struct arch parent = parsed("C(4,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)");
    for (int released = 0; released < 2; released++) {
        struct random_stream stream = test_stream(9);
        options.baseline_released = released;
        struct policy *policy = policy_new(kind, &options);
        struct proposal proposal;
        double baseline = 0;
        for (int i = 0; i < 3; i++) {
            struct policy_update update;
            double reward = tan(accuracies[i] * acos(0)), subtracted;
            kind->propose(policy, &(struct proposal_request){.parent = &parent, .stream = &stream}, &proposal, NULL);
            const struct outcome outcome = {.parent = &parent, .proposal = &proposal, .accuracy = accuracies[i]};
            kind->observe(policy, &outcome, 1, &update);
            if (released) {
                baseline += 0.95 * (reward - baseline);
                subtracted = baseline;
            } else {
                subtracted = i ? baseline : reward;
                baseline = 0.95 * subtracted + 0.05 * reward;
            }
            assert_true(fabs(update.reward_mean - reward) < 1e-12);
            assert_true(fabs(update.baseline - baseline) < 1e-6);
            assert_true(fabs(update.loss + (reward - subtracted) * proposal.log_probability) <
                        1e-4 * (1 + fabs(update.loss)));
        }
        policy_free(policy);
    }
}

static void test_perfect_accuracy(void **unused)
{
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("reinforce");
    struct arch parent = parsed("C(4,3,1) SM(10)");
    struct random_stream stream = test_stream(10);
    struct proposal proposal;
    struct policy_update update;
    struct policy *policy = policy_new(kind, &options);
    kind->propose(policy, &(struct proposal_request){.parent = &parent, .stream = &stream}, &proposal, NULL);
    const struct outcome outcomes[2] = {{.parent = &parent, .proposal = &proposal, .accuracy = 1},
                                        {.parent = &parent, .proposal = &proposal, .accuracy = 0}};
    kind->observe(policy, outcomes, 2, &update);
    assert_true(update.reward_best > 1000 && isfinite(update.reward_best));
    kind->propose(policy, &(struct proposal_request){.parent = &parent, .stream = &stream}, &proposal, NULL);
    assert_true(isfinite(proposal.log_probability));
    kind->observe(policy, outcomes, 0, &update);
    assert_true(update.gradient_norm == 0 && isfinite(update.baseline));
    policy_free(policy);
}

/* One episode of scripted outcomes. */
static void run_episode(const struct policy_kind *kind, struct policy *policy, const struct arch *start, int episode,
                        struct proposal proposals[10], struct policy_update *update)
{
    struct outcome outcomes[10];
    for (int i = 0; i < 10; i++) {
        struct random_stream stream = test_stream((uint32_t)(100 + episode * 10 + i));
        kind->propose(policy, &(struct proposal_request){.parent = start, .stream = &stream}, &proposals[i], NULL);
        outcomes[i] =
            (struct outcome){.parent = start, .proposal = &proposals[i], .accuracy = 0.4 + 0.01 * proposals[i].count};
    }
    kind->observe(policy, outcomes, 10, update);
}

static void test_state_continues(void **unused)
{
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("reinforce");
    struct arch start;
    struct proposal kept[10], resumed[10];
    struct policy_update kept_update, resumed_update;
    struct error error;
    void *bytes, *again;
    size_t length, again_length;
    space_start(options.space, options.input, 10, &start);
    struct policy *policy = policy_new(kind, &options);
    for (int episode = 0; episode < 3; episode++)
        run_episode(kind, policy, &start, episode, kept, &kept_update);
    kind->save(policy, &bytes, &length);
    options.seed = 1234; /* the state holds all that the seed gave */
    struct policy *other = policy_new(kind, &options);
    if (kind->load(other, bytes, length, &error) != 0)
        fail_msg("%s", error.text);
    kind->save(other, &again, &again_length);
    assert_int_equal(length, again_length);
    assert_memory_equal(bytes, again, length);
    for (int episode = 3; episode < 5; episode++) {
        run_episode(kind, policy, &start, episode, kept, &kept_update);
        run_episode(kind, other, &start, episode, resumed, &resumed_update);
        for (int i = 0; i < 10; i++)
            assert_true(same_proposal(&kept[i], &resumed[i]));
        assert_memory_equal(&kept_update, &resumed_update, sizeof kept_update);
    }
    free(bytes);
    free(again);
    policy_free(policy);
    policy_free(other);
}

/* Its own state with this value, `place` values before the end. */
static void assert_refused_value(struct policy *policy, int place, float value, const char *message)
{
    void *bytes;
    size_t length;
    struct error error;
    policy->kind->save(policy, &bytes, &length);
    memcpy((uint8_t *)bytes + length - 4 * (size_t)place, &value, sizeof value);
    assert_int_equal(policy->kind->load(policy, bytes, length, &error), -1);
    assert_non_null(strstr(error.text, message));
    free(bytes);
}

static void test_bad_state_changes_nothing(void **unused)
{
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("reinforce");
    struct error error;
    void *before, *after, *wrong;
    size_t before_length, after_length, wrong_length;
    struct policy *policy = policy_new(kind, &options);
    options.space = space_find("paper");
    struct policy *paper = policy_new(kind, &options);
    kind->save(policy, &before, &before_length);
    kind->save(paper, &wrong, &wrong_length);
    assert_int_equal(kind->load(policy, wrong, wrong_length, &error), -1); /* another vocabulary */
    assert_true(error.text[0] != 0);
    assert_int_equal(kind->load(policy, before, before_length / 2, &error), -1);
    ((uint8_t *)before)[before_length - 1] = 0x7f; /* the last float32 of the file is then not a number */
    ((uint8_t *)before)[before_length - 2] = 0xff;
    assert_int_equal(kind->load(policy, before, before_length, &error), -1);
    free(before);
    assert_refused_value(policy, 4, -1, "is not a variance"); /* the file ends with a variance, then three numbers */
    assert_refused_value(policy, 3, 3e38f, "is not a count of updates");
    struct policy_options same = default_options();
    struct policy *fresh = policy_new(kind, &same);
    kind->save(fresh, &before, &before_length);
    kind->save(policy, &after, &after_length);
    assert_int_equal(before_length, after_length);
    assert_memory_equal(before, after, before_length);
    free(before);
    free(after);
    free(wrong);
    policy_free(policy);
    policy_free(paper);
    policy_free(fresh);
}

static void test_tokens(void **unused)
{
    const struct space *space = space_find("small");
    struct arch arch = parsed("C(4,1,1) C(4,3,1) C(8,1,1) C(3,1,1) C(39,7,1) C(36,5,2) C(200,3,1) P(2,2) A(2,2) FC(8) "
                              "FC(1) FC(79) FC(500) SM(10)");
    const int expected[] = {0, 1, 3, 0, 26, 26, 28, 40, 41, 30, 30, 38, 39, 42};
    assert_int_equal(token_count(space, false), 43);
    assert_int_equal(arch.layer_count, COUNT_OF(expected));
    for (int i = 0; i < arch.layer_count; i++)
        assert_int_equal(token_of(space, &arch.layers[i]), expected[i]);
}

/* The words of dense networks come behind those of plain ones, which keep their numbers. */
static void test_dense_tokens(void **unused)
{
    const struct space *space = space_find("small");
    struct arch arch = parsed("C(8,3,1) D(4,[4,6,7]) T(0.5) D(4,[48,60]) A(16,16) SM(10)");
    const int expected[] = {4, 44, 45, 45, 43, 66, 66, 41, 42};
    assert_int_equal(token_count(space, true), 67);
    assert_int_equal(arch.layer_count, COUNT_OF(expected));
    for (int i = 0; i < arch.layer_count; i++)
        assert_int_equal(token_of(space, &arch.layers[i]), expected[i]);
}

/* Those of a modern space come behind all others. */
static void test_modern_tokens(void **unused)
{
    const struct space *space = space_find("modern");
    struct arch arch = parsed("C(8,3,1) R(8,3) R(24,5) M(48,7) M(400,1) S(12,3,2) A(2,2) FC(20) SM(10)");
    const int expected[] = {0, 64, 71, 135, 169, 175, 54, 45, 55};
    assert_int_equal(token_count(space, false), 217);
    assert_int_equal(arch.layer_count, COUNT_OF(expected));
    for (int i = 0; i < arch.layer_count; i++)
        assert_int_equal(token_of(space, &arch.layers[i]), expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_dense_tokens),
        cmocka_unit_test(test_modern_tokens),
        cmocka_unit_test(test_modern_stays_within),
        cmocka_unit_test(test_random_stays_within),
        cmocka_unit_test(test_widen_stays_within),
        cmocka_unit_test(test_reinforce_stays_within),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_random_is_uniform),
        cmocka_unit_test(test_manual_proposes_the_given_actions),
        cmocka_unit_test(test_same_seed_same_proposals),
        cmocka_unit_test(test_log_probability_is_recovered),
        cmocka_unit_test(test_empty_decision_is_recovered),
        cmocka_unit_test(test_baselines),
        cmocka_unit_test(test_perfect_accuracy),
        cmocka_unit_test(test_state_continues),
        cmocka_unit_test(test_bad_state_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
