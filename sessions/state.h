/*
 * state.h - the one reducer: session_apply(state, event) is the only code that turns events into state.
 *
 * The live screen, headless progress, resume, replay, attach, show and the tests all fold the same events
 * with it.  No clock, no randomness, no I/O; one thread a state; borrows the event and copies what it keeps.
 */
#ifndef ESPALIER_SESSIONS_STATE_H
#define ESPALIER_SESSIONS_STATE_H

#include "sessions/event.h"
#include "util/hash.h"

enum node_status { NODE_QUEUED, NODE_RUNNING, NODE_DONE, NODE_FAILED, NODE_CANCELLED, NODE_STATUS_COUNT };

struct curve_point {
    double rate, train_loss, train_accuracy, validation_loss, validation_accuracy;
};

/* Of the layers of a trained network, as RESULT has them. */
enum health_measure { HEALTH_WEIGHT_NORM, HEALTH_GRADIENT_NORM, HEALTH_DEAD, HEALTH_FRESH, HEALTH_MEASURES };

struct session_node {
    struct event_proposal facts; /* as it joined; facts.node is its number */
    double joined, started, ended; /* event times; started and ended 0 while unknown */
    enum node_status status;
    int attempts;
    int64_t start_event;         /* the number of its last STARTED, 0 before that */
    char *device;                /* that trains or trained it, or NULL */
    int epochs;                  /* planned, 0 before it started */
    int curve_count;
    struct curve_point *curve;   /* of the last attempt; point i is epoch i + 1 */
    size_t curve_capacity;       /* private to state*.c, as `references`: the states that share this network */
    int references;
    double accuracy, loss;       /* of the result; accuracy is the last curve point's while it trains */
    double seconds, images_per_second;
    char *weights, *weights_hash; /* NULL before the result */
    char *stopped;               /* why it wasn't trained to the end, or NULL; then: what it was predicted to reach */
    double predicted;
    char *failure;               /* of the last attempt: "diverged: loss is not finite at step 12", or NULL */
    struct event_word failure_reason; /* an enum failure_reason; none while `failure` is NULL */
    int loss_count;              /* devices that were lost while it trained, up to NODE_LOSSES_MAX */
    char *lost_on;               /* their ids: "node7/cuda:0, node3/cuda:1", or NULL */
    struct event_reals health[HEALTH_MEASURES]; /* one value for each layer, or all empty: not measured */
    bool pinned, pruned;
    bool dropped;                /* its file of weights was removed: nothing grows from it any more */
    int64_t pruned_with;         /* the network that was pruned, itself or one above it; 0: not pruned */
    double pruned_at;            /* event time; of the network that was pruned itself */
    enum event_author pruned_by;
    char *note;
    int child_count;
    int64_t first_child, next_sibling; /* private to state*.c, newest first; 0: none */
    int known_count;             /* proposals that led here again */
    int64_t control_proposal;    /* the last one that was a control of it, or 0 */
    int fruitless_count;         /* proposals from it since the last that led to a new network: see proposal_record */
    bool observed;               /* by the policy, as a network of a person: the field `asked` of POLICY */
    /* Of the running step, transient. */
    int64_t step, steps;
    double step_loss, step_rate;
};

/* What a search is doing.  A function of its networks: session_phase(). */
enum session_phase {
    PHASE_START,    /* the start network has no weights yet */
    PHASE_GROWTH,
    PHASE_BASELINE, /* the template of the limits trains, which the winner has to beat */
    PHASE_FINISH    /* the winner trains for the last time */
};

struct session_test { int64_t node; double accuracy, loss; int64_t images; double time; };

struct policy_record {
    struct event_policy facts;
    double time;
    int references;              /* private to state*.c: the states that share it */
};

struct session_device {
    char *id, *name;
    char *host, *speed_class;    /* of one of another machine, as JOINED has them; else "" */
    int64_t node;                /* in training, or 0 */
    struct event_sample sample;  /* the last, its `device` NULL; time of it below */
    double sampled;              /* negative: never */
    bool lost;                   /* to the process that has the session */
    bool left;                   /* it went in good order, or has not joined this process yet */
    int next;                    /* private to state*.c */
};

