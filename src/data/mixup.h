/*
 * mixup.h - images that are mixed in pairs (mixup: Zhang et al. 2018).
 *
 * Image i of a batch keeps a share of between a half and all of it, and takes the rest from the next image of the batch
 * (the last from the first).  The paper draws shares from 0 to 1 and so mixes the same pairs; here an image's own label
 * is always the larger part.  Pixels are mixed after crop and flip, in whole steps of 1/256, and rounded to bytes. One
 * thread at a time.
 */
#ifndef ESPALIER_DATA_MIXUP_H
#define ESPALIER_DATA_MIXUP_H

#include "data/images.h"
#include "util/random.h"

struct mixup {
    struct images images; /* as many as a batch has */
    struct view view;     /* of these; normalised as the view that the batches are of */
    uint8_t *cropped;     /* those of the batch before they are mixed */
    float *share;         /* that each image keeps, 0.5 to 1 */
};

/* For batches of at most `batch` images of this view, which it borrows.  mixup_done() it. */
void mixup_init(struct mixup *mixup, const struct view *view, int batch);
void mixup_done(struct mixup *mixup);
/* Draw the shares and mix the batch's images; `batch` then is of the mixed ones, each with its own label, until the
   next call. */
void mixup_apply(struct mixup *mixup, struct batch *batch, struct random_stream *stream);

#endif
