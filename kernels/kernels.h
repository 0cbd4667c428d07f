/*
 * kernels.h - the CUDA kernels: their names, arguments and launch grids.  Plain C.
 *
 * Tensors are [image][y][x][channel] ("NHWC").  A tensor of its own has its channels rounded up to a multiple of 8
 * (KERNEL_ROUND), and the padding channels are zero: kernels rely on that and write zeros there.  The suffix of a
 * kernel's name is the type that tensors are stored in: float, bfloat16 or half (_f32, _bf16, _f16).  Statistics, the
 * weights that are trained, and all sums are float.  An array "by channel" has KERNEL_ROUND(channels) floats; gamma and
 * beta are zero in the padding.
 *
 * What differs between steps lies in device memory (struct kernel_step), so that a captured step can be launched
 * again.  Tensors hold `batch` images, of which the first step->count are the batch.  Every kernel that writes a tensor
 * writes zeros into the other images.  So one convolution plan and one captured step also run the last, smaller batch
 * of an epoch: zeros add nothing to a weight's gradient, and statistics don't count these images.
 *
 * The order of a sum depends on shapes only (no float atomics), so that a step is repeatable to the bit.  A sum over a
 * batch takes one launch: each block leaves its part, and the last block to do so adds all parts.  It knows by a
 * ticket that is 0 when the kernel begins and when it ends.  There is one for each blockIdx.y (KERNEL_TICKETS,
 * KERNEL_DEPTHWISE_TICKETS); linear_backward has one for all blocks.
 *
 * A kernel takes one struct by value: `norm_forward_bf16(struct kernel_norm_forward)`.  A block has KERNEL_THREADS
 * threads and no dynamic shared memory; the struct's comment names the function that computes the grid.  Offsets into a
 * tensor are 64 bits wide; a tensor must have fewer than 2^31 octets (of 8 channels).
 */
#ifndef ESPALIER_KERNELS_KERNELS_H
#define ESPALIER_KERNELS_KERNELS_H

#include <stdint.h>

/* EACH(name, arguments, barriers): one kernel for each storage type; ONE(...): one kernel, without a suffix.
   `arguments`: its struct.  `barriers`: 1 when the threads of a block meet at barriers and have static shared memory
   (at most KERNEL_SHARED_MOST bytes). */
#define KERNELS(EACH, ONE)                                                                                             \
    EACH(load, kernel_load, 0)                                                                                         \
    EACH(norm_moments, kernel_norm_moments, 1)                                                                         \
    EACH(norm_forward, kernel_norm_forward, 0)                                                                         \
    EACH(norm_pool_forward, kernel_norm_forward, 0)                                                                    \
    EACH(norm_whole_forward, kernel_norm_whole, 1)                                                                     \
    EACH(norm_pool_whole_forward, kernel_norm_whole, 1)                                                                \
    EACH(norm_whole_backward, kernel_norm_backward, 1)                                                                 \
    EACH(norm_pool_whole_backward, kernel_norm_backward, 1)                                                            \
    EACH(norm_sums, kernel_norm_backward, 1)                                                                           \
    EACH(norm_pool_sums, kernel_norm_backward, 1)                                                                      \
    EACH(norm_backward, kernel_norm_backward, 0)                                                                       \
    EACH(norm_pool_backward, kernel_norm_backward, 0)                                                                  \
    EACH(depthwise_moments, kernel_depthwise_moments, 1)                                                               \
    EACH(depthwise_infer, kernel_depthwise_infer, 0)                                                                   \
    EACH(depthwise_backward, kernel_depthwise_backward, 1)                                                             \
    EACH(squeeze_forward, kernel_squeeze, 1)                                                                           \
    EACH(squeeze_backward, kernel_squeeze, 1)                                                                          \
    EACH(squeeze_weights, kernel_squeeze, 0)                                                                           \
    EACH(linear_forward, kernel_linear_forward, 1)                                                                     \
    EACH(linear_backward, kernel_linear_backward, 1)                                                                   \
    EACH(pool_forward, kernel_pool_forward, 0)                                                                         \
    EACH(pool_backward, kernel_pool_backward, 0)                                                                       \
    EACH(dropout, kernel_dropout, 0)                                                                                   \
    EACH(copy, kernel_copy, 0)                                                                                         \
    EACH(add, kernel_add, 0)                                                                                           \
    EACH(classifier, kernel_classifier, 1)                                                                             \
    EACH(check, kernel_check, 0)                                                                                       \
    EACH(update, kernel_update, 0)                                                                                     \
    ONE(scale, kernel_scale, 0)                                                                                        \
    EACH(pack, kernel_pack, 0)                                                                                         \
    EACH(unpack, kernel_unpack, 0)

