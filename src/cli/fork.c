/*
 * fork.c - becomes the search that a person forks from a replay.
 *
 * Both ways end in a command line that could be typed: `espalier resume COPY`, or `espalier run --start SESSION:N` with
 * the session's options. The program is executed anew with it, so that the search begins like any other.
 */
#include "cli/fork.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/fork_words.h"
#include "cli/report.h"
#include "cli/search_setup.h"
#include "sessions/replay.h"
#include "sessions/summary.h"
#include "util/print.h"

static bool never(void)
{
    return false;
}

/* The state after the event. */
static int state_at(const char *folder, int64_t event, struct session_state **state, struct error *error)
{
    struct replay *replay;
    struct error warning = {{0}};
    if (replay_open(folder, &replay, &warning, error))
        return -1;
    int64_t low = 0, high = replay_count(replay);
    int status = 0;
    while (!status && low < high) { /* positions count transient events too */
        int64_t middle = low + (high - low) / 2;
        status = replay_seek(replay, middle, error);
        if (replay_state(replay)->last_number < event)
            low = middle + 1;
        else
            high = middle;
    }
    if (!status && !(status = replay_seek(replay, low, error)))
        *state = session_state_copy(replay_state(replay));
    replay_free(replay);
    return status;
}

/* A path for the new session, beside the others: "NAME-fork-1.esp". */
static int new_path(const char *folder, char **path, struct error *error)
{
    struct text name = TEXT_EMPTY;
    char *short_name = session_short_name(folder);
    text_add(&name, "%s-fork", short_name);
    int status = session_new_path(text_string(&name), path, error);
    text_done(&name);
    free(short_name);
    return status;
}

/* `resume COPY` */
static int from_moment(const char *folder, int64_t event, struct words *words, struct error *error)
{
    struct session_state *state = NULL;
    struct copy_report report;
    char *to = NULL;
    int status = state_at(folder, event, &state, error) || search_setup_weights(folder, state, error) ||
                         new_path(folder, &to, error) ||
                         session_copy(folder, to, COPY_ALL, false, event, never, &report, error)
                     ? -1
                     : 0;
    if (!status) {
        print_to(stdout, "%s: %lld events of %s\n", to, (long long)report.events, folder);
        words_add(words, "resume");
        words_add(words, to);
    }
    session_state_free(state);
    free(to);
    return status;
}

/* `run --start SESSION:N --epochs 2 ... --out NEW` */
static int from_network(const char *folder, int64_t node, struct words *words, struct error *error)
{
    struct session_state *state = NULL;
    struct error warning = {{0}};
    char *to = NULL;
    int status = new_path(folder, &to, error) || session_load(folder, &state, &warning, error) ||
                         fork_words(state, folder, node, to, words, error)
                     ? -1
                     : 0;
    if (state)
        session_state_free(state);
    free(to);
    return status;
}

int fork_search(const struct cli_arguments *arguments, const char *folder, enum tui_outcome outcome, int64_t which)
{
    struct words words = {0};
    struct error error;
    sigset_t none;
    const char *theme = cli_value(arguments, "theme");
    char *real = realpath(folder, NULL);
    words_add(&words, "espalier");
    int status = outcome == TUI_FORK_MOMENT ? from_moment(real ? real : folder, which, &words, &error)
                                            : from_network(real ? real : folder, which, &words, &error);
    if (!status) {
        if (theme)
            words_add_option(&words, "theme", theme);
        fflush(stdout);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL); /* the screens have blocked some, and a new program inherits that */
        char *program = realpath("/proc/self/exe", NULL);
        execv(program ? program : "/proc/self/exe", words.items);
        error_set(&error, "%s: %s", program ? program : "/proc/self/exe", strerror(errno));
        free(program);
    }
    words_done(&words);
    free(real);
    return cli_fail(&error);
}
