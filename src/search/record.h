/*
 * record.h - options, session and proposals as facts of the log, and back.  Pure, but for the names of host and
 * process.
 *
 * What is written here must be enough to do the run again; resume and the policy's batches are made of what is read
 * back.
 */
#ifndef ESPALIER_SEARCH_RECORD_H
#define ESPALIER_SEARCH_RECORD_H

#include "data/facts.h"
#include "search/evaluator.h"
#include "search/options.h"
#include "sessions/state.h"

struct search_data { /* what the first event says of the data */
    struct shape input;
    int classes;
    int64_t train_images, validation_images;
    struct hash hash;
    const struct data_facts *facts; /* of these images; NULL: not known */
    bool own_validation;            /* the set has validation images of its own, for every seed */
    double speed;                   /* FLOPs of training a second, on all devices together; 0: not measured */
};

/* "channels,height,width", as sessions have it. */
enum { RECORD_INPUT = 48 };
const char *record_input(struct shape input, char text[RECORD_INPUT]);
/* `match`: FLOPs of the networks of --match. */
void record_session(const struct search_options *options, const struct search_data *data,
                    const struct event_integers *match, const struct evaluator *evaluator, struct event *event);
/* What its first event says of its data; unknown in sessions from before these fields.  data_facts_done() them. */
void data_facts_of_session(const struct event_session *session, struct data_facts *facts);
void record_opened(const struct evaluator *evaluator, struct event *event);
/* The options of a session that are in force, but for budgets, epochs and rate, which are those of its first event. */
int options_of_session(const struct session_state *state, struct search_options *options, struct error *error);

/* The fields of `kind` that say what a proposal is: its actions on `parent`, and how they were sampled. */
void record_proposal(const struct proposal *proposal, const struct arch *parent, enum event_kind kind,
                     struct event_proposal *facts);
/* The proposal again; its sums (log-probability, entropy) stay 0. */
int recorded_proposal(const struct arch *parent, const struct event_proposal *facts, struct proposal *proposal,
                      struct error *error);

#endif