enum { KERNEL_THREADS = 256, KERNEL_OCTET = 8, KERNEL_SHARED_MOST = 24 * 1024, KERNEL_INPUT_CHANNELS = 16 };
#define KERNEL_ROUND(channels) (((channels) + 7) / 8 * 8)

/* The compiled kernels for cudaLibraryLoadData(), one image for each source; the last one's name is NULL. */
struct kernel_image {
    const char *name; /* of the source: "norm_backward" */
    const void *data;
};
extern const struct kernel_image kernel_images[];

/* --- in device memory --- */

/* What differs between steps. */
struct kernel_step {
    uint64_t dropout_key;
    int32_t count; /* images of the batch */
    float rate, momentum, weight_decay;
    int32_t nesterov;
    float bn_decay; /* running = decay * running + (1 - decay) * batch */
    float average_share;
};

/* The steps that lie ahead, as one copy sends them: this head, then each step (KERNEL_QUEUE_STEP), with the numbers of
   its images (batch × int32_t) and their augmentation (batch × three bytes: dx, dy, flip; struct augment) behind it.
   `next` is the step that runs, or will run next: `load` lays its batch out, and copies it to where the step's other
   kernels read it; `classifier` counts on; `update` does what `load` does for the step that follows, if there is one:
   behind `update`, `step` is the next one's.  So KERNEL_LAUNCH_STEPS steps run in one launch without the host, and the
   host sends nothing between launches. */
struct kernel_queue {
    int32_t next, count;
    uint32_t ring; /* the results' place (KERNEL_RESULTS) of the first step */
    int32_t unused;
};
enum { KERNEL_LAUNCH_STEPS = 8 };
#define KERNEL_STEP_BYTES(batch) ((sizeof(struct kernel_step) + 7 * (size_t)(batch) + 7) / 8 * 8)
#define KERNEL_QUEUE_STEP(queue, batch, i)                                                                             \
    ((struct kernel_step *)((char *)((queue) + 1) + (size_t)(i)*KERNEL_STEP_BYTES(batch)))

/* Loss scaling, for f16 (Micikevicius et al., 2018): the classifier's gradient is multiplied by `scale`, and so is
   every other.  A step with a gradient that isn't finite is skipped and halves the scale; KERNEL_GOOD_STEPS other steps
   in a row double it.  At scale 1 no step is skipped, so that a network that diverged has NaN.  Starts as {2^15, 0, 0}.
 */
struct kernel_loss_scale {
    float scale;
    int32_t good_steps;
    int32_t overflow; /* of this step */
};
enum { KERNEL_GOOD_STEPS = 1000 };

/* The result of one batch.  Results lie in a ring in the host's memory, which the device writes to: a count that isn't
   0 says that the result is there, and the host sets it to 0 when it has read it. */
struct kernel_result {
    double loss; /* summed cross-entropy */
    int32_t correct, count;
};
enum { KERNEL_RESULTS = 2 * KERNEL_LAUNCH_STEPS };

/* --- pieces --- */

/* Channels of an NHWC tensor: all of them (padded = stride = KERNEL_ROUND(channels)), or a slice.  `padded` counts the
   channels and the padding behind them; a slice has no padding, since nothing beside it may be written.  Access is fast
   where data is 16-byte aligned and stride is a multiple of 8. */
struct kernel_map {
    void *data;
    int32_t stride; /* from pixel to pixel, in values */
    int32_t padded;
};

/* Windows over a map of height × width; pooled_height = (height - size) / stride + 1. */
struct kernel_window {
    int32_t average; /* else the maximum */
    int32_t size, stride;
    int32_t pooled_height, pooled_width;
    /* Maximum: where in its window each pooled value was found (in row order; the first of equal ones).  Forward writes
       it unless it is NULL, backward reads it: [batch][pooled_height][pooled_width][KERNEL_ROUND(channels)].  size *
       size must be below 2^16. */
    uint16_t *choice;
};

/* --- arguments --- */

/* Copy the batch of the queue's next step from the data set into x and batch_labels.  Pixels beyond an image's edges,
   which a crop may hold, are 0.  Grid: kernel_grid_items(batch * height * width). */
