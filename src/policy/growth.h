/*
 * growth.h - where an architecture may grow, within its space and its limits: what policies choose from.
 *
 * An insertion has the address that the deeper actor gives it (EAS, section 3.3): a block, the layer in it after which
 * to insert, and a kernel.  A block is a run of layers of one kind: convolutions without a pool between them, dense
 * layers without a transition, or all FC layers; residual blocks belong to the block of the layer in front of them.
 * What is inserted is the space's matter (space_deepen).  Only blocks of convolutions have a kernel to choose.
 * Blocks and layers past the table's size are not offered.  Pure, any thread.
 */
#ifndef ESPALIER_POLICY_GROWTH_H
#define ESPALIER_POLICY_GROWTH_H

#include "policy/policy.h"

enum { GROWTH_BLOCKS_MAX = 16, GROWTH_BLOCK_LAYERS_MAX = 32 };

struct growth_block {
    int first, count;                         /* its layers */
    enum layer_kind kind;                     /* unless these are convolutions, only kernel number 0 is offered */
    uint8_t offered[GROWTH_BLOCK_LAYERS_MAX]; /* bit k: the space's kernel number k may come after this layer */
};

struct growth_insertions {
    int block_count;
    struct growth_block blocks[GROWTH_BLOCKS_MAX];
};

/* Can the action be applied, and is its child within the limits? */
bool growth_fits(const struct policy_options *options, const struct arch *arch, struct action action);
/* The layer's next width, or 0 when it can't grow. */
int growth_wider(const struct policy_options *options, const struct arch *arch, int layer);
/* Does an insertion into this block choose a kernel? */
bool growth_block_kernels(const struct growth_block *block);
void growth_insertions(const struct policy_options *options, const struct arch *arch,
                       struct growth_insertions *insertions);
bool growth_block_offered(const struct growth_block *block);
/* Is there anything that the decisions of a proposal, or a trade if the options allow it (trades.h), can choose? */
bool growth_possible(const struct policy_options *options, const struct arch *arch);

/* The actions that these choices stand for. */
struct action growth_widen(int layer, int units);
struct action growth_deepen(const struct policy_options *options, const struct arch *arch,
                            const struct growth_block *block, int layer, int kernel);

#endif
