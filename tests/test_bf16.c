/*
 * test_bf16.c - convolutions in bf16, emulated or by the processor, against sums in double over operands that are
 * rounded in the same way.
 *
 * This file is compiled for one instruction set and calls the linear part of its convolutions (conv.h) with an output
 * gradient of its own.  So only the order of float32 sums may differ.  The difference from operands that are not
 * rounded is the error of bf16.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/cpu/conv.h"
#include "op_cases.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* --- rounding --- */

/* The nearer of the two bf16 numbers around `value`, the even one of a tie; found by comparing distances. */
static float nearest(float value)
{
    uint32_t below = bits_of_float(value) & 0xffff0000u, above = below + 0x10000u;
    if (fabsf(value) < FLT_MIN)
        return copysignf(0, value);
    if (isinf(value))
        return value;
    double low = (double)float_of_bits(below), high = (double)float_of_bits(above);
    if (isinf(high))
        high = copysign(ldexp(1, 128), (double)value);
    double to_low = fabs((double)value - low), to_high = fabs(high - (double)value);
    bool up = to_low > to_high || (to_low == to_high && (below & 0x10000u));
    return float_of_bits(up ? above : below);
}

static void check_rounding(const float values[2 * VECTOR_WIDTH])
{
    vector pairs = pairs_of(vector_load(values), vector_load(values + VECTOR_WIDTH));
    vector neighbours = pairs_of_neighbours(vector_load(values), vector_load(values + VECTOR_WIDTH));
    for (int i = 0; i < 2 * VECTOR_WIDTH; i++) {
        uint32_t scalar = bf16_of(values[i]);
        uint32_t lane = ((pair *)&pairs)[i % VECTOR_WIDTH], next = ((pair *)&neighbours)[i / 2];
        if (isnan(values[i]))
            assert_true(isnan(float_of_bits(scalar << 16)));
        else
            assert_int_equal(scalar << 16, bits_of_float(nearest(values[i])));
        assert_int_equal(i < VECTOR_WIDTH ? lane & 0xffff : lane >> 16, scalar);
        assert_int_equal(i % 2 ? next >> 16 : next & 0xffff, scalar);
    }
}

static void rounding(void **state)
{
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    float values[2 * VECTOR_WIDTH] __attribute__((aligned(64)));
    const uint32_t special[] = {0,          0x80000000, 1,          0x007fffff, 0x00800000, 0x7f7fffff,
                                0x7f800000, 0xff800000, 0x7f800001, 0x7fffffff, 0xffffffff, 0x3f808000,
                                0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7f8000, 0xbf808000, 0xbf818000};
    memset(values, 0, sizeof values);
    memcpy(values, special, sizeof special);
    check_rounding(values);
    for (int n = 0; n < 20000; n++) {
        for (int i = 0; i < 2 * VECTOR_WIDTH; i++)
            values[i] = float_of_bits(random_word(&stream) & (n % 2 ? 0xffffffffu : 0xffff8000u));
        check_rounding(values);
    }
    float row[37], packed[19];
    for (int count = 0; count <= 37; count++) {
        for (int i = 0; i < count; i++)
            row[i] = random_normal(&stream);
        pairs_of_row(row, (size_t)count, packed);
        for (int i = 0; i < count; i += 2)
            assert_int_equal(bits_of_float(packed[i / 2]), pair_of(row[i], i + 1 < count ? row[i + 1] : 0));
    }
}

/* --- the dot product --- */

static float flush(float value)
{
    return fabsf(value) < FLT_MIN ? copysignf(0, value) : value;
}

/* A pair of numbers of about 2^-60 … 2^60, and some below the smallest normal one. */
static pair draw_pair(struct random_stream *stream)
{
    uint32_t halves[2];
    for (int i = 0; i < 2; i++) {
        uint32_t exponent = random_below(stream, 16) ? 127 - 60 + random_below(stream, 121) : 0;
        halves[i] = random_below(stream, 2) << 15 | exponent << 7 | random_below(stream, 128);
    }
    return halves[0] | halves[1] << 16;
}

