/*
 * attach.c - `espalier attach`: watch and steer a search that another process runs.
 *
 * Events come from the session's log, from the first one on, and are folded here; commands go through the search's
 * socket (search/follower.h).  Nothing here can hold up the search, and leaving doesn't stop it.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/screens.h"
#include "search/follower.h"

/* --- to the end of the search, in lines --- */

struct watch {
    struct follower *follower;
    struct session_state *state;
    struct progress *progress; /* NULL: what was before we came is not printed again */
    int leave;                 /* eventfd: a signal came */
};

static void on_leave(void *context)
{
    uint64_t one = 1;
    ssize_t written = write(((const struct watch *)context)->leave, &one, sizeof one);
    (void)written;
}

/* All events that are there now. */
static int take_events(struct watch *watch, struct error *error)
{
    struct event event;
    while (follower_next(watch->follower, &event)) {
        int status = session_apply(watch->state, &event, error);
        if (!status && watch->progress)
            progress_event(watch->progress, &event);
        event_done(&event);
        if (status)
            return error_prefix(error, "the session contradicts itself");
    }
    return follower_ended(watch->follower, error) && *error->text ? -1 : 0;
}

static int watch_events(struct watch *watch, enum progress_kind kind, struct error *error)
{
    struct pollfd wait[2] = {{.fd = follower_descriptor(watch->follower), .events = POLLIN},
                             {.fd = watch->leave, .events = POLLIN}};
    if (kind == PROGRESS_JSON)
        watch->progress = progress_new(stdout, kind, watch->state);
    while (!take_events(watch, error)) {
        if (follower_ended(watch->follower, NULL) || cli_signal())
            return 0;
        if (!watch->progress) {
            watch->progress = progress_new(stdout, kind, watch->state);
            progress_show(watch->progress);
        }
        poll(wait, 2, -1);
    }
    return -1;
}

/* What remains to be said when the person leaves, or there is nothing more to watch. */
static void say_goodbye(const char *folder)
{
    char *name = report_session(folder);
    printf("the search goes on; espalier attach %s watches it again\n", name);
    free(name);
}

static int say_end(const struct session_state *state, enum progress_kind kind, const char *folder)
{
    struct error error;
    if (!state->finished) {
        char *name = report_session(folder);
        error_set(&error, "%s: the process that ran it is gone without a word; espalier resume %s goes on", folder,
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

static int attach_in_lines(const struct cli_arguments *arguments, struct follower *follower, const char *folder)
{
    struct error error = {{0}};
    struct watch watch = {.follower = follower, .state = session_state_new()};
    enum progress_kind kind = progress_kind_for(stdout, cli_value(arguments, "json"));
    watch.leave = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    cli_catch_signals(on_leave, &watch);
    int failed = watch_events(&watch, kind, &error);
    if (watch.progress)
        progress_free(watch.progress);
    int status = 0;
    if (failed)
        status = cli_fail(&error);
    else if (follower_ended(follower, NULL))
        status = say_end(watch.state, kind, folder);
    else if (kind != PROGRESS_JSON)
        say_goodbye(folder);
    session_state_free(watch.state);
    close(watch.leave);
    return status;
}

/* --- on the screens --- */

static int descriptor(void *context)
{
    return follower_descriptor(context);
}

static bool next(void *context, struct event *event)
{
    return follower_next(context, event);
}

static bool ended(void *context)
{
    return follower_ended(context, NULL);
}

static void command(void *context, const char *words)
{
    struct error error; /* words come from one line of the screens, and a search that has ended is shown as such */
    follower_send(context, words, &error);
}

static int attach_on_screens(const struct cli_arguments *arguments, struct follower *follower, const char *folder)
{
    struct error error = {{0}}, warning = {{0}};
    struct session_state *state = NULL;
    enum tui_outcome outcome;
    struct tui_source source = {.context = follower,
                                .mode = MODE_ATTACHED,
                                .descriptor = descriptor,
                                .next = next,
                                .ended = ended,
                                .command = command};
    int refused = screens_prepare(arguments);
    if (refused)
        return refused;
    if (screens_run(&source, arguments, folder, &outcome, &error))
        return cli_fail(&error);
    if (outcome > TUI_SIGNAL)
        return (int)outcome;
    follower_ended(follower, &error);
    if (*error.text || session_load(folder, &state, &warning, &error))
        return cli_fail(&error);
    int status = 0;
    if (state->finished || follower_ended(follower, NULL))
        status = say_end(state, PROGRESS_BAR, folder);
    else
        say_goodbye(folder);
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
    printf("%s\n", text_string(&text));
    text_done(&text);
}

static int send_words(const struct cli_arguments *arguments, struct follower *follower, const char *words)
{
    struct event event;
    struct error error = {{0}};
    if (follower_ask(follower, words, &event, &error)) {
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

/* In their order; the first that is refused is the last that is sent. */
static int send_all(const struct cli_arguments *arguments, struct follower *follower)
{
    int status = 0;
    for (int i = 0; i < arguments->value_count && !status; i++)
        if (!strcmp(arguments->values[i].name, "send"))
            status = send_words(arguments, follower, arguments->values[i].value);
    return status;
}

/* --- the subcommand --- */

static int say_alone(const char *folder)
{
    struct error error;
    char *name = report_session(folder);
    error_set(&error,
              "%s: no process runs this session; `espalier resume %s` goes on with it, `espalier show %s` prints it",
              folder, name, name);
    free(name);
    return cli_fail(&error);
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct follower *follower = NULL;
    char *folder = NULL;
    int status = session_find(arguments->words[0], &folder, &error) ? -1 : follower_open(folder, &follower, &error);
    if (status == FOLLOWER_ALONE)
        status = say_alone(folder);
    else if (status)
        status = cli_fail(&error);
    else if (cli_value(arguments, "send"))
        status = send_all(arguments, follower);
    else if (screens_wanted(arguments))
        status = attach_on_screens(arguments, follower, folder);
    else
        status = attach_in_lines(arguments, follower, folder);
    follower_free(follower);
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
