/*
 * test_kernels_linear.c - small fully connected layers: the products inside linear_forward, linear_backward and the
 * classifier, against plain loops; what they share with the kernels of BN agrees with those to the bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/kernels/bed.h"
#include "util/bug.h"
#include "util/memory.h"

struct linear_case {
    int batch, count, inputs, outputs, classes;
};

static const struct linear_case cases[] = {
    {64, 64, 8, 8, 10}, {16, 5, 24, 13, 3}, {7, 7, 264, 20, 17}, {300, 300, 16, 9, 40}, {5, 2, 520, 8, 0},
};

static const struct bed_type *type; /* of the running test */

/* A matrix with padded rows and columns, of the type. */
static void *new_matrix(struct random_stream *stream, int rows, int used_rows, int columns, int used_columns)
{
    void *values = bed_floats((size_t)rows * columns);
    float *drawn = memory_new((size_t)rows * columns, sizeof *drawn);
    bed_draw(stream, type, false, (size_t)rows * columns, drawn);
    for (int i = 0; i < rows * columns; i++)
        type->write(values, (size_t)i, i / columns < used_rows && i % columns < used_columns ? drawn[i] : 0);
    free(drawn);
    return values;
}

static float *new_vector(struct random_stream *stream, int channels)
{
    int stored = KERNEL_ROUND(channels);
    float *values = bed_floats((size_t)stored);
    for (int i = 0; i < stored; i++)
        values[i] = i < channels ? 0.5f + random_uniform(stream) : 0;
    return values;
}

static float at(const void *matrix, int columns, int row, int column)
{
    return type->read(matrix, (size_t)row * columns + column);
}

/* sum over k of a[row][k] b[column][k], in the order of k, as the kernels have it. */
static float product(const void *a, int row, const void *b, int column, int count)
{
    float sum = 0;
    for (int k = 0; k < count; k++)
        sum += at(a, count, row, k) * at(b, count, column, k);
    return sum;
}

static void same(const char *what, const struct linear_case *c, const void *expected, const void *got, size_t bytes)
{
    if (memcmp(expected, got, bytes) != 0)
        fail_msg("%s, %s: %d images of %d, %d inputs, %d outputs", what, type->suffix, c->count, c->batch, c->inputs,
                 c->outputs);
}

static struct kernel_norm_forward forward_of(const struct linear_case *c, const struct kernel_step *step,
                                             struct kernel_norm_moments *moments, float *vectors[2], void *y)
{
    int stored = KERNEL_ROUND(c->outputs);
    return (struct kernel_norm_forward){.step = step,
                                        .batch = c->batch,
                                        .channels = c->outputs,
                                        .height = 1,
                                        .width = 1,
                                        .mean = moments->mean,
                                        .inverse_std = moments->inverse_std,
                                        .gamma = vectors[0],
                                        .beta = vectors[1],
                                        .z = moments->z,
                                        .y = {y, stored, stored}};
}

static void check_forward(const struct linear_case *c, struct random_stream *stream)
{
    int stored = KERNEL_ROUND(c->outputs);
    size_t size = (size_t)c->batch * stored;
    struct kernel_step step = {.count = c->count, .bn_decay = 0.9f};
    void *x = new_matrix(stream, c->batch, c->count, c->inputs, c->inputs);
    void *weight = new_matrix(stream, stored, c->outputs, c->inputs, c->inputs);
    float *vectors[2] = {new_vector(stream, c->outputs), new_vector(stream, c->outputs)}, *found[2][4];
    void *z[2], *y[2];
    for (int own = 0; own < 2; own++) {
        z[own] = bed_floats(size);
        y[own] = bed_floats(size);
        for (int i = 0; i < 4; i++) {
            found[own][i] = bed_floats((size_t)stored);
            memset(found[own][i], 0, (size_t)stored * sizeof(float));
        }
        struct kernel_norm_moments moments = {.step = &step,
                                              .batch = c->batch,
                                              .positions = 1,
                                              .channels = c->outputs,
                                              .z = {z[own], stored, stored},
                                              .mean = found[own][0],
                                              .inverse_std = found[own][1],
                                              .running_mean = found[own][2],
                                              .running_variance = found[own][3]};
        struct kernel_linear_forward arguments = {{.inputs = c->inputs, .x = x, .weight = weight},
                                                  {moments, forward_of(c, &step, &moments, vectors, y[own])}};
        for (int i = 0; !own && i < (int)size; i++)
            type->write(z[0], (size_t)i, product(x, i / stored, weight, i % stored, c->inputs));
        if (own)
            bed_launch("linear_forward", type, kernel_grid_whole(c->outputs), &arguments);
        else
            bed_launch("norm_whole_forward", type, kernel_grid_whole(c->outputs), &arguments.norm);
    }
    same("the product", c, z[0], z[1], size * type->bytes);
    same("its activation", c, y[0], y[1], size * type->bytes);
    for (int i = 0; i < 4; i++)
        same("its statistics", c, found[0][i], found[1][i], (size_t)stored * sizeof(float));
    for (int own = 0; own < 2; own++) {
        free(z[own]);
        free(y[own]);
        free(vectors[own]);
        for (int i = 0; i < 4; i++)
            free(found[own][i]);
    }
    free(x);
    free(weight);
}

