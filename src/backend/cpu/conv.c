/* conv.c - the linear part of a convolution (conv.h): which method, its weights and tables, and the three sums. */
#include "backend/cpu/conv.h"

#include "util/bug.h"

static void tile_offsets(int32_t *offsets, int channels, int tiles)
{
    for (int i = 0; i < channels; i++)
        offsets[i] = i * tiles * BLOCK;
}

/* Whether multiplying in bf16 saves more than making the pairs costs.  In instructions for 16 images of a pixel, with C
   inputs, K outputs and T taps, as compiled for AVX-512: the three sums take 5.5 TCK, in bf16 half of that; making the
   pairs takes some 8 (C + K).  The saving must be twice as much: 2.7 TCK > 16 (C + K).  With fewer than four inputs
   pairs would be partly empty; that is the first layer, whose pixels so stay exact.  Pairs have no tiles for 5 x 5
   kernels: where tiles of floats take less than half of the direct multiplies, floats are faster. */
static bool pairs_pay(const struct conv *c)
{
    int height = c->linear.height, width = c->linear.width;
    int64_t saved = INT64_C(27) * c->kernel * c->kernel * c->inputs * c->outputs;
    if (c->stride != 1 || c->inputs < 4 || saved < INT64_C(160) * (c->inputs + c->outputs))
        return false;
    return c->kernel != 5 || winograd_cost(4, 5, height, width, c->inputs, c->outputs) >
                                 winograd_cost(0, 5, height, width, c->inputs, c->outputs) / 2;
}

static void paired_new(struct workspace *workspace, struct conv *c, int members)
{
    size_t forward = (size_t)(c->inputs + 1) / 2 * c->in.plane;
    size_t input_gradient = (size_t)(c->outputs + 1) / 2 * c->gradient.plane;
    size_t weight_gradient = ((size_t)c->inputs * c->in.plane + BLOCK) / 2, most = forward;
    most = most > input_gradient ? most : input_gradient;
    most = most > weight_gradient ? most : weight_gradient;
    c->paired_size = (most + BLOCK - 1) / BLOCK * BLOCK;
    c->paired_gradient_size = map_of_pixel_pairs(&c->gradient).block_stride;
    c->paired = workspace_take(workspace, members * c->paired_size * sizeof(float));
    c->paired_gradient = workspace_take(workspace, members * c->paired_gradient_size * sizeof(float));
}

/* Writes [row][pair of channels][tap]; an odd last channel is paired with 0. */
static void weights_pair(const struct conv *c, const float *weights, float *packed)
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

struct conv conv_new(struct workspace *workspace, const struct plan *plan, const struct op *op,
                     enum precision precision, int blocks, int members)
{
    struct conv c = {.kernel = op->kernel, .stride = op->stride, .outputs = op->channels, .blocks_at_once = 1};
    c.in = map_of(&plan->tensors[op->inputs[0]]);
    c.inputs = c.in.channels;
    c.linear = map_new(op->channels, op->height, op->width, 0);
    c.gradient = map_new(op->channels, op->height, op->width, op->kernel / 2);
    ASSERT(c.in.border >= op->kernel / 2);
    c.pairs = BF16 && precision == PRECISION_BF16 && pairs_pay(&c);
    size_t taps = (size_t)c.kernel * c.kernel, inputs = (size_t)c.inputs, outputs = (size_t)c.outputs;
    c.offsets = workspace_take(workspace, inputs * taps * sizeof(int32_t));
    c.gradient_offsets = workspace_take(workspace, outputs * taps * sizeof(int32_t));
    c.tile = winograd_tile(c.pairs, c.kernel, c.stride, op->height, op->width, c.inputs, c.outputs);
    if (c.tile) {
        int most = c.inputs > c.outputs ? c.inputs : c.outputs, chunk = winograd_outer_tiles(c.tile);
        int points = winograd_points(c.tile, c.kernel), tiles = winograd_tiles(c.tile, op->height, op->width);
        size_t transformed = points * winograd_weights_point(c.inputs, c.outputs) * sizeof(float);
        c.packed = workspace_take(workspace, transformed);
        c.winograd_gradient = workspace_take(workspace, transformed);
        c.gemm_offsets = workspace_take(workspace, (size_t)most * sizeof(int32_t));
        c.outer_offsets = workspace_take(workspace, (size_t)most * sizeof(int32_t));
        c.tiles_size = points * winograd_point(most, chunk > GEMM_TILES ? chunk : GEMM_TILES);
        c.tiles_in = workspace_take(workspace, (size_t)members * c.tiles_size * sizeof(float));
        c.tiles_out = workspace_take(workspace, (size_t)members * c.tiles_size * sizeof(float));
        c.blocks_at_once = chunk > tiles ? chunk / tiles : 1;
        c.blocks_at_once = c.blocks_at_once < blocks ? c.blocks_at_once : blocks;
    } else {
        c.packed = workspace_take(workspace, inputs * outputs * taps * sizeof(float));
        if (c.pairs)
            paired_new(workspace, &c, members);
    }
    c.round_blocks = (members + c.blocks_at_once - 1) / c.blocks_at_once * c.blocks_at_once;
    c.round_blocks = c.round_blocks < blocks ? c.round_blocks : blocks;
    c.gradients = workspace_take(workspace, (size_t)c.round_blocks * c.gradient.block_stride * sizeof(float));
    return c;
}

