/*
 * comparison.h - sessions as runs, in groups that differ in nothing but their seed, with the accuracy of each run against
 * the networks that it grew and the FLOPs that it spent.
 *
 * Only comparison_load() reads files.  comparison_print.h prints a comparison.
 */
#ifndef ESPALIER_COMPARE_COMPARISON_H
#define ESPALIER_COMPARE_COMPARISON_H

#include "compare/statistics.h"
#include "search/options.h"
#include "sessions/state.h"

enum axis { AXIS_NETWORKS, AXIS_FLOPS, AXES };
enum measure { MEASURE_MEAN, MEASURE_BEST, MEASURES };

/* The state of a run when one more grown network has its result.  The start network, controls and a baseline count for
   the best accuracy and for the FLOPs, not as networks.  Networks come in the order in which they joined the tree. */
struct point {
    int64_t node;
    double accuracy;          /* measured */
    double expected;          /* the same, or the prediction for a network that was stopped early */
    double at[AXES];          /* networks so far, and the FLOPs of their training; this one included */
    double measure[MEASURES]; /* mean of the last `window` expected accuracies; the best accuracy so far */
};

struct run {
    char *name;            /* as the person typed it, without `.esp` */
    bool finished;         /* its budget was spent, or its space exhausted */
    int point_count;
    struct point *points;
    double flops, seconds; /* of all its training; of the search, with its pauses */
    int64_t best_parameters; /* 0: no network yet */
    struct session_state *state;
    struct search_options options;
};

struct group {
    char letter;           /* A, B, …: in tables and plots */
    char *label;           /* the policy, and the options that distinguish it from groups of the same policy */
    int run_count;
    struct run **runs;     /* in the order of their seeds */
};

struct comparison {
    int window;            /* 0: all */
    int run_count;
    struct run *runs;      /* as typed */
    int group_count;
    struct group *groups;  /* in the order of their first session */
    bool same_data;         /* all runs have the same training and validation images */
};
enum { GROUPS_MAX = 26 };

/* Load the sessions.  comparison_done() it, also after a failure. */
int comparison_load(char **names, int count, int window, struct comparison *comparison, struct error *error);
void comparison_done(struct comparison *comparison);

/* The run's last point up to `place`; NULL when there is none, or the run ended before `place`. */
const struct point *run_at(const struct run *run, enum axis axis, double place);
/* The end of the run on that axis. */
double run_reach(const struct run *run, enum axis axis);
/* Statistics of the runs of the group that reach `place`. */
struct sample_stats group_at(const struct group *group, enum axis axis, double place, enum measure measure);

/* Another group against the first, at the last place that all their runs reach; `place` 0: there is none. */
struct group_test {
    double place;
    bool paired; /* both have the same seeds, each once */
    struct permutation_test test;
};
struct group_test group_test_of(const struct group *first, const struct group *other, enum axis axis, enum measure measure);

#endif
