/* comparison_print.c - tables and plots, in which a letter stands for a group, so that columns stay narrow. */
#include "compare/comparison_print.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/plot.h"
#include "util/print.h"

static const char *const axis_names[AXES] = {"networks", "FLOPs"};
static const char *const measure_names[MEASURES] = {"mean", "best"};

static void print_run(FILE *out, const struct run *run, int width)
{
    const struct point *last = run->point_count ? &run->points[run->point_count - 1] : NULL;
    char duration[TEXT_SHORT], work[TEXT_SHORT], parameters[TEXT_SHORT] = "";
    print_to(out, "%-*s %-12s %4lld %5d ", width, run->name, run->options.policy, (long long)run->options.seed,
             run->point_count);
    for (int measure = 0; measure < MEASURES; measure++)
        if (last)
            print_to(out, " %6.2f %%", 100 * last->measure[measure]);
        else
            print_to(out, " %8s", "");
    print_to(out, " %7s %7s %7s%s\n", run->best_parameters ? text_count(parameters, (double)run->best_parameters) : "",
             text_count(work, run->flops), text_duration(duration, run->seconds), run->finished ? "" : "  unfinished");
}

static const char *plus_minus(bool unicode)
{
    return unicode ? "±" : "+-";
}

/* A sign and a number in `width` columns, or blanks when the number is unknown. */
static void print_error(FILE *out, double error, int width, bool unicode)
{
    if (isnan(error))
        print_to(out, "%*s", width, "");
    else
        print_to(out, "%s%*.2f", plus_minus(unicode), width - (unicode ? 1 : 2), 100 * error);
}

static void print_test(FILE *out, const struct permutation_test *test, bool unicode)
{
    print_to(out, " %+7.2f ", 100 * test->difference);
    print_error(out, test->standard_error, 7, unicode);
    if (isnan(test->p))
        print_to(out, "      -");
    else
        print_to(out, "  %5.3f", test->p);
}

/* The kind of test, and the smallest p that it can have. */
static void print_kind(FILE *out, const struct group *first, const struct group *other,
                       const struct group_test *group_test)
{
    if (first->run_count < 2 || other->run_count < 2) {
        print_to(out, "  one seed: no test\n");
    } else if (!group_test->test.cases) {
        print_to(out, "  more than %d sessions: no test\n", PERMUTATION_VALUES_MAX);
    } else {
        int least = first->run_count == other->run_count ? 2 : 1;
        print_to(out, "  %s, least %.3f\n", group_test->paired ? "paired" : "unpaired",
                 least / (double)group_test->test.cases);
    }
}

static void print_group_test(FILE *out, const struct group *first, const struct group *other, enum axis axis,
                             bool unicode)
{
    struct group_test tests[MEASURES];
    for (int measure = 0; measure < MEASURES; measure++)
        tests[measure] = group_test_of(first, other, axis, measure);
    char place[TEXT_SHORT];
    print_to(out, "%c  ", other->letter);
    if (!tests[0].place) {
        print_to(out, "no number of %s that all sessions have reached\n", axis_names[axis]);
        return;
    }
    print_to(out, "%6s %-8s", text_count(place, tests[0].place), axis_names[axis]);
    for (int measure = 0; measure < MEASURES; measure++)
        print_test(out, &tests[measure].test, unicode);
    print_kind(out, first, other, &tests[0]);
}

static void print_tests(FILE *out, const struct comparison *comparison, bool unicode)
{
    const struct group *groups = comparison->groups;
    if (!comparison->same_data) {
        print_to(out, "the sessions were not trained on the same images: their accuracies can't be compared\n");
        return;
    }
    print_to(out, "\n%-18s %15s %6s %15s %6s  in points, %s standard error\n", "against A, after", "mean", "p", "best",
             "p", plus_minus(unicode));
    for (int i = 1; i < comparison->group_count; i++)
        for (int axis = 0; axis < AXES; axis++)
            print_group_test(out, &groups[0], &groups[i], axis, unicode);
    print_to(out, "p: exact permutation test over the seeds, two-sided\n");
}

