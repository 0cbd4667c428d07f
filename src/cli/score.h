/* score.h - how well a network classifies the images of a view: error with its confidence interval, loss, classes. */
#ifndef ESPALIER_CLI_SCORE_H
#define ESPALIER_CLI_SCORE_H

#include <stdio.h>

#include "nn/backend.h"
#include "util/text.h"

struct score {
    int count, correct, classes;
    double loss;    /* mean cross-entropy */
    int *confusion; /* [label][prediction], owned; an image whose logits are all NaN is in none */
    int *images;    /* [label], owned */
};

/* What a network makes of a batch: `logits` are count × classes. */
typedef void score_take(void *context, const struct batch *batch, const float *logits);
/* Run the whole view through the network in inference mode, with a team or without (NULL), and give each batch to `take`;
   `*sum` is over all.  The values are the same to the bit with any team. */
int score_infer(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                score_take *take, void *context, struct step_result *sum, struct error *error);
/* The score of the view.  score_done() it. */
int score_network(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                  struct score *score, struct error *error);
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
/* A row for each class, with its name in `images`: images, right, accuracy, and the most frequent wrong class. */
void score_print_classes(FILE *out, const struct score *score, const struct images *images);

#endif
