/*
 * test_comparison.c - searches side by side: scripted sessions and the tables that must come of them, worked out by
 * hand; permutation tests against SciPy's values (reference/statistics.py).
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "compare/comparison_print.h"
#include "compare/plot.h"
#include "log_bed.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

/* --- scripted sessions: node k + 1 is the kth network grown from the start network, two epochs each --- */

enum { EPOCHS = 2, IMAGES = 10, NETWORKS_MAX = 12, START_FLOPS = 100 };
static const double predicted_more = 0.2;

struct script {
    const char *name, *policy, *more; /* one more option, or NULL; with parent=race node 2 is a control */
    int seed;
    const char *data_hash;
    int flops;                       /* of network k: k times this */
    double accuracies[NETWORKS_MAX]; /* of the grown ones, up to a 0; negative: fails after one epoch;
                                        over 1: less 1, stopped early with predicted_more more in view */
    bool finished;
};

static void append(struct log_writer *writer, struct event event)
{
    OK(log_append(writer, &event, &error));
}

static void train_node(struct log_writer *writer, int node, double accuracy)
{
    struct event event = {.kind = EVENT_STARTED};
    event.as.started.node = node;
    event.as.started.attempt = 1;
    event.as.started.epochs = EPOCHS;
    append(writer, event);
    for (int epoch = 1; epoch <= (accuracy < 0 ? 1 : EPOCHS); epoch++) {
        event = (struct event){.kind = EVENT_EPOCH};
        event.as.epoch.node = node;
        event.as.epoch.epoch = epoch;
        event.as.epoch.epochs = EPOCHS;
        append(writer, event);
    }
    if (accuracy < 0) {
        event = (struct event){.kind = EVENT_FAILED};
        event.as.failed.node = node;
        event.as.failed.attempt = 1;
        event.as.failed.reason.value = FAILURE_DIVERGED;
    } else {
        event = (struct event){.kind = EVENT_RESULT};
        event.as.result.node = node;
        event.as.result.accuracy = accuracy > 1 ? accuracy - 1 : accuracy;
        event.as.result.stopped = accuracy > 1 ? "rung 1" : NULL;
        event.as.result.predicted = accuracy > 1 ? accuracy - 1 + predicted_more : 0;
        event.as.result.epochs = EPOCHS;
        event.as.result.weights = "w";
        event.as.result.weights_hash = "h";
    }
    append(writer, event);
}

static void add_node(struct log_writer *writer, int node, int flops, double accuracy, bool control)
{
    struct event event = {.kind = EVENT_NODE};
    char arch[32];
    snprintf(arch, sizeof arch, "FC(%d) SM(10)", 8 * node);
    event.as.node.node = node;
    event.as.node.parent = node > 1;
    event.as.node.by = node > 1 ? (struct event_word){.other = "random"} : (struct event_word){.value = AUTHOR_START};
    if (control)
        event.as.node.by = (struct event_word){.value = AUTHOR_CONTROL};
    event.as.node.arch = arch;
    event.as.node.parameters = 1000 * node;
    event.as.node.flops = flops;
    append(writer, event);
    train_node(writer, node, accuracy);
}

static void put_session(const char *folder, const struct script *script)
{
    char policy[64], seed[64], data[64], *path = file_join(folder, script->name);
    struct log_writer *writer;
    OK(log_create(path, &writer, &error));
    snprintf(policy, sizeof policy, "policy=%s", script->policy);
    snprintf(seed, sizeof seed, "seed=%d", script->seed);
    snprintf(data, sizeof data, "data=cifar10:/of/%s", script->name);
    char *options[] = {policy, seed, data, (char *)script->more};
    struct event event = {.kind = EVENT_SESSION};
    event.as.session.format = 1;
    event.as.session.seed = script->seed;
    event.as.session.options = (struct event_texts){script->more ? 4 : 3, options};
    event.as.session.data_hash = (char *)(script->data_hash ? script->data_hash : "d");
    event.as.session.train_images = IMAGES;
    append(writer, event);
    add_node(writer, 1, START_FLOPS, 0.3, false);
    for (int i = 0; i < NETWORKS_MAX && script->accuracies[i] != 0; i++)
        add_node(writer, i + 2, (i + 1) * script->flops, script->accuracies[i],
                 !i && script->more && !strcmp(script->more, "parent=race"));
    if (script->finished) {
        event = (struct event){.kind = EVENT_FINISHED};
        event.as.finished.reason.value = FINISH_BUDGET;
        append(writer, event);
    }
    log_close(writer);
    free(path);
}

