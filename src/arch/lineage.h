/* lineage.h - the edge between two networks of a tree: in words, "W conv2 32→48, D conv1 +3×3", and layer by layer. */
#ifndef ESPALIER_ARCH_LINEAGE_H
#define ESPALIER_ARCH_LINEAGE_H

#include <stdbool.h>

#include "arch/action.h"
#include "util/text.h"

enum layer_change { LAYER_CHANGE_NONE, LAYER_CHANGE_WIDER, LAYER_CHANGE_NARROWER, LAYER_CHANGE_NEW };

/* What the actions of an edge do to each layer of the architecture that they have led to so far; all zero: no action.
   Units of a layer that is wider or narrower, as they were before. */
struct lineage {
    enum layer_change change[ARCH_LAYERS_MAX];
    int before[ARCH_LAYERS_MAX];
};

/* Apply one more action to `arch`, and note what it does.  -1: it can't be applied. */
int lineage_follow(struct lineage *lineage, struct arch *arch, const struct action *action);

/* Add all actions of an edge, each in terms of the architecture that those before it made.  Texts are those of a
   session (arch and action notation); one that can't be read is added as it stands. */
void lineage_show(const char *parent_arch, char *const *actions, int count, bool unicode, struct text *text);

#endif
