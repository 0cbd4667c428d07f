/*
 * linear.c - see operation.h: fully connected layers and the classifier.
 *
 * A small product (KERNEL_LINEAR_MOST) is part of the kernel that needs it, since a launch of its own would take
 * longer:
 *
 *   fc_bn_relu_forward    product, BN, ReLU                                             linear_forward
 *   classifier_forward    product, loss, gradient of the logits, of the bias; in a walk  classifier
 *                         also the gradient of the input
 *   classifier_backward   nothing: the layer before has the gradient of the weights
 *   fc_bn_relu_backward   ReLU, BN, gradients of the weights and of the input            linear_backward
 *
 * Other products are cuBLAS's.  For it a map of N images is a matrix of N rows.  cuBLAS counts columns first:
 * [rows][columns] here is columns × rows there.  Weights are [output][position and input], so y = x W^T.
 */
#include "backend/cuda/operation.h"

/* --- matrix products --- */

/* C = A B with A m × k and B k × n in cuBLAS's order; the operations say which is transposed. */
struct gemm {
    cublasOperation_t a_operation, b_operation;
    int m, n, k;
    const void *a, *b;
    int a_stride, b_stride;
    void *c;
    bool c_float; /* else C is of the storage type, as A and B */
};

static void run_gemm(struct context *context, const struct gemm *gemm)
{
    static const cudaDataType_t types[STORAGES] = {CUDA_R_32F, CUDA_R_16BF, CUDA_R_16F};
    const float one = 1, zero = 0;
    cudaDataType_t type = types[context->storage];
    if (context->status == DEVICE_FINE)
        check_cublas(context,
                     cublasGemmEx(context->stream->cublas, gemm->a_operation, gemm->b_operation, gemm->m, gemm->n,
                                  gemm->k, &one, gemm->a, type, gemm->a_stride, gemm->b, type, gemm->b_stride, &zero,
                                  gemm->c, gemm->c_float ? CUDA_R_32F : type, gemm->m, CUBLAS_COMPUTE_32F,
                                  CUBLAS_GEMM_DEFAULT),
                     "a product of matrices");
}

/* Values of a row of x. */
static int inputs_of(const struct op_run *run)
{
    const struct tensor *tensor = &run->plan->tensors[run->op->inputs[0]];
    return tensor->height * tensor->width * KERNEL_ROUND(tensor->channels);
}

static void multiply(const struct op_run *run, void *z, bool z_float)
{
    struct context *context = run->context;
    int inputs = inputs_of(run), outputs = KERNEL_ROUND(run->op->channels);
    run_gemm(context, &(struct gemm){CUBLAS_OP_T, CUBLAS_OP_N, outputs, context->batch, inputs, weight_at(run), run->x,
                                     inputs, inputs, z, z_float});
}

static void multiply_for_weight(const struct op_run *run, const void *dz)
{
    struct context *context = run->context;
    int inputs = inputs_of(run), outputs = KERNEL_ROUND(run->op->channels);
    run_gemm(context, &(struct gemm){CUBLAS_OP_N, CUBLAS_OP_T, inputs, outputs, context->batch, run->x, dz, inputs,
                                     outputs, weight_gradient_at(run), false});
}

static void multiply_for_input(const struct op_run *run, const void *dz)
{
    struct context *context = run->context;
    int inputs = inputs_of(run), outputs = KERNEL_ROUND(run->op->channels);
    if (run->dx)
        run_gemm(context, &(struct gemm){CUBLAS_OP_N, CUBLAS_OP_N, inputs, context->batch, outputs, weight_at(run), dz,
                                         inputs, outputs, run->dx, false});
}

/* --- small products --- */

static struct kernel_linear arguments_of(const struct op_run *run, bool with_input_gradient)
{
    return (struct kernel_linear){.inputs = inputs_of(run),
                                  .x = run->x,
                                  .weight = weight_at(run),
                                  .weight_gradient = run->training ? weight_gradient_at(run) : NULL,
                                  .dx = with_input_gradient ? run->dx : NULL};
}

static bool is_small(const struct op_run *run)
{
    const struct context *context = run->context;
    return (int64_t)context->batch * inputs_of(run) <= KERNEL_LINEAR_MOST;
}