/* A command of a person that was not refused, other than `undo`, and what it did (steps.h). */
struct session_step {
    int64_t number;              /* of its COMMAND event */
    double time;
    enum event_author by;
    char *words;
    enum event_kind effect;      /* of the event that followed it; EVENT_COMMAND: none did */
    int64_t node;                /* NODE, PRUNED, PINNED, NOTED: of which network; else 0 */
    bool back;                   /* PRUNED, PINNED: the pruning or pin was taken back */
    const char *setting;         /* BUDGET, SETTINGS: what it changed ("networks", "rate"), static; NULL: nothing */
    double before, after;        /* that setting */
    char *note;                  /* NOTED: the note before, or NULL */
    int64_t undone_by;           /* number of the COMMAND that took it back, or 0 */
    int references;              /* private to state*.c: the states that share it */
};
enum step_waits { STEP_NONE, STEP_NEW, STEP_OLD_UNDO };

/* A proposal and its answer, in order; resume feeds unfinished batches from here. */
struct proposal_record {
    enum event_kind answer;      /* EVENT_NODE, EVENT_KNOWN or EVENT_REFUSED */
    struct event_proposal facts; /* of that event; facts.node is 0 when it was refused */
    int64_t control;             /* the network that is the control of this round for the same parent, or 0 */
    bool fruitless;              /* nothing new can come of it: refused, or known and no longer in training */
    int references;              /* private to state*.c: the states that share it */
};

struct session_state {
    struct event_session facts;  /* of the first event */
    int64_t last_number;
    double time;                 /* of the last event */
    int64_t event_count;         /* durable ones applied */

    int64_t node_count;          /* nodes[i] is node i + 1 */
    struct session_node **nodes;
    int64_t status_count[NODE_STATUS_COUNT];
    int64_t best;                /* node with the highest result accuracy (the earlier of equals), or 0; once there is a
                                    finished network, the best of these: that is what the search hands over */
    double best_time;            /* when it became best */

    int64_t proposal_count;      /* proposals[i] is proposal i + 1 */
    struct proposal_record **proposals;
    int64_t known_count, refused_count, failure_count;
    int64_t not_new_count;       /* known and refused ones since one was new, a network was done, or the search was exhausted */
    int64_t episode;             /* of the last proposal */
    int64_t round_first;         /* the first proposal of those in a row that have its episode */

    int64_t policy_count;
    struct policy_record **policies; /* policies[i] is update i + 1 */

    int device_count;
    struct session_device *devices; /* in no order that means anything once some have gone */
    struct event_texts instructions; /* of the CPU backend: each set that a process had, the first one first */

    int64_t budget_episodes, budget_networks; /* 0: no limit; the options' until a BUDGET event */
    double budget_seconds, budget_flops;
    struct event_texts changed;  /* options in force that are not those of the first event: "name=value" */
    int64_t epochs;              /* of grown networks that start from now on, and their initial learning rate: the */
    double rate;                 /* options' until a SETTINGS event; 0 and -1: the first event doesn't say */
    bool paused, finished;
    bool served;                 /* workers train for the process that has the session: it began without a device, or
                                    one of another machine has joined */
    bool held;                   /* paused, or waits for a device: such time is not counted */
    double held_at, held_seconds; /* event time from which on it is held; of all such times before */
    struct event_word finish_reason; /* an enum finish_reason; none before the first FINISHED */
    char *finish_message;
    struct session_test test;    /* of the finished network on the test images; node 0: not yet */
    int64_t opened_count;
    int64_t unpruned_count;      /* times that a pruning was taken back */
    int64_t command_count;
    int64_t step_count;
    struct session_step **steps; /* steps[i] is step i + 1 */

    /* Private to state*.c: capacities of the arrays; the sum of the hashes of every event's facts.  It covers facts that
       the state doesn't keep, and doesn't depend on the order of events that trainers finished side by side. */
    size_t node_capacity, proposal_capacity, policy_capacity, step_capacity, device_capacity;
    int *device_chains;          /* of devices by the hash of their id: state_devices.c */
    int device_chain_count, device_hand;
    struct hash history;
    struct text scratch;
    int64_t *started;            /* networks that started since all training stopped; some have ended */
    size_t started_count, started_capacity;
    int64_t joined_pruned;       /* networks that joined below a pruned one */
    enum step_waits step_waits;  /* the next event is the effect of the newest step, or of an undo that names no step */
};