/* Make the sessions, load them by their names, and hand the comparison to `look`. */
static void with_sessions(const struct script *scripts, int count, int window,
                          void (*look)(const struct comparison *comparison))
{
    char *folder = folder_new(), *names[16], here[4096];
    struct comparison comparison;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    for (int i = 0; i < count; i++) {
        put_session(folder, &scripts[i]);
        names[i] = (char *)scripts[i].name;
    }
    OK(comparison_load(names, count, window, &comparison, &error));
    look(&comparison);
    comparison_done(&comparison);
    assert_int_equal(chdir(here), 0);
    folder_remove(folder);
    free(folder);
}

static void assert_printed(void (*print)(FILE *out, const struct comparison *comparison, bool unicode),
                           const struct comparison *comparison, bool unicode, const char *expected)
{
    char *printed;
    size_t length;
    FILE *out = open_memstream(&printed, &length);
    print(out, comparison, unicode);
    fclose(out);
    if (strcmp(printed, expected))
        fail_msg("printed:\n%s---\nand should be:\n%s---", printed, expected);
    free(printed);
}

/* FLOPs of an epoch are 3 * flops * IMAGES: the start network's training costs 6000, random's network k costs 60,000 k,
   reinforce's twice that; random's third in r1 fails after half of it. */
static const struct script two_policies[] = {
    {"r1", "random", NULL, 1, NULL, 1000, {.50, .60, -1, .40}, true},
    {"r2", "random", NULL, 2, NULL, 1000, {.52, .58, .70}, true},
    {"e2", "reinforce", NULL, 2, NULL, 2000, {.60, .61, .80}, true},
    {"e1", "reinforce", NULL, 1, NULL, 2000, {.55, .66}, false},
};

static void look_at_points(const struct comparison *comparison)
{
    static const double flops[] = {66e3, 186e3, 186e3 + 90e3 + 240e3}, mean[] = {.50, .55, .50}, best[] = {.5, .6, .6};
    const struct run *run = &comparison->runs[0];
    assert_int_equal(run->point_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run->points[i].node, i < 2 ? i + 2 : 5);
        assert_true(run->points[i].at[AXIS_NETWORKS] == i + 1);
        assert_true(run->points[i].at[AXIS_FLOPS] == flops[i]);
        assert_true(fabs(run->points[i].measure[MEASURE_MEAN] - mean[i]) < 1e-12);
        assert_true(run->points[i].measure[MEASURE_BEST] == best[i]);
    }
    assert_true(run->flops == flops[2]);
    assert_null(run_at(run, AXIS_NETWORKS, 0.9));
    assert_null(run_at(run, AXIS_NETWORKS, 3.1));
    assert_ptr_equal(run_at(run, AXIS_NETWORKS, 2.9), &run->points[1]);
    assert_ptr_equal(run_at(run, AXIS_FLOPS, 186e3), &run->points[1]);
    assert_int_equal(comparison->group_count, 2);
    assert_int_equal(comparison->groups[1].runs[0]->options.seed, 1);
}

static void look_at_stopped(const struct comparison *comparison)
{
    const struct point *last = &comparison->runs[0].points[1];
    assert_true(fabs(last->accuracy - .4) < 1e-12);
    assert_true(fabs(last->measure[MEASURE_MEAN] - .55) < 1e-12);
    assert_true(last->measure[MEASURE_BEST] == .5);
}

static void test_stopped(void **unused)
{
    static const struct script script = {"s", "random", NULL, 1, NULL, 1000, {.50, 1.40}, true};
    with_sessions(&script, 1, 10, look_at_stopped);
}

/* A control costs FLOPs and may be the best, but is no network that a policy grew. */
static void look_at_a_control(const struct comparison *comparison)
{
    const struct run *run = &comparison->runs[0];
    assert_int_equal(run->point_count, 2);
    assert_int_equal(run->points[0].node, 3);
    assert_true(run->points[0].at[AXIS_NETWORKS] == 1 && run->points[0].at[AXIS_FLOPS] == 186e3);
    assert_true(run->points[0].measure[MEASURE_MEAN] == .50 && run->points[0].measure[MEASURE_BEST] == .60);
}

