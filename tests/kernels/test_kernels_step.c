/*
 * test_kernels_step.c - what a step ends with: classifier, loss, bias gradient, update, loss scale; the two layouts of
 * weights; and the storage types that all of it goes through.
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

/* --- storage types --- */

static void storage_types(void **state)
{
    const struct {
        float value;
        uint16_t bf16, f16;
    } known[] = {
        {0, 0, 0},
        {-0.0f, 0x8000, 0x8000},
        {1, 0x3f80, 0x3c00},
        {-2.5f, 0xc020, 0xc100},
        {1.00390625f, 0x3f80, 0x3c04}, /* 1 + 2^-8: halfway in bfloat16, to the even */
        {1.01171875f, 0x3f82, 0x3c0c}, /* 1 + 3·2^-8: halfway, to the even above */
        {65504, 0x4780, 0x7bff},       /* the largest half */
        {65519, 0x4780, 0x7bff},
        {65520, 0x4780, 0x7c00},        /* rounds to infinity */
        {0x1p-14f, 0x3880, 0x0400},     /* the smallest normal half */
        {0x1.ff8p-15f, 0x3880, 0x03ff}, /* the largest subnormal */
        {0x1p-24f, 0x3380, 0x0001},
        {0x1p-25f, 0x3300, 0x0000}, /* halfway to it, to the even */
        {0x1.8p-24f, 0x33c0, 0x0002},
        {INFINITY, 0x7f80, 0x7c00},
        {NAN, 0x7fff, 0x7fff},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        assert_int_equal(shim_to_bf16(known[i].value), known[i].bf16);
        assert_int_equal(shim_to_f16(known[i].value), known[i].f16);
    }
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float bf16 = shim_from_bf16((uint16_t)bits), f16 = shim_from_f16((uint16_t)bits);
        assert_true(isnan(bf16) || shim_to_bf16(bf16) == bits);
        assert_true(isnan(f16) || shim_to_f16(f16) == bits);
    }
}

/* --- classifier --- */

struct classifier_out {
    float *logits, *gradient, *bias_gradient; /* plain; gradient stored and read back */
    double loss;
    int correct;
};

struct classifier_case {
    int classes, count, batch;
    float spread; /* of the logits */
};

static const struct classifier_case classifier_cases[] = {
    {10, 64, 64, 1}, {10, 17, 64, 8}, {2, 1, 1, 1}, {100, 9, 16, 3}, {1000, 3, 4, 1}, {17, 300, 300, 0}, {33, 5, 5, 40},
};

/* The reference sees logits as the output of a linear layer whose input is them and whose weight is the identity. */
static void reference_classifier(const struct classifier_case *c, const float *linear, const float *bias,
                                 const uint16_t *labels, struct classifier_out *out)
{
    int classes = c->classes;
    size_t weights = (size_t)classes * classes, size = (size_t)c->count * classes;
    struct op op = {.kind = OP_CLASSIFIER, .channels = classes};
    op.weights = (struct weights_layer){.weight = 0, .bias = (int64_t)weights, .inputs = classes, .outputs = classes};
    float *values = memory_new(weights + classes, sizeof *values), *gradients = bed_floats(weights + classes);
    float *probabilities = bed_floats(size);
    for (int i = 0; i < classes; i++) {
        values[(size_t)i * classes + i] = 1;
        values[weights + i] = bias[i];
    }
    struct op_run run = {.op = &op,
                         .count = c->count,
                         .values = values,
                         .gradients = gradients,
                         .x = linear,
                         .y = probabilities,
                         .dx = out->gradient,
                         .scratch = bed_floats(size),
                         .labels = labels,
                         .logits = out->logits,
                         .loss = &out->loss,
                         .correct = &out->correct};
    ref_classifier_forward(&run);
    ref_classifier_backward(&run);
    memcpy(out->bias_gradient, gradients + weights, (size_t)classes * sizeof *gradients);
    free(values);
    free(gradients);
    free(probabilities);
    free(run.scratch);
}

