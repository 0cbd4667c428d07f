/*
 * trials.h - the queue of networks to train, and the slots of the evaluator that train them.
 *
 * The engine's thread only.  It borrows what it is made with.
 */
#ifndef ESPALIER_SEARCH_TRIALS_H
#define ESPALIER_SEARCH_TRIALS_H

#include "export/notes.h"
#include "search/slots.h"
#include "search/start.h"

struct trials {
    struct journal *journal;
    struct slots slots;
    const struct search_options *options;
    const struct start_network *start;
    struct shape input;
    struct notes notes; /* of every file of weights */
    int64_t *queue;     /* networks to train next, the first at 0 */
    size_t queue_count, queue_capacity;
    int failures;        /* networks in a row that failed, in this process: whoever resumes has seen to the cause */
    int64_t last_failed; /* of those */
    bool ending;         /* all were asked to stop */
    struct error broken; /* why the evaluator can run no more trials; "": it can */
};

void trials_init(struct trials *trials, struct journal *journal, struct evaluator *evaluator,
                 const struct search_options *options, const struct start_network *start,
                 const struct search_data *data);
void trials_done(struct trials *trials);

void trials_enqueue(struct trials *trials, int64_t node);
void trials_dequeue(struct trials *trials, int64_t node); /* when it is there */
/* Take the first of the queue into a free slot. */
void trials_start(struct trials *trials, int slot);
/* A slot has joined that trains a network already (evaluator.h): take it up, if that trial would start now. */
void trials_adopt(struct trials *trials, int slot, int64_t node);
/* Ask a network's training, if it runs, to stop; `again`: then it goes back to the queue. */
void trials_cancel(struct trials *trials, int64_t node, bool again);
/* The same for all; they go back to the queue, and none is adopted any more. */
void trials_cancel_all(struct trials *trials);
/* Those that wait fail for good when the weights that they would begin with are dropped. */
void trials_fail_orphans(struct trials *trials);
/* This attempt ended without a result; `again`: the network goes back to the queue, unless it is pruned. */
void trials_fail(struct trials *trials, int64_t node, enum failure_reason reason, const char *message, bool again);

/* How grown networks train that start now: as a person has set it, else by the options. */
int64_t trials_epochs(const struct session_state *state, const struct search_options *options);
double trials_rate(const struct session_state *state, const struct search_options *options);

#endif