static void test_control(void **unused)
{
    static const struct script script = {"c", "random", "parent=race", 1, NULL, 1000, {.60, .50, .40}, true};
    with_sessions(&script, 1, 10, look_at_a_control);
}

static void test_points(void **unused)
{
    with_sessions(two_policies, 4, 2, look_at_points);
}

static void look_at_tables(const struct comparison *comparison)
{
    assert_printed(
        comparison_print, comparison, true,
        "session                policy       seed  nets      mean     best  params   FLOPs    time\n"
        "r1                     random          1     3   50.00 %  60.00 %      3k    516k    0.0s\n"
        "r2                     random          2     3   64.00 %  70.00 %      4k    366k    0.0s\n"
        "e2                     reinforce       2     3   70.50 %  80.00 %      4k    726k    0.0s\n"
        "e1                     reinforce       1     2   60.50 %  66.00 %      3k    366k    0.0s  unfinished\n"
        "nets: grown from the start network and trained; mean: of the accuracies of the last 2; best: of all so far\n"
        "\n"
        "A  random, seeds 1 2\n"
        "B  reinforce, seeds 1 2\n"
        "\n"
        "against A, after              mean      p            best      p  in points, ± standard error\n"
        "B       2 networks   +5.50 ±  0.00  0.500   +4.50 ±  1.50  0.500  paired, least 0.500\n"
        "B    366k FLOPs      +1.00 ±  4.50  1.000   -1.50 ±  7.50  1.000  paired, least 0.500\n"
        "p: exact permutation test over the seeds, two-sided\n");
    assert_printed(comparison_print_curves, comparison, false,
                   "\n"
                   "accuracy in %, mean +- standard deviation over the sessions that came so far, and how many did\n"
                   "\n"
                   "networks  A mean            B mean\n"
                   "       1   51.00 +- 1.41 2   57.50 +- 3.54 2\n"
                   "       2   55.00 +- 0.00 2   60.50 +- 0.00 2\n"
                   "       3   57.00 +- 9.90 2   70.50         1\n"
                   "\n"
                   "networks  A best            B best\n"
                   "       1   51.00 +- 1.41 2   57.50 +- 3.54 2\n"
                   "       2   59.00 +- 1.41 2   63.50 +- 3.54 2\n"
                   "       3   65.00 +- 7.07 2   80.00         1\n"
                   "\n"
                   "FLOPs     A mean            B mean\n"
                   "    100k   51.00 +- 1.41 2\n"
                   "    200k   55.00 +- 0.00 2   57.50 +- 3.54 2\n"
                   "    300k   55.00 +- 0.00 2   57.50 +- 3.54 2\n"
                   "    400k   55.00         1   60.50         1\n"
                   "    500k   55.00         1   60.50         1\n"
                   "    600k                     60.50         1\n"
                   "    700k                     60.50         1\n"
                   "    726k                     70.50         1\n"
                   "\n"
                   "FLOPs     A best            B best\n"
                   "    100k   51.00 +- 1.41 2\n"
                   "    200k   59.00 +- 1.41 2   57.50 +- 3.54 2\n"
                   "    300k   59.00 +- 1.41 2   57.50 +- 3.54 2\n"
                   "    400k   60.00         1   61.00         1\n"
                   "    500k   60.00         1   61.00         1\n"
                   "    600k                     61.00         1\n"
                   "    700k                     61.00         1\n"
                   "    726k                     80.00         1\n");
}

static void test_tables(void **unused)
{
    with_sessions(two_policies, 4, 2, look_at_tables);
}

static void look_at_export(const struct comparison *comparison)
{
    struct text text = TEXT_EMPTY;
    comparison_csv(comparison, &text);
    assert_string_equal(text_string(&text), "group,session,seed,node,accuracy,networks,flops,mean,best\n"
                                            "random,r1,1,2,0.5,1,66000,0.5,0.5\n"
                                            "random,r1,1,3,0.6,2,186000,0.55,0.6\n"
                                            "random,r1,1,5,0.4,3,516000,0.5,0.6\n"
                                            "random,r2,2,2,0.52,1,66000,0.52,0.52\n"
                                            "random,r2,2,3,0.58,2,186000,0.55,0.58\n"
                                            "random,r2,2,4,0.7,3,366000,0.6,0.7\n");
    text_done(&text);
    comparison_json(comparison, &text);
    assert_non_null(strstr(text_string(&text), "\"differences\": []"));
    text_done(&text);
}

