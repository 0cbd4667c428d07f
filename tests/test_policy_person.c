/*
 * test_policy_person.c - what others did, or it did once, to a policy that learns: a person's networks are left out, or
 * scored as decisions of its own; the best so far are imitated.
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
#include "policy/parameters.h"

static struct arch parsed(const char *text)
{
    struct arch arch;
    struct error error;
    if (arch_parse(&arch, text, &error) != 0)
        fail_msg("%s", error.text);
    return arch;
}

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

/* What a person did is not what this policy sampled: it neither learns from it nor moves its baseline. */
static void test_person_is_left_out(void **unused)
{
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("reinforce");
    struct arch parent = parsed("C(4,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)");
    struct random_stream stream = test_stream(8);
    struct proposal proposals[2] = {0};
    struct error error;
    assert_int_equal(proposal_add_text(&parent, options.space, "widen:conv1:40", &proposals[1], &error), 0);
    for (int with = 0; with < 2; with++) {
        static void *bytes[2];
        size_t lengths[2];
        struct policy_update update;
        struct policy *policy = policy_new(kind, &options);
        if (!with)
            kind->propose(policy, &(struct proposal_request){.parent = &parent, .stream = &stream}, &proposals[0], NULL);
        const struct outcome outcomes[2] = {{.parent = &parent, .proposal = &proposals[0], .accuracy = 0.6},
                                            {.parent = &parent, .proposal = &proposals[1], .accuracy = 0.95}};
        kind->observe(policy, outcomes, 1 + with, &update);
        assert_true(fabs(update.reward_best - tan(0.6 * acos(0))) < 1e-12);
        kind->save(policy, &bytes[with], &lengths[with]);
        policy_free(policy);
        if (with) {
            assert_int_equal(lengths[0], lengths[1]);
            assert_memory_equal(bytes[0], bytes[1], lengths[0]);
            free(bytes[0]);
            free(bytes[1]);
        }
    }
}

/* --- a person's networks as decisions --- */

static int decide(const struct policy_options *options, const struct arch *parent, const char *const *actions,
                  struct decision decisions[DECISIONS_OF_PERSON_MAX])
{
    struct proposal proposal = {0};
    struct error error;
    for (; *actions; actions++)
        if (proposal_add_text(parent, options->space, *actions, &proposal, &error))
            fail_msg("%s", error.text);
    return decisions_of_person(options, parent, &proposal, decisions);
}

static void test_person_decides(void **unused)
{
    struct policy_options options = default_options();
    struct arch parent = parsed("C(4,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)");
    static struct decision decisions[DECISIONS_OF_PERSON_MAX];
    assert_int_equal(decide(&options, &parent, (const char *[]){"widen:conv2:16", "deepen:conv2:5", NULL}, decisions),
                     3);
    for (int i = 0; i < 2; i++) {
        assert_false(decisions[i].deeper);
        for (int layer = 0; layer < parent.layer_count; layer++) {
            assert_int_equal(decisions[i].offered[layer], layer == 0 || layer == 2 || layer == 4);
            assert_int_equal(decisions[i].chosen[layer], layer == 2);
        }
    }
    assert_int_equal(decisions[0].arch.layers[2].units, 8);
    assert_int_equal(decisions[1].arch.layers[2].units, 12);
    assert_true(decisions[2].deeper && decisions[2].level_count == 3);
    assert_int_equal(decisions[2].arch.layers[2].units, 16);
    assert_int_equal(decisions[2].levels[LEVEL_BLOCK].choice, 1);
    assert_int_equal(decisions[2].levels[LEVEL_KERNEL].choice, 2);
    /* What the space doesn't have, and what its limits forbid. */
    assert_int_equal(decide(&options, &parent, (const char *[]){"widen:conv1:6", NULL}, decisions), 0);
    assert_int_equal(decide(&options, &parent, (const char *[]){"widen:conv1:80", NULL}, decisions), 0);
    assert_int_equal(decide(&options, &parent, (const char *[]){"deepen:conv1:7", NULL}, decisions), 0);
    options.limits.parameters = arch_cost(&parent, options.input).parameters;
    assert_int_equal(decide(&options, &parent, (const char *[]){"widen:conv1:8", NULL}, decisions), 0);
}

