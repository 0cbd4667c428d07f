/* training_cost.c - see training_cost.h. */
#include "cli/training_cost.h"

#include <stdlib.h>

#include "nn/trainer.h"
#include "util/clock.h"
#include "util/memory.h"

/* Dropout takes time and memory too. */
static struct plan_options dropout_of(const struct search_options *options)
{
    return (struct plan_options){(float)options->drop_pool, (float)options->drop_fc, (float)options->drop_dense};
}

int training_cost_time(const struct arch *arch, const struct search_setup *setup, const struct search_options *options,
                       double *seconds, struct error *error)
{
    int batch = (int)options->batch;
    const struct backend *backend = device_backend(&setup->devices[0], options->precision, error);
    if (!backend)
        return -1;
    struct plan *plan = memory_new(1, sizeof *plan);
    struct weights *weights = weights_new(arch, setup->images.shape);
    struct random_stream stream = random_stream_new(0, RANDOM_INITIALISE, 0, 0);
    struct sgd sgd = {.rate = 0.01f, .momentum = 0.9f, .nesterov = true};
    struct plan_options dropout = dropout_of(options);
    weights_initialise(weights, &stream);
    plan_lower(arch, setup->images.shape, &dropout, plan);
    struct network *network = network_open(backend, plan, batch, NETWORK_TRAINING, weights, NULL, error);
    if (network) {
        int count = setup->train.count < batch ? setup->train.count : batch, images = 0;
        struct batch data = {.view = &setup->train, .index = setup->train.index, .count = count};
        network_train(network, &data, &sgd, 0.9f, 0);
        network_finish(network);
        double begin = clock_monotonic();
        do {
            network_train(network, &data, &sgd, 0.9f, 0);
            images += count;
        } while (clock_monotonic() - begin < 1);
        network_finish(network);
        *seconds = (clock_monotonic() - begin) / images;
        network_free(network);
    }
    weights_free(weights);
    free(plan);
    return network ? 0 : -1;
}

int64_t training_cost_memory(const struct arch *arch, const struct search_setup *setup,
                             const struct search_options *options)
{
    const struct backend *backend = device_backend(&setup->devices[0], options->precision, NULL);
    struct training training = {.batch = (int)options->batch,
                                .drop_pool = (float)options->drop_pool,
                                .drop_fc = (float)options->drop_fc,
                                .drop_dense = (float)options->drop_dense};
    int evaluated = setup->test.count > setup->validate.count ? setup->test.count : setup->validate.count;
    return train_bytes(backend, arch, setup->images.shape, &training, evaluated) + train_workspaces(backend);
}

int training_cost_devices(const struct search_setup *setup)
{
    int count = 0;
    for (int i = 0; i < setup->device_count; i++) {
        const struct device *device = &setup->devices[i];
        count += !i || !device->cuda || !device[-1].cuda || device[-1].gpu != device->gpu;
    }
    return count;
}
