/*
 * parents.h - which network the next one grows from.
 *
 * A function of the options and the session's state; beside them it keeps which networks can grow, since neither space
 * nor limits change and to find out is slow.  The engine's thread only.  It borrows what it is made with.
 */
#ifndef ESPALIER_SEARCH_PARENTS_H
#define ESPALIER_SEARCH_PARENTS_H

#include "search/journal.h"
#include "search/options.h"

struct parents {
    const struct journal *journal;
    const struct search_options *options;
    const struct policy *policy; /* of one that takes actions every network may be a parent: a person chooses what grows */
    enum growth { GROWTH_UNKNOWN, CAN_GROW, CAN_NOT_GROW } *growth; /* of node i + 1, for the first `count` */
    int64_t count;
};

/* The parent of proposal number `proposal`, which is the next. */
int64_t parents_choose(struct parents *parents, int64_t proposal);
/* Are all networks that may be a parent exhausted: did the last proposals from each lead to nothing new? */
bool parents_exhausted(struct parents *parents);
/* Growing from this network failed: before it is chosen again, look whether it can grow. */
void parents_recheck(struct parents *parents, int64_t node);
void parents_done(struct parents *parents);

#endif
