/* score.h - how well a network classifies the images of a view: error with its confidence interval, loss, classes. */
#ifndef ESPALIER_CLI_SCORE_H
#define ESPALIER_CLI_SCORE_H

#include <stdbool.h>
#include <stdio.h>

#include "nn/backend.h"
#include "util/text.h"

/* What became of one image. */
struct score_image {
    int32_t index; /* in the set: its number in file order */
    int label, prediction; /* -1: the network predicts nothing, it is broken */
    double probability;    /* of the prediction; NaN without one */
    double loss;           /* its cross-entropy */
};

struct score {
    int count, correct, classes;
    double loss;    /* mean cross-entropy */
    int *confusion;    /* [label][prediction], owned; an image whose logits are all NaN is in none */
    int *class_images; /* [label], owned */
    struct score_image *images; /* `count`, in the view's order; owned */
};

/* What a network makes of a batch: `logits` are count × classes.  False: stop here. */
typedef bool score_take(void *context, const struct batch *batch, const float *logits);
/* Run the whole view through the network in inference mode, with a team or without (NULL), and give each batch to `take`;
   `*sum` is over all that were taken.  The values are the same to the bit with any team. */
int score_infer(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                score_take *take, void *context, struct step_result *sum, struct error *error);
/* The score of the view.  score_done() it. */
int score_network(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                  struct score *score, struct error *error);
/* The same; after each batch `go_on` hears how many images are done, and false ends it: the score is of these. */
int score_watched(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                  bool (*go_on)(void *context, int done), void *context, struct score *score, struct error *error);
void score_done(struct score *score);

/* The class with the largest logit, or -1 when all are NaN: a broken network must not predict class 0. */
int score_prediction(const float *logits, int classes);

struct interval {
    double low, high;
};
/* The 95 % confidence interval of a share of which `hits` of `count` were seen (Wilson, 1927). */
struct interval score_interval(int hits, int count);

/* "error 7.61 % (95 % interval 7.11 to 8.15), accuracy 92.39 %, loss 0.2210 on 10000 images"; where classes differ in
   number, also "balanced accuracy 91.20 %", the mean over the classes (Brodersen et al. 2010). */
void score_print(const struct score *score, struct text *text);
/* score_export.c.  The whole matrix: a row for each class, a column for what it was taken for. */
void score_print_confusion(FILE *out, const struct score *score, const struct images *images);
/* A row for each image: number, class, what it was taken for, probability and loss. */
void score_print_images(FILE *out, const struct score *score, const struct images *images);
/* The same three tables as CSV; and all as one JSON object, with the images if they are `wanted`.  `part` is "test",
   "validation" or "all". */
void score_csv_classes(const struct score *score, const struct images *images, struct text *text);
void score_csv_confusion(const struct score *score, const struct images *images, struct text *text);
void score_csv_images(const struct score *score, const struct images *images, struct text *text);
void score_json(const char *network, const char *part, const struct score *score, const struct images *images, bool wanted,
                struct text *text);

/* A row for each class, with its name in `images`: images, right, accuracy, and the most frequent wrong class. */
void score_print_classes(FILE *out, const struct score *score, const struct images *images);

#endif
