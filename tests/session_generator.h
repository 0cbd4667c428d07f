/*
 * session_generator.h - plausible sessions for tests and benches: a whole search is played with random outcomes.
 *
 * The events are those that an engine with several trainers would write: episodes of proposals (some known, some
 * refused), epochs that improve, failures that are tried again, a person who pins, prunes, notes and pauses,
 * processes that die and resume.  Architectures, actions and costs are real ones (arch/).  The same recipe gives the
 * same events.  The generator keeps its own books, not the reducer's: what it expects of the end is a check.
 */
#ifndef ESPALIER_TESTS_SESSION_GENERATOR_H
#define ESPALIER_TESTS_SESSION_GENERATOR_H

#include "sessions/state.h"

struct session_recipe {
    uint64_t seed;
    int networks;         /* that join the tree, the start network included */
    int episode_networks; /* proposals an episode */
    int epochs;           /* of a grown network */
    int steps;            /* STEP events an epoch */
    int devices;
    bool from_start;       /* every network grows from the start network; else from a good one */
    double person;         /* chance that a person pins, prunes, notes, pauses or asks, an epoch */
    double failures;       /* share of attempts that fail */
    double crashes;        /* chance that the process dies, an epoch */
    double sample_seconds; /* between samples of the devices; 0: none */
    bool finished;         /* runs to its end; else the process dies in the middle of the last networks */
};

/* 60 networks, 10 an episode, 5 epochs, 2 devices, some of everything. */
struct session_recipe session_recipe_default(uint64_t seed);

/* What must come of it, by the generator's own books. */
struct session_expectation {
    int64_t nodes, status[NODE_STATUS_COUNT], known, refused, proposals, updates, failures;
    int64_t events, durable_events;
    int64_t best;
    double best_accuracy, time;
};

/* `sink` sees every event in order, numbered and timed; it copies what it keeps. */
struct session_expectation session_generate(const struct session_recipe *recipe,
                                            void (*sink)(void *context, const struct event *event), void *context);

/* A sink that keeps everything. */
struct event_list {
    struct event *items;
    size_t count, capacity;
};
void event_list_add(void *list, const struct event *event);
void event_list_done(struct event_list *list);

#endif