static void dot_product(void **state)
{
    struct random_stream stream = random_stream_new(2, RANDOM_TEST, 0, 0);
    for (int n = 0; n < 20000; n++) {
        vector a, b, sum;
        float expected[VECTOR_WIDTH];
        for (int i = 0; i < VECTOR_WIDTH; i++) {
            pair x = draw_pair(&stream), y = draw_pair(&stream);
            ((pair *)&a)[i] = x;
            ((pair *)&b)[i] = y;
            sum[i] = float_of_bits(random_below(&stream, 2) << 31 | random_below(&stream, 0xf0000000u) >> 1);
            float s = flush(sum[i]);
            s = flush(fmaf(flush(float_of_bits(x & 0xffff0000u)), flush(float_of_bits(y & 0xffff0000u)), s));
            s = flush(fmaf(flush(float_of_bits(x << 16)), flush(float_of_bits(y << 16)), s));
            expected[i] = s;
        }
        vector got = pairs_dot(sum, a, b);
        for (int i = 0; i < VECTOR_WIDTH; i++)
            assert_int_equal(bits_of_float(got[i]), bits_of_float(expected[i]));
    }
}

/* --- convolutions --- */

struct shapes {
    int inputs, outputs, height, width, kernel;
    bool filtered; /* must be done by minimal filtering */
};

/* A convolution, one block of images, and the arrays of its three sums. */
struct bed {
    struct conv c;
    float *scratch, *x, *y, *d, *dx, *dw, *weights, *start;
};

static float *map_draw(const struct map *map, struct random_stream *stream, bool border)
{
    float *block = memory_new_aligned((map->block_stride + BLOCK) * sizeof *block);
    for (size_t i = 0; i < map->block_stride + BLOCK; i++)
        block[i] = NAN;
    for (int k = 0; k < map->channels; k++) {
        if (border)
            map_clear_border(map, block + k * map->plane);
        for (int y = 0; y < map->height; y++)
            for (int x = 0; x < map->width; x++)
                for (int image = 0; stream && image < BLOCK; image++)
                    block[map_at(map, k, y, x) + image] = random_normal(stream);
    }
    return block;
}

static void bed_open(struct bed *bed, const struct shapes *shapes, struct random_stream *stream)
{
    struct op_case op_case = {.kind = OP_CONV_BN_RELU,
                              .inputs = shapes->inputs,
                              .height = shapes->height,
                              .width = shapes->width,
                              .outputs = shapes->outputs,
                              .kernel = shapes->kernel,
                              .stride = 1,
                              .count = BLOCK};
    struct plan *plan = memory_new(1, sizeof *plan);
    struct workspace workspace = {0};
    op_case_plan(&op_case, plan);
    conv_new(&workspace, plan, &plan->ops[0], PRECISION_BF16, 1, 1);
    bed->scratch = memory_new_aligned(workspace.used);
    for (size_t i = 0; i < workspace.used / sizeof(float); i++)
        bed->scratch[i] = NAN;
    bed->c = conv_new(&(struct workspace){(char *)bed->scratch, 0}, plan, &plan->ops[0], PRECISION_BF16, 1, 1);
    free(plan);
    size_t weights = (size_t)shapes->inputs * shapes->outputs * shapes->kernel * shapes->kernel;
    bed->weights = memory_new(weights, sizeof(float));
    bed->dw = memory_new(weights, sizeof(float));
    bed->start = memory_new((size_t)shapes->outputs, sizeof(float));
    for (size_t i = 0; i < weights; i++)
        bed->weights[i] = random_normal(stream);
    for (int k = 0; k < shapes->outputs; k++)
        bed->start[k] = random_normal(stream);
    bed->x = map_draw(&bed->c.in, stream, true);
    bed->d = map_draw(&bed->c.gradient, stream, true);
    bed->y = map_draw(&bed->c.linear, NULL, false);
    bed->dx = map_draw(&bed->c.in, NULL, false);
}

