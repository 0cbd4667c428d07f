/*
 * network.c - a plan with its memory, and the walks over it.
 *
 * One arena (arena.h) holds everything.  Only the velocity starts as zero: a backend writes the whole of what it is
 * asked for, borders included, before it is read.
 *
 * A network that a team shares has a larger scratch of its own, for all members.
 *
 * The arena and the runs are the network's; the weights are borrowed.  `runs[i]` is made once with every pointer
 * in place; a walk sets only what differs between batches.
 *
 * On a backend with a device the arena is the device's, and weights, gradients and velocity lie elsewhere there: the
 * weights are written when the network is made and come back by network_fetch().  Every walk lies between begin() and
 * end().  begin() says whether the operations are to be called: on the host always, on a device not when it replays
 * what it recorded.
 */
#include "nn/network.h"

#include <stdlib.h>
#include <string.h>

#include "nn/arena.h"
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
    struct team *team;    /* or NULL */
    char *shared_scratch; /* of its members */
    struct op_run *runs;
    struct op_run *sums; /* by operation, where it sums_input_gradient: OP_ADD of that gradient and the addend */
    struct op *sum_ops;
    float *values, *gradients, *velocity;
    uint16_t *labels; /* NULL on a device, which has its own */
    struct step_result result;
    void *context;  /* of a backend with a device */
    float *fetched; /* on a device: the host's copy of gradients or velocity */
};

int64_t network_bytes(const struct backend *backend, const struct plan *plan, int batch, enum network_mode mode)
{
    size_t arena = arena_plan(backend, plan, batch, mode == NETWORK_TRAINING).bytes;
    if (!backend->device)
        return (int64_t)arena;
    return (int64_t)backend->device->network_bytes(backend, plan, batch, mode == NETWORK_TRAINING, arena);
}

static void *place_of(const struct network *network, const size_t *offsets, int tensor)
{
    const struct tensor *at = &network->plan.tensors[tensor];
    size_t offset = offsets[at->buffer];
    return offset == ARENA_NONE ? NULL : network->arena + offset + network->backend->tensor_offset(at);
}

static void *input_gradient(const struct network *network, const struct arena *arena, const struct op *op, int input)
{
    bool needed = network->mode == NETWORK_TRAINING && op->needs_input_gradient[input];
    return needed ? place_of(network, arena->buffer_gradients, op->inputs[input]) : NULL;
}

/* Let operation `i` write its input gradient into the addend, and have OP_ADD add it to what is there. */
static void bind_sum(struct network *network, const struct arena *arena, int i)
{
    struct op_run *run = &network->runs[i], *sum = &network->sums[i];
    int input = run->op->inputs[0];
    if (!run->op->sums_input_gradient || !run->dx)
        return;
    network->sum_ops[i] = (struct op){.kind = OP_ADD, .inputs = {input, input}, .output = input};
    *sum = *run;
    sum->op = &network->sum_ops[i];
    sum->x = sum->y = run->dx;
    sum->x2 = run->dx = network->arena + arena->addend + network->backend->tensor_offset(&network->plan.tensors[input]);
}

static void bind(struct network *network, const struct arena *arena)
{
    char *base = network->arena;
    bool training = network->mode == NETWORK_TRAINING;
    for (int i = 0; i < network->plan.op_count; i++) {
        const struct op *op = &network->plan.ops[i];
        network->runs[i] = (struct op_run){
            .context = network->context,
            .plan = &network->plan,
            .op = op,
            .precision = network->backend->precision,
            .values = network->values,
            .gradients = network->gradients,
            .x = place_of(network, arena->buffers, op->inputs[0]),
            .y = place_of(network, arena->buffers, op->output),
            .dy = training ? place_of(network, arena->buffer_gradients, op->output) : NULL,
            .dx = input_gradient(network, arena, op, 0),
            .saved = training ? base + arena->saved[i] : NULL,
            .scratch = base + arena->scratch,
            .members = 1,
            .labels = network->labels,
            .logits = (float *)(base + arena->logits),
            .loss = &network->result.loss,
            .correct = &network->result.correct,
        };
        if (op_input_count(op) > 1) {
            network->runs[i].x2 = place_of(network, arena->buffers, op->inputs[1]);
            network->runs[i].dx2 = input_gradient(network, arena, op, 1);
        }
        if (training)
            bind_sum(network, arena, i);
    }
}

