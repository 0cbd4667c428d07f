/*
 * place.h - a share as a place: no real number becomes an index before it is known to be within its range.
 */
#ifndef ESPALIER_UTIL_PLACE_H
#define ESPALIER_UTIL_PLACE_H

#include <math.h>

/* The nearest of the places 0 to `last` to a share from 0 to 1.  A share outside, or NaN, is at an end: NaN at 0. */
static inline int place_of(double share, int last)
{
    return share > 0 ? (int)lround((share < 1 ? share : 1) * last) : 0;
}

#endif