struct kernel_load {
    const struct kernel_queue *queue;
    struct kernel_step *step; /* becomes the queue's next */
    const uint8_t *pixels;    /* the data set: [image][channel][y][x] */
    const uint16_t *labels;   /* of the data set */
    int32_t augmented;        /* 0: the places of augmentation have no meaning */
    int32_t batch, channels, height, width;
    float normalise[KERNEL_INPUT_CHANNELS], shift[KERNEL_INPUT_CHANNELS]; /* value = pixel * normalise + shift */
    void *x;                /* batch × height × width × KERNEL_ROUND(channels) */
    uint16_t *batch_labels; /* batch; 0 beyond the count */
};

/* BN's statistics: each block computes mean and squared deviations of each channel over its share of the rows (row: a
   pixel of an image).  The last one merges them and updates the running statistics (not the variance of a single
   value). Grid: kernel_grid_sums(batch * positions, channels). */
struct kernel_norm_moments {
    const struct kernel_step *step;
    int32_t batch, positions, channels; /* positions: height * width */
    struct kernel_map z;
    float *partials; /* kernel_partials(batch * positions, channels): [channel][block]{mean, squares} */
    unsigned *tickets;
    float *mean, *inverse_std;              /* by channel */
    float *running_mean, *running_variance; /* by channel */
};

/* What follows a BN. */
enum kernel_activation { KERNEL_RELU, KERNEL_LINEAR /* nothing */, KERNEL_HARD_SWISH };

/* y = activation(gamma (z - mean) / std + beta) + addend; norm_pool_forward: pooled, without an addend.
   Grid: kernel_grid_rows(rows of y, channels), rows of y being batch * height * width, pooled ones where it pools. */
struct kernel_norm_forward {
    const struct kernel_step *step;
    int32_t batch, channels, height, width; /* of z */
    const float *mean, *inverse_std;        /* by channel; in inference the running mean … */
    const float *variance;                  /* … and this, the running variance; else NULL */
    const float *gamma, *beta;
    struct kernel_map z, y;
    struct kernel_window window; /* norm_pool_forward */
    int32_t activation;
    struct kernel_map addend; /* without data: nothing is added */
};

/* Statistics and y in one launch, where a map is small (KERNEL_WHOLE_ROWS): a block does all rows of one octet.
   Grid: kernel_grid_whole(channels). */
struct kernel_norm_whole {
    struct kernel_norm_moments moments; /* but for partials and tickets */
    struct kernel_norm_forward forward;
};

/* Backward through the pool, the activation and BN, first part (norm_sums, norm_pool_sums): each block sums g and
   g (z - mean) / std for each channel over its share of the rows; g is the gradient of what is activated.  The last
   block adds the sums.  Grid: kernel_grid_sums(batch * height * width, channels).
   Second part (norm_backward, norm_pool_backward): dz = gamma / std * (g - mean(g) - z^ mean(g z^)).
   Grid: kernel_grid_rows(batch * height * width, channels).
   Both in one launch (norm_whole_backward, norm_pool_whole_backward), as for kernel_norm_whole, without partials and
   tickets. */
struct kernel_norm_backward {
    const struct kernel_step *step;
    int32_t batch, channels, height, width; /* of z */
    const float *mean, *inverse_std, *gamma, *beta;
    struct kernel_map z, dy;
    struct kernel_window window;           /* …_pool_…: dy is pooled */
    float *partials;                       /* sums; kernel_partials(batch * height * width, channels) */
    unsigned *tickets;                     /* sums */
    float *gamma_gradient, *beta_gradient; /* sums; by channel */
    float *mean_gradient, *mean_product;   /* written by the sums, read by backward; by channel: mean(g), mean(g z^) */
    struct kernel_map dz;                  /* backward */
    int32_t accumulate;                    /* backward: dz += */
    int32_t activation;
    int32_t accumulate_addend;         /* norm_backward: addend_gradient += */
    struct kernel_map addend_gradient; /* norm_backward: becomes dy; without data: not wanted */
};

/* A pool that isn't joined to a BN.  Grid: kernel_grid_rows(batch * pooled_height * pooled_width, channels). */
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

/* y = x / (1 - drop) where the mask keeps x, else 0; the mask is that of nn/dropout.h for step->dropout_key + key.
   Backward is the same.  Grid: kernel_grid_rows(batch * positions, channels). */
