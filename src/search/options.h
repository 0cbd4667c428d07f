/*
 * options.h - every option of a search, as one table.
 *
 * The command line, presets (ini files), the session's first event and --help read it; tests/test_man.sh checks the
 * manual page against it.  The commands `train`, `eval`, `morph`, `resume` and `compare` take some of these options too
 * (cli/cli.c).
 */
#ifndef ESPALIER_SEARCH_OPTIONS_H
#define ESPALIER_SEARCH_OPTIONS_H

#include "arch/space.h"
#include "morph/morph.h"
#include "nn/trainer.h"
#include "policy/policy.h"

enum parent_choice { PARENT_START, PARENT_BEST, PARENT_TOURNAMENT, PARENT_AGING, PARENT_RACE };

/* What trains from scratch before the finish: nothing, the template, or the winner's architecture too. */
enum baseline_choice { BASELINE_NO, BASELINE_YES, BASELINE_RETRAIN };

/* Whose weights stay in the session. */
enum weights_kept { KEEP_ALL, KEEP_BEST };

/* Which kinds of layers networks may have beside the plain ones. */
enum network_space { SPACE_PLAIN, SPACE_DENSE, SPACE_MODERN, SPACE_AUTO };

struct search_options {
    char data[1100];
    enum network_space space; /* SPACE_AUTO until start_find() has chosen */
    char widths[16];  /* `small` or `paper`; of plain and dense networks */
    char start[2048]; /* an architecture, SESSION:NODE, FILE.safetensors `auto` or `smallest`, which old sessions write
                         as "" */
    char policy[16];
    char match[1024]; /* a session, for policies that match the FLOPs of its networks */
    enum parent_choice parent;
    int64_t tournament;         /* networks drawn */
    int64_t population;         /* PARENT_AGING draws from that many of the youngest networks */
    int64_t episodes, networks; /* 0: no limit */
    double seconds, flops;
    double finish;            /* share of the budget for the final training; 0: none */
    enum baseline_choice baseline; /* PARENT_RACE: what trains from scratch before the finish */
    double target;            /* accuracy that ends the growth; 0: none */
    int64_t patience;         /* rounds in a row that their control won, after which the growth ends; 0: no limit */
    int64_t episode_networks; /* proposals an episode */
    int64_t wider, deeper;    /* decisions a network */
    bool trades;              /* at the limits, networks shrink in one place to grow in another */
    int64_t epochs, start_epochs, batch;
    bool steady;             /* the rate of the networks of the growth doesn't fall */
    double average;          /* decay of the moving average of their weights; 0: none */
    double mixup; /* share of the batches that the finish mixes; 0: none; OPTION_AUTO: trials.c decides */
    double rate, start_rate; /* grown networks; from scratch */
    double momentum, weight_decay, drop_pool, drop_fc, drop_dense;
    int64_t train_subset, seed;
    int64_t validation; /* OPTION_AUTO until the images are open */
    char background[16];
    bool no_orientation, skip_bad;
    int64_t picture_rules; /* 1: as the first sessions read pictures; 2: as picture.h says */
    char rungs[64];       /* epochs, as "2,5" */
    double rung_keep;     /* share */
    double stop_hopeless; /* chance; 0: never */
    char devices[64];
    enum precision precision;
    int64_t limit_depth, limit_parameters, limit_memory;
    int64_t limit_flops; /* OPTION_AUTO until start_find() has a number */
    double widen_noise, deepen_noise;
    enum morph_split split;
    double policy_rate, entropy_bonus, baseline_decay;
    bool baseline_released;
    enum asynchronous { ASYNCHRONOUS_NO, ASYNCHRONOUS_YES, ASYNCHRONOUS_AUTO } asynchronous; /* session_is_asynchronous() */
    int64_t imitate; /* best proposals */
    double imitate_weight;
    bool learn_from_user; /* the policy also learns from networks that a person grew */
    enum weights_kept keep;
    double network_seconds; /* that a network may train; 0: no limit */
    int64_t attempts;     /* before a network that fails is given up */
    char actions[2048];   /* of policy manual: "widen:conv1 deepen:conv2:3; widen:fc1" (; next network) */
};

enum { OPTION_AUTO = -1 };
enum option_type { OPTION_INTEGER, OPTION_REAL, OPTION_SIZE, OPTION_WORD, OPTION_TEXT };

/* One row: "--train-subset N" and `train-subset = N` in a preset. */
struct search_option {
    const char *name; /* "train-subset" */
    enum option_type type;
    size_t offset, size; /* in struct search_options */
    double minimum, maximum;
    const char *zero;  /* what 0 means ("no limit"), or NULL */
    bool automatic;    /* OPTION_INTEGER: `auto` is a value too, OPTION_AUTO */
    const char *words; /* OPTION_WORD: "start|best|tournament"; the index is stored in an enum or a bool */
    int (*valid)(const char *value, struct error *error); /* OPTION_TEXT: 0 if it is valid; NULL: any text is */
    const char *argument;                                 /* "N"; NULL: on the command line it has no value, and is yes */
    const char *fallback;                                 /* default, as text */
    const char *help;                                     /* one line */
};
const struct search_option *option_at(int index); /* NULL past the end */
const struct search_option *option_find(const char *name);

/* Set every option to its default. */
void options_default(struct search_options *options);
/* Set one from its text.  The message names the option, the value, and what is allowed. */
int options_set(struct search_options *options, const char *name, const char *value, struct error *error);
/* Print one as options_set() reads it. */
void options_get(const struct search_options *options, const struct search_option *option, struct text *text);
/* Set the options of an ini file, or of a preset of the program (`quick`, `eas-small`, …). */
int options_read(struct search_options *options, const char *preset, struct error *error);
/* Check conditions between options (`--policy manual` needs --actions …), and set what the policy requires. */
int options_settle(struct search_options *options, struct error *error);
/* How a network is trained whose rate falls, without an average of the weights; its `node` is not set. */
struct training options_training(const struct search_options *options);
/* Candidate widths and kernels. */
const struct space *options_space(const struct search_options *options);
/* The options of the policy, with the search's space and limits, for images of that shape. */
struct policy_options options_policy(const struct search_options *options, struct shape input);

/* Is it the name of a weights file? */
#define OPTIONS_START_AUTO     "auto"
#define OPTIONS_START_SMALLEST "smallest"
/* Does the search begin with the smallest network of its space? */
bool options_start_is_smallest(const struct search_options *options);
bool options_start_is_file(const char *start);
/* The start network "": the smallest of its kind with these widths. */
void options_start(const struct search_options *options, struct shape input, int classes, struct arch *arch);

#endif
