/*
 * test_ops.c - every backend against the reference: each operation case, forward and backward; load and update.
 *
 * Both sides get the same plain arrays, in which the linear part is exact (op_cases.h): what differs then is
 * rounding.  Buffers start as NaN and are as large as the backend asked for, so that a value never written, a border
 * left as it was and, with the address sanitizer, a write beyond the end all show.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends.h"
#include "op_cases.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"
#include "util/team.h"

static const double tolerance = 1e-4;
/* In bf16 the linear part of these cases is exact too; only the gradients behind it are rounded, to 2^-9. */
static const double bf16_tolerance = 1e-2;

/* The reference is compared with itself, for its borders and what it must not touch: small cases show that. */
static const int64_t ref_multiplies_max = 1000000;

struct subject {
    const struct backend *backend;
    enum op_kind kind;
};

/* Of the processor, or emulated. */
static bool rounds_to_bf16(const struct backend *backend)
{
    const struct backend *own = backend_cpu_isa("avx512bf16");
    return backend == backend_cpu_wide.bf16 || (own && backend == own->bf16);
}

/* Equal within a part of the array's largest value. */
static void compare_within(double part, const struct backend *backend, const char *name, const char *what,
                           const float *expected, const float *got, size_t size)
{
    double scale = 0.1;
    for (size_t i = 0; i < size; i++)
        scale = fmax(scale, fabs((double)expected[i]));
    for (size_t i = 0; i < size; i++)
        if (!(fabs((double)expected[i] - got[i]) <= part * scale))
            fail_msg("%s: %s: %s[%zu] of %zu is %g, the reference has %g (largest %g)", backend_label(backend), name,
                     what, i, size, (double)got[i], (double)expected[i], scale);
}

/* Equal within `tolerance` of the array's largest value. */
static void compare(const struct backend *backend, const char *name, const char *what, const float *expected,
                    const float *got, size_t size)
{
    compare_within(tolerance, backend, name, what, expected, got, size);
}

/* Each kind of weight has a magnitude of its own: compare them apart. */
static void compare_weights(const struct op_instance *tested, const char *name, const struct op_arrays *expected,
                            const struct op_arrays *got)
{
    const struct weights_layer *w = &tested->run.op->weights, *excite = &tested->run.op->excite;
    bool gates = tested->run.op->kind == OP_SQUEEZE_EXCITE;
    size_t outputs = (size_t)w->outputs, weights = outputs * (size_t)(w->inputs * w->kernel * w->kernel);
    double weight_part = rounds_to_bf16(tested->backend) ? bf16_tolerance : tolerance;
    const struct {
        const char *what;
        int64_t at;
        size_t size;
        const float *expected, *got;
    } parts[] = {
        {"weight gradient", w->weight, weights, expected->gradients, got->gradients},
        {"bias gradient", w->bias, outputs, expected->gradients, got->gradients},
        {"gamma gradient", w->gamma, outputs, expected->gradients, got->gradients},
        {"beta gradient", w->beta, outputs, expected->gradients, got->gradients},
        {"excite weight gradient", gates ? excite->weight : -1, weights, expected->gradients, got->gradients},
        {"excite bias gradient", gates ? excite->bias : -1, (size_t)excite->outputs, expected->gradients,
         got->gradients},
        {"running mean", w->mean, outputs, expected->values, got->values},
        {"running variance", w->variance, outputs, expected->values, got->values},
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i].at >= 0)
            compare_within(i ? tolerance : weight_part, tested->backend, name, parts[i].what,
                           parts[i].expected + parts[i].at, parts[i].got + parts[i].at, parts[i].size);
}

static bool same_bits(const float *a, const float *b, size_t size)
{
    return memcmp(a, b, size * sizeof *a) == 0;
}

/* The output tensor's bytes are what tensor_write makes of its values: the border is zeroed.  Only where the batch
   fills the buffer: what unused images hold is the backend's own business. */
static void check_border(const struct op_instance *instance, const struct op_case *op_case, const char *name,
                         const float *y)
{
    const struct tensor *output = &instance->run.plan->tensors[1];
    if (op_case->count % 16 || op_case->batch > op_case->count || op_case->kind == OP_CLASSIFIER)
        return;
    size_t bytes = instance->backend->tensor_bytes(output, op_case->count);
    float *written = memory_new_aligned(bytes);
    for (size_t i = 0; i < bytes / sizeof *written; i++)
        written[i] = NAN;
    instance->backend->tensor_write(output, op_case->count, y,
                                    (char *)written + instance->backend->tensor_offset(output));
    const float *found = instance->y;
    for (size_t i = 0; i < bytes / sizeof *written; i++)
        if (written[i] != found[i] && !(isnan(written[i]) && isnan(found[i])))
            fail_msg("%s: %s: float %zu of the output tensor is %g, not %g: the border must be zero",
                     backend_label(instance->backend), name, i, (double)found[i], (double)written[i]);
    free(written);
}

