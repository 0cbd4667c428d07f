/* copy.c - `espalier copy`: copies a session, whole or without its large parts. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "sessions/replay.h"
#include "util/bug.h"
#include "util/print.h"
#include "util/text.h"

static int files_wanted(const struct cli_arguments *arguments, enum copy_files *files)
{
    static const char *const words[] = {[COPY_NO_FILES] = "none", [COPY_BEST] = "best", [COPY_ALL] = "all"};
    const char *word = cli_value(arguments, "weights");
    *files = COPY_ALL;
    if (!word)
        return 0;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (!strcmp(word, words[i])) {
            *files = (enum copy_files)i;
            return 0;
        }
    return cli_usage(arguments, "--weights %s: must be one of all|best|none", word);
}

/* The number of the last event at a place of the session. */
static int find_event(const char *folder, const char *place, int64_t *number, struct error *error)
{
    struct replay *replay;
    struct error warning = {{0}};
    double time;
    if (replay_open(folder, &replay, &warning, error))
        return -1;
    int status = text_to_place(place, replay_time(replay, replay_count(replay)), &time)
                     ? error_set(error, "--until %s: must be a share (50%%) or a time (90, 1h02m)", place)
                     : replay_seek(replay, replay_position_at(replay, time), error);
    *number = status ? 0 : replay_state(replay)->last_number;
    if (!status && !*number)
        status = error_set(error, "--until %s: nothing has happened by then", place);
    replay_free(replay);
    return status;
}

static bool stopped(void)
{
    return cli_signal() != 0;
}

/* Nothing to do: session_copy() asks stopped(). */
static void stop(void *context)
{
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct copy_report report = {0};
    char *from = NULL, *to = NULL, size[TEXT_SHORT];
    enum copy_files files;
    if (files_wanted(arguments, &files))
        return 2;
    cli_catch_signals(stop, NULL);
    const char *place = cli_value(arguments, "until");
    int64_t until = 0;
    int failed = session_find(arguments->words[0], &from, &error) ||
                 session_path_of(arguments->words[1], &to, &error) ||
                 (place && find_event(from, place, &until, &error)) ||
                 session_copy(from, to, files, cli_value(arguments, "thin") != NULL, until, stopped, &report, &error);
    if (!failed) {
        cli_ignore_signals();
        print_to(stdout, "%s: %lld events", to, (long long)report.events);
        if (report.left_out)
            print_to(stdout, " (%lld left out)", (long long)report.left_out);
        print_to(stdout, ", %lld files of weights and of the controller's state", (long long)report.files);
        if (report.missing)
            print_to(stdout, " (%lld are not there)", (long long)report.missing);
        print_to(stdout, ", %s\n", text_bytes(size, (double)report.bytes));
    }
    free(from);
    free(to);
    return failed ? cli_fail(&error) : 0;
}

static const struct cli_option options_of_copy[] = {
    {"weights", "WHICH", "all, best (the best network's and the start network's), none", "all"},
    {"until", "PLACE", "only what happened up to this place: 50% or 1h02m; `resume` goes on from there", NULL},
    {"thin", NULL, "leave out the steps within epochs and the samples of devices", NULL},
    {0},
};

const struct cli_command command_copy = {
    .name = "copy",
    .synopsis = "SESSION NEW",
    .summary = "copy a session, whole or without its large parts",
    .details = "A copy without weights can be shown, compared and replayed. The session may be in use.",
    .words_minimum = 2,
    .words_maximum = 2,
    .options = options_of_copy,
    .run = run,
};