struct kernel_dropout {
    const struct kernel_step *step;
    uint64_t key; /* of this operation */
    int32_t batch, positions, channels;
    float drop;
    struct kernel_map x, y;
};

/* y = x, or y += x where `accumulate`; for slices of a concatenation.  Grid: kernel_grid_rows(batch * positions,
 * channels). */
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

/* A small fully connected layer, whose products the project's kernels compute (KERNEL_LINEAR_MOST): y = x W^T. */
struct kernel_linear {
    int32_t inputs;     /* values of a row of x, with their padding: a multiple of 8 */
    const void *x;      /* batch × inputs */
    const void *weight; /* KERNEL_ROUND(outputs) × inputs */
    void *weight_gradient;
    void *dx; /* batch × inputs; NULL: not wanted */
};

/* The product, which is norm's z, and its BN and ReLU in one launch: a block does eight outputs of all images.  In
   inference, where forward.variance isn't NULL, without statistics.  Grid: kernel_grid_whole(channels). */
struct kernel_linear_forward {
    struct kernel_linear linear;
    struct kernel_norm_whole norm;
};

/* Backward through ReLU, BN and the product, in one launch: a block does eight outputs of all images.  dx is the work
   of the last block to finish.  Behind those blocks stand some for eight outputs each of the layer above, whose
   weights' gradients they compute (next_outputs 0: none).  Grid: kernel_grid_linear(channels, next_outputs). */
struct kernel_linear_backward {
    struct kernel_norm_backward norm; /* without a window, partials and accumulate */
    struct kernel_linear linear;
    int32_t next_outputs;
    struct kernel_linear next;
    const void *next_gradient; /* batch × KERNEL_ROUND(next_outputs) */
};

/* The product where it is small, bias, softmax, cross-entropy and its gradient, image by image.  The last block sums
   losses, hits and the gradient of the bias over the batch, and counts the queue on.
   Grid: kernel_grid_images(batch). */
struct kernel_classifier {
    const struct kernel_step *step;
    const struct kernel_loss_scale *loss_scale; /* f16; else NULL */
    int32_t batch, classes;
    struct kernel_linear product; /* x NULL: `linear` has it; without the gradient of its weights */
    float *linear;                /* batch × KERNEL_ROUND(classes): x W^T, without the bias */
    const float *bias;            /* by channel */
    const uint16_t *labels;       /* batch; NULL: only logits */
    float *logits;                /* batch × classes, without padding; NULL: not wanted */
    float *losses;                /* batch; with labels */
    int32_t *hits;                /* batch; with labels: 1 when the first largest logit is the label */
    void *gradient;               /* batch × KERNEL_ROUND(classes): of the mean loss by `linear`; NULL in inference */
    float *bias_gradient;         /* by channel; with `gradient` */
    unsigned *tickets;
    struct kernel_queue *queue;
    struct kernel_result *results; /* KERNEL_RESULTS */
};

/* What is trained, in the device's order: weights, whose gradients have the suffix's type, then vectors by channel,
   with float gradients; then the running statistics.  All are multiples of 8. */
struct kernel_trained {
    int64_t weights, trained, total;
    const void *gradients;         /* of the weights */
    const float *vector_gradients; /* trained - weights */
};

/* Set loss_scale->overflow if a gradient isn't finite.  Grid: kernel_grid_items(trained / 8). */
struct kernel_check {
    struct kernel_loss_scale *loss_scale;
    struct kernel_trained of;
};

/* g = gradient / scale + weight_decay * w; v = momentum * v + g; w -= rate * (nesterov ? g + momentum * v : v).
   Then, of all values, average += step->average_share * (value - average).  Other blocks load the next step, so that
   this one is read in the queue, where it lies before the next.  Grid: kernel_grid_update(total / 8, &next). */
struct kernel_update {
    const struct kernel_loss_scale *loss_scale; /* NULL: none */
    struct kernel_trained of;
    float *values, *velocity;
    void *copies;   /* the weights rounded; NULL: none */
    float *average; /* NULL: none */
    struct kernel_load next;
};

/* After a step's updates: halve or double the loss scale, clear the overflow.  Grid: 1. */
struct kernel_scale {
    struct kernel_loss_scale *loss_scale;
};

/* A weight in the canonical layout, [output][input][position] (position: in a convolution's kernel, or in the map
   before a fully connected layer), and in the layout for convolutions and matrix products: [output][position][input],
   outputs and inputs rounded up and padded with zeros.  A vector by channel is one output with that many inputs. */
