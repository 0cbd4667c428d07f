/*
 * op_add.c - OP_ADD: the sum of two tensors of one shape, whose borders may differ.  Its gradient is that of both.
 */
#include "backend/cpu/operations.h"

#include "backend/cpu/layout.h"

struct term {
    struct map map;
    const float *values; /* NULL: zeros */
};

/* sum = terms[0] + terms[1]; the sum may lie where a term does. */
struct add {
    struct term terms[2];
    struct map map;
    float *sum;
};

static void add_row(const float *a, const float *b, size_t size, float *sum)
{
    if (!b)
        memcpy(sum, a, size * sizeof *sum);
    for (size_t i = 0; b && i < size; i += VECTOR_WIDTH)
        vector_store(sum + i, vector_load(a + i) + vector_load(b + i));
}

static void add_item(void *context, int block, int member)
{
    const struct add *add = context;
    const struct map *map = &add->map;
    float *sum = add->sum + block * map->block_stride;
    for (int c = 0; c < map->channels; c++) {
        map_clear_border(map, sum + c * map->plane);
        for (int y = 0; y < map->height; y++) {
            const float *rows[2] = {NULL, NULL};
            for (int k = 0; k < 2 && add->terms[k].values; k++)
                rows[k] =
                    add->terms[k].values + block * add->terms[k].map.block_stride + map_at(&add->terms[k].map, c, y, 0);
            add_row(rows[0], rows[1], (size_t)map->width * BLOCK, sum + map_at(map, c, y, 0));
        }
    }
}

static struct map map_in(const struct op_run *run, int tensor)
{
    return map_of(&run->plan->tensors[tensor]);
}

void ISA_SYMBOL(add_forward)(const struct op_run *run)
{
    const struct op *op = run->op;
    struct add add = {
        {{map_in(run, op->inputs[0]), run->x}, {map_in(run, op->inputs[1]), run->x2}}, map_in(run, op->output), run->y};
    team_do(run->team, blocks_of(run->count), add_item, &add);
}

void ISA_SYMBOL(add_backward)(const struct op_run *run)
{
    const struct op *op = run->op;
    float *const gradients[2] = {run->dx, run->dx2};
    for (int k = 0; k < 2; k++) {
        struct map map = map_in(run, op->inputs[k]);
        struct add add = {{{map_in(run, op->output), run->dy}, {map, op->adds_input_gradient[k] ? gradients[k] : NULL}},
                          map,
                          gradients[k]};
        if (gradients[k])
            team_do(run->team, blocks_of(run->count), add_item, &add);
    }
}
