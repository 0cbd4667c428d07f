/* comparison_export.c - a comparison as CSV and JSON: accuracies are from 0 to 1, an unknown value is empty or null. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "compare/comparison_print.h"
#include "export/csv.h"
#include "util/bug.h"

static const char *const axis_names[AXES] = {"networks", "flops"};
static const char *const measure_names[MEASURES] = {"mean", "best"};

static void add_row(struct text *text, const struct group *group, const struct run *run, const struct point *point)
{
    csv_string(text, group->label);
    csv_string(text, run->name);
    csv_integer(text, run->options.seed);
    csv_integer(text, point->node);
    csv_real(text, point->accuracy);
    for (int axis = 0; axis < AXES; axis++)
        csv_real(text, point->at[axis]);
    for (int measure = 0; measure < MEASURES; measure++)
        csv_real(text, point->measure[measure]);
    text_add(text, "\n");
}

void comparison_csv(const struct comparison *comparison, struct text *text)
{
    text_add(text, "group,session,seed,node,accuracy,networks,flops,mean,best\n");
    for (int i = 0; i < comparison->group_count; i++) {
        const struct group *group = &comparison->groups[i];
        for (int j = 0; j < group->run_count; j++)
            for (int k = 0; k < group->runs[j]->point_count; k++)
                add_row(text, group, group->runs[j], &group->runs[j]->points[k]);
    }
}

static json_t *of_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* A name that is no UTF-8 becomes null: JSON can't express it. */
static json_t *of_string(const char *string)
{
    json_t *value = json_string(string);
    return value ? value : json_null();
}

static json_t *of_point(const struct point *point)
{
    json_t *object = json_pack("{s:I, s:o}", "node", (json_int_t)point->node, "accuracy", of_real(point->accuracy));
    for (int axis = 0; axis < AXES; axis++)
        json_object_set_new(object, axis_names[axis], of_real(point->at[axis]));
    for (int measure = 0; measure < MEASURES; measure++)
        json_object_set_new(object, measure_names[measure], of_real(point->measure[measure]));
    return object;
}

static json_t *of_run(const struct run *run)
{
    json_t *points = json_array();
    for (int i = 0; i < run->point_count; i++)
        json_array_append_new(points, of_point(&run->points[i]));
    return json_pack("{s:o, s:I, s:b, s:o, s:o, s:o}", "session", of_string(run->name), "seed",
                     (json_int_t)run->options.seed, "finished", run->finished, "flops", of_real(run->flops), "seconds",
                     of_real(run->seconds), "networks", points);
}

static json_t *of_group(const struct group *group)
{
    json_t *runs = json_array();
    for (int i = 0; i < group->run_count; i++)
        json_array_append_new(runs, of_run(group->runs[i]));
    return json_pack("{s:o, s:o, s:o}", "group", of_string(group->label), "policy",
                     of_string(group->runs[0]->options.policy), "sessions", runs);
}

static json_t *of_test(const struct group *first, const struct group *other, enum axis axis, enum measure measure)
{
    struct group_test group_test = group_test_of(first, other, axis, measure);
    const struct permutation_test *test = &group_test.test;
    bool known = group_test.place != 0;
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:I}", "first", of_string(first->label), "other",
                     of_string(other->label), "measure", measure_names[measure], "after", axis_names[axis], "place",
                     of_real(group_test.place), "paired", group_test.paired, "difference",
                     of_real(known ? test->difference : NAN), "standard_error",
                     of_real(known ? test->standard_error : NAN), "p", of_real(known ? test->p : NAN), "cases",
                     (json_int_t)test->cases);
}

void comparison_json(const struct comparison *comparison, struct text *text)
{
    json_t *groups = json_array(), *tests = json_array();
    for (int i = 0; i < comparison->group_count; i++)
        json_array_append_new(groups, of_group(&comparison->groups[i]));
    for (int i = 1; comparison->same_data && i < comparison->group_count; i++)
        for (int axis = 0; axis < AXES; axis++)
            for (int measure = 0; measure < MEASURES; measure++)
                json_array_append_new(tests, of_test(&comparison->groups[0], &comparison->groups[i], axis, measure));
    json_t *object = json_pack("{s:i, s:o, s:o}", "window", comparison->window, "groups", groups, "differences", tests);
    char *dump = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    ASSERT(dump);
    text_add(text, "%s\n", dump);
    free(dump);
    json_decref(object);
}
