/*
 * score_export.c - a score as tables and documents: classes, confusion matrix, images.
 *
 * Classes without names are called by their numbers.  A matrix has a row for each class of the images and a column for
 * each class that they were taken for.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "cli/score.h"
#include "export/csv.h"
#include "util/bug.h"
#include "util/print.h"

/* Its name, or its number in the caller's buffer; "nothing" for a broken network's prediction. */
static const char *name_of(const struct images *images, int class, char buffer[16])
{
    const char *name = class < 0 ? "nothing" : images_class_name(images, class);
    snprintf(buffer, 16, "%d", class);
    return name && *name ? name : buffer;
}

static const int *row_of(const struct score *score, int class)
{
    return score->confusion + (size_t) class * (size_t)score->classes;
}

/* --- tables --- */

void score_print_confusion(FILE *out, const struct score *score, const struct images *images)
{
    char buffer[16];
    print_to(out, "%-17s", "class, taken for");
    for (int class = 0; class < score->classes; class ++)
        print_to(out, " %5d", class);
    print_to(out, "\n");
    for (int class = 0; class < score->classes; class ++) {
        print_to(out, "%3d %-13.13s", class, name_of(images, class, buffer));
        for (int taken = 0; taken < score->classes; taken++)
            print_to(out, " %5d", row_of(score, class)[taken]);
        print_to(out, "\n");
    }
}

void score_print_images(FILE *out, const struct score *score, const struct images *images)
{
    char label[16], taken[16];
    print_to(out, "%8s  %-16s %-16s %11s %8s\n", "image", "class", "taken for", "probability", "loss");
    for (int i = 0; i < score->count; i++) {
        const struct score_image *image = &score->images[i];
        print_to(out, "%8d  %-16s %-16s %9.2f %% %8.4f\n", image->index, name_of(images, image->label, label),
                 name_of(images, image->prediction, taken), 100 * image->probability, image->loss);
    }
}

/* --- CSV --- */

void score_csv_classes(const struct score *score, const struct images *images, struct text *text)
{
    char buffer[16];
    text_add(text, "class,images,right,accuracy\n");
    for (int class = 0; class < score->classes; class ++) {
        int count = score->class_images[class], right = row_of(score, class)[class];
        csv_string(text, name_of(images, class, buffer));
        csv_integer(text, count);
        csv_integer(text, right);
        csv_real(text, count ? (double)right / count : NAN);
        text_add(text, "\n");
    }
}

void score_csv_confusion(const struct score *score, const struct images *images, struct text *text)
{
    char buffer[16];
    text_add(text, "class");
    for (int class = 0; class < score->classes; class ++)
        csv_string(text, name_of(images, class, buffer));
    text_add(text, "\n");
    for (int class = 0; class < score->classes; class ++) {
        csv_string(text, name_of(images, class, buffer));
        for (int taken = 0; taken < score->classes; taken++)
            csv_integer(text, row_of(score, class)[taken]);
        text_add(text, "\n");
    }
}

void score_csv_images(const struct score *score, const struct images *images, struct text *text)
{
    char buffer[16];
    text_add(text, "image,class,taken_for,right,probability,loss\n");
    for (int i = 0; i < score->count; i++) {
        const struct score_image *image = &score->images[i];
        csv_integer(text, image->index);
        csv_string(text, name_of(images, image->label, buffer));
        csv_string(text, image->prediction < 0 ? NULL : name_of(images, image->prediction, buffer));
        csv_integer(text, image->prediction == image->label);
        csv_real(text, image->probability);
        csv_real(text, image->loss);
        text_add(text, "\n");
    }
}

/* --- JSON --- */

/* null for a text that is not UTF-8. */
static json_t *of_text(const char *string)
{
    json_t *value = json_string(string);
    return value ? value : json_null();
}

static json_t *of_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *of_image(const struct score_image *image)
{
    return json_pack("{s:i,s:i,s:o,s:o,s:o}", "image", image->index, "class", image->label, "taken_for",
                     image->prediction < 0 ? json_null() : json_integer(image->prediction), "probability",
                     of_real(image->probability), "loss", of_real(image->loss));
}

static json_t *of_class(const struct score *score, const struct images *images, int class)
{
    char buffer[16];
    int count = score->class_images[class], right = row_of(score, class)[class];
    json_t *taken = json_array();
    for (int i = 0; i < score->classes; i++)
        json_array_append_new(taken, json_integer(row_of(score, class)[i]));
    return json_pack("{s:o,s:i,s:i,s:o,s:o}", "name", of_text(name_of(images, class, buffer)), "images", count, "right",
                     right, "accuracy", of_real(count ? (double)right / count : NAN), "taken_for", taken);
}

void score_json(const char *network, const char *part, const struct score *score, const struct images *images,
                bool wanted, struct text *text)
{
    struct interval interval = score_interval(score->count - score->correct, score->count);
    json_t *classes = json_array(), *list = json_array();
    for (int class = 0; class < score->classes; class ++)
        json_array_append_new(classes, of_class(score, images, class));
    for (int i = 0; wanted && i < score->count; i++)
        json_array_append_new(list, of_image(&score->images[i]));
    json_t *object = json_pack("{s:o,s:s,s:i,s:i,s:o,s:[f,f],s:o,s:o}", "network", of_text(network), "part", part,
                               "images", score->count, "right", score->correct, "accuracy",
                               of_real(score->count ? (double)score->correct / score->count : NAN), "error_interval",
                               interval.low, interval.high, "loss", of_real(score->loss), "classes", classes);
    ASSERT(object);
    if (wanted)
        json_object_set_new(object, "each_image", list);
    else
        json_decref(list);
    char *bytes = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    ASSERT(bytes);
    text_add(text, "%s\n", bytes);
    free(bytes);
    json_decref(object);
}
