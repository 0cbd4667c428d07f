/*
 * kernels.h - what the CUDA kernels are called, what they are given, and how they are launched.  Plain C.
 *
 * Tensors are [image][y][x][channel] ("NHWC").  A tensor of its own has its channels rounded up to a multiple of 8
 * (KERNEL_ROUND), and the padding channels are zero: kernels rely on it and keep it.  Storage is float, bfloat16 or
 * half by the suffix of the kernel's name (_f32, _bf16, _f16); statistics, masters and all sums are float.  An array
 * "by channel" has KERNEL_ROUND(channels) floats; gamma and beta are zero in the padding.
 *
 * What differs between steps lies in device memory (struct kernel_step), so that a captured step can be launched
 * again as it is.  Tensors hold `batch` images; of those, step->count are the batch's.  Every kernel that writes a
 * tensor writes the images beyond them as zero, so that one convolution plan and one captured step serve the last,
 * smaller batch of an epoch too: zeros add nothing to a weight's gradient, and no statistic counts them.
 *
 * Sums run in an order that only shapes decide (no float atomics): a step is repeatable to the bit.
 *
 * A kernel takes one struct by value, named as it is: `norm_forward_bf16(struct kernel_norm_forward)`.  Blocks are
 * KERNEL_THREADS threads, dynamic shared memory is none; the grid is what the function named in the struct's comment
 * says.  Offsets into a tensor are 64 bits wide, the number of its octets (8 channels) must stay below 2^31.
 */
#ifndef ESPALIER_KERNELS_KERNELS_H
#define ESPALIER_KERNELS_KERNELS_H

#include <stdint.h>

/* EACH(name, together): one kernel for each storage type; ONE(name, together): without a suffix.  `together`: 1 when
   the threads of a block meet at barriers and have static shared memory (at most KERNEL_SHARED_MOST bytes). */
#define KERNELS(EACH, ONE)                                                                                             \
    EACH(load, 0)                                                                                                      \
    EACH(norm_moments, 1)                                                                                              \
    ONE(norm_statistics, 1)                                                                                            \
    EACH(norm_forward, 0)                                                                                              \
    EACH(norm_pool_forward, 0)                                                                                         \
    EACH(norm_sums, 1)                                                                                                 \
    EACH(norm_pool_sums, 1)                                                                                            \
    ONE(norm_gradients, 1)                                                                                             \
    EACH(norm_backward, 0)                                                                                             \
    EACH(norm_pool_backward, 0)                                                                                        \
    EACH(pool_forward, 0)                                                                                              \
    EACH(pool_backward, 0)                                                                                             \
    EACH(dropout, 0)                                                                                                   \
    EACH(copy, 0)                                                                                                      \
    EACH(add, 0)                                                                                                       \
    EACH(classifier, 1)                                                                                                \
    ONE(loss, 1)                                                                                                       \
    EACH(bias_gradient, 1)                                                                                             \
    EACH(check, 0)                                                                                                     \
    EACH(update, 0)                                                                                                    \
    ONE(scale, 0)                                                                                                      \
    EACH(pack, 0)                                                                                                      \
    EACH(unpack, 0)

enum { KERNEL_THREADS = 256, KERNEL_OCTET = 8, KERNEL_SHARED_MOST = 24 * 1024 };
#define KERNEL_ROUND(channels) (((channels) + 7) / 8 * 8)

/* The compiled kernels, one image a source, for cudaLibraryLoadData(); the last one's name is NULL. */
struct kernel_image {
    const char *name; /* of the source: "norm_backward" */
    const void *data;
};
extern const struct kernel_image kernel_images[];

/* --- in device memory --- */

/* What differs between steps. */
struct kernel_step {
    uint64_t dropout_key;
    int32_t first, count; /* the batch: places first … first+count-1 of the epoch's index */
    float rate, momentum, weight_decay;
    int32_t nesterov;
    float bn_decay; /* running = decay * running + (1 - decay) * batch */
};

/* Loss scaling, for f16 (Micikevicius et al., 2018): the classifier's gradient is multiplied by `scale`, and with it
   every other.  A step with a gradient that isn't finite is skipped and halves it; KERNEL_GOOD_STEPS without one
   double it.  At scale 1 nothing is skipped, so that a network that diverged shows NaN.  Starts as {2^15, 0, 0}. */
