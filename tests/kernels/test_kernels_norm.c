/*
 * test_kernels_norm.c - the kernels for BN, its activation and the pool or addition behind them against the reference
 * backend.
 *
 * Both get the same stored values.  So all that is computed in float must agree closely for every storage type, and
 * what is stored may differ by one rounding.  Every case runs in three orders of threads and blocks, whose results must
 * be the same to the bit.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/ref/ref.h"
#include "tests/kernels/bed.h"
#include "util/bug.h"
#include "util/memory.h"

struct norm_case {
    int channels, height, width;
    int count, batch;
    enum pool_kind pool;
    int size, stride;
    bool grid;            /* values with many ties */
    enum bed_place place; /* of all tensors */
    bool accumulate;
    enum kernel_activation activation; /* KERNEL_LINEAR: something is added behind it */
};

/* Channels, height and width of z, images of the batch, images of the tensors. */
#define CASE(c, h, w, n, m, ...)                                                                                       \
    {                                                                                                                  \
        .channels = c, .height = h, .width = w, .count = n, .batch = m, __VA_ARGS__                                    \
    }
#define NONE                .pool = POOL_NONE
#define MAX(side, step)     .pool = POOL_MAX, .size = side, .stride = step
#define AVERAGE(side, step) .pool = POOL_AVERAGE, .size = side, .stride = step

static const struct norm_case cases[] = {
    CASE(1, 28, 28, 1, 2, NONE),
    CASE(3, 32, 32, 1, 1, NONE),
    CASE(4, 28, 28, 1, 2, MAX(2, 2), .grid = true),
    CASE(7, 14, 14, 2, 2, MAX(2, 2), .grid = true),
    CASE(8, 7, 7, 9, 16, MAX(2, 2), .grid = true),
    CASE(12, 7, 5, 3, 3, NONE),
    CASE(16, 3, 3, 7, 8, NONE),
    CASE(40, 7, 7, 4, 4, MAX(3, 2), .grid = true),
    CASE(40, 14, 14, 1, 2, NONE),
    CASE(8, 8, 8, 2, 2, MAX(2, 1), .grid = true),
    CASE(4, 9, 9, 3, 3, MAX(2, 3), .grid = true),
    CASE(5, 9, 7, 2, 3, AVERAGE(3, 2)),
    CASE(64, 4, 4, 3, 3, AVERAGE(4, 4)),
    CASE(3, 8, 8, 2, 2, AVERAGE(2, 2), .grid = true),
    CASE(264, 2, 2, 3, 4, AVERAGE(2, 2)),
    CASE(520, 1, 1, 6, 8, NONE),
    /* As behind an FC. */
    CASE(8, 1, 1, 64, 64, NONE),
    CASE(80, 1, 1, 33, 64, NONE),
    CASE(4, 1, 1, 1, 1, NONE),
    CASE(4, 1, 1, 1, 8, NONE),
    CASE(4, 1, 1, 2, 2, NONE),
    /* Slices of a concatenation. */
    CASE(12, 7, 7, 3, 4, NONE, .place = BED_SLICE, .accumulate = true),
    CASE(12, 7, 7, 3, 4, NONE, .place = BED_SLICE_UNALIGNED, .accumulate = true),
    CASE(24, 4, 4, 2, 2, NONE, .place = BED_SLICE),
    CASE(7, 8, 8, 2, 2, MAX(2, 2), .grid = true, .place = BED_SLICE_UNALIGNED),
    CASE(16, 6, 6, 2, 3, AVERAGE(2, 2), .place = BED_SLICE, .accumulate = true),
    CASE(16, 6, 6, 2, 3, NONE, .accumulate = true),
    CASE(5, 9, 7, 3, 4, NONE, .activation = KERNEL_HARD_SWISH),
    CASE(264, 2, 3, 5, 8, NONE, .activation = KERNEL_HARD_SWISH),
    CASE(5, 9, 7, 3, 4, NONE, .activation = KERNEL_LINEAR),
    CASE(264, 2, 3, 5, 8, NONE, .activation = KERNEL_LINEAR),
    CASE(12, 7, 7, 3, 4, NONE, .activation = KERNEL_LINEAR, .place = BED_SLICE, .accumulate = true),
    CASE(7, 8, 8, 2, 2, NONE, .activation = KERNEL_LINEAR, .place = BED_SLICE_UNALIGNED),
};

static const float bn_decay = 0.9f;

