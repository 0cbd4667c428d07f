/*
 * test_kernels_tensor.c - the kernels for load, pools, dropout, copies and sums against the reference backend, for
 * every storage type, place of a tensor and order of threads.
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

struct kernel_test {
    const struct bed_type *type;
    enum shim_order order;
};

static void expect(const char *what, const struct bed_tensor *tensor, int count, const float *expected, double relative,
                   double absolute)
{
    size_t size = (size_t)count * tensor->channels * tensor->positions;
    float *got = bed_floats(size);
    bed_read(tensor, count, got);
    ptrdiff_t wrong = bed_compare(size, expected, got, relative, absolute);
    if (wrong >= 0)
        fail_msg("%s: %s, %d channels, %d positions, %d of %d images: value %td is %.9g, the reference has %.9g",
                 tensor->type->suffix, what, tensor->channels, tensor->positions, count, tensor->batch, wrong,
                 (double)got[wrong], (double)expected[wrong]);
    const char *beside = bed_wrong_beside(tensor, count);
    if (beside)
        fail_msg("%s: %s, %d channels: %s", tensor->type->suffix, what, tensor->channels, beside);
    free(got);
}

/* The values after they were stored as that type. */
static void round_all(const struct bed_type *type, size_t size, float *values)
{
    for (size_t i = 0; i < size; i++)
        values[i] = bed_rounded(type, values[i]);
}

static void add_all(const struct bed_type *type, size_t size, const float *more, float *values)
{
    for (size_t i = 0; i < size; i++)
        values[i] = bed_rounded(type, values[i] + more[i]);
}

/* --- load --- */

enum { IMAGES = 40, FIRST = 5 };

/* Images, an epoch's order and augmentation, all drawn. */
struct data {
    struct images images;
    struct view view;
    int32_t index[IMAGES];
    struct augment augment[IMAGES];
};

static void data_draw(struct data *data, struct shape shape)
{
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 30, 0);
    size_t bytes = (size_t)IMAGES * shape.channels * shape.height * shape.width;
    *data = (struct data){.images = {.count = IMAGES, .classes = 10, .shape = shape}};
    data->images.pixels = memory_new(bytes, 1);
    data->images.labels = memory_new(IMAGES, sizeof *data->images.labels);
    data->view = (struct view){.images = &data->images, .index = data->index, .count = IMAGES};
    for (size_t i = 0; i < bytes; i++)
        data->images.pixels[i] = (uint8_t)random_below(&stream, 256);
    for (int i = 0; i < IMAGES; i++) {
        data->images.labels[i] = (uint16_t)(1 + random_below(&stream, 9));
        data->index[i] = (int32_t)random_below(&stream, IMAGES);
        data->augment[i] = (struct augment){(int8_t)(random_below(&stream, 9) - 4),
                                            (int8_t)(random_below(&stream, 9) - 4), random_below(&stream, 2)};
    }
    for (int c = 0; c < shape.channels; c++) {
        data->view.scale[c] = 0.01f + 0.02f * random_uniform(&stream);
        data->view.shift[c] = -random_uniform(&stream);
    }
}

static void check_load(const struct kernel_test *test, struct shape shape, int count, int batch, bool augmented)
{
    struct data data;
    data_draw(&data, shape);
    struct batch images = {&data.view, data.index + FIRST, augmented ? data.augment + FIRST : NULL, count, NULL};
    struct tensor tensor = {.channels = shape.channels, .height = shape.height, .width = shape.width};
    size_t size = ref_tensor_size(&tensor, count);
    float *expected = memory_new_aligned(backend_ref.tensor_bytes(&tensor, count));
    backend_ref.load(NULL, &tensor, &images, expected, NULL);
    round_all(test->type, size, expected);

    struct bed_tensor x = bed_tensor_new(test->type, BED_OWN, batch, shape.channels, shape.height * shape.width);
    uint16_t *labels = memory_new((size_t)batch, sizeof *labels);
    struct kernel_queue *queue = memory_new(1, sizeof *queue + 4 * KERNEL_STEP_BYTES(batch));
    struct kernel_step step = {0}, *next = KERNEL_QUEUE_STEP(queue, batch, 3);
    int32_t *index = (int32_t *)(next + 1);
    *queue = (struct kernel_queue){.next = 3, .count = 4};
    *next = (struct kernel_step){.count = count};
    memcpy(index, data.index + FIRST, (size_t)count * sizeof *index);
    memcpy(index + batch, data.augment + FIRST, (size_t)count * 3);
    struct kernel_load arguments = {.queue = queue,
                                    .step = &step,
                                    .pixels = data.images.pixels,
                                    .labels = data.images.labels,
                                    .augmented = augmented,
                                    .batch = batch,
                                    .channels = shape.channels,
                                    .height = shape.height,
                                    .width = shape.width,
                                    .x = x.memory,
                                    .batch_labels = labels};
    memcpy(arguments.normalise, data.view.scale, sizeof arguments.normalise);
    memcpy(arguments.shift, data.view.shift, sizeof arguments.shift);
    memset(labels, 0xff, (size_t)batch * sizeof *labels);
    bed_launch("load", test->type, kernel_grid_items((int64_t)batch * shape.height * shape.width), &arguments);
    assert_memory_equal(&step, next, sizeof step); /* the other kernels read it */
    expect(augmented ? "load, augmented" : "load", &x, count, expected, 0, 0);
    for (int n = 0; n < batch; n++)
        assert_int_equal(labels[n], n < count ? data.images.labels[data.index[FIRST + n]] : 0);
    bed_tensor_done(&x);
    free(queue);
    free(labels);
    free(expected);
    free(data.images.pixels);
    free(data.images.labels);
}