struct kernel_part {
    int64_t canonical, stored; /* offsets of its first value */
    int32_t outputs, inputs, positions;
    int32_t stored_outputs, stored_inputs;
};

/* From canonical floats to stored float32 values, and to copies of them in the suffix's type.  Grid:
 * kernel_grid_parts(parts). */
struct kernel_pack {
    const struct kernel_part *parts;
    const float *canonical;
    float *values;
    void *copies; /* NULL: none */
};

/* From stored values of the suffix's type to canonical floats.  Grid: kernel_grid_parts(parts). */
struct kernel_unpack {
    const struct kernel_part *parts;
    const struct kernel_loss_scale *loss_scale; /* values are divided by it; NULL: they are not */
    const void *stored;
    float *canonical;
};

/* --- grids --- */

/* A block covers KERNEL_BLOCK_OCTETS octets of a row, each by one thread, and as many rows at once as it has threads
   for. gridDim.y blocks side by side (KERNEL_OCTET_BLOCKS) cover all octets. */
enum { KERNEL_BLOCK_OCTETS_MOST = 32, KERNEL_GRID_MOST = 2048, KERNEL_BLOCKS_MOST = 256, KERNEL_BLOCK_ROWS = 128 };

#define KERNEL_OCTET_BLOCKS(channels)                                                                                  \
    ((KERNEL_ROUND(channels) / 8 + KERNEL_BLOCK_OCTETS_MOST - 1) / KERNEL_BLOCK_OCTETS_MOST)
#define KERNEL_BLOCK_OCTETS(channels)                                                                                  \
    ((KERNEL_ROUND(channels) / 8 + KERNEL_OCTET_BLOCKS(channels) - 1) / KERNEL_OCTET_BLOCKS(channels))
/* Number of blocks that a sum over rows is divided into. */
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

static inline struct kernel_grid kernel_grid_update(int64_t octets, const struct kernel_load *next)
{
    struct kernel_grid update = kernel_grid_items(octets);
    struct kernel_grid load = kernel_grid_items((int64_t)next->batch * next->height * next->width);
    struct kernel_grid grid = {update.x > load.x ? update.x : load.x, 2};
    return grid;
}

static inline struct kernel_grid kernel_grid_rows(int64_t rows, int channels)
{
    int rows_at_once = KERNEL_THREADS / KERNEL_BLOCK_OCTETS(channels);
    struct kernel_grid grid = {kernel_between((rows + rows_at_once - 1) / rows_at_once, 1, KERNEL_GRID_MOST),
                               (unsigned)KERNEL_OCTET_BLOCKS(channels)};
    return grid;
}

static inline struct kernel_grid kernel_grid_sums(int64_t rows, int channels)
{
    struct kernel_grid grid = {(unsigned)KERNEL_BLOCKS(rows), (unsigned)KERNEL_OCTET_BLOCKS(channels)};
    return grid;
}

/* A row takes a thread some hundred nanoseconds, a launch some thousand. */
enum { KERNEL_WHOLE_ROWS = 16 * KERNEL_THREADS };

static inline struct kernel_grid kernel_grid_whole(int channels)
{
    struct kernel_grid grid = {1, (unsigned)KERNEL_ROUND(channels) / 8};
    return grid;
}

/* Most values of all images of a batch before a small fully connected layer; and of one image, for each 32 classes. */
enum { KERNEL_LINEAR_MOST = 32 * 1024, KERNEL_CLASSIFIER_MOST = 1024 };
/* Most products that the last block of linear_backward computes. */
enum { KERNEL_LINEAR_LAST_MOST = 256 * KERNEL_THREADS };

static inline struct kernel_grid kernel_grid_linear(int outputs, int next_outputs)
{
    struct kernel_grid grid = {1, (unsigned)(KERNEL_ROUND(outputs) + KERNEL_ROUND(next_outputs)) / 8};
    return grid;
}

/* Of a grid for sums over that many channels. */
#define KERNEL_TICKETS(channels) KERNEL_OCTET_BLOCKS(channels)

/* Number of floats that the blocks of a sum leave. */
static inline int64_t kernel_partials(int64_t rows, int channels)
{
    return (int64_t)2 * KERNEL_ROUND(channels) * KERNEL_BLOCKS(rows);
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

#include "kernels/modern.h"

#endif
