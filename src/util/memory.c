/* memory.c - the only place that aborts when the host has no memory left. */
#include "util/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *pointer, size_t bytes)
{
    if (!pointer) {
        fprintf(stderr, "espalier: out of memory (%zu bytes more were needed)\n", bytes);
        abort();
    }
    return pointer;
}

void *memory_new(size_t count, size_t size)
{
    if (!count || !size)
        count = size = 1;
    return checked(calloc(count, size), count * size);
}

void *memory_resize(void *old, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return checked(NULL, SIZE_MAX);
    size_t bytes = count * size;
    return checked(realloc(old, bytes ? bytes : 1), bytes);
}

char *memory_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory_new(size, 1), text, size);
}

void *memory_new_aligned(size_t bytes)
{
    if (bytes > SIZE_MAX - 64)
        return checked(NULL, bytes);
    size_t whole = (bytes + 63) / 64 * 64;
    if (!whole)
        whole = 64;
    return memset(checked(aligned_alloc(64, whole), whole), 0, whole);
}

void *memory_grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 8;
    return memory_resize(items, *capacity, size);
}
