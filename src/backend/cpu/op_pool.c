/* op_pool.c - OP_POOL: a max or average pool that no convolution or BN precedes, plane by plane. */
#include "backend/cpu/operations.h"

#include "backend/cpu/pool.h"

void ISA_SYMBOL(pool_forward)(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]), out = map_of(&run->plan->tensors[op->output]);
    for (int plane = 0; plane < blocks_of(run->count) * in.channels; plane++) {
        const float *x = (const float *)run->x + map_plane(&in, plane);
        float *y = (float *)run->y + map_plane(&out, plane);
        map_clear_border(&out, y);
        if (op->pool == POOL_MAX)
            pool_max(&in, &out, op->pool_size, op->pool_stride, NULL, x, y, NULL);
        else
            pool_average(&in, &out, op->pool_size, op->pool_stride, NULL, x, y);
    }
}

void ISA_SYMBOL(pool_backward)(const struct op_run *run)
{
    const struct op *op = run->op;
    struct map in = map_of(&run->plan->tensors[op->inputs[0]]), out = map_of(&run->plan->tensors[op->output]);
    for (int plane = 0; run->dx && plane < blocks_of(run->count) * in.channels; plane++) {
        const float *x = (const float *)run->x + map_plane(&in, plane);
        const float *y = (const float *)run->y + map_plane(&out, plane);
        const float *dy = (const float *)run->dy + map_plane(&out, plane);
        float *dx = (float *)run->dx + map_plane(&in, plane);
        memset(dx, 0, in.plane * sizeof *dx);
        if (op->pool == POOL_MAX)
            pool_gradient(&in, &out, &in, op->pool_size, op->pool_stride, NULL, x, y + map_at(&out, 0, 0, 0), out.pitch,
                          dy, dx);
        else
            pool_gradient(&in, &out, &in, op->pool_size, op->pool_stride, NULL, x, NULL, 0, dy, dx);
    }
}