static void test_export(void **unused)
{
    with_sessions(two_policies, 2, 0, look_at_export);
}

/* Seeds that differ, one seed, other options, sessions without a network; data elsewhere is the same data. */
static const struct script odd_ones[] = {
    {"a", "random", NULL, 1, NULL, 1000, {.5, .6}, true},
    {"b", "random", "networks=77", 2, NULL, 1000, {.5, .6}, true},
    {"c", "random", "epochs=9", 1, NULL, 1000, {.7, .9}, true},
    {"d", "random", "epochs=9", 3, NULL, 1000, {.8, .8}, true},
    {"e", "reinforce", NULL, 1, NULL, 1000, {.8, .8}, true},
    {"f", "widen", NULL, 1, NULL, 1000, {0}, false},
};

static void look_at_odd_ones(const struct comparison *comparison)
{
    /* c and d against a and b: of the six ways to share out .55 .55 .80 .80 two are as far apart. */
    assert_printed(
        comparison_print, comparison, true,
        "session                policy       seed  nets      mean     best  params   FLOPs    time\n"
        "a                      random          1     2   55.00 %  60.00 %      3k    186k    0.0s\n"
        "b                      random          2     2   55.00 %  60.00 %      3k    186k    0.0s\n"
        "c                      random          1     2   80.00 %  90.00 %      3k    186k    0.0s\n"
        "d                      random          3     2   80.00 %  80.00 %      2k    186k    0.0s\n"
        "e                      reinforce       1     2   80.00 %  80.00 %      2k    186k    0.0s\n"
        "f                      widen           1     0                         1k      6k    0.0s  unfinished\n"
        "nets: grown from the start network and trained; mean: of the accuracies of the last 10; best: of all so far\n"
        "\n"
        "A  random epochs=2, seeds 1 2\n"
        "B  random epochs=9, seeds 1 3\n"
        "C  reinforce, seed 1\n"
        "D  widen, seed 1\n"
        "\n"
        "against A, after              mean      p            best      p  in points, ± standard error\n"
        "B       2 networks  +25.00 ±  0.00  0.333  +25.00 ±  5.00  0.333  unpaired, least 0.333\n"
        "B    186k FLOPs     +25.00 ±  0.00  0.333  +25.00 ±  5.00  0.333  unpaired, least 0.333\n"
        "C       2 networks  +25.00              -  +20.00              -  one seed: no test\n"
        "C    186k FLOPs     +25.00              -  +20.00              -  one seed: no test\n"
        "D  no number of networks that all sessions have reached\n"
        "D  no number of FLOPs that all sessions have reached\n"
        "p: exact permutation test over the seeds, two-sided\n");
}

static void test_odd_ones(void **unused)
{
    with_sessions(odd_ones, 6, 10, look_at_odd_ones);
}

static void look_at_other_data(const struct comparison *comparison)
{
    char *printed;
    size_t length;
    FILE *out = open_memstream(&printed, &length);
    comparison_print(out, comparison, true);
    fclose(out);
    assert_int_equal(comparison->group_count, 2);
    assert_non_null(strstr(printed, "their accuracies can't be compared\n"));
    assert_null(strstr(printed, "against A"));
    free(printed);
}

static void test_other_data(void **unused)
{
    static const struct script scripts[] = {
        {"a", "random", NULL, 1, "d", 1000, {.5, .6}, true},
        {"b", "random", NULL, 2, "e", 1000, {.5, .6}, true},
    };
    with_sessions(scripts, 2, 10, look_at_other_data);
}

static void look_at_plot(const struct comparison *comparison)
{
    char *printed;
    size_t length;
    FILE *out = open_memstream(&printed, &length);
    comparison_print_plots(out, comparison, false);
    fclose(out);
    static const char expected[] = "\n"
                                   "best accuracy against networks\n"
                                   " 80.00 |                                                           B\n"
                                   " 76.78 |\n";
    if (!strstr(printed, expected))
        fail_msg("printed:\n%s", printed);
    /* A's first two networks: from a third of the axis to its last third. */
    assert_non_null(strstr(printed, "\n 51.00 |                   AAAAAAAAAAAAAAAAAAAA\n"));
    assert_non_null(
        strstr(printed, "\n       0                                                          3 networks\n"));
    free(printed);
}

