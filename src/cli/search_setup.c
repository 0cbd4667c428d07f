/*
 * search_setup.c - puts a search together, runs it and shows it.
 *
 * Events are read from the session's log, as any other process would read them.  The engine's sink only counts up an
 * eventfd, which wakes the reader and never blocks: a slow terminal can't hold the engine, and no event is lost.
 */
#include "cli/search_setup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/detach.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/screens.h"
#include "search/server.h"
#include "sessions/log.h"
#include "util/threads.h"

int search_setup_open(struct search_setup *setup, const struct search_options *options, struct error *error)
{
    struct data_spec spec;
    *setup = (struct search_setup){0};
    if (devices_find(options->devices, setup->devices, &setup->device_count, error))
        return error_prefix(error, "--devices %s", options->devices);
    for (int i = 0; i < setup->device_count; i++)
        if (!device_backend(&setup->devices[i], options->precision, error))
            return -1;
    if (data_spec_parse(options->data, &spec, error) || images_open(&spec, DATA_TRAIN, &setup->images, error) ||
        data_split(&setup->images, (int)options->validation, (int)options->train_subset, (uint64_t)options->seed,
                   &setup->train, &setup->validate, error))
        return -1;
    setup->data = (struct search_data){
        .input = setup->images.shape,
        .classes = setup->images.classes,
        .train_images = setup->train.count,
        .validation_images = setup->validate.count,
        .hash = setup->images.hash,
    };
    setup->evaluator =
        evaluator_local_new(setup->devices, setup->device_count, options->precision, &setup->train, &setup->validate);
    return 0;
}

void search_setup_close(struct search_setup *setup)
{
    if (setup->evaluator)
        setup->evaluator->kind->free(setup->evaluator);
    view_done(&setup->train);
    view_done(&setup->validate);
    images_done(&setup->images);
}

struct live {
    struct engine *engine;
    struct log_reader *log;
    int wake; /* eventfd: the log has grown, or the engine has returned */
    pthread_t thread;
    atomic_bool returned; /* the engine; `failed` and `engine_error` are set */
    int failed;
    struct error engine_error;
    bool last_read, ended; /* the log is read for the last time; it was read to its end */
    struct error log_error;
};

static void wake(struct live *live)
{
    uint64_t one = 1;
    ssize_t written = write(live->wake, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
}

static void on_event(void *context, const struct event *event)
{
    wake(context);
}

static void *engine_thread(void *context)
{
    struct live *live = context;
    live->failed = engine_run(live->engine, &live->engine_error);
    atomic_store(&live->returned, true);
    wake(live);
    return NULL;
}

static int descriptor(void *context)
{
    return ((struct live *)context)->wake;
}

/* The log is read again after the descriptor was quieted, and after the engine has returned: no event is missed. */
static bool next(void *context, struct event *event)
{
    struct live *live = context;
    uint64_t count;
    while (!live->ended) {
        int got = log_next(live->log, event, &live->log_error);
        if (got == LOG_EVENT)
            return true;
        live->ended = got < 0 || live->last_read;
        live->last_read = atomic_load(&live->returned);
        if (!live->last_read && !live->ended && read(live->wake, &count, sizeof count) <= 0)
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

/* Run the engine; show its events on the screens, or print them as lines, whichever the options ask for; print the
   summary.  Leaving the screens and a signal stop the search in good order.  Return the exit status, or -1 when the
   search can't be started or shown. */
static int live_search(struct engine *engine, const struct cli_arguments *arguments, const char *folder,
                       struct error *error)
{
    struct live live = {.engine = engine};
    enum tui_outcome outcome = TUI_QUIT;
    struct tui_source source = {.context = &live,
                                .mode = MODE_LIVE,
                                .descriptor = descriptor,
                                .next = next,
                                .ended = ended,
                                .command = command};
    enum progress_kind kind = progress_kind_for(stdout, cli_value(arguments, "json"));
    bool screens = screens_wanted(arguments);
    if (log_read(folder, &live.log, error))
        return -1;
    live.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int status = -1;
    if (!screens)
        status = print_lines(&live, &source, kind, error);
    else if (!start(&live, error))
        status = join(&live, screens_run(&source, arguments, folder, &outcome, error));
    log_reader_free(live.log);
    close(live.wake);
    if (live.failed)
        *error = live.engine_error;
    if (status && !live.failed)
        return -1;
    if (screens || kind != PROGRESS_JSON)
        report_end(stdout, engine_state(engine), folder);
    return live.failed ? cli_fail(error) : outcome > TUI_SIGNAL ? (int)outcome : 0;
}

int search_setup_run(struct engine *engine, const struct cli_arguments *arguments, const char *folder)
{
    struct server *server = NULL;
    struct error error = {{0}};
    if (detach_settle(engine, folder, &error))
        return cli_fail(&error);
    if (server_open(engine, folder, &server, &error))
        cli_warn(&error);
    int status = live_search(engine, arguments, folder, &error);
    server_close(server);
    return status < 0 ? cli_fail(&error) : status;
}
