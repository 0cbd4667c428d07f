/* sort.c - insertion, which gives up for qsort() when it has moved too many rows. */
#include "util/sort.h"

#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

void sort_nearly(void *rows, size_t count, size_t size, int (*compare)(const void *left, const void *right))
{
    char *first = rows, *row = memory_new(1, size);
    size_t moves = 8 * count + 64;
    for (size_t i = 1; i < count && moves; i++) {
        size_t at = i;
        if (compare(first + i * size, first + (i - 1) * size) >= 0)
            continue;
        memcpy(row, first + i * size, size);
        while (at && moves && compare(row, first + (at - 1) * size) < 0) {
            at--;
            moves--;
        }
        memmove(first + (at + 1) * size, first + at * size, (i - at) * size);
        memcpy(first + at * size, row, size);
    }
    if (!moves)
        qsort(rows, count, size, compare);
    free(row);
}
