/*
 * trials.h - the queue of networks to train, the slots of the evaluator that train them, and what comes back.
 *
 * The engine's thread only.  It borrows what it is made with.
 */
#ifndef ESPALIER_SEARCH_TRIALS_H
#define ESPALIER_SEARCH_TRIALS_H

#include "export/notes.h"
#include "search/journal.h"
#include "search/start.h"
#include "search/stopping.h"

struct trial_slot {
    int64_t node;   /* in training; 0: free */
    bool may_stop;  /* it is asked after each epoch whether it stops early */
    bool cancelled; /* it was asked to stop */
    bool again;     /* and goes back to the queue */
    bool stopped;   /* early, for the reason in `stop` */
    struct early_stop stop;
};

struct trials {
    struct journal *journal;
    struct evaluator *evaluator;
    const struct search_options *options;
    const struct start_network *start;
    struct shape input;
    struct notes notes; /* of every file of weights */
    struct trial_slot *slots;
    int slot_count, running;
    int64_t *queue; /* networks to train next, the first at 0 */
    size_t queue_count, queue_capacity;
    int failures;        /* networks in a row that failed, in this process: whoever resumes has seen to the cause */
    int64_t last_failed; /* of those */
};

void trials_init(struct trials *trials, struct journal *journal, struct evaluator *evaluator,
                 const struct search_options *options, const struct start_network *start,
                 const struct search_data *data);
void trials_done(struct trials *trials);

void trials_enqueue(struct trials *trials, int64_t node);
void trials_dequeue(struct trials *trials, int64_t node); /* when it is there */
/* A free slot on the least busy device; -1: there is none. */
int trials_free_slot(const struct trials *trials);
/* Take the first of the queue into a free slot. */
void trials_start(struct trials *trials, int slot);
/* Ask a network's training, if it runs, to stop; `again`: then it goes back to the queue. */
void trials_cancel(struct trials *trials, int64_t node, bool again);
/* The same for all; they go back to the queue. */
void trials_cancel_all(struct trials *trials);
/* Those that wait fail for good when the weights that they would begin with are dropped. */
void trials_fail_orphans(struct trials *trials);
/* Write what a report says; it is taken over.  The network when it failed for good, else 0. */
int64_t trials_report(struct trials *trials, struct report *report);

/* How grown networks train that start now: as a person has set it, else by the options. */
int64_t trials_epochs(const struct session_state *state, const struct search_options *options);
double trials_rate(const struct session_state *state, const struct search_options *options);

#endif