void conv_pass_run(const struct conv *c, const struct pass *pass, int member, const struct map *in, const float *x,
                   float *out, const struct moments *moments)
{
    if (!c->tile) {
        if (BF16 && pass->gemm.pairs) {
            float *paired = c->paired + member * c->paired_size;
            size_t origin = map_at(in, 0, 0, 0);
            pair_by_channel(in, x - origin, paired);
            x = paired + origin;
        }
        gemm_run(&pass->gemm, x, out, moments);
        return;
    }
    struct winograd winograd = pass->winograd;
    winograd.in = c->tiles_in + member * c->tiles_size;
    winograd.out = c->tiles_out + member * c->tiles_size;
    winograd_gemm(&winograd, x - (size_t)(c->kernel / 2) * (in->pitch + BLOCK), out, moments);
}

static struct winograd winograd_of(const struct conv *c, const struct map *in, const struct map *out)
{
    return (struct winograd){
        .tile = c->tile,
        .kernel = c->kernel,
        .pairs = c->pairs,
        .inputs = in->channels,
        .outputs = out->channels,
        .blocks = 1,
        .height = c->linear.height,
        .width = c->linear.width,
        .in_block = in->block_stride,
        .in_plane = in->plane,
        .in_pitch = in->pitch,
        .out_block = out->block_stride,
        .out_plane = out->plane,
        .out_pitch = out->pitch,
        .weights = c->packed,
        .gemm_offsets = c->gemm_offsets,
        .outer_offsets = c->outer_offsets,
    };
}

/* Transforms the weights for minimal filtering; a share is some rows. */
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
    winograd_weights(t->tile, t->kernel, &t->kernels, conv_share(rows, 1, item, t->shares),
                     conv_share(rows, 1, item + 1, t->shares), t->weights, t->packed);
}

static struct winograd winograd_begin(const struct conv *c, const struct map *in, const struct map *out,
                                      struct kernels kernels, const float *weights, struct team *team)
{
    struct transform transform = {kernels, c->tile, c->kernel, weights, c->packed, team_size(team)};
    team_do(team, transform.shares, transform_share, &transform);
    if (BF16 && c->pairs)
        winograd_weights_pair(kernels.rows, kernels.columns, c->packed);
    tile_offsets(c->gemm_offsets, in->channels, GEMM_TILES);
    return winograd_of(c, in, out);
}

/* Sets the offsets of the forward columns, whose channels may be pairs. */
static void forward_offsets(const struct conv *c, int channels)
{
    int32_t *offset = c->offsets, origin = (int32_t)map_at(&c->in, 0, 0, 0);
    for (int channel = 0; channel < channels; channel++)
        for (int y = 0; y < c->kernel; y++)
            for (int x = 0; x < c->kernel; x++)
                *offset++ = (int32_t)map_at(&c->in, channel, y - c->kernel / 2, x - c->kernel / 2) - origin;
}

