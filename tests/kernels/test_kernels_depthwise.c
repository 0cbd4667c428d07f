/*
 * test_kernels_depthwise.c - the kernels of depthwise convolutions against the reference backend.
 *
 * Both get the same stored values: of the operation cases of tests/op_case_list.c, and of more channels than a block
 * covers.  Every case runs in three orders of threads and blocks, whose results must be the same to the bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/ref/ref.h"
#include "tests/kernels/bed.h"
#include "tests/op_cases.h"
#include "util/bug.h"
#include "util/memory.h"

/* Two groups of octets, and what a block's rows leave over. */
static const struct op_case more_cases[] = {
    {.kind = OP_DEPTHWISE_BN_RELU,
     .inputs = 264,
     .outputs = 264,
     .height = 4,
     .width = 4,
     .kernel = 3,
     .stride = 1,
     .count = 3,
     .batch = 4},
    {.kind = OP_DEPTHWISE_BN_RELU,
     .inputs = 520,
     .outputs = 520,
     .height = 3,
     .width = 5,
     .kernel = 11,
     .stride = 2,
     .count = 2,
     .batch = 2},
    {.kind = OP_DEPTHWISE_BN_RELU,
     .inputs = 8,
     .outputs = 8,
     .height = 21,
     .width = 20,
     .kernel = 7,
     .stride = 1,
     .count = 5,
     .batch = 6},
};

/* Multiply-adds of a case that runs once only. */
enum { LARGE = 80000 };

/* What comes out, plain; by channel and by tap without padding. */
enum {
    RESULT_Z,
    RESULT_MEAN,
    RESULT_RUNNING_MEAN,
    RESULT_RUNNING_VARIANCE,
    RESULT_Y,
    RESULT_WEIGHTS,
    RESULT_DX,
    RESULTS
};

static const struct {
    const char *name;
    bool stored; /* in the type */
} results[RESULTS] = {{"z", true},
                      {"mean", false},
                      {"running mean", false},
                      {"running variance", false},
                      {"y in inference", true},
                      {"gradient of weights", true},
                      {"dx", true}};

struct depthwise_test {
    const struct op_case *of;
    const struct bed_type *type;
    struct plan *plan;
    int batch, taps;
    struct op_arrays in; /* rounded to the type, but for what is by channel; dy: the gradient of z */
    size_t sizes[RESULTS];
};

static void test_init(struct depthwise_test *test, const struct op_case *of, const struct bed_type *type)
{
    *test = (struct depthwise_test){.of = of, .type = type, .plan = memory_new(1, sizeof *test->plan)};
    test->batch = of->batch ? of->batch : of->count;
    test->taps = of->kernel * of->kernel;
    op_case_plan(of, test->plan);
    op_arrays_draw(of, test->plan, OP_DATA_GRID, 1, &test->in);
    for (size_t i = 0; i < test->in.y_size; i++)
        test->in.dy[i] = bed_rounded(type, test->in.dy[i]);
    size_t channels = (size_t)of->inputs,
           sizes[RESULTS] = {test->in.y_size, channels,        channels,
                             channels,        test->in.y_size, channels * (size_t)test->taps,
                             test->in.x_size};
    memcpy(test->sizes, sizes, sizeof sizes);
}

static void test_done(struct depthwise_test *test)
{
    op_arrays_done(&test->in);
    free(test->plan);
}

static void results_init(const struct depthwise_test *test, float *out[RESULTS])
{
    for (int i = 0; i < RESULTS; i++)
        out[i] = bed_floats(test->sizes[i]);
}

static void results_done(float *out[RESULTS])
{
    for (int i = 0; i < RESULTS; i++)
        free(out[i]);
}

/* --- the reference --- */

static void reference(const struct depthwise_test *test, float *out[RESULTS])
{
    const struct op *op = &test->plan->ops[0];
    size_t channels = (size_t)op->channels;
    float *inverse_std = bed_floats(channels), *mean = bed_floats(channels), *z = bed_floats(test->in.y_size);
    struct op_run run = {.plan = test->plan, .op = op, .count = test->of->count, .bn_decay = 0.9f};
    run.values = bed_floats(test->in.total);
    run.gradients = bed_floats(test->in.trained);
    run.x = test->in.x;
    run.dy = test->in.dy;
    run.y = z;
    run.dx = test->of->first ? NULL : out[RESULT_DX];
    memcpy(run.values, test->in.values, test->in.total * sizeof(float));
    ref_conv_forward(&run); /* with the geometry of a depthwise operation */
    ref_conv_backward(&run);
    memcpy(out[RESULT_WEIGHTS], run.gradients, test->sizes[RESULT_WEIGHTS] * sizeof(float));
    ref_norm_statistics(&run, z, mean, inverse_std); /* the running ones */
    ref_norm_apply(&run, z, mean, inverse_std, out[RESULT_Y]);
    for (size_t i = 0; i < test->in.y_size; i++)
        out[RESULT_Z][i] = bed_rounded(test->type, z[i]);
    run.training = true;
    ref_norm_statistics(&run, out[RESULT_Z], out[RESULT_MEAN], inverse_std);
    memcpy(out[RESULT_RUNNING_MEAN], run.values + op->weights.mean, channels * sizeof(float));
    memcpy(out[RESULT_RUNNING_VARIANCE], run.values + op->weights.variance, channels * sizeof(float));
    float *floats[] = {inverse_std, mean, z, run.values, run.gradients};
    for (size_t i = 0; i < COUNT_OF(floats); i++)
        free(floats[i]);
}

