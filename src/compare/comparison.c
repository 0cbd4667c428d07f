/*
 * comparison.c - makes runs of sessions, and groups of runs.
 *
 * Training costs 3 times a network's forward FLOPs (the backward pass costs twice the forward pass), times images,
 * times the epochs that it trained, with or without a result.
 *
 * Runs belong to one group when all options are equal but for those of `ignored` (seed, budget, devices), and the data
 * has the same name and checksum, in whatever folder it is.
 */
#include "compare/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/engine.h"
#include "sessions/log.h"
#include "util/memory.h"

static double mean_of_last(const struct run *run, int window)
{
    int first = window && run->point_count > window ? run->point_count - window : 0;
    double sum = 0;
    for (int i = first; i < run->point_count; i++)
        sum += run->points[i].expected;
    return sum / (run->point_count - first);
}

static void find_points(struct run *run, int window)
{
    const struct session_state *state = run->state;
    double best = 0;
    run->points = memory_new((size_t)state->node_count, sizeof *run->points);
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        run->flops += node_flops_spent(state, node);
        if (node->status != NODE_DONE)
            continue;
        best = fmax(best, node->accuracy);
        if (!node->facts.parent || node->facts.by.value == AUTHOR_CONTROL || node_is_final(node)) /* not proposed */
            continue;
        struct point *point = &run->points[run->point_count++];
        *point = (struct point){
            .node = i, .accuracy = node->accuracy, .expected = node->stopped ? node->predicted : node->accuracy};
        point->at[AXIS_NETWORKS] = run->point_count;
        point->at[AXIS_FLOPS] = run->flops;
        point->measure[MEASURE_MEAN] = mean_of_last(run, window);
        point->measure[MEASURE_BEST] = best;
    }
}

/* Without the ".esp" or "/" that a shell's completion appends. */
static char *name_of(const char *typed)
{
    static const char ending[] = ".esp";
    char *name = memory_copy_text(typed);
    size_t length = strlen(name);
    while (length > 1 && name[length - 1] == '/')
        name[--length] = '\0';
    if (length > strlen(ending) && !strcmp(name + length - strlen(ending), ending))
        name[length - strlen(ending)] = '\0';
    return name;
}

static int load_run(const char *name, int window, struct run *run, struct error *error)
{
    struct error warning = {{0}};
    char *folder = NULL;
    run->name = name_of(name);
    int failed = session_find(name, &folder, error) || session_load(folder, &run->state, &warning, error) ||
                 options_of_session(run->state, &run->options, error);
    free(folder);
    if (failed)
        return -1;
    const struct session_state *state = run->state;
    const struct session_node *best = session_node(state, state->best);
    run->finished = state->finished &&
                    (state->finish_reason.value == FINISH_BUDGET || state->finish_reason.value == FINISH_EXHAUSTED);
    run->seconds = state->time;
    run->best_parameters = best ? best->facts.parameters : 0;
    find_points(run, window);
    return 0;
}

static bool is_ignored(const char *option)
{
    static const char *const ignored[] = {"seed",   "episodes", "networks", "seconds", "flops",
                                          "target", "patience", "devices",  "match"};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (!strcmp(option, ignored[i]))
            return true;
    return false;
}

/* The value that is compared: of data its kind (`cifar10+`), without the folder. */
static void value_of(const struct run *run, const struct search_option *option, struct text *text)
{
    options_get(&run->options, option, text);
    if (!strcmp(option->name, "data") && strchr(text_string(text), ':'))
        *strchr(text->bytes, ':') = '\0';
}

static bool same_value(const struct run *a, const struct run *b, const struct search_option *option)
{
    struct text of_a = TEXT_EMPTY, of_b = TEXT_EMPTY;
    value_of(a, option, &of_a);
    value_of(b, option, &of_b);
    bool same = !strcmp(text_string(&of_a), text_string(&of_b));
    text_done(&of_a);
    text_done(&of_b);
    return same;
}

static bool same_data(const struct run *a, const struct run *b)
{
    return !strcmp(a->state->facts.data_hash, b->state->facts.data_hash);
}

static bool are_one_group(const struct run *a, const struct run *b)
{
    bool same = same_data(a, b);
    for (int i = 0; option_at(i) && same; i++)
        same = is_ignored(option_at(i)->name) || same_value(a, b, option_at(i));
    return same;
}

static void add_to_group(struct comparison *comparison, struct run *run)
{
    struct group *group = NULL;
    for (int i = 0; i < comparison->group_count && !group; i++)
        if (are_one_group(comparison->groups[i].runs[0], run))
            group = &comparison->groups[i];
    if (!group) {
        comparison->groups =
            memory_resize(comparison->groups, (size_t)comparison->group_count + 1, sizeof *comparison->groups);
        group = &comparison->groups[comparison->group_count];
        *group = (struct group){.letter = (char)('A' + comparison->group_count++)};
    }
    group->runs = memory_resize(group->runs, (size_t)group->run_count + 1, sizeof(struct run *));
    int place = group->run_count++;
    for (; place > 0 && group->runs[place - 1]->options.seed > run->options.seed; place--)
        group->runs[place] = group->runs[place - 1];
    group->runs[place] = run;
}

