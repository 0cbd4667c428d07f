/*
 * test_gradient.c - the reference backend's gradients against central differences.
 *
 * The function is L = sum of y * dy for fixed random dy (for the classifier: the mean cross-entropy), forward in
 * training mode.  For weights and for inputs alike its derivative is taken along random directions, along the
 * gradient itself and along single coordinates.  ReLU and max pool have kinks: a small step crosses few of them, so
 * what is asked for is closeness, not equality; test_pytorch asks for that.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "op_cases.h"
#include "repeats.h"
#include "util/memory.h"
#include "util/random.h"

enum { DIRECTIONS = REPEATS(3), COORDINATES = REPEATS(4) };
static const float direction_step = 2e-5f, coordinate_step = 2e-4f;
static const double direction_tolerance = 0.03, coordinate_tolerance = 0.04;
static const int64_t multiplies_max = 1500000; /* larger cases would only take longer */

struct probe {
    const struct op_case *op_case;
    const struct plan *plan;
    const struct op_arrays *arrays;
    float *point;          /* the values or inputs that are moved: inside `moved` */
    const float *gradient; /* of them */
    size_t size;
    struct op_arrays moved; /* a copy that is moved */
    struct op_arrays *out;  /* what comes out there */
};

static double loss_at(const struct probe *probe)
{
    struct op_instance instance;
    const struct op_arrays *out = probe->out;
    double loss = 0;
    op_instance_init(&instance, &backend_ref, probe->op_case, probe->plan, &probe->moved);
    op_instance_forward(&instance, true);
    op_instance_read(&instance, probe->out);
    if (probe->op_case->kind == OP_CLASSIFIER)
        loss = out->loss / probe->op_case->count;
    else
        for (size_t i = 0; i < out->y_size; i++)
            loss += (double)out->y[i] * probe->arrays->dy[i];
    op_instance_done(&instance);
    return loss;
}

/* (L(p + step d) - L(p - step d)) / 2 step. */
static double difference(const struct probe *probe, const float *direction, float step)
{
    float *origin = memory_new(probe->size, sizeof *origin);
    memcpy(origin, probe->point, probe->size * sizeof *origin);
    double sides[2];
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < probe->size; i++)
            probe->point[i] = origin[i] + (side ? step : -step) * direction[i];
        sides[side] = loss_at(probe);
    }
    memcpy(probe->point, origin, probe->size * sizeof *origin);
    free(origin);
    return (sides[1] - sides[0]) / (2 * (double)step);
}

static double product(const float *a, const float *b, size_t size)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static void check(const struct probe *probe, const char *what, const float *direction, float step, double scale,
                  double tolerance)
{
    double expected = difference(probe, direction, step), got = product(probe->gradient, direction, probe->size);
    char name[OP_CASE_NAME];
    /* What rounding of the outputs to float32 does to the difference. */
    double rounding = 4e-7 * sqrt((double)probe->arrays->y_size) / (2 * (double)step);
    if (!(fabs(expected - got) <= tolerance * scale + rounding))
        fail_msg("%s: derivative by %s: differences say %g, backward %g (scale %g)", op_case_name(probe->op_case, name),
                 what, expected, got, scale);
}

static void check_array(const struct probe *probe, const char *what, struct random_stream *stream)
{
    float *direction = memory_new(probe->size, sizeof *direction);
    double norm = sqrt(product(probe->gradient, probe->gradient, probe->size));
    double rms = norm / sqrt((double)probe->size);
    for (int k = 0; k < DIRECTIONS; k++) {
        for (size_t i = 0; i < probe->size; i++)
            direction[i] = random_normal(stream);
        check(probe, what, direction, direction_step, norm, direction_tolerance);
    }
    if (rms > 1e-3) {
        for (size_t i = 0; i < probe->size; i++)
            direction[i] = (float)(probe->gradient[i] / rms);
        check(probe, what, direction, direction_step, norm * sqrt((double)probe->size), direction_tolerance);
    }
    memset(direction, 0, probe->size * sizeof *direction);
    for (int k = 0; k < COORDINATES; k++) {
        size_t i = random_below(stream, (uint32_t)probe->size);
        direction[i] = 1;
        check(probe, what, direction, coordinate_step, fabs((double)probe->gradient[i]) + rms, coordinate_tolerance);
        direction[i] = 0;
    }
    free(direction);
}

