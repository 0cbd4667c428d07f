/*
 * live.c - the terminal's source of a running search.
 *
 * The terminal folds the session from its first event: it reads the log up to its present end, then takes the engine's
 * events from a queue, and leaves out those that the log gave it already (by number). The engine's sink copies into the
 * queue: it waits for room with durable events and drops transient ones.
 */
#include "cli/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/report.h"
#include "cli/screens.h"
#include "sessions/log.h"
#include "util/queue.h"
#include "util/threads.h"

enum { LIVE_QUEUE = 4096 };

struct live {
    struct engine *engine;
    struct queue *events;
    int wake;                /* eventfd: something is in the queue, or the engine has ended */
    struct log_reader *past; /* NULL once read to its end */
    int64_t last;            /* number of the last durable event handed out */
    atomic_bool stopped;     /* the engine's thread is at its end */
    bool ended;              /* … and its last event was handed out */
    pthread_t thread;
    int failed;
    struct error error;
};

static void wake(struct live *live)
{
    uint64_t one = 1;
    if (write(live->wake, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable already */
}

static void on_event(void *context, const struct event *event)
{
    struct live *live = context;
    struct event copy;
    event_copy(event, &copy);
    bool taken = event_is_durable(event->kind) ? queue_put(live->events, &copy) : queue_try_put(live->events, &copy);
    if (!taken)
        event_done(&copy);
    wake(live);
}

static void *engine_thread(void *context)
{
    struct live *live = context;
    live->failed = engine_run(live->engine, &live->error);
    atomic_store(&live->stopped, true);
    queue_close(live->events);
    wake(live);
    return NULL;
}

static int descriptor(void *context)
{
    return ((struct live *)context)->wake;
}

static bool next_of_past(struct live *live, struct event *event)
{
    if (live->past && log_next(live->past, event, NULL) == LOG_EVENT)
        return true;
    if (live->past)
        log_reader_free(live->past);
    live->past = NULL;
    return false;
}

/* The next of the queue that the log has not given already. */
static bool next_of_queue(struct live *live, struct event *event)
{
    while (queue_take(live->events, event, 0)) {
        bool durable = event_is_durable(event->kind);
        if (!durable || event->number > live->last) {
            live->last = durable ? event->number : live->last;
            return true;
        }
        event_done(event);
    }
    return false;
}

static bool next(void *context, struct event *event)
{
    struct live *live = context;
    uint64_t count;
    if (next_of_past(live, event)) {
        live->last = event->number;
        return true;
    }
    if (next_of_queue(live, event))
        return true;
    /* Quiet the descriptor, then look once more: what comes after that wakes it again. */
    bool stopped = atomic_load(&live->stopped);
    if (read(live->wake, &count, sizeof count) > 0 && next_of_queue(live, event)) {
        wake(live);
        return true;
    }
    live->ended = stopped;
    return false;
}

static bool ended(void *context)
{
    return ((struct live *)context)->ended;
}

static void command(void *context, const char *words)
{
    engine_command(((struct live *)context)->engine, AUTHOR_USER, words);
}

/* The engine may be waiting for room in the queue: take until it has ended. */
static void join(struct live *live)
{
    struct event event;
    while (queue_take(live->events, &event, -1))
        event_done(&event);
    pthread_join(live->thread, NULL);
}

int live_search(struct engine *engine, const struct cli_arguments *arguments, const char *folder, struct error *error)
{
    struct live live = {.engine = engine};
    enum tui_outcome outcome;
    struct tui_source source = {.context = &live,
                                .mode = MODE_LIVE,
                                .descriptor = descriptor,
                                .next = next,
                                .ended = ended,
                                .command = command};
    if (log_read(folder, &live.past, error))
        return -1;
    live.events = queue_new(sizeof(struct event), LIVE_QUEUE);
    live.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    engine_add_sink(engine, (struct engine_sink){on_event, &live});
    int refused = -1;
    if (!thread_start(&live.thread, engine_thread, &live)) {
        error_set(error, "the search: the system has no thread for it; end other programs, or raise ulimit -u");
    } else {
        refused = screens_run(&source, arguments, folder, &outcome, error);
        engine_stop(engine);
        join(&live);
    }
    if (live.past)
        log_reader_free(live.past);
    queue_free(live.events);
    close(live.wake);
    if (refused)
        return -1;
    report_end(stdout, engine_state(engine), folder);
    return live.failed ? cli_fail(&live.error) : outcome > TUI_SIGNAL ? (int)outcome : 0;
}
