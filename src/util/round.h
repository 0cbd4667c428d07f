/*
 * round.h - from a number of a log to an index.  A log may have any number, NaN and infinities too, and converting one
 * that the integer type doesn't hold is undefined.  Pure.
 */
#ifndef ESPALIER_UTIL_ROUND_H
#define ESPALIER_UTIL_ROUND_H

#include <math.h>

/* `value` rounded, but at least `least` and at most `most`; NaN gives `least`. */
static inline int round_within(double value, int least, int most)
{
    return !(value > least) ? least : value >= most ? most : (int)lround(value);
}

#endif