void comparison_print(FILE *out, const struct comparison *comparison, bool unicode)
{
    size_t width = 22; /* of the column of the sessions' names */
    for (int i = 0; i < comparison->run_count; i++)
        width = strlen(comparison->runs[i].name) > width ? strlen(comparison->runs[i].name) : width;
    print_to(out, "%-*s %-12s %4s %5s  %8s %8s %7s %7s %7s\n", (int)width, "session", "policy", "seed", "nets", "mean",
             "best", "params", "FLOPs", "time");
    for (int i = 0; i < comparison->run_count; i++)
        print_run(out, &comparison->runs[i], (int)width);
    char window[32] = "all";
    if (comparison->window)
        snprintf(window, sizeof window, "the last %d", comparison->window);
    print_to(out,
             "nets: grown from the start network and trained; mean: of the accuracies of %s; best: of all so far\n",
             window);
    if (comparison->run_count < 2)
        return;
    print_to(out, "\n");
    for (int i = 0; i < comparison->group_count; i++) {
        const struct group *group = &comparison->groups[i];
        print_to(out, "%c  %s, seed%s", group->letter, group->label, group->run_count > 1 ? "s" : "");
        for (int k = 0; k < group->run_count; k++)
            print_to(out, " %lld", (long long)group->runs[k]->options.seed);
        print_to(out, "\n");
    }
    if (comparison->group_count > 1)
        print_tests(out, comparison, unicode);
}

static double reach_of(const struct comparison *comparison, enum axis axis)
{
    double reach = 0;
    for (int i = 0; i < comparison->run_count; i++)
        reach = fmax(reach, run_reach(&comparison->runs[i], axis));
    return reach;
}

/* A round step of which at most ten fit into `reach`. */
static double step_of(double reach)
{
    static const double round[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(reach / 10)));
    for (size_t i = 0; i < sizeof round / sizeof *round; i++)
        if (reach <= 10 * round[i] * power * (1 + 1e-9))
            return round[i] * power;
    return reach;
}

enum { CELL = 18 }; /* columns of a table */

static void print_curve_row(FILE *out, const struct comparison *comparison, enum axis axis, enum measure measure,
                            double place, bool unicode)
{
    char text[TEXT_SHORT];
    int blank = 0; /* columns of empty cells, printed only before another cell */
    print_to(out, "%8s", text_count(text, place));
    for (int i = 0; i < comparison->group_count; i++) {
        struct sample_stats stats = group_at(&comparison->groups[i], axis, place, measure);
        if (!stats.count) {
            blank += CELL;
            continue;
        }
        print_to(out, "%*s", blank, "");
        print_to(out, "  %6.2f ", 100 * stats.mean);
        print_error(out, stats.deviation, 7, unicode);
        print_to(out, " %d", stats.count);
        blank = 0;
    }
    print_to(out, "\n");
}

static void print_curve(FILE *out, const struct comparison *comparison, enum axis axis, enum measure measure,
                        bool unicode)
{
    double reach = reach_of(comparison, axis), step = fmax(step_of(reach), axis == AXIS_NETWORKS);
    print_to(out, "\n%-8s", axis_names[axis]);
    for (int i = 0; i < comparison->group_count; i++)
        print_to(out, "%*s%c %s", i ? CELL - 6 : 2, "", comparison->groups[i].letter, measure_names[measure]);
    print_to(out, "\n");
    for (int i = 1; i * step < reach * (1 - 1e-9); i++)
        print_curve_row(out, comparison, axis, measure, i * step, unicode);
    print_curve_row(out, comparison, axis, measure, reach, unicode);
}

void comparison_print_curves(FILE *out, const struct comparison *comparison, bool unicode)
{
    print_to(out, "\naccuracy in %%, mean %s standard deviation over the sessions that came so far, and how many did\n",
             plus_minus(unicode));
    for (int axis = 0; axis < AXES; axis++)
        for (int measure = 0; reach_of(comparison, axis) > 0 && measure < MEASURES; measure++)
            print_curve(out, comparison, axis, measure, unicode);
}

struct curve {
    const struct group *group;
    enum axis axis;
    enum measure measure;
};

static double curve_value(const void *context, double place)
{
    const struct curve *curve = context;
    return group_at(curve->group, curve->axis, place, curve->measure).mean;
}

static void print_plot(FILE *out, const struct comparison *comparison, enum axis axis, enum measure measure,
                       bool unicode)
{
    struct curve curves[GROUPS_MAX];
    struct plot_line lines[GROUPS_MAX];
    for (int i = 0; i < comparison->group_count; i++) {
        curves[i] = (struct curve){&comparison->groups[i], axis, measure};
        lines[i] = (struct plot_line){comparison->groups[i].letter, curve_value, &curves[i]};
    }
    print_to(out, "\n%s accuracy against %s\n", measure_names[measure], axis_names[axis]);
    plot_lines(out, lines, comparison->group_count, reach_of(comparison, axis), axis_names[axis], unicode);
}

void comparison_print_plots(FILE *out, const struct comparison *comparison, bool unicode)
{
    for (int axis = 0; axis < AXES; axis++)
        for (int measure = 0; reach_of(comparison, axis) > 0 && measure < MEASURES; measure++)
            print_plot(out, comparison, axis, measure, unicode);
}
