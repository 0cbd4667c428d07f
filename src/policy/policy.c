/*
 * policy.c - the table of policies.  To add one: a file, and a row here and in kinds.h.
 */
#include <string.h>

#include "policy/kinds.h"
#include "util/bug.h"

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
