/*
 * test_kernels_squeeze.c - the kernels of squeeze and excitation against the reference backend, of the operation cases
 * of tests/op_case_list.c and of more channels than a block covers.  Every case runs in three orders of threads and
 * blocks, whose results must be the same to the bit.
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

static const struct op_case more_cases[] = {
    {.kind = OP_SQUEEZE_EXCITE, .inputs = 264, .outputs = 20, .height = 3, .width = 4, .count = 3, .batch = 5},
    {.kind = OP_SQUEEZE_EXCITE, .inputs = 40, .outputs = 300, .height = 2, .width = 2, .count = 2},
};

/* What comes out of a case, plain: two maps, then all gradients in the canonical order. */
struct results {
    float *y, *dx, *gradients;
};

struct squeeze_test {
    const struct op_case *of;
    const struct bed_type *type;
    struct plan *plan;
    int batch, channels, units, positions;
    struct op_arrays in;
};

static void results_init(const struct squeeze_test *test, struct results *out)
{
    *out = (struct results){bed_floats(test->in.y_size), bed_floats(test->in.x_size), bed_floats(test->in.trained)};
}

static void results_done(struct results *out)
{
    free(out->y);
    free(out->dx);
    free(out->gradients);
}

static void reference(const struct squeeze_test *test, struct results *out)
{
    const struct op *op = &test->plan->ops[0];
    float *saved = bed_floats(ref_squeeze_saved(op, test->of->count)), *scratch = bed_floats(ref_squeeze_saved(op, 1));
    struct op_run run = {.plan = test->plan, .op = op, .count = test->of->count, .training = true};
    run.values = test->in.values;
    run.gradients = out->gradients;
    run.saved = saved;
    run.scratch = scratch;
    run.x = test->in.x;
    run.y = out->y;
    run.dy = test->in.dy;
    run.dx = test->of->first ? NULL : out->dx;
    ref_squeeze_forward(&run);
    ref_squeeze_backward(&run);
    free(saved);
    free(scratch);
}

/* A matrix as the device has it; `write`: from canonical values, else to them. */
static void convert(const struct bed_type *type, void *stored, float *plain, int rows, int columns, bool write)
{
    for (int row = 0; row < KERNEL_ROUND(rows); row++)
        for (int column = 0; column < KERNEL_ROUND(columns); column++) {
            size_t at = (size_t)row * KERNEL_ROUND(columns) + column;
            bool inside = row < rows && column < columns;
            if (write)
                type->write(stored, at, inside ? plain[row * columns + column] : 0);
            else if (inside)
                plain[row * columns + column] = type->read(stored, at);
            else
                assert_true(type->read(stored, at) == 0);
        }
}

/* [0]: of the squeezing layer, [1]: of the exciting one. */
struct device {
    void *weights[2], *gradients[2];
    float *biases[2], *bias_gradients[2];
    float *values[3], *value_gradients[3];
};

static void device_init(struct device *d, const struct squeeze_test *test)
{
    const struct op *op = &test->plan->ops[0];
    const struct weights_layer *layers[2] = {&op->weights, &op->excite};
    const int sizes[3] = {test->channels, test->units, test->channels};
    for (int i = 0; i < 2; i++) {
        size_t size = (size_t)KERNEL_ROUND(layers[i]->outputs) * KERNEL_ROUND(layers[i]->inputs);
        d->weights[i] = bed_floats(size);
        d->gradients[i] = bed_floats(size);
        d->biases[i] = bed_floats((size_t)KERNEL_ROUND(layers[i]->outputs));
        d->bias_gradients[i] = bed_floats((size_t)KERNEL_ROUND(layers[i]->outputs));
        convert(test->type, d->weights[i], test->in.values + layers[i]->weight, layers[i]->outputs, layers[i]->inputs,
                true);
        for (int k = 0; k < KERNEL_ROUND(layers[i]->outputs); k++)
            d->biases[i][k] = k < layers[i]->outputs ? test->in.values[layers[i]->bias + k] : 0;
    }
    for (int i = 0; i < 3; i++) {
        d->values[i] = bed_floats((size_t)test->batch * KERNEL_ROUND(sizes[i]));
        d->value_gradients[i] = bed_floats((size_t)test->batch * KERNEL_ROUND(sizes[i]));
    }
}

static void device_done(struct device *d)
{
    for (int i = 0; i < 2; i++) {
        free(d->weights[i]);
        free(d->gradients[i]);
        free(d->biases[i]);
        free(d->bias_gradients[i]);
    }
    for (int i = 0; i < 3; i++) {
        free(d->values[i]);
        free(d->value_gradients[i]);
    }
}

static void read_map(const struct bed_tensor *tensor, int count, const char *name, float *plain)
{
    const char *wrong = bed_wrong_beside(tensor, count);
    if (wrong)
        fail_msg("%s: %s", name, wrong);
    bed_read(tensor, count, plain);
}

