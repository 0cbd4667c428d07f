/*
 * internal.h - what the files of the engine share.  engine.c has the model and its invariants.
 */
#ifndef ESPALIER_SEARCH_INTERNAL_H
#define ESPALIER_SEARCH_INTERNAL_H

#include <stdatomic.h>

#include "search/engine.h"
#include "util/queue.h"

/* --- pool.c: the networks of the session, by architecture --- */

struct pool_entry {
    struct hash hash;
    int64_t node; /* 0: empty */
};
struct pool {
    int64_t count;
    size_t capacity; /* a power of two, at least twice the count; 0 before the first */
    struct pool_entry *entries;
};
void pool_put(struct pool *pool, struct hash hash, int64_t node); /* replaces the one that is there */
int64_t pool_find(const struct pool *pool, struct hash hash);     /* 0: unknown */
void pool_done(struct pool *pool);

/* --- monitor.c: a thread that samples devices; NULL samples none --- */

struct monitor;
struct monitor_sample {
    char device[sizeof((struct device *)0)->id];
    struct device_sample sample;
};
struct monitor *monitor_new(const struct device *devices, int count);
bool monitor_take(struct monitor *monitor, struct monitor_sample *sample);
void monitor_free(struct monitor *monitor);

/* --- engine.c --- */

/* Why a network isn't trained to the end, and what it would have come to. */
struct verdict {
    double predicted;
    struct error reason;
};

struct slot {
    int64_t node;   /* in training; 0: free */
    bool judged;    /* after each epoch */
    bool cancelled; /* it was asked to stop */
    bool again;     /* and goes back to the queue */
    bool stopped;   /* it was judged not worth the rest of its training */
    struct verdict verdict;
};

struct command {
    char *by, *words;
};

struct engine {
    struct search_options options;
    struct engine_data data;
    const struct space *space;
    struct arch_limits limits;
    struct engine_start { /* the start network */
        struct arch arch;
        char *weights; /* file of another session that has its weights, or NULL: trained from scratch */
        struct hash hash;
    } start;
    struct event_integers match; /* of a new search: FLOPs of the networks of --match; then in the state's facts */

    struct log_writer *log;
    struct session_state *state;
    struct engine_sink sinks[ENGINE_SINKS_MAX];
    int sink_count;
    double time_before, opened; /* event time when this process took the session, and the clock then */

    struct evaluator *evaluator;
    struct slot *slots;
    int slot_count, running;
    int64_t *queue; /* networks to train next, the first at 0 */
    size_t queue_count, queue_capacity;

    const struct policy_kind *policy_kind;
    struct policy *policy;
    struct policy_options policy_options;
    struct prospect *prospects; /* parents.c: of node i + 1 as a parent, for the first prospect_count */
    int64_t prospect_count, proposals_seen;
    struct pool pool;
    int barren;          /* proposals in a row that led to no new network, since one was last trained */
    int failures;        /* networks in a row that failed, in this process: whoever resumes has seen to the cause */
    int64_t last_failed; /* of those */

    struct queue *commands; /* struct command */
    atomic_bool stop;
    const char *ending; /* why all training is being cancelled: "interrupted", "budget"; NULL: it isn't */

    int disk_tries; /* after a write that failed; disk_wait seconds apart */
    double disk_wait;
    bool broken; /* the session can't be written: nothing more happens */
    struct error trouble;
};

/* The search ends when this many proposals in a row led to networks that are known or can't be built, every network that
   may be a parent is spent (parents.c), and none is in training from which others may grow. */
enum { ENGINE_BARREN_MAX = 50 };
/* … or this many networks in a row failed: weights are lost, or the training can't work. */
enum { ENGINE_FAILURES_MAX = 20 };

double engine_time(const struct engine *engine);
/* Number, write, fold and show an event, which is taken over.  -1: the engine is broken. */
int engine_emit(struct engine *engine, struct event *event);
/* Write FOLDER/NAME of the session, waiting for a full disk as engine_emit does. */
int engine_write(struct engine *engine, const char *folder, const char *name, const void *bytes, size_t length);
/* The architecture of a node. */
void engine_arch(const struct engine *engine, int64_t node, struct arch *arch);
/* Cancel everything that trains; `ending` is the reason of the FINISHED event. */
void engine_end(struct engine *engine, const char *ending);

