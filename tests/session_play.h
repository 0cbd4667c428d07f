/* session_play.h - a search that is played: what the files of the generator share. */
#ifndef ESPALIER_TESTS_SESSION_PLAY_H
#define ESPALIER_TESTS_SESSION_PLAY_H

#include "arch/space.h"
#include "session_generator.h"
#include "util/random.h"

enum { DEVICES = 16 };

struct plan {
    struct arch arch;
    struct hash hash;
    int64_t parent;
    enum node_status status;
    int attempts, epochs;
    bool pruned;
    double target, accuracy;
};

struct lane {
    int64_t node; /* 0: idle */
    int epoch;
    double due; /* when its epoch ends */
};

struct play {
    struct session_recipe recipe;
    void (*sink)(void *context, const struct event *event);
    void *context;
    struct random_stream random;
    struct session_expectation expected;
    struct plan *nodes;
    size_t capacity;
    struct lane lanes[DEVICES];
    const struct space *space;
    struct shape input;
    int64_t number, episode;
    double time, sampled;
    double last; /* time of the last event */
};

double play_uniform(struct play *play);
bool play_chance(struct play *play, double share);
int64_t play_below(struct play *play, int64_t bound);
struct plan *play_plan_of(struct play *play, int64_t node);
/* Number it, time it, hand it on, free it. */
void play_emit(struct play *play, struct event *event);

/* session_proposals.c: the start network joins; an episode of proposals. */
void play_start_network(struct play *play);
void play_propose_episode(struct play *play);

#endif