/* The first operation that the backend can't run, or NULL. */
static const struct op *find_missing(const struct backend *backend, const struct plan *plan, enum network_mode mode)
{
    for (int i = 0; i < plan->op_count; i++) {
        enum op_kind kind = plan->ops[i].kind;
        if (!backend->forward[kind] || (mode == NETWORK_TRAINING && !backend->backward[kind]) ||
            (plan->ops[i].sums_input_gradient && !backend->forward[OP_ADD]) ||
            (plan->ops[i].hard_swish && !backend->hard_swish))
            return &plan->ops[i];
    }
    return NULL;
}

static int take_memory(struct network *network, size_t bytes, enum device_trouble *trouble, struct error *error)
{
    const struct backend_device *device = network->backend->device;
    if (device) {
        void *memory = NULL;
        network->context = device->open(network->backend, &network->plan, network->batch,
                                        network->mode == NETWORK_TRAINING, bytes, &memory, trouble, error);
        network->arena = memory;
        return network->context ? 0 : -1;
    }
    network->arena = arena_new(bytes);
    if (network->arena)
        return 0;
    char size[TEXT_SHORT];
    *trouble = DEVICE_NO_MEMORY;
    return error_set(error,
                     "a network for batches of %d images needs %s, which this machine can't give; "
                     "use a smaller batch or a limit on parameters or memory",
                     network->batch, text_bytes(size, (double)bytes));
}