struct pass conv_forward_begin(const struct conv *c, const float *weights, const float *bias, struct team *team)
{
    struct pass pass = {0};
    bool pairs = BF16 && c->pairs;
    int channels = pairs ? (c->inputs + 1) / 2 : c->inputs, columns = channels * c->kernel * c->kernel;
    if (c->tile) {
        pass.winograd = winograd_begin(c, &c->in, &c->linear,
                                       kernels_forward(c->outputs, c->inputs, c->kernel * c->kernel), weights, team);
        pass.winograd.bias = bias;
        return pass;
    }
    forward_offsets(c, channels);
    if (pairs) {
        weights_pair(c, weights, c->packed);
        weights = c->packed;
    }
    pass.gemm = (struct gemm){
        .pairs = pairs,
        .rows = c->outputs,
        .columns = columns,
        .weights = weights,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = c->offsets,
        .bias = bias,
        .height = c->linear.height,
        .width = c->linear.width,
        .x_pitch = (ptrdiff_t)c->in.pitch * c->stride,
        .x_step = (ptrdiff_t)c->stride * BLOCK,
        .out_plane = (ptrdiff_t)c->linear.plane,
        .out_pitch = (ptrdiff_t)c->linear.pitch,
        .out_step = BLOCK,
    };
    return pass;
}

/* A phase of the input gradient: the input pixels (y, x) modulo the stride.  Its columns are (output channel, tap that
   leads to this phase). */
struct phase {
    int y, x;
    int before; /* taps of the phases before this one */
    int count;  /* taps of this phase: their numbers, and the offset in `gradient` of what each is multiplied with */
    int taps[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX], places[ARCH_KERNEL_MAX * ARCH_KERNEL_MAX];
};

static const struct phase phase_none = {.x = -1};

/* Advances to the next phase, from phase_none to the first; false after the last. */
static bool phase_next(const struct conv *c, struct phase *phase)
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

/* The product of one phase.  Its rows are input channels. */
static struct gemm phase_gemm(const struct conv *c, const struct phase *phase)
{
    bool pairs = BF16 && c->pairs;
    int stride = c->stride, columns = (pairs ? (c->outputs + 1) / 2 : c->outputs) * phase->count;
    return (struct gemm){
        .pairs = pairs,
        .rows = c->inputs,
        .columns = columns,
        .weights = c->packed + (size_t)phase->before * c->inputs * c->outputs,
        .weight_row = columns,
        .weight_column = 1,
        .offsets = c->gradient_offsets + phase->before * c->outputs,
        .height = (c->in.height - phase->y + stride - 1) / stride,
        .width = (c->in.width - phase->x + stride - 1) / stride,
        .x_pitch = (ptrdiff_t)c->gradient.pitch,
        .x_step = BLOCK,
        .out_plane = (ptrdiff_t)c->in.plane,
        .out_pitch = (ptrdiff_t)c->in.pitch * stride,
        .out_step = (ptrdiff_t)BLOCK * stride,
    };
}

/* Sets the offsets of a phase's columns, and packs their weights, [input][output][tap]. */
static void phase_prepare(const struct conv *c, const struct phase *phase, const float *weights)
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

struct pass conv_input_gradient_begin(const struct conv *c, const float *weights, struct team *team)
{
    struct pass pass = {0};
    struct phase phase = phase_none;
    if (c->tile)
        pass.winograd = winograd_begin(c, &c->gradient, &c->in,
                                       kernels_flipped(c->outputs, c->inputs, c->kernel * c->kernel), weights, team);
    while (!c->tile && phase_next(c, &phase))
        phase_prepare(c, &phase, weights);
    return pass;
}