/* The gradient of the weights, whose order of summation is the kernel's own. */
static void check_weights(const char *what, const struct linear_case *c, const void *x, const void *dz, int outputs,
                          const void *got)
{
    size_t size = (size_t)outputs * c->inputs;
    float *expected = memory_new(size, sizeof *expected), *found = memory_new(size, sizeof *found);
    for (int n = 0; n < c->count; n++)
        for (size_t i = 0; i < size; i++)
            expected[i] +=
                at(dz, outputs, n, (int)(i / (size_t)c->inputs)) * at(x, c->inputs, n, (int)(i % (size_t)c->inputs));
    for (size_t i = 0; i < size; i++)
        found[i] = type->read(got, i);
    if (bed_compare(size, expected, found, type->rounding, 1e-5) >= 0)
        fail_msg("%s, %s: %d images, %d inputs, %d outputs", what, type->suffix, c->count, c->inputs, outputs);
    free(expected);
    free(found);
}

static void check_input(const struct linear_case *c, const void *dz, const void *weight, int outputs, const void *got)
{
    size_t size = (size_t)c->batch * c->inputs;
    void *expected = bed_floats(size);
    for (size_t i = 0; i < size; i++) {
        float sum = 0;
        for (int o = 0; o < outputs; o++)
            sum += at(dz, outputs, (int)(i / (size_t)c->inputs), o) *
                   at(weight, c->inputs, o, (int)(i % (size_t)c->inputs));
        type->write(expected, i, sum);
    }
    same("the gradient of the input", c, expected, got, size * type->bytes);
    free(expected);
}

static void check_backward(const struct linear_case *c, struct random_stream *stream)
{
    int stored = KERNEL_ROUND(c->outputs), classes = KERNEL_ROUND(c->classes);
    size_t size = (size_t)c->batch * stored;
    struct kernel_step step = {.count = c->count};
    void *x = new_matrix(stream, c->batch, c->count, c->inputs, c->inputs);
    void *weight = new_matrix(stream, stored, c->outputs, c->inputs, c->inputs);
    void *z = new_matrix(stream, c->batch, c->count, stored, c->outputs);
    void *dy = new_matrix(stream, c->batch, c->count, stored, c->outputs);
    void *next_x = new_matrix(stream, c->batch, c->count, c->inputs, c->inputs);
    void *next_gradient = new_matrix(stream, c->batch, c->count, classes + 8, c->classes);
    void *gradient = bed_floats((size_t)stored * c->inputs), *dx = bed_floats((size_t)c->batch * c->inputs);
    void *next_weights = bed_floats((size_t)(classes + 8) * c->inputs), *dz[2];
    float *known[4], *found[2][4];
    unsigned ticket = 0;
    for (int i = 0; i < 4; i++)
        known[i] = new_vector(stream, c->outputs);
    for (int n = 0; n < c->count; n++) /* without the columns that are none */
        for (int o = 0; o < classes; o++)
            type->write(next_gradient, (size_t)n * classes + o, o < c->classes ? random_uniform(stream) : 0);
    for (int own = 0; own < 2; own++) {
        dz[own] = bed_floats(size);
        for (int i = 0; i < 4; i++)
            found[own][i] = bed_floats((size_t)stored);
        struct kernel_linear_backward arguments = {.norm = {.step = &step,
                                                            .batch = c->batch,
                                                            .channels = c->outputs,
                                                            .height = 1,
                                                            .width = 1,
                                                            .mean = known[0],
                                                            .inverse_std = known[1],
                                                            .gamma = known[2],
                                                            .beta = known[3],
                                                            .z = {z, stored, stored},
                                                            .dy = {dy, stored, stored},
                                                            .tickets = &ticket,
                                                            .gamma_gradient = found[own][0],
                                                            .beta_gradient = found[own][1],
                                                            .mean_gradient = found[own][2],
                                                            .mean_product = found[own][3],
                                                            .dz = {dz[own], stored, stored}},
                                                   .linear = {c->inputs, x, weight, gradient, dx},
                                                   .next_outputs = c->classes,
                                                   .next = {c->inputs, next_x, NULL, next_weights, NULL},
                                                   .next_gradient = next_gradient};
        if (own)
            bed_launch("linear_backward", type, kernel_grid_linear(c->outputs, c->classes), &arguments);
        else
            bed_launch("norm_whole_backward", type, kernel_grid_whole(c->outputs), &arguments.norm);
    }
    assert_int_equal(ticket, 0);
    same("the gradient of the product", c, dz[0], dz[1], size * type->bytes);
    for (int i = 0; i < 4; i++)
        same("the gradients of BN", c, found[0][i], found[1][i], (size_t)stored * sizeof(float));
    check_weights("the gradient of the weights", c, x, dz[1], stored, gradient);
    if (c->classes)
        check_weights("the gradient of the next weights", c, next_x, next_gradient, classes, next_weights);
    check_input(c, dz[1], weight, stored, dx);
    void *all[] = {x, weight, z, dy, next_x, next_gradient, gradient, dx, next_weights, dz[0], dz[1]};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
    for (int i = 0; i < 4; i++) {
        free(known[i]);
        free(found[0][i]);
        free(found[1][i]);
    }
}

