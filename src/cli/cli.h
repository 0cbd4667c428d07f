/*
 * cli.h - the command line: each subcommand is a file in src/cli/commands/ and a row in main.c.
 *
 * main.c parses the options by the subcommand's table, prints --help from it, and calls `run`.  A subcommand returns the
 * exit status (0; 1 from cli_fail(); 2 from cli_usage()) and never calls exit().
 */
#ifndef ESPALIER_CLI_CLI_H
#define ESPALIER_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "util/error.h"

struct images;
struct search_options;

/* A row with only a name, or a name and a default, means an option that several commands share (cli_options.c) or one of the
   search (search/options.h): argument and help are taken from there. */
struct cli_option {
    const char *name;     /* "epochs": --epochs */
    const char *argument; /* "N", or NULL for a flag */
    const char *help;     /* one line */
    const char *fallback; /* the default, for --help; NULL: that of the table; after a final "else" the table's follows */
};

enum { CLI_VALUES_MAX = 96 };

/* What the person typed: the words, and the options in their order. */
struct cli_arguments {
    const char *command; /* the subcommand's name, for messages */
    int word_count;
    char **words;
    int value_count;
    struct { const char *name, *value; } values[CLI_VALUES_MAX]; /* value NULL for flags */
};

struct cli_command {
    const char *name;
    const char *synopsis;  /* "SESSION [NODE]" */
    const char *summary;   /* one line */
    const char *details;   /* a paragraph for --help, which wraps it, or NULL */
    int words_minimum, words_maximum; /* negative maximum: any number */
    const char *verbs;     /* "init|serve": what its first word may be, for completion; NULL: anything */
    bool takes_folders;    /* its other words are URLs or folders of farms, not sessions */
    bool search_options;   /* also takes every option of search/options.h */
    /* Why it doesn't take one of these, after all; NULL: it does.  --help leaves those out.  NULL: it takes all. */
    const char *(*refuses)(const char *option);
    bool lists_commands;   /* --help lists the commands of a running search (sessions/command.h) */
    const struct cli_option *options; /* ends with a NULL name; may be NULL */
    int (*run)(const struct cli_arguments *arguments);
};

/* The row, with argument and help from these tables where it has none. */
struct cli_option cli_option_complete(const struct cli_option *row);

/* The last value given for an option, or NULL.  A flag that was given has "". */
const char *cli_value(const struct cli_arguments *arguments, const char *name);
/* As numbers; they print the message about a bad value and return -1. */
int cli_integer(const struct cli_arguments *arguments, const char *name, int64_t fallback, int64_t minimum,
                int64_t maximum, int64_t *value);
int cli_real(const struct cli_arguments *arguments, const char *name, double fallback, double minimum, double maximum,
             double *value);

/* Set all options of the search that were given.  On a bad value print the message and return -1. */
int cli_set_options(const struct cli_arguments *arguments, struct search_options *options);

/* "espalier: TEXT" on stderr.  Return 1. */
int cli_fail(const struct error *error);
void cli_warn(const struct error *warning);
/* What a person should know of the files that were read. */
void cli_warn_of_images(const struct images *images);
/* "espalier COMMAND: TEXT; `espalier COMMAND --help` lists the options" on stderr.  Return 2. */
int cli_usage(const struct cli_arguments *arguments, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Can a line be redrawn in place on this stream?  Is the locale's encoding UTF-8? */
bool cli_is_terminal(FILE *stream);
bool cli_is_unicode(void);

/* Handle Ctrl-C, SIGTERM and SIGHUP: the first signal calls stop(context), which must be async-signal-safe; the second ends
   the program.  cli_signal() is the signal that came, or 0. */
void cli_catch_signals(void (*stop)(void *context), void *context);
/* The work is done: from now on signals come too late, and so does one that came before. */
void cli_ignore_signals(void);
int cli_signal(void);

extern const struct cli_command command_run, command_resume, command_attach, command_replay, command_show, command_compare,
    command_morph, command_train, command_eval, command_export, command_predict, command_copy, command_devices,
    command_fsck, command_keys, command_list, command_version, command_farm, command_worker;

#endif
