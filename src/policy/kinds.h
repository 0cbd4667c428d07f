/* kinds.h - the rows of policy_find's table.  A file has one policy, or several of one family. */
#ifndef ESPALIER_POLICY_KINDS_H
#define ESPALIER_POLICY_KINDS_H

#include "policy/policy.h"

extern const struct policy_kind policy_reinforce, policy_random, policy_widen, policy_random_flops, policy_hillclimb,
    policy_evolve, policy_manual;

#endif
