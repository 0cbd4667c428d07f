/*
 * plan.c - lowering: layers to operations.
 *
 * One pass forward emits operations and shapes: a pool right behind a convolution joins it, any other is an
 * OP_POOL; dropout follows max pools and FC layers when asked for.  One pass backward gives each tensor the
 * border that its reader wants.
 */
#include "nn/plan.h"

#include "util/bug.h"

static struct op *emit(struct plan *plan, enum op_kind kind, int layer, struct shape shape)
{
    ASSERT(plan->op_count < PLAN_OPS_MAX);
    struct op *op = &plan->ops[plan->op_count];
    *op = (struct op){.kind = kind, .layer = layer, .input = plan->op_count, .output = plan->op_count + 1};
    plan->op_count++;
    plan->tensors[op->output] = (struct tensor){shape.channels, shape.height, shape.width, 0};
    return op;
}

static bool is_pool(const struct layer *layer)
{
    return layer->kind == LAYER_MAX_POOL || layer->kind == LAYER_AVERAGE_POOL;
}

static void set_pool(struct op *op, const struct layer *layer)
{
    op->pool = layer->kind == LAYER_MAX_POOL ? POOL_MAX : POOL_AVERAGE;
    op->pool_size = layer->kernel;
    op->pool_stride = layer->stride;
}

static void emit_dropout(struct plan *plan, float drop, int layer, struct shape shape)
{
    if (drop > 0)
        emit(plan, OP_DROPOUT, layer, shape)->drop = drop;
}

static void set_borders(struct plan *plan)
{
    for (int i = plan->op_count - 1; i >= 0; i--) {
        const struct op *op = &plan->ops[i];
        int border = 0;
        if (op->kind == OP_CONV)
            border = op->kernel / 2;
        else if (op->kind == OP_DROPOUT)
            border = plan->tensors[op->output].border;
        plan->tensors[op->input].border = border;
    }
}

static void set_gradients(struct plan *plan)
{
    bool trained = false;
    for (int i = 0; i < plan->op_count; i++) {
        struct op *op = &plan->ops[i];
        op->needs_input_gradient = trained;
        trained = trained || op->kind == OP_CONV || op->kind == OP_FC;
    }
}

void plan_lower(const struct arch *arch, struct shape input, const struct plan_options *options, struct plan *plan)
{
    struct shape shapes[ARCH_LAYERS_MAX];
    struct error error;
    ASSERT(arch_shapes(arch, input, shapes, &error) == 0);
    struct weights_layout layout;
    weights_layout_of(arch, input, &layout);

    *plan = (struct plan){.trained = layout.trained, .total = layout.total};
    plan->tensors[0] = (struct tensor){input.channels, input.height, input.width, 0};
    for (int i = 0; i < arch->layer_count; i++) {
        const struct layer *layer = &arch->layers[i];
        struct op *op = NULL;
        switch (layer->kind) {
        case LAYER_CONV: {
            bool joined = i + 1 < arch->layer_count && is_pool(&arch->layers[i + 1]);
            op = emit(plan, OP_CONV, i, shapes[i + joined]);
            op->kernel = layer->kernel;
            op->stride = layer->stride;
            op->channels = layer->units;
            op->height = shapes[i].height;
            op->width = shapes[i].width;
            op->weights = layout.layers[i];
            if (joined)
                set_pool(op, &arch->layers[++i]);
            break;
        }
        case LAYER_MAX_POOL:
        case LAYER_AVERAGE_POOL:
            op = emit(plan, OP_POOL, i, shapes[i]);
            set_pool(op, layer);
            break;
        case LAYER_FC:
        case LAYER_SOFTMAX:
            op = emit(plan, layer->kind == LAYER_FC ? OP_FC : OP_CLASSIFIER, i, (struct shape){layer->units, 1, 1});
            op->channels = layer->units;
            op->height = op->width = 1;
            op->weights = layout.layers[i];
            break;
        }
        if (op->pool == POOL_MAX)
            emit_dropout(plan, options->drop_pool, i, shapes[i]);
        else if (op->kind == OP_FC)
            emit_dropout(plan, options->drop_fc, i, (struct shape){op->channels, 1, 1});
        else if (op->kind == OP_CLASSIFIER)
            plan->classes = op->channels;
    }
    set_borders(plan);
    set_gradients(plan);
}
