/* policy.c - the table of policies.  To add one: a file, and a row here and in kinds.h. */
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