/* What went in, plain; what came out, of the reference or of the kernels.  By channel: `channels` values. */
struct arrays {
    size_t z_size, y_size;
    float *z, *gamma, *beta, *dy, *before;        /* in; `before`: what dz and daddend held */
    float *addend;                                /* in */
    float *mean, *variance;                       /* in and out: running */
    float *y, *y_inference, *dz, *dgamma, *dbeta; /* out */
    float *daddend;                               /* out */
};

static const size_t offset_of_arrays[] = {
    offsetof(struct arrays, z),        offsetof(struct arrays, gamma),   offsetof(struct arrays, beta),
    offsetof(struct arrays, dy),       offsetof(struct arrays, before),  offsetof(struct arrays, mean),
    offsetof(struct arrays, variance), offsetof(struct arrays, y),       offsetof(struct arrays, y_inference),
    offsetof(struct arrays, dz),       offsetof(struct arrays, dgamma),  offsetof(struct arrays, dbeta),
    offsetof(struct arrays, addend),   offsetof(struct arrays, daddend),
};

static int pooled(int side, const struct norm_case *c)
{
    return c->pool ? (side - c->size) / c->stride + 1 : side;
}

static void arrays_draw(const struct norm_case *c, const struct bed_type *type, uint32_t number, struct arrays *a)
{
    struct random_stream stream = random_stream_new(number, RANDOM_TEST, 20, 0);
    size_t channels = (size_t)c->channels;
    a->z_size = (size_t)c->count * channels * c->height * c->width;
    a->y_size = (size_t)c->count * channels * pooled(c->height, c) * pooled(c->width, c);
    size_t sizes[COUNT_OF(offset_of_arrays)] = {a->z_size, channels, channels,  a->y_size, a->z_size,
                                                channels,  channels, a->y_size, a->y_size, a->z_size,
                                                channels,  channels, a->y_size, a->y_size};
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        *(float **)((char *)a + offset_of_arrays[i]) = bed_floats(sizes[i]);
    bed_draw(&stream, type, c->grid, a->z_size, a->z);
    bed_draw(&stream, type, false, a->y_size, a->dy);
    bed_draw(&stream, type, false, a->z_size, a->before);
    bed_draw(&stream, type, false, a->y_size, a->addend);
    for (size_t i = 0; i < channels; i++) {
        a->gamma[i] = (random_below(&stream, 4) ? 1 : -1) * (0.5f + random_uniform(&stream));
        a->beta[i] = 0.5f * random_normal(&stream);
        a->mean[i] = random_normal(&stream);
        a->variance[i] = 0.5f + 4 * random_uniform(&stream);
    }
}

static void arrays_done(struct arrays *a)
{
    for (size_t i = 0; i < COUNT_OF(offset_of_arrays); i++)
        free(*(float **)((char *)a + offset_of_arrays[i]));
}

/* --- the reference --- */

static void reference(const struct norm_case *c, struct arrays *a)
{
    int channels = c->channels, planes = c->count * channels;
    struct op op = {.kind = OP_CONV_BN_RELU, .channels = channels, .height = c->height, .width = c->width};
    op.kind = c->activation == KERNEL_LINEAR ? OP_CONV_BN_ADD : op.kind;
    op.hard_swish = c->activation == KERNEL_HARD_SWISH;
    op.pool = c->pool;
    op.pool_size = c->size;
    op.pool_stride = c->stride;
    op.weights = (struct weights_layer){.gamma = 0, .beta = channels, .mean = 2 * channels, .variance = 3 * channels};
    float *values = bed_floats(4 * (size_t)channels), *gradients = bed_floats(2 * (size_t)channels);
    float *activation = bed_floats(a->z_size), *mean = bed_floats((size_t)channels);
    float *inverse_std = bed_floats((size_t)channels);
    const float *parts[4] = {a->gamma, a->beta, a->mean, a->variance};
    for (int i = 0; i < 4; i++)
        memcpy(values + i * channels, parts[i], (size_t)channels * sizeof *values);
    struct op_run run = {.op = &op, .count = c->count, .bn_decay = bn_decay, .values = values, .gradients = gradients};
    for (int training = 0; training < 2; training++) {
        float *y = training ? a->y : a->y_inference;
        run.training = training;
        ref_norm_statistics(&run, a->z, mean, inverse_std);
        ref_norm_apply(&run, a->z, mean, inverse_std, c->pool ? activation : y);
        if (c->pool)
            ref_pool_forward(&op, planes, c->height, c->width, activation, y);
        else
            memcpy(activation, y, a->z_size * sizeof *y);
        for (size_t i = 0; c->activation == KERNEL_LINEAR && i < a->y_size; i++)
            y[i] += a->addend[i];
    }
    for (size_t i = 0; i < a->y_size; i++)
        a->daddend[i] = c->activation == KERNEL_LINEAR ? a->dy[i] + (c->accumulate ? a->before[i] : 0) : 0;
    if (c->pool)
        ref_pool_backward(&op, planes, c->height, c->width, activation, a->dy, a->dz);
    else
        memcpy(a->dz, a->dy, a->z_size * sizeof *a->dz);
    ref_norm_gradient(&run, (struct ref_saved){mean, inverse_std, a->z}, a->dz);
    for (size_t i = 0; c->accumulate && i < a->z_size; i++)
        a->dz[i] += a->before[i];
    memcpy(a->mean, values + 2 * channels, (size_t)channels * sizeof *values);
    memcpy(a->variance, values + 3 * channels, (size_t)channels * sizeof *values);
    memcpy(a->dgamma, gradients, (size_t)channels * sizeof *values);
    memcpy(a->dbeta, gradients + channels, (size_t)channels * sizeof *values);
    free(values);
    free(gradients);
    free(activation);
    free(mean);
    free(inverse_std);
}

