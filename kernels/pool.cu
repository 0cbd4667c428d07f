/* pool.cu - a pool that isn't joined to a BN, forward and backward; device.cuh has the windows. */
#include "kernels/device.cuh"

namespace
{

template <typename T> __device__ void pool_forward(const kernel_pool_forward &k)
{
    const thread_place place(k.channels);
    if (!place.active)
        return;
    const column<T> x(k.x, place.channel), y(k.y, place.channel);
    const int positions = k.window.pooled_height * k.window.pooled_width;
    const int rows = k.batch * positions, counted = k.step->count * positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        if (walk.row < counted)
            pool_window(k.window, k.channels, place.channel, walk.row, k.height, k.width, y,
                        [&](int row) { return x.load(row); });
        else
            y.store(walk.row, zero_octet());
    }
}

template <typename T> __device__ void pool_backward(const kernel_pool_backward &k)
{
    const thread_place place(k.channels);
    if (!place.active)
        return;
    const column<T> dy(k.dy, place.channel), dx(k.dx, place.channel);
    const int positions = k.height * k.width, rows = k.batch * positions, counted = k.step->count * positions;
    for (row_walk walk(place); walk.row < rows; walk.row += walk.step) {
        octet gradient = zero_octet();
        if (walk.row < counted)
            gradient = gather_windows(k.window, k.channels, place.channel, walk.row, k.height, k.width, dy);
        dx.put(walk.row, gradient, k.accumulate);
    }
}

} // namespace

KERNEL_EACH(pool_forward, kernel_pool_forward)
KERNEL_EACH(pool_backward, kernel_pool_backward)
