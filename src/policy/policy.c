/* policy.c - the table of policies (to add one: a file, and a row here and in kinds.h), and proposals as paths. */
#include <stdlib.h>
#include <string.h>

#include "policy/kinds.h"
#include "util/bug.h"
#include "util/memory.h"

static const struct policy_kind *const kinds[] = {
    &policy_reinforce,
    &policy_random,
    &policy_widen,
    &policy_random_flops,
    &policy_hillclimb,
    &policy_evolve,
    &policy_manual,
};

const struct policy_kind *policy_at(int index)
{
    return index >= 0 && (size_t)index < COUNT_OF(kinds) ? kinds[index] : NULL;
}

const struct policy_kind *policy_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

struct policy *policy_new(const struct policy_kind *kind, const struct policy_options *options)
{
    struct policy *policy = memory_new(1, sizeof *policy);
    *policy = (struct policy){.kind = kind, .options = *options};
    policy->options.trades = options->trades && kind->trades;
    if (kind->create)
        kind->create(policy);
    return policy;
}

void policy_free(struct policy *policy)
{
    if (policy && policy->kind->destroy)
        policy->kind->destroy(policy);
    free(policy);
}

int proposal_apply(const struct arch *parent, const struct proposal *proposal, struct arch *child, struct error *error)
{
    struct arch current = *parent, next;
    for (int i = 0; i < proposal->count; i++) {
        if (action_apply(&current, &proposal->actions[i].action, &next, error) != 0)
            return error_prefix(error, "action %d of %d", i + 1, proposal->count);
        current = next;
    }
    *child = current;
    return 0;
}

int proposal_add_text(const struct arch *parent, const struct space *space, const char *text, struct proposal *proposal,
                      struct error *error)
{
    struct arch arch, child;
    struct action action;
    int step = proposal->count ? proposal->actions[proposal->count - 1].step + 1 : 0;
    if (proposal->count == PROPOSAL_ACTIONS_MAX || step == PROPOSAL_STEPS_MAX)
        return error_set(error, "%s: a network takes at most %d decisions; grow this one first, then go on from it",
                         text, PROPOSAL_STEPS_MAX);
    if (proposal_apply(parent, proposal, &arch, error) != 0 || action_parse(&arch, text, &action, error) != 0 ||
        space_complete(space, &arch, &action, error) != 0 || action_apply(&arch, &action, &child, error) != 0)
        return -1;
    proposal->actions[proposal->count++] = (struct proposed_action){.action = action, .step = step, .probability = 1};
    return 0;
}