/* --- the kernels --- */

/* Device memory of one case.  By channel: KERNEL_ROUND(channels) values. */
struct device_arrays {
    const struct norm_case *c;
    const struct bed_type *type;
    struct bed_tensor z, y, dy, dz, addend, daddend;
    struct kernel_step step;
    struct kernel_window window;
    float *gamma, *beta, *running_mean, *running_variance, *mean, *inverse_std, *partials;
    float *dgamma, *dbeta, *mean_gradient, *mean_product;
    unsigned tickets[8];
};

/* A kernel leaves them as it found them. */
static void check_tickets(const struct device_arrays *d)
{
    assert_true(KERNEL_TICKETS(d->c->channels) <= (int)COUNT_OF(d->tickets));
    for (size_t i = 0; i < COUNT_OF(d->tickets); i++)
        assert_int_equal(d->tickets[i], 0);
}

static float *by_channel(const struct norm_case *c, const float *values)
{
    float *padded = bed_floats((size_t)KERNEL_ROUND(c->channels));
    for (int i = 0; values && i < KERNEL_ROUND(c->channels); i++)
        padded[i] = i < c->channels ? values[i] : 0;
    return padded;
}

static void device_init(struct device_arrays *d, const struct norm_case *c, const struct bed_type *type,
                        const struct arrays *a)
{
    int rows = c->batch * c->height * c->width, ph = pooled(c->height, c), pw = pooled(c->width, c);
    *d = (struct device_arrays){
        .c = c,
        .type = type,
        .z = bed_tensor_new(type, c->place, c->batch, c->channels, c->height * c->width),
        .y = bed_tensor_new(type, c->place, c->batch, c->channels, ph * pw),
        .dy = bed_tensor_new(type, c->place, c->batch, c->channels, ph * pw),
        .dz = bed_tensor_new(type, c->place, c->batch, c->channels, c->height * c->width),
        .addend = bed_tensor_new(type, c->place, c->batch, c->channels, ph * pw),
        .daddend = bed_tensor_new(type, c->place, c->batch, c->channels, ph * pw),
        .step = {.count = c->count, .bn_decay = bn_decay},
        .window = {c->pool == POOL_AVERAGE, c->size, c->stride, ph, pw, NULL},
        .gamma = by_channel(c, a->gamma),
        .beta = by_channel(c, a->beta),
        .running_mean = by_channel(c, a->mean),
        .running_variance = by_channel(c, a->variance),
        .mean = by_channel(c, NULL),
        .inverse_std = by_channel(c, NULL),
        .partials = bed_floats((size_t)kernel_partials(rows, c->channels)),
        .dgamma = by_channel(c, NULL),
        .dbeta = by_channel(c, NULL),
        .mean_gradient = by_channel(c, NULL),
        .mean_product = by_channel(c, NULL),
    };
    if (c->pool == POOL_MAX)
        d->window.choice = (uint16_t *)bed_floats((size_t)c->batch * ph * pw * KERNEL_ROUND(c->channels) / 2);
    bed_write(&d->z, c->count, a->z);
    bed_write(&d->dy, c->count, a->dy);
    bed_write(&d->addend, c->count, a->addend);
    bed_zero(&d->daddend);
    if (c->accumulate && !c->pool)
        bed_write(&d->daddend, c->count, a->before);
    if (c->accumulate) {
        bed_zero(&d->dz); /* as kernels leave the images beyond the count */
        bed_write(&d->dz, c->count, a->before);
    }
}

