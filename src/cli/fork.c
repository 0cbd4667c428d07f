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

#include "cli/report.h"
#include "cli/search_setup.h"
#include "sessions/replay.h"
#include "sessions/summary.h"
#include "util/memory.h"
#include "util/print.h"

struct words {
    char **items; /* owned, and ended by NULL for execv() */
    size_t count, capacity;
};

static void add(struct words *words, const char *word)
{
    words->items = memory_grow(words->items, words->count + 1, &words->capacity, sizeof *words->items);
    words->items[words->count++] = memory_copy_text(word);
    words->items[words->count] = NULL;
}

static void add_option(struct words *words, const char *name, size_t length, const char *value)
{
    struct text option = TEXT_EMPTY;
    text_add(&option, "--%.*s", (int)length, name);
    add(words, text_string(&option));
    add(words, value);
    text_done(&option);
}

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
        add(words, "resume");
        add(words, to);
    }
    session_state_free(state);
    free(to);
    return status;
}

/* `run --start SESSION:N --epochs 2 ... --out NEW` */
static int from_network(const char *folder, int64_t node, struct words *words, struct error *error)
{
    struct session_state *state;
    struct error warning = {{0}};
    struct text start = TEXT_EMPTY;
    char *to;
    if (new_path(folder, &to, error))
        return -1;
    if (session_load(folder, &state, &warning, error)) {
        free(to);
        return -1;
    }
    add(words, "run");
    for (int i = 0; i < state->facts.options.count; i++) {
        const char *option = state->facts.options.items[i];
        size_t length = strcspn(option, "=");
        if (option[length] && strncmp(option, "start=", 6) && strncmp(option, "start-epochs=", 13))
            add_option(words, option, length, option + length + 1);
    }
    text_add(&start, "%s:%lld", folder, (long long)node);
    add_option(words, "start", 5, text_string(&start));
    add_option(words, "start-epochs", 12, "0"); /* it is trained */
    add_option(words, "out", 3, to);
    free(to);
    text_done(&start);
    session_state_free(state);
    return 0;
}

int fork_search(const struct cli_arguments *arguments, const char *folder, enum tui_outcome outcome, int64_t which)
{
    struct words words = {0};
    struct error error;
    sigset_t none;
    const char *theme = cli_value(arguments, "theme");
    char *real = realpath(folder, NULL);
    add(&words, "espalier");
    int status = outcome == TUI_FORK_MOMENT ? from_moment(real ? real : folder, which, &words, &error)
                                            : from_network(real ? real : folder, which, &words, &error);
    if (!status) {
        if (theme)
            add_option(&words, "theme", 5, theme);
        fflush(stdout);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL); /* the screens have blocked some, and a new program inherits that */
        char *program = realpath("/proc/self/exe", NULL);
        execv(program ? program : "/proc/self/exe", words.items);
        error_set(&error, "%s: %s", program ? program : "/proc/self/exe", strerror(errno));
        free(program);
    }
    for (size_t i = 0; i < words.count; i++)
        free(words.items[i]);
    free(words.items);
    free(real);
    return cli_fail(&error);
}
