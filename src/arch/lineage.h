/* lineage.h - the edge between two networks of a tree, in words: "W conv2 32→48, D conv1 +3×3". */
#ifndef ESPALIER_ARCH_LINEAGE_H
#define ESPALIER_ARCH_LINEAGE_H

#include <stdbool.h>

#include "util/text.h"

/* Add all actions of an edge, each in terms of the architecture that those before it made.  Texts are those of a
   session (arch and action notation); one that can't be read is added as it stands. */
void lineage_show(const char *parent_arch, char *const *actions, int count, bool unicode, struct text *text);

#endif
