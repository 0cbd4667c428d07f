/*
 * memory.h - host allocation that never returns NULL.
 *
 * Without memory the program prints a line on stderr and aborts.  Whoever reads a size from a file must check it first.
 */
#ifndef ESPALIER_UTIL_MEMORY_H
#define ESPALIER_UTIL_MEMORY_H

#include <stddef.h>

/* `count` elements of `size` bytes (at least one byte), zeroed; free() them. */
void *memory_new(size_t count, size_t size);
/* As realloc(); new bytes are not cleared. */
void *memory_resize(void *old, size_t count, size_t size);
char *memory_copy_text(const char *text);
/* Zeroed and aligned to 64 bytes (a cache line, an AVX-512 vector); free() it. */
void *memory_new_aligned(size_t bytes);

/* A growing array with room for one more element: `items` has `count` elements of `*capacity`.  Return its new place. */
void *memory_grow(void *items, size_t count, size_t *capacity, size_t size);

#endif
