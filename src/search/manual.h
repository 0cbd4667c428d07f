/*
 * manual.h - the networks of --actions: "widen:conv1 deepen:conv2:3; widen:fc1" are two, with a `;` between them.
 */
#ifndef ESPALIER_SEARCH_MANUAL_H
#define ESPALIER_SEARCH_MANUAL_H

#include "policy/policy.h"

/* Is every word the beginning of an action?  Whether it can be applied, only its parent shows. */
int manual_check(const char *list, struct error *error);
/* How many networks. */
int64_t manual_count(const char *list);
/* The proposal of network `number`, from 1 to manual_count(), on `parent`. */
int manual_propose(const char *list, int64_t number, const struct arch *parent, const struct space *space,
                   struct proposal *proposal, struct error *error);

#endif
