/*
 * comparison.h - how searches came along: networks grown, FLOPs spent, accuracy reached; those that differ in nothing but
 * their seed are one group.
 *
 * Values throughout, no I/O but comparison_load()'s; what is printed of them is comparison_print.h's.
 */
#ifndef ESPALIER_COMPARE_COMPARISON_H
#define ESPALIER_COMPARE_COMPARISON_H

#include "compare/statistics.h"
#include "search/options.h"
#include "sessions/state.h"

enum axis { AXIS_NETWORKS, AXIS_FLOPS, AXES };
enum measure { MEASURE_MEAN, MEASURE_BEST, MEASURES };

/* Where a search stood when one more grown network had its result.  The start network counts in `best` and in the
   FLOPs, not as a network.  Networks come in the order in which they joined the tree. */
struct point {
    int64_t node;
    double accuracy;          /* as measured */
    double expected;          /* the same, or of a network that was stopped early what it was predicted to reach */
    double at[AXES];          /* networks, this one included; FLOPs of training all that joined up to it */
    double measure[MEASURES]; /* mean of what is expected of the last `window` networks; the best accuracy so far */
};

struct run {
    char *name;            /* as the person typed it, without `.esp` */
    bool finished;         /* its budget is spent, or its space is exhausted */
    int point_count;
    struct point *points;
    double flops, seconds; /* of all its training; of the search, pauses included */
    int64_t best_parameters; /* 0: no network yet */
    struct session_state *state;
    struct search_options options;
};

struct group {
    char letter;           /* A, B, …: in tables and plots */
    char *label;           /* the policy, and what else tells it from groups of the same policy */
    int run_count;
    struct run **runs;     /* in the order of their seeds */
};

struct comparison {
    int window;            /* 0: all */
    int run_count;
    struct run *runs;      /* as typed */
    int group_count;
    struct group *groups;  /* in the order of their first session */
    bool one_data;         /* all trained and validated on the same images' files */
};
enum { GROUPS_MAX = 26 };

/* Load the sessions.  comparison_done() it, also after a failure. */
int comparison_load(char **names, int count, int window, struct comparison *comparison, struct error *error);
void comparison_done(struct comparison *comparison);

/* The run's last point that is not past `place`; NULL when it has none, or ended before `place`. */
const struct point *run_at(const struct run *run, enum axis axis, double place);
/* How far the run came. */
double run_reach(const struct run *run, enum axis axis);
/* Over the group's runs that came as far as `place`. */
struct spread group_at(const struct group *group, enum axis axis, double place, enum measure measure);

/* Another group against the first, where all runs of both have been: `place` 0 when one of them has nowhere been. */
struct duel {
    double place;
    bool paired; /* by seed: both have the same seeds, each once */
    struct test test;
};
struct duel duel_of(const struct group *first, const struct group *other, enum axis axis, enum measure measure);

#endif
