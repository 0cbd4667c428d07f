/*
 * options.h - every option of a search: one table for the command line, presets (ini), the session's first
 * event, --help and the man page.
 */
#ifndef ESPALIER_SEARCH_OPTIONS_H
#define ESPALIER_SEARCH_OPTIONS_H

#include "arch/space.h"
#include "morph/morph.h"
#include "nn/trainer.h"
#include "policy/policy.h"

enum parent_choice { PARENT_START, PARENT_BEST, PARENT_TOURNAMENT, PARENT_AGING };

struct search_options {
    char data[1100];
    bool dense;       /* of which kind the default start network is */
    char widths[16];  /* `small` or `paper` */
    char start[2048]; /* an architecture or SESSION:NODE; "": options_start() */
    char policy[16];
    char match[1024]; /* a session, for policies that aim at its networks' FLOPs */
    enum parent_choice parent;
    int64_t tournament;         /* networks drawn */
    int64_t population;         /* youngest networks that are drawn from, of PARENT_AGING */
    int64_t episodes, networks; /* 0: no limit */
    double seconds;
    int64_t episode_networks; /* proposals an episode */
    int64_t wider, deeper;    /* decisions a network */
    int64_t epochs, start_epochs, batch;
    double rate, start_rate; /* grown networks; from scratch */
    double momentum, weight_decay, drop_pool, drop_fc, drop_dense;
    int64_t train_subset, validation, seed;
    char rungs[64];       /* epochs, as "2,5" */
    double rung_keep;     /* share */
    double stop_hopeless; /* chance; 0: never */
    char devices[64];
    enum precision precision;
    int64_t limit_depth, limit_parameters, limit_flops, limit_memory;
    double widen_noise, deepen_noise;
    enum morph_split split;
    double policy_rate, entropy_bonus, baseline_decay;
    bool baseline_released, asynchronous;
    int64_t imitate; /* best proposals */
    double imitate_weight;
    bool learn_from_user; /* the policy is shown what a person grew */
    int64_t attempts;   /* of one network before it is given up */
    char actions[2048]; /* policy manual: the queue, "widen:conv1 deepen:conv2:3; widen:fc1" (; next network) */
};

enum option_type { OPTION_INTEGER, OPTION_REAL, OPTION_SIZE, OPTION_WORD, OPTION_TEXT };

/* One row: "--train-subset N" and `train-subset = N` in a preset. */
struct search_option {
    const char *name; /* "train-subset" */
    enum option_type type;
    size_t offset, size; /* in struct search_options */
    double minimum, maximum;
    const char *zero;  /* what 0 means: "no limit", or NULL */
    const char *words; /* OPTION_WORD: "start|best|tournament"; the index is stored in an enum or a bool */
    int (*valid)(const char *value, struct error *error); /* OPTION_TEXT: is it one?  NULL: any text is */
    const char *argument;                                 /* "N" */
    const char *fallback;                                 /* default, as text */
    const char *help;                                     /* one line */
};
const struct search_option *option_at(int index); /* NULL past the end */
const struct search_option *option_find(const char *name);

/* Defaults: those of ./start (made to be watched: tournament parents, 1 + 1 decisions, few epochs). */
void options_default(struct search_options *options);
/* Set one from text.  The message names option, value, and what would be right. */
int options_set(struct search_options *options, const char *name, const char *value, struct error *error);
/* Print one as options_set reads it. */
void options_get(const struct search_options *options, const struct search_option *option, struct text *text);
/* Read an ini file, or a preset of the program by name (`quick`, `eas-small`, …). */
int options_read(struct search_options *options, const char *preset, struct error *error);
/* Conditions between options (`--policy manual` needs --actions …), and what the policy settles: its parent choice. */
int options_settle(struct search_options *options, struct error *error);
/* How grown networks are trained; `node` is 0. */
struct training options_training(const struct search_options *options);
/* What the policy is made with, for images of that shape; the space and the limits in it are the search's. */
struct policy_options options_policy(const struct search_options *options, struct shape input);

/* The start network when none is named: the smallest of its kind with these widths. */
void options_start(const struct search_options *options, struct shape input, int classes, struct arch *arch);

#endif