/* Channels of a buffer that aren't the tensor's still hold the NaN that they began with. */
static void check_others(const struct op_instance *instance, const struct tensor *tensor, const void *buffer,
                         const char *name)
{
    int count = instance->run.count, channels = tensor_buffer_channels(tensor), pixels = tensor->height * tensor->width;
    struct tensor all = *tensor;
    all.channels = channels;
    all.before = all.after = 0;
    float *plain = memory_new((size_t)count * channels * pixels, sizeof *plain);
    instance->backend->tensor_read(&all, count, buffer, plain);
    for (int i = 0; i < count * channels; i++) {
        bool own = i % channels >= tensor->before && i % channels < tensor->before + tensor->channels;
        for (int p = 0; p < pixels && !own; p++)
            if (!isnan(plain[i * pixels + p]))
                fail_msg("%s: %s: wrote channel %d, which isn't its own", backend_label(instance->backend), name,
                         i % channels);
    }
    free(plain);
}

/* The inputs of a case, which are drawn once; op_arrays_done() the copy. */
static void copy_inputs(int number, const struct plan *plan, enum op_data data, struct op_arrays *arrays)
{
    static struct op_arrays *all;
    if (!all)
        all = memory_new((size_t)op_case_count * OP_DATA_KINDS, sizeof *all);
    struct op_arrays *drawn = &all[number * OP_DATA_KINDS + (int)data];
    if (!drawn->values)
        op_arrays_draw(&op_cases[number], plan, data, (uint64_t)number, drawn);
    op_arrays_copy(drawn, op_cases[number].count, arrays);
}

/* What the reference makes of a case, in inference and in training. */
struct expectation {
    bool known;
    struct op_arrays inference, training;
};

/* All backends are compared with the same expectation, so it is computed once. */
static const struct expectation *expect(int number, const struct plan *plan, enum op_data data)
{
    static struct expectation *all;
    const struct op_case *op_case = &op_cases[number];
    if (!all)
        all = memory_new((size_t)op_case_count * OP_DATA_KINDS, sizeof *all);
    struct expectation *expectation = &all[number * OP_DATA_KINDS + (int)data];
    if (expectation->known)
        return expectation;
    struct op_instance reference;
    copy_inputs(number, plan, data, &expectation->inference);
    copy_inputs(number, plan, data, &expectation->training);
    op_instance_init(&reference, &backend_ref, op_case, plan, &expectation->training);
    op_instance_forward(&reference, false);
    op_instance_read(&reference, &expectation->inference);
    op_instance_forward(&reference, true);
    op_instance_backward(&reference);
    op_instance_read(&reference, &expectation->training);
    op_instance_done(&reference);
    expectation->known = true;
    return expectation;
}

static void check_inference(struct op_instance *tested, int number, const struct op_arrays *expected,
                            struct op_arrays *got)
{
    char name[OP_CASE_NAME];
    op_case_name(&op_cases[number], name);
    op_instance_forward(tested, false);
    if (!same_bits(tested->run.values, got->values, got->total))
        fail_msg("%s: %s: inference changed the weights or the statistics", backend_label(tested->backend), name);
    op_instance_read(tested, got);
    compare(tested->backend, name, "inference: y", expected->y, got->y, got->y_size);
    compare(tested->backend, name, "inference: logits", expected->logits, got->logits, got->classes_size);
    check_border(tested, &op_cases[number], name, got->y);
}