static void check_case(const struct op_case *op_case, uint64_t seed)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    struct probe probe = {.op_case = op_case, .plan = plan};
    struct op_arrays arrays, out;
    struct op_instance instance;
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 1, 0);
    op_case_plan(op_case, plan);
    op_arrays_draw(op_case, plan, OP_DATA_CONTINUOUS, seed, &arrays);
    op_arrays_draw(op_case, plan, OP_DATA_CONTINUOUS, seed, &probe.moved);
    op_arrays_draw(op_case, plan, OP_DATA_CONTINUOUS, seed, &out);
    op_instance_init(&instance, &backend_ref, op_case, plan, &arrays);
    op_instance_forward(&instance, true);
    op_instance_backward(&instance);
    op_instance_read(&instance, &arrays);
    probe.arrays = &arrays;
    probe.out = &out;
    if (plan->trained) {
        probe.point = probe.moved.values;
        probe.gradient = arrays.gradients;
        probe.size = arrays.trained;
        check_array(&probe, "weights", &stream);
    }
    if (!op_case->first) {
        probe.point = probe.moved.x;
        probe.gradient = arrays.dx;
        probe.size = arrays.x_size;
        check_array(&probe, "input", &stream);
    }
    if (arrays.x2_size) {
        probe.point = probe.moved.x2;
        probe.gradient = arrays.dx2;
        probe.size = arrays.x2_size;
        check_array(&probe, "second input", &stream);
    }
    op_instance_done(&instance);
    op_arrays_done(&arrays);
    op_arrays_done(&out);
    op_arrays_done(&probe.moved);
    free(plan);
}

static void check_kind(enum op_kind kind)
{
    int checked = 0;
    for (int i = 0; i < op_case_count; i++) {
        if (op_cases[i].kind != kind || op_case_multiplies(&op_cases[i]) * op_cases[i].count > multiplies_max)
            continue;
        check_case(&op_cases[i], (uint64_t)i);
        checked++;
    }
    assert_true(checked > 0);
}

static void convolution(void **state)
{
    check_kind(OP_CONV_BN_RELU);
}

static void fc(void **state)
{
    check_kind(OP_FC_BN_RELU);
}

static void pool(void **state)
{
    check_kind(OP_POOL);
}

static void dropout(void **state)
{
    check_kind(OP_DROPOUT);
}

static void classifier(void **state)
{
    check_kind(OP_CLASSIFIER);
}

static void normalisation(void **state)
{
    check_kind(OP_BN_RELU);
}

static void convolution_alone(void **state)
{
    check_kind(OP_CONV);
}

static void add(void **state)
{
    check_kind(OP_ADD);
}

static void depthwise(void **state)
{
    check_kind(OP_DEPTHWISE_BN_RELU);
}

static void convolution_and_add(void **state)
{
    check_kind(OP_CONV_BN_ADD);
}

static void squeeze(void **state)
{
    check_kind(OP_SQUEEZE_EXCITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution),
        cmocka_unit_test(fc),
        cmocka_unit_test(pool),
        cmocka_unit_test(dropout),
        cmocka_unit_test(classifier),
        cmocka_unit_test(normalisation),
        cmocka_unit_test(convolution_alone),
        cmocka_unit_test(add),
        cmocka_unit_test(depthwise),
        cmocka_unit_test(convolution_and_add),
        cmocka_unit_test(squeeze),
    };
    return cmocka_run_group_tests_name("reference gradients against finite differences", tests, NULL, NULL);
}