/* --- start.c: what the options mean --- */

/* Can a network be of this search: of its images, its classes and its space? */
int engine_check_arch(const struct search_options *options, const struct engine_data *data, const struct arch *arch,
                      struct error *error);
/* The start network that the options name. */
int engine_find_start(struct engine *engine, struct error *error);
/* What a policy that aims at the networks of another session should know of it. */
int engine_find_match(struct engine *engine, struct error *error);
/* Space, limits and policy, from the options. */
void engine_prepare(struct engine *engine);

/* --- resume.c --- */

/* Options, pool, queue and policy from the folded state; checks everything that a log from elsewhere could get
   wrong. */
int engine_restore(struct engine *engine, struct error *error);

/* --- record.c: options, session and nodes as facts --- */

/* "channels,height,width", as sessions have it. */
enum { RECORD_INPUT = 48 };
const char *record_input(struct shape input, char text[RECORD_INPUT]);
void record_session(const struct engine *engine, struct event *event);
void record_opened(const struct engine *engine, struct event *event);
/* What the actions of a node or proposal record were. */
void record_actions(const struct proposal *proposal, const struct arch *parent, struct event_texts *actions,
                    struct event_integers *steps, struct event_reals *probabilities);
int record_proposal(const struct arch *parent, const struct event_texts *actions, const struct event_integers *steps,
                    const struct event_reals *probabilities, struct proposal *proposal, struct error *error);

/* --- propose.c: proposals and where they lead --- */

/* Where a proposal leads. */
enum growth { GROWTH_NEW, GROWTH_KNOWN, GROWTH_REFUSED };
struct growing {
    int64_t parent;
    struct arch parent_arch, arch;
    struct proposal proposal;
    int64_t known; /* GROWTH_KNOWN: the node */
};
/* Look at `growing` (parent, parent_arch, proposal), fill in the rest; the error has the reason of a refusal. */
enum growth growing_check(const struct engine *engine, struct growing *growing, struct error *error);
/* Did this network end without a result?  Then a person may ask for it again. */
bool node_came_to_nothing(const struct session_node *node);
/* A new network joins tree, pool and queue. */
void growing_join(struct engine *engine, const struct growing *growing, const char *by, int64_t episode,
                  int64_t proposal);
/* Propose until a new network is in the queue.  False: there is none for now, none yet, or none ever (propose_end). */
bool propose(struct engine *engine);
/* Why no more networks will be proposed: a FINISHED event's reason with `message`; NULL: more may come. */
const char *propose_end(struct engine *engine, struct error *message);
/* Do the networks of --actions take the place of a policy's proposals? */
bool is_manual(const struct engine *engine);

/* --- learn.c --- */

/* Let the policy learn from every batch that is complete. */
void learn(struct engine *engine);

/* --- parents.c --- */

int64_t parent_choose(struct engine *engine, int64_t proposal);
/* Did the last proposals from each network that may be a parent lead to nothing new? */
bool parents_spent(struct engine *engine);
/* Growing from this network failed: look at it again before it is chosen again. */
void parent_doubt(struct engine *engine, int64_t node);

/* --- trials.c: the queue and the slots --- */

void trials_enqueue(struct engine *engine, int64_t node);
void trials_dequeue(struct engine *engine, int64_t node); /* when it is there */
void trials_fill(struct engine *engine);
/* How grown networks train that start now: as a person has set it, else by the options. */
int64_t trials_epochs(const struct engine *engine);
double trials_rate(const struct engine *engine);
void trials_report(struct engine *engine, struct report *report);
/* Ask a node's training, if it runs, to stop. */
void trials_cancel(struct engine *engine, int64_t node, bool again);

/* --- stopping.c --- */

/* Is it asked of this network, after each epoch, whether it goes on? */
bool stopping_applies(const struct engine *engine, const struct session_node *node);
/* Should it stop now, after the last epoch of its curve?  Then `verdict` says why. */
bool stopping_judge(const struct engine *engine, int64_t node, struct verdict *verdict);

/* --- commands.c --- */

void commands_handle(struct engine *engine);

#endif
