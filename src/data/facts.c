/*
 * facts.c - the facts of a set, and classes matched by name.
 *
 * A class without a name is called by its number.  So sets without names match one another, and never a set with names:
 * class 3 of one needn't be class 3 of the other.
 */
#include "data/facts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/formats.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

enum { NAME_MAX_SHORT = 16, LISTED_MAX = 10 };

/* The name of a class, or its number, which is written to `number`. */
static const char *name_of(const struct images *images, int class, char number[NAME_MAX_SHORT])
{
    snprintf(number, NAME_MAX_SHORT, "%d", class);
    const char *name = images_class_name(images, class);
    return name ? name : number;
}

void data_facts_of(const char *data, const struct images *images, const struct view *view, struct data_facts *facts)
{
    char number[NAME_MAX_SHORT];
    *facts = (struct data_facts){.classes = images->classes,
                                 .class_names = memory_new((size_t)images->classes, sizeof *facts->class_names),
                                 .channels = images->shape.channels,
                                 .pixels = view->pixels,
                                 .layout = memory_copy_text(images->layout ? images->layout : ""),
                                 .mirrors = images->mirrors,
                                 .data = memory_copy_text(data),
                                 .hash = images->hash};
    for (int i = 0; i < images->classes; i++)
        facts->class_names[i] = memory_copy_text(name_of(images, i, number));
}

void data_facts_done(struct data_facts *facts)
{
    for (int i = 0; i < facts->classes; i++)
        free(facts->class_names[i]);
    free(facts->class_names);
    free(facts->layout);
    free(facts->data);
    *facts = (struct data_facts){0};
}

static bool is_valid(const struct data_facts *facts, int channels, int classes)
{
    bool valid = facts->classes == classes && facts->channels == channels && channels <= IMAGES_CHANNELS_MAX;
    for (int i = 0; valid && i < classes; i++)
        valid = *facts->class_names[i] && !class_name_check(facts->class_names[i], NULL);
    for (int i = 0; valid && i < channels; i++)
        valid =
            isfinite(facts->pixels.mean[i]) && isfinite(facts->pixels.deviation[i]) && facts->pixels.deviation[i] > 0;
    return valid;
}

/* Those of images_open(). */
static const char *const layouts[] = {"NCHW", "NCHW grey", "NCHW RGB"};

void data_facts_check(struct data_facts *facts, int channels, int classes)
{
    bool known_layout = false;
    if (!is_valid(facts, channels, classes)) {
        data_facts_done(facts);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(layouts); i++)
        known_layout |= !strcmp(facts->layout, layouts[i]);
    if (!known_layout)
        *facts->layout = '\0';
}

/* --- classes by name --- */

static int find_name(char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

/* "cat, dog, …": up to LISTED_MAX names and how many more. */
static void add_name(struct text *text, int *count, const char *name)
{
    if (++*count <= LISTED_MAX)
        text_add(text, "%s%s", *count > 1 ? ", " : "", name);
}

static void add_rest(struct text *text, int count)
{
    if (count > LISTED_MAX)
        text_add(text, " and %d more", count - LISTED_MAX);
}

/* The network's class for each of the set's; -1: it has none of that name. */
static void find_classes(const struct data_facts *facts, const struct images *images, int map[IMAGES_CLASSES_MAX],
                         struct text *unknown, int *unknown_count)
{
    char number[NAME_MAX_SHORT];
    for (int i = 0; i < images->classes; i++) {
        const char *name = name_of(images, i, number);
        map[i] = find_name(facts->class_names, facts->classes, name);
        if (map[i] < 0)
            add_name(unknown, unknown_count, name);
    }
    add_rest(unknown, *unknown_count);
}

static void find_missing(const struct data_facts *facts, const int *map, int classes, struct text *missing, int *count)
{
    for (int i = 0; i < facts->classes; i++) {
        int k = 0;
        while (k < classes && map[k] != i)
            k++;
        if (k == classes)
            add_name(missing, count, facts->class_names[i]);
    }
    add_rest(missing, *count);
}

/* Images that change are another set, with another checksum. */
static void relabel(const struct data_facts *facts, const int *map, struct images *images)
{
    bool same = images->classes == facts->classes;
    for (int i = 0; i < images->classes; i++)
        same &= map[i] == i;
    if (same)
        return;
    for (int i = 0; i < images->count; i++)
        images->labels[i] = (uint16_t)map[images->labels[i]];
    for (int i = 0; images->class_names && i < images->classes; i++)
        free(images->class_names[i]);
    images->classes = facts->classes;
    images->hash = images_hash(images);
    if (!images->class_names)
        return;
    images->class_names = memory_resize(images->class_names, (size_t)facts->classes, sizeof *images->class_names);
    for (int i = 0; i < facts->classes; i++)
        images->class_names[i] = memory_copy_text(facts->class_names[i]);
}

int data_facts_relabel(const struct data_facts *facts, const char *name, bool all, struct images *images,
                       struct error *error)
{
    int map[IMAGES_CLASSES_MAX], unknown_count = 0, missing_count = 0;
    struct text unknown = TEXT_EMPTY, missing = TEXT_EMPTY;
    find_classes(facts, images, map, &unknown, &unknown_count);
    find_missing(facts, map, images->classes, &missing, &missing_count);
    int failed = unknown_count || (all && missing_count);
    if (failed)
        error_set(error,
                  "%s: its classes are not those of the network%s%s%s%s; classes are matched by name: rename them, or "
                  "name other data",
                  name, unknown_count ? "; only here: " : "", text_string(&unknown),
                  missing_count ? "; only in the network: " : "", text_string(&missing));
    else
        relabel(facts, map, images);
    text_done(&unknown);
    text_done(&missing);
    return failed ? -1 : 0;
}
