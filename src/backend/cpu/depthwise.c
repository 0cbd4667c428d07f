/* depthwise.c - the sums of a depthwise convolution over one plane (depthwise.h), in runs of registers. */
#include "backend/cpu/depthwise.h"

#include "util/bug.h"

/* --- the convolution --- */

/* Sums that registers have room for, beside a weight. */
enum { RUN_MOST = VECTOR_WIDTH == 16 ? 16 : 8 };

/* Asks for a row of pixels while something else is computed. */
INLINE void fetch_row(const float *plane, int y, int width)
{
    if (plane)
        for (int x = 0; x < width; x++)
            __builtin_prefetch(plane + ((size_t)y * width + x) * BLOCK, 0, 2);
}

/* `count` pixels of one row. */
INLINE void slide_pixels(const struct slide *s, int step, int count, const float *x, float *out)
{
#pragma GCC unroll 4
    for (int part = 0; part < BLOCK; part += VECTOR_WIDTH) {
        const float *row = x + part, *weight = s->weights;
        vector sums[RUN_MOST];
#pragma GCC unroll 16
        for (int i = 0; i < count; i++)
            sums[i] = vector_all(s->bias);
        for (int y = 0; y < s->rows; y++, row += s->x_pitch) {
            const float *pixel = row;
#pragma GCC unroll 1
            for (int column = 0; column < s->columns; column++, pixel += BLOCK) {
                vector w = vector_all(*weight++);
#pragma GCC unroll 16
                for (int i = 0; i < count; i++)
                    sums[i] += w * vector_load(pixel + i * step * BLOCK);
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < count; i++)
            vector_store(out + i * s->out_step + part, sums[i]);
    }
}

/* The largest run that the map is wide enough for and that doesn't waste half of its sums.  A last run that would not
   fit begins earlier: some pixels are then computed twice. */
static int run_length(int width, int left)
{
    int run = RUN_MOST;
    while (run > 1 && (run > width || 2 * left <= run))
        run /= 2;
    return run;
}

INLINE void slide_plane(const struct slide *s, int step)
{
    for (int y = 0; y < s->height; y++) {
        const float *row = s->x + (size_t)(y * step) * s->x_pitch;
        fetch_row(s->ahead, y, s->width);
        for (int done = 0, run; done < s->width; done += run) {
            run = run_length(s->width, s->width - done);
            done = done + run > s->width ? s->width - run : done;
            const float *x = row + done * step * BLOCK;
            float *out = s->out + y * s->out_pitch + done * s->out_step;
            if (run == 16)
                slide_pixels(s, step, RUN_MOST, x, out);
            else if (run == 8)
                slide_pixels(s, step, 8, x, out);
            else if (run == 4)
                slide_pixels(s, step, 4, x, out);
            else if (run == 2)
                slide_pixels(s, step, 2, x, out);
            else
                slide_pixels(s, step, 1, x, out);
        }
    }
}

void slide_run(const struct slide *s)
{
    if (s->step == 1)
        slide_plane(s, 1);
    else if (s->step == 2)
        slide_plane(s, 2);
    else
        slide_plane(s, s->step);
}

/* --- the weight gradient --- */

/* Adds to `rows` rows of taps, from `first` on. */
INLINE void add_rows(const struct outer_product *o, int kernel, int first, int rows)
{
    vector sums[28];
    int taps = rows * kernel;
#pragma GCC unroll 28
    for (int t = 0; t < taps; t++)
        sums[t] = (vector){0};
    for (int y = 0; y < o->height; y++) {
        const float *x = o->x + (size_t)(y * o->step + first) * o->x_pitch, *d = o->d + y * o->d_pitch;
        if (first == 0)
            fetch_row(o->ahead, y, o->width);
        for (int pixel = 0; pixel < o->width; pixel++, x += o->step * BLOCK, d += BLOCK)
#pragma GCC unroll 4
            for (int part = 0; part < BLOCK; part += VECTOR_WIDTH)
#pragma GCC unroll 28
                for (int t = 0; t < taps; t++)
                    sums[t] +=
                        vector_load(d + part) * vector_load(x + t / kernel * o->x_pitch + (t % kernel) * BLOCK + part);
    }
#pragma GCC unroll 28
    for (int t = 0; t < taps; t++)
        o->sums[first * kernel + t] += vector_sum(sums[t]);
}

/* In passes of as many rows as registers have room for. */
INLINE void add_kernel(const struct outer_product *o, int kernel, int rows)
{
    int row = 0;
    for (; row + rows <= kernel; row += rows)
        add_rows(o, kernel, row, rows);
    if (row < kernel)
        add_rows(o, kernel, row, kernel % rows);
}

void outer_product_run(const struct outer_product *o, int kernel)
{
    enum { WIDE = VECTOR_WIDTH == 16 };
    switch (kernel) {
    case 1:
        return add_kernel(o, 1, 1);
    case 3:
        return add_kernel(o, 3, 3);
    case 5:
        return add_kernel(o, 5, WIDE ? 5 : 2);
    case 7:
        return add_kernel(o, 7, WIDE ? 4 : 1);
    case 9:
        return add_kernel(o, 9, WIDE ? 3 : 1);
    default:
        ASSERT(kernel == ARCH_KERNEL_MAX);
        return add_kernel(o, ARCH_KERNEL_MAX, WIDE ? 2 : 1);
    }
}