static void check_training(struct op_instance *tested, int number, const struct op_arrays *expected,
                           struct op_arrays *got)
{
    const struct backend *backend = tested->backend;
    const struct tensor *tensors = tested->run.plan->tensors;
    char name[OP_CASE_NAME];
    op_case_name(&op_cases[number], name);
    op_instance_forward(tested, true);
    if (!same_bits(tested->run.values, got->values, got->trained))
        fail_msg("%s: %s: forward changed the weights", backend_label(backend), name);
    op_instance_read(tested, got);
    check_border(tested, &op_cases[number], name, got->y);
    op_instance_backward(tested);
    op_instance_read(tested, got);
    compare(backend, name, "y", expected->y, got->y, got->y_size);
    compare(backend, name, "logits", expected->logits, got->logits, got->classes_size);
    compare_weights(tested, name, expected, got);
    compare_within(rounds_to_bf16(backend) ? bf16_tolerance : tolerance, backend, name, "dx", expected->dx, got->dx,
                   got->x_size);
    check_others(tested, &tensors[0], tested->dx, name);
    check_others(tested, &tensors[1], tested->y, name);
    compare(backend, name, "dx2", expected->dx2, got->dx2, got->x2_size);
    check_others(tested, &tensors[2], tested->dx2, name);
    if (fabs(expected->loss - got->loss) > 1e-5 * fabs(expected->loss) || expected->correct != got->correct)
        fail_msg("%s: %s: loss %g, %d correct; the reference has %g, %d", backend_label(backend), name, got->loss,
                 got->correct, expected->loss, expected->correct);
}

static void check_case(const struct backend *backend, int number)
{
    const struct op_case *op_case = &op_cases[number];
    if (backend == &backend_ref && op_case_multiplies(op_case) * op_case->count > ref_multiplies_max)
        return;
    struct plan *plan = memory_new(1, sizeof *plan);
    struct op_arrays got;
    struct op_instance tested;
    op_case_plan(op_case, plan);
    enum op_data data = rounds_to_bf16(backend) ? OP_DATA_GRID : op_case_data(op_case);
    const struct expectation *expectation = expect(number, plan, data);
    copy_inputs(number, plan, data, &got);
    op_instance_init(&tested, backend, op_case, plan, &got);
    check_inference(&tested, number, &expectation->inference, &got);
    check_training(&tested, number, &expectation->training, &got);
    op_instance_done(&tested);
    op_arrays_done(&got);
    free(plan);
}

static void operation(void **state)
{
    const struct subject *subject = *state;
    int checked = 0;
    if (!subject->backend->forward[subject->kind])
        skip();
    for (int i = 0; i < op_case_count; i++)
        if (op_cases[i].kind == subject->kind && op_case_runs(&op_cases[i], subject->backend)) {
            check_case(subject->backend, i);
            checked++;
        }
    assert_true(checked > 0);
}

/* Every array that comes out. */
static void compare_bits(const char *name, const struct op_arrays *alone, const struct op_arrays *together)
{
    const struct {
        const char *what;
        const float *alone, *together;
        size_t size;
    } parts[] = {
        {"y", alone->y, together->y, alone->y_size},
        {"dx", alone->dx, together->dx, alone->x_size},
        {"dx2", alone->dx2, together->dx2, alone->x2_size},
        {"gradients", alone->gradients, together->gradients, alone->trained},
        {"values", alone->values, together->values, alone->total},
        {"logits", alone->logits, together->logits, alone->classes_size},
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!same_bits(parts[i].alone, parts[i].together, parts[i].size))
            fail_msg("%s: %s differs when a team shares the work", name, parts[i].what);
    assert_true(alone->loss == together->loss && alone->correct == together->correct);
}

/* Train and infer; with a team, unless it is NULL. */
static void run_case(const struct backend *backend, int number, const struct plan *plan, struct team *team,
                     struct op_arrays *arrays)
{
    const struct op_case *op_case = &op_cases[number];
    struct op_instance instance;
    copy_inputs(number, plan, OP_DATA_CONTINUOUS, arrays);
    op_instance_init(&instance, backend, op_case, plan, arrays);
    if (team) {
        int batch = op_case->batch ? op_case->batch : op_case->count;
        instance.run.team = team;
        instance.run.members = team_members_most(team);
        free(instance.run.scratch);
        instance.run.scratch =
            memory_new_aligned(backend->scratch_bytes(backend, plan, instance.run.op, batch, instance.run.members));
    }
    op_instance_forward(&instance, true);
    op_instance_backward(&instance);
    op_instance_forward(&instance, false);
    op_instance_read(&instance, arrays);
    op_instance_done(&instance);
}

enum { TEAMS = SANITIZED ? 1 : 2 };

static void check_shared(const struct backend *backend, int number, struct team *const teams[TEAMS])
{
    char name[OP_CASE_NAME];
    struct plan *plan = memory_new(1, sizeof *plan);
    struct op_arrays alone, together;
    op_case_name(&op_cases[number], name);
    op_case_plan(&op_cases[number], plan);
    run_case(backend, number, plan, NULL, &alone);
    for (int i = 0; i < TEAMS; i++) {
        run_case(backend, number, plan, teams[i], &together);
        compare_bits(name, &alone, &together);
        op_arrays_done(&together);
    }
    op_arrays_done(&alone);
    free(plan);
}

