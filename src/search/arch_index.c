/*
 * pool.c - the networks of a session by the hash of their architecture: open addressing, linear probing.
 *
 * Never forgets: a failed or pruned network is known too, and no policy's proposal makes it again.  A person's
 * may, when it never had a result: the new node then takes the old one's place.
 */
#include <stdlib.h>

#include "search/internal.h"
#include "util/bug.h"
#include "util/memory.h"

/* Where the hash is, or where it would go. */
static struct pool_entry *pool_place(const struct pool *pool, struct hash hash)
{
    size_t place = hash.low & (pool->capacity - 1);
    while (pool->entries[place].node && !hash_equal(pool->entries[place].hash, hash))
        place = (place + 1) & (pool->capacity - 1);
    return &pool->entries[place];
}

static void pool_grow(struct pool *pool)
{
    struct pool old = *pool;
    pool->capacity = old.capacity ? 2 * old.capacity : 64;
    pool->entries = memory_new(pool->capacity, sizeof *pool->entries);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].node)
            *pool_place(pool, old.entries[i].hash) = old.entries[i];
    free(old.entries);
}

void pool_put(struct pool *pool, struct hash hash, int64_t node)
{
    ASSERT(node > 0);
    if (2 * ((size_t)pool->count + 1) > pool->capacity)
        pool_grow(pool);
    struct pool_entry *entry = pool_place(pool, hash);
    pool->count += !entry->node;
    *entry = (struct pool_entry){hash, node};
}

int64_t pool_find(const struct pool *pool, struct hash hash)
{
    return pool->capacity ? pool_place(pool, hash)->node : 0;
}

void pool_done(struct pool *pool)
{
    free(pool->entries);
    *pool = (struct pool){0};
}
