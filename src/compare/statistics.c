/*
 * statistics.c - exact permutation tests (Fisher 1935; Pitman 1937), which count every case.
 *
 * A case is a set of bits: the values that belong to sample b, or the pairs whose difference changes its sign.  A case
 * that differs from the observed difference by rounding alone counts as equal.
 */
#include "compare/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

struct sample_stats sample_stats_of(const double *values, int count)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    struct sample_stats stats = {count, count ? sum / count : NAN, NAN};
    for (int i = 0; i < count; i++)
        squares += (values[i] - stats.mean) * (values[i] - stats.mean);
    if (count > 1)
        stats.deviation = sqrt(squares / (count - 1));
    return stats;
}

/* Is it at least as large as the observed one, but for rounding?  Values are at most 1. */
static bool reaches(double difference, double observed)
{
    return fabs(difference) >= fabs(observed) - 1e-12;
}

/* The next larger number with as many bits set (Gosper). */
static uint32_t next_choice(uint32_t bits)
{
    uint32_t lowest = bits & -bits, ripple = bits + lowest;
    return ripple | ((bits ^ ripple) >> 2) / lowest;
}

struct permutation_test permutation_test_unpaired(const double *a, int a_count, const double *b, int b_count)
{
    struct sample_stats of_a = sample_stats_of(a, a_count), of_b = sample_stats_of(b, b_count);
    int count = a_count + b_count;
    struct permutation_test test = {.difference = of_b.mean - of_a.mean, .standard_error = NAN, .p = NAN};
    if (a_count < 2 || b_count < 2)
        return test;
    test.standard_error = sqrt(of_a.deviation * of_a.deviation / a_count + of_b.deviation * of_b.deviation / b_count);
    if (count > PERMUTATION_VALUES_MAX)
        return test;
    double values[PERMUTATION_VALUES_MAX], sum = 0;
    int64_t reached = 0;
    for (int i = 0; i < count; i++)
        sum += values[i] = i < a_count ? a[i] : b[i - a_count];
    for (uint32_t bits = ((uint32_t)1 << b_count) - 1; bits < (uint32_t)1 << count; bits = next_choice(bits)) {
        double chosen = 0;
        for (int i = 0; i < count; i++)
            if (bits >> i & 1)
                chosen += values[i];
        reached += reaches(chosen / b_count - (sum - chosen) / a_count, test.difference);
        test.cases++;
    }
    test.p = (double)reached / (double)test.cases;
    return test;
}

struct permutation_test permutation_test_paired(const double *a, const double *b, int count)
{
    double *differences = memory_new((size_t)count, sizeof *differences);
    for (int i = 0; i < count; i++)
        differences[i] = b[i] - a[i];
    struct sample_stats stats = sample_stats_of(differences, count);
    struct permutation_test test = {
        .difference = stats.mean, .standard_error = stats.deviation / sqrt(count), .p = NAN};
    if (count >= 2 && count <= PERMUTATION_VALUES_MAX)
        test.cases = (int64_t)1 << count;
    int64_t reached = 0;
    for (int64_t signs = 0; signs < test.cases; signs++) {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += signs >> i & 1 ? -differences[i] : differences[i];
        reached += reaches(sum / count, test.difference);
    }
    if (test.cases)
        test.p = (double)reached / (double)test.cases;
    free(differences);
    return test;
}
