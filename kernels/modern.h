/*
 * modern.h - the part of kernels.h about the layers of the modern space: arguments and grids of the kernels for
 * depthwise convolutions, and for squeeze and excitation.
 */
#ifndef ESPALIER_KERNELS_MODERN_H
#define ESPALIER_KERNELS_MODERN_H

#include "kernels/kernels.h"

/* --- arguments --- */

/* A depthwise convolution: output channel c is a convolution of input channel c, with kernel / 2 zeros around it. */
struct kernel_depthwise {
    int32_t kernel, stride;
    int32_t height, width; /* of the input */
    int32_t out_height, out_width;
    const void *weights; /* of the suffix's type: [row of the kernel][column][KERNEL_ROUND(channels)] */
};

/* z, and BN's statistics of it as norm_moments computes them: moments.z is written, but for images beyond the count,
   which nobody reads.  Grid: kernel_grid_sums(batch * out_height * out_width, channels). */
struct kernel_depthwise_moments {
    struct kernel_depthwise of;
    struct kernel_map x;
    struct kernel_norm_moments moments;
};

/* Convolution, BN and activation; norm.z isn't used.  Grid: kernel_grid_rows(batch * out_height * out_width, channels).
 */
struct kernel_depthwise_infer {
    struct kernel_depthwise of;
    struct kernel_map x;
    struct kernel_norm_forward norm;
};

/* Both gradients.  For the weights, a block sums KERNEL_DEPTHWISE_COLUMNS columns of one row of the kernel over its
   share of the outputs, and the last block adds the blocks' sums.  As many other blocks compute dx.
   Grid: kernel_grid_depthwise(batch * out_height * out_width, channels, kernel, dx.data). */
struct kernel_depthwise_backward {
    struct kernel_depthwise of;
    const struct kernel_step *step;
    int32_t batch, channels;
    struct kernel_map x, dz, dx; /* dx without data: not wanted */
    void *gradient;              /* of the weights, as they lie */
    float *partials;             /* kernel_depthwise_partials(batch * out_height * out_width, channels, kernel):
                                    [tap][channel][block] */
    unsigned *tickets;           /* KERNEL_DEPTHWISE_TICKETS(channels, kernel) */
};

/* Squeeze and excitation, of which nn/backend.h has the formulas.  Forward writes y, and for each image the averages of
   the channels (m there), the squeezed values (a) and what the gates are made of (s).  Backward reads those, and writes
   their gradients and dx.  Grid of both: {batch, 1}.
   squeeze_weights has the gradients of the weights from them.  Grid: kernel_grid_items(kernel_squeeze_items()). */
struct kernel_squeeze {
    const struct kernel_step *step;
    int32_t channels, units, positions; /* units: squeezed values */
    struct kernel_map x, y, dy, dx;     /* dx without data: not wanted */
    /* Of the suffix's type, rounded up: [unit][channel] and [channel][unit]; biases by unit and by channel. */
    const void *squeeze, *excite;
    const float *squeeze_bias, *excite_bias;
    float *mean, *squeezed, *excited; /* [image], by channel, by unit, by channel */
    float *mean_gradient, *squeezed_gradient, *excited_gradient;
    void *squeeze_gradient, *excite_gradient; /* of the weights, as they lie */
    float *squeeze_bias_gradient, *excite_bias_gradient;
};

/* --- grids --- */

/* A thread has a sum for each column of a row of the kernel, as many as fit its registers. */
enum { KERNEL_DEPTHWISE_COLUMNS = 7 };
#define KERNEL_DEPTHWISE_PARTS(kernel)                                                                                 \
    ((kernel) * (((kernel) + KERNEL_DEPTHWISE_COLUMNS - 1) / KERNEL_DEPTHWISE_COLUMNS))
#define KERNEL_DEPTHWISE_TICKETS(channels, kernel) (KERNEL_OCTET_BLOCKS(channels) * KERNEL_DEPTHWISE_PARTS(kernel))

/* There are several parts: half the blocks of another sum leave half the partial sums. */
static inline unsigned kernel_depthwise_blocks(int64_t rows)
{
    return (unsigned)(KERNEL_BLOCKS(rows) + 1) / 2;
}

static inline int64_t kernel_depthwise_partials(int64_t rows, int channels, int kernel)
{
    return (int64_t)kernel * kernel * KERNEL_ROUND(channels) * kernel_depthwise_blocks(rows);
}

static inline struct kernel_grid kernel_grid_depthwise(int64_t rows, int channels, int kernel, const void *dx)
{
    struct kernel_grid grid = {kernel_depthwise_blocks(rows),
                               (unsigned)KERNEL_DEPTHWISE_TICKETS(channels, kernel) * (dx ? 2 : 1)};
    return grid;
}

/* Gradients of weights and biases. */
static inline int64_t kernel_squeeze_items(int channels, int units)
{
    int64_t stored_channels = KERNEL_ROUND(channels), stored_units = KERNEL_ROUND(units);
    return 2 * stored_channels * stored_units + stored_channels + stored_units;
}

#endif