/* Does a group of the same policy have another value? */
static bool distinguishes(const struct comparison *comparison, const struct run *run,
                          const struct search_option *option)
{
    for (int i = 0; i < comparison->group_count; i++) {
        const struct run *other = comparison->groups[i].runs[0];
        if (!strcmp(other->options.policy, run->options.policy) && !same_value(run, other, option))
            return true;
    }
    return false;
}

static void label_group(const struct comparison *comparison, struct group *group)
{
    struct text label = TEXT_EMPTY;
    text_add(&label, "%s", group->runs[0]->options.policy);
    for (int i = 0; option_at(i); i++) {
        if (is_ignored(option_at(i)->name) || !distinguishes(comparison, group->runs[0], option_at(i)))
            continue;
        struct text value = TEXT_EMPTY;
        value_of(group->runs[0], option_at(i), &value);
        text_add(&label, " %s=%s", option_at(i)->name, text_string(&value));
        text_done(&value);
    }
    group->label = text_take(&label);
}

int comparison_load(char **names, int count, int window, struct comparison *comparison, struct error *error)
{
    *comparison = (struct comparison){.window = window, .same_data = true};
    comparison->runs = memory_new((size_t)count, sizeof *comparison->runs);
    for (int i = 0; i < count; i++) {
        struct run *run = &comparison->runs[comparison->run_count++];
        if (load_run(names[i], window, run, error))
            return -1;
        add_to_group(comparison, run);
        comparison->same_data = comparison->same_data && same_data(&comparison->runs[0], run);
        if (comparison->group_count > GROUPS_MAX)
            return error_set(error, "%s: differs from all %d groups before it in more than its seed; compare fewer",
                             names[i], GROUPS_MAX);
    }
    for (int i = 0; i < comparison->group_count; i++)
        label_group(comparison, &comparison->groups[i]);
    return 0;
}

void comparison_done(struct comparison *comparison)
{
    for (int i = 0; i < comparison->run_count; i++) {
        free(comparison->runs[i].name);
        free(comparison->runs[i].points);
        if (comparison->runs[i].state)
            session_state_free(comparison->runs[i].state);
    }
    for (int i = 0; i < comparison->group_count; i++) {
        free(comparison->groups[i].label);
        free(comparison->groups[i].runs);
    }
    free(comparison->runs);
    free(comparison->groups);
    *comparison = (struct comparison){0};
}

double run_reach(const struct run *run, enum axis axis)
{
    return run->point_count ? run->points[run->point_count - 1].at[axis] : 0;
}

const struct point *run_at(const struct run *run, enum axis axis, double place)
{
    if (place > run_reach(run, axis))
        return NULL;
    int low = 0,
        high = run->point_count; /* points before `low` are up to `place`, those from `high` on are beyond it */
    while (low < high) {
        int middle = (low + high) / 2;
        if (run->points[middle].at[axis] <= place)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &run->points[low - 1] : NULL;
}

/* The measure of each run that reaches `place`; their number. */
static int values_at(const struct group *group, enum axis axis, double place, enum measure measure, double *values)
{
    int count = 0;
    for (int i = 0; i < group->run_count; i++) {
        const struct point *point = run_at(group->runs[i], axis, place);
        if (point)
            values[count++] = point->measure[measure];
    }
    return count;
}

struct sample_stats group_at(const struct group *group, enum axis axis, double place, enum measure measure)
{
    double *values = memory_new((size_t)group->run_count, sizeof *values);
    struct sample_stats stats = sample_stats_of(values, values_at(group, axis, place, measure, values));
    free(values);
    return stats;
}

static double common_reach(const struct group *group, enum axis axis)
{
    double reach = INFINITY;
    for (int i = 0; i < group->run_count; i++)
        reach = fmin(reach, run_reach(group->runs[i], axis));
    return reach;
}

/* Runs are in the order of their seeds. */
static bool have_same_seeds(const struct group *a, const struct group *b)
{
    if (a->run_count != b->run_count)
        return false;
    for (int i = 0; i < a->run_count; i++)
        if (a->runs[i]->options.seed != b->runs[i]->options.seed ||
            (i && a->runs[i]->options.seed == a->runs[i - 1]->options.seed))
            return false;
    return true;
}

struct group_test group_test_of(const struct group *first, const struct group *other, enum axis axis,
                                enum measure measure)
{
    struct group_test group_test = {.place = fmin(common_reach(first, axis), common_reach(other, axis)),
                                    .paired = have_same_seeds(first, other)};
    double *a = memory_new((size_t)first->run_count, sizeof *a), *b = memory_new((size_t)other->run_count, sizeof *b);
    int a_count = values_at(first, axis, group_test.place, measure, a),
        b_count = values_at(other, axis, group_test.place, measure, b);
    /* The first network of a run may cost more than all networks of another: then there is no common place. */
    if (a_count < first->run_count || b_count < other->run_count)
        group_test.place = 0;
    else
        group_test.test = group_test.paired ? permutation_test_paired(a, b, a_count)
                                            : permutation_test_unpaired(a, a_count, b, b_count);
    free(a);
    free(b);
    return group_test;
}