static void run_classifier(const struct classifier_case *c, const struct bed_type *type, float loss_scale,
                           const float *linear, const float *bias, const uint16_t *labels, struct classifier_out *out)
{
    int stored = KERNEL_ROUND(c->classes);
    float *padded = bed_floats((size_t)c->batch * stored), *padded_bias = bed_floats((size_t)stored);
    float *losses = bed_floats((size_t)c->batch), *sums = bed_floats((size_t)stored);
    int32_t *hits = memory_new((size_t)c->batch, sizeof *hits);
    struct bed_tensor gradient = bed_tensor_new(type, BED_OWN, c->batch, c->classes, 1);
    struct kernel_step step = {.count = c->count};
    struct kernel_loss_scale scale = {.scale = loss_scale};
    unsigned ticket = 0;
    struct kernel_queue queue = {.next = 2, .ring = KERNEL_RESULTS - 1};
    struct kernel_result results[KERNEL_RESULTS], result;
    memset(results, 0xff, sizeof results);
    for (int n = 0; n < c->count; n++)
        for (int i = 0; i < stored; i++)
            padded[n * stored + i] = i < c->classes ? linear[n * c->classes + i] : 0;
    for (int i = 0; i < c->classes; i++)
        padded_bias[i] = bias[i];
    bed_launch("classifier", type, kernel_grid_images(c->batch),
               &(struct kernel_classifier){&step,
                                           loss_scale == 1 ? NULL : &scale,
                                           c->batch,
                                           c->classes,
                                           {0},
                                           padded,
                                           padded_bias,
                                           labels,
                                           out->logits,
                                           losses,
                                           hits,
                                           gradient.memory,
                                           sums,
                                           &ticket,
                                           &queue,
                                           results});
    assert_int_equal(ticket, 0);
    result = results[1]; /* the ring's */
    assert_int_equal(queue.next, 3);
    bed_read(&gradient, c->count, out->gradient);
    assert_null(bed_wrong_beside(&gradient, c->count));
    for (int i = 0; i < c->classes; i++)
        out->bias_gradient[i] = sums[i];
    for (int i = c->classes; i < stored; i++)
        assert_true(sums[i] == 0);
    for (int i = 0; i < c->count * c->classes; i++)
        out->gradient[i] /= loss_scale;
    for (int i = 0; i < c->classes; i++)
        out->bias_gradient[i] /= loss_scale;
    out->loss = result.loss;
    out->correct = result.correct;
    assert_int_equal(result.count, c->count);
    /* The host gets all of its bytes. */
    assert_int_equal(sizeof result, sizeof result.loss + sizeof result.correct + sizeof result.count);
    bed_tensor_done(&gradient);
    free(padded);
    free(padded_bias);
    free(losses);
    free(sums);
    free(hits);
}

static struct classifier_out new_out(const struct classifier_case *c)
{
    size_t size = (size_t)c->count * c->classes;
    return (struct classifier_out){bed_floats(size), bed_floats(size), bed_floats((size_t)c->classes), 0, 0};
}

static void out_done(struct classifier_out *out)
{
    free(out->logits);
    free(out->gradient);
    free(out->bias_gradient);
}

static void check_classifier(const struct classifier_case *c, const struct bed_type *type, enum shim_order order)
{
    struct random_stream stream = random_stream_new((uint32_t)c->classes, RANDOM_TEST, 40, (uint32_t)c->count);
    size_t size = (size_t)c->count * c->classes;
    float *linear = bed_floats(size), *bias = bed_floats((size_t)c->classes);
    uint16_t *labels = memory_new((size_t)c->batch, sizeof *labels);
    for (size_t i = 0; i < size; i++)
        linear[i] = c->spread * random_normal(&stream);
    for (int i = 0; i < c->classes; i++)
        bias[i] = c->spread * random_normal(&stream);
    for (int n = 0; n < c->count; n++)
        labels[n] = (uint16_t)random_below(&stream, (uint32_t)c->classes);
    struct classifier_out expected = new_out(c), got = new_out(c);
    float loss_scale = strcmp(type->suffix, "f16") == 0 ? 4096 : 1;
    shim_set_order(order, 1);
    reference_classifier(c, linear, bias, labels, &expected);
    run_classifier(c, type, loss_scale, linear, bias, labels, &got);
    assert_true(bed_compare(size, expected.logits, got.logits, 0, 1e-6) < 0);
    assert_true(bed_compare(size, expected.gradient, got.gradient, type->rounding, 1e-5) < 0);
    /* A sum of rounded gradients. */
    assert_true(
        bed_compare((size_t)c->classes, expected.bias_gradient, got.bias_gradient, 0, 1e-5 + 3 * type->rounding) < 0);
    if (fabs(expected.loss - got.loss) > 1e-5 * fabs(expected.loss) || expected.correct != got.correct)
        fail_msg("%s, %d classes, %d images: loss %.9g, %d correct; the reference has %.9g, %d", type->suffix,
                 c->classes, c->count, got.loss, got.correct, expected.loss, expected.correct);
    out_done(&expected);
    out_done(&got);
    free(linear);
    free(bias);
    free(labels);
}

static void classifier(void **state)
{
    for (size_t i = 0; i < COUNT_OF(classifier_cases); i++)
        for (int t = 0; t < BED_TYPES; t++)
            for (int order = 0; order < SHIM_ORDERS; order++)
                check_classifier(&classifier_cases[i], &bed_types[t], order);
}

