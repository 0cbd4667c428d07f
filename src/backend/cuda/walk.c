/*
 * walk.c - one step from the host's side: what goes up, the walk or its recording, what comes down.
 *
 *   begin:  wait for a free slot | step, index and augmentation to the device | begin to record, or nothing
 *   walk:   the operations (once as they are, once recorded; never again after that)
 *   end:    end the recording | launch it | the result to the slot | an event
 *
 * The host runs ahead of the device by at most SLOTS walks.  All that differs between two walks of a kind lies in
 * memory that goes up first, so that one recording serves full and smaller batches, every rate and every key.  Each
 * data set and normalisation has its own; two sets stay on the device by turns.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/internal.h"

/* --- what comes down --- */

static void harvest(struct context *context)
{
    const struct slot *slot = &context->slots[context->oldest++ % SLOTS];
    if (slot->count)
        step_result_add(&context->known, (struct step_result){slot->result->loss, slot->result->correct, slot->count});
}

struct step_result walk_results(void *opaque, bool wait)
{
    struct context *context = opaque;
    if (!enter(context))
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
        harvest(context);
    }
    struct step_result known = context->known;
    context->known = (struct step_result){0};
    return known;
}

/* --- what goes up --- */

static bool free_slot(struct context *context)
{
    if (context->next - context->oldest < SLOTS)
        return true;
    if (!check_cuda(context, cudaEventSynchronize(context->slots[context->oldest % SLOTS].done), "waiting for a step"))
        return false;
    harvest(context);
    return true;
}

static bool send_step(struct context *context, const struct step *step)
{
    const struct batch *batch = step->batch;
    struct slot *slot = &context->slots[context->next % SLOTS];
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
    return check_cuda(context,
                      cudaMemcpyAsync(context->step, slot->step, bytes, cudaMemcpyHostToDevice, context->lane->stream),
                      "sending a step");
}

/* The images on the device, first among the sets that the context holds; the last of them makes room. */
static bool hold_set(struct context *context, const struct images *images)
{
    int place = 0;
    while (place < HELD_SETS - 1 && !(context->sets[place] && hash_equal(context->sets[place]->hash, images->hash)))
        place++;
    struct data_set *set = context->sets[place];
    if (!set || !hash_equal(set->hash, images->hash)) {
        context->sets[place] = NULL;
        data_set_return(context->gpu, set);
        set = data_set_take(context, images);
    }
    memmove(context->sets + 1, context->sets, (size_t)place * sizeof *context->sets);
    context->sets[0] = set;
    return set != NULL;
}

static bool prepare_load(struct context *context, const struct batch *batch)
{
    const struct images *images = batch->view->images;
    if (!hold_set(context, images))
        return false;
    struct kernel_load *load = &context->load;
    memset(load, 0, sizeof *load); /* it is compared as memory */
    load->step = context->step;
    load->pixels = context->sets[0]->pixels;
    load->labels = context->sets[0]->labels;
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

/* --- recordings --- */

static struct recorded *find_recorded(struct context *context, enum step_kind kind)
{
    if (kind != STEP_TRAIN && kind != STEP_INFER)
        return NULL;
    for (int i = 0; i < context->recorded_count; i++)
        if (context->recorded[i].kind == kind &&
            memcmp(&context->recorded[i].load, &context->load, sizeof context->load) == 0)
            return &context->recorded[i];
    if (context->recorded_count == RECORDED_MAX)
        return NULL;
    struct recorded *recorded = &context->recorded[context->recorded_count++];
    *recorded = (struct recorded){.kind = kind, .load = context->load};
    return recorded;
}

bool walk_begin(void *opaque, const struct step *step)
{
    struct context *context = opaque;
    if (!enter(context) || !free_slot(context) || !prepare_load(context, step->batch) || !send_step(context, step))
        return false;
    struct recorded *recorded = context->recording = find_recorded(context, step->kind);
    if (!recorded || !recorded->walks)
        return true;
    if (recorded->graph)
        return false;
    context->capturing = check_cuda(
        context, cudaStreamBeginCapture(context->lane->stream, cudaStreamCaptureModeThreadLocal), "recording a step");
    return context->capturing;
}

static void end_capture(struct context *context)
{
    cudaGraph_t graph = NULL;
    context->capturing = false;
    cudaError_t status = cudaStreamEndCapture(context->lane->stream, &graph);
    if (check_cuda(context, status, "recording a step")) /* also where a failed call had ended it */
        check_cuda(context, cudaGraphInstantiate(&context->recording->graph, graph, 0), "recording a step");
    if (graph)
        cudaGraphDestroy(graph);
}

void walk_end(void *opaque)
{
    struct context *context = opaque;
    if (context->capturing)
        end_capture(context);
    if (context->trouble != DEVICE_FINE)
        return;
    struct slot *slot = &context->slots[context->next % SLOTS];
    cudaStream_t stream = context->lane->stream;
    if (context->recording)
        context->recording->walks++;
    if (context->recording && context->recording->graph &&
        !check_cuda(context, cudaGraphLaunch(context->recording->graph, stream), "replaying a step"))
        return;
    if (slot->count && !check_cuda(context,
                                   cudaMemcpyAsync(slot->result, context->result, sizeof *slot->result,
                                                   cudaMemcpyDeviceToHost, stream),
                                   "fetching a result"))
        return;
    if (check_cuda(context, cudaEventRecord(slot->done, stream), "marking a step"))
        context->next++;
}
