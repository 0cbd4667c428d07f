/*
 * statistics.c - exact permutation tests (Fisher 1935; Pitman 1937), every case counted.
 *
 * A case is a set of bits: which values belong to sample b, or which pairs' differences change their sign.  Cases that
 * differ from what was seen by rounding alone count as equal to it.
 */
#include "compare/statistics.h"

#include <math.h>
#include <stdlib.h>

#include "util/memory.h"

struct spread spread_of(const double *values, int count)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    struct spread spread = {count, count ? sum / count : NAN, NAN};
    for (int i = 0; i < count; i++)
        squares += (values[i] - spread.mean) * (values[i] - spread.mean);
    if (count > 1)
        spread.deviation = sqrt(squares / (count - 1));
    return spread;
}

/* Is it at least as large as what was seen, but for rounding?  Values are accuracies, at most 1. */
static bool reaches(double difference, double seen)
{
    return fabs(difference) >= fabs(seen) - 1e-12;
}

/* The next larger number with as many bits set (Gosper). */
static uint32_t next_choice(uint32_t bits)
{
    uint32_t lowest = bits & -bits, ripple = bits + lowest;
    return ripple | ((bits ^ ripple) >> 2) / lowest;
}

struct test test_unpaired(const double *a, int a_count, const double *b, int b_count)
{
    struct spread of_a = spread_of(a, a_count), of_b = spread_of(b, b_count);
    int count = a_count + b_count;
    struct test test = {.difference = of_b.mean - of_a.mean, .standard_error = NAN, .p = NAN};
    if (a_count < 2 || b_count < 2)
        return test;
    test.standard_error = sqrt(of_a.deviation * of_a.deviation / a_count + of_b.deviation * of_b.deviation / b_count);
    if (count > TEST_VALUES_MAX)
        return test;
    double values[TEST_VALUES_MAX], sum = 0;
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

struct test test_paired(const double *a, const double *b, int count)
{
    double *differences = memory_new((size_t)count, sizeof *differences);
    for (int i = 0; i < count; i++)
        differences[i] = b[i] - a[i];
    struct spread spread = spread_of(differences, count);
    struct test test = {.difference = spread.mean, .standard_error = spread.deviation / sqrt(count), .p = NAN};
    if (count >= 2 && count <= TEST_VALUES_MAX)
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