void conv_input_gradient_run(const struct conv *c, const struct pass *begun, int member, const float *gradient,
                             float *dx)
{
    struct pass pass = *begun;
    struct phase phase = phase_none;
    while (phase_next(c, &phase)) {
        if (!c->tile)
            pass.gemm = phase_gemm(c, &phase);
        conv_pass_run(c, &pass, member, &c->gradient, gradient + map_at(&c->gradient, 0, 0, 0),
                      dx + map_at(&c->in, 0, phase.y, phase.x), NULL);
    }
}

void conv_weight_gradient_begin(const struct conv *c, float *out)
{
    if (c->tile) {
        memset(c->winograd_gradient, 0,
               winograd_points(c->tile, c->kernel) * winograd_weights_point(c->outputs, c->inputs) * sizeof(float));
        tile_offsets(c->outer_offsets, c->inputs, winograd_outer_tiles(c->tile) / (BF16 && c->pairs ? 2 : 1));
        return;
    }
    forward_offsets(c, c->inputs);
    for (int i = 0; BF16 && c->pairs && i < c->inputs * c->kernel * c->kernel; i++)
        c->offsets[i] /= 2; /* images are paired */
    memset(out, 0, (size_t)c->outputs * c->inputs * c->kernel * c->kernel * sizeof *out);
}

/* One block, a direct sum in bf16. */
static void weight_gradient_pairs(const struct conv *c, struct outer outer, int member, const float *x,
                                  const float *gradient)
{
    struct map d = map_of_pixel_pairs(&c->gradient);
    int taps = c->kernel * c->kernel;
    float *operand = c->paired + member * c->paired_size;
    float *gradient_operand = c->paired_gradient + member * c->paired_gradient_size;
    pair_by_image(&c->in, outer.first / taps, (outer.last + taps - 1) / taps, x, operand);
    pair_by_pixel(&c->gradient, gradient, gradient_operand);
    outer.pairs = true;
    outer.width = d.width;
    outer.x_pitch = (ptrdiff_t)c->in.pitch / 2;
    outer.x_step = BLOCK;
    outer.d_plane = (ptrdiff_t)d.plane;
    outer.d_pitch = (ptrdiff_t)d.pitch;
    outer_run(&outer, operand + map_at(&c->in, 0, 0, 0) / 2, gradient_operand);
}

void conv_weight_gradient_run(const struct conv *c, int share, int shares, int member, int blocks, const float *x,
                              const float *gradient, float *out)
{
    const float *d = gradient + map_at(&c->gradient, 0, 0, 0), *pixel = x + map_at(&c->in, 0, 0, 0);
    int columns = c->tile ? c->inputs : c->inputs * c->kernel * c->kernel;
    int first = conv_share(columns, 1, share, shares), last = conv_share(columns, 1, share + 1, shares);
    if (c->tile) {
        struct winograd winograd = winograd_of(c, &c->in, &c->gradient);
        winograd.blocks = blocks;
        winograd.in = c->tiles_in + member * c->tiles_size;
        winograd.out = c->tiles_out + member * c->tiles_size;
        winograd_outer(&winograd, first, last, pixel - (size_t)(c->kernel / 2) * (c->in.pitch + BLOCK), d,
                       c->winograd_gradient);
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
        .x_step = (ptrdiff_t)c->stride * BLOCK,
        .d_plane = (ptrdiff_t)c->gradient.plane,
        .d_pitch = (ptrdiff_t)c->gradient.pitch,
        .d_step = BLOCK,
    };
    for (int g = 0; g < blocks; g++)
        if (BF16 && c->pairs)
            weight_gradient_pairs(c, outer, member, x + g * c->in.block_stride,
                                  gradient + g * c->gradient.block_stride);
        else
            outer_run(&outer, pixel + g * c->in.block_stride, d + g * c->gradient.block_stride);
}

void conv_weight_gradient_end(const struct conv *c, int share, int shares, float *out)
{
    int kernels = c->outputs * c->inputs;
    if (c->tile)
        winograd_weights_gradient(
            c->tile, c->kernel, c->outputs, c->inputs, (size_t)conv_share(kernels, VECTOR_WIDTH, share, shares),
            (size_t)conv_share(kernels, VECTOR_WIDTH, share + 1, shares), c->winograd_gradient, out);
}