struct kernel_loss_scale {
    float scale;
    int32_t good_steps;
    int32_t overflow; /* of this step */
};
enum { KERNEL_GOOD_STEPS = 1000 };

/* Of one batch. */
struct kernel_result {
    double loss; /* summed cross-entropy */
    int32_t correct;
};

/* --- pieces --- */

/* Channels of an NHWC tensor: of its own (room = stride = KERNEL_ROUND(channels)), or a slice of a wider one.  `room`
   channels belong to it; those past its own are padding.  For a slice, room is its channels: nothing beside it is
   touched.  Fast where data is 16-byte aligned and stride a multiple of 8; right anywhere. */
struct kernel_map {
    void *data;
    int32_t stride; /* from pixel to pixel, in values */
    int32_t room;
};

/* Windows over a map of height × width; pooled_height = (height - size) / stride + 1. */
struct kernel_window {
    int32_t average; /* else the maximum */
    int32_t size, stride;
    int32_t pooled_height, pooled_width;
    /* Maximum: where in its window each pooled value was found (row order; the first of equals), written by forward
       when not NULL and read by backward: [batch][pooled_height][pooled_width][KERNEL_ROUND(channels)].  So size * size
       must be below 2^16. */
    uint16_t *choice;
};

/* --- arguments --- */

/* Lay a batch of the data set into x, and its labels beside it.  What a crop takes from beyond the image is 0.
   Grid: kernel_grid_items(batch * height * width). */
struct kernel_load {
    const struct kernel_step *step;
    const uint8_t *pixels;  /* the data set: [image][channel][y][x] */
    const uint16_t *labels; /* of the data set */
    const int32_t *index;   /* image numbers in the epoch's order */
    const int8_t *augment;  /* for each place of it three bytes: dx, dy, flip (struct augment); NULL: as they are */
    int32_t batch, channels, height, width; /* at most 4 channels */
    float normalise[4], shift[4];           /* value = pixel * normalise + shift */
    void *x;                                /* batch × height × width × 8 */
    uint16_t *batch_labels;                 /* batch; 0 beyond the count */
};

/* BN's statistics, first part: mean and squared deviations of each channel within each block's share of the rows
   (row: a pixel of an image).  Grid: kernel_grid_sums(batch * positions, channels). */
struct kernel_norm_moments {
    const struct kernel_step *step;
    int32_t batch, positions, channels; /* positions: height * width */
    struct kernel_map z;
    float *partials; /* kernel_partials(batch * positions, channels): [channel][block]{mean, squares} */
};

/* Second part: merge them; the running statistics move (the variance unless it was over one value).
   Grid: kernel_grid_channels(channels). */
struct kernel_norm_statistics {
    const struct kernel_step *step;
    int32_t batch, positions, channels;
    const float *partials;
    float *mean, *inverse_std;              /* by channel */
    float *running_mean, *running_variance; /* by channel */
};

/* y = relu(gamma (z - mean) / std + beta); norm_pool_forward: pooled.
   Grid: kernel_grid_rows(rows of y, channels), rows of y being batch * height * width, pooled ones where it pools. */
struct kernel_norm_forward {
    const struct kernel_step *step;
    int32_t batch, channels, height, width; /* of z */
    const float *mean, *inverse_std;        /* by channel; in inference the running mean … */
    const float *variance;                  /* … and this, the running variance; else NULL */
    const float *gamma, *beta;
    struct kernel_map z, y;
    struct kernel_window window; /* norm_pool_forward */
};

/* Backward through the pool, ReLU and BN, first part (norm_sums, norm_pool_sums): with g the gradient where the
   activation isn't 0, the sums of g and of g (z - mean) / std for each channel in each block's share of the rows.
   Grid: kernel_grid_sums(batch * height * width, channels).
   Third part (norm_backward, norm_pool_backward): dz = gamma / std * (g - mean(g) - z^ mean(g z^)).
   Grid: kernel_grid_rows(batch * height * width, channels). */
struct kernel_norm_backward {
    const struct kernel_step *step;
    int32_t batch, channels, height, width; /* of z */
    const float *mean, *inverse_std, *gamma, *beta;
    struct kernel_map z, dy;
    struct kernel_window window;               /* …_pool_…: dy is pooled */
    float *partials;                           /* sums; kernel_partials(batch * height * width, channels) */
    const float *mean_gradient, *mean_product; /* backward; from norm_gradients */
    struct kernel_map dz;                      /* backward */
    int32_t accumulate;                        /* backward: dz += */
};

