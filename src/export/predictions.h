/*
 * predictions.h - what a network says of some pictures, as CSV or JSON.
 */
#ifndef ESPALIER_EXPORT_PREDICTIONS_H
#define ESPALIER_EXPORT_PREDICTIONS_H

#include "util/text.h"

/* All is borrowed. */
struct predictions {
    int count, classes;
    char *const *pictures;       /* their names; `count` */
    char *const *class_names;    /* `classes` */
    const double *probabilities; /* count × classes; NaN from a network that has diverged */
};

/* The class of the highest probability of picture `i`, and the second; -1: all are NaN, or there is only one. */
void predictions_best(const struct predictions *predictions, int i, int best[2]);
/* A row a picture: its name, the class, its probability, then those of all classes. */
void export_csv_predictions(const struct predictions *predictions, struct text *text);
/* {"classes": [...], "predictions": [{"picture", "class", "probability", "probabilities": [...]}, ...]} */
void export_json_predictions(const struct predictions *predictions, struct text *text);

#endif