enum { SESSION_UNPRUNED_MAX = 1000 }; /* times that a pruning is taken back: each walks over what was pruned */
enum { SESSION_INSTRUCTIONS_MAX = 16 };
enum { SESSION_CHANGED_MAX = 200 }; /* options that a session may change; each look-up walks over them */
enum { SESSION_DEVICES_MAX = 4096 }; /* at a time; those of other machines that are gone may be forgotten */
enum { NODE_LOSSES_MAX = 8 }; /* that are counted */
enum { DEVICES_FEW = 4 }; /* more than a few: session_is_asynchronous() */

struct session_state *session_state_new(void);
void session_state_free(struct session_state *state);
/* A keyframe.  Neither sees what happens to the other, but they share the networks and proposals that are the same in
   both, without a lock: a state and its copies belong to one thread.  A network of a state that has copies moves when
   an event changes it: ask session_node() again. */
struct session_state *session_state_copy(const struct session_state *state);

/* 0, or -1 when the event contradicts the state (a result for a node that never joined): the log was not
   written by this program, or is damaged.  A state that refused an event is unchanged. */
int session_apply(struct session_state *state, const struct event *event, struct error *error);
/* Would session_apply() take it?  A writer asks before it appends, so that no log holds an event that can't be
   folded. */
int session_accepts(const struct session_state *state, const struct event *event, struct error *error);

/* The process that had the session is known to be dead: what was in training is in the queue, as the next OPENED will
   have it. */
void session_release(struct session_state *state);

/* Seconds of the search up to event time `now`, without pauses and times without a device: what the budget of seconds
   counts. */
double session_active_seconds(const struct session_state *state, double now);
/* By the last network that the search itself made, a person's left out: GROWTH after the start network, and again when
   a larger budget lets more networks grow after a finish. */
enum session_phase session_phase(const struct session_state *state);
/* FLOPs of training so far: 3 passes, for each image of each epoch that is in a network's curve; of all, and of one. */
double session_flops(const struct session_state *state);
double node_flops_spent(const struct session_state *state, const struct session_node *node);
/* What a network is trained for. */
enum session_phase node_phase(const struct session_node *node);
/* The control of the round in which a child joined, once that is trained; 0: there is none. */
int64_t session_control(const struct session_state *state, int64_t node);
/* Accuracy of a trained network over its control's or, where there is none, over its parent's; `*over` is that network.
   False: one of the two isn't trained. */
bool session_gain(const struct session_state *state, int64_t node, double *gain, int64_t *over);
/* The network whose weights it began with; 0: fresh ones. */
int64_t node_inherits(const struct session_node *node);
/* Does it train at the end of a search, as a baseline, a retrained network or a finish? */
bool node_is_final(const struct session_node *node);
/* The device with this id, or NULL. */
const struct session_device *session_device(const struct session_state *state, const char *id);
/* Can it train now?  It is neither lost nor has it left; and how many can. */
bool device_is_present(const struct session_device *device);
int session_devices_present(const struct session_state *state);
/* Is there none, while a process has the session that trains on other machines?  Training goes on when one joins.  A
   process that trains by itself never waits: when its last GPU is lost, a processor takes that one's place. */
bool session_waits_for_device(const struct session_state *state);
/* A measure of one layer of a network; NaN: that layer has none, or it was not measured. */
double node_health(const struct session_node *node, int layer, enum health_measure measure);
/* NULL when there is no such node. */
const struct session_node *session_node(const struct session_state *state, int64_t node);
/* Is it in the queue or in training? */
bool node_is_pending(const struct session_node *node);
/* Did it fail or was it cancelled?  Then a person may ask for the same network again. */
bool node_has_no_result(const struct session_node *node);
/* The value of an option in force: of the last event that changed it, else of the first event; or NULL. */
const char *session_option(const struct session_state *state, const char *name);
/* Has the option this value? */
bool session_option_is(const struct session_state *state, const char *name, const char *word);
/* Does its policy propose without waiting until it has learned from the episode before?  By the option asynchronous:
   `auto` is yes while more than DEVICES_FEW devices are there, of which that wait would leave many idle. */
bool session_is_asynchronous(const struct session_state *state);
/* How many proposals the policy's next update learns from: an episode or, if that is less and nothing waits for it, a
   quarter of the devices. */
int64_t session_update_size(const struct session_state *state);

/* Hash of the durable state without its TIMING fields and without event times.  Equal for live and replay, for
   a fold with and without transient events, and for two runs of one seed with one trainer
   and one instruction set. */
struct hash session_digest(const struct session_state *state);

#endif
