/*
 * keeping.h - --keep best: removes the weights of networks that nothing needs any more, so that a long search doesn't fill
 * the disk.
 *
 * What stays: the start network, the best, the winners so far, the parents of networks that wait or train, pinned
 * networks and a person's.  In a race also those of the last round, one of which is the next parent; so a race goes the
 * same way as with all weights, unless its winners are pruned.  In other searches also the best and the youngest, as many
 * as --population says: parents are chosen among these then.
 *
 * A DROPPED event names the networks before their files are removed.  The engine's thread only.
 */
#ifndef ESPALIER_SEARCH_KEEPING_H
#define ESPALIER_SEARCH_KEEPING_H

#include "search/journal.h"
#include "search/options.h"

/* Drop what isn't needed any more, if the options say so. */
void keeping_drop(struct journal *journal, const struct search_options *options);
/* Remove files that were dropped, and that a kill has left. */
void keeping_tidy(const struct journal *journal);

#endif
