/*
 * checkpoint.h - the state of a training between two steps, from which it goes on to the same bits after a kill.
 *
 * It holds the settings of its training as a text; with other settings it is refused.  `espalier train` has it in a
 * file beside the weights, FILE.checkpoint; those of a search are in its session (checkpoints.h).  One thread at a
 * time.
 */
#ifndef ESPALIER_SEARCH_CHECKPOINT_H
#define ESPALIER_SEARCH_CHECKPOINT_H

#include "arch/weights.h"
#include "nn/trainer.h"

struct checkpoint {
    char *path, *settings;  /* `path` NULL: it is no file */
    int epochs, steps;      /* done, and of the next epoch; both 0: there is no state yet */
    struct step_result sum; /* of these steps, and the time that they took */
    double seconds;
    int64_t total, trained;   /* of the network's weights */
    float *values, *velocity; /* after the last of these steps */
    struct average average;   /* likewise; of no values where the training has none */
};

/* For a training of `weights` that averages them with that decay, or not (0).  `out`: the file of its weights, or NULL.
   checkpoint_done() it. */
void checkpoint_init(struct checkpoint *checkpoint, const char *out, const struct weights *weights, double decay,
                     const char *settings);
/* Copy the state. */
void checkpoint_copy(struct checkpoint *checkpoint, const struct weights *weights, const struct training_state *state);
/* Set the weights, and what `training` goes on from; it borrows the checkpoint. */
void checkpoint_restore(const struct checkpoint *checkpoint, struct weights *weights, struct training *training);
/* The copy as bytes, the caller's to free(), and back. */
void checkpoint_encode(const struct checkpoint *checkpoint, void **bytes, size_t *length);
int checkpoint_decode(struct checkpoint *checkpoint, const void *bytes, size_t length, struct error *error);
/* Write the copy to the file, if there is one. */
int checkpoint_write(const struct checkpoint *checkpoint, struct error *error);
/* Read the copy from the file. */
int checkpoint_read(struct checkpoint *checkpoint, struct error *error);
/* Remove the file when the training is done. */
void checkpoint_remove(const struct checkpoint *checkpoint);
void checkpoint_done(struct checkpoint *checkpoint);
/* The same for one on the heap; NULL is fine. */
void checkpoint_free(struct checkpoint *checkpoint);

#endif
