/*
 * convolve.h - the linear part of OP_CONV_BN_RELU: forward, input gradient and weight gradient, each by the best method.
 *
 * Any convolution can go through `product` and `outer` directly (product.h); those that fit and are wide enough go
 * through them by way of minimal filtering (winograd.h).  A `begin` prepares weights and tables; then groups of images
 * follow one another, or go to the members of a team: each has its own piece of the scratch that is written.
 *
 * The weight gradient is a sum over all images.  So that it comes out the same whoever helps, members share its columns
 * (input channels, places of the kernel) and each walks all images in their order.
 *
 * The input gradient is a convolution of the output's gradient with the flipped, transposed kernel.  With stride s the
 * input's places fall into s x s phases (y mod s, x mod s): each phase meets only the kernel places that the forward
 * pass brought there, and is a dense convolution of its own.
 */
#ifndef ESPALIER_BACKEND_CPU_CONVOLVE_H
#define ESPALIER_BACKEND_CPU_CONVOLVE_H

#include "backend/cpu/operands.h"
#include "backend/cpu/winograd.h"
#include "nn/backend.h"
#include "util/bug.h"

struct convolution {
    int kernel, stride, inputs, outputs;
    struct map in, linear, gradient; /* `gradient`: the linear part's, with the border that the input gradient wants */
    bool pairs;                      /* in bf16 */
    int tile;                        /* of minimal filtering; 0: multiplied directly */
    int together;                    /* groups that the weight gradient takes at once */
    int round; /* groups whose gradients of the linear part are there at once: a multiple of `together`, or all */
    /* Scratch. */
    int32_t *offsets, *gradient_offsets;
    int32_t *product_tiles, *outer_tiles; /* of a channel in a chunk of a product, of an outer product */
    float *packed;                        /* weights as the method at hand wants them */
    float *filtered_gradient;             /* of the weights, transformed */
    float *gradients;                     /* of the linear part, `round` groups */
    float *tiles_in, *tiles_out;          /* chunks, one after another for each member */
    size_t tiles;                         /* from one member's to the next's */
    float *operands, *gradient_operands;  /* one group in pairs, where it is multiplied directly; for each member */
    size_t operand, gradient_operand;     /* from one member's to the next's */
};

static void tile_offsets(int32_t *offsets, int channels, int tiles)
{
    for (int i = 0; i < channels; i++)
        offsets[i] = i * tiles * LANES;
}

/* Whether multiplying in bf16 saves more than making the operands costs.  In instructions for 16 images of a pixel,
   with C inputs, K outputs and T taps, as compiled for AVX-512: the three sums take 5.5 TCK, and pairs half of that;
   operands are made in some 8 (C + K).  To be sure, twice that.  With fewer than four inputs pairs are part empty; that
   is the first layer, which so keeps its pixels as they are.  5 x 5 kernels are multiplied directly in pairs: where
   tiles of floats take less than half of the multiplies, floats are faster. */
static bool pairs_pay(const struct convolution *c)
{
    int height = c->linear.height, width = c->linear.width;
    int64_t saved = INT64_C(27) * c->kernel * c->kernel * c->inputs * c->outputs;
    if (c->stride != 1 || c->inputs < 4 || saved < INT64_C(160) * (c->inputs + c->outputs))
        return false;
    return c->kernel != 5 || winograd_cost(4, 5, height, width, c->inputs, c->outputs) >
                                 winograd_cost(0, 5, height, width, c->inputs, c->outputs) / 2;
}

static void operands_new(struct pieces *pieces, struct convolution *c, int members)
{
    size_t product = (size_t)(c->inputs + 1) / 2 * c->in.plane;
    size_t gradient = (size_t)(c->outputs + 1) / 2 * c->gradient.plane;
    size_t images = ((size_t)c->inputs * c->in.plane + LANES) / 2;
    c->operand = product > gradient ? product : gradient;
    c->operand = ((c->operand > images ? c->operand : images) + LANES - 1) / LANES * LANES;
    c->gradient_operand = map_of_pixel_pairs(&c->gradient).group;
    c->operands = piece(pieces, members * c->operand * sizeof(float));
    c->gradient_operands = piece(pieces, members * c->gradient_operand * sizeof(float));
}