static void bed_close(struct bed *bed)
{
    free(bed->scratch);
    free(bed->x);
    free(bed->y);
    free(bed->d);
    free(bed->dx);
    free(bed->dw);
    free(bed->weights);
    free(bed->start);
}

static void bed_run(struct bed *bed)
{
    const struct conv *c = &bed->c;
    struct pass pass = conv_forward_begin(c, bed->weights, bed->start, NULL);
    conv_pass_run(c, &pass, 0, &c->in, bed->x + map_at(&c->in, 0, 0, 0), bed->y, NULL);
    conv_weight_gradient_begin(c, bed->dw);
    struct pass back = conv_input_gradient_begin(c, bed->weights, NULL);
    conv_weight_gradient_run(c, 0, 1, 0, 1, bed->x, bed->d, bed->dw);
    conv_input_gradient_run(c, &back, 0, bed->d, bed->dx);
    conv_weight_gradient_end(c, 0, 1, bed->dw);
}

static double rounded(float value, bool round)
{
    return (double)(round ? nearest(value) : value);
}

static float at(const struct map *map, const float *block, int channel, int y, int x, int image)
{
    bool inside = y >= 0 && y < map->height && x >= 0 && x < map->width;
    return inside ? block[map_at(map, channel, y, x) + (size_t)image] : 0;
}

/* The largest difference, and the root mean square of differences and of values. */
struct difference {
    double largest, squares, values, count;
};

static void difference_add(struct difference *difference, double expected, float got)
{
    double by = fabs(expected - (double)got);
    assert_false(isnan(got));
    difference->largest = fmax(difference->largest, by);
    difference->squares += by * by;
    difference->values += expected * expected;
    difference->count++;
}

static double relative(const struct difference *difference)
{
    return sqrt(difference->squares / difference->values);
}

/* Compares the three sums with those in double, of operands that are rounded or not. */
static void direct(const struct bed *bed, bool round, struct difference found[3])
{
    const struct conv *c = &bed->c;
    int kernel = c->kernel, pad = kernel / 2;
    memset(found, 0, 3 * sizeof *found);
    for (int k = 0; k < c->outputs; k++)
        for (int y = 0; y < c->linear.height; y++)
            for (int x = 0; x < c->linear.width; x++)
                for (int image = 0; image < BLOCK; image += 5) {
                    double sum = (double)bed->start[k];
                    for (int i = 0; i < c->inputs; i++)
                        for (int t = 0; t < kernel * kernel; t++)
                            sum += rounded(bed->weights[(k * c->inputs + i) * kernel * kernel + t], round) *
                                   rounded(at(&c->in, bed->x, i, y + t / kernel - pad, x + t % kernel - pad, image),
                                           round);
                    difference_add(&found[0], sum, at(&c->linear, bed->y, k, y, x, image));
                }
    for (int i = 0; i < c->inputs; i++)
        for (int y = 0; y < c->in.height; y++)
            for (int x = 0; x < c->in.width; x++)
                for (int image = 0; image < BLOCK; image += 5) {
                    double sum = 0;
                    for (int k = 0; k < c->outputs; k++)
                        for (int t = 0; t < kernel * kernel; t++)
                            sum +=
                                rounded(bed->weights[(k * c->inputs + i) * kernel * kernel + t], round) *
                                rounded(at(&c->gradient, bed->d, k, y + pad - t / kernel, x + pad - t % kernel, image),
                                        round);
                    difference_add(&found[1], sum, at(&c->in, bed->dx, i, y, x, image));
                }
    for (int k = 0; k < c->outputs; k++)
        for (int i = 0; i < c->inputs; i++)
            for (int t = 0; t < kernel * kernel; t++) {
                double sum = 0;
                for (int y = 0; y < c->linear.height; y++)
                    for (int x = 0; x < c->linear.width; x++)
                        for (int image = 0; image < BLOCK; image++)
                            sum += rounded(at(&c->gradient, bed->d, k, y, x, image), round) *
                                   rounded(at(&c->in, bed->x, i, y + t / kernel - pad, x + t % kernel - pad, image),
                                           round);
                difference_add(&found[2], sum, bed->dw[(k * c->inputs + i) * kernel * kernel + t]);
            }
}