/* The classifier's own product, and the gradient of its input. */
static void check_classifier(const struct linear_case *c, struct random_stream *stream)
{
    int stored = KERNEL_ROUND(c->classes);
    size_t size = (size_t)c->batch * stored;
    struct kernel_step step = {.count = c->count};
    void *x = new_matrix(stream, c->batch, c->count, c->inputs, c->inputs);
    void *weight = new_matrix(stream, stored, c->classes, c->inputs, c->inputs);
    float *bias = new_vector(stream, c->classes), *linear[2], *logits[2];
    void *gradient[2], *dx = bed_floats((size_t)c->batch * c->inputs);
    uint16_t *labels = memory_new((size_t)c->batch, sizeof *labels);
    for (int own = 0; own < 2; own++) {
        float *losses = bed_floats((size_t)c->batch), *sums = bed_floats((size_t)stored);
        int32_t *hits = memory_new((size_t)c->batch, sizeof *hits);
        struct kernel_queue queue = {0};
        struct kernel_result results[KERNEL_RESULTS];
        unsigned ticket = 0;
        linear[own] = bed_floats(size);
        gradient[own] = bed_floats(size);
        logits[own] = bed_floats((size_t)c->count * c->classes);
        for (int i = 0; !own && i < c->count * stored; i++)
            linear[0][i] = product(x, i / stored, weight, i % stored, c->inputs);
        struct kernel_classifier arguments = {&step, NULL,    c->batch,    c->classes, {0},  linear[own],
                                              bias,  labels,  logits[own], losses,     hits, gradient[own],
                                              sums,  &ticket, &queue,      results};
        if (own)
            arguments.product = (struct kernel_linear){c->inputs, x, weight, NULL, dx};
        bed_launch("classifier", type, kernel_grid_images(c->batch), &arguments);
        free(losses);
        free(sums);
        free(hits);
    }
    same("logits", c, logits[0], logits[1], (size_t)c->count * c->classes * sizeof(float));
    same("the gradient of the logits", c, gradient[0], gradient[1], size * type->bytes);
    check_input(c, gradient[1], weight, stored, dx);
    for (int own = 0; own < 2; own++) {
        free(linear[own]);
        free(gradient[own]);
        free(logits[own]);
    }
    void *all[] = {x, weight, bias, dx, labels};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
}

static void small_products(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int t = 0; t < BED_TYPES; t++)
            for (int order = 0; order < SHIM_ORDERS; order++) {
                struct random_stream stream = random_stream_new(6, RANDOM_TEST, 42, (uint32_t)i);
                type = &bed_types[t];
                shim_set_order((enum shim_order)order, 1);
                check_forward(&cases[i], &stream);
                check_backward(&cases[i], &stream);
                if (cases[i].classes)
                    check_classifier(&cases[i], &stream);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_products)};
    return cmocka_run_group_tests_name("kernels of small fully connected layers", tests, NULL, NULL);
}
