/*
 * arena.c - where each piece of a network's memory lies.
 *
 *   training:  all buffers | saved of every op | slots of gradients | scratch | addend | gradient | velocity | …
 *   inference: slots of buffers                |                      scratch |                                …
 *
 * Buffers in inference, and the gradients of buffers in training, are needed for part of a walk only, and share slots.
 * A buffer holds a slot from the operation that first writes it to the last one that touches it; a slot is as large as
 * the largest buffer that it ever holds.  A chain of layers needs two slots.  Scratch is as large as the largest need.
 * An operation that can't add to an input gradient writes the addend, and OP_ADD adds it.  Each piece starts on a
 * 64-byte line.
 */
#include "nn/arena.h"

#include <stdlib.h>
#include <sys/mman.h>

static size_t reserve(struct arena *arena, size_t bytes)
{
    size_t at = arena->bytes;
    arena->bytes += (bytes + 63) / 64 * 64;
    return at;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* When a buffer is needed: the first and last step of a walk that touch it; 0, 0: none does. */
struct lifetime {
    int first, last;
};

static void touch(struct lifetime *lifetime, int step)
{
    lifetime->first = lifetime->first && lifetime->first < step ? lifetime->first : step;
    lifetime->last = lifetime->last > step ? lifetime->last : step;
}

/* Finds when each buffer is used in a walk forward: step 1 is loading, step i + 2 operation i. */
static void forward_lifetimes(const struct plan *plan, struct lifetime *lifetimes)
{
    touch(&lifetimes[plan->tensors[0].buffer], 1);
    for (int i = 0; i < plan->op_count; i++) {
        const struct op *op = &plan->ops[i];
        for (int k = 0; k < op_input_count(op); k++)
            touch(&lifetimes[plan->tensors[op->inputs[k]].buffer], i + 2);
        touch(&lifetimes[plan->tensors[op->output].buffer], i + 2);
    }
}

/* Finds when each buffer's gradient is used in a walk backward: the last operation is step 1.  A gradient that no
   operation writes isn't read. */
static void backward_lifetimes(const struct plan *plan, struct lifetime *lifetimes)
{
    for (int i = plan->op_count - 1; i >= 0; i--) {
        const struct op *op = &plan->ops[i];
        struct lifetime *output = &lifetimes[plan->tensors[op->output].buffer];
        if (output->first)
            touch(output, plan->op_count - i);
        for (int k = 0; k < op_input_count(op); k++)
            if (op->needs_input_gradient[k])
                touch(&lifetimes[plan->tensors[op->inputs[k]].buffer], plan->op_count - i);
    }
}

struct slot {
    size_t bytes;
    int free_after; /* step */
};

/* The free slot that must grow least for `bytes`, or a new one. */
static int find_slot(const struct slot *slots, int count, int step, size_t bytes)
{
    int found = count;
    size_t least = SIZE_MAX;
    for (int s = 0; s < count; s++) {
        size_t growth = slots[s].bytes < bytes ? bytes - slots[s].bytes : 0;
        if (slots[s].free_after < step && growth < least) {
            found = s;
            least = growth;
        }
    }
    return found;
}

/* Place what lives as `lifetimes` say; offsets by buffer. */
static void reserve_slots(struct arena *arena, const struct backend *backend, const struct plan *plan, int batch,
                          const struct lifetime *lifetimes, int steps, size_t *offsets)
{
    struct slot slots[PLAN_TENSORS_MAX];
    int slot_of[PLAN_TENSORS_MAX], count = 0;
    for (int step = 1; step <= steps; step++)
        for (int t = 0; t < plan->tensor_count; t++) {
            if (lifetimes[t].first != step)
                continue;
            size_t bytes = backend->tensor_bytes(&plan->tensors[t], batch);
            int slot = slot_of[t] = find_slot(slots, count, step, bytes);
            if (slot == count)
                slots[count++] = (struct slot){0};
            slots[slot] = (struct slot){larger(slots[slot].bytes, bytes), lifetimes[t].last};
        }
    size_t places[PLAN_TENSORS_MAX];
    for (int slot = 0; slot < count; slot++)
        places[slot] = reserve(arena, slots[slot].bytes);
    for (int t = 0; t < plan->tensor_count; t++)
        offsets[t] = lifetimes[t].first ? places[slot_of[t]] : ARENA_NONE;
}

size_t arena_scratch(const struct backend *backend, const struct plan *plan, int batch, int members)
{
    size_t bytes = 0;
    for (int i = 0; i < plan->op_count; i++)
        bytes = larger(bytes, backend->scratch_bytes(backend, plan, &plan->ops[i], batch, members));
    return bytes;
}

struct arena arena_plan(const struct backend *backend, const struct plan *plan, int batch, bool training)
{
    struct arena arena = {0};
    struct lifetime lifetimes[PLAN_TENSORS_MAX] = {{0}}, gradient_lifetimes[PLAN_TENSORS_MAX] = {{0}};
    size_t addend = 0;
    forward_lifetimes(plan, lifetimes);
    for (int t = 0; t < plan->tensor_count && training; t++)
        arena.buffers[t] =
            lifetimes[t].first ? reserve(&arena, backend->tensor_bytes(&plan->tensors[t], batch)) : ARENA_NONE;
    for (int i = 0; i < plan->op_count; i++) {
        if (training)
            arena.saved[i] = reserve(&arena, backend->saved_bytes(plan, &plan->ops[i], batch));
        if (training && plan->ops[i].sums_input_gradient)
            addend = larger(addend, backend->tensor_bytes(&plan->tensors[plan->ops[i].inputs[0]], batch));
    }
    if (training) {
        backward_lifetimes(plan, gradient_lifetimes);
        reserve_slots(&arena, backend, plan, batch, gradient_lifetimes, plan->op_count, arena.buffer_gradients);
    } else {
        reserve_slots(&arena, backend, plan, batch, lifetimes, plan->op_count + 1, arena.buffers);
    }
    arena.scratch = reserve(&arena, arena_scratch(backend, plan, batch, 1));
    arena.addend = reserve(&arena, addend);
    if (training && !backend->device) {
        arena.gradients = reserve(&arena, (size_t)plan->trained * sizeof(float));
        arena.velocity = reserve(&arena, (size_t)plan->trained * sizeof(float));
    }
    arena.logits = reserve(&arena, (size_t)batch * plan->classes * sizeof(float));
    arena.labels = reserve(&arena, (size_t)batch * sizeof(uint16_t));
    return arena;
}

char *arena_new(size_t bytes)
{
    enum { HUGE_PAGE = 2 << 20 };
    if (bytes < HUGE_PAGE)
        return aligned_alloc(64, bytes);
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    char *memory = aligned_alloc(HUGE_PAGE, bytes);
#ifdef MADV_HUGEPAGE
    if (memory)
        madvise(memory, bytes, MADV_HUGEPAGE); /* advice: without huge pages a step only takes longer */
#endif
    return memory;
}