static void load(void **state)
{
    _Static_assert(sizeof(struct augment) == 3 && offsetof(struct augment, dy) == 1 &&
                       offsetof(struct augment, flip) == 2,
                   "the kernel reads three bytes: dx, dy, flip");
    const struct shape shapes[] = {{1, 28, 28}, {3, 32, 32}, {4, 5, 9}, {2, 1, 1}, {5, 6, 4}, {16, 4, 7}};
    for (size_t s = 0; s < COUNT_OF(shapes); s++)
        for (int augmented = 0; augmented < 2; augmented++) {
            check_load(*state, shapes[s], 4, 4, augmented);
            check_load(*state, shapes[s], 3, 16, augmented);
        }
}

/* --- pools --- */

struct pool_case {
    int channels, height, width, count, batch, size, stride;
    bool average, accumulate;
    enum bed_place place;
};

static const struct pool_case pool_cases[] = {
    {4, 8, 8, 2, 3, 2, 2, false, false, BED_OWN},    {1, 28, 28, 2, 2, 2, 2, false, false, BED_OWN},
    {5, 7, 9, 2, 2, 2, 1, false, false, BED_OWN},    {12, 9, 7, 2, 2, 3, 2, false, true, BED_OWN},
    {3, 8, 8, 1, 4, 2, 3, false, false, BED_SLICE},  {40, 7, 7, 2, 2, 7, 1, false, false, BED_OWN},
    {8, 20, 20, 1, 1, 20, 1, false, false, BED_OWN}, /* a window of more places than a byte counts */
    {16, 4, 4, 3, 4, 4, 4, true, false, BED_OWN},    {7, 9, 7, 2, 3, 3, 2, true, true, BED_SLICE_UNALIGNED},
    {3, 1, 1, 2, 2, 1, 1, false, false, BED_OWN},    {264, 2, 2, 1, 2, 2, 2, true, true, BED_SLICE},
};

static void check_pool(const struct kernel_test *test, const struct pool_case *c)
{
    const struct bed_type *type = test->type;
    struct random_stream stream = random_stream_new(2, RANDOM_TEST, 31, 0);
    int ph = (c->height - c->size) / c->stride + 1, pw = (c->width - c->size) / c->stride + 1;
    int planes = c->count * c->channels;
    size_t x_size = (size_t)planes * c->height * c->width, y_size = (size_t)planes * ph * pw;
    float *x = bed_floats(x_size), *y = bed_floats(y_size), *dy = bed_floats(y_size), *dx = bed_floats(x_size);
    float *before = bed_floats(x_size);
    struct op op = {.pool = c->average ? POOL_AVERAGE : POOL_MAX, .pool_size = c->size, .pool_stride = c->stride};
    bed_draw(&stream, type, true, x_size, x);
    bed_draw(&stream, type, false, y_size, dy);
    bed_draw(&stream, type, false, x_size, before);
    ref_pool_forward(&op, planes, c->height, c->width, x, y);
    ref_pool_backward(&op, planes, c->height, c->width, x, dy, dx);
    if (c->accumulate)
        add_all(type, x_size, before, dx);

    struct bed_tensor tx = bed_tensor_new(type, c->place, c->batch, c->channels, c->height * c->width);
    struct bed_tensor ty = bed_tensor_new(type, c->place, c->batch, c->channels, ph * pw);
    struct bed_tensor tdy = bed_tensor_new(type, c->place, c->batch, c->channels, ph * pw);
    struct bed_tensor tdx = bed_tensor_new(type, c->place, c->batch, c->channels, c->height * c->width);
    struct kernel_step step = {.count = c->count};
    struct kernel_window window = {c->average, c->size, c->stride, ph, pw, NULL};
    if (!c->average)
        window.choice = (uint16_t *)bed_floats((size_t)c->batch * ph * pw * KERNEL_ROUND(c->channels) / 2);
    bed_write(&tx, c->count, x);
    bed_write(&tdy, c->count, dy);
    bed_zero(&tdx);
    bed_write(&tdx, c->count, before);
    bed_launch(
        "pool_forward", type, kernel_grid_rows((int64_t)c->batch * ph * pw, c->channels),
        &(struct kernel_pool_forward){&step, c->batch, c->channels, c->height, c->width, tx.map, ty.map, window});
    bed_launch("pool_backward", type, kernel_grid_rows((int64_t)c->batch * c->height * c->width, c->channels),
               &(struct kernel_pool_backward){&step, c->batch, c->channels, c->height, c->width, tdy.map, tdx.map,
                                              window, c->accumulate});
    double rounding = c->average || c->accumulate || c->stride < c->size ? type->rounding : 0;
    expect("pool, y", &ty, c->count, y, c->average ? rounding : 0, c->average ? 1e-6 : 0);
    expect("pool, dx", &tdx, c->count, dx, 2 * rounding, rounding > 0 ? 1e-3 : 1e-6);
    struct bed_tensor *tensors[] = {&tx, &ty, &tdy, &tdx};
    for (size_t i = 0; i < COUNT_OF(tensors); i++)
        bed_tensor_done(tensors[i]);
    float *floats[] = {x, y, dy, dx, before};
    for (size_t i = 0; i < COUNT_OF(floats); i++)
        free(floats[i]);
    free(window.choice);
}

