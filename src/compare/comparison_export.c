/*
 * comparison_export.c - a comparison as CSV and JSON: accuracies are from 0 to 1, an unknown value is empty or null.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "compare/comparison_print.h"
#include "export/csv.h"
#include "util/bug.h"

static const char *const axis_names[AXES] = {"networks", "flops"};
static const char *const measure_names[MEASURES] = {"mean", "best"};

/* --- CSV --- */

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

/* --- JSON --- */

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
    json_t *object = json_object();
    json_object_set_new(object, "node", json_integer(point->node));
    json_object_set_new(object, "accuracy", of_real(point->accuracy));
    for (int axis = 0; axis < AXES; axis++)
        json_object_set_new(object, axis_names[axis], of_real(point->at[axis]));
    for (int measure = 0; measure < MEASURES; measure++)
        json_object_set_new(object, measure_names[measure], of_real(point->measure[measure]));
    return object;
}

static json_t *of_run(const struct run *run)
{
    json_t *object = json_object(), *points = json_array();
    json_object_set_new(object, "session", of_string(run->name));
    json_object_set_new(object, "seed", json_integer(run->options.seed));
    json_object_set_new(object, "finished", json_boolean(run->finished));
    json_object_set_new(object, "flops", of_real(run->flops));
    json_object_set_new(object, "seconds", of_real(run->seconds));
    for (int i = 0; i < run->point_count; i++)
        json_array_append_new(points, of_point(&run->points[i]));
    json_object_set_new(object, "networks", points);
    return object;
}

static json_t *of_group(const struct group *group)
{
    json_t *object = json_object(), *runs = json_array();
    json_object_set_new(object, "group", of_string(group->label));
    json_object_set_new(object, "policy", of_string(group->runs[0]->options.policy));
    for (int i = 0; i < group->run_count; i++)
        json_array_append_new(runs, of_run(group->runs[i]));
    json_object_set_new(object, "sessions", runs);
    return object;
}

static json_t *of_test(const struct group *first, const struct group *other, enum axis axis, enum measure measure)
{
    struct group_test group_test = group_test_of(first, other, axis, measure);
    json_t *object = json_object();
    json_object_set_new(object, "first", of_string(first->label));
    json_object_set_new(object, "other", of_string(other->label));
    json_object_set_new(object, "measure", json_string(measure_names[measure]));
    json_object_set_new(object, "after", json_string(axis_names[axis]));
    json_object_set_new(object, "place", of_real(group_test.place));
    json_object_set_new(object, "paired", json_boolean(group_test.paired));
    json_object_set_new(object, "difference", of_real(group_test.place ? group_test.test.difference : NAN));
    json_object_set_new(object, "standard_error", of_real(group_test.place ? group_test.test.standard_error : NAN));
    json_object_set_new(object, "p", of_real(group_test.place ? group_test.test.p : NAN));
    json_object_set_new(object, "cases", json_integer(group_test.test.cases));
    return object;
}

void comparison_json(const struct comparison *comparison, struct text *text)
{
    json_t *object = json_object(), *groups = json_array(), *tests = json_array();
    json_object_set_new(object, "window", json_integer(comparison->window));
    for (int i = 0; i < comparison->group_count; i++)
        json_array_append_new(groups, of_group(&comparison->groups[i]));
    for (int i = 1; comparison->same_data && i < comparison->group_count; i++)
        for (int axis = 0; axis < AXES; axis++)
            for (int measure = 0; measure < MEASURES; measure++)
                json_array_append_new(tests, of_test(&comparison->groups[0], &comparison->groups[i], axis, measure));
    json_object_set_new(object, "groups", groups);
    json_object_set_new(object, "differences", tests);
    char *dump = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    ASSERT(dump);
    text_add(text, "%s\n", dump);
    free(dump);
    json_decref(object);
}
