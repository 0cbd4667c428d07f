/*
 * attach.c - `espalier attach`: watch and steer a search that another process runs.
 *
 * Events come from the session's log, from the first one on, and are folded here; commands go through the search's
 * socket (search/client.h).  Nothing here can block the search, and leaving doesn't stop it.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/screens.h"
#include "search/client.h"
#include "util/print.h"
#include "util/wake.h"

/* --- the source of events --- */

static int descriptor(void *context)
{
    return client_descriptor(context);
}

static bool next(void *context, struct event *event)
{
    return client_next(context, event);
}

static bool ended(void *context, struct error *error)
{
    return client_ended(context, error);
}

static void command(void *context, const char *words)
{
    struct error error; /* can only fail when the search has ended, which the screens show */
    client_send(context, words, &error);
}

static struct tui_source source_of(struct client *client)
{
    return (struct tui_source){.context = client,
                               .mode = MODE_ATTACHED,
                               .descriptor = descriptor,
                               .next = next,
                               .ended = ended,
                               .command = command};
}

/* --- the end --- */

/* Printed when the person leaves. */
static void print_left(const char *folder)
{
    char *name = report_session(folder);
    print_to(stdout, "the search goes on; espalier attach %s watches it again\n", name);
    free(name);
}

static int print_end(const struct session_state *state, enum progress_kind kind, const char *folder)
{
    struct error error;
    if (!state->finished) {
        char *name = report_session(folder);
        error_set(&error, "%s: the process that ran it has died; espalier resume %s continues the search", folder,
                  name);
        free(name);
        return cli_fail(&error);
    }
    if (kind != PROGRESS_JSON)
        report_end(stdout, state, folder);
    if (state->finish_reason.value != FINISH_ERROR)
        return 0;
    error_set(&error, "%s: %s", folder, state->finish_message);
    return cli_fail(&error);
}

/* --- in lines --- */

static void on_signal(void *leave)
{
    wake_send(*(const int *)leave);
}

/* JSON has all events of the search; lines begin with what happens from now on. */
static int print_events(struct progress *progress, enum progress_kind kind, int leave, struct error *error)
{
    if (kind != PROGRESS_JSON) {
        if (progress_skip(progress, error))
            return -1;
        if (!progress_ended(progress, error) && !cli_signal())
            progress_show(progress);
    }
    return progress_run(progress, leave, error);
}

static int attach_in_lines(const struct cli_arguments *arguments, struct client *client, const char *folder)
{
    struct error error;
    struct tui_source source = source_of(client);
    enum progress_kind kind = progress_kind_for(stdout, cli_value(arguments, "json"));
    struct progress *progress = progress_new(stdout, kind, &source);
    static int leave; /* outlives this function, as the signal handler does */
    int status = 0;
    leave = wake_new();
    cli_catch_signals(on_signal, &leave);
    if (print_events(progress, kind, leave, &error))
        status = cli_fail(&error);
    else if (client_ended(client, NULL))
        status = print_end(progress_state(progress), kind, folder);
    else if (kind != PROGRESS_JSON)
        print_left(folder);
    progress_free(progress);
    return status;
}

/* --- on the screens --- */

static int attach_on_screens(const struct cli_arguments *arguments, struct client *client, const char *folder)
{
    struct error error = {{0}}, warning = {{0}};
    struct session_state *state = NULL;
    enum tui_outcome outcome;
    struct tui_source source = source_of(client);
    int refused = screens_prepare(arguments);
    if (refused)
        return refused;
    if (screens_run(&source, arguments, folder, &outcome, &error))
        return cli_fail(&error);
    if (outcome > TUI_SIGNAL)
        return (int)outcome;
    client_ended(client, &error);
    if (*error.text || session_load(folder, &state, &warning, &error))
        return cli_fail(&error);
    int status = 0;
    if (state->finished || client_ended(client, NULL))
        status = print_end(state, PROGRESS_BAR, folder);
    else
        print_left(folder);
    session_state_free(state);
    return status;
}

/* --- commands from the command line --- */

static void print_answer(const struct event *event, bool json)
{
    const struct event_command *command = &event->as.command;
    struct text text = TEXT_EMPTY;
    if (json)
        event_print_json(event, &text);
    else
        text_add(&text, "%s: %s", command->words, *command->answer ? command->answer : "done");
    print_to(stdout, "%s\n", text_string(&text));
    text_done(&text);
}

static int send_words(const struct cli_arguments *arguments, struct client *client, const char *words)
{
    struct event event;
    struct error error = {{0}};
    if (client_ask(client, words, &event, &error)) {
        error_prefix(&error, "%s", arguments->words[0]);
        return cli_fail(&error);
    }
    bool refused = event.as.command.refused, json = cli_value(arguments, "json");
    if (json || !refused)
        print_answer(&event, json);
    if (refused) {
        error_set(&error, "%s: refused: %s", words, event.as.command.answer);
        cli_fail(&error);
    }
    event_done(&event);
    return refused ? 1 : 0;
}

/* Send the commands in order, up to the first that is refused. */
static int send_all(const struct cli_arguments *arguments, struct client *client)
{
    int status = 0;
    for (int i = 0; i < arguments->value_count && !status; i++)
        if (!strcmp(arguments->values[i].name, "send"))
            status = send_words(arguments, client, arguments->values[i].value);
    return status;
}

/* --- the subcommand --- */

static int print_not_running(const char *folder)
{
    struct error error;
    char *name = report_session(folder);
    error_set(&error,
              "%s: no process runs this session; `espalier resume %s` continues it, `espalier show %s` prints it",
              folder, name, name);
    free(name);
    return cli_fail(&error);
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct client *client = NULL;
    char *folder = NULL;
    int status = session_find(arguments->words[0], &folder, &error) ? -1 : client_open(folder, &client, &error);
    if (status == CLIENT_NO_SERVER)
        status = print_not_running(folder);
    else if (status)
        status = cli_fail(&error);
    else if (cli_value(arguments, "send"))
        status = send_all(arguments, client);
    else if (screens_wanted(arguments))
        status = attach_on_screens(arguments, client, folder);
    else
        status = attach_in_lines(arguments, client, folder);
    client_free(client);
    free(folder);
    return status;
}

static const struct cli_option options_of_attach[] = {
    {"send", "WORDS", "send a command, print the answer and stop; may be given several times", NULL},
    {.name = "theme"},
    {.name = "headless"},
    {.name = "json"},
    {0},
};

const struct cli_command command_attach = {
    .name = "attach",
    .synopsis = "SESSION",
    .summary = "watch and steer a search that another process runs",
    .details = "Leaving doesn't stop the search. Exit status 1: a command was refused.",
    .lists_commands = true,
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_attach,
    .run = run,
};
