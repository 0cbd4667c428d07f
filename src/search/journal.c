/* journal.c - see journal.h. */
#include "search/journal.h"

#include <stdlib.h>
#include <time.h>

#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/clock.h"

enum { DISK_TRIES = 10 };
#define DISK_WAIT 1.0 /* seconds between tries */

void journal_init(struct journal *journal, struct evaluator *evaluator, const atomic_bool *stop)
{
    *journal = (struct journal){.evaluator = evaluator, .stop = stop, .disk_tries = DISK_TRIES, .disk_wait = DISK_WAIT};
}

void journal_done(struct journal *journal)
{
    if (journal->log)
        log_close(journal->log);
    session_state_free(journal->state);
}

int journal_create(struct journal *journal, const char *folder, struct error *error)
{
    journal->state = session_state_new();
    return log_create(folder, &journal->log, error);
}

int journal_open(struct journal *journal, const char *folder, struct error *warning, struct error *error)
{
    return log_open(folder, &journal->log, &journal->state, warning, error);
}

void journal_start(struct journal *journal)
{
    journal->time_before = journal->state->time;
    journal->opened = clock_monotonic();
}

double journal_time(const struct journal *journal)
{
    double time = journal->time_before + clock_monotonic() - journal->opened;
    return time > journal->state->time ? time : journal->state->time;
}

static void wait_seconds(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

/* After a write that failed: pause all training and try again until there is room. */
static int retry(struct journal *journal, int (*write)(struct journal *, void *, struct error *), void *context)
{
    journal->evaluator->kind->pause(journal->evaluator, true);
    int status = -1;
    for (int i = 0; i < journal->disk_tries && status && !atomic_load(journal->stop); i++) {
        wait_seconds(journal->disk_wait);
        status = write(journal, context, &journal->trouble);
    }
    if (!status)
        journal->evaluator->kind->pause(journal->evaluator, journal->state->paused);
    journal->broken = status != 0;
    return status;
}

static int append(struct journal *journal, void *context, struct error *error)
{
    return log_append(journal->log, context, error);
}

int journal_emit(struct journal *journal, struct event *event)
{
    bool durable = event_is_durable(event->kind);
    event->time = journal_time(journal);
    int status = journal->broken ? -1 : append(journal, event, &journal->trouble);
    if (status && durable && !journal->broken)
        status = retry(journal, append, event);
    if (!status) {
        struct error error;
        if (session_apply(journal->state, event, &error))
            BUG(error.text);
        for (int i = 0; i < journal->sink_count; i++)
            journal->sinks[i].event(journal->sinks[i].context, event);
    }
    event_done(event);
    return status;
}

struct whole_file {
    char *path;
    const void *bytes;
    size_t length;
};

static int write_file(struct journal *journal, void *context, struct error *error)
{
    const struct whole_file *file = context;
    return session_file_write(file->path, IN_PLACE, file->bytes, file->length, error);
}

int journal_write(struct journal *journal, const char *folder, const char *name, const void *bytes, size_t length)
{
    if (journal->broken)
        return -1;
    struct whole_file file = {journal_path(journal, folder, name), bytes, length};
    int status = write_file(journal, &file, &journal->trouble);
    if (status)
        status = retry(journal, write_file, &file);
    free(file.path);
    return status;
}

char *journal_path(const struct journal *journal, const char *folder, const char *name)
{
    return event_text("%s/%s/%s", log_folder(journal->log), folder, name);
}

void journal_arch(const struct journal *journal, int64_t node, struct arch *arch)
{
    struct error error;
    if (arch_parse(arch, session_node(journal->state, node)->facts.arch, &error))
        BUG(error.text); /* resume has checked those that it found in the log */
}
