/* comparison_export.c - a comparison as CSV and JSON: accuracies are from 0 to 1, an unknown value is empty or null. */
#include <math.h>

#include "compare/comparison_print.h"
#include "export/csv.h"
#include "export/json.h"

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

static json_t *of_point(const struct point *point)
{
    json_t *object =
        json_pack("{s:I, s:o}", "node", (json_int_t)point->node, "accuracy", json_of_real(point->accuracy));
    for (int axis = 0; axis < AXES; axis++)
        json_set(object, axis_names[axis], json_of_real(point->at[axis]));
    for (int measure = 0; measure < MEASURES; measure++)
        json_set(object, measure_names[measure], json_of_real(point->measure[measure]));
    return object;
}

static json_t *of_run(const struct run *run)
{
    json_t *points = json_array();
    for (int i = 0; i < run->point_count; i++)
        json_array_append_new(points, of_point(&run->points[i]));
    return json_pack("{s:o, s:I, s:b, s:o, s:o, s:o}", "session", json_of_text(run->name), "seed",
                     (json_int_t)run->options.seed, "finished", run->finished, "flops", json_of_real(run->flops),
                     "seconds", json_of_real(run->seconds), "networks", points);
}

static json_t *of_group(const struct group *group)
{
    json_t *runs = json_array();
    for (int i = 0; i < group->run_count; i++)
        json_array_append_new(runs, of_run(group->runs[i]));
    return json_pack("{s:o, s:o, s:o}", "group", json_of_text(group->label), "policy",
                     json_of_text(group->runs[0]->options.policy), "sessions", runs);
}

static json_t *of_test(const struct group *first, const struct group *other, enum axis axis, enum measure measure)
{
    struct group_test group_test = group_test_of(first, other, axis, measure);
    const struct permutation_test *test = &group_test.test;
    bool known = group_test.place != 0;
    return json_pack("{s:o, s:o, s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:I}", "first", json_of_text(first->label), "other",
                     json_of_text(other->label), "measure", measure_names[measure], "after", axis_names[axis], "place",
                     json_of_real(group_test.place), "paired", group_test.paired, "difference",
                     json_of_real(known ? test->difference : NAN), "standard_error",
                     json_of_real(known ? test->standard_error : NAN), "p", json_of_real(known ? test->p : NAN),
                     "cases", (json_int_t)test->cases);
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
    json_print(json_pack("{s:i, s:o, s:o}", "window", comparison->window, "groups", groups, "differences", tests), 15,
               text);
}
