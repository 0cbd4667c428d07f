/*
 * engine_parts.h - what an engine is made of: for the files that know all its parts.  Each part has a header of its
 * own, and knows of those below it alone:
 *
 *     engine                             the loop
 *     commands    resume
 *     changes                            budgets and settings after the fact
 *     phases                             growth, baseline, finish
 *     proposals                          asks the learner, joins networks to the queue
 *     reports                            what comes back from the trainers
 *     parents     trials     learner
 *     checkpoints    keeping
 *     slots                              of the evaluator, which come and go
 *     stopping    start      record
 *     rounds      budget                 functions of state and options
 *     journal                            log, state, time
 *     evaluator   options    arch_index
 *     checkpoint
 */
#ifndef ESPALIER_SEARCH_ENGINE_PARTS_H
#define ESPALIER_SEARCH_ENGINE_PARTS_H

#include "search/proposals.h"
#include "util/queue.h"

struct command {
    enum event_author by;
    char *words;
};

struct engine {
    struct search_options options;
    struct search_data data;
    struct start_network start;
    struct event_integers match; /* of a new search: FLOPs of the networks of --match; else in the state's facts */
    struct event_texts changes;  /* options that change when this process begins */
    struct evaluator *evaluator;
    struct journal journal;
    struct trials trials;
    struct parents parents;
    struct learner learner;
    struct proposals proposals;
    struct queue *commands; /* struct command */
    atomic_bool stop;
    enum finish_reason ending; /* why all training is being cancelled; FINISH_UNKNOWN: it isn't */
};

#endif
