/*
 * cli.h - the command line: one file a subcommand, one row each in main.c's table.
 *
 * main.c parses options by the subcommand's own table, answers --help from it, and calls `run`.  A subcommand
 * returns the exit status (0; 1 with cli_fail; 2 with cli_usage) and never calls exit().
 */
#ifndef ESPALIER_CLI_CLI_H
#define ESPALIER_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "arch/weights.h"
#include "data/images.h"
#include "nn/backend.h"
#include "sessions/state.h"
#include "util/error.h"

struct cli_option {
    const char *name;     /* "epochs": --epochs */
    const char *argument; /* "N", or NULL for a flag */
    const char *help;     /* one line, with the default */
};

enum { CLI_VALUES_MAX = 96 };

/* What the person typed: positional words, and the options in their order. */
struct cli_arguments {
    const char *command; /* the subcommand's name, for messages */
    int word_count;
    char **words;
    int value_count;
    struct { const char *name, *value; } values[CLI_VALUES_MAX]; /* value "" for flags */
};

struct cli_command {
    const char *name;
    const char *synopsis;  /* "SESSION [NODE]" */
    const char *summary;   /* one line: what it is for */
    const char *details;   /* a paragraph for --help, which wraps it, or NULL */
    int words_minimum, words_maximum; /* negative maximum: any number */
    bool search_options;   /* also takes every option of search/options.h */
    bool lists_commands;   /* --help lists the commands of a running search (sessions/command.h) */
    const struct cli_option *options; /* ends with a NULL name; may be NULL */
    int (*run)(const struct cli_arguments *arguments);
};

/* The last value given for an option, or NULL.  A flag that was given has "". */
const char *cli_value(const struct cli_arguments *arguments, const char *name);
/* As numbers; on a bad value they print the usage line themselves and return -1. */
int cli_integer(const struct cli_arguments *arguments, const char *name, int64_t fallback, int64_t minimum,
                int64_t maximum, int64_t *value);
int cli_real(const struct cli_arguments *arguments, const char *name, double fallback, double minimum, double maximum,
             double *value);

/* --precision likewise. */
int cli_precision(const struct cli_arguments *arguments, enum precision fallback, enum precision *value);

/* "espalier: TEXT" on stderr.  Return 1. */
int cli_fail(const struct error *error);
void cli_warn(const struct error *warning);
/* "espalier COMMAND: TEXT; `espalier COMMAND --help` lists the options" on stderr.  Return 2. */
int cli_usage(const struct cli_arguments *arguments, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Is `stream` a terminal that takes a line redrawn in place?  Does the locale print UTF-8? */
bool cli_is_terminal(FILE *stream);
bool cli_is_unicode(void);

/* Ctrl-C, SIGTERM and SIGHUP: the first asks for an orderly end (`stop(context)`, in the handler: it must be
   async-signal-safe), the second ends at once.  cli_signal() is the signal that came, or 0. */
void cli_catch_signals(void (*stop)(void *context), void *context);
int cli_signal(void);
/* The exit status that says which signal ended the program: 128 + signal, or `status` when none came. */
int cli_exit_status(int status);

/* --- what SESSION:NODE, ARCH and FILE.safetensors name (target.c) --- */

struct target {
    struct weights *weights;       /* NULL when only an architecture is known */
    char *absent;                  /* why a trained network's are not: their file is not there; or NULL */
    struct arch arch;
    struct shape input;            /* channels 0 when unknown (ARCH without data) */
    char *session;                 /* folder, or NULL */
    struct session_state *state;   /* of that session, or NULL */
    int64_t node;                  /* in that session, or 0 */
    char data[1100];               /* the session's --data, or what a file was trained on, or "" */
    int64_t validation, train_subset, seed; /* the session's split, or 0 */
};
/* Is this, colons and all, the name of a session? */
bool target_is_session(const char *name);
/* NODE is a number, "n12", "best" or "start".  A network without a result has weights NULL. */
int target_find(const char *text, struct target *target, struct error *error);
/* For commands that use weights where there are any: -1 when they should be there and are not. */
int target_check_weights(const struct target *target, struct error *error);
/* For commands that can't do without: -1 also when the network, which `text` names, was never trained. */
int target_need_weights(const struct target *target, const char *text, struct error *error);
void target_done(struct target *target);

extern const struct cli_command command_run, command_resume, command_attach, command_replay, command_show, command_compare,
    command_morph, command_train, command_eval, command_export, command_copy, command_devices, command_fsck, command_keys,
    command_version;

#endif