/* A NaN among the logits is in the loss, wherever it stands. */
static void nan_reaches_the_loss(void **state)
{
    const struct classifier_case c = {10, 2, 2, 1};
    const float bias[10] = {0};
    const uint16_t labels[2] = {0, 3};
    for (int place = 0; place < 20; place++) {
        float linear[20] = {0};
        linear[place] = NAN;
        struct classifier_out out = new_out(&c);
        run_classifier(&c, &bed_types[0], 1, linear, bias, labels, &out);
        assert_true(isnan(out.loss));
        out_done(&out);
    }
}

/* --- update --- */

enum { WEIGHTS = 8 * 270, TRAINED = 8 * 290, VALUES = 8 * 300 };

/* A queue whose only step is at its end. */
struct only_step {
    struct kernel_queue queue;
    struct kernel_step step;
    char rest[8];
};

static struct only_step only_step(const struct kernel_step *step)
{
    _Static_assert(sizeof(struct kernel_step) + 8 == KERNEL_STEP_BYTES(1), "the step stands behind the head");
    return (struct only_step){.queue = {.next = 1, .count = 1}, .step = *step};
}

static void update(void **state)
{
    const struct sgd kinds[] = {{0.1f, 0.9f, 1e-2f, true}, {0.1f, 0.9f, 1e-2f, false}, {0.5f, 0, 0, false}};
    struct random_stream stream = random_stream_new(5, RANDOM_TEST, 41, 0);
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (int t = 0; t < BED_TYPES; t++) {
            const struct bed_type *type = &bed_types[t];
            float *values[2], *velocity[2], *gradients = bed_floats(VALUES);
            float *vectors = bed_floats(VALUES), *average = bed_floats(VALUES), *before = bed_floats(VALUES);
            void *stored = bed_floats(VALUES), *copies = bed_floats(VALUES);
            for (int i = 0; i < 2; i++) {
                values[i] = bed_floats(VALUES);
                velocity[i] = bed_floats(VALUES);
            }
            bed_draw(&stream, type, false, VALUES, gradients);
            bed_draw(&stream, &bed_types[0], false, VALUES, values[0]);
            bed_draw(&stream, &bed_types[0], false, VALUES, velocity[0]);
            bed_draw(&stream, &bed_types[0], false, VALUES, before);
            memcpy(average, before, VALUES * sizeof(float));
            memcpy(values[1], values[0], VALUES * sizeof(float));
            memcpy(velocity[1], velocity[0], VALUES * sizeof(float));
            /* Scaled as by a loss scale of 8, which rounds nothing. */
            struct kernel_loss_scale scale = {.scale = 8};
            for (int i = 0; i < WEIGHTS; i++)
                type->write(stored, (size_t)i, 8 * gradients[i]);
            for (int i = WEIGHTS; i < TRAINED; i++)
                vectors[i - WEIGHTS] = 8 * gradients[i];
            struct kernel_step step = {.rate = kinds[k].rate,
                                       .momentum = kinds[k].momentum,
                                       .weight_decay = kinds[k].weight_decay,
                                       .nesterov = kinds[k].nesterov,
                                       .average_share = 0.25f};
            struct only_step only = only_step(&step);
            backend_ref.update(NULL, &kinds[k], TRAINED, values[0], gradients, velocity[0]);
            shim_set_order((enum shim_order)k, 1);
            struct kernel_update arguments = {
                &scale,  {WEIGHTS, TRAINED, VALUES, stored, vectors}, values[1], velocity[1], copies,
                average, {.queue = &only.queue, .batch = 1}};
            bed_launch("update", type, kernel_grid_update(VALUES / 8, &arguments.next), &arguments);
            for (size_t i = 0; i < VALUES; i++)
                assert_true(average[i] == before[i] + step.average_share * (values[1][i] - before[i]));
            assert_memory_equal(values[0], values[1], VALUES * sizeof(float));
            assert_memory_equal(velocity[0], velocity[1], VALUES * sizeof(float));
            for (size_t i = 0; i < WEIGHTS; i++)
                assert_true(type->read(copies, i) == bed_rounded(type, values[0][i]));
            float *floats[] = {values[0], values[1], velocity[0], velocity[1], gradients,
                               stored,    copies,    vectors,     average,     before};
            for (size_t i = 0; i < COUNT_OF(floats); i++)
                free(floats[i]);
        }
}

