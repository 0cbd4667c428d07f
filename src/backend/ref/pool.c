/* pool.c - max and average pooling without padding; windows may overlap, the rest of a map is cropped. */
#include <string.h>

#include "backend/ref/ref.h"

static int pooled(int side, const struct op *op)
{
    return (side - op->pool_size) / op->pool_stride + 1;
}

/* Offset in the map of the window's first largest value in row order. */
static int largest(const struct op *op, const float *window, int width)
{
    int best = 0;
    for (int y = 0; y < op->pool_size; y++)
        for (int x = 0; x < op->pool_size; x++)
            if (window[y * width + x] > window[best])
                best = y * width + x;
    return best;
}

static float average(const struct op *op, const float *window, int width)
{
    double sum = 0;
    for (int y = 0; y < op->pool_size; y++)
        for (int x = 0; x < op->pool_size; x++)
            sum += window[y * width + x];
    return (float)(sum / (op->pool_size * op->pool_size));
}

static void spread(const struct op *op, float gradient, float *window, int width)
{
    float share = gradient / (float)(op->pool_size * op->pool_size);
    for (int y = 0; y < op->pool_size; y++)
        for (int x = 0; x < op->pool_size; x++)
            window[y * width + x] += share;
}

void ref_pool_forward(const struct op *op, int planes, int height, int width, const float *x, float *y)
{
    for (int plane = 0; plane < planes; plane++, x += height * width)
        for (int row = 0; row < pooled(height, op); row++)
            for (int column = 0; column < pooled(width, op); column++) {
                const float *window = x + row * op->pool_stride * width + column * op->pool_stride;
                *y++ = op->pool == POOL_MAX ? window[largest(op, window, width)] : average(op, window, width);
            }
}

void ref_pool_backward(const struct op *op, int planes, int height, int width, const float *x, const float *dy,
                       float *dx)
{
    memset(dx, 0, (size_t)planes * height * width * sizeof *dx);
    for (int plane = 0; plane < planes; plane++, x += height * width, dx += height * width)
        for (int row = 0; row < pooled(height, op); row++)
            for (int column = 0; column < pooled(width, op); column++, dy++) {
                int window = row * op->pool_stride * width + column * op->pool_stride;
                if (op->pool == POOL_MAX)
                    dx[window + largest(op, x + window, width)] += *dy;
                else
                    spread(op, *dy, dx + window, width);
            }
}
