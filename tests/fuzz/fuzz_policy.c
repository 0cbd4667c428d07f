/*
 * fuzz_policy.c - the controller's state with any bytes in it: what is accepted is saved as it was read, proposes, and
 * learns.
 *
 * A state is a megabyte, so an input says what is different: bytes for its beginning, where the header is, up to the
 * first newline; then groups of 8 bytes, a place among the values and a value.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "util/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const struct policy_options options = {.input = {3, 32, 32},
                                              .wider_decisions = 2,
                                              .deeper_decisions = 2,
                                              .rate = 2e-3,
                                              .entropy_bonus = 1e-5,
                                              .baseline_decay = 0.95,
                                              .seed = 17};

static void check(struct policy *policy, const struct arch *parent)
{
    void *saved, *again;
    size_t saved_length, again_length;
    struct proposal proposal = {0};
    struct error error = {""};
    struct policy_update update;
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    policy->kind->save(policy, &saved, &saved_length);
    ASSERT(!policy->kind->load(policy, saved, saved_length, &error));
    policy->kind->save(policy, &again, &again_length);
    ASSERT(saved_length == again_length && !memcmp(saved, again, saved_length));
    free(saved);
    free(again);
    struct proposal_request request = {.parent = parent, .proposal = 1, .network = 1, .stream = &stream};
    if (policy->kind->propose(policy, &request, &proposal, &error)) {
        ASSERT(error.text[0]);
        return;
    }
    struct arch child;
    ASSERT(!proposal_apply(parent, &proposal, &child, &error));
    const struct outcome outcome = {.parent = parent, .proposal = &proposal, .accuracy = 0.5};
    policy->kind->observe(policy, &outcome, 1, &update);
}

static void change(const uint8_t *bytes, size_t length, uint8_t *state, size_t state_length)
{
    const uint8_t *end = length ? memchr(bytes, '\n', length) : NULL;
    size_t head = end ? (size_t)(end - bytes) : length;
    memcpy(state, bytes, head < state_length ? head : state_length);
    for (const uint8_t *at = bytes + head + 1; end && at + 8 <= bytes + length; at += 8) {
        uint32_t place;
        memcpy(&place, at, sizeof place);
        memcpy(state + state_length - 4 * (1 + place % (state_length / 8)), at + 4, 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arch parent;
    struct error error = {""};
    struct policy_options with = options;
    with.space = space_find("small");
    ASSERT(!arch_parse(&parent, "C(8,3,1) P(2,2) C(8,3,1) A(16,16) FC(32) SM(10)", &error));
    struct policy *policy = policy_new(policy_find("reinforce"), &with);
    void *state;
    size_t state_length;
    policy->kind->save(policy, &state, &state_length);
    change(bytes, length, state, state_length);
    if (policy->kind->load(policy, state, state_length, &error))
        ASSERT(error.text[0]);
    else
        check(policy, &parent);
    free(state);
    policy_free(policy);
    return 0;
}