static void device_done(struct device_arrays *d)
{
    struct bed_tensor *tensors[] = {&d->z, &d->y, &d->dy, &d->dz, &d->addend, &d->daddend};
    float *floats[] = {d->gamma,    d->beta,   d->running_mean, d->running_variance, d->mean,        d->inverse_std,
                       d->partials, d->dgamma, d->dbeta,        d->mean_gradient,    d->mean_product};
    for (size_t i = 0; i < COUNT_OF(tensors); i++)
        bed_tensor_done(tensors[i]);
    for (size_t i = 0; i < COUNT_OF(floats); i++)
        free(floats[i]);
    free(d->window.choice);
}

/* `whole`: by the kernels for small maps, which do it in one launch. */
static void forward(struct device_arrays *d, bool training, bool whole)
{
    const struct norm_case *c = d->c;
    int positions = c->height * c->width, pooled_rows = c->batch * d->window.pooled_height * d->window.pooled_width;
    struct kernel_norm_moments moments = {&d->step,       c->batch,        positions,          c->channels,
                                          d->z.map,       d->partials,     d->tickets,         d->mean,
                                          d->inverse_std, d->running_mean, d->running_variance};
    if (training && !whole) {
        bed_launch("norm_moments", d->type, kernel_grid_sums(c->batch * positions, c->channels), &moments);
        check_tickets(d);
    }
    struct kernel_norm_forward arguments = {
        .step = &d->step,
        .batch = c->batch,
        .channels = c->channels,
        .height = c->height,
        .width = c->width,
        .mean = training ? d->mean : d->running_mean,
        .inverse_std = training ? d->inverse_std : NULL,
        .variance = training ? NULL : d->running_variance,
        .gamma = d->gamma,
        .beta = d->beta,
        .z = d->z.map,
        .y = d->y.map,
        .window = d->window,
    };
    if (!training)
        arguments.window.choice = NULL;
    arguments.activation = c->activation;
    if (c->activation == KERNEL_LINEAR)
        arguments.addend = d->addend.map;
    if (training && whole)
        bed_launch(c->pool ? "norm_pool_whole_forward" : "norm_whole_forward", d->type, kernel_grid_whole(c->channels),
                   &(struct kernel_norm_whole){moments, arguments});
    else
        bed_launch(c->pool ? "norm_pool_forward" : "norm_forward", d->type, kernel_grid_rows(pooled_rows, c->channels),
                   &arguments);
}

static void backward(struct device_arrays *d, bool whole)
{
    const struct norm_case *c = d->c;
    int rows = c->batch * c->height * c->width;
    struct kernel_norm_backward arguments = {
        .step = &d->step,
        .batch = c->batch,
        .channels = c->channels,
        .height = c->height,
        .width = c->width,
        .mean = d->mean,
        .inverse_std = d->inverse_std,
        .gamma = d->gamma,
        .beta = d->beta,
        .z = d->z.map,
        .dy = d->dy.map,
        .window = d->window,
        .partials = d->partials,
        .tickets = d->tickets,
        .gamma_gradient = d->dgamma,
        .beta_gradient = d->dbeta,
        .mean_gradient = d->mean_gradient,
        .mean_product = d->mean_product,
        .dz = d->dz.map,
        .accumulate = c->accumulate,
        .activation = c->activation,
        .accumulate_addend = c->accumulate,
    };
    if (c->activation == KERNEL_LINEAR)
        arguments.addend_gradient = d->daddend.map;
    if (whole) {
        bed_launch(c->pool ? "norm_pool_whole_backward" : "norm_whole_backward", d->type,
                   kernel_grid_whole(c->channels), &arguments);
        return;
    }
    bed_launch(c->pool ? "norm_pool_sums" : "norm_sums", d->type, kernel_grid_sums(rows, c->channels), &arguments);
    check_tickets(d);
    bed_launch(c->pool ? "norm_pool_backward" : "norm_backward", d->type, kernel_grid_rows(rows, c->channels),
               &arguments);
}

static void read_channels(const struct norm_case *c, const float *padded, float *values)
{
    memcpy(values, padded, (size_t)c->channels * sizeof *values);
}

static void check_beside(const struct bed_tensor *tensor, int count, const char *name, const char *what)
{
    const char *wrong = bed_wrong_beside(tensor, count);
    if (wrong)
        fail_msg("%s: %s: %s", name, what, wrong);
}