/* The log-probability that the policy's controller gives these decisions: read from what it saves. */
static double score_of(const struct policy_kind *kind, const struct policy *policy,
                       const struct policy_options *options, const struct decision *decisions, int count)
{
    struct controller *controller = controller_new(options->space, false, 1);
    double numbers[2], sum = 0;
    void *bytes;
    size_t length;
    struct error error;
    kind->save(policy, &bytes, &length);
    assert_int_equal(parameters_decode(&controller->parameters, numbers, 2, bytes, length, &error), 0);
    for (int i = 0; i < count; i++)
        sum += controller_score(controller, &decisions[i]).log_probability;
    free(bytes);
    controller_free(controller);
    return sum;
}

/* What a person did becomes more likely when it was better than the policy's own, less when it was worse, and the
   baseline stays the policy's own. */
static void test_person_is_learned_from(void **unused)
{
    static const double accuracies[] = {0.9, 0.3};
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("reinforce");
    struct arch parent = parsed("C(4,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)");
    static struct decision decisions[DECISIONS_OF_PERSON_MAX];
    struct error error;
    struct proposal proposals[3] = {0};
    proposal_add_text(&parent, options.space, "widen:conv2:16", &proposals[1], &error);
    proposal_add_text(&parent, options.space, "deepen:fc1", &proposals[1], &error);
    proposal_add_text(&parent, options.space, "widen:conv1:6", &proposals[2], &error); /* between two widths */
    int count = decisions_of_person(&options, &parent, &proposals[1], decisions);
    assert_int_equal(count, 3);
    for (int i = 0; i < 2; i++) {
        struct random_stream stream = test_stream(21);
        struct policy_update with, without;
        struct policy *policy = policy_new(kind, &options), *other = policy_new(kind, &options);
        kind->propose(policy, &(struct proposal_request){.parent = &parent, .stream = &stream}, &proposals[0], NULL);
        const struct outcome outcomes[] = {
            {.parent = &parent, .proposal = &proposals[1], .accuracy = accuracies[i], .role = OUTCOME_BY_PERSON},
            {.parent = &parent, .proposal = &proposals[0], .accuracy = 0.6},
            {.parent = &parent, .proposal = &proposals[2], .accuracy = 0.99, .role = OUTCOME_BY_PERSON}};
        double before = score_of(kind, policy, &options, decisions, count);
        kind->observe(policy, outcomes, 3, &with);
        kind->observe(other, outcomes + 1, 1, &without);
        double after = score_of(kind, policy, &options, decisions, count);
        assert_true(i ? after < before : after > before);
        assert_true(with.baseline == without.baseline && with.reward_mean == without.reward_mean);
        assert_true(with.gradient_norm > without.gradient_norm);
        policy_free(policy);
        policy_free(other);
    }
    /* Alone it has nothing to be held against. */
    struct policy_update update;
    struct policy *policy = policy_new(kind, &options);
    const struct outcome alone = {
        .parent = &parent, .proposal = &proposals[1], .accuracy = 0.9, .role = OUTCOME_BY_PERSON};
    double before = score_of(kind, policy, &options, decisions, count);
    kind->observe(policy, &alone, 1, &update);
    assert_true(score_of(kind, policy, &options, decisions, count) == before && update.baseline == 0);
    policy_free(policy);
}

/* --- imitation --- */

/* What is to be imitated becomes more likely whatever its reward, moves no baseline, and adds -weight * mean log P to
   the loss. */
