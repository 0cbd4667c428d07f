/*
 * manual.h - the networks of --actions: "widen:conv1 deepen:conv2:3; widen:fc1" are two, with a `;` between them.  Pure.
 */
#ifndef ESPALIER_POLICY_MANUAL_H
#define ESPALIER_POLICY_MANUAL_H

#include <stdint.h>

#include "util/error.h"

/* 0 when every word begins like an action.  Whether an action can be applied depends on its parent. */
int manual_check(const char *list, struct error *error);
/* The number of networks. */
int64_t manual_count(const char *list);
#endif