/* --- the kernels --- */

struct device {
    struct bed_tensor x, z, y, dz, dx;
    struct kernel_step step;
    void *weights, *gradient; /* of the type: [tap][channel] */
    float *by_channel[6];     /* mean, 1/std, running mean and variance, gamma, beta */
    float *partials, *filter_partials;
    unsigned *tickets;
    int ticket_count;
};

static float *padded(const float *values, int channels)
{
    float *copy = bed_floats((size_t)KERNEL_ROUND(channels));
    for (int c = 0; values && c < KERNEL_ROUND(channels); c++)
        copy[c] = c < channels ? values[c] : 0;
    return copy;
}

static void device_init(struct device *d, const struct depthwise_test *test)
{
    const struct op_case *of = test->of;
    const struct op *op = &test->plan->ops[0];
    const float *values = test->in.values;
    int channels = of->inputs, stored = KERNEL_ROUND(channels), in = of->height * of->width,
        out = op->height * op->width;
    enum bed_place x = of->in_after ? BED_SLICE_UNALIGNED : BED_OWN, y = of->out_before ? BED_SLICE_UNALIGNED : BED_OWN;
    *d = (struct device){.x = bed_tensor_new(test->type, x, test->batch, channels, in),
                         .z = bed_tensor_new(test->type, BED_OWN, test->batch, channels, out),
                         .y = bed_tensor_new(test->type, y, test->batch, channels, out),
                         .dz = bed_tensor_new(test->type, BED_OWN, test->batch, channels, out),
                         .dx = bed_tensor_new(test->type, x, test->batch, channels, in),
                         .step = {.count = of->count, .bn_decay = 0.9f}};
    d->weights = bed_floats((size_t)test->taps * stored);
    d->gradient = bed_floats((size_t)test->taps * stored);
    for (int tap = 0; tap < test->taps; tap++)
        for (int c = 0; c < stored; c++)
            test->type->write(d->weights, (size_t)tap * stored + c, c < channels ? values[c * test->taps + tap] : 0);
    const int64_t parts[6] = {-1, -1, op->weights.mean, op->weights.variance, op->weights.gamma, op->weights.beta};
    for (int i = 0; i < 6; i++)
        d->by_channel[i] = padded(parts[i] < 0 ? NULL : values + parts[i], channels);
    d->partials = bed_floats((size_t)kernel_partials(test->batch * out, channels));
    d->filter_partials = bed_floats((size_t)kernel_depthwise_partials(test->batch * out, channels, of->kernel));
    d->ticket_count = KERNEL_DEPTHWISE_TICKETS(channels, of->kernel);
    d->tickets = memory_new((size_t)d->ticket_count, sizeof *d->tickets);
    bed_write(&d->x, of->count, test->in.x);
    bed_write(&d->dz, of->count, test->in.dy);
}

static void device_done(struct device *d)
{
    struct bed_tensor *tensors[] = {&d->x, &d->z, &d->y, &d->dz, &d->dx};
    for (size_t i = 0; i < COUNT_OF(tensors); i++)
        bed_tensor_done(tensors[i]);
    for (size_t i = 0; i < COUNT_OF(d->by_channel); i++)
        free(d->by_channel[i]);
    void *memory[] = {d->weights, d->gradient, d->partials, d->filter_partials, d->tickets};
    for (size_t i = 0; i < COUNT_OF(memory); i++)
        free(memory[i]);
}

static void launch_all(struct device *d, const struct depthwise_test *test)
{
    const struct op_case *of = test->of;
    const struct op *op = &test->plan->ops[0];
    int channels = of->inputs, positions = op->height * op->width, rows = test->batch * positions;
    struct kernel_depthwise shape = {of->kernel, of->stride, of->height, of->width, op->height, op->width, d->weights};
    float **by = d->by_channel;
    struct kernel_norm_forward norm = {.step = &d->step,
                                       .batch = test->batch,
                                       .channels = channels,
                                       .height = op->height,
                                       .width = op->width,
                                       .mean = by[2],
                                       .variance = by[3],
                                       .gamma = by[4],
                                       .beta = by[5],
                                       .y = d->y.map,
                                       .activation = of->hard_swish ? KERNEL_HARD_SWISH : KERNEL_RELU};
    bed_launch("depthwise_infer", test->type, kernel_grid_rows(rows, channels),
               &(struct kernel_depthwise_infer){shape, d->x.map, norm});
    struct kernel_norm_moments moments = {&d->step,   test->batch, positions, channels, d->z.map, d->partials,
                                          d->tickets, by[0],       by[1],     by[2],    by[3]};
    bed_launch("depthwise_moments", test->type, kernel_grid_sums(rows, channels),
               &(struct kernel_depthwise_moments){shape, d->x.map, moments});
    struct kernel_map dx = of->first ? (struct kernel_map){0} : d->dx.map;
    bed_launch("depthwise_backward", test->type, kernel_grid_depthwise(rows, channels, of->kernel, dx.data),
               &(struct kernel_depthwise_backward){shape, &d->step, test->batch, channels, d->x.map, d->dz.map, dx,
                                                   d->gradient, d->filter_partials, d->tickets});
    for (int i = 0; i < d->ticket_count; i++)
        assert_int_equal(d->tickets[i], 0);
}

