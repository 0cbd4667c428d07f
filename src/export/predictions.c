/* predictions.c - see predictions.h. */
#include "export/predictions.h"

#include <math.h>

#include "export/csv.h"
#include "export/json.h"

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

static json_t *of_prediction(const struct predictions *predictions, int i)
{
    const double *row = row_of(predictions, i);
    int best[2];
    predictions_best(predictions, i, best);
    json_t *probabilities = json_array();
    for (int c = 0; c < predictions->classes; c++)
        json_array_append_new(probabilities, json_of_real(row[c]));
    return json_pack("{s:o,s:o,s:o,s:o}", "picture", json_of_text(predictions->pictures[i]), "class",
                     json_of_text(best[0] < 0 ? NULL : predictions->class_names[best[0]]), "probability",
                     json_of_real(best[0] < 0 ? NAN : row[best[0]]), "probabilities", probabilities);
}

void export_json_predictions(const struct predictions *predictions, struct text *text)
{
    json_t *classes = json_array(), *list = json_array();
    for (int c = 0; c < predictions->classes; c++)
        json_array_append_new(classes, json_of_text(predictions->class_names[c]));
    for (int i = 0; i < predictions->count; i++)
        json_array_append_new(list, of_prediction(predictions, i));
    json_print(json_pack("{s:o,s:o}", "classes", classes, "predictions", list), 9, text);
}
