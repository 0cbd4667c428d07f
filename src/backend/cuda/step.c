/*
 * step.c - one training or inference step, as the host sees it.
 *
 *   step_announce  put the steps to come into an upload: of most data sets a whole epoch
 *   step_begin     find the step there, or put it into the upload | the first and second time: begin to capture
 *   operations     run as they are the first time, are captured the second; later the graph stands for them
 *   step_end       end the capture | launch the steps that are held, when it is time
 *   steps_run      send the upload | load its first step | launch the graph | record an event
 *
 * KERNEL_LAUNCH_STEPS steps are one launch, with nothing between them.  What differs between two steps of a kind lies
 * in memory that is sent first, so that one graph runs full and smaller batches, with any learning rate and dropout
 * key. Results lie in a ring that the device writes and the host reads.  The host is ahead of the device by at most
 * LAUNCHES launches, and waits for none of them otherwise.  An area of pinned memory is filled again when at most one
 * launch is under way: that belongs to the other area.
 *
 * Who asks for anything else first (weights, results that must be there, a step of another kind) launches what is held.
 * Steps that were announced and don't come are forgotten.  Each data set and normalisation has a graph of its own.  A
 * context holds two data sets, for training and testing by turns.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/operation.h"

int upload_steps(const struct context *context)
{
    int most = context->training ? UPLOAD_IMAGES / context->batch : 0;
    return most > KERNEL_LAUNCH_STEPS ? most : KERNEL_LAUNCH_STEPS;
}

size_t upload_bytes(const struct context *context, int steps)
{
    return sizeof(struct kernel_queue) + (size_t)steps * KERNEL_STEP_BYTES(context->batch);
}

/* --- results --- */

static void take_results(struct context *context)
{
    while (context->results_read != context->results_begun) {
        struct kernel_result *result = &context->results[context->results_read % KERNEL_RESULTS];
        int count = __atomic_load_n(&result->count, __ATOMIC_ACQUIRE);
        if (!count)
            return;
        step_result_add(&context->known, (struct step_result){result->loss, result->correct, count});
        result->count = 0;
        context->results_read++;
    }
}

static bool wait_for_oldest(struct context *context)
{
    if (!check_cuda(context, cudaEventSynchronize(context->launches[context->oldest % LAUNCHES]), "waiting for a step"))
        return false;
    context->oldest++;
    take_results(context);
    return true;
}

static bool wait_for_launch(struct context *context)
{
    return context->next - context->oldest < LAUNCHES || wait_for_oldest(context);
}

struct step_result step_results(void *opaque, bool wait)
{
    struct context *context = opaque;
    if (wait)
        steps_run(context);
    if (!select_device(context))
        return (struct step_result){.loss = NAN};
    while (wait && context->oldest != context->next)
        if (!wait_for_oldest(context))
            return (struct step_result){.loss = NAN};
    take_results(context);
    struct step_result known = context->known;
    context->known = (struct step_result){0};
    return known;
}

/* --- uploads --- */

static struct kernel_queue *upload_of(const struct context *context)
{
    return context->uploads[context->upload % UPLOADS];
}

static void start_upload(struct context *context)
{
    context->upload += context->sent; /* an area that was not sent is filled anew */
    context->filled = context->begun = 0;
    context->sent = context->loaded = false;
    *upload_of(context) = (struct kernel_queue){.ring = context->results_begun % KERNEL_RESULTS};
}

static void add_step(struct context *context, const struct step *step)
{
    const struct batch *batch = step->batch;
    struct kernel_queue *queue = upload_of(context);
    struct kernel_step *added = KERNEL_QUEUE_STEP(queue, context->batch, context->filled);
    *added = (struct kernel_step){.dropout_key = step->dropout_key,
                                  .count = batch->count,
                                  .bn_decay = step->bn_decay,
                                  .average_share = step->average_share};
    if (step->sgd) {
        added->rate = step->sgd->rate;
        added->momentum = step->sgd->momentum;
        added->weight_decay = step->sgd->weight_decay;
        added->nesterov = step->sgd->nesterov;
    }
    int32_t *index = (int32_t *)(added + 1);
    int8_t *places = (int8_t *)(index + context->batch);
    memcpy(index, batch->index, (size_t)batch->count * sizeof *index);
    for (int i = 0; batch->augment && i < batch->count; i++) {
        *places++ = batch->augment[i].dx;
        *places++ = batch->augment[i].dy;
        *places++ = batch->augment[i].flip;
    }
    queue->count = ++context->filled;
}

