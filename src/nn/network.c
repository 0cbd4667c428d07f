/*
 * network.c - a plan with its memory, and the walks over it.
 *
 * One arena holds everything, planned once from the shapes:
 *
 *   training:  tensor 0 … tensor n | saved of every op | 2 tensor gradients | scratch | gradient | velocity | …
 *   inference: 2 tensors                               |                      scratch |                       …
 *
 * The plan is a chain, so what lives for one step only (tensors in inference, tensor gradients in training) is
 * two buffers: tensor t lies in buffer t % 2, each as large as its largest.  Scratch is as large as the largest
 * need.  Each piece starts on a 64-byte line.  Only the velocity starts as zero: a backend writes the whole of
 * what it is asked for, borders included, before anyone reads it.
 *
 * The arena and the runs are the network's; the weights are borrowed.  `runs[i]` is made once with every pointer
 * in place; a walk sets only what differs between batches.
 */
#include "nn/network.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

struct network {
    const struct backend *backend;
    struct plan plan;
    int batch;
    enum network_mode mode;
    struct weights *weights;
    char *arena;
    struct op_run *runs;
    float *gradients, *velocity;
    uint16_t *labels;
    struct step_result result;
};

/* Offsets into the arena. */
struct arena {
    size_t bytes;
    size_t tensors[PLAN_OPS_MAX + 1];
    size_t tensor_gradients[2];
    size_t saved[PLAN_OPS_MAX];
    size_t scratch, gradients, velocity, logits, labels;
};

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

static struct arena arena_plan(const struct backend *backend, const struct plan *plan, int batch,
                               enum network_mode mode)
{
    struct arena arena = {0};
    bool training = mode == NETWORK_TRAINING;
    size_t alternating[2] = {0}, scratch = 0;
    for (int t = 0; t <= plan->op_count; t++) {
        size_t bytes = backend->tensor_bytes(&plan->tensors[t], batch);
        bool has_gradient = t < plan->op_count && plan->ops[t].needs_input_gradient;
        if (has_gradient || !training)
            alternating[t % 2] = larger(alternating[t % 2], bytes);
        if (training)
            arena.tensors[t] = reserve(&arena, bytes);
    }
    for (int i = 0; i < plan->op_count; i++) {
        scratch = larger(scratch, backend->scratch_bytes(plan, &plan->ops[i], batch));
        if (training)
            arena.saved[i] = reserve(&arena, backend->saved_bytes(plan, &plan->ops[i], batch));
    }
    size_t pair[2] = {reserve(&arena, alternating[0]), reserve(&arena, alternating[1])};
    if (training)
        memcpy(arena.tensor_gradients, pair, sizeof pair);
    else
        for (int t = 0; t <= plan->op_count; t++)
            arena.tensors[t] = pair[t % 2];
    arena.scratch = reserve(&arena, scratch);
    if (training) {
        arena.gradients = reserve(&arena, (size_t)plan->trained * sizeof(float));
        arena.velocity = reserve(&arena, (size_t)plan->trained * sizeof(float));
    }
    arena.logits = reserve(&arena, (size_t)batch * plan->classes * sizeof(float));
    arena.labels = reserve(&arena, (size_t)batch * sizeof(uint16_t));
    return arena;
}

int64_t network_bytes(const struct backend *backend, const struct plan *plan, int batch, enum network_mode mode)
{
    return (int64_t)arena_plan(backend, plan, batch, mode).bytes;
}

static void bind(struct network *network, const struct arena *arena)
{
    char *base = network->arena;
    bool training = network->mode == NETWORK_TRAINING;
    for (int i = 0; i < network->plan.op_count; i++) {
        const struct op *op = &network->plan.ops[i];
        network->runs[i] = (struct op_run){
            .plan = &network->plan,
            .op = op,
            .values = network->weights->values,
            .gradients = network->gradients,
            .x = base + arena->tensors[op->input],
            .y = base + arena->tensors[op->output],
            .dy = training ? base + arena->tensor_gradients[op->output % 2] : NULL,
            .dx = training && op->needs_input_gradient ? base + arena->tensor_gradients[op->input % 2] : NULL,
            .saved = training ? base + arena->saved[i] : NULL,
            .scratch = base + arena->scratch,
            .labels = network->labels,
            .logits = (float *)(base + arena->logits),
            .loss = &network->result.loss,
            .correct = &network->result.correct,
        };
    }
}

/* NULL when it can't be had.  In huge pages where the system has them: a step walks all of it, and the tables of 4 KiB
   pages cost 3 to 6 % of a step of all but the smallest networks. */
static char *arena_new(size_t bytes)
{
    enum { HUGE_PAGE = 2 << 20 };
    if (bytes < HUGE_PAGE)
        return aligned_alloc(64, bytes);
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    char *memory = aligned_alloc(HUGE_PAGE, bytes);
#ifdef MADV_HUGEPAGE
    if (memory)
        madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: what fails costs only time */
#endif
    return memory;
}

