/* layout.h - how large things are on a device and where their pieces lie: from shapes alone, without a device. */
#ifndef ESPALIER_BACKEND_CUDA_LAYOUT_H
#define ESPALIER_BACKEND_CUDA_LAYOUT_H

#include "backend/cuda/convolution.h"
#include "kernels/kernels.h"
#include "nn/plan.h"

size_t storage_bytes(enum storage storage);
/* Bytes, rounded up so that what follows is aligned for any kernel. */
size_t aligned(size_t bytes);
/* Memory that is given away from its start, in pieces that are aligned for any kernel.  With a `begin` of 0 it counts.
 */
struct memory {
    uintptr_t begin;
    size_t used;
};
void *memory_take(struct memory *memory, size_t bytes);

/* Of the whole buffer that the tensor lies in. */
size_t tensor_bytes_of(const struct tensor *tensor, int batch, enum storage storage);

/* The device's order of values: every weight, each as kernels want it; then vectors by channel, gamma, beta and biases,
   which are trained too; then the running statistics. */
struct weight_layout {
    int64_t weights, trained, total; /* values before the vectors, before the statistics, and all */
    int weight_parts, trained_parts, part_count;
    struct kernel_part parts[PLAN_OPS_MAX * 5];
    struct op_offsets {
        int64_t weight, gamma, beta, bias, mean, variance; /* of the first value */
        int64_t excite, excite_bias;                       /* of OP_SQUEEZE_EXCITE */
    } ops[PLAN_OPS_MAX];
};
void weight_layout_of(const struct plan *plan, struct weight_layout *layout);

/* Whether the operation is a convolution that runs in that direction. */
bool conv_is_needed(const struct op *op, enum conv_direction direction, bool training);
struct conv_shape conv_shape_of(const struct plan *plan, const struct op *op, int batch, enum storage storage);

/* What lies between the maps of OP_SQUEEZE_EXCITE (struct kernel_squeeze), or the gradients of that. */
struct squeeze_values {
    float *mean, *squeezed, *excited;
};

/* What an operation saves for its backward pass, from `begin` on (NULL: only `bytes` has a meaning): its linear part,
   the batch's statistics, and where a max pool found its values. */
struct saved {
    void *z;
    float *mean, *inverse_std;
    uint16_t *choice;
    struct squeeze_values squeeze;
    size_t bytes;
};
struct saved saved_layout(const struct plan *plan, const struct op *op, int batch, enum storage storage, void *begin);

/* Scratch memory, likewise: the linear part or its gradient, the sums of blocks, two vectors by channel; losses and
   hits of the classifier. */
struct scratch {
    void *z;
    struct squeeze_values squeeze;
    float *partials, *mean_gradient, *mean_product, *losses;
    int32_t *hits;
    size_t bytes;
};
struct scratch scratch_layout(const struct op *op, int batch, enum storage storage, void *begin);

#endif
