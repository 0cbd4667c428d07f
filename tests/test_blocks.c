/*
 * test_blocks.c - the transformations of residual and separable layers: what their law (test_chains.c) can't see.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "morph_bed.h"
#include "naive_forward.h"
#include "util/bug.h"
#include "util/memory.h"

static const struct morph_options exact_equal = {MORPH_SPLIT_EQUAL, 0, 0};
static const struct morph_options fresh = {MORPH_SPLIT_FRESH, 0, 0};
static const struct shape small_input = {2, 6, 6};

static void blocks_and_streams_are_taken_out_again(void **state)
{
    static const char *const notations[] = {"C(3,3,1) M(4,3) R(4,3) S(5,3,2) A(2,2) FC(5) SM(3)",
                                            "C(3,3,1) M(4,3,se,hs) R(4,3,se) S(5,3,2,se,hs) A(2,2) FC(5) SM(3)"};
    static const int units[] = {3, 4, 4, 5};
    for (int i = 0; i < 8; i++) {
        int layer = i % 4;
        const char *modern = notations[i / 4];
        assert_undone(modern, (struct action){ACTION_WIDEN, layer, 9, 0, 0, 0},
                      (struct action){ACTION_NARROW, layer, units[layer], 0, 0, 0}, &fresh);
        assert_undone(modern, (struct action){ACTION_KERNEL, layer, 0, 7, 0, 0},
                      (struct action){ACTION_KERNEL, layer, 0, 3, 0, 0}, &exact_equal);
        assert_undone(modern, (struct action){ACTION_DEEPEN, layer, 6, 5, layer % 2 ? LAYER_RESIDUAL : LAYER_MOBILE, 0},
                      (struct action){ACTION_REMOVE, layer + 1, 0, 0, 0, 0}, &exact_equal);
    }
}

/* Each weight is drawn as from scratch; what the block adds is 0, until training moves its last gamma. */
static void a_new_block_adds_nothing(void **state)
{
    struct random_stream stream = test_stream(26, 0);
    struct weights *parent = random_weights("C(6,3,1) R(4,3) SM(3)", small_input, &stream);
    struct weights *child =
        apply(parent, (struct action){ACTION_DEEPEN, 1, 20, 5, LAYER_MOBILE, 0}, &exact_equal, NULL, &stream);
    static const enum weights_part parts[] = {WEIGHTS_BOTTLENECK, WEIGHTS_DEPTHWISE, WEIGHTS_MAIN};
    static const double deviations[] = {0.577350, 0.282843, 0.316228}; /* sqrt of 2/6, 2/25 and 2/20 */
    for (size_t p = 0; p < COUNT_OF(parts); p++) {
        const struct weights_layer *place = &child->layout.parts[parts[p]][2];
        double square = 0;
        int count = place->outputs * place->inputs * place->kernel * place->kernel;
        for (int i = 0; i < count; i++)
            square += (double)child->values[place->weight + i] * child->values[place->weight + i];
        assert_float_equal(sqrt(square / count), deviations[p], 0.15 * deviations[p]);
        for (int i = 0; i < place->outputs; i++) {
            assert_true(child->values[place->gamma + i] == (parts[p] == WEIGHTS_MAIN ? 0 : 1));
            assert_true(child->values[place->beta + i] == 0 && child->values[place->mean + i] == 0);
        }
    }
    weights_free(parent);
    weights_free(child);
}

/* On noise, both compute the same 3 logits, those of layer `last`. */
static void check_logits(const struct weights *parent, const struct weights *child, int last,
                         struct random_stream *stream)
{
    float *images = memory_new((size_t)image_size(parent), sizeof *images);
    fill_normal(images, image_size(parent), 0, 1, stream);
    struct shape shape;
    double *before = naive_forward(parent, last, images, &shape), *after = naive_forward(child, last, images, &shape);
    for (int i = 0; i < 3; i++)
        assert_float_equal(after[i], before[i], 1e-4);
    free(before);
    free(after);
    free(images);
}

/* Make a unit a constant behind its BN. */
static void set_constant(struct weights *weights, int layer, enum weights_part part, int unit, float value)
{
    const struct weights_layer *place = &weights->layout.parts[part][layer];
    weights->values[place->gamma + unit] = 0;
    weights->values[place->beta + unit] = value;
}

