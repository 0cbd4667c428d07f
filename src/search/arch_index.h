/*
 * arch_index.h - the networks of a session by their architecture.
 *
 * It forgets none: a failed or pruned network is known too, and no policy makes it again.  A person may, when it has no
 * result: the new network then takes its place.
 */
#ifndef ESPALIER_SEARCH_ARCH_INDEX_H
#define ESPALIER_SEARCH_ARCH_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "util/hash.h"

struct arch_index_entry {
    struct hash hash;
    int64_t node; /* 0: empty */
};
struct arch_index {
    int64_t count;
    size_t capacity; /* a power of two, at least twice the count; 0 before the first */
    struct arch_index_entry *entries;
};
void arch_index_put(struct arch_index *index, struct hash hash, int64_t node); /* replaces the one that is there */
int64_t arch_index_find(const struct arch_index *index, struct hash hash);     /* 0: unknown */
void arch_index_done(struct arch_index *index);

#endif
