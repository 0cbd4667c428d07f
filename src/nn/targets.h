/*
 * targets.h - what the probabilities of a batch should be, where its labels alone don't say it: mixed labels (mixup),
 * or those of a teacher.
 *
 * A teacher sees the images as the student does, cropped, flipped and mixed, and its probabilities are the targets
 * (distillation as function matching: Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and
 * consistent"), at temperature 1.  On the trainer's thread.
 */
#ifndef ESPALIER_NN_TARGETS_H
#define ESPALIER_NN_TARGETS_H

#include "nn/trainer.h"

struct targets;

/* Set `*targets`, to NULL where the labels say all.  Borrows the view, and the training's teacher, which takes the same
   images and has the same classes (asserted).  TRAINING_REFUSED on a device, which has no targets yet,
   TRAINING_NO_MEMORY: the message says what to do. */
enum training_outcome targets_open(const struct backend *backend, const struct training *training,
                                   const struct view *view, struct targets **targets, struct error *error);
void targets_free(struct targets *targets); /* NULL is fine */
/* Give the batch of step `step` its targets; it is of mixed images where this is one of the batches that are mixed.
   What it then points to is valid until the next call. */
void targets_set(struct targets *targets, struct batch *batch, uint32_t step);

#endif
