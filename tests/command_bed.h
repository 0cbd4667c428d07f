/*
 * command_bed.h - a search with a scripted evaluator, to which a person gives commands at chosen events.
 *
 * Commands are given from a sink, when a chosen event has happened: they wait in the engine's queue as those of a
 * terminal do, and the test needs no clock.
 */
#ifndef ESPALIER_TESTS_COMMAND_BED_H
#define ESPALIER_TESTS_COMMAND_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_bed.h"

/* When node `node` has an event of `kind` (node 0: any), give the words. */
struct cue {
    enum event_kind kind;
    int64_t node;
    const char *words;
};

struct play {
    struct engine *engine;
    const struct cue *cues; /* ends with NULL words; taken in order */
    char *answers;          /* of all commands, "words: answer\n", refused ones "words! reason\n" */
    struct text text;
    char order[4096]; /* events of interest, in order */
};

/* Run the search; every cue must come.  Its state, for perform_end(). */
struct session_state *perform(struct play *play, const struct search_options *options, const struct script *script,
                              const struct cue *cues);
void perform_end(struct play *play, struct session_state *state);
void assert_answers(const struct play *play, const char *expected);
/* bed_options() with a budget, from the start network. */
struct search_options options_of(int64_t networks);

#endif
