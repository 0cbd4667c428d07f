/* norm.cuh - BN and ReLU of an octet, which norm.cu and norm_backward.cu must compute alike. */
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

/* a = relu((z - mean) scale + beta), scale being gamma / std. */
struct normaliser {
    octet mean, scale, beta;

    __device__ normaliser(const float *means, const octet &inverse_std, const float *gammas, const float *betas,
                          int channel)
        : mean(load_channels(means, channel)), scale(load_channels(gammas, channel)),
          beta(load_channels(betas, channel))
    {
        for (int i = 0; i < 8; i++)
            scale.at[i] *= inverse_std.at[i];
    }
    __device__ octet activate(const octet &z) const
    {
        octet result;
        for (int i = 0; i < 8; i++) {
            const float value = (z.at[i] - mean.at[i]) * scale.at[i] + beta.at[i];
            result.at[i] = value < 0 ? 0 : value;
        }
        return result;
    }
};

} // namespace

#endif
