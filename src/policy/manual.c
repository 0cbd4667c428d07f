/*
 * manual.c - the person decides: this policy proposes nothing by itself.  The engine fills a proposal with the
 * actions that the person asked for (proposal_add_text), which then takes the path of any other.
 */
#include "policy/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

struct policy {
    int unused; /* C has no empty structs */
};

static struct policy *create(const struct policy_options *options)
{
    return memory_new(1, sizeof(struct policy));
}

static void destroy(struct policy *policy)
{
    free(policy);
}

static void propose(struct policy *policy, const struct arch *parent, struct random_stream *stream,
                    struct proposal *proposal)
{
    memset(proposal, 0, sizeof *proposal);
}

const struct policy_kind policy_manual = {
    .name = "manual",
    .summary = "only the actions that a person gives",
    .create = create,
    .destroy = destroy,
    .propose = propose,
};
