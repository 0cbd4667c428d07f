/*
 * checkpoints.h - the checkpoints of a search: the state of each network in training, so that a search which is killed
 * every few seconds still gets on.
 *
 * They are files of the session, checkpoints/nNODE.safetensors, which no event names: one that is missing, damaged or
 * of another training is passed over, and the network then begins anew.  A trainer makes one every few seconds, and
 * when its trial is cancelled.  A network that goes on has the weights, to the bit, that it would have had.
 *
 * The engine's thread only.
 */
#ifndef ESPALIER_SEARCH_CHECKPOINTS_H
#define ESPALIER_SEARCH_CHECKPOINTS_H

#include "search/journal.h"

/* What the trial's network has trained already, or NULL; the trial is complete but for this.  Only as many epochs as
   are in the network's curve. */
struct checkpoint *checkpoints_find(const struct journal *journal, const struct trial *trial, struct shape input);
/* The new one of this network; one that can't be written is not there. */
void checkpoints_write(const struct journal *journal, int64_t node, const void *bytes, size_t length);
void checkpoints_remove(const struct journal *journal, int64_t node);
/* Remove those of networks that don't wait for training, and what a kill left of a write. */
void checkpoints_tidy(const struct journal *journal);

#endif
