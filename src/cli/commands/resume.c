/*
 * resume.c - `espalier resume`: goes on with a session after a stop or a kill, with a larger budget or other options.
 *
 * Budgets, epochs and the rate are given as commands, which are recorded and in force from then on.  Other options that
 * differ from those in force become one event (search/resume.h).
 */
#include <stdlib.h>
#include <string.h>

#include "cli/detach.h"
#include "cli/screens.h"
#include "cli/search_setup.h"
#include "search/budget.h"
#include "search/resume.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

static const char *const budgets[] = {"episodes", "networks", "seconds", "flops"};

/* A budget below what is spent would end the search before it has begun. */
static int check_budget(const struct cli_arguments *arguments, const struct session_state *state, struct error *error)
{
    double limit;
    for (size_t i = 0; i < COUNT_OF(budgets); i++) {
        const char *value = cli_value(arguments, budgets[i]);
        if (value && !text_to_count(value, 0, 1e30, &limit) &&
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
    int failed = session_load(folder, &state, &warning, error) || search_setup_weights(folder, state, error) ||
                 options_of_session(state, options, error) || check_budget(arguments, state, error);
    if (state)
        session_state_free(state);
    return failed ? -1 : 0;
}

static const char *const settings[] = {"epochs", "rate"};

static void ask_for(struct engine *engine, const struct cli_arguments *arguments, const char *command, const char *name)
{
    const char *value = cli_value(arguments, name);
    struct text words = TEXT_EMPTY;
    text_add(&words, "%s%s%s %s", command, *command ? " " : "", name, value ? value : "");
    if (value)
        engine_command(engine, AUTHOR_USER, text_string(&words));
    text_done(&words);
}

static void give_commands(struct engine *engine, const struct cli_arguments *arguments)
{
    for (size_t i = 0; i < COUNT_OF(budgets); i++)
        ask_for(engine, arguments, "budget", budgets[i]);
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        ask_for(engine, arguments, "", settings[i]);
}

static int check_images(const struct search_options *options, const char *folder, struct error *error)
{
    const char *colon = strchr(options->data, ':');
    if (!colon || file_exists(colon + 1))
        return 0;
    return error_set(error, "%s: its images are not at %s any more; if they have moved, name them: espalier resume %s "
                            "--data %.*s:DIR", folder, colon + 1, folder, (int)(colon - options->data), options->data);
}

static int go_on(const struct cli_arguments *arguments, const char *folder, struct search_options *options)
{
    struct error error = {{0}}, warning = {{0}};
    struct search_setup setup = {0};
    int status = 1;
    if (check_images(options, folder, &error) || search_setup_open_given(&setup, options, arguments, &error) ||
        engine_resume_changed(folder, options, &setup.data, setup.evaluator, &setup.engine, &warning, &error)) {
        cli_fail(&error);
    } else {
        cli_warn(&warning);
        give_commands(setup.engine, arguments);
        status = search_setup_run(&setup, arguments, folder);
    }
    search_setup_close(&setup);
    return status;
}

static int refuse_fixed(const struct cli_arguments *arguments)
{
    for (int i = 0; i < arguments->value_count; i++) {
        const char *name = arguments->values[i].name, *reason = resume_fixed(name);
        if (reason)
            return cli_usage(arguments, "--%s: can't change in a session: %s; begin a new search", name, reason);
    }
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct search_options *options = memory_new(1, sizeof *options);
    struct error error = {{0}};
    char *folder = NULL;
    int status;
    options_default(options);
    if (refuse_fixed(arguments) || cli_set_options(arguments, options)) {
        status = 2;
    } else if (session_find(arguments->words[0], &folder, &error) || read_session(arguments, folder, options, &error)) {
        status = cli_fail(&error);
    } else if (cli_set_options(arguments, options)) {
        status = 2;
    } else if (search_setup_settle_data(options, &error)) {
        status = cli_fail(&error);
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
    {"data", "SPEC", "where the session's images are now; they must be the same", "where they were"},
    {.name = "devices", .fallback = "the session's"},
    {.name = "theme"},
    {.name = "headless"},
    {.name = "json"},
    {.name = "detach"},
    {.name = "farm"},
    {.name = "farm-lease"},
    {.name = "on-best"},
    {.name = "on-end"},
    {0},
};

const struct cli_command command_resume = {
    .name = "resume",
    .synopsis = "SESSION",
    .summary = "go on with a session that was stopped or killed",
    .details = "Every network with a recorded result stays; one that was in training goes on from its last checkpoint. A"
               " budget counts what was done before. Other options hold from now on, and are recorded; those that all"
               " networks rest on"
               " can't change.",
    .words_minimum = 1,
    .words_maximum = 1,
    .search_options = true,
    .refuses = resume_fixed,
    .options = options_of_resume,
    .run = run,
};