/* With two and with more threads, to the bit. */
static void shared_by_a_team(void **state)
{
    static const int helper_counts[] = {4, 1}, cores[] = {-1, -1, -1, -1};
    const struct subject *subject = *state;
    struct helpers *helpers[TEAMS];
    struct team *teams[TEAMS];
    if (!subject->backend->images_per_member)
        skip();
    for (int i = 0; i < TEAMS; i++) {
        helpers[i] = helpers_new(cores, helper_counts[i], 1);
        teams[i] = helpers_team(helpers[i], 0);
        team_open(teams[i], team_members_most(teams[i]));
    }
    for (int i = 0; i < op_case_count; i++)
        if (op_case_runs(&op_cases[i], subject->backend))
            check_shared(subject->backend, i, teams);
    for (int i = 0; i < TEAMS; i++) {
        team_close(teams[i]);
        helpers_free(helpers[i]);
    }
}

/* With a NaN in one image the batch statistics are NaN, and ReLU must not hide that from the loss. */
static void nan_passes(void **state)
{
    const struct subject *subject = *state;
    const struct op_case cases[] = {
        {.kind = OP_CONV_BN_RELU,
         .inputs = 3,
         .height = 5,
         .width = 5,
         .outputs = 4,
         .kernel = 3,
         .stride = 1,
         .count = 17},
        {.kind = OP_FC_BN_RELU, .inputs = 5, .height = 1, .width = 1, .outputs = 4, .count = 17},
        {.kind = OP_CLASSIFIER, .inputs = 5, .height = 1, .width = 1, .outputs = 4, .count = 17},
        {.kind = OP_BN_RELU, .inputs = 1, .height = 5, .width = 5, .count = 17},
        {.kind = OP_DEPTHWISE_BN_RELU,
         .inputs = 1,
         .height = 5,
         .width = 5,
         .outputs = 1,
         .kernel = 3,
         .stride = 1,
         .count = 17},
        {.kind = OP_CONV_BN_ADD,
         .inputs = 3,
         .height = 5,
         .width = 5,
         .outputs = 4,
         .kernel = 3,
         .stride = 1,
         .count = 17},
        {.kind = OP_DEPTHWISE_BN_RELU,
         .inputs = 1,
         .height = 5,
         .width = 5,
         .outputs = 1,
         .kernel = 3,
         .stride = 1,
         .count = 17,
         .hard_swish = true},
        {.kind = OP_SQUEEZE_EXCITE, .inputs = 1, .height = 5, .width = 5, .outputs = 1, .count = 1},
    };
    struct plan *plan = memory_new(1, sizeof *plan);
    for (size_t k = 0; k < COUNT_OF(cases); k++) {
        struct op_arrays arrays;
        struct op_instance instance;
        if (!op_case_runs(&cases[k], subject->backend))
            continue;
        op_case_plan(&cases[k], plan);
        op_arrays_draw(&cases[k], plan, OP_DATA_GRID, k, &arrays);
        arrays.x[arrays.x_size / 2] = NAN;
        op_instance_init(&instance, subject->backend, &cases[k], plan, &arrays);
        op_instance_forward(&instance, true);
        op_instance_read(&instance, &arrays);
        if (cases[k].kind == OP_CLASSIFIER)
            assert_true(isnan(arrays.loss));
        else
            for (size_t i = 0; i < arrays.y_size; i++)
                assert_true(isnan(arrays.y[i]));
        op_instance_done(&instance);
        op_arrays_done(&arrays);
    }
    free(plan);
}

/* Images whose every byte is drawn, and a view on them. */
static void draw_images(struct shape shape, int count, struct images *images, struct view *view)
{
    struct random_stream stream = random_stream_new(7, RANDOM_TEST, 2, 0);
    size_t bytes = (size_t)count * shape.channels * shape.height * shape.width;
    *images = (struct images){.count = count, .classes = 10, .shape = shape};
    images->pixels = memory_new(bytes, 1);
    images->labels = memory_new((size_t)count, sizeof *images->labels);
    for (size_t i = 0; i < bytes; i++)
        images->pixels[i] = (uint8_t)random_below(&stream, 256);
    *view = (struct view){.images = images, .count = count};
    for (int c = 0; c < shape.channels; c++) {
        view->scale[c] = 0.01f + 0.02f * random_uniform(&stream);
        view->shift[c] = -random_uniform(&stream);
    }
}