static void run_kernels(const struct squeeze_test *test, const char *name, struct results *out)
{
    const struct op *op = &test->plan->ops[0];
    const struct weights_layer *layers[2] = {&op->weights, &op->excite};
    const struct op_case *of = test->of;
    struct kernel_grid images = {(unsigned)test->batch, 1};
    struct bed_tensor tensors[4]; /* x, y, dy, dx */
    struct device d;
    for (int i = 0; i < 4; i++) {
        bool slice = i == 0 || i == 3 ? of->in_after : of->out_before || of->out_after;
        tensors[i] = bed_tensor_new(test->type, slice ? BED_SLICE_UNALIGNED : BED_OWN, test->batch, test->channels,
                                    test->positions);
    }
    bed_write(&tensors[0], of->count, test->in.x);
    bed_write(&tensors[2], of->count, test->in.dy);
    device_init(&d, test);
    struct kernel_step step = {.count = of->count};
    struct kernel_squeeze arguments = {
        &step,
        test->channels,
        test->units,
        test->positions,
        tensors[0].map,
        tensors[1].map,
        tensors[2].map,
        of->first ? (struct kernel_map){0} : tensors[3].map,
        d.weights[0],
        d.weights[1],
        d.biases[0],
        d.biases[1],
        d.values[0],
        d.values[1],
        d.values[2],
        d.value_gradients[0],
        d.value_gradients[1],
        d.value_gradients[2],
        d.gradients[0],
        d.gradients[1],
        d.bias_gradients[0],
        d.bias_gradients[1],
    };
    bed_launch("squeeze_forward", test->type, images, &arguments);
    bed_launch("squeeze_backward", test->type, images, &arguments);
    bed_launch("squeeze_weights", test->type, kernel_grid_items(kernel_squeeze_items(test->channels, test->units)),
               &arguments);
    read_map(&tensors[1], of->count, name, out->y);
    if (!of->first)
        read_map(&tensors[3], of->count, name, out->dx);
    for (int i = 0; i < 2; i++) {
        convert(test->type, d.gradients[i], out->gradients + layers[i]->weight, layers[i]->outputs, layers[i]->inputs,
                false);
        memcpy(out->gradients + layers[i]->bias, d.bias_gradients[i], (size_t)layers[i]->outputs * sizeof(float));
    }
    for (int i = 0; i < 4; i++)
        bed_tensor_done(&tensors[i]);
    device_done(&d);
}

static void compare(const struct squeeze_test *test, const char *name, const char *what, size_t size,
                    const float *expected, const float *got)
{
    ptrdiff_t wrong = bed_compare(size, expected, got, test->type->rounding, 1e-5 + test->type->smallest);
    if (wrong >= 0)
        fail_msg("%s, %s: %s[%td] is %.9g, the reference has %.9g", name, test->type->suffix, what, wrong,
                 (double)got[wrong], (double)expected[wrong]);
}

static void check_case(const struct op_case *of, const struct bed_type *type)
{
    char name[OP_CASE_NAME];
    struct squeeze_test test = {.of = of, .type = type, .plan = memory_new(1, sizeof *test.plan)};
    struct results expected, got[SHIM_ORDERS];
    op_case_name(of, name);
    op_case_plan(of, test.plan);
    op_arrays_draw(of, test.plan, OP_DATA_GRID, 2, &test.in);
    for (size_t i = 0; i < test.in.y_size; i++)
        test.in.dy[i] = bed_rounded(type, test.in.dy[i]);
    test.batch = of->batch ? of->batch : of->count;
    test.channels = of->inputs;
    test.units = test.plan->ops[0].weights.outputs;
    test.positions = of->height * of->width;
    results_init(&test, &expected);
    reference(&test, &expected);
    int orders = type == &bed_types[0] ? SHIM_ORDERS : 1; /* what a type stores changes nothing about threads */
    for (int order = 0; order < orders; order++) {
        shim_set_order((enum shim_order)order, 7);
        results_init(&test, &got[order]);
        run_kernels(&test, name, &got[order]);
        compare(&test, name, "y", test.in.y_size, expected.y, got[order].y);
        if (!of->first)
            compare(&test, name, "dx", test.in.x_size, expected.dx, got[order].dx);
        compare(&test, name, "gradient", test.in.trained, expected.gradients, got[order].gradients);
        assert_memory_equal(got[0].y, got[order].y, test.in.y_size * sizeof(float));
        assert_memory_equal(got[0].gradients, got[order].gradients, test.in.trained * sizeof(float));
        if (!of->first)
            assert_memory_equal(got[0].dx, got[order].dx, test.in.x_size * sizeof(float));
    }
    for (int order = 0; order < orders; order++)
        results_done(&got[order]);
    results_done(&expected);
    op_arrays_done(&test.in);
    free(test.plan);
}

static void against_reference(void **state)
{
    int checked = 0;
    for (int i = 0; i < op_case_count; i++)
        if (op_cases[i].kind == OP_SQUEEZE_EXCITE && ++checked)
            check_case(&op_cases[i], *state);
    for (size_t i = 0; i < COUNT_OF(more_cases); i++)
        check_case(&more_cases[i], *state);
    assert_true(checked > 0);
}

int main(void)
{
    struct CMUnitTest tests[BED_TYPES];
    for (int t = 0; t < BED_TYPES; t++)
        tests[t] = (struct CMUnitTest){bed_types[t].suffix, against_reference, NULL, NULL, (void *)&bed_types[t]};
    return _cmocka_run_group_tests("squeeze and excitation against the reference", tests, BED_TYPES, NULL, NULL);
}
