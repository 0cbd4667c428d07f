/*
 * log.c - writes a session's log.
 *
 *   1. The writer holds the lock from log_create() or log_open() to log_close(); the kernel releases it when the
 * process ends.
 *   2. Bytes 0 … end-1 of events.log are whole good frames, and the file ends there whenever no call is in progress.
 *   3. A frame is written at `end` in one write.  If anything fails before it is there (and synced, for the kinds that
 *      are), the file is truncated to `end`, as if the event had never been.  If that fails too, the next frame
 *      overwrites the rest, and readers see a torn end until then.
 *   4. Only events that are in the file have a number.
 */
#include "sessions/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

struct log_writer {
    char *folder, *path;
    int lock, file;
    int64_t end;    /* of the good frames: where the next one begins */
    int64_t number; /* of the last durable event */
};

/* --- the lock ------------------------------------------------------------------------------------------------ */

static int in_use(const char *folder, int lock, struct error *error)
{
    char owner[320] = "";
    ssize_t length = pread(lock, owner, sizeof owner - 1, 0);
    owner[length > 0 ? length : 0] = 0;
    owner[strcspn(owner, "\n")] = 0;
    char host[256];
    long process;
    if (sscanf(owner, "%ld %255s", &process, host) != 2)
        return error_set(error, "%s: another process writes this session; attach to it, or stop it first", folder);
    return error_set(error, "%s: process %ld on %s writes this session; attach to it, or stop it first", folder,
                     process, host);
}

int log_lock(const char *folder, struct error *error)
{
    char *path = file_join(folder, LOCK_FILE);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0) {
        error_set(error, "%s: can't be opened (%s); check the permissions of the session's folder", path,
                  strerror(errno));
    } else if (flock(lock, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            in_use(folder, lock, error);
        else
            error_set(error, "%s: can't be locked (%s)", path, strerror(errno));
        close(lock);
        lock = -1;
    } else {
        char host[256] = "", owner[320];
        gethostname(host, sizeof host - 1);
        int length = snprintf(owner, sizeof owner, "%ld %s\n", (long)getpid(), host);
        bool told = !ftruncate(lock, 0) && pwrite(lock, owner, (size_t)length, 0) == length;
        (void)told; /* on a full disk the lock still holds; only a second writer's message lacks the pid */
    }
    free(path);
    return lock;
}

void log_unlock(int lock)
{
    if (lock < 0)
        return;
    int cleared = ftruncate(lock, 0);
    (void)cleared; /* a stale text is harmless */
    close(lock);
}

/* --- open and close ------------------------------------------------------------------------------------------ */

static int failed(const struct log_writer *writer, const char *what, struct error *error)
{
    return error_set(error, "%s: can't be %s (%s)", writer->path, what, strerror(errno));
}

static int require_empty(const char *folder, struct error *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return error_set(error, "%s: can't be opened (%s)", folder, strerror(errno));
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(directory));)
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    closedir(directory);
    return empty ? 0 : error_set(error, "%s: already exists and is not empty; choose another name", folder);
}

static struct log_writer *writer_new(const char *folder)
{
    struct log_writer *writer = memory_new(1, sizeof *writer);
    writer->folder = memory_copy_text(folder);
    writer->path = file_join(folder, LOG_FILE);
    writer->lock = writer->file = -1;
    return writer;
}

static void writer_free(struct log_writer *writer)
{
    if (writer->file >= 0)
        close(writer->file);
    log_unlock(writer->lock);
    free(writer->folder);
    free(writer->path);
    free(writer);
}

/* The folders of the files that events name.  A copy of a session may lack one that was empty. */
static int make_folders(const char *folder, struct error *error)
{
    char *weights = file_join(folder, "weights"), *policy = file_join(folder, "policy");
    int result = file_make_folder(weights, error) || file_make_folder(policy, error) ? -1 : 0;
    free(weights);
    free(policy);
    return result;
}

/* The folder was empty before: leave nothing incomplete in it. */
static void remove_files(const struct log_writer *writer)
{
    static const char *const names[] = {LOG_FILE, "policy", "weights", LOCK_FILE};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *path = file_join(writer->folder, names[i]);
        remove(path);
        free(path);
    }
    remove(writer->folder);
}