static void test_best_are_imitated(void **unused)
{
    struct policy_options options = default_options();
    const struct policy_kind *kind = policy_find("reinforce");
    struct arch parent = parsed("C(4,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)");
    static struct decision decisions[2][PROPOSAL_STEPS_MAX];
    struct proposal proposals[3] = {0};
    double before = 0, after = 0;
    options.imitate_weight = 0.3;
    struct policy *policy = policy_new(kind, &options), *other = policy_new(kind, &options);
    for (int i = 0; i < 3; i++) {
        struct random_stream stream = test_stream(31 + (uint32_t)i);
        kind->propose(policy, &(struct proposal_request){.parent = &parent, .stream = &stream}, &proposals[i], NULL);
    }
    const struct outcome outcomes[] = {
        {.parent = &parent, .proposal = &proposals[0], .accuracy = 0.01, .role = OUTCOME_TO_IMITATE},
        {.parent = &parent, .proposal = &proposals[1], .accuracy = 0.02, .role = OUTCOME_TO_IMITATE},
        {.parent = &parent, .proposal = &proposals[2], .accuracy = 0.6}};
    for (int i = 0; i < 2; i++) {
        assert_true(decisions_recover(&options, &parent, &proposals[i], decisions[i]));
        before += score_of(kind, policy, &options, decisions[i], 9) / 2;
    }
    struct policy_update with, without, alone;
    kind->observe(policy, outcomes, 3, &with);
    kind->observe(other, outcomes + 2, 1, &without);
    for (int i = 0; i < 2; i++)
        after += score_of(kind, policy, &options, decisions[i], 9) / 2;
    assert_true(after > before);
    assert_true(with.baseline == without.baseline && with.reward_mean == without.reward_mean &&
                with.entropy == without.entropy);
    assert_true(fabs(with.loss - without.loss + 0.3 * before) < 1e-9);

    /* Alone it teaches nothing: an update is made for a batch. */
    before = score_of(kind, policy, &options, decisions[0], 9);
    kind->observe(policy, outcomes, 2, &alone);
    assert_true(score_of(kind, policy, &options, decisions[0], 9) == before);
    policy_free(policy);
    policy_free(other);
}

static void test_persons_actions(void **unused)
{
    const struct space *space = space_find("small");
    struct arch start = parsed("C(4,3,1) P(2,2) C(8,3,1) A(2,2) FC(8) SM(10)"), child;
    struct proposal proposal = {0};
    struct error error;
    assert_int_equal(proposal_add_text(&start, space, "widen:conv1", &proposal, &error), 0);
    assert_int_equal(proposal_add_text(&start, space, "deepen:conv2:5", &proposal, &error), 0);
    assert_int_equal(proposal_add_text(&start, space, "widen:conv3:17", &proposal, &error), 0); /* the new one */
    assert_int_equal(proposal_add_text(&start, space, "widen:conv4", &proposal, &error), -1);
    assert_int_equal(proposal_add_text(&start, space, "widen:conv3:9", &proposal, &error), -1);
    assert_int_equal(proposal.count, 3);
    assert_int_equal(proposal.actions[2].step, 2);
    assert_float_equal(proposal.actions[2].probability, 1, 0);
    assert_int_equal(proposal_apply(&start, &proposal, &child, &error), 0);
    struct arch expected = parsed("C(8,3,1) P(2,2) C(8,3,1) C(17,5,1) A(2,2) FC(8) SM(10)");
    assert_true(arch_equal(&child, &expected));

    while (proposal.count < PROPOSAL_STEPS_MAX)
        assert_int_equal(proposal_add_text(&start, space, "deepen:fc1", &proposal, &error), 0);
    assert_int_equal(proposal_add_text(&start, space, "deepen:fc1", &proposal, &error), -1);
    assert_non_null(strstr(error.text, "at most"));

    proposal.actions[1].action.layer = 1; /* the pool */
    assert_int_equal(proposal_apply(&start, &proposal, &child, &error), -1);
    assert_non_null(strstr(error.text, "action 2 of 32"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_persons_actions),
        cmocka_unit_test(test_person_is_left_out),
        cmocka_unit_test(test_person_decides),
        cmocka_unit_test(test_person_is_learned_from),
        cmocka_unit_test(test_best_are_imitated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