static void pools(void **state)
{
    for (size_t i = 0; i < COUNT_OF(pool_cases); i++)
        check_pool(*state, &pool_cases[i]);
}

/* --- dropout and copies --- */

static void check_dropout(const struct kernel_test *test, int channels, int side, int count, int batch, float drop)
{
    const struct bed_type *type = test->type;
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 32, 0);
    struct plan *plan = memory_new(1, sizeof *plan);
    struct op *op = &plan->ops[0];
    *op = (struct op){.kind = OP_DROPOUT, .output = 1, .drop = drop};
    plan->tensors[0] = (struct tensor){.channels = channels, .height = side, .width = side};
    plan->tensors[1] = plan->tensors[0];
    size_t size = ref_tensor_size(&plan->tensors[0], count);
    float *x = bed_floats(size), *expected = bed_floats(size);
    const uint64_t step_key = 0xfedcba9876543210u, op_key = 0x9e3779b97f4a7c15u;
    bed_draw(&stream, type, false, size, x);
    struct op_run run = {.plan = plan, .op = op, .count = count, .training = true, .x = x, .y = expected};
    run.dropout_key = step_key + op_key;
    backend_ref.forward[OP_DROPOUT](&run);
    round_all(type, size, expected);

    struct bed_tensor tx = bed_tensor_new(type, BED_OWN, batch, channels, side * side);
    struct bed_tensor ty = bed_tensor_new(type, BED_OWN, batch, channels, side * side);
    struct kernel_step step = {.dropout_key = step_key, .count = count};
    bed_write(&tx, count, x);
    bed_launch("dropout", type, kernel_grid_rows((int64_t)batch * side * side, channels),
               &(struct kernel_dropout){&step, op_key, batch, side * side, channels, drop, tx.map, ty.map});
    expect("dropout", &ty, count, expected, 0, 0);
    bed_tensor_done(&tx);
    bed_tensor_done(&ty);
    free(x);
    free(expected);
    free(plan);
}

static void dropout(void **state)
{
    check_dropout(*state, 4, 7, 3, 4, 0.25f);
    check_dropout(*state, 17, 1, 33, 33, 0.5f);
    check_dropout(*state, 40, 3, 2, 5, 0.1f);
}

static void check_copy(const struct kernel_test *test, enum bed_place from, enum bed_place to, bool accumulate)
{
    enum { CHANNELS = 20, POSITIONS = 6, COUNT = 3, BATCH = 4, SIZE = COUNT * CHANNELS * POSITIONS };
    struct random_stream stream = random_stream_new(4, RANDOM_TEST, 33, 0);
    float x[SIZE], expected[SIZE];
    bed_draw(&stream, test->type, false, SIZE, x);
    bed_draw(&stream, test->type, false, SIZE, expected);
    struct bed_tensor tx = bed_tensor_new(test->type, from, BATCH, CHANNELS, POSITIONS);
    struct bed_tensor ty = bed_tensor_new(test->type, to, BATCH, CHANNELS, POSITIONS);
    struct kernel_step step = {.count = COUNT};
    bed_write(&tx, COUNT, x);
    if (accumulate) {
        bed_zero(&ty);
        bed_write(&ty, COUNT, expected);
        add_all(test->type, SIZE, x, expected);
    }
    bed_launch("copy", test->type, kernel_grid_rows(BATCH * POSITIONS, CHANNELS),
               &(struct kernel_copy){&step, BATCH, POSITIONS, CHANNELS, tx.map, ty.map, accumulate});
    expect("copy", &ty, COUNT, accumulate ? expected : x, 0, 0);
    bed_tensor_done(&tx);
    bed_tensor_done(&ty);
}