/* An epoch that nobody knows, and numbers that are no accuracies. */
static void test_plot_of_gaps(void **unused)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e300, -1};
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        struct curve_point curve[3] = {{.validation_accuracy = 0.5, .train_accuracy = odd[i]},
                                       {.validation_accuracy = odd[i], .train_accuracy = odd[i]},
                                       {.validation_accuracy = 0.5, .train_accuracy = odd[i]}};
        char *text = NULL;
        size_t length = 0;
        int marks = 0;
        FILE *out = open_memstream(&text, &length);
        plot_curve(out, curve, 3, false);
        fclose(out);
        for (const char *mark = strchr(text, '*'); mark; mark = strchr(mark + 1, '*'))
            marks++;
        assert_int_equal(marks, 3); /* one of them is in the legend */
        out = fopen("/dev/null", "w");
        plot_curve(out, curve + 1, 1, false); /* nothing is known */
        fclose(out);
        free(text);
    }
}

static void test_plot(void **unused)
{
    with_sessions(two_policies, 4, 2, look_at_plot);
}

/* --- tests --- */

static void check_line(const char *line)
{
    char kind[16];
    int a_count, b_count, used;
    double values[PERMUTATION_VALUES_MAX], difference, error, p;
    assert_int_equal(sscanf(line, "%15s %d %d%n", kind, &a_count, &b_count, &used), 3);
    assert_true(a_count + b_count <= PERMUTATION_VALUES_MAX);
    line += used;
    for (int i = 0; i < a_count + b_count; i++, line += used)
        assert_int_equal(sscanf(line, "%lf%n", &values[i], &used), 1);
    assert_int_equal(sscanf(line, "%lf %lf %lf", &difference, &error, &p), 3);
    struct permutation_test test = !strcmp(kind, "paired") ? permutation_test_paired(values, values + a_count, a_count)
                                               : permutation_test_unpaired(values, a_count, values + a_count, b_count);
    assert_true(fabs(test.difference - difference) < 1e-11);
    assert_true(fabs(test.standard_error - error) < 1e-11);
    assert_true(fabs(test.p - p) < 1e-11);
}

static void test_scipy(void **unused)
{
    char *path = file_join(getenv("top_srcdir"), "tests/reference/statistics.txt");
    void *bytes;
    size_t length;
    int lines = 0;
    OK(file_read(path, 1 << 20, &bytes, &length, &error));
    for (char *line = strtok(bytes, "\n"); line; line = strtok(NULL, "\n"), lines++)
        check_line(line);
    assert_int_equal(lines, 9);
    free(bytes);
    free(path);
}

static void test_few_and_many(void **unused)
{
    double values[PERMUTATION_VALUES_MAX + 1] = {0.5, 0.25, 0.75};
    assert_true(isnan(sample_stats_of(values, 0).mean) && sample_stats_of(values, 1).mean == 0.5);
    assert_true(isnan(sample_stats_of(values, 1).deviation) && sample_stats_of(values, 3).deviation == 0.25);
    struct permutation_test test = permutation_test_unpaired(values, 1, values + 1, 2);
    assert_true(test.difference == 0 && isnan(test.standard_error) && isnan(test.p) && !test.cases);
    test = permutation_test_paired(values, values + 1, 1);
    assert_true(test.difference == -0.25 && isnan(test.standard_error) && isnan(test.p) && !test.cases);
    assert_true(isnan(permutation_test_paired(values, values, 0).difference));
    test = permutation_test_paired(values, values, PERMUTATION_VALUES_MAX + 1);
    assert_true(test.difference == 0 && test.standard_error == 0 && isnan(test.p));
    test = permutation_test_unpaired(values, PERMUTATION_VALUES_MAX - 1, values, 2);
    assert_true(test.standard_error > 0 && isnan(test.p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points),     cmocka_unit_test(test_control),      cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_tables),     cmocka_unit_test(test_export),       cmocka_unit_test(test_odd_ones),
        cmocka_unit_test(test_other_data), cmocka_unit_test(test_plot),         cmocka_unit_test(test_plot_of_gaps),
        cmocka_unit_test(test_scipy),      cmocka_unit_test(test_few_and_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