/* Second part: merge them.  Grid: kernel_grid_channels(channels). */
struct kernel_norm_gradients {
    const struct kernel_step *step;
    int32_t batch, positions, channels;
    const float *partials;
    float *gamma_gradient, *beta_gradient; /* by channel */
    float *mean_gradient, *mean_product;   /* by channel: mean(g), mean(g z^) */
};

/* A pool by itself.  Grid: kernel_grid_rows(batch * pooled_height * pooled_width, channels). */
struct kernel_pool_forward {
    const struct kernel_step *step;
    int32_t batch, channels, height, width; /* of x */
    struct kernel_map x, y;
    struct kernel_window window;
};

/* Grid: kernel_grid_rows(batch * height * width, channels). */
struct kernel_pool_backward {
    const struct kernel_step *step;
    int32_t batch, channels, height, width; /* of dx */
    struct kernel_map dy, dx;
    struct kernel_window window;
    int32_t accumulate; /* dx += */
};

/* y = x where kept, times 1/(1-drop), else 0; the mask is that of nn/dropout.h for step->dropout_key + key.  Forward
   and backward alike.  Grid: kernel_grid_rows(batch * positions, channels). */
struct kernel_dropout {
    const struct kernel_step *step;
    uint64_t key; /* of this operation */
    int32_t batch, positions, channels;
    float drop;
    struct kernel_map x, y;
};

/* y = x, or y += x: into and out of slices of a concatenation.  Grid: kernel_grid_rows(batch * positions, channels). */
struct kernel_copy {
    const struct kernel_step *step;
    int32_t batch, positions, channels;
    struct kernel_map x, y;
    int32_t accumulate;
};

/* y = x + x2; y may be one of them.  Grid: kernel_grid_rows(batch * positions, channels). */
struct kernel_add {
    const struct kernel_step *step;
    int32_t batch, positions, channels;
    struct kernel_map x, x2, y;
};

/* Bias, softmax, cross-entropy and its gradient, image by image.  Grid: kernel_grid_images(batch). */
struct kernel_classifier {
    const struct kernel_step *step;
    const struct kernel_loss_scale *loss_scale; /* f16; else NULL */
    int32_t batch, classes;
    const float *linear;    /* batch × KERNEL_ROUND(classes): x W, without the bias */
    const float *bias;      /* by channel */
    const uint16_t *labels; /* batch; NULL: only logits */
    float *logits;          /* batch × classes, plain; NULL: not wanted */
    float *losses;          /* batch; with labels */
    int32_t *hits;          /* batch; with labels: 1 when the first largest logit is the label */
    void *gradient; /* batch × KERNEL_ROUND(classes): of the mean loss, by the linear part; NULL in inference */
};

/* Sum losses and hits of the batch into `result`.  Grid: 1. */
struct kernel_loss {
    const struct kernel_step *step;
    const float *losses;
    const int32_t *hits;
    struct kernel_result *result;
};

/* Sum of a gradient over the images.  Grid: kernel_grid_channels(channels). */
struct kernel_bias_gradient {
    const struct kernel_step *step;
    int32_t channels;
    const void *gradient; /* batch × KERNEL_ROUND(channels) */
    float *sums;          /* by channel */
};

/* Any gradient that isn't finite sets loss_scale->overflow.  Grid: kernel_grid_items(count / 8). */
struct kernel_check {
    struct kernel_loss_scale *loss_scale;
    int64_t count; /* a multiple of 8 */
    const void *gradients;
};

/* g = gradient / scale + weight_decay * w; v = momentum * v + g; w -= rate * (nesterov ? g + momentum * v : v).
   The suffix is the gradients' type, and that of the copies.  Grid: kernel_grid_items(count / 8). */
struct kernel_update {
    const struct kernel_step *step;
    const struct kernel_loss_scale *loss_scale; /* NULL: none */
    int64_t count;                              /* a multiple of 8 */
    float *values, *velocity;
    const void *gradients;
    void *copies; /* the values rounded; NULL: none */
};