/* --- minimal filtering, rounded after the transforms --- */

static const float matrix_b[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}}; /* Bt */
static const float matrix_g[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
static const float matrix_a[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}}; /* At */

/* m d mt, m being rows x size, rounded to bf16. */
static void transform(const float *m, int rows, int size, const float *d, double out[16])
{
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < rows; s++) {
            float column[4] = {0}, sum = 0;
            for (int j = 0; j < size; j++)
                for (int i = 0; i < size; i++)
                    column[j] += m[r * size + i] * d[i * size + j];
            for (int j = 0; j < size; j++)
                sum += m[s * size + j] * column[j];
            out[r * rows + s] = rounded(sum, true);
        }
}

/* V of the tile whose first output is (y, x); its inputs begin one pixel before. */
static void tile_of(const struct map *map, const float *block, int channel, int y, int x, int image, double v[16])
{
    float d[16];
    for (int i = 0; i < 16; i++)
        d[i] = at(map, block, channel, y - 1 + i / 4, x - 1 + i % 4, image);
    transform(&matrix_b[0][0], 4, 4, d, v);
}

static double untransform(const double m[16], int row, int column)
{
    double sum = 0;
    for (int i = 0; i < 16; i++)
        sum += (double)matrix_a[row][i / 4] * (double)matrix_a[column][i % 4] * m[i];
    return sum;
}

/* One direction of a product: `flipped` is the input gradient. */
static void filtered_product(const struct bed *bed, bool flipped, struct difference *found)
{
    const struct conv *c = &bed->c;
    const struct map *in = flipped ? &c->gradient : &c->in, *out = flipped ? &c->in : &c->linear;
    const float *x_block = flipped ? bed->d : bed->x, *got = flipped ? bed->dx : bed->y;
    for (int k = 0; k < out->channels; k++)
        for (int y = 0; y < out->height; y += 2)
            for (int x = 0; x < out->width; x += 2)
                for (int image = 0; image < BLOCK; image += 5) {
                    double m[16] = {0}, u[16], v[16];
                    for (int i = 0; i < in->channels; i++) {
                        float g[9];
                        int kernel = flipped ? i * c->inputs + k : k * c->inputs + i;
                        for (int t = 0; t < 9; t++)
                            g[t] = bed->weights[kernel * 9 + (flipped ? 8 - t : t)];
                        transform(&matrix_g[0][0], 4, 3, g, u);
                        tile_of(in, x_block, i, y, x, image, v);
                        for (int p = 0; p < 16; p++)
                            m[p] += u[p] * v[p];
                    }
                    for (int p = 0; p < 4; p++)
                        difference_add(found, untransform(m, p / 2, p % 2) + (flipped ? 0 : (double)bed->start[k]),
                                       at(out, got, k, y + p / 2, x + p % 2, image));
                }
}

static void filtered_outer(const struct bed *bed, struct difference *found)
{
    static const float matrix_at[4][2] = {{1, 0}, {1, 1}, {1, -1}, {0, -1}};
    const struct conv *c = &bed->c;
    for (int k = 0; k < c->outputs; k += 3)
        for (int i = 0; i < c->inputs; i++) {
            double m[16] = {0}, v[16], d[16];
            for (int y = 0; y < c->linear.height; y += 2)
                for (int x = 0; x < c->linear.width; x += 2)
                    for (int image = 0; image < BLOCK; image++) {
                        float tile[4];
                        for (int p = 0; p < 4; p++)
                            tile[p] = at(&c->gradient, bed->d, k, y + p / 2, x + p % 2, image);
                        transform(&matrix_at[0][0], 4, 2, tile, d);
                        tile_of(&c->in, bed->x, i, y, x, image, v);
                        for (int p = 0; p < 16; p++)
                            m[p] += d[p] * v[p];
                    }
            for (int t = 0; t < 9; t++) {
                double sum = 0;
                for (int p = 0; p < 16; p++)
                    sum += (double)matrix_g[p / 4][t / 3] * (double)matrix_g[p % 4][t % 3] * m[p];
                difference_add(found, sum, bed->dw[(k * c->inputs + i) * 9 + t]);
            }
        }
}

