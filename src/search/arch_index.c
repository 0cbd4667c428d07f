/* arch_index.c - open addressing, linear probing. */
#include "search/arch_index.h"

#include <stdlib.h>

#include "util/bug.h"
#include "util/memory.h"

/* Where the hash is, or where it would go. */
static struct arch_index_entry *find_entry(const struct arch_index *index, struct hash hash)
{
    size_t place = hash.low & (index->capacity - 1);
    while (index->entries[place].node && !hash_equal(index->entries[place].hash, hash))
        place = (place + 1) & (index->capacity - 1);
    return &index->entries[place];
}

static void grow(struct arch_index *index)
{
    struct arch_index old = *index;
    index->capacity = old.capacity ? 2 * old.capacity : 64;
    index->entries = memory_new(index->capacity, sizeof *index->entries);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].node)
            *find_entry(index, old.entries[i].hash) = old.entries[i];
    free(old.entries);
}

void arch_index_put(struct arch_index *index, struct hash hash, int64_t node)
{
    ASSERT(node > 0);
    if (2 * ((size_t)index->count + 1) > index->capacity)
        grow(index);
    struct arch_index_entry *entry = find_entry(index, hash);
    index->count += !entry->node;
    *entry = (struct arch_index_entry){hash, node};
}

int64_t arch_index_find(const struct arch_index *index, struct hash hash)
{
    return index->capacity ? find_entry(index, hash)->node : 0;
}

void arch_index_done(struct arch_index *index)
{
    free(index->entries);
    *index = (struct arch_index){0};
}
