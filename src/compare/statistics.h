/*
 * statistics.h - means, their spread, and exact tests for the few seeds that a search is run with.
 *
 * Functions of const values: of shares, from 0 to 1.
 */
#ifndef ESPALIER_COMPARE_STATISTICS_H
#define ESPALIER_COMPARE_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

/* Mean and sample standard deviation: NaN of no value, and the deviation of one. */
struct spread {
    int count;
    double mean, deviation;
};
struct spread spread_of(const double *values, int count);

/* Values in both samples together that an exact test goes through: 2^24 cases, a second. */
enum { TEST_VALUES_MAX = 24 };

/*
 * How `b` differs from `a`, in the mean.  p is two-sided: the share of the equally likely cases in which the difference
 * is at least as large as the one seen, were there no difference.  Cases are all ways to share the values out among
 * the two samples (unpaired), or all signs of the pairs' differences (paired).  p can't be below 1/cases, nor, by
 * symmetry, below 2/cases when the samples are of one size.  NaN: p of fewer than two values a sample or of too many
 * for an exact test; the standard error likewise, but for the latter.
 */
struct test {
    double difference, standard_error, p;
    int64_t cases;
};
struct test test_unpaired(const double *a, int a_count, const double *b, int b_count);
struct test test_paired(const double *a, const double *b, int count);

#endif