/* One step of half precision with a gradient that overflows at `bad` (-1: none): is it skipped? */
static bool step_is_skipped(struct kernel_loss_scale *scale, int bad)
{
    const struct bed_type *half = &bed_types[2];
    struct kernel_step step = {.rate = 1};
    float *values = bed_floats(VALUES), *velocity = bed_floats(VALUES);
    void *gradients = bed_floats(WEIGHTS / 2);
    float *vectors = bed_floats(VALUES - WEIGHTS);
    for (int i = 0; i < VALUES; i++)
        values[i] = velocity[i] = 0;
    for (int i = 0; i < WEIGHTS; i++)
        half->write(gradients, (size_t)i, i == bad ? 1e6f : 1);
    for (int i = WEIGHTS; i < VALUES; i++)
        vectors[i - WEIGHTS] = i == bad ? INFINITY : 1;
    struct kernel_trained of = {WEIGHTS, VALUES, VALUES, gradients, vectors};
    struct only_step only = only_step(&step);
    bed_launch("check", half, kernel_grid_items(VALUES / 8), &(struct kernel_check){scale, of});
    bed_launch("update", half, kernel_grid_items(VALUES / 8),
               &(struct kernel_update){scale, of, values, velocity, NULL, NULL, {.queue = &only.queue, .batch = 1}});
    bed_launch("scale", NULL, (struct kernel_grid){1, 1}, &(struct kernel_scale){scale});
    bool skipped = values[0] == 0;
    free(values);
    free(velocity);
    free(gradients);
    free(vectors);
    return skipped;
}

static void loss_scale(void **state)
{
    struct kernel_loss_scale scale = {.scale = 4};
    assert_false(step_is_skipped(&scale, -1));
    assert_true(scale.scale == 4 && scale.good_steps == 1 && scale.overflow == 0);
    assert_true(step_is_skipped(&scale, VALUES - 1));
    assert_true(scale.scale == 2 && scale.good_steps == 0 && scale.overflow == 0);
    assert_true(step_is_skipped(&scale, 7));
    assert_true(scale.scale == 1);
    assert_false(step_is_skipped(&scale, 7)); /* at 1 nothing is skipped: who diverged shows it */
    assert_true(scale.scale == 1);
    for (int i = 0; i < KERNEL_GOOD_STEPS; i++)
        bed_launch("scale", NULL, (struct kernel_grid){1, 1}, &(struct kernel_scale){&scale});
    assert_true(scale.scale == 2 && scale.good_steps == 0);
}

/* --- layouts of weights --- */

static void layouts(void **state)
{
    /* A convolution, an FC behind a map, a vector by channel. */
    const struct kernel_part parts[] = {
        {0, 0, 5, 3, 9, 8, 8},
        {135, 576, 10, 12, 4, 16, 16},
        {615, 1600, 1, 13, 1, 1, 16},
    };
    enum { CANONICAL = 628, STORED = 1616 };
    for (int t = 0; t < BED_TYPES; t++) {
        const struct bed_type *type = &bed_types[t];
        float *canonical = bed_floats(CANONICAL), *back = bed_floats(CANONICAL), *values = bed_floats(STORED);
        void *copies = bed_floats(STORED);
        for (int i = 0; i < CANONICAL; i++)
            canonical[i] = (float)(i + 1);
        bed_launch("pack", type, kernel_grid_parts(COUNT_OF(parts)),
                   &(struct kernel_pack){parts, canonical, values, copies});
        for (int i = 0; i < STORED; i++)
            assert_true(type->read(copies, (size_t)i) == bed_rounded(type, values[i]));
        /* By hand: output 4, input 2, place 7 of the kernel; output 9, input 11, position 3; padding. */
        assert_true(values[4 * 9 * 8 + 7 * 8 + 2] == (float)(1 + 4 * 27 + 2 * 9 + 7));
        assert_true(values[576 + (9 * 4 + 3) * 16 + 11] == (float)(1 + 135 + 9 * 48 + 11 * 4 + 3));
        assert_true(values[1600 + 12] == 628 && values[1600 + 13] == 0);
        assert_true(values[3] == 0 && values[5 * 9 * 8] == 0 && values[575] == 0);

        struct kernel_loss_scale scale = {.scale = 4};
        bed_launch("unpack", type, kernel_grid_parts(COUNT_OF(parts)),
                   &(struct kernel_unpack){parts, &scale, copies, back});
        for (int i = 0; i < CANONICAL; i++)
            assert_true(back[i] == bed_rounded(type, canonical[i]) / 4);
        free(canonical);
        free(back);
        free(values);
        free(copies);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storage_types), cmocka_unit_test(classifier), cmocka_unit_test(nan_reaches_the_loss),
        cmocka_unit_test(update),        cmocka_unit_test(loss_scale), cmocka_unit_test(layouts),
    };
    return cmocka_run_group_tests_name("kernels at the end of a step", tests, NULL, NULL);
}
