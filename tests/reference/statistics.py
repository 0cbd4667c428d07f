#!/usr/bin/env python3
"""Exact permutation tests by SciPy (pip install scipy), as test_comparison.c expects them of src/compare/statistics.c.

    statistics.py > statistics.txt

A line: paired or unpaired, how many values a sample, the values of a and of b, difference of the means b - a, its
standard error, p.  The statistic is the absolute difference, so that p is the share of cases at least as far from 0.
"""
import math

import numpy
from scipy import stats

CASES = [
    ("unpaired", [0.71, 0.74, 0.72], [0.75, 0.78, 0.77]),
    ("unpaired", [0.71, 0.74, 0.72], [0.73, 0.70, 0.76]),
    ("unpaired", [0.5, 0.5, 0.6, 0.7], [0.5, 0.6]),
    ("unpaired", [0.61, 0.62, 0.6, 0.66, 0.63], [0.67, 0.64, 0.69, 0.65, 0.7, 0.71]),
    ("unpaired", [0.4, 0.4, 0.4], [0.4, 0.4, 0.4]),
    ("paired", [0.71, 0.74, 0.72], [0.75, 0.78, 0.77]),
    ("paired", [0.71, 0.74, 0.72], [0.73, 0.70, 0.76]),
    ("paired", [0.5, 0.52, 0.61, 0.58, 0.49], [0.53, 0.52, 0.66, 0.57, 0.55]),
    ("paired", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], [0.13, 0.21, 0.28, 0.47, 0.54, 0.6, 0.76, 0.79, 0.98, 1.02]),
]


def distance(a, b, axis):
    return numpy.abs(numpy.mean(b, axis) - numpy.mean(a, axis))


for kind, a, b in CASES:
    result = stats.permutation_test((a, b), distance, vectorized=True, n_resamples=numpy.inf, alternative="greater",
                                    permutation_type="samples" if kind == "paired" else "independent")
    if kind == "paired":
        error = stats.sem(numpy.array(b) - a)
    else:
        error = math.hypot(stats.sem(a), stats.sem(b))
    words = [kind, len(a), len(b), *a, *b, f"{numpy.mean(b) - numpy.mean(a):.12g}", f"{error:.12g}", f"{result.pvalue:.12g}"]
    print(*words)