/* Pairs of channels, of each tap: [row][pair][tap] of canonical weights; the last of an odd number pairs with 0. */
static void pair_weights(const struct convolution *c, const float *weights, float *packed)
{
    size_t taps = (size_t)c->kernel * c->kernel;
    pair *to = (pair *)packed;
    for (int k = 0; k < c->outputs; k++)
        for (int i = 0; i < c->inputs; i += 2) {
            const float *first = weights + ((size_t)k * c->inputs + i) * taps;
            for (size_t t = 0; t < taps; t++)
                *to++ = pair_of(first[t], i + 1 < c->inputs ? first[taps + t] : 0);
        }
}

static struct convolution convolution_new(struct pieces *pieces, const struct plan *plan, const struct op *op,
                                          enum precision precision, int groups, int members)
{
    struct convolution c = {.kernel = op->kernel, .stride = op->stride, .outputs = op->channels, .together = 1};
    c.in = map_of(&plan->tensors[op->inputs[0]]);
    c.inputs = c.in.channels;
    c.linear = map_new(op->channels, op->height, op->width, 0);
    c.gradient = map_new(op->channels, op->height, op->width, op->kernel / 2);
    ASSERT(c.in.border >= op->kernel / 2);
    c.pairs = BF16 && precision == PRECISION_BF16 && pairs_pay(&c);
    size_t taps = (size_t)c.kernel * c.kernel, inputs = (size_t)c.inputs, outputs = (size_t)c.outputs;
    c.offsets = piece(pieces, inputs * taps * sizeof(int32_t));
    c.gradient_offsets = piece(pieces, outputs * taps * sizeof(int32_t));
    c.tile = winograd_tile(c.pairs, c.kernel, c.stride, op->height, op->width, c.inputs, c.outputs);
    if (c.tile) {
        int most = c.inputs > c.outputs ? c.inputs : c.outputs, chunk = winograd_outer_tiles(c.tile);
        int points = winograd_points(c.tile, c.kernel), tiles = winograd_tiles(c.tile, op->height, op->width);
        size_t filtered = points * winograd_weights_point(c.inputs, c.outputs) * sizeof(float);
        c.packed = piece(pieces, filtered);
        c.filtered_gradient = piece(pieces, filtered);
        c.product_tiles = piece(pieces, (size_t)most * sizeof(int32_t));
        c.outer_tiles = piece(pieces, (size_t)most * sizeof(int32_t));
        c.tiles = points * winograd_point(most, chunk > PRODUCT_TILES ? chunk : PRODUCT_TILES);
        c.tiles_in = piece(pieces, (size_t)members * c.tiles * sizeof(float));
        c.tiles_out = piece(pieces, (size_t)members * c.tiles * sizeof(float));
        c.together = chunk > tiles ? chunk / tiles : 1;
        c.together = c.together < groups ? c.together : groups;
    } else {
        c.packed = piece(pieces, inputs * outputs * taps * sizeof(float));
        if (c.pairs)
            operands_new(pieces, &c, members);
    }
    c.round = (members + c.together - 1) / c.together * c.together;
    c.round = c.round < groups ? c.round : groups;
    c.gradients = piece(pieces, (size_t)c.round * c.gradient.group * sizeof(float));
    return c;
}

/* One direction of a convolution, ready to run: by `filter` where the convolution has a tile, else by `product`. */
struct pass {
    struct product product;
    struct winograd filter;
};

/* From `in` to `out`, which both begin at their first pixel; `moments` may be NULL. */
static void pass_run(const struct convolution *c, const struct pass *pass, int member, const struct map *in,
                     const float *x, float *out, const struct moments *moments)
{
    if (!c->tile) {
        if (BF16 && pass->product.pairs) {
            float *operand = c->operands + member * c->operand;
            size_t origin = map_at(in, 0, 0, 0);
            pairs_of_channels(in, x - origin, operand);
            x = operand + origin;
        }
        product_run(&pass->product, x, out, moments);
        return;
    }
    struct winograd filter = pass->filter;
    filter.in = c->tiles_in + member * c->tiles;
    filter.out = c->tiles_out + member * c->tiles;
    winograd_product(&filter, x - (size_t)(c->kernel / 2) * (in->pitch + LANES), out, moments);
}

