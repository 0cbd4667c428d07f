/*
 * step.c - one training or inference step, as the host sees it.
 *
 *   step_begin    wait for a free slot | send step, index and augmentation | begin to capture, or nothing
 *   operations    run as they are the first time, are captured the second; later the graph stands for them
 *   step_end      end the capture | launch the graph | fetch the result into the slot | record an event
 *
 * The host runs ahead of the device by at most SLOTS steps.  What differs between two steps of a kind lies in memory
 * that is sent first, so that one graph runs full and smaller batches, with any learning rate and dropout key.  Each
 * data set and normalisation has a graph of its own.  A context holds two data sets, for training and testing by turns.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/context.h"

static void collect_result(struct context *context)
{
    const struct step_slot *slot = &context->slots[context->oldest++ % SLOTS];
    if (slot->count)
        step_result_add(&context->known, (struct step_result){slot->result->loss, slot->result->correct, slot->count});
}

struct step_result step_results(void *opaque, bool wait)
{
    struct context *context = opaque;
    if (!select_device(context))
        return (struct step_result){.loss = NAN};
    while (context->oldest != context->next) {
        cudaEvent_t done = context->slots[context->oldest % SLOTS].done;
        cudaError_t status = wait ? cudaEventSynchronize(done) : cudaEventQuery(done);
        if (status == cudaErrorNotReady) {
            cudaGetLastError();
            break;
        }
        if (!check_cuda(context, status, "waiting for a step"))
            return (struct step_result){.loss = NAN};
        collect_result(context);
    }
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
    collect_result(context);
    return true;
}

static bool upload_step(struct context *context, const struct step *step)
{
    const struct batch *batch = step->batch;
    struct step_slot *slot = &context->slots[context->next % SLOTS];
    *slot->step =
        (struct kernel_step){.dropout_key = step->dropout_key, .count = batch->count, .bn_decay = step->bn_decay};
    if (step->sgd) {
        slot->step->rate = step->sgd->rate;
        slot->step->momentum = step->sgd->momentum;
        slot->step->weight_decay = step->sgd->weight_decay;
        slot->step->nesterov = step->sgd->nesterov;
    }
    int32_t *index = (int32_t *)(slot->step + 1);
    int8_t *places = (int8_t *)(index + context->batch);
    memcpy(index, batch->index, (size_t)batch->count * sizeof *index);
    for (int i = 0; batch->augment && i < batch->count; i++) {
        *places++ = batch->augment[i].dx;
        *places++ = batch->augment[i].dy;
        *places++ = batch->augment[i].flip;
    }
    size_t bytes = (size_t)(places - (int8_t *)slot->step);
    slot->count = step->kind == STEP_PROBE ? 0 : batch->count;
    return check_cuda(
        context, cudaMemcpyAsync(context->step, slot->step, bytes, cudaMemcpyHostToDevice, context->stream->handle),
        "sending a step");
}

/* Move the images' data set to the front of those that the context holds; a new one replaces the last. */
static bool use_data_set(struct context *context, const struct images *images)
{
    int place = 0;
    while (place < DATA_SETS_HELD - 1 &&
           !(context->data_sets[place] && hash_equal(context->data_sets[place]->hash, images->hash)))
        place++;
    struct data_set *set = context->data_sets[place];
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

bool step_begin(void *opaque, const struct step *step)
{
    struct context *context = opaque;
    if (!select_device(context) || !wait_for_slot(context) || !prepare_load(context, step->batch) ||
        !upload_step(context, step))
        return false;
    struct step_graph *graph = context->graph = find_graph(context, step->kind);
    if (!graph || !graph->runs)
        return true;
    if (graph->executable)
        return false;
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
    cudaGraph_t graph = NULL;
    context->capturing = false;
    cudaError_t status = cudaStreamEndCapture(context->stream->handle, &graph);
    if (check_cuda(context, status, "capturing a step")) /* it fails too if a failed call ended the capture */
        check_cuda(context, cudaGraphInstantiate(&context->graph->executable, graph, 0), "capturing a step");
    if (graph) {
        describe_graph(graph);
        cudaGraphDestroy(graph);
    }
}

void step_end(void *opaque)
{
    struct context *context = opaque;
    if (context->capturing)
        end_capture(context);
    if (context->status != DEVICE_FINE)
        return;
    struct step_slot *slot = &context->slots[context->next % SLOTS];
    cudaStream_t stream = context->stream->handle;
    if (context->graph)
        context->graph->runs++;
    if (context->graph && context->graph->executable &&
        !check_cuda(context, cudaGraphLaunch(context->graph->executable, stream), "replaying a step"))
        return;
    if (slot->count && !check_cuda(context,
                                   cudaMemcpyAsync(slot->result, context->result, sizeof *slot->result,
                                                   cudaMemcpyDeviceToHost, stream),
                                   "fetching a result"))
        return;
    if (check_cuda(context, cudaEventRecord(slot->done, stream), "marking a step"))
        context->next++;
}
