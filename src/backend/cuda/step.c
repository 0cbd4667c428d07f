/*
 * step.c - one training or inference step, as the host sees it.
 *
 *   step_begin    put step, index and augmentation into a slot | the first and second time: send it, begin to capture
 *   operations    run as they are the first time, are captured the second; later the graph stands for them
 *   step_end      end the capture | run the slot when it is full, or was sent
 *   steps_run     send the slot | launch the graph | fetch the results | record an event
 *
 * A slot has KERNEL_QUEUE steps, which one launch runs, with nothing between them.  Who asks for anything else first
 * (weights, results that must be there, a step of another kind) runs what the slot holds.  The host is ahead of the
 * device by at most SLOTS slots.  What differs between two steps of a kind lies in memory that is sent first, so that
 * one graph runs full and smaller batches, with any learning rate and dropout key.  Each
 * data set and normalisation has a graph of its own.  A context holds two data sets, for training and testing by turns.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/context.h"

static void collect_results(struct context *context)
{
    const struct step_slot *slot = &context->slots[context->oldest++ % SLOTS];
    for (int i = 0; i < slot->steps; i++)
        step_result_add(&context->known,
                        (struct step_result){slot->results[i].loss, slot->results[i].correct, slot->results[i].count});
}

struct step_result step_results(void *opaque, bool wait)
{
    struct context *context = opaque;
    if (wait)
        steps_run(context);
    if (!select_device(context))
        return (struct step_result){.loss = NAN};
    while ((wait || context->news) && context->oldest != context->next) {
        cudaEvent_t done = context->slots[context->oldest % SLOTS].done;
        cudaError_t status = wait ? cudaEventSynchronize(done) : cudaEventQuery(done);
        if (status == cudaErrorNotReady) {
            cudaGetLastError();
            break;
        }
        if (!check_cuda(context, status, "waiting for a step"))
            return (struct step_result){.loss = NAN};
        collect_results(context);
    }
    context->news = false;
    struct step_result known = context->known;
    context->known = (struct step_result){0};
    return known;
}

static bool wait_for_slot(struct context *context)
{
    if (context->next - context->oldest < SLOTS)
        return true;
    if (!check_cuda(context, cudaEventSynchronize(context->slots[context->oldest % SLOTS].done), "waiting for a step"))
        return false;
    collect_results(context);
    return true;
}

/* Put a step behind those that the slot holds. */
static void hold_step(struct context *context, const struct step *step)
{
    const struct batch *batch = step->batch;
    struct step_slot *slot = &context->slots[context->next % SLOTS];
    int first = context->held * context->batch;
    struct kernel_step *held = &slot->queue->steps[context->held];
    *held = (struct kernel_step){
        .dropout_key = step->dropout_key, .first = first, .count = batch->count, .bn_decay = step->bn_decay};
    held->average_share = context->average_share;
    if (step->sgd) {
        held->rate = step->sgd->rate;
        held->momentum = step->sgd->momentum;
        held->weight_decay = step->sgd->weight_decay;
        held->nesterov = step->sgd->nesterov;
    }
    int32_t *index = (int32_t *)(slot->queue + 1);
    int8_t *places = (int8_t *)(index + (size_t)KERNEL_QUEUE * context->batch) + (size_t)3 * first;
    memcpy(index + first, batch->index, (size_t)batch->count * sizeof *index);
    for (int i = 0; batch->augment && i < batch->count; i++) {
        *places++ = batch->augment[i].dx;
        *places++ = batch->augment[i].dy;
        *places++ = batch->augment[i].flip;
    }
    slot->queue->next = 0;
    slot->steps = step->kind == STEP_PROBE ? 0 : context->held + 1;
}

static bool send_steps(struct context *context)
{
    const struct step_slot *slot = &context->slots[context->next % SLOTS];
    context->sent = check_cuda(context,
                               cudaMemcpyAsync(context->queue, slot->queue, upload_bytes(context),
                                               cudaMemcpyHostToDevice, context->stream->handle),
                               "sending steps");
    return context->sent;
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
    load->index = context->index;
    load->augment = batch->augment ? context->augment : NULL;
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

/* The graph of KERNEL_QUEUE steps, one after the other. */
static bool chain_steps(struct context *context, struct step_graph *graph)
{
    cudaGraph_t chain = NULL;
    cudaGraphNode_t last = NULL, before;
    bool made = graph->all || check_cuda(context, cudaGraphCreate(&chain, 0), "joining steps");
    for (int i = 0; chain && made && i < KERNEL_QUEUE; i++) {
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

static bool launch_steps(struct context *context, struct step_graph *graph)
{
    cudaStream_t stream = context->stream->handle;
    if (context->held == KERNEL_QUEUE)
        return chain_steps(context, graph) &&
               check_cuda(context, cudaGraphLaunch(graph->all, stream), "replaying steps");
    for (int i = 0; i < context->held; i++)
        if (!check_cuda(context, cudaGraphLaunch(graph->one, stream), "replaying a step"))
            return false;
    return true;
}

void steps_run(struct context *context)
{
    struct step_slot *slot = &context->slots[context->next % SLOTS];
    cudaStream_t stream = context->stream->handle;
    if (!context->held || !select_device(context) || (!context->sent && !send_steps(context)))
        return;
    if (context->graph && context->graph->one && !launch_steps(context, context->graph))
        return;
    size_t bytes = (size_t)slot->steps * sizeof *slot->results;
    if (bytes &&
        !check_cuda(context, cudaMemcpyAsync(slot->results, context->results, bytes, cudaMemcpyDeviceToHost, stream),
                    "fetching results"))
        return;
    if (check_cuda(context, cudaEventRecord(slot->done, stream), "marking a step"))
        context->next++;
    context->held = 0;
    context->sent = false;
    context->news = true;
}

bool step_begin(void *opaque, const struct step *step)
{
    struct context *context = opaque;
    if (!select_device(context) || !prepare_load(context, step->batch))
        return false;
    struct step_graph *graph = find_graph(context, step->kind);
    if (graph != context->graph)
        steps_run(context);
    if (!context->held && !wait_for_slot(context))
        return false;
    context->graph = graph;
    hold_step(context, step);
    if ((graph && graph->one) || !send_steps(context))
        return false;
    if (!graph || !graph->runs)
        return true;
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
    context->held++;
    if (context->sent || context->held == KERNEL_QUEUE)
        steps_run(context);
}
