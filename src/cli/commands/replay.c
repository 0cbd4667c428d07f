/* replay.c - `espalier replay`: plays a recorded session on the screens. */
#include "sessions/replay.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/fork.h"
#include "cli/screens.h"

static int play(const struct cli_arguments *arguments, struct replay *replay, const char *folder)
{
    struct error error = {{0}};
    enum tui_outcome outcome;
    int64_t fork = 0;
    struct tui_source source = {.mode = MODE_REPLAY, .replay = replay, .fork = &fork};
    const char *from = cli_value(arguments, "at");
    if (cli_real(arguments, "speed", 8, 0.25, 1000, &source.speed))
        return 2;
    if (cli_real(arguments, "compress", 0, 0, 1e6, &source.compress))
        return 2;
    if (from && text_to_place(from, replay_time(replay, replay_count(replay)), &source.from))
        return cli_usage(arguments, "--at %s: must be a share (50%%) or a time (90, 1h02m)", from);
    if (screens_run(&source, arguments, folder, &outcome, &error))
        return cli_fail(&error);
    if (outcome == TUI_FORK_MOMENT || outcome == TUI_FORK_NETWORK)
        return fork_search(arguments, folder, outcome, fork);
    return outcome > TUI_SIGNAL ? (int)outcome : 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}}, warning = {{0}};
    struct replay *replay = NULL;
    char *folder = NULL;
    int status = screens_prepare(arguments);
    if (status)
        return status;
    if (!screens_wanted(arguments)) {
        error_set(&error,
                  "replay needs a terminal with a cursor (TERM) as standard input and output; "
                  "`espalier show %s` prints a session",
                  arguments->words[0]);
        return cli_fail(&error);
    }
    if (session_find(arguments->words[0], &folder, &error) || replay_open(folder, &replay, &warning, &error)) {
        status = cli_fail(&error);
    } else {
        cli_warn(&warning);
        status = play(arguments, replay, folder);
    }
    if (replay)
        replay_free(replay);
    free(folder);
    return status;
}

static const struct cli_option options_of_replay[] = {
    {"speed", "X", "0.25 to 1000 times as fast as it was", "8"},
    {"at", "PLACE", "begin at this place: 50% or 1h02m", "0"},
    {"compress", "SECONDS", "shorten longer waits to this time", "0: none"},
    {.name = "theme"},
    {0},
};

const struct cli_command command_replay = {
    .name = "replay",
    .synopsis = "SESSION",
    .summary = "play a recorded session on the screens",
    .details =
        "Space plays and stops, < and > change the speed, . and , go by events, ] and [ to the next and the previous "
        "new best. F begins a new search from that moment, or with the selected network. The session is only read.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_replay,
    .run = run,
};
