/* evaluate.c - walks over a view that train nothing: loss and accuracy, and the statistics of one layer. */
#include <stdlib.h>
#include <string.h>

#include "nn/network.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

bool network_evaluate_view(struct network *network, const struct view *view, bool (*proceed)(void *context),
                           void *context, struct evaluation *evaluation)
{
    int batch = network_batch(network), seen = 0;
    struct step_result sum = {0};
    bool whole = true;
    while (seen < view->count && (whole = !proceed || proceed(context))) {
        int rest = view->count - seen;
        struct batch images = {.view = view, .index = view->index + seen, .count = rest < batch ? rest : batch};
        step_result_add(&sum, network_infer(network, &images, NULL));
        seen += images.count;
    }
    step_result_add(&sum, network_finish(network));
    *evaluation = (struct evaluation){.count = seen};
    if (seen) {
        evaluation->loss = sum.loss / seen;
        evaluation->accuracy = (double)sum.correct / seen;
    }
    return whole;
}

int network_evaluation_batch(const struct backend *backend, const struct plan *plan, int batch, int count)
{
    int more = count < EVALUATION_BATCH ? count : EVALUATION_BATCH;
    if (!backend->device)
        return batch;
    while (more > batch && network_bytes(backend, plan, more, NETWORK_INFERENCE) > EVALUATION_BYTES)
        more /= 2;
    return more > batch ? more : batch;
}

struct network *network_open_to_evaluate(const struct backend *backend, struct weights *weights, int batch, int count,
                                         enum device_trouble *trouble, struct error *error)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, weights->input, &(struct plan_options){0}, plan);
    int more = network_evaluation_batch(backend, plan, batch, count);
    struct network *network = network_open(backend, plan, more, NETWORK_INFERENCE, weights, trouble, error);
    while (!network && *trouble == DEVICE_NO_MEMORY && more > batch) {
        more = more / 2 > batch ? more / 2 : batch;
        network = network_open(backend, plan, more, NETWORK_INFERENCE, weights, trouble, error);
    }
    free(plan);
    return network;
}

enum device_trouble network_evaluate(const struct backend *backend, struct weights *weights, const struct view *view,
                                     int batch, struct evaluation *evaluation, struct error *error)
{
    enum device_trouble trouble;
    struct network *network = network_open_to_evaluate(backend, weights, batch, view->count, &trouble, error);
    if (!network)
        return trouble;
    network_evaluate_view(network, view, NULL, NULL, evaluation);
    trouble = network_trouble(network, error);
    network_free(network);
    return trouble;
}

/* Mean and sum of squared deviations of `count` values, grown part by part (Chan, Golub, LeVeque, 1979). */
struct moments {
    double count, mean, squares;
};

static void moments_add(struct moments *all, struct moments part)
{
    double count = all->count + part.count, difference = part.mean - all->mean;
    all->mean += difference * part.count / count;
    all->squares += part.squares + difference * difference * all->count * part.count / count;
    all->count = count;
}

static int op_of_layer(const struct plan *plan, int layer)
{
    for (int i = 0; i < plan->op_count; i++)
        if (plan->ops[i].layer == layer && (plan->ops[i].kind == OP_CONV_BN_RELU || plan->ops[i].kind == OP_FC_BN_RELU))
            return i;
    BUG("only a convolution or an FC layer has statistics to measure");
}

/* `weights` are the network's, whose statistics the probe leaves. */
static void add_batch(struct network *network, const struct weights *weights, const struct plan *plan, int op_index,
                      const struct batch *batch, struct moments *moments)
{
    const struct op *op = &plan->ops[op_index];
    double values = (double)batch->count * op->height * op->width;
    network_probe(network, batch, op_index);
    for (int c = 0; c < op->channels; c++) {
        /* The running variance is unbiased, squares / (values - 1), and says nothing for one value. */
        double variance = values > 1 ? weights->values[op->weights.variance + c] : 0;
        double mean = weights->values[op->weights.mean + c];
        moments_add(&moments[c], (struct moments){values, mean, variance * (values - 1)});
    }
}

int network_measure(const struct backend *backend, const struct weights *weights, int layer, const struct view *view,
                    int batches, int batch, uint64_t seed, uint32_t node, uint32_t action, float *mean, float *variance,
                    struct error *error)
{
    ASSERT(view->count > 0 && batches > 0 && batch > 0);
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, weights->input, &(struct plan_options){0}, plan);
    int op_index = op_of_layer(plan, layer);
    plan->op_count = op_index + 1;                /* what comes after isn't run and takes no memory */
    struct weights *copy = weights_copy(weights); /* its statistics are overwritten */
    struct network *network = network_open(backend, plan, batch, NETWORK_TRAINING, copy, NULL, error);
    int status = network ? 0 : -1;
    if (network) {
        int channels = plan->ops[op_index].channels;
        struct random_stream stream = random_stream_new(seed, RANDOM_MEASURE, node, action);
        int32_t *index = memory_new((size_t)view->count, sizeof *index);
        memcpy(index, view->index, (size_t)view->count * sizeof *index);
        random_shuffle(&stream, index, view->count);
        struct moments *moments = memory_new((size_t)channels, sizeof *moments);
        int64_t wanted = (int64_t)batches * batch;
        int count = wanted < view->count ? (int)wanted : view->count;
        for (int seen = 0; seen < count; seen += batch) {
            int size = count - seen < batch ? count - seen : batch;
            struct batch images = {.view = view, .index = index + seen, .count = size};
            add_batch(network, copy, plan, op_index, &images, moments);
        }
        status = network_trouble(network, error) != DEVICE_FINE ? -1 : 0;
        for (int c = 0; c < channels; c++) {
            mean[c] = (float)moments[c].mean;
            variance[c] = (float)(moments[c].squares / moments[c].count);
        }
        free(moments);
        free(index);
    }
    network_free(network);
    weights_free(copy);
    free(plan);
    return status;
}
