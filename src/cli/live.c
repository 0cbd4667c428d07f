/*
 * live.c - shows a search that runs in this process.
 *
 * Events are read from the session's log, as any other process would read them.  The engine's sink only wakes
 * the reader and never blocks: a slow terminal can't hold the engine, and no event is lost.
 */
#include "cli/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cli/detach.h"
#include "cli/hooks.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/screens.h"
#include "sessions/log.h"
#include "util/threads.h"
#include "util/wake.h"

struct live {
    struct engine *engine;
    struct log_reader *log;
    int wake; /* the log has grown, or the engine has returned */
    pthread_t thread;
    atomic_bool returned; /* the engine; `failed` and `engine_error` are set */
    int failed;
    struct error engine_error;
    bool last_read, ended; /* the log is read for the last time; it was read to its end */
    struct error log_error;
};

/* --- the engine's thread --- */

static void on_event(void *context, const struct event *event)
{
    wake_send(((struct live *)context)->wake);
}

static void *engine_thread(void *context)
{
    struct live *live = context;
    live->failed = engine_run(live->engine, &live->engine_error);
    atomic_store(&live->returned, true);
    wake_send(live->wake);
    return NULL;
}

/* --- the source of events --- */

static int descriptor(void *context)
{
    return ((struct live *)context)->wake;
}

/* The log is read again after the descriptor was quieted, and after the engine has returned: no event is missed. */
static bool next(void *context, struct event *event)
{
    struct live *live = context;
    while (!live->ended) {
        int got = log_next(live->log, event, &live->log_error);
        if (got == LOG_EVENT)
            return true;
        live->ended = got < 0 || live->last_read;
        live->last_read = atomic_load(&live->returned);
        if (!live->last_read && !live->ended && !wake_take(live->wake))
            return false;
    }
    return false;
}

static bool ended(void *context, struct error *error)
{
    struct live *live = context;
    if (live->ended)
        *error = live->last_read && live->failed ? live->engine_error : live->log_error;
    return live->ended;
}

static void command(void *context, const char *words)
{
    engine_command(((struct live *)context)->engine, AUTHOR_USER, words);
}

/* --- screens or lines --- */

static void stop_engine(void *engine)
{
    engine_stop(engine);
}

static int start(struct live *live, struct error *error)
{
    engine_add_sink(live->engine, (struct event_sink){on_event, live});
    if (!thread_start(&live->thread, engine_thread, live))
        return error_set(error, "the search: the system has no thread for it; end other programs, or raise ulimit -u");
    return 0;
}

static int join(struct live *live, int status)
{
    engine_stop(live->engine);
    pthread_join(live->thread, NULL);
    return status;
}

/* Events of earlier runs, which a resumed session's log has already, are not printed. */
static int print_lines(struct live *live, const struct tui_source *source, enum progress_kind kind, struct error *error)
{
    struct progress *progress = progress_new(stdout, kind, source);
    cli_catch_signals(stop_engine, live->engine);
    int status =
        progress_skip(progress, error) || start(live, error) ? -1 : join(live, progress_run(progress, -1, error));
    progress_free(progress);
    return status;
}

/* The person leaves the search running: read its log anew, and print what happens from now on. */
static int go_on_detached(struct live *live, const struct tui_source *source, const char *folder, struct error *error)
{
    struct progress *progress = progress_new(stdout, PROGRESS_LINES, source);
    int status = -1;
    cli_catch_signals(stop_engine, live->engine);
    log_reader_free(live->log);
    live->log = NULL;
    live->ended = live->last_read = false;
    if (!detach_leave(folder, error) && !log_read(folder, &live->log, error) && !progress_skip(progress, error))
        status = progress_run(progress, -1, error);
    progress_free(progress);
    return status;
}

static int show_screens(struct live *live, struct tui_source *source, const struct cli_arguments *arguments,
                        const char *folder, enum tui_outcome *outcome, struct error *error)
{
    if (start(live, error))
        return -1;
    source->can_detach = detach_can_leave();
    int status = screens_run(source, arguments, folder, outcome, error);
    if (!status && *outcome == TUI_DETACH)
        status = go_on_detached(live, source, folder, error);
    return join(live, status);
}

/* How often a network began to train. */
static int64_t attempts(const struct session_state *state)
{
    int64_t sum = 0;
    for (int64_t i = 1; i <= state->node_count; i++)
        sum += session_node(state, i)->attempts;
    return sum;
}

/* A resumed search had nothing to train: it would seem to have done nothing. */
static void warn_of_nothing(const struct session_state *state)
{
    struct error warning;
    error_set(&warning, "nothing was to be done: %s%s", state->finish_message,
              report_may_go_on(state) ? "; a larger budget goes on (--networks, --seconds)" : "");
    cli_warn(&warning);
}

int live_search(struct engine *engine, const struct cli_arguments *arguments, const char *folder, struct error *error)
{
    struct live live = {.engine = engine};
    struct hooks hooks;
    struct error warning;
    enum tui_outcome outcome = TUI_QUIT;
    struct tui_source source = {.context = &live,
                                .mode = MODE_LIVE,
                                .descriptor = descriptor,
                                .next = next,
                                .ended = ended,
                                .command = command};
    enum progress_kind kind = progress_kind_for(stdout, cli_value(arguments, "json"));
    bool screens = screens_wanted(arguments);
    int64_t before = attempts(engine_state(engine));
    if (log_read(folder, &live.log, error))
        return -1;
    live.wake = wake_new();
    if (hooks_add(&hooks, cli_value(arguments, "on-best"), cli_value(arguments, "on-end"), engine, folder, &warning))
        cli_warn(&warning);
    int status = screens ? show_screens(&live, &source, arguments, folder, &outcome, error)
                         : print_lines(&live, &source, kind, error);
    hooks_done(&hooks);
    log_reader_free(live.log);
    close(live.wake);
    if (live.failed)
        *error = live.engine_error;
    if ((status && !live.failed) || !engine_state(engine)->event_count)
        return -1;
    if (screens || kind != PROGRESS_JSON)
        report_end(stdout, engine_state(engine), folder);
    const struct session_state *state = engine_state(engine);
    if (before && state->finished && state->finish_reason.value != FINISH_INTERRUPTED && attempts(state) == before)
        warn_of_nothing(state);
    return live.failed ? cli_fail(error) : outcome > TUI_SIGNAL ? (int)outcome : 0;
}