static int create_files(struct log_writer *writer, struct error *error)
{
    writer->lock = log_lock(writer->folder, error);
    if (writer->lock < 0 || make_folders(writer->folder, error))
        return -1;
    writer->file = open(writer->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer->file < 0)
        return failed(writer, "made", error);
    if (pwrite(writer->file, LOG_HEADER_BYTES, LOG_HEADER, 0) != LOG_HEADER || fsync(writer->file))
        return failed(writer, "written", error);
    writer->end = LOG_HEADER;
    if (file_sync_folder(writer->folder))
        return error_set(error, "%s: can't be synced (%s)", writer->folder, strerror(errno));
    return 0;
}

int log_create(const char *folder, struct log_writer **writer, struct error *error)
{
    if (file_make_folder(folder, error) || require_empty(folder, error))
        return -1;
    struct log_writer *created = writer_new(folder);
    if (create_files(created, error)) {
        log_remove(created);
        return -1;
    }
    *writer = created;
    return 0;
}

void log_remove(struct log_writer *writer)
{
    if (writer->lock >= 0)
        remove_files(writer);
    writer_free(writer);
}

static int open_files(struct log_writer *writer, struct session_state *state, struct error *warning,
                      struct error *error)
{
    struct log_reader *reader;
    if (log_read(writer->folder, &reader, error)) /* not a session: leave no lock in it */
        return -1;
    log_reader_free(reader);
    writer->lock = log_lock(writer->folder, error);
    if (writer->lock < 0 || make_folders(writer->folder, error) || log_read(writer->folder, &reader, error))
        return -1;
    int result = log_fold(reader, state, error);
    writer->end = log_offset(reader);
    writer->number = log_reader_number(reader);
    log_reader_free(reader);
    if (result < 0)
        return -1;
    if (!state->event_count)
        return error_set(error, "%s: the session has no events: its run ended before it began; remove it",
                         writer->folder);
    writer->file = open(writer->path, O_RDWR | O_CLOEXEC);
    if (writer->file < 0)
        return failed(writer, "opened", error);
    if (result != LOG_TORN)
        return 0;
    error_set(warning, "%s: the last event was incomplete and was cut off (at byte %lld)", writer->path,
              (long long)writer->end);
    bool failed_cut = ftruncate(writer->file, writer->end) || fsync(writer->file);
    return failed_cut ? failed(writer, "cut to its good part", error) : 0;
}

int log_open(const char *folder, struct log_writer **writer, struct session_state **state, struct error *warning,
             struct error *error)
{
    if (warning)
        warning->text[0] = 0;
    struct log_writer *opened = writer_new(folder);
    struct session_state *folded = session_state_new();
    if (open_files(opened, folded, warning, error)) {
        session_state_free(folded);
        writer_free(opened);
        return -1;
    }
    *writer = opened;
    *state = folded;
    return 0;
}

void log_close(struct log_writer *writer)
{
    if (!writer)
        return;
    fdatasync(writer->file);
    writer_free(writer);
}

const char *log_folder(const struct log_writer *writer)
{
    return writer->folder;
}

/* --- append -------------------------------------------------------------------------------------------------- */

static bool is_synced(enum event_kind kind)
{
    return kind == EVENT_SESSION || kind == EVENT_RESULT || kind == EVENT_POLICY || kind == EVENT_FINISHED;
}

static int write_all(int file, const unsigned char *bytes, size_t length, int64_t offset)
{
    while (length) {
        ssize_t written = pwrite(file, bytes, length, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        bytes += written;
        length -= (size_t)written;
        offset += written;
    }
    return 0;
}

int log_append(struct log_writer *writer, struct event *event, struct error *error)
{
    bool durable = event_is_durable(event->kind);
    int64_t number = event->number;
    event->number = writer->number + durable;
    void *payload;
    size_t length;
    event_encode(event, &payload, &length);
    if (length > FRAME_PAYLOAD_MAX) {
        free(payload);
        event->number = number;
        return error_set(error, "%s: an event of %zu bytes is too long (the maximum is %d)", writer->path, length,
                         FRAME_PAYLOAD_MAX);
    }
    unsigned char *frame = memory_new(FRAME_HEADER + length, 1);
    frame_write_header(frame, payload, length);
    memcpy(frame + FRAME_HEADER, payload, length);
    free(payload);
    int result = 0;
    if (write_all(writer->file, frame, FRAME_HEADER + length, writer->end) ||
        (is_synced(event->kind) && fdatasync(writer->file))) {
        result = error_set(error, "%s: can't be written (%s); free some space, then resume the session", writer->path, strerror(errno));
        event->number = number;
        int undone = ftruncate(writer->file, writer->end);
        (void)undone; /* invariant 3 */
    } else {
        writer->end += (int64_t)(FRAME_HEADER + length);
        writer->number += durable;
    }
    free(frame);
    return result;
}