static void check_beside(const struct bed_tensor *tensor, int count, const char *name, const char *what)
{
    const char *wrong = bed_wrong_beside(tensor, count);
    if (wrong)
        fail_msg("%s: %s: %s", name, what, wrong);
}

static void run_kernels(const struct depthwise_test *test, const char *name, float *out[RESULTS])
{
    int channels = test->of->inputs, stored = KERNEL_ROUND(channels), count = test->of->count;
    struct device device;
    device_init(&device, test);
    launch_all(&device, test);
    bed_read(&device.z, count, out[RESULT_Z]);
    bed_read(&device.y, count, out[RESULT_Y]);
    check_beside(&device.y, count, name, "y");
    if (!test->of->first) {
        bed_read(&device.dx, count, out[RESULT_DX]);
        check_beside(&device.dx, count, name, "dx");
    }
    memcpy(out[RESULT_MEAN], device.by_channel[0], (size_t)channels * sizeof(float));
    memcpy(out[RESULT_RUNNING_MEAN], device.by_channel[2], (size_t)channels * sizeof(float));
    memcpy(out[RESULT_RUNNING_VARIANCE], device.by_channel[3], (size_t)channels * sizeof(float));
    for (int tap = 0; tap < test->taps; tap++)
        for (int c = 0; c < stored; c++) {
            float value = test->type->read(device.gradient, (size_t)tap * stored + c);
            if (c < channels)
                out[RESULT_WEIGHTS][c * test->taps + tap] = value;
            else if (value != 0)
                fail_msg("%s: the weights' gradient isn't zero in the padding", name);
        }
    device_done(&device);
}

static void check_case(const struct op_case *of, const struct bed_type *type)
{
    char name[OP_CASE_NAME];
    struct depthwise_test test;
    float *expected[RESULTS], *got[SHIM_ORDERS][RESULTS];
    op_case_name(of, name);
    test_init(&test, of, type);
    /* What a type stores changes nothing about threads. */
    bool large = test.in.y_size * (size_t)test.taps > LARGE, first = type == &bed_types[0];
    int orders = first && !large ? SHIM_ORDERS : 1;
    if (large && !first) {
        test_done(&test);
        return;
    }
    results_init(&test, expected);
    reference(&test, expected);
    for (int order = 0; order < orders; order++) {
        shim_set_order((enum shim_order)order, 7);
        results_init(&test, got[order]);
        run_kernels(&test, name, got[order]);
    }
    for (int i = 0; i < RESULTS; i++) {
        if (i == RESULT_DX && of->first)
            continue;
        ptrdiff_t wrong = bed_compare(test.sizes[i], expected[i], got[0][i], results[i].stored ? type->rounding : 0,
                                      1e-5 + type->smallest);
        if (wrong >= 0)
            fail_msg("%s, %s: %s[%td] is %.9g, the reference has %.9g", name, type->suffix, results[i].name, wrong,
                     (double)got[0][i][wrong], (double)expected[i][wrong]);
        for (int order = 1; order < orders; order++)
            if (memcmp(got[0][i], got[order][i], test.sizes[i] * sizeof(float)) != 0)
                fail_msg("%s: %s depends on the order of threads", name, results[i].name);
    }
    for (int order = 0; order < orders; order++)
        results_done(got[order]);
    results_done(expected);
    test_done(&test);
}

static void against_reference(void **state)
{
    int checked = 0;
    for (int i = 0; i < op_case_count; i++)
        if (op_cases[i].kind == OP_DEPTHWISE_BN_RELU && ++checked)
            check_case(&op_cases[i], *state);
    for (size_t i = 0; i < COUNT_OF(more_cases); i++)
        check_case(&more_cases[i], *state);
    assert_true(checked > 20);
}

int main(void)
{
    struct CMUnitTest tests[BED_TYPES];
    for (int t = 0; t < BED_TYPES; t++)
        tests[t] = (struct CMUnitTest){bed_types[t].suffix, against_reference, NULL, NULL, (void *)&bed_types[t]};
    return _cmocka_run_group_tests("depthwise kernels against the reference", tests, BED_TYPES, NULL, NULL);
}