struct network *network_open(const struct backend *backend, const struct plan *plan, int batch, enum network_mode mode,
                             struct weights *weights, enum device_trouble *trouble, struct error *error)
{
    enum device_trouble unwanted;
    trouble = trouble ? trouble : &unwanted;
    ASSERT(batch > 0 && plan->op_count > 0 && plan->total == weights->layout.total);
    const struct op *missing = find_missing(backend, plan, mode);
    if (missing) {
        char layer[LAYER_NAME_MAX];
        layer_name(&weights->arch, missing->layer, layer);
        error_set(error, "the backend \"%s\" can't compute %s of this network yet; use the CPU", backend->name, layer);
        *trouble = DEVICE_REFUSED;
        return NULL;
    }
    struct arena arena = arena_plan(backend, plan, batch, mode == NETWORK_TRAINING);
    struct network *network = memory_new(1, sizeof *network);
    *network = (struct network){.backend = backend, .plan = *plan, .batch = batch, .mode = mode, .weights = weights};
    if (take_memory(network, arena.bytes, trouble, error)) {
        free(network);
        return NULL;
    }
    char *memory = network->arena;
    network->runs = memory_new((size_t)plan->op_count, sizeof *network->runs);
    network->sums = memory_new((size_t)plan->op_count, sizeof *network->sums);
    network->sum_ops = memory_new((size_t)plan->op_count, sizeof *network->sum_ops);
    if (backend->device) {
        backend->device->write(network->context, FLAT_VALUES, weights->values);
    } else {
        network->labels = (uint16_t *)(memory + arena.labels);
        network->values = weights->values;
    }
    if (!backend->device && mode == NETWORK_TRAINING) {
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
    if (network->team)
        team_close(network->team);
    free(network->shared_scratch);
    if (network->context)
        network->backend->device->close(network->context);
    else
        free(network->arena);
    free(network->fetched);
    free(network->runs);
    free(network->sums);
    free(network->sum_ops);
    free(network);
}

void network_share(struct network *network, struct team *team)
{
    ASSERT(!network->team);
    int each = network->backend->images_per_member, members = team_members_most(team);
    int useful = each ? (network->batch + each - 1) / each : 1;
    members = members < useful ? members : useful;
    size_t bytes = arena_scratch(network->backend, &network->plan, network->batch, members);
    if (members == 1 || !(network->shared_scratch = arena_new((bytes + 63) / 64 * 64)))
        return;
    network->team = team;
    for (int i = 0; i < network->plan.op_count; i++) {
        struct op_run *run = &network->runs[i];
        run->team = team;
        run->members = members;
        run->scratch = network->shared_scratch;
    }
    team_open(team, members);
}

int network_batch(const struct network *network)
{
    return network->batch;
}

/* True when the walk is to be done; then the batch is laid into the input tensor. */
static bool begin(struct network *network, const struct step *step)
{
    const struct batch *batch = step->batch;
    ASSERT(batch->count > 0 && batch->count <= network->batch && !(network->context && batch->targets));
    for (int i = 0; i < batch->count; i++) {
        uint16_t label = batch->view->images->labels[batch->index[i]];
        ASSERT(network->plan.classes == 0 || label < network->plan.classes);
        if (network->labels)
            network->labels[i] = label;
    }
    if (network->context && !network->backend->device->begin(network->context, step))
        return false;
    network->result = (struct step_result){.count = batch->count};
    for (int i = 0; i < network->plan.op_count; i++) {
        network->runs[i].count = batch->count;
        network->runs[i].targets = batch->targets;
        network->runs[i].walk = step->kind == STEP_TRAIN || step->kind == STEP_GRADIENT ? network->runs : NULL;
        network->runs[i].dropout_key = step_dropout_key(step, i);
    }
    network->backend->load(network->context, &network->plan.tensors[0], batch, (void *)network->runs[0].x,
                           network->team);
    return true;
}

static struct step_result end(struct network *network)
{
    if (!network->context)
        return network->result;
    network->backend->device->end(network->context);
    return network->backend->device->results(network->context, false);
}

static void forward(struct network *network, int op, bool training, float bn_decay)
{
    struct op_run *run = &network->runs[op];
    run->training = training;
    run->bn_decay = bn_decay;
    network->backend->forward[run->op->kind](run);
}

static void backward(struct network *network, int i)
{
    const struct op *op = &network->plan.ops[i];
    if (!op_is_trained(op) && !op->needs_input_gradient[0] && !op->needs_input_gradient[1])
        return;
    network->backend->backward[op->kind](&network->runs[i]);
    if (!network->sums[i].op)
        return;
    network->sums[i].count = network->runs[i].count;
    network->backend->forward[OP_ADD](&network->sums[i]);
}

static size_t plain_size(const struct network *network, int op, int count)
{
    const struct tensor *tensor = &network->plan.tensors[network->plan.ops[op].output];
    return (size_t)count * (size_t)tensor->channels * (size_t)tensor->height * (size_t)tensor->width;
}

/* `plain` has room for two tensors. */
static void show(const struct network *network, int i, const struct network_watcher *watcher, float *plain)
{
    const struct op_run *run = &network->runs[i];
    const struct tensor *tensor = &network->plan.tensors[run->op->output];
    float *gradient = run->dy ? plain + plain_size(network, i, run->count) : NULL;
    if (run->op->kind == OP_CLASSIFIER)
        return;
    network->backend->tensor_read(tensor, run->count, run->y, plain);
    if (gradient)
        network->backend->tensor_read(tensor, run->count, run->dy, gradient);
    watcher->see(watcher->context, run->op, tensor, run->count, plain, gradient);
}

/* `watcher` may be NULL. */
static void forward_and_backward(struct network *network, float bn_decay, const struct network_watcher *watcher)
{
    ASSERT(network->mode == NETWORK_TRAINING && network->plan.classes > 0);
    size_t largest = 0;
    for (int i = 0; i < network->plan.op_count; i++) {
        size_t size = plain_size(network, i, network->runs[i].count);
        largest = size > largest ? size : largest;
        forward(network, i, true, bn_decay);
    }
    float *plain = watcher ? memory_new(2 * largest, sizeof *plain) : NULL;
    for (int i = network->plan.op_count - 1; i >= 0; i--) {
        if (watcher)
            show(network, i, watcher, plain);
        backward(network, i);
    }
    free(plain);
}

int network_announce(struct network *network, const struct step *steps, int count)
{
    ASSERT(network->context && network->mode == NETWORK_TRAINING && count > 0);
    return network->backend->device->announce(network->context, steps, count);
}

struct step_result network_train(struct network *network, const struct batch *batch, const struct sgd *sgd,
                                 float bn_decay, uint64_t dropout_key)
{
    const struct step step = {STEP_TRAIN, batch, sgd, bn_decay, dropout_key, 0};
    if (begin(network, &step)) {
        forward_and_backward(network, bn_decay, NULL);
        network->backend->update(network->context, sgd, network->plan.trained, network->values, network->gradients,
                                 network->velocity);
    }
    return end(network);
}

/* Gradients or velocity for the host to read: its own, or a copy of the device's. */
static const float *fetch(struct network *network, enum flat which, const float *own)
{
    ASSERT(network->mode == NETWORK_TRAINING);
    if (!network->context)
        return own;
    if (!network->fetched)
        network->fetched = memory_new((size_t)network->plan.trained, sizeof(float));
    network->backend->device->read(network->context, which, network->fetched);
    return network->fetched;
}

const float *network_velocity(struct network *network)
{
    return fetch(network, FLAT_VELOCITY, network->velocity);
}

void network_set_velocity(struct network *network, const float *velocity)
{
    ASSERT(network->mode == NETWORK_TRAINING);
    if (network->context)
        network->backend->device->write(network->context, FLAT_VELOCITY, velocity);
    else
        memcpy(network->velocity, velocity, (size_t)network->plan.trained * sizeof(float));
}

void network_set_average(struct network *network, const float *values)
{
    network->backend->device->write(network->context, FLAT_AVERAGE, values);
}

void network_fetch_average(struct network *network, float *values)
{
    network->backend->device->read(network->context, FLAT_AVERAGE, values);
}

const float *network_gradient(struct network *network, const struct batch *batch, uint64_t dropout_key,
                              struct step_result *result)
{
    const struct step step = {STEP_GRADIENT, batch, NULL, 1, dropout_key, 0};
    if (begin(network, &step))
        forward_and_backward(network, 1, NULL);
    *result = end(network);
    step_result_add(result, network_finish(network));
    return fetch(network, FLAT_GRADIENTS, network->gradients);
}

const float *network_watch(struct network *network, const struct batch *batch, uint64_t dropout_key,
                           const struct network_watcher *watcher)
{
    const struct step step = {STEP_GRADIENT, batch, NULL, 1, dropout_key, 0};
    ASSERT(!network->context);
    int64_t count = network->plan.total - network->plan.trained;
    float *own = network->values + network->plan.trained, *statistics = memory_new((size_t)count + 1, sizeof *own);
    memcpy(statistics, own, (size_t)count * sizeof *own);
    begin(network, &step);
    for (int i = 0; i < network->plan.op_count; i++)
        network->runs[i].walk = NULL; /* neighbours that share work don't write all that a watcher sees */
    forward_and_backward(network, 1, watcher);
    memcpy(own, statistics, (size_t)count * sizeof *own); /* 1 times -0 plus 0 times x is 0 */
    free(statistics);
    return network->gradients;
}

struct step_result network_infer(struct network *network, const struct batch *batch, float *logits)
{
    ASSERT(network->plan.classes > 0);
    const struct step step = {.kind = STEP_INFER, .batch = batch};
    if (begin(network, &step))
        for (int i = 0; i < network->plan.op_count; i++)
            forward(network, i, false, 1);
    struct step_result result = end(network);
    size_t bytes = (size_t)batch->count * network->plan.classes * sizeof *logits;
    if (logits && network->context)
        network->backend->device->download(network->context, logits, network->runs[0].logits, bytes);
    else if (logits)
        memcpy(logits, network->runs[0].logits, bytes);
    return result;
}

void network_probe(struct network *network, const struct batch *batch, int op)
{
    ASSERT(network->mode == NETWORK_TRAINING && op < network->plan.op_count);
    const struct step step = {.kind = STEP_PROBE, .batch = batch};
    if (begin(network, &step)) {
        for (int i = 0; i < op; i++)
            forward(network, i, true, 1);
        forward(network, op, true, 0);
    }
    end(network);
    network_fetch(network);
}

struct step_result network_finish(struct network *network)
{
    return network->context ? network->backend->device->results(network->context, true) : (struct step_result){0};
}

void network_fetch(struct network *network)
{
    if (network->context)
        network->backend->device->read(network->context, FLAT_VALUES, network->weights->values);
}

void network_store(struct network *network)
{
    if (network->context)
        network->backend->device->write(network->context, FLAT_VALUES, network->weights->values);
}

enum device_trouble network_trouble(struct network *network, struct error *error)
{
    return network->context ? network->backend->device->trouble(network->context, error) : DEVICE_FINE;
}