static void copies(void **state)
{
    for (int from = 0; from < BED_PLACES; from++)
        for (int to = 0; to < BED_PLACES; to++)
            for (int accumulate = 0; accumulate < 2; accumulate++)
                check_copy(*state, from, to, accumulate);
}

/* `y`: where the sum goes; BED_PLACES: over x. */
static void check_add(const struct kernel_test *test, int channels, enum bed_place place, enum bed_place place2, int y)
{
    enum { POSITIONS = 6, COUNT = 3, BATCH = 4 };
    const struct bed_type *type = test->type;
    struct random_stream stream = random_stream_new(5, RANDOM_TEST, 34, 0);
    struct plan *plan = memory_new(1, sizeof *plan);
    struct op *op = &plan->ops[0];
    *op = (struct op){.kind = OP_ADD, .inputs = {0, 1}, .output = 2};
    for (int t = 0; t < 3; t++)
        plan->tensors[t] = (struct tensor){.channels = channels, .height = 1, .width = POSITIONS};
    size_t size = ref_tensor_size(&plan->tensors[0], COUNT);
    float *x = bed_floats(size), *x2 = bed_floats(size), *expected = bed_floats(size);
    bed_draw(&stream, type, false, size, x);
    bed_draw(&stream, type, false, size, x2);
    backend_ref.forward[OP_ADD](
        &(struct op_run){.plan = plan, .op = op, .count = COUNT, .x = x, .x2 = x2, .y = expected});
    round_all(type, size, expected);

    struct bed_tensor tx = bed_tensor_new(type, place, BATCH, channels, POSITIONS);
    struct bed_tensor tx2 = bed_tensor_new(type, place2, BATCH, channels, POSITIONS);
    struct bed_tensor ty =
        bed_tensor_new(type, y == BED_PLACES ? BED_OWN : (enum bed_place)y, BATCH, channels, POSITIONS);
    struct bed_tensor *sum = y == BED_PLACES ? &tx : &ty;
    struct kernel_step step = {.count = COUNT};
    bed_write(&tx, COUNT, x);
    bed_write(&tx2, COUNT, x2);
    bed_launch("add", type, kernel_grid_rows(BATCH * POSITIONS, channels),
               &(struct kernel_add){&step, BATCH, POSITIONS, channels, tx.map, tx2.map, sum->map});
    expect("add", sum, COUNT, expected, 0, 0);
    bed_tensor_done(&tx);
    bed_tensor_done(&tx2);
    bed_tensor_done(&ty);
    free(x);
    free(x2);
    free(expected);
    free(plan);
}

static void sums(void **state)
{
    for (int x = 0; x < BED_PLACES; x++)
        for (int x2 = 0; x2 < BED_PLACES; x2++)
            for (int y = 0; y <= BED_PLACES; y++)
                check_add(*state, 20, (enum bed_place)x, (enum bed_place)x2, y);
    check_add(*state, 264, BED_OWN, BED_SLICE, BED_OWN);
}

static int set_order(void **state)
{
    shim_set_order(((const struct kernel_test *)*state)->order, 5);
    return 0;
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction run;
    } checks[] = {{"load", load}, {"pools", pools}, {"dropout", dropout}, {"copies", copies}, {"sums", sums}};
    static const char *const orders[SHIM_ORDERS] = {"forward", "reverse", "random"};
    enum { TESTS = (int)COUNT_OF(checks) * BED_TYPES * SHIM_ORDERS };
    static struct CMUnitTest tests[TESTS];
    static struct kernel_test kernel_tests[TESTS];
    static char names[TESTS][64];
    int count = 0;
    for (size_t c = 0; c < COUNT_OF(checks); c++)
        for (int t = 0; t < BED_TYPES; t++)
            for (int order = 0; order < SHIM_ORDERS; order++, count++) {
                snprintf(names[count], sizeof names[count], "%s, %s, threads %s", checks[c].name, bed_types[t].suffix,
                         orders[order]);
                kernel_tests[count] = (struct kernel_test){&bed_types[t], order};
                tests[count] = (struct CMUnitTest){names[count], checks[c].run, set_order, NULL, &kernel_tests[count]};
            }
    return _cmocka_run_group_tests("kernels that move values, against the reference", tests, (size_t)count, NULL, NULL);
}