/* After a step's updates: halve or double the loss scale, forget the overflow.  Grid: 1. */
struct kernel_scale {
    struct kernel_loss_scale *loss_scale;
};

/* A weight in the canonical layout, [output][input][position] (position: of a kernel, or of the map before an FC), and
   as it is stored for convolutions and products: [output][position][input], outputs and inputs rounded up with zeros.
   A vector by channel is one output with that many inputs. */
struct kernel_part {
    int64_t canonical, stored; /* offsets of its first value */
    int32_t outputs, inputs, positions;
    int32_t stored_outputs, stored_inputs;
};

/* From canonical floats to stored masters, and copies of them of the suffix's type.  Grid: kernel_grid_parts(parts). */
struct kernel_pack {
    const struct kernel_part *parts;
    const float *canonical;
    float *values;
    void *copies; /* NULL: none */
};

/* From stored values of the suffix's type (masters, gradients) to canonical floats.  Grid: kernel_grid_parts(parts). */
struct kernel_unpack {
    const struct kernel_part *parts;
    const struct kernel_loss_scale *loss_scale; /* divided by it; NULL: as they are */
    const void *stored;
    float *canonical;
};

/* --- grids --- */

/* How threads lie over a tensor: `lanes` neighbours take one octet each of one row, the rest of the block other rows;
   gridDim.y covers octets beyond KERNEL_LANES_MOST. */
enum { KERNEL_LANES_MOST = 32, KERNEL_GRID_MOST = 2048, KERNEL_BLOCKS_MOST = 256, KERNEL_BLOCK_ROWS = 128 };

#define KERNEL_LANE_GROUPS(channels) ((KERNEL_ROUND(channels) / 8 + KERNEL_LANES_MOST - 1) / KERNEL_LANES_MOST)
#define KERNEL_LANES(channels)                                                                                         \
    ((KERNEL_ROUND(channels) / 8 + KERNEL_LANE_GROUPS(channels) - 1) / KERNEL_LANE_GROUPS(channels))
/* Blocks that share the rows of a sum. */
#define KERNEL_BLOCKS(rows)                                                                                            \
    ((rows) <= KERNEL_BLOCK_ROWS                             ? 1                                                       \
     : (rows) > KERNEL_BLOCK_ROWS * (KERNEL_BLOCKS_MOST - 1) ? KERNEL_BLOCKS_MOST                                      \
                                                             : (int)(((rows)-1) / KERNEL_BLOCK_ROWS + 1))

struct kernel_grid {
    unsigned x, y;
};

static inline unsigned kernel_between(int64_t value, int64_t low, int64_t high)
{
    return (unsigned)(value < low ? low : value > high ? high : value);
}

static inline struct kernel_grid kernel_grid_items(int64_t items)
{
    struct kernel_grid grid = {kernel_between((items + KERNEL_THREADS - 1) / KERNEL_THREADS, 1, KERNEL_GRID_MOST), 1};
    return grid;
}

static inline struct kernel_grid kernel_grid_rows(int64_t rows, int channels)
{
    int at_once = KERNEL_THREADS / KERNEL_LANES(channels);
    struct kernel_grid grid = {kernel_between((rows + at_once - 1) / at_once, 1, KERNEL_GRID_MOST),
                               (unsigned)KERNEL_LANE_GROUPS(channels)};
    return grid;
}

static inline struct kernel_grid kernel_grid_sums(int64_t rows, int channels)
{
    struct kernel_grid grid = {(unsigned)KERNEL_BLOCKS(rows), (unsigned)KERNEL_LANE_GROUPS(channels)};
    return grid;
}

/* Floats. */
static inline int64_t kernel_partials(int64_t rows, int channels)
{
    return (int64_t)2 * KERNEL_ROUND(channels) * KERNEL_BLOCKS(rows);
}

static inline struct kernel_grid kernel_grid_channels(int channels)
{
    struct kernel_grid grid = {(unsigned)((channels + 7) / 8), 1};
    return grid;
}

static inline struct kernel_grid kernel_grid_images(int batch)
{
    struct kernel_grid grid = {(unsigned)((batch + 7) / 8), 1};
    return grid;
}

static inline struct kernel_grid kernel_grid_parts(int parts)
{
    struct kernel_grid grid = {64, (unsigned)parts};
    return grid;
}

#endif