/* A channel of a stream, or a hidden one, that never varies: whoever reads it computes the same without it. */
static void a_lost_constant_goes_to_all_readers(void **state)
{
    static const int widths[] = {4, 3, 5};
    for (int layer = 0; layer < 3; layer++) {
        struct random_stream stream = test_stream(27, (uint32_t)layer);
        struct weights *parent = random_weights("C(4,1,1) M(3,1) R(5,1) P(1,1) S(3,1,1) SM(3)", small_input, &stream);
        set_constant(parent, 0, WEIGHTS_MAIN, 1, layer == 0 ? 1.5f : 0.5f);
        if (layer == 0) {
            set_constant(parent, 1, WEIGHTS_MAIN, 1, -0.7f);
            set_constant(parent, 2, WEIGHTS_MAIN, 1, 0.9f);
            set_constant(parent, 4, WEIGHTS_DEPTHWISE, 1, 0.4f);
        } else {
            set_constant(parent, layer, layer == 1 ? WEIGHTS_DEPTHWISE : WEIGHTS_BOTTLENECK, 1, 1.2f);
        }
        struct weights *child = apply(parent, (struct action){ACTION_NARROW, layer, widths[layer] - 1, 0, 0, 0},
                                      &exact_equal, NULL, &stream);
        check_logits(parent, child, 5, &stream);
        weights_free(parent);
        weights_free(child);
    }
}

/* Its first linear layer is drawn as from scratch; the second is zeros, so that every gate is 1. */
static void new_gates_are_one(void **state)
{
    struct random_stream stream = test_stream(28, 0);
    struct weights *parent = random_weights("C(6,3,1) M(64,3,hs) SM(3)", small_input, &stream);
    struct weights *child = apply(parent, (struct action){ACTION_SQUEEZE, 1, 0, 0, 0, 0}, &exact_equal, NULL, &stream);
    const struct weights_layer *squeeze = &child->layout.parts[WEIGHTS_SQUEEZE][1];
    const struct weights_layer *excite = &child->layout.parts[WEIGHTS_EXCITE][1];
    double square = 0;
    for (int i = 0; i < 16 * 64; i++) {
        square += (double)child->values[squeeze->weight + i] * child->values[squeeze->weight + i];
        assert_true(child->values[excite->weight + i] == 0);
    }
    assert_float_equal(sqrt(square / (16 * 64)), 0.176777, 0.02); /* sqrt of 2/64 */
    for (int i = 0; i < 64; i++)
        assert_true(child->values[excite->bias + i] == 0 && (i >= 16 || child->values[squeeze->bias + i] == 0));
    weights_free(parent);
    weights_free(child);
}

/* What the gates read of a constant channel that goes is in their bias, where squeezed values go with it. */
static void gates_keep_what_a_lost_constant_gave(void **state)
{
    struct random_stream stream = test_stream(29, 0);
    struct weights *parent = random_weights("C(4,1,1) M(8,1,se) SM(3)", small_input, &stream);
    const struct weights_layer *main = &parent->layout.layers[1];
    const struct weights_layer *excite = &parent->layout.parts[WEIGHTS_EXCITE][1];
    set_constant(parent, 1, WEIGHTS_DEPTHWISE, 3, 1.2f);
    for (int i = 0; i < 8; i++) /* squeezed value 0 matters to no gate; it goes */
        parent->values[excite->weight + 2 * i] = 0;
    for (int i = 0; i < 4; i++) /* the channel itself is read by nobody */
        parent->values[main->weight + 8 * i + 3] = 0;
    struct weights *child = apply(parent, (struct action){ACTION_NARROW, 1, 7, 0, 0, 0}, &exact_equal, NULL, &stream);
    assert_int_equal(child->layout.parts[WEIGHTS_SQUEEZE][1].outputs, 1);
    check_logits(parent, child, 2, &stream);
    weights_free(parent);
    weights_free(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_and_streams_are_taken_out_again), cmocka_unit_test(a_new_block_adds_nothing),
        cmocka_unit_test(a_lost_constant_goes_to_all_readers),    cmocka_unit_test(new_gates_are_one),
        cmocka_unit_test(gates_keep_what_a_lost_constant_gave),
    };
    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