static bool send_upload(struct context *context)
{
    size_t bytes = upload_bytes(context, context->filled);
    context->sent = check_cuda(
        context,
        cudaMemcpyAsync(context->queue, upload_of(context), bytes, cudaMemcpyHostToDevice, context->stream->handle),
        "sending steps");
    return context->sent;
}

int step_announce(void *opaque, const struct step *steps, int count)
{
    struct context *context = opaque;
    int most = upload_steps(context), taken = count < most ? count : most;
    steps_run(context);
    if (!select_device(context) || !wait_for_launch(context))
        return count;
    start_upload(context);
    for (int i = 0; i < taken; i++)
        add_step(context, &steps[i]);
    return taken;
}

static bool is_announced(const struct context *context, const struct step *step)
{
    const struct kernel_step *next = KERNEL_QUEUE_STEP(upload_of(context), context->batch, context->begun);
    return context->begun < context->filled && step->kind == STEP_TRAIN && next->count == step->batch->count &&
           next->dropout_key == step->dropout_key;
}

/* Move the images' data set to the front of those that the context holds; a new one replaces the last. */
static bool use_data_set(struct context *context, const struct images *images)
{
    int place = 0;
    while (place < DATA_SETS_HELD - 1 &&
           !(context->data_sets[place] && hash_equal(context->data_sets[place]->hash, images->hash)))
        place++;
    struct data_set *set = context->data_sets[place];
    bool other = place > 0 || !set || !hash_equal(set->hash, images->hash);
    if (other)
        steps_run(context); /* while the set that they read is held */
    if (!set || !hash_equal(set->hash, images->hash)) {
        context->data_sets[place] = NULL;
        data_set_release(context->gpu, set);
        set = data_set_acquire(context, images);
    }
    memmove(context->data_sets + 1, context->data_sets, (size_t)place * sizeof *context->data_sets);
    context->data_sets[0] = set;
    return set != NULL;
}

static bool prepare_load(struct context *context, const struct batch *batch)
{
    const struct images *images = batch->view->images;
    if (!use_data_set(context, images))
        return false;
    struct kernel_load *load = &context->load;
    _Static_assert((int)IMAGES_CHANNELS_MAX <= (int)KERNEL_INPUT_CHANNELS, "the kernel has a factor for each channel");
    memset(load, 0, sizeof *load); /* find_graph compares it as memory */
    load->queue = context->queue;
    load->step = context->step;
    load->pixels = context->data_sets[0]->pixels;
    load->labels = context->data_sets[0]->labels;
    load->augmented = batch->augment != NULL;
    load->batch = context->batch;
    load->channels = images->shape.channels;
    load->height = images->shape.height;
    load->width = images->shape.width;
    for (int c = 0; c < images->shape.channels; c++) {
        load->normalise[c] = batch->view->scale[c];
        load->shift[c] = batch->view->shift[c];
    }
    load->batch_labels = context->labels;
    return true;
}

struct kernel_load load_arguments(const struct context *context)
{
    struct kernel_load arguments = context->load;
    arguments.x = context->x;
    return arguments;
}

/* --- graphs --- */

static struct step_graph *find_graph(struct context *context, enum step_kind kind)
{
    if (kind != STEP_TRAIN && kind != STEP_INFER)
        return NULL;
    for (int i = 0; i < context->graph_count; i++)
        if (context->graphs[i].kind == kind &&
            memcmp(&context->graphs[i].load, &context->load, sizeof context->load) == 0)
            return &context->graphs[i];
    if (context->graph_count == GRAPHS_MAX)
        return NULL;
    struct step_graph *graph = &context->graphs[context->graph_count++];
    *graph = (struct step_graph){.kind = kind, .load = context->load};
    return graph;
}

void step_graph_done(struct step_graph *graph)
{
    if (graph->one)
        cudaGraphExecDestroy(graph->one);
    if (graph->all)
        cudaGraphExecDestroy(graph->all);
    if (graph->captured)
        cudaGraphDestroy(graph->captured);
}

/* The graph of KERNEL_LAUNCH_STEPS steps, one after the other. */
static bool chain_steps(struct context *context, struct step_graph *graph)
{
    cudaGraph_t chain = NULL;
    cudaGraphNode_t last = NULL, before;
    bool made = graph->all || check_cuda(context, cudaGraphCreate(&chain, 0), "joining steps");
    for (int i = 0; chain && made && i < KERNEL_LAUNCH_STEPS; i++) {
        before = last;
        made = check_cuda(context, cudaGraphAddChildGraphNode(&last, chain, &before, i > 0, graph->captured),
                          "joining steps");
    }
    if (chain) {
        made = made && check_cuda(context, cudaGraphInstantiate(&graph->all, chain, 0), "joining steps");
        cudaGraphDestroy(chain);
    }
    return made;
}