static void check_load(const struct backend *backend, struct shape shape, int border, int count, bool augmented)
{
    enum { BATCH = 64 };
    struct tensor tensor = {.channels = shape.channels, .height = shape.height, .width = shape.width, .border = border};
    struct random_stream stream = random_stream_new(8, RANDOM_TEST, 3, 0);
    struct images images;
    struct view view;
    int32_t index[BATCH];
    struct augment augment[BATCH];
    draw_images(shape, 100, &images, &view);
    for (int i = 0; i < count; i++) {
        index[i] = (int32_t)random_below(&stream, (uint32_t)images.count);
        augment[i] = (struct augment){(int8_t)(random_below(&stream, 9) - 4), (int8_t)(random_below(&stream, 9) - 4),
                                      random_below(&stream, 2)};
    }
    struct batch batch = {&view, index, augmented ? augment : NULL, count, NULL};
    size_t size = (size_t)BATCH * shape.channels * shape.height * shape.width;
    float *expected = memory_new(size, sizeof *expected), *got = memory_new(size, sizeof *got);
    void *plain = memory_new_aligned(backend_ref.tensor_bytes(&tensor, BATCH));
    void *data = memory_new_aligned(backend->tensor_bytes(&tensor, BATCH));
    backend_ref.load(NULL, &tensor, &batch, plain, NULL);
    backend_ref.tensor_read(&tensor, count, plain, expected);
    backend->load(NULL, &tensor, &batch, data, NULL);
    backend->tensor_read(&tensor, count, data, got);
    compare(backend, "load", augmented ? "augmented" : "as it is", expected, got,
            (size_t)count * shape.channels * shape.height * shape.width);
    free(images.pixels);
    free(images.labels);
    free(expected);
    free(got);
    free(plain);
    free(data);
}

static void load(void **state)
{
    const struct subject *subject = *state;
    const struct shape shapes[] = {{1, 28, 28}, {3, 32, 32}, {3, 7, 7}, {4, 5, 9}, {2, 1, 1}, {5, 6, 20}, {16, 4, 7}};
    const int counts[] = {1, 15, 16, 17, 33, 64};
    for (size_t s = 0; s < COUNT_OF(shapes); s++)
        for (size_t n = 0; n < COUNT_OF(counts); n++)
            for (int augmented = 0; augmented < 2; augmented++)
                check_load(subject->backend, shapes[s], (int)(s % 3), counts[n], augmented);
}