static struct winograd filter_of(const struct convolution *c, const struct map *in, const struct map *out)
{
    return (struct winograd){
        .tile = c->tile,
        .kernel = c->kernel,
        .pairs = c->pairs,
        .inputs = in->channels,
        .outputs = out->channels,
        .groups = 1,
        .height = c->linear.height,
        .width = c->linear.width,
        .in_group = in->group,
        .in_plane = in->plane,
        .in_pitch = in->pitch,
        .out_group = out->group,
        .out_plane = out->plane,
        .out_pitch = out->pitch,
        .weights = c->packed,
        .offsets = c->product_tiles,
    };
}

/* The share of a loop's `count` things that item `item` of `items` does: the first of them.  In whole steps. */
static inline int share_of(int count, int step, int item, int items)
{
    int steps = (count + step - 1) / step, first = (int)((int64_t)steps * item / items) * step;
    return first < count ? first : count;
}

/* Transform the weights for minimal filtering, some rows a member. */
struct transform {
    struct kernels kernels;
    int tile, kernel;
    const float *weights;
    float *packed;
    int shares;
};

static void transform_share(void *context, int item, int member)
{
    const struct transform *t = context;
    int rows = t->kernels.rows;
    winograd_weights(t->tile, t->kernel, &t->kernels, share_of(rows, 1, item, t->shares),
                     share_of(rows, 1, item + 1, t->shares), t->weights, t->packed);
}

static struct winograd filter_begin(const struct convolution *c, const struct map *in, const struct map *out,
                                    struct kernels kernels, const float *weights, struct team *team)
{
    struct transform transform = {kernels, c->tile, c->kernel, weights, c->packed, team_size(team)};
    team_do(team, transform.shares, transform_share, &transform);
    if (BF16 && c->pairs)
        winograd_weights_pair(kernels.rows, kernels.columns, c->packed);
    tile_offsets(c->product_tiles, in->channels, PRODUCT_TILES);
    return filter_of(c, in, out);
}

/* Offsets of the forward columns, of channels or pairs of them, from the input's pixel. */
static void forward_offsets(const struct convolution *c, int channels)
{
    int32_t *offset = c->offsets, origin = (int32_t)map_at(&c->in, 0, 0, 0);
    for (int channel = 0; channel < channels; channel++)
        for (int y = 0; y < c->kernel; y++)
            for (int x = 0; x < c->kernel; x++)
                *offset++ = (int32_t)map_at(&c->in, channel, y - c->kernel / 2, x - c->kernel / 2) - origin;
}

/* Forward; `start` is what each channel's sums start from. */
static struct pass forward_begin(const struct convolution *c, const float *weights, const float *start,
                                 struct team *team)
{
    struct pass pass = {0};
    bool pairs = BF16 && c->pairs;
    int channels = pairs ? (c->inputs + 1) / 2 : c->inputs, columns = channels * c->kernel * c->kernel;
    if (c->tile) {
        pass.filter = filter_begin(c, &c->in, &c->linear, kernels_forward(c->outputs, c->inputs, c->kernel * c->kernel),
                                   weights, team);
        pass.filter.start = start;
        return pass;
    }
    forward_offsets(c, channels);
    if (pairs) {
        pair_weights(c, weights, c->packed);
        weights = c->packed;
    }
    pass.product = (struct product){
        .pairs = pairs,
        .rows = c->outputs,
        .columns = columns,
        .weights = weights,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = c->offsets,
        .start = start,
        .parts = c->stride == 1 ? 1 : PARTS,
        .height = c->linear.height,
        .width = c->linear.width * (c->stride == 1 ? PARTS : 1),
        .x_pitch = (ptrdiff_t)c->in.pitch * c->stride,
        .x_step = c->stride == 1 ? VECTOR_WIDTH : (ptrdiff_t)c->stride * LANES,
        .out_plane = (ptrdiff_t)c->linear.plane,
        .out_pitch = (ptrdiff_t)c->linear.pitch,
        .out_step = c->stride == 1 ? VECTOR_WIDTH : LANES,
    };
    return pass;
}

/* A phase of the input gradient, and where its columns (output channel, the kernel places that lead here) begin among
   those of all phases. */