struct network *network_new(const struct backend *backend, const struct plan *plan, int batch, enum network_mode mode,
                            struct weights *weights, struct error *error)
{
    ASSERT(batch > 0 && plan->op_count > 0 && plan->total == weights->layout.total);
    struct arena arena = arena_plan(backend, plan, batch, mode);
    char *memory = arena_new(arena.bytes);
    if (!memory) {
        char size[TEXT_SHORT];
        error_set(error,
                  "a network for batches of %d images needs %s, which this machine can't give; "
                  "use a smaller batch or a limit on parameters or memory",
                  batch, text_bytes(size, (double)arena.bytes));
        return NULL;
    }
    struct network *network = memory_new(1, sizeof *network);
    *network = (struct network){.backend = backend, .plan = *plan, .batch = batch, .mode = mode, .weights = weights};
    network->arena = memory;
    network->runs = memory_new((size_t)plan->op_count, sizeof *network->runs);
    network->labels = (uint16_t *)(memory + arena.labels);
    if (mode == NETWORK_TRAINING) {
        network->gradients = (float *)(memory + arena.gradients);
        network->velocity = (float *)(memory + arena.velocity);
        memset(network->velocity, 0, (size_t)plan->trained * sizeof(float));
    }
    bind(network, &arena);
    return network;
}

void network_free(struct network *network)
{
    if (!network)
        return;
    free(network->runs);
    free(network->arena);
    free(network);
}

int network_batch(const struct network *network)
{
    return network->batch;
}

static void load(struct network *network, const struct batch *batch)
{
    ASSERT(batch->count > 0 && batch->count <= network->batch);
    network->backend->load(&network->plan.tensors[0], batch, (void *)network->runs[0].x);
    for (int i = 0; i < batch->count; i++) {
        network->labels[i] = batch->view->images->labels[batch->index[i]];
        ASSERT(network->plan.classes == 0 || network->labels[i] < network->plan.classes);
    }
    network->result = (struct step_result){0};
    for (int i = 0; i < network->plan.op_count; i++)
        network->runs[i].count = batch->count;
}

static void forward(struct network *network, int op, bool training, float bn_decay)
{
    struct op_run *run = &network->runs[op];
    run->training = training;
    run->bn_decay = bn_decay;
    network->backend->forward[run->op->kind](run);
}

/* Dropout operations of one step must not share a mask. */
static void set_dropout_keys(struct network *network, uint64_t key)
{
    for (int i = 0; i < network->plan.op_count; i++)
        network->runs[i].dropout_key = key + (uint64_t)i * 0x9e3779b97f4a7c15u;
}

static void forward_and_backward(struct network *network, const struct batch *batch, float bn_decay,
                                 uint64_t dropout_key)
{
    ASSERT(network->mode == NETWORK_TRAINING && network->plan.classes > 0);
    load(network, batch);
    set_dropout_keys(network, dropout_key);
    for (int i = 0; i < network->plan.op_count; i++)
        forward(network, i, true, bn_decay);
    /* The first operation that is trained needs no input gradient, and nothing before it any at all. */
    int i = network->plan.op_count;
    do {
        i--;
        network->backend->backward[network->plan.ops[i].kind](&network->runs[i]);
    } while (network->plan.ops[i].needs_input_gradient);
}

struct step_result network_train(struct network *network, const struct batch *batch, const struct sgd *sgd,
                                 float bn_decay, uint64_t dropout_key)
{
    forward_and_backward(network, batch, bn_decay, dropout_key);
    network->backend->update(sgd, network->plan.trained, network->weights->values, network->gradients,
                             network->velocity);
    return network->result;
}

float *network_velocity(struct network *network)
{
    ASSERT(network->mode == NETWORK_TRAINING);
    return network->velocity;
}

const float *network_gradient(struct network *network, const struct batch *batch, uint64_t dropout_key,
                              struct step_result *result)
{
    forward_and_backward(network, batch, 1, dropout_key);
    *result = network->result;
    return network->gradients;
}

struct step_result network_infer(struct network *network, const struct batch *batch, float *logits)
{
    ASSERT(network->plan.classes > 0);
    load(network, batch);
    for (int i = 0; i < network->plan.op_count; i++)
        forward(network, i, false, 1);
    if (logits)
        memcpy(logits, network->runs[0].logits, (size_t)batch->count * network->plan.classes * sizeof *logits);
    return network->result;
}

void network_probe(struct network *network, const struct batch *batch, int op)
{
    ASSERT(network->mode == NETWORK_TRAINING && op < network->plan.op_count);
    load(network, batch);
    for (int i = 0; i < op; i++)
        forward(network, i, false, 1);
    forward(network, op, true, 0);
}