static bool classifier_is_small(const struct op_run *run)
{
    return inputs_of(run) * ((run->op->channels + 31) / 32) <= KERNEL_CLASSIFIER_MOST &&
           (!run->training || is_small(run));
}

/* Whether forward also computes the gradient of its input. */
static bool classifier_is_whole(const struct op_run *run)
{
    return run->training && run->walk && classifier_is_small(run);
}

/* The classifier whose weights' gradients this layer computes, in a walk; NULL: none. */
static const struct op_run *classifier_above(const struct op_run *run)
{
    int next = op_index(run) + 1;
    if (!run->walk || !is_small(run) || next == run->plan->op_count)
        return NULL;
    const struct op *op = &run->plan->ops[next];
    bool reads = op->kind == OP_CLASSIFIER && op->inputs[0] == run->op->output;
    return reads && classifier_is_whole(&run->walk[next]) ? &run->walk[next] : NULL;
}

/* --- operations --- */

void fc_bn_relu_forward(const struct op_run *run)
{
    struct context *context = run->context;
    int channels = run->op->channels;
    struct kernel_map z = map_of(linear_part(run), channels);
    if (is_small(run)) {
        struct kernel_linear_forward arguments = {arguments_of(run, false), normalise_arguments(run, z)};
        launch(context, KERNEL_linear_forward, context->storage, kernel_grid_whole(channels), &arguments);
        return;
    }
    multiply(run, z.data, false);
    normalise_forward(run, z);
}

void fc_bn_relu_backward(const struct op_run *run)
{
    struct context *context = run->context;
    int channels = run->op->channels, next_outputs = 0;
    struct kernel_map z = map_of(saved_of(run).z, channels), dz = map_of(scratch_of(run).z, channels);
    if (!is_small(run)) {
        normalise_backward(run, z, dz, false);
        multiply_for_weight(run, dz.data);
        multiply_for_input(run, dz.data);
        return;
    }
    int64_t products = (int64_t)context->batch * inputs_of(run) * KERNEL_ROUND(channels);
    bool with_input = products <= KERNEL_LINEAR_LAST_MOST;
    const struct op_run *above = classifier_above(run);
    struct kernel_linear_backward arguments = {.norm = normalise_backward_arguments(run, z, dz, false),
                                               .linear = arguments_of(run, with_input)};
    if (above) {
        arguments.next_outputs = next_outputs = above->op->channels;
        arguments.next = arguments_of(above, false);
        arguments.next_gradient = above->y;
    }
    launch(context, KERNEL_linear_backward, context->storage, kernel_grid_linear(channels, next_outputs), &arguments);
    if (!with_input)
        multiply_for_input(run, dz.data);
}

void classifier_forward(const struct op_run *run)
{
    struct context *context = run->context;
    struct scratch scratch = scratch_of(run);
    struct kernel_classifier arguments = {.step = context->step,
                                          .loss_scale = run->training ? context->loss_scale : NULL,
                                          .batch = context->batch,
                                          .classes = run->op->channels,
                                          .linear = scratch.z,
                                          .bias = context->values + offsets_of(run)->bias,
                                          .labels = context->labels,
                                          .logits = run->logits,
                                          .losses = scratch.losses,
                                          .hits = scratch.hits,
                                          .gradient = run->training ? run->y : NULL,
                                          .bias_gradient =
                                              run->training ? vector_gradient_at(run, offsets_of(run)->bias) : NULL,
                                          .tickets = context->tickets,
                                          .queue = context->queue,
                                          .results = context->results};
    if (classifier_is_small(run))
        arguments.product = arguments_of(run, classifier_is_whole(run));
    else
        multiply(run, scratch.z, true);
    launch(context, KERNEL_classifier, context->storage, kernel_grid_images(context->batch), &arguments);
}

/* Forward has the gradient of the bias. */
void classifier_backward(const struct op_run *run)
{
    bool whole = classifier_is_whole(run);
    int before = op_index(run) - 1;
    if (!whole)
        multiply_for_input(run, run->y);
    if (whole && before >= 0 && run->plan->ops[before].kind == OP_FC_BN_RELU && classifier_above(&run->walk[before]))
        return; /* that layer has the gradient of the weights */
    multiply_for_weight(run, run->y);
}