struct phase {
    int y, x, before;
    int count; /* kernel places */
    int taps[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX], places[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX];
};

/* The first phase after `last`, which starts at the end of all; false when there is none. */
static bool phase_next(const struct convolution *c, struct phase *phase)
{
    int kernel = c->kernel, pad = kernel / 2, stride = c->stride;
    int origin = (int)map_at(&c->gradient, 0, 0, 0);
    phase->before += phase->count;
    if (++phase->x == stride) {
        phase->x = 0;
        if (++phase->y == stride)
            return false;
    }
    phase->count = 0;
    for (int ky = 0; ky < kernel; ky++)
        for (int kx = 0; kx < kernel; kx++) {
            int y = phase->y + pad - ky, x = phase->x + pad - kx;
            if (y % stride || x % stride)
                continue;
            phase->taps[phase->count] = ky * kernel + kx;
            phase->places[phase->count++] = (int)map_at(&c->gradient, 0, y / stride, x / stride) - origin;
        }
    return true;
}

static const struct phase phase_none = {.x = -1};

/* Rows are input channels. */
static struct product phase_product(const struct convolution *c, const struct phase *phase)
{
    bool pairs = BF16 && c->pairs;
    int stride = c->stride, columns = (pairs ? (c->outputs + 1) / 2 : c->outputs) * phase->count;
    return (struct product){
        .pairs = pairs,
        .rows = c->inputs,
        .columns = columns,
        .weights = c->packed + (size_t)phase->before * c->inputs * c->outputs,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = c->gradient_offsets + phase->before * c->outputs,
        .parts = stride == 1 ? 1 : PARTS,
        .height = (c->in.height - phase->y + stride - 1) / stride,
        .width = (c->in.width - phase->x + stride - 1) / stride * (stride == 1 ? PARTS : 1),
        .x_pitch = (ptrdiff_t)c->gradient.pitch,
        .x_step = stride == 1 ? VECTOR_WIDTH : LANES,
        .out_plane = (ptrdiff_t)c->in.plane,
        .out_pitch = (ptrdiff_t)c->in.pitch * stride,
        .out_step = stride == 1 ? VECTOR_WIDTH : (ptrdiff_t)LANES * stride,
    };
}

static void phase_prepare(const struct convolution *c, const struct phase *phase, const float *weights)
{
    int32_t *offsets = c->gradient_offsets + phase->before * c->outputs;
    float *packed = c->packed + (size_t)phase->before * c->inputs * c->outputs;
    bool pairs = BF16 && c->pairs;
    int taps = c->kernel * c->kernel, each = pairs ? 2 : 1;
    for (int k = 0; k * each < c->outputs; k++)
        for (int t = 0; t < phase->count; t++)
            *offsets++ = (int32_t)(k * c->gradient.plane) + phase->places[t];
    for (int i = 0; i < c->inputs; i++)
        for (int k = 0; k < c->outputs; k += each)
            for (int t = 0; t < phase->count; t++, packed++) {
                const float *weight = weights + ((size_t)k * c->inputs + i) * taps + phase->taps[t];
                if (pairs)
                    *(pair *)packed = pair_of(*weight, k + 1 < c->outputs ? weight[c->inputs * taps] : 0);
                else
                    *packed = *weight;
            }
}

static struct pass input_gradient_begin(const struct convolution *c, const float *weights, struct team *team)
{
    struct pass pass = {0};
    struct phase phase = phase_none;
    if (c->tile)
        pass.filter = filter_begin(c, &c->gradient, &c->in,
                                   kernels_flipped(c->outputs, c->inputs, c->kernel * c->kernel), weights, team);
    while (!c->tile && phase_next(c, &phase))
        phase_prepare(c, &phase, weights);
    return pass;
}

/* One group: `gradient` is the linear part's, `dx` the input's; both with their borders. */
static void input_gradient_run(const struct convolution *c, const struct pass *begun, int member, const float *gradient,
                               float *dx)
{
    struct pass pass = *begun;
    struct phase phase = phase_none;
    while (phase_next(c, &phase)) {
        if (!c->tile)
            pass.product = phase_product(c, &phase);
        pass_run(c, &pass, member, &c->gradient, gradient + map_at(&c->gradient, 0, 0, 0),
                 dx + map_at(&c->in, 0, phase.y, phase.x), NULL);
    }
}

