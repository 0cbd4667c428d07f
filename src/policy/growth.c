/*
 * growth.c - for each possible action: does its child exist, within the limits?
 *
 * The child is built to find out, so that no second copy of the rules of arch/ can disagree with them.  An architecture
 * is a small value and its cost a short sum: this is cheap beside the controller's own networks.
 */
#include "policy/growth.h"

#include "policy/trades.h"

bool growth_fits(const struct policy_options *options, const struct arch *arch, struct action action)
{
    struct arch child;
    return action_apply(arch, &action, &child, NULL) == 0 &&
           arch_within(&child, options->input, &options->limits, NULL) == 0;
}

bool growth_block_kernels(const struct growth_block *block)
{
    return layer_kind_traits(block->kind)->has_kernel;
}

struct action growth_widen(int layer, int units)
{
    return (struct action){.kind = ACTION_WIDEN, .layer = layer, .units = units};
}

struct action growth_deepen(const struct policy_options *options, const struct arch *arch,
                            const struct growth_block *block, int layer, int kernel)
{
    return space_deepen(options->space, arch, block->first + layer, options->space->kernels[kernel]);
}

int growth_wider(const struct policy_options *options, const struct arch *arch, int layer)
{
    int units = space_wider(options->space, &arch->layers[layer]);
    return units && growth_fits(options, arch, growth_widen(layer, units)) ? units : 0;
}

static void offer(const struct policy_options *options, const struct arch *arch, struct growth_block *block)
{
    int kernels = growth_block_kernels(block) ? options->space->kernel_count : 1;
    for (int layer = 0; layer < block->count; layer++)
        for (int kernel = 0; kernel < kernels; kernel++)
            if (growth_fits(options, arch, growth_deepen(options, arch, block, layer, kernel)))
                block->offered[layer] |= (uint8_t)(1u << kernel);
}

void growth_insertions(const struct policy_options *options, const struct arch *arch,
                       struct growth_insertions *insertions)
{
    *insertions = (struct growth_insertions){0};
    struct growth_block *block = NULL;
    for (int i = 0; i < arch->layer_count; i++) {
        const struct layer *layer = &arch->layers[i];
        if (!layer_grows(layer)) {
            block = NULL;
            continue;
        }
        if (!block || (block->kind != layer->kind && layer_traits(layer)->widths != WIDTHS_HIDDEN)) {
            if (insertions->block_count == GROWTH_BLOCKS_MAX)
                break;
            block = &insertions->blocks[insertions->block_count++];
            *block = (struct growth_block){.first = i, .kind = layer->kind};
        }
        if (block->count < GROWTH_BLOCK_LAYERS_MAX)
            block->count++;
    }
    for (int i = 0; i < insertions->block_count; i++)
        offer(options, arch, &insertions->blocks[i]);
}

bool growth_block_offered(const struct growth_block *block)
{
    for (int i = 0; i < block->count; i++)
        if (block->offered[i])
            return true;
    return false;
}

bool growth_possible(const struct policy_options *options, const struct arch *arch)
{
    struct growth_insertions insertions;
    for (int layer = 0; options->wider_decisions && layer < arch->layer_count; layer++)
        if (growth_wider(options, arch, layer))
            return true;
    insertions.block_count = 0;
    if (options->deeper_decisions)
        growth_insertions(options, arch, &insertions);
    for (int i = 0; i < insertions.block_count; i++)
        if (growth_block_offered(&insertions.blocks[i]))
            return true;
    return options->trades && trades_possible(options, arch);
}