static void run_kernels(const struct norm_case *c, const struct bed_type *type, const char *name, bool whole,
                        struct arrays *a)
{
    struct device_arrays device;
    device_init(&device, c, type, a);
    forward(&device, false, whole);
    bed_read(&device.y, c->count, a->y_inference);
    check_beside(&device.y, c->count, name, "y in inference");
    forward(&device, true, whole);
    backward(&device, whole);
    bed_read(&device.y, c->count, a->y);
    bed_read(&device.dz, c->count, a->dz);
    bed_read(&device.daddend, c->count, a->daddend);
    check_beside(&device.daddend, c->count, name, "the addend's gradient");
    for (size_t i = 0; c->activation != KERNEL_LINEAR && i < a->y_size; i++)
        a->daddend[i] = 0;
    check_beside(&device.y, c->count, name, "y");
    check_beside(&device.dz, c->count, name, "dz");
    read_channels(c, device.running_mean, a->mean);
    read_channels(c, device.running_variance, a->variance);
    read_channels(c, device.dgamma, a->dgamma);
    read_channels(c, device.dbeta, a->dbeta);
    for (int i = c->channels; i < KERNEL_ROUND(c->channels); i++)
        if (device.dgamma[i] != 0 || device.dbeta[i] != 0)
            fail_msg("%s: the gradients of the padding aren't zero", name);
    device_done(&device);
}

/* --- comparison --- */

static const struct {
    const char *what;
    size_t at;
    bool stored, by_channel;
} results[] = {
    {"y in inference", offsetof(struct arrays, y_inference), true, false},
    {"y", offsetof(struct arrays, y), true, false},
    {"running mean", offsetof(struct arrays, mean), false, true},
    {"running variance", offsetof(struct arrays, variance), false, true},
    {"gradient of gamma", offsetof(struct arrays, dgamma), false, true},
    {"gradient of beta", offsetof(struct arrays, dbeta), false, true},
    {"dz", offsetof(struct arrays, dz), true, false},
    {"gradient of the addend", offsetof(struct arrays, daddend), true, false},
};

static float *result_of(const struct arrays *a, size_t i)
{
    return *(float *const *)((const char *)a + results[i].at);
}

static size_t result_size(const struct norm_case *c, const struct arrays *a, size_t i)
{
    if (results[i].by_channel)
        return (size_t)c->channels;
    return results[i].at == offsetof(struct arrays, dz) ? a->z_size : a->y_size;
}

static void check_case(const struct norm_case *c, const struct bed_type *type, uint32_t number, bool whole)
{
    char name[96];
    struct arrays expected, got[SHIM_ORDERS];
    /* What a type stores changes nothing about threads: the third needs no more than one order. */
    int orders = type == &bed_types[2] ? 1 : SHIM_ORDERS;
    snprintf(name, sizeof name, "%s%s: case %u: %d channels %dx%d, %d of %d, pool %d/%d", type->suffix,
             whole ? ", whole" : "", number, c->channels, c->height, c->width, c->count, c->batch, c->size, c->stride);
    arrays_draw(c, type, number, &expected);
    reference(c, &expected);
    for (int order = 0; order < orders; order++) {
        shim_set_order(order, number);
        arrays_draw(c, type, number, &got[order]);
        run_kernels(c, type, name, whole, &got[order]);
    }
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        size_t size = result_size(c, &expected, i);
        const float *forward_order = result_of(&got[SHIM_FORWARD], i);
        ptrdiff_t wrong = bed_compare(size, result_of(&expected, i), forward_order,
                                      results[i].stored ? type->rounding : 0, 1e-5 + type->smallest);
        if (wrong >= 0)
            fail_msg("%s: %s[%td] is %.9g, the reference has %.9g", name, results[i].what, wrong,
                     (double)forward_order[wrong], (double)result_of(&expected, i)[wrong]);
        for (int order = 1; order < orders; order++)
            if (memcmp(forward_order, result_of(&got[order], i), size * sizeof *forward_order) != 0)
                fail_msg("%s: %s depends on the order of threads", name, results[i].what);
    }
    arrays_done(&expected);
    for (int order = 0; order < orders; order++)
        arrays_done(&got[order]);
}

static void against_reference(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int whole = 0; whole < 2; whole++)
            check_case(&cases[i], *state, (uint32_t)i, whole);
}

int main(void)
{
    struct CMUnitTest tests[BED_TYPES];
    for (int t = 0; t < BED_TYPES; t++)
        tests[t] = (struct CMUnitTest){bed_types[t].suffix, against_reference, NULL, NULL, (void *)&bed_types[t]};
    return _cmocka_run_group_tests("BN kernels against the reference", tests, BED_TYPES, NULL, NULL);
}
