/*
 * policy.h - the interface of policies, which decide how a network grows.
 *
 * A policy makes a proposal on a parent's architecture, and later observes batches of proposals with their outcomes.  It
 * has nothing to do with weights, threads or files, and keeps no proposals: an outcome has all that it learns from (the
 * parent and the sampled actions are facts of the session).  So a resumed search learns exactly as an uninterrupted one.
 * One thread.
 */
#ifndef ESPALIER_POLICY_POLICY_H
#define ESPALIER_POLICY_POLICY_H

#include "arch/space.h"
#include "util/random.h"

enum { PROPOSAL_ACTIONS_MAX = 256, PROPOSAL_STEPS_MAX = 32 };

/* A wider decision widens any number of layers, whose actions share its `step`; a deeper decision inserts one layer, or
   none where none can be inserted.  Each action applies to the architecture that is left by those before it. */
struct proposed_action {
    struct action action;
    int step;
    float probability; /* of this choice, by the policy, for the screen; 1 for a person's */
};

struct proposal {
    int count;
    struct proposed_action actions[PROPOSAL_ACTIONS_MAX];
    double log_probability; /* of all decisions together; 0 where the policy has none */
    double entropy;
};

enum outcome_role {
    OUTCOME_SAMPLED,   /* of a proposal of this policy */
    OUTCOME_BY_PERSON, /* of a person's actions: it may learn from them as if it had proposed them */
    OUTCOME_TO_IMITATE /* of one of the policy's best proposals so far: it becomes likelier, whatever the reward */
};

struct outcome {
    const struct arch *parent;
    const struct proposal *proposal;
    double accuracy; /* validation, 0…1 */
    bool has_gain;   /* of a race: `gain` is the accuracy over that of the control of its round */
    double gain;
    enum outcome_role role;
};

/* What an update did, for the event and the screen. */
struct policy_update {
    double reward_mean, reward_best; /* of its own proposals in the batch */
    double baseline;                 /* after the update */
    double loss;
    double entropy;                  /* of one choice, in nats: the mean over the batch's decisions */
    double gradient_norm;            /* before Adam */
};

/* What the engine asks a policy for. */
struct proposal_request {
    const struct arch *parent;
    int64_t proposal;             /* the number of the proposal, from 1 */
    int64_t network;              /* the number that its network will have among those that proposals grew, from 1 */
    struct random_stream *stream; /* of this proposal alone */
};

struct policy_options {
    const struct space *space;
    bool dense; /* networks may be dense */
    struct shape input;
    struct arch_limits limits;
    bool trades; /* a network at the limits may trade (trades.h); of kinds that trade */
    int wider_decisions, deeper_decisions; /* per proposal: all wider first, then deeper (EAS, section 5) */
    double rate;          /* Adam's, 2e-3 */
    double entropy_bonus; /* 1e-5 */
    double baseline_decay; /* 0.95 */
    bool baseline_released; /* true: as the published code: move by 0.95 of the difference, before subtracting */
    double imitate_weight; /* of the mean log-likelihood of the outcomes to imitate */
    uint64_t seed;
    const char *actions;  /* of kinds that take them: --actions; borrowed, as `match` is */
    const int64_t *match; /* of kinds that take them: FLOPs of the networks of --match */
    int match_count;
};

struct policy_kind;
struct policy {
    const struct policy_kind *kind;
    struct policy_options options;
    void *state; /* of kinds that learn, their own; NULL of others */
};

struct policy_kind {
    const char *name;
    const char *summary; /* one line for --help and the man page */
    const char *parent;  /* the parent choice that it needs, as --parent has it; NULL: any */
    bool takes_match;    /* it needs --match */
    bool trades;         /* it adds trades to its proposals (trades.h) */
    bool takes_actions;  /* it needs --actions, and proposes them on any parent */
    /* Make and free `state`.  NULL: it has none. */
    void (*create)(struct policy *policy);
    void (*destroy)(struct policy *policy);
    /* Has it made all its proposals before the one with these numbers (proposal_request)?  Then `reason` says so to the
       person, and the search ends.  NULL: it never ends. */
    bool (*ends_before)(const struct policy *policy, int64_t proposal, int64_t network, struct error *reason);
    /* Make one proposal.  A sampled one has only actions within the space and the limits, and is empty when there are
       none.  -1: no proposal can be built on this parent; `error` says why. */
    int (*propose)(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                   struct error *error);
    /* Learn from a batch.  Outcomes that this policy can't have sampled (other options; a width or a kernel that it doesn't
       offer) are left out; so is a whole batch without an outcome of its own.  NULL: this policy does not learn. */
    void (*observe)(struct policy *policy, const struct outcome *outcomes, int count, struct policy_update *update);
    /* State to and from a safetensors file's bytes (free() them).  NULL: there is none. */
    void (*save)(const struct policy *policy, void **bytes, size_t *length);
    int (*load)(struct policy *policy, const void *bytes, size_t length, struct error *error);
};

/* Find a kind by its name, or by its row for --help.  NULL: there is none. */
const struct policy_kind *policy_find(const char *name);
const struct policy_kind *policy_at(int index);

/* Copies the options and borrows what they point at. */
struct policy *policy_new(const struct policy_kind *kind, const struct policy_options *options);
void policy_free(struct policy *policy); /* NULL is fine */

/* The child of a proposal: all its actions in order.  -1 with the first that can't be applied. */
int proposal_apply(const struct arch *parent, const struct proposal *proposal, struct arch *child, struct error *error);
/* Add a person's action, `text` as action_parse reads it on the architecture that the proposal leads to. */
int proposal_add_text(const struct arch *parent, const struct space *space, const char *text, struct proposal *proposal,
                      struct error *error);

#endif
