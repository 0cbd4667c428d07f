/*
 * resume.c - `espalier resume`: goes on with a session after a stop or a kill, or with a larger budget.
 */
#include <stdlib.h>

#include "cli/detach.h"
#include "cli/screens.h"
#include "cli/search_setup.h"
#include "search/budget.h"
#include "util/bug.h"
#include "util/memory.h"

/* A copied session may lack the files of its weights.  It can go on when at least one network has its file. */
static int check_weights(const char *folder, const struct session_state *state, struct error *error)
{
    const struct session_node *trained = NULL;
    struct error missing;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        char *path;
        if (!node->weights)
            continue;
        int status = session_weights_path(folder, node, &path, &missing);
        free(path);
        if (status <= 0)
            return status ? error_set(error, "%s", missing.text) : 0;
        trained = node;
    }
    return trained ? error_set(error,
                               "%s: came without its weights: it can be shown and replayed, but not resumed; begin "
                               "anew: espalier run --start \"%s\"",
                               folder, session_node(state, state->best)->facts.arch)
                   : 0;
}

static const char *const budgets[] = {"episodes", "networks", "seconds", "flops"};

/* A budget below what is spent would end the search before it has begun. */
static int check_budget(const struct cli_arguments *arguments, const struct session_state *state, struct error *error)
{
    double limit;
    for (size_t i = 0; i < COUNT_OF(budgets); i++) {
        const char *value = cli_value(arguments, budgets[i]);
        if (value && !text_to_real(value, 0, 1e30, &limit) &&
            budget_check(state, budgets[i], limit, state->time, error))
            return error_prefix(error, "--%s %s", budgets[i], value);
    }
    return 0;
}

/* Read the session's options. */
static int read_session(const struct cli_arguments *arguments, const char *folder, struct search_options *options,
                        struct error *error)
{
    struct session_state *state = NULL;
    struct error warning = {{0}};
    int failed = session_load(folder, &state, &warning, error) || check_weights(folder, state, error) ||
                 options_of_session(state, options, error) || check_budget(arguments, state, error);
    if (state)
        session_state_free(state);
    return failed ? -1 : 0;
}

/* A new budget is given as a command: it is recorded, and in force from now on. */
static void set_budget(struct engine *engine, const struct cli_arguments *arguments)
{
    for (size_t i = 0; i < COUNT_OF(budgets); i++) {
        const char *value = cli_value(arguments, budgets[i]);
        struct text words = TEXT_EMPTY;
        if (value) {
            text_add(&words, "budget %s %s", budgets[i], value);
            engine_command(engine, AUTHOR_USER, text_string(&words));
        }
        text_done(&words);
    }
}

static int go_on(const struct cli_arguments *arguments, const char *folder, struct search_options *options)
{
    struct error error = {{0}}, warning = {{0}};
    struct search_setup setup = {0};
    int status = 1;
    if (search_setup_open(&setup, options, &error) ||
        engine_resume(folder, &setup.data, setup.evaluator, &setup.engine, &warning, &error)) {
        cli_fail(&error);
    } else {
        cli_warn(&warning);
        set_budget(setup.engine, arguments);
        status = search_setup_run(&setup, arguments, folder);
    }
    search_setup_close(&setup);
    return status;
}

static int run(const struct cli_arguments *arguments)
{
    struct search_options *options = memory_new(1, sizeof *options);
    struct error error = {{0}};
    char *folder = NULL;
    int status;
    options_default(options);
    if (cli_set_options(arguments, options)) {
        status = 2;
    } else if (session_find(arguments->words[0], &folder, &error) || read_session(arguments, folder, options, &error)) {
        status = cli_fail(&error);
    } else if (cli_set_options(arguments, options)) {
        status = 2;
    } else if (!(status = screens_prepare(arguments)) && (status = detach_begin(arguments)) < 0) {
        status = go_on(arguments, folder, options);
    }
    free(folder);
    free(options);
    return status;
}

static const struct cli_option options_of_resume[] = {
    {.name = "episodes", .fallback = "the session's"},
    {.name = "networks", .fallback = "the session's"},
    {.name = "seconds", .fallback = "the session's"},
    {.name = "flops", .fallback = "the session's"},
    {"data", "SPEC", "where the session's images are now", "where they were"},
    {.name = "devices", .fallback = "the session's"},
    {.name = "precision", .fallback = "the session's"},
    {.name = "theme"},
    {.name = "headless"},
    {.name = "json"},
    {.name = "detach"},
    {0},
};

const struct cli_command command_resume = {
    .name = "resume",
    .synopsis = "SESSION",
    .summary = "go on with a session that was stopped or killed",
    .details = "Every network with a recorded result stays; those in training start again from their parents. A budget"
               " counts what was done before.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_resume,
    .run = run,
};
