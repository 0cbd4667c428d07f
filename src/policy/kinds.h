/*
 * kinds.h - the rows of policy_find's table: one policy a file.  `struct policy` is each file's own.
 */
#ifndef ESPALIER_POLICY_KINDS_H
#define ESPALIER_POLICY_KINDS_H

#include "policy/policy.h"

extern const struct policy_kind policy_reinforce, policy_random, policy_manual;

#endif