/* By hand: rows 0…2 of a 3×3 image are 1 2 3, 4 5 6, 7 8 9; what lies outside is 0 after normalisation. */
static void load_places(void **state)
{
    const struct subject *subject = *state;
    uint8_t pixels[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct images images = {.count = 1, .classes = 1, .shape = {1, 3, 3}, .pixels = pixels};
    struct view view = {.images = &images, .count = 1, .scale = {2}, .shift = {-1}};
    const int32_t index[3] = {0, 0, 0};
    const struct augment augment[3] = {{0, 0, true}, {1, -2, false}, {1, -2, true}};
    const float expected[27] = {5, 3, 1, 11, 9, 7, 17, 15, 13, 0, 0, 0, 0, 0, 0, 3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 5, 3};
    float got[27];
    struct tensor tensor = {.channels = 1, .height = 3, .width = 3, .border = 1};
    void *data = memory_new_aligned(subject->backend->tensor_bytes(&tensor, 3));
    subject->backend->load(NULL, &tensor, &(struct batch){&view, index, augment, 3, NULL}, data, NULL);
    subject->backend->tensor_read(&tensor, 3, data, got);
    for (int i = 0; i < 27; i++)
        assert_true(got[i] == expected[i]);
    free(data);
}

static void tensors_round_trip(void **state)
{
    const struct subject *subject = *state;
    const struct backend *backend = subject->backend;
    const int counts[] = {1, 16, 17, 64};
    const struct tensor tensors[] = {
        {.channels = 1, .height = 1, .width = 1},
        {.channels = 3, .height = 5, .width = 7, .border = 1},
        {.channels = 17, .height = 4, .width = 4, .border = 2},
        {.channels = 4, .height = 28, .width = 28},
        {.channels = 4, .height = 5, .width = 3, .before = 2, .after = 3},
    };
    for (size_t t = 0; t < COUNT_OF(tensors); t++)
        for (size_t n = 0; n < COUNT_OF(counts); n++) {
            int count = counts[n];
            size_t size = (size_t)count * tensors[t].channels * tensors[t].height * tensors[t].width;
            float *plain = memory_new(size, sizeof *plain), *back = memory_new(size, sizeof *back);
            char *data = memory_new_aligned(backend->tensor_bytes(&tensors[t], count));
            char *place = data + backend->tensor_offset(&tensors[t]);
            for (size_t i = 0; i < size; i++)
                plain[i] = (float)i;
            assert_true(backend->tensor_bytes(&tensors[t], count) >= size * sizeof(float));
            assert_int_equal(backend->tensor_bytes(&tensors[t], count) % 64, 0);
            backend->tensor_write(&tensors[t], count, plain, place);
            backend->tensor_read(&tensors[t], count, place, back);
            assert_memory_equal(plain, back, size * sizeof *plain);
            free(plain);
            free(back);
            free(data);
        }
}

static void update(void **state)
{
    const struct subject *subject = *state;
    const struct sgd kinds[] = {{0.1f, 0.9f, 1e-2f, true}, {0.1f, 0.9f, 1e-2f, false}, {0.5f, 0, 0, false}};
    const int sizes[] = {1, 7, 16, 33, 1000};
    struct random_stream stream = random_stream_new(9, RANDOM_TEST, 4, 0);
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (size_t s = 0; s < COUNT_OF(sizes); s++) {
            enum { MOST = 1000 };
            static float values[2][MOST], gradients[MOST], velocity[2][MOST];
            for (int i = 0; i < MOST; i++) {
                values[0][i] = values[1][i] = random_normal(&stream);
                velocity[0][i] = velocity[1][i] = random_normal(&stream);
                gradients[i] = random_normal(&stream);
            }
            backend_ref.update(NULL, &kinds[k], sizes[s], values[0], gradients, velocity[0]);
            subject->backend->update(NULL, &kinds[k], sizes[s], values[1], gradients, velocity[1]);
            compare(subject->backend, "update", "values", values[0], values[1], MOST);
            compare(subject->backend, "update", "velocity", velocity[0], velocity[1], MOST);
            assert_true(same_bits(values[0] + sizes[s], values[1] + sizes[s], (size_t)(MOST - sizes[s])));
        }
}

static const struct {
    const char *name;
    CMUnitTestFunction run;
    enum op_kind kind;
} checks[] = {
    {"convolution", operation, OP_CONV_BN_RELU},
    {"fc", operation, OP_FC_BN_RELU},
    {"pool", operation, OP_POOL},
    {"dropout", operation, OP_DROPOUT},
    {"classifier", operation, OP_CLASSIFIER},
    {"normalisation", operation, OP_BN_RELU},
    {"convolution alone", operation, OP_CONV},
    {"add", operation, OP_ADD},
    {"depthwise convolution", operation, OP_DEPTHWISE_BN_RELU},
    {"convolution and add", operation, OP_CONV_BN_ADD},
    {"squeeze and excite", operation, OP_SQUEEZE_EXCITE},
    {"shared by a team", shared_by_a_team, OP_KINDS},
    {"NaN passes", nan_passes, OP_KINDS},
    {"load", load, OP_KINDS},
    {"load places", load_places, OP_KINDS},
    {"tensors round-trip", tensors_round_trip, OP_KINDS},
    {"update", update, OP_KINDS},
};

int main(void)
{
    enum { MOST = BACKENDS_MAX * (int)COUNT_OF(checks) };
    static struct CMUnitTest tests[MOST];
    static struct subject subjects[MOST];
    static char names[MOST][64];
    const struct backend *backends[BACKENDS_MAX];
    int backend_count = backends_here(backends), count = 0;
    backends[backend_count++] = &backend_cpu_wide;
    /* The same code, with the processor's instruction or, slowly, with the emulated one (test_bf16 compares the two).
     */
    const struct backend *own = backend_cpu_isa("avx512bf16");
    backends[backend_count++] = own ? own->bf16 : backend_cpu_wide.bf16;
    ASSERT(backend_count <= BACKENDS_MAX);
    for (int b = 0; b < backend_count; b++)
        for (size_t c = 0; c < COUNT_OF(checks); c++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", backend_label(backends[b]), checks[c].name);
            subjects[count] = (struct subject){backends[b], checks[c].kind};
            tests[count] = (struct CMUnitTest){names[count], checks[c].run, NULL, NULL, &subjects[count]};
        }
    return _cmocka_run_group_tests("operations of every backend against the reference", tests, (size_t)count, NULL,
                                   NULL);
}
