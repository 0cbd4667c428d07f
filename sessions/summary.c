/*
 * summary.c - reads what a list of sessions shows of one.
 *
 * What a session holds comes from the fold of its log; which process runs it from the text in its lock.  A process that
 * was killed leaves that text behind, but the kernel has released the lock then, and so no process runs it.
 */
#include "sessions/summary.h"

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log.h"
#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

/* --- the folder --- */

static _Thread_local double counted_bytes; /* nftw() passes no context */

static int count_file(const char *path, const struct stat *status, int type, struct FTW *where)
{
    counted_bytes += type == FTW_F ? (double)status->st_blocks * 512 : 0;
    return 0;
}

static double bytes_of(const char *folder)
{
    enum { DESCRIPTORS = 8 };
    counted_bytes = 0;
    nftw(folder, count_file, DESCRIPTORS, FTW_PHYS);
    return counted_bytes;
}

static void find_written(const char *folder, time_t *written, int64_t *bytes)
{
    struct stat status;
    char *log = file_join(folder, LOG_FILE);
    int missing = stat(log, &status);
    *written = missing ? 0 : status.st_mtime;
    *bytes = missing ? 0 : (int64_t)status.st_size;
    free(log);
}

char *session_short_name(const char *folder)
{
    size_t length = strlen(folder), begin;
    while (length > 1 && folder[length - 1] == '/')
        length--;
    for (begin = length; begin && folder[begin - 1] != '/';)
        begin--;
    char *name = event_text("%.*s", (int)(length - begin), folder + begin);
    length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, ".esp"))
        name[length - 4] = '\0';
    return name;
}

/* --- who runs it --- */

static void find_user(uid_t id, struct session_summary *summary)
{
    enum { BYTES = 4096 };
    char bytes[BYTES];
    struct passwd entry, *found = NULL;
    if (!getpwuid_r(id, &entry, bytes, sizeof bytes, &found) && found)
        snprintf(summary->user, sizeof summary->user, "%s", found->pw_name);
}

/* Is it a process of this program?  Whoever reads this may not signal it. */
static bool is_alive(struct session_summary *summary)
{
    char path[64], host[256] = "", name[16] = "";
    struct stat status;
    gethostname(host, sizeof host - 1);
    summary->here = !strcmp(host, summary->host);
    if (!summary->here)
        return true; /* another machine's, which shares the folder: believe the lock */
    snprintf(path, sizeof path, "/proc/%ld/comm", summary->process);
    FILE *file = fopen(path, "re");
    bool named = file && fscanf(file, "%15s", name) == 1 && strstr(name, "espalier");
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%ld", summary->process);
    if (!named || stat(path, &status))
        return false;
    find_user(status.st_uid, summary);
    return true;
}

/* Does any process hold the lock?  Where the file system has no locks the text is believed. */
static bool is_held(int lock)
{
    if (flock(lock, LOCK_SH | LOCK_NB))
        return true;
    flock(lock, LOCK_UN); /* at once: log_lock() may want it */
    return false;
}

/* Who has the session, as its lock says. */
static void read_lock(struct session_summary *summary)
{
    enum { LOCK_MAX = 512 };
    char text[LOCK_MAX + 1] = "", *path = file_join(summary->folder, LOCK_FILE);
    int lock = session_file_open(path, IN_SESSION, O_RDONLY, false, NULL);
    free(path);
    if (lock < 0)
        return;
    bool told = pread(lock, text, LOCK_MAX, 0) > 0 && sscanf(text, "%ld %255s", &summary->process, summary->host) == 2;
    if (!told || !is_held(lock) || !is_alive(summary))
        summary->process = 0;
    close(lock);
}

/* --- the log --- */

static void read_curve(const struct session_state *state, struct session_summary *summary)
{
    double *best = memory_new((size_t)state->node_count + 1, sizeof *best);
    int count = 0;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status != NODE_DONE)
            continue;
        best[count] = count ? fmax(best[count - 1], node->accuracy) : node->accuracy;
        count++;
    }
    int places = summary->curve_count = count < SUMMARY_CURVE ? count : SUMMARY_CURVE;
    for (int i = 0; i < places; i++)
        summary->curve[i] = best[places > 1 ? i * (count - 1) / (places - 1) : 0];
    free(best);
}

static enum summary_status status_of(const struct session_summary *summary, const struct session_state *state)
{
    if (summary->process)
        return state->paused ? SUMMARY_PAUSED : SUMMARY_RUNNING;
    if (!state->finished)
        return SUMMARY_DIED;
    return state->finish_reason.value == FINISH_ERROR         ? SUMMARY_FAILED
           : state->finish_reason.value == FINISH_INTERRUPTED ? SUMMARY_STOPPED
                                                              : SUMMARY_FINISHED;
}

static void read_state(struct session_summary *summary, const struct session_state *state)
{
    const struct session_node *best = session_node(state, state->best);
    const char *policy = session_option(state, "policy");
    summary->readable = true;
    summary->status = status_of(summary, state);
    summary->data = state->facts.data ? memory_copy_text(state->facts.data) : NULL;
    summary->policy = policy ? memory_copy_text(policy) : NULL;
    summary->networks = state->status_count[NODE_DONE];
    summary->pending = state->status_count[NODE_QUEUED] + state->status_count[NODE_RUNNING];
    summary->best = state->best;
    summary->parameters = best ? best->facts.parameters : 0;
    summary->accuracy = best ? best->accuracy : 0;
    summary->seconds = session_active_seconds(state, state->time);
    summary->created = state->facts.created;
    read_curve(state, summary);
}

void session_summary_read(struct session_summary *summary, char *folder)
{
    struct error warning;
    struct session_state *state = NULL;
    *summary = (struct session_summary){.folder = folder, .name = session_short_name(folder), .error = {{0}}};
    find_written(folder, &summary->written, &summary->log_bytes); /* before the log: what comes then is read again */
    summary->bytes = bytes_of(folder);
    summary->status = SUMMARY_DAMAGED;
    read_lock(summary);
    if (session_load(folder, &state, &warning, &summary->error))
        return;
    read_state(summary, state);
    session_state_free(state);
}

void session_summary_done(struct session_summary *summary)
{
    free(summary->folder);
    free(summary->name);
    free(summary->data);
    free(summary->policy);
    *summary = (struct session_summary){.folder = NULL};
}

bool session_summary_is_old(const struct session_summary *summary)
{
    struct session_summary now = {.folder = summary->folder};
    find_written(now.folder, &now.written, &now.log_bytes);
    read_lock(&now);
    return now.written != summary->written || now.log_bytes != summary->log_bytes || now.process != summary->process;
}

time_t session_summary_written(const char *folder)
{
    time_t written;
    int64_t bytes;
    find_written(folder, &written, &bytes);
    return written;
}

bool session_summary_is_running(const struct session_summary *summary)
{
    return summary->process != 0;
}

const char *session_summary_word(enum summary_status status)
{
    static const char *const words[SUMMARY_STATUS_COUNT] = {
#define SUMMARY_WORD(name, word) [SUMMARY_##name] = word,
        SUMMARY_STATUSES(SUMMARY_WORD)
#undef SUMMARY_WORD
    };
    ASSERT(status < SUMMARY_STATUS_COUNT);
    return words[status];
}
