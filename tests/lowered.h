/*
 * lowered.h - the networks of test_plan and test_network, and their plans.
 */
#ifndef ESPALIER_TESTS_LOWERED_H
#define ESPALIER_TESTS_LOWERED_H

#include <stdlib.h>
#include <string.h>

#include "nn/plan.h"
#include "util/memory.h"

/* Every kind of operation, joined pools and others, borders 0, 1 and 2. */
static const char every_kind[] = "P(2,1) C(5,3,1) P(2,2) C(6,5,1) A(2,1) P(2,1) C(4,1,2) FC(9) FC(8) SM(5)";
/* Blocks with and without bottleneck, behind a pool and a transition, before every kind of pool. */
static const char dense[] = "C(5,3,1) P(2,1) D(2,[3,4]) D(0,[2]) T(0.5) D(1,[4,3]) P(2,1) C(4,3,1) D(0,[3]) P(2,1) "
                            "D(2,[2]) A(2,2) FC(9) SM(5)";
/* Blocks behind a convolution, a pool, a separable convolution with a stride, a block; C, P, FC and S behind blocks. */
static const char modern[] =
    "C(5,3,1) M(9,5) R(4,3) P(2,1) M(7,3) S(6,3,2) R(5,5) C(4,1,1) R(3,1) S(7,5,1) P(2,2) FC(9) "
    "SM(5)";
static const char gated[] =
    "C(5,3,1) M(9,5,se) R(8,3,se,hs) P(2,1) M(7,3,hs) S(6,3,2,se,hs) M(16,3,se,hs) S(7,5,1,hs) A(2,2) FC(9) "
    "SM(5)";
/* `+`: a shortcut around the second and third operation. */
static const char residual[] = "+ C(6,3,1) C(7,5,1) C(6,3,1) C(4,1,2) FC(9) SM(5)";
static const struct shape input = {3, 12, 11};
static const struct plan_options dropping = {.drop_pool = 0.2f, .drop_fc = 0.3f, .drop_dense = 0.25f};
enum { CLASSES = 5, IMAGES = 50, BATCH = 20 };

/* What reads the output of operation 2 gets the sum of that and of operation 0's. */
static inline void add_shortcut(struct plan *plan)
{
    int from = plan->ops[0].output, to = plan->ops[2].output, sum = plan->tensor_count++;
    plan->tensors[sum] = plan->tensors[to];
    plan->tensors[sum].buffer = sum;
    memmove(&plan->ops[4], &plan->ops[3], (size_t)(plan->op_count++ - 3) * sizeof *plan->ops);
    plan->ops[3] = (struct op){.kind = OP_ADD, .layer = 2, .inputs = {to, from}, .output = sum};
    plan->ops[4].inputs[0] = sum;
    plan_complete(plan);
}

static inline int parse(struct arch *arch, const char *text, struct error *error)
{
    return arch_parse(arch, text[0] == '+' ? text + 2 : text, error);
}

static inline struct plan *lower(const char *text, struct shape shape, const struct plan_options *options)
{
    struct arch arch;
    struct error error;
    struct plan *plan = memory_new(1, sizeof *plan);
    if (parse(&arch, text, &error))
        fail_msg("%s", error.text);
    plan_lower(&arch, shape, options, plan);
    if (text[0] == '+')
        add_shortcut(plan);
    return plan;
}

#endif
