/*
 * arena.h - where each piece of a network's memory lies: one arena, planned from the shapes.
 *
 * A pure function of backend, plan and batch, but for arena_new().
 */
#ifndef ESPALIER_NN_ARENA_H
#define ESPALIER_NN_ARENA_H

#include "nn/backend.h"

#define ARENA_NONE SIZE_MAX

/* Offsets in bytes. */
struct arena {
    size_t bytes;                                                         /* of the whole */
    size_t buffers[PLAN_TENSORS_MAX], buffer_gradients[PLAN_TENSORS_MAX]; /* ARENA_NONE: has none */
    size_t saved[PLAN_OPS_MAX];
    size_t scratch, addend, gradients, velocity, logits, labels;
};

struct arena arena_plan(const struct backend *backend, const struct plan *plan, int batch, bool training);
/* Bytes of scratch memory for any operation of the plan, for so many members of a team. */
size_t arena_scratch(const struct backend *backend, const struct plan *plan, int batch, int members);
/* Memory that starts on a 64-byte line; free() it.  NULL when it can't be had.  In huge pages where the system has
   them: a step walks all of it, and the tables of 4 KiB pages cost 3 to 6 % of a step of all but the smallest networks.
 */
char *arena_new(size_t bytes);

#endif
