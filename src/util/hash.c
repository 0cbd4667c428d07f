/* hash.c - XXH3-128 with its default seed gives the same hash on every machine. */
#include "util/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

struct hash hash_of(const void *bytes, size_t length)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, length);
    return (struct hash){.high = hash.high64, .low = hash.low64};
}

bool hash_equal(struct hash a, struct hash b)
{
    return a.high == b.high && a.low == b.low;
}

char *hash_print(struct hash hash, char buffer[HASH_TEXT])
{
    snprintf(buffer, HASH_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
    return buffer;
}

struct hash hash_scan(const char *text)
{
    struct hash hash;
    return sscanf(text, "%16" SCNx64 "%16" SCNx64, &hash.high, &hash.low) == 2 ? hash : (struct hash){0};
}