static void weight_gradient_begin(const struct convolution *c, float *out)
{
    if (c->tile) {
        memset(c->filtered_gradient, 0,
               winograd_points(c->tile, c->kernel) * winograd_weights_point(c->outputs, c->inputs) * sizeof(float));
        tile_offsets(c->outer_tiles, c->inputs, winograd_outer_tiles(c->tile) / (BF16 && c->pairs ? 2 : 1));
        return;
    }
    forward_offsets(c, c->inputs);
    for (int i = 0; BF16 && c->pairs && i < c->inputs * c->kernel * c->kernel; i++)
        c->offsets[i] /= 2; /* images are paired */
    memset(out, 0, (size_t)c->outputs * c->inputs * c->kernel * c->kernel * sizeof *out);
}

/* One group, multiplied directly in bf16. */
static void weight_gradient_pairs(const struct convolution *c, struct outer outer, int member, const float *x,
                                  const float *gradient)
{
    struct map d = map_of_pixel_pairs(&c->gradient);
    int taps = c->kernel * c->kernel;
    float *operand = c->operands + member * c->operand;
    float *gradient_operand = c->gradient_operands + member * c->gradient_operand;
    pairs_of_images(&c->in, outer.first / taps, (outer.last + taps - 1) / taps, x, operand);
    pairs_of_pixels(&c->gradient, gradient, gradient_operand);
    outer.pairs = true;
    outer.width = d.width;
    outer.x_pitch = (ptrdiff_t)c->in.pitch / 2;
    outer.x_step = LANES;
    outer.d_plane = (ptrdiff_t)d.plane;
    outer.d_pitch = (ptrdiff_t)d.pitch;
    outer_run(&outer, operand + map_at(&c->in, 0, 0, 0) / 2, gradient_operand);
}

/* Share `share` of `shares` of the columns; some groups: inputs `x` and the linear part's `gradient`, both with their
   borders. */
static void weight_gradient_run(const struct convolution *c, int share, int shares, int member, int groups,
                                const float *x, const float *gradient, float *out)
{
    const float *d = gradient + map_at(&c->gradient, 0, 0, 0), *pixel = x + map_at(&c->in, 0, 0, 0);
    int columns = c->tile ? c->inputs : c->inputs * c->kernel * c->kernel;
    int first = share_of(columns, 1, share, shares), last = share_of(columns, 1, share + 1, shares);
    if (c->tile) {
        struct winograd filter = filter_of(c, &c->in, &c->gradient);
        filter.groups = groups;
        filter.offsets = c->outer_tiles;
        filter.in = c->tiles_in + member * c->tiles;
        filter.out = c->tiles_out + member * c->tiles;
        winograd_outer(&filter, first, last, pixel - (size_t)(c->kernel / 2) * (c->in.pitch + LANES), d,
                       c->filtered_gradient);
        return;
    }
    struct outer outer = {
        .rows = c->outputs,
        .columns = columns,
        .first = first,
        .last = last,
        .gradient = out,
        .offsets = c->offsets,
        .height = c->linear.height,
        .width = c->linear.width,
        .x_pitch = (ptrdiff_t)c->in.pitch * c->stride,
        .x_step = (ptrdiff_t)c->stride * LANES,
        .d_plane = (ptrdiff_t)c->gradient.plane,
        .d_pitch = (ptrdiff_t)c->gradient.pitch,
        .d_step = LANES,
    };
    for (int g = 0; g < groups; g++)
        if (BF16 && c->pairs)
            weight_gradient_pairs(c, outer, member, x + g * c->in.group, gradient + g * c->gradient.group);
        else
            outer_run(&outer, pixel + g * c->in.group, d + g * c->gradient.group);
}

static void weight_gradient_end(const struct convolution *c, int share, int shares, float *out)
{
    int kernels = c->outputs * c->inputs;
    if (c->tile)
        winograd_weights_gradient(
            c->tile, c->kernel, c->outputs, c->inputs, (size_t)share_of(kernels, VECTOR_WIDTH, share, shares),
            (size_t)share_of(kernels, VECTOR_WIDTH, share + 1, shares), c->filtered_gradient, out);
}

#endif
