/*
 * keeping.h - --keep best: removes the weights of networks that nothing needs any more, so that a long search doesn't
 * fill the disk.
 *
 * What stays: the start network, the best, the winners so far, every finish, the parents of networks that wait or
 * train, pinned networks and a person's.  In a race also those of the last round, one of which is the next parent; so a
 * race goes the same way as with all weights, unless its winners are pruned.  In other searches also the best and the
 * youngest that aren't pruned, as many as --population says: parents are chosen among these then.
 *
 * A DROPPED event names the networks before their files are removed.  Files may also be gone without one: a person
 * removed them, or made a copy without them.  A resumed search writes the event for these, so that nothing grows from
 * them.  The engine's thread only.
 */
#ifndef ESPALIER_SEARCH_KEEPING_H
#define ESPALIER_SEARCH_KEEPING_H

#include "search/journal.h"
#include "search/options.h"

/* Is the file of its weights there? */
bool keeping_has_weights(const struct journal *journal, int64_t number);
/* -1 when weights are gone and no network is left that others may grow from. */
int keeping_check(const struct journal *journal, const struct search_options *options, struct error *error);
/* Write that weights are dropped whose files are gone. */
void keeping_note_missing(struct journal *journal);
/* Drop what isn't needed any more, if the options say so. */
void keeping_drop(struct journal *journal, const struct search_options *options);
/* Remove files that were dropped, and that a kill has left.  Where the options keep all, a file that was missing and has come
   back stays. */
void keeping_tidy(const struct journal *journal, const struct search_options *options);

#endif
