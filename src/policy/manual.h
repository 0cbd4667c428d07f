/*
 * manual.h - the networks of --actions: "widen:conv1 deepen:conv2:3; widen:fc1" are two, with a `;` between them.  Pure.
 */
#ifndef ESPALIER_POLICY_MANUAL_H
#define ESPALIER_POLICY_MANUAL_H

#include <stdint.h>

#include "util/error.h"

/* Is every word the beginning of an action?  Whether it can be applied, only its parent shows. */
int manual_check(const char *list, struct error *error);
/* How many networks. */
int64_t manual_count(const char *list);
#endif
