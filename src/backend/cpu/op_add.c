/* op_add.c - OP_ADD: the sum of two tensors of one shape, whose borders may differ.  Its gradient is that of both. */
#include "backend/cpu/operations.h"

#include "backend/cpu/layout.h"

/* sum = terms[0] + terms[1]; the sum may lie where a term does.  A NULL second term is zero. */
struct add {
    struct map maps[2], map;
    const float *terms[2];
    float *sum;
};

static void add_item(void *context, int block, int member)
{
    const struct add *add = context;
    const struct map *map = &add->map;
    for (int c = 0; c < map->channels; c++) {
        float *plane = add->sum + block * map->block_stride + c * map->plane;
        map_clear_border(map, plane);
        for (int y = 0; y < map->height; y++) {
            const float *terms[2] = {NULL, NULL};
            for (int k = 0; k < 2 && add->terms[k]; k++)
                terms[k] = add->terms[k] + block * add->maps[k].block_stride + map_at(&add->maps[k], c, y, 0);
            float *sum = plane + map_at(map, 0, y, 0);
            for (int i = 0; i < map->width * BLOCK; i += VECTOR_WIDTH) {
                vector value = vector_load(terms[0] + i);
                if (terms[1])
                    value += vector_load(terms[1] + i);
                vector_store(sum + i, value);
            }
        }
    }
}

void ISA_SYMBOL(add_forward)(const struct op_run *run)
{
    const struct op *op = run->op;
    const struct tensor *tensors = run->plan->tensors;
    struct add add = {{map_of(&tensors[op->inputs[0]]), map_of(&tensors[op->inputs[1]])},
                      map_of(&tensors[op->output]),
                      {run->x, run->x2},
                      run->y};
    team_do(run->team, blocks_of(run->count), add_item, &add);
}

void ISA_SYMBOL(add_backward)(const struct op_run *run)
{
    const struct op *op = run->op;
    float *const gradients[2] = {run->dx, run->dx2};
    for (int k = 0; k < 2; k++) {
        struct map out = map_of(&run->plan->tensors[op->output]), in = map_of(&run->plan->tensors[op->inputs[k]]);
        struct add add = {{out, in}, in, {run->dy, op->adds_input_gradient[k] ? gradients[k] : NULL}, gradients[k]};
        if (gradients[k])
            team_do(run->team, blocks_of(run->count), add_item, &add);
    }
}
