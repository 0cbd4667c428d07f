/* sort.h - sorting what is almost in order.  Pure. */
#ifndef ESPALIER_UTIL_SORT_H
#define ESPALIER_UTIL_SORT_H

#include <stddef.h>

/* As qsort(); of rows of which few are out of place it takes one move for each row that these pass. */
void sort_nearly(void *rows, size_t count, size_t size, int (*compare)(const void *left, const void *right));

#endif
