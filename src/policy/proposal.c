/* proposal.c - a proposal as a path from parent to child. */
#include "policy/policy.h"

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
