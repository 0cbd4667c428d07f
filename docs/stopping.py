#!/usr/bin/env python3
"""What early stopping would have cost and saved in a search whose networks were all trained to the end.

    espalier show SESSION --curves | docs/stopping.py [RUNGS:CHANCE ...]

Networks are judged in their order by the rules of src/search/stopping.c, written anew from its opening comment: a rung
(RUNGS: 5 or 3,6 or nothing) lets the better half go on, and a network ends when its chance to become the best is below
CHANCE (0: never).  Policy random proposes the same whatever comes of it, and a curve doesn't depend on what is stopped
beside it, so for a search of its with one trainer the table is what the search with these options would have come to.
"""
import csv
import math
import sys

SHRINK, REFERENCES, VALIDATION = 0.001, 5, 5000


def read_curves(file):
    curves = {}
    for row in csv.DictReader(file):
        curves.setdefault(int(row["node"]), []).append(float(row["validation_accuracy"]))
    del curves[min(curves)]  # the start network
    epochs = max(len(curve) for curve in curves.values())
    return [curve for _, curve in sorted(curves.items()) if len(curve) == epochs], epochs


def chance_to_win(x, pairs, best):
    """Of a network with accuracy x at this epoch; pairs: those of the others at this epoch and at the end."""
    n = len(pairs)
    mean_x, mean_y = (sum(pair[i] for pair in pairs) / n for i in (0, 1))
    sxx = sum((a - mean_x) ** 2 for a, _ in pairs)
    slope = (sum((a - mean_x) * (b - mean_y) for a, b in pairs) + SHRINK) / (sxx + SHRINK)
    expected = min(1, max(0, mean_y + slope * (x - mean_x)))
    residual = sum((b - mean_y - slope * (a - mean_x)) ** 2 for a, b in pairs) / (n - 2)
    variance = max(residual, mean_y * (1 - mean_y) / VALIDATION) * (1 + 1 / n + (x - mean_x) ** 2 / (sxx + SHRINK))
    return 0.5 * math.erfc((best - expected) / math.sqrt(2 * variance * (n - 2) / (n - 4)))


def search(curves, epochs, rungs, chance):
    """Share of the epochs, the best accuracy, networks that were stopped, those of them that would have become the best."""
    whole, best, used, stopped, missed = [], 0, 0, 0, 0
    reached = [[] for _ in range(epochs)]
    for curve in curves:
        for epoch in range(1, epochs):
            x = curve[epoch - 1]
            reached[epoch].append(x)
            better = sum(other > x for other in reached[epoch])
            fails = epoch in rungs and better >= math.ceil(0.5 * len(reached[epoch]))
            if not fails and chance and len(whole) >= REFERENCES:
                fails = chance_to_win(x, [(other[epoch - 1], other[-1]) for other in whole], best) < chance
            if fails:
                used, stopped, missed = used + epoch, stopped + 1, missed + (curve[-1] > best)
                break
        else:
            used, best = used + epochs, max(best, curve[-1])
            whole.append(curve)
    return used / (epochs * len(curves)), best, stopped, missed


def correlation(curves, epoch):
    """Spearman's, of the accuracy after this epoch with that at the end."""
    def ranks(values):
        return [sum(b < a for b in values) + (sum(b == a for b in values) - 1) / 2 for a in values]
    x, y = ranks([curve[epoch - 1] for curve in curves]), ranks([curve[-1] for curve in curves])
    middle = (len(curves) - 1) / 2
    covariance = sum((a - middle) * (b - middle) for a, b in zip(x, y))
    return covariance / math.sqrt(sum((a - middle) ** 2 for a in x) * sum((b - middle) ** 2 for b in y))


curves, epochs = read_curves(sys.stdin)
print("%d networks, %d epochs each; rank correlation of the accuracy after an epoch with that at the end:"
      % (len(curves), epochs))
print("   ".join("%d: %.2f" % (epoch, correlation(curves, epoch)) for epoch in range(1, epochs)))
print("\nrungs  stop-hopeless  epochs trained     best  stopped  of them better than the best so far")
for rule in sys.argv[1:]:
    rungs, chance = rule.split(":")
    share, best, stopped, missed = search(curves, epochs, [int(n) for n in rungs.split(",") if n], float(chance))
    print("%-5s  %13s  %13.0f %%  %5.2f %%  %7d  %7d" % (rungs or "none", chance, 100 * share, 100 * best, stopped, missed))