/* Load the first step of an upload, as its graph would; `update` loads those behind it. */
static void load_first(struct context *context, const struct step_graph *graph)
{
    struct kernel_load arguments = graph->load;
    if (graph->kind != STEP_TRAIN || context->loaded)
        return;
    arguments.x = context->x;
    launch(context, KERNEL_load, context->storage,
           kernel_grid_items(rows_of(context, arguments.height, arguments.width)), &arguments);
    context->loaded = true;
}

static bool launch_steps(struct context *context, struct step_graph *graph)
{
    cudaStream_t stream = context->stream->handle;
    if (context->held == KERNEL_LAUNCH_STEPS)
        return chain_steps(context, graph) &&
               check_cuda(context, cudaGraphLaunch(graph->all, stream), "replaying steps");
    for (int i = 0; i < context->held; i++)
        if (!check_cuda(context, cudaGraphLaunch(graph->one, stream), "replaying a step"))
            return false;
    return true;
}

void steps_run(struct context *context)
{
    if (!context->held || !select_device(context) || (!context->sent && !send_upload(context)))
        return;
    if (context->graph && context->graph->one) {
        load_first(context, context->graph);
        if (!launch_steps(context, context->graph))
            return;
    }
    if (check_cuda(context, cudaEventRecord(context->launches[context->next % LAUNCHES], context->stream->handle),
                   "marking a step"))
        context->next++;
    context->held = 0;
}

/* --- one step --- */

/* Find or put the step into the upload. */
static bool take_step(struct context *context, const struct step *step)
{
    bool announced = is_announced(context, step);
    if (!announced && (context->sent || context->begun < context->filled))
        steps_run(context); /* a step that is added lies behind those that were announced */
    if (context->status != DEVICE_FINE || (!context->held && !wait_for_launch(context)))
        return false;
    if (!announced && !context->held)
        start_upload(context);
    if (!announced)
        add_step(context, step);
    context->kind = step->kind;
    context->begun++;
    context->held++;
    context->results_begun += step->kind != STEP_PROBE; /* which doesn't come to the classifier */
    return true;
}

bool step_begin(void *opaque, const struct step *step)
{
    struct context *context = opaque;
    if (!select_device(context) || !prepare_load(context, step->batch))
        return false;
    struct step_graph *graph = find_graph(context, step->kind);
    if (graph != context->graph)
        steps_run(context);
    if (!take_step(context, step))
        return false;
    context->graph = graph;
    context->immediate = !graph || !graph->one;
    if (!context->immediate || (!context->sent && !send_upload(context)))
        return false;
    if (!graph || !graph->runs)
        return true;
    load_first(context, graph);
    context->capturing = check_cuda(
        context, cudaStreamBeginCapture(context->stream->handle, cudaStreamCaptureModeThreadLocal), "capturing a step");
    return context->capturing;
}

void capture_drop(struct context *context)
{
    cudaGraph_t graph = NULL;
    context->capturing = false;
    if (cudaStreamEndCapture(context->stream->handle, &graph) != cudaSuccess)
        cudaGetLastError();
    if (graph)
        cudaGraphDestroy(graph);
}

/* The nodes of a step by name, for who asks: each captured step is a file of Graphviz in ESPALIER_CUDA_GRAPHS. */
static void describe_graph(cudaGraph_t graph)
{
    static atomic_int number;
    const char *folder = getenv("ESPALIER_CUDA_GRAPHS");
    char path[512];
    if (!folder || !*folder)
        return;
    snprintf(path, sizeof path, "%s/step-%d.dot", folder, atomic_fetch_add(&number, 1));
    if (cudaGraphDebugDotPrint(graph, path, 0) != cudaSuccess)
        cudaGetLastError();
}

static void end_capture(struct context *context)
{
    struct step_graph *graph = context->graph;
    context->capturing = false;
    cudaError_t status = cudaStreamEndCapture(context->stream->handle, &graph->captured);
    if (check_cuda(context, status, "capturing a step") && /* it fails too if a failed call ended the capture */
        check_cuda(context, cudaGraphInstantiate(&graph->one, graph->captured, 0), "capturing a step"))
        describe_graph(graph->captured);
}

void step_end(void *opaque)
{
    struct context *context = opaque;
    if (context->capturing)
        end_capture(context);
    if (context->status != DEVICE_FINE)
        return;
    if (context->graph)
        context->graph->runs++;
    bool last = context->sent && context->begun == context->filled;
    if (context->immediate || last || context->held == KERNEL_LAUNCH_STEPS)
        steps_run(context);
}
