/*
 * checkpoint.h - where a long training stands between two epochs: enough to go on to the bit after a kill.
 *
 * One file beside the weights, FILE.checkpoint.  It is bound to the settings of its training, a text; another
 * training's is refused.
 */
#ifndef ESPALIER_CLI_COMMANDS_CHECKPOINT_H
#define ESPALIER_CLI_COMMANDS_CHECKPOINT_H

#include "arch/weights.h"
#include "nn/trainer.h"

struct checkpoint {
    char *path, *settings;
    int epochs;                /* done; 0: nothing is kept yet */
    int64_t total, trained;    /* of the network's weights */
    float *values, *velocity;  /* as they were then */
};

/* For the training that writes `weights` to `out`.  checkpoint_done() it. */
void checkpoint_init(struct checkpoint *checkpoint, const char *out, const struct weights *weights,
                     const char *settings);
/* Keep the state at an epoch's end, in memory. */
void checkpoint_keep(struct checkpoint *checkpoint, const struct weights *weights, const struct epoch_report *report);
/* What is kept, to the file; nothing where nothing is. */
int checkpoint_write(const struct checkpoint *checkpoint, struct error *error);
/* From the file, into memory. */
int checkpoint_read(struct checkpoint *checkpoint, struct error *error);
/* The training is whole: the file is not needed any more. */
void checkpoint_remove(const struct checkpoint *checkpoint);
void checkpoint_done(struct checkpoint *checkpoint);

#endif
