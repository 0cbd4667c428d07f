/*
 * memory.h - host allocation that never returns NULL: without memory the program aborts with a line
 * on stderr.  Sizes that come from a file must be checked by the reader before they get here.
 */
#ifndef ESPALIER_UTIL_MEMORY_H
#define ESPALIER_UTIL_MEMORY_H

#include <stddef.h>

/* Zeroed room for `count` elements of `size` bytes (at least one byte); free() it. */
void *memory_new(size_t count, size_t size);
/* As realloc(); new bytes are not cleared. */
void *memory_resize(void *old, size_t count, size_t size);
char *memory_copy_text(const char *text);
/* Zeroed and aligned to 64 bytes (a cache line, an AVX-512 vector); free() it. */
void *memory_new_aligned(size_t bytes);

/* Make room for one more element in a growing array: `items` has `count` used of `*capacity`. */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size);

#endif
