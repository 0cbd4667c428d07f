/*
 * norm.cuh - BN and the activation behind it, of an octet: norm.cu, norm_backward.cu and depthwise.cu must compute them
 * alike.
 */
#ifndef ESPALIER_KERNELS_NORM_CUH
#define ESPALIER_KERNELS_NORM_CUH

#include "kernels/device.cuh"

namespace
{

/* As in arch/weights.h. */
__device__ inline float inverse_std_of(float variance)
{
    return 1 / sqrtf(variance + 1e-5f);
}

/* a = activation((z - mean) scale + beta), scale being gamma / std. */
struct normaliser {
    octet mean, scale, beta;
    int activation;

    __device__ normaliser(const float *means, const octet &inverse_std, const float *gammas, const float *betas,
                          int channel, int kind)
        : mean(load_channels(means, channel)), scale(load_channels(gammas, channel)),
          beta(load_channels(betas, channel)), activation(kind)
    {
        for (int i = 0; i < 8; i++)
            scale.at[i] *= inverse_std.at[i];
    }
    /* What is activated. */
    __device__ float value_of(const octet &z, int i) const
    {
        return (z.at[i] - mean.at[i]) * scale.at[i] + beta.at[i];
    }
    __device__ octet activate(const octet &z) const
    {
        octet result;
        for (int i = 0; i < 8; i++) {
            const float value = value_of(z, i);
            result.at[i] = value;
            if (activation == KERNEL_RELU)
                result.at[i] = value < 0 ? 0 : value;
            else if (activation == KERNEL_HARD_SWISH)
                result.at[i] = value <= -3 ? 0 : value >= 3 ? value : value * (value + 3) * (1 / 6.0f);
        }
        return result;
    }
    /* The gradient of what is activated, from that of the activation. */
    __device__ void deactivate(const octet &z, octet &gradient) const
    {
        for (int i = 0; i < 8; i++) {
            const float value = value_of(z, i);
            if (activation == KERNEL_RELU)
                gradient.at[i] = value <= 0 ? 0 : gradient.at[i];
            else if (activation == KERNEL_HARD_SWISH)
                gradient.at[i] *= value <= -3 ? 0 : value >= 3 ? 1 : (2 * value + 3) * (1 / 6.0f);
        }
    }
};

__device__ inline normaliser normaliser_of(const kernel_norm_forward &k, int channel)
{
    octet inverse_std = load_channels(k.variance ? k.variance : k.inverse_std, channel);
    for (int i = 0; k.variance && i < 8; i++)
        inverse_std.at[i] = inverse_std_of(inverse_std.at[i]);
    return normaliser(k.mean, inverse_std, k.gamma, k.beta, channel, k.activation);
}

} // namespace

#endif
