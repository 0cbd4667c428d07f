/*
 * gather.c - see gather.h.
 *
 * Once a second the thread makes a pass: it lists the folders, sorts them, and reads those that are new or have
 * changed.  What it knows of a session is as much as tells that.
 */
#include "cli/gather.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sessions/log.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/queue.h"
#include "util/threads.h"
#include "util/wake.h"

enum { NEWS_MAX = 64, REST = 20 }; /* a log is left alone for so many times as long as it took to read it */
static const double pass_seconds = 1;

struct known {
    struct session_summary summary; /* its folder, and what session_summary_is_old() compares */
    double due;                     /* not read again before this time */
    bool listed;                    /* in this pass */
};

struct gather {
    pthread_t thread;
    struct queue *news, *commands;
    int wake;
    atomic_bool held, ending;
    /* The thread's own. */
    struct known *known;
    size_t count, capacity;
    bool told_all;
};

static bool send(struct gather *gather, struct gather_news *news)
{
    bool sent = queue_put(gather->news, news);
    if (!sent)
        session_summary_done(&news->summary);
    wake_send(gather->wake);
    return sent;
}

static struct known *find(struct gather *gather, const char *folder)
{
    for (size_t i = 0; i < gather->count; i++)
        if (!strcmp(gather->known[i].summary.folder, folder))
            return &gather->known[i];
    return NULL;
}

static void read_session(struct gather *gather, struct known *known)
{
    double begun = clock_monotonic();
    struct gather_news news = {.kind = GATHER_SUMMARY};
    session_summary_read(&news.summary, memory_copy_text(known->summary.folder));
    known->summary.written = news.summary.written;
    known->summary.log_bytes = news.summary.log_bytes;
    known->summary.process = news.summary.process;
    known->due = clock_monotonic() + REST * (clock_monotonic() - begun);
    send(gather, &news);
}

/* Takes ownership of `folder`. */
static void look_at(struct gather *gather, char *folder)
{
    struct known *known = find(gather, folder);
    bool is_new = !known;
    if (is_new) {
        gather->known = memory_grow(gather->known, gather->count, &gather->capacity, sizeof *gather->known);
        known = &gather->known[gather->count++];
        *known = (struct known){.summary.folder = folder};
    } else {
        free(folder);
    }
    known->listed = true;
    if (is_new || (clock_monotonic() >= known->due && session_summary_is_old(&known->summary)))
        read_session(gather, known);
}

static void forget_unlisted(struct gather *gather)
{
    for (size_t i = gather->count; i-- > 0;) {
        if (gather->known[i].listed)
            continue;
        struct gather_news news = {.kind = GATHER_GONE, .summary.folder = gather->known[i].summary.folder};
        gather->known[i] = gather->known[--gather->count];
        send(gather, &news);
    }
}

struct listed {
    char *folder;
    time_t written;
};

static int last_written_first(const void *left, const void *right)
{
    const struct listed *a = left, *b = right;
    return a->written != b->written ? (a->written < b->written ? 1 : -1) : strcmp(a->folder, b->folder);
}

/* The folders, the last written log first. */
static struct listed *list_sessions(size_t *count)
{
    char **folders = session_list(count);
    struct listed *list = memory_new(*count + 1, sizeof *list);
    for (size_t i = 0; i < *count; i++)
        list[i] = (struct listed){folders[i], session_summary_written(folders[i])};
    qsort(list, *count, sizeof *list, last_written_first);
    free(folders);
    return list;
}

static void make_pass(struct gather *gather)
{
    size_t count, i = 0;
    struct listed *list = list_sessions(&count);
    for (size_t j = 0; j < gather->count; j++)
        gather->known[j].listed = false;
    for (; i < count && !gather->ending && !gather->held; i++)
        look_at(gather, list[i].folder);
    bool whole = i == count;
    for (; i < count; i++)
        free(list[i].folder);
    free(list);
    if (!whole)
        return;
    forget_unlisted(gather);
    if (!gather->told_all)
        gather->told_all = send(gather, &(struct gather_news){.kind = GATHER_ALL});
}

static void *run(void *context)
{
    struct gather *gather = context;
    char command;
    while (!gather->ending) {
        if (!gather->held)
            make_pass(gather);
        if (!gather->ending)
            queue_take(gather->commands, &command, pass_seconds);
    }
    return NULL;
}

struct gather *gather_new(void)
{
    struct gather *gather = memory_new(1, sizeof *gather);
    gather->news = queue_new(sizeof(struct gather_news), NEWS_MAX);
    gather->commands = queue_new(1, 1);
    gather->wake = wake_new();
    if (thread_start(&gather->thread, run, gather))
        return gather;
    queue_free(gather->news);
    queue_free(gather->commands);
    close(gather->wake);
    free(gather);
    return NULL;
}

void gather_free(struct gather *gather)
{
    struct gather_news news;
    gather->ending = true;
    queue_close(gather->news);
    queue_close(gather->commands);
    pthread_join(gather->thread, NULL);
    while (queue_take(gather->news, &news, 0))
        session_summary_done(&news.summary);
    for (size_t i = 0; i < gather->count; i++)
        free(gather->known[i].summary.folder);
    free(gather->known);
    queue_free(gather->news);
    queue_free(gather->commands);
    close(gather->wake);
    free(gather);
}

int gather_descriptor(const struct gather *gather)
{
    return gather->wake;
}

bool gather_next(struct gather *gather, struct gather_news *news)
{
    wake_take(gather->wake);
    return queue_take(gather->news, news, 0);
}

void gather_hold(struct gather *gather, bool held)
{
    gather->held = held;
    if (!held)
        queue_try_put(gather->commands, "");
}
