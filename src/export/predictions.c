/* predictions.c - see predictions.h. */
#include "export/predictions.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "export/csv.h"
#include "util/bug.h"

static const double *row_of(const struct predictions *predictions, int i)
{
    return predictions->probabilities + (size_t)i * (size_t)predictions->classes;
}

void predictions_best(const struct predictions *predictions, int i, int best[2])
{
    const double *row = row_of(predictions, i);
    best[0] = best[1] = -1;
    for (int c = 0; c < predictions->classes; c++) {
        if (isnan(row[c]))
            continue;
        if (best[0] < 0 || row[c] > row[best[0]]) {
            best[1] = best[0];
            best[0] = c;
        } else if (best[1] < 0 || row[c] > row[best[1]]) {
            best[1] = c;
        }
    }
}

void export_csv_predictions(const struct predictions *predictions, struct text *text)
{
    text_add(text, "picture,class,probability");
    for (int c = 0; c < predictions->classes; c++)
        csv_string(text, predictions->class_names[c]);
    text_add(text, "\n");
    for (int i = 0; i < predictions->count; i++) {
        int best[2];
        predictions_best(predictions, i, best);
        csv_string(text, predictions->pictures[i]);
        csv_string(text, best[0] < 0 ? NULL : predictions->class_names[best[0]]);
        csv_real(text, best[0] < 0 ? NAN : row_of(predictions, i)[best[0]]);
        for (int c = 0; c < predictions->classes; c++)
            csv_real(text, row_of(predictions, i)[c]);
        text_add(text, "\n");
    }
}

/* null for a text that is not UTF-8. */
static json_t *of_text(const char *string)
{
    json_t *value = string ? json_string(string) : NULL;
    return value ? value : json_null();
}

static json_t *of_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *of_prediction(const struct predictions *predictions, int i)
{
    const double *row = row_of(predictions, i);
    int best[2];
    predictions_best(predictions, i, best);
    json_t *probabilities = json_array();
    for (int c = 0; c < predictions->classes; c++)
        json_array_append_new(probabilities, of_real(row[c]));
    return json_pack("{s:o,s:o,s:o,s:o}", "picture", of_text(predictions->pictures[i]), "class",
                     of_text(best[0] < 0 ? NULL : predictions->class_names[best[0]]), "probability",
                     of_real(best[0] < 0 ? NAN : row[best[0]]), "probabilities", probabilities);
}

void export_json_predictions(const struct predictions *predictions, struct text *text)
{
    json_t *classes = json_array(), *list = json_array();
    for (int c = 0; c < predictions->classes; c++)
        json_array_append_new(classes, of_text(predictions->class_names[c]));
    for (int i = 0; i < predictions->count; i++)
        json_array_append_new(list, of_prediction(predictions, i));
    json_t *document = json_pack("{s:o,s:o}", "classes", classes, "predictions", list);
    char *dump = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    ASSERT(dump);
    text_add(text, "%s\n", dump);
    free(dump);
    json_decref(document);
}
