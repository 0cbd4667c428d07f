/*
 * statistics.h - means, standard deviations, and exact permutation tests for the few seeds that a search is run with.
 *
 * Pure functions.  The values are shares, from 0 to 1.
 */
#ifndef ESPALIER_COMPARE_STATISTICS_H
#define ESPALIER_COMPARE_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

/* NaN: the mean of no values, the sample standard deviation of fewer than two. */
struct sample_stats {
    int count;
    double mean, deviation;
};
struct sample_stats sample_stats_of(const double *values, int count);

/* The most values, both samples together, of an exact test: 2^24 cases take a second. */
enum { PERMUTATION_VALUES_MAX = 24 };

/*
 * How the mean of `b` differs from that of `a`.
 *
 * p is two-sided: the share of cases in which the difference is at least as large as the observed one.  Under the null
 * hypothesis all cases are equally likely.  They are all ways to divide the values between the two samples (unpaired), or
 * all signs of the pairs' differences (paired).  p is at least 1/cases, and by symmetry at least 2/cases when the samples
 * have the same size.
 *
 * With fewer than two values a sample, p and the standard error are NaN.  With too many for an exact test, p is NaN.
 */
struct permutation_test {
    double difference, standard_error, p;
    int64_t cases;
};
struct permutation_test permutation_test_unpaired(const double *a, int a_count, const double *b, int b_count);
struct permutation_test permutation_test_paired(const double *a, const double *b, int count);

#endif
