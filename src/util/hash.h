/*
 * hash.h - 128-bit hashes (XXH3-128 by libxxhash) that name architectures, weight files and data sets by their content.
 */
#ifndef ESPALIER_UTIL_HASH_H
#define ESPALIER_UTIL_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash {
    uint64_t high, low;
};
#define HASH_TEXT 33 /* 32 hexadecimal digits and the terminator */

struct hash hash_of(const void *bytes, size_t length);
bool hash_equal(struct hash a, struct hash b);
char *hash_print(struct hash hash, char buffer[HASH_TEXT]);
/* The hash that hash_print() wrote; zero for any other text. */
struct hash hash_scan(const char *text);

#endif