/* Kernels of 5 x 5 have tiles in float32 alone, so wide layers are float32. */
static void wide_kernels_stay_floats(void **state)
{
    static const struct shapes shapes[] = {{8, 12, 8, 8, 5, false}, {32, 32, 8, 8, 5, true}};
    for (size_t s = 0; s < COUNT_OF(shapes); s++) {
        struct random_stream stream = random_stream_new(4, RANDOM_TEST, (uint32_t)s, 0);
        struct bed bed = {0};
        bed_open(&bed, &shapes[s], &stream);
        assert_int_equal(bed.c.pairs, !shapes[s].filtered);
        assert_int_equal(bed.c.tile, shapes[s].filtered ? 4 : 0);
        bed_close(&bed);
    }
}

static void convolutions(void **state)
{
    static const struct shapes shapes[] = {
        {4, 4, 8, 8, 3, false},    {5, 7, 7, 7, 3, false},    {8, 12, 6, 6, 5, false},  {17, 16, 5, 3, 1, false},
        {7, 4, 1, 7, 5, false},    {17, 33, 5, 5, 3, false},  {16, 16, 6, 6, 3, false}, {16, 32, 6, 6, 3, true},
        {19, 35, 6, 10, 3, true},  {33, 16, 2, 2, 3, true},   {48, 160, 4, 4, 3, true}, {40, 8, 6, 6, 3, false},
        {300, 12, 3, 3, 1, false}, {12, 310, 2, 2, 1, false},
    };
    static const char *const names[3] = {"forward", "input gradient", "weight gradient"};
    const double bf16_cost = 1.0 / 256;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        struct random_stream stream = random_stream_new(3, RANDOM_TEST, (uint32_t)s, 0);
        struct difference exact[3], alike[3] = {{0}};
        struct bed bed = {0};
        bed_open(&bed, &shapes[s], &stream);
        assert_true(bed.c.pairs);
        assert_int_equal(bed.c.tile, shapes[s].filtered ? 2 : 0);
        bed_run(&bed);
        direct(&bed, false, exact);
        if (shapes[s].filtered) {
            filtered_product(&bed, false, &alike[0]);
            filtered_product(&bed, true, &alike[1]);
            filtered_outer(&bed, &alike[2]);
        } else {
            direct(&bed, true, alike);
        }
        for (int i = 0; i < 3; i++) {
            print_message("# %d>%d %dx%d k%d %-15s: %.1e of operands rounded alike, %.1e of exact ones\n",
                          shapes[s].inputs, shapes[s].outputs, shapes[s].height, shapes[s].width, shapes[s].kernel,
                          names[i], relative(&alike[i]), relative(&exact[i]));
            assert_true(relative(&alike[i]) < 1e-6);
            assert_true(alike[i].largest < 1e-5 * sqrt(alike[i].values / alike[i].count));
            assert_true(relative(&exact[i]) < 1.5 * bf16_cost && relative(&exact[i]) > bf16_cost / 4);
        }
        bed_close(&bed);
    }
}

#ifdef VECTOR_BF16
static void no_such_processor(void **state)
{
    skip();
}
#endif

int main(void)
{
#ifdef VECTOR_BF16
    const struct CMUnitTest none[] = {cmocka_unit_test(no_such_processor)};
    if (!__builtin_cpu_supports("avx512bf16"))
        return cmocka_run_group_tests_name("convolutions in bf16", none, NULL, NULL);
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding),
        cmocka_unit_test(dot_product),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(wide_kernels_stay_floats),
    };
    return cmocka_run_group_tests_name("convolutions in bf16", tests, NULL, NULL);
}
