/*
 * checkpoint.h - the state of a long training between two epochs, from which it goes on to the same bits after a kill.
 *
 * It is a file beside the weights, FILE.checkpoint.  It holds the settings of its training as a text; with other settings
 * it is refused.
 */
#ifndef ESPALIER_CLI_COMMANDS_CHECKPOINT_H
#define ESPALIER_CLI_COMMANDS_CHECKPOINT_H

#include "arch/weights.h"
#include "nn/trainer.h"

struct checkpoint {
    char *path, *settings;
    int epochs;               /* done; 0: there is no state yet */
    int64_t total, trained;   /* of the network's weights */
    float *values, *velocity; /* at the end of the last of these epochs */
    struct average average;   /* likewise; of no values where the training has none */
};

/* For the training that writes `weights` to `out` and averages them with that decay, or not (0).  checkpoint_done() it. */
void checkpoint_init(struct checkpoint *checkpoint, const char *out, const struct weights *weights, double decay,
                     const char *settings);
/* Copy the state at the end of an epoch. */
void checkpoint_copy(struct checkpoint *checkpoint, const struct weights *weights, const struct epoch_report *report);
/* Write the copy to the file, if there is one. */
int checkpoint_write(const struct checkpoint *checkpoint, struct error *error);
/* Read the copy from the file. */
int checkpoint_read(struct checkpoint *checkpoint, struct error *error);
/* Remove the file when the training is done. */
void checkpoint_remove(const struct checkpoint *checkpoint);
void checkpoint_done(struct checkpoint *checkpoint);

#endif
