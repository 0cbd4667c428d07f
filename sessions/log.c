/*
 * log.c - writes a session's log.
 *
 *   1. The writer holds two locks from log_create() or log_open() to log_close(): one on `lock`, which also orders
 * those that replace the log, and one on the log itself, since anybody may remove `lock`.  The kernel releases them
 * when the process ends.
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
#include <time.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

struct log_writer {
    char *folder, *path;
    struct log_lock lock; /* lock.log is the file that is written */
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

/* Lock an open file, whose descriptor is the caller's to close. */
static int lock_file(const char *folder, const char *path, int file, int owner, struct error *error)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    int tries = 10, failed;
    while ((failed = flock(file, LOCK_EX | LOCK_NB)) && errno == EWOULDBLOCK && --tries)
        nanosleep(&moment, NULL); /* a list of sessions asks whether it is held (summary.c) */
    if (!failed)
        return 0;
    if (errno == EWOULDBLOCK)
        return in_use(folder, owner, error);
    return error_set(error, "%s: can't be locked (%s)", path, strerror(errno));
}

static bool is_at(int file, const char *path)
{
    struct stat there, open;
    return !lstat(path, &there) && !fstat(file, &open) && there.st_dev == open.st_dev && there.st_ino == open.st_ino;
}

/* Open the log and lock it.  Without one: 0, and `*log` is -1. */
static int lock_log(const char *folder, int owner, int *log, struct error *error)
{
    char *path = file_join(folder, LOG_FILE);
    int result = 0;
    if (session_file_exists(path, IN_SESSION)) {
        *log = session_file_open(path, IN_SESSION, O_RDWR, true, error);
        result = *log < 0 ? -1 : lock_file(folder, path, *log, owner, error);
    }
    if (*log >= 0 && !result && !is_at(*log, path))
        result = error_set(error, "%s: it was replaced just now; try again", path);
    free(path);
    return result;
}

static void tell_owner(int owner)
{
    char host[256] = "", text[320];
    gethostname(host, sizeof host - 1);
    int length = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), host);
    fchmod(owner, 0600); /* who can open it could hold it */
    bool told = !ftruncate(owner, 0) && pwrite(owner, text, (size_t)length, 0) == length;
    (void)told; /* on a full disk the lock still holds; only a second writer's message lacks the pid */
}

int log_lock(const char *folder, struct log_lock *lock, struct error *error)
{
    char *path = file_join(folder, LOCK_FILE);
    *lock = (struct log_lock){-1, -1};
    lock->owner = session_file_open(path, IN_SESSION, O_RDWR | O_CREAT, false, error);
    int result = lock->owner < 0 || lock_file(folder, path, lock->owner, lock->owner, error) ||
                         lock_log(folder, lock->owner, &lock->log, error)
                     ? -1
                     : 0;
    free(path);
    if (result) {
        if (lock->log >= 0)
            close(lock->log);
        if (lock->owner >= 0)
            close(lock->owner);
        *lock = (struct log_lock){-1, -1};
    } else {
        tell_owner(lock->owner);
    }
    return result;
}

void log_unlock(struct log_lock *lock)
{
    if (lock->log >= 0)
        close(lock->log);
    if (lock->owner >= 0) {
        int cleared = ftruncate(lock->owner, 0);
        (void)cleared; /* a stale text is harmless */
        close(lock->owner);
    }
    *lock = (struct log_lock){-1, -1};
}

/* --- open and close ------------------------------------------------------------------------------------------ */

static int failed(const struct log_writer *writer, const char *what, struct error *error)
{
    return error_set(error, "%s: can't be %s (%s)", writer->path, what, strerror(errno));
}

static bool is_empty_place(const char *path)
{
    int place = session_place_open(path, NULL);
    DIR *directory = place < 0 ? NULL : fdopendir(place);
    bool empty = directory != NULL;
    for (struct dirent *entry; empty && (entry = readdir(directory));)
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (directory)
        closedir(directory);
    else if (place >= 0)
        close(place);
    return empty;
}

/* Could it be of a run that ended before its first event? */
static bool is_of_no_event(const char *folder, const char *name)
{
    struct stat status;
    char *path = file_join(folder, name);
    bool result = !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, LOCK_FILE) || !strcmp(name, OUTPUT_FILE) ||
                  !strcmp(name, SOCKET_FILE);
    if (!strcmp(name, LOG_FILE))
        result = !lstat(path, &status) && S_ISREG(status.st_mode) && status.st_size <= LOG_HEADER;
    else if (!strcmp(name, "weights") || !strcmp(name, "policy"))
        result = is_empty_place(path);
    free(path);
    return result;
}

static int require_empty(const char *folder, struct error *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return error_set(error, "%s: can't be opened (%s)", folder, strerror(errno));
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(directory));)
        empty = is_of_no_event(folder, entry->d_name);
    closedir(directory);
    return empty ? 0
                 : error_set(error, "%s: already exists and is not empty; choose another name, or remove it", folder);
}

static struct log_writer *writer_new(const char *folder)
{
    struct log_writer *writer = memory_new(1, sizeof *writer);
    writer->folder = memory_copy_text(folder);
    writer->path = file_join(folder, LOG_FILE);
    writer->lock = (struct log_lock){-1, -1};
    return writer;
}

static void writer_free(struct log_writer *writer)
{
    log_unlock(&writer->lock);
    free(writer->folder);
    free(writer->path);
    free(writer);
}

/* The folders of the files that events name.  A copy of a session may lack one that was empty. */
static int make_folders(const char *folder, struct error *error)
{
    char *weights = file_join(folder, "weights"), *policy = file_join(folder, "policy");
    int result = session_place_make(weights, error) || session_place_make(policy, error) ? -1 : 0;
    free(weights);
    free(policy);
    return result;
}

/* The folder was empty before: leave nothing incomplete in it. */
static void remove_files(const struct log_writer *writer)
{
    static const char *const names[] = {LOG_FILE, OUTPUT_FILE, SOCKET_FILE, "policy", "weights", LOCK_FILE};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *path = file_join(writer->folder, names[i]);
        remove(path);
        free(path);
    }
    remove(writer->folder);
}

static int make_log(struct log_writer *writer, struct error *error)
{
    if (writer->lock.log >= 0) { /* it has no event */
        close(writer->lock.log);
        unlink(writer->path);
    }
    writer->lock.log = session_file_open(writer->path, IN_SESSION, O_RDWR | O_CREAT | O_EXCL, true, error);
    if (writer->lock.log < 0 || lock_file(writer->folder, writer->path, writer->lock.log, writer->lock.owner, error))
        return -1;
    if (pwrite(writer->lock.log, LOG_HEADER_BYTES, LOG_HEADER, 0) != LOG_HEADER || fsync(writer->lock.log))
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
    /* Again with the lock: another process may have begun here meanwhile. */
    if (log_lock(folder, &created->lock, error) || require_empty(folder, error)) {
        writer_free(created);
        rmdir(folder); /* if it is empty */
        return -1;
    }
    if (make_folders(folder, error) || make_log(created, error)) {
        log_remove(created);
        return -1;
    }
    *writer = created;
    return 0;
}

void log_remove(struct log_writer *writer)
{
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
    if (log_lock(writer->folder, &writer->lock, error) || make_folders(writer->folder, error) ||
        log_read(writer->folder, &reader, error))
        return -1;
    int result = log_fold(reader, state, error);
    writer->end = log_offset(reader);
    writer->number = log_reader_number(reader);
    log_reader_free(reader);
    if (result < 0)
        return -1;
    if (!state->event_count)
        return log_without_events(writer->folder, error);
    if (session_check_places(writer->folder, state, error))
        return -1;
    session_files_sweep(writer->folder);
    if (result != LOG_TORN)
        return 0;
    error_set(warning, "%s: the last event was incomplete and was cut off (at byte %lld)", writer->path,
              (long long)writer->end);
    bool failed_cut = ftruncate(writer->lock.log, writer->end) || fsync(writer->lock.log);
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
    fdatasync(writer->lock.log);
    if (writer->end == LOG_HEADER && is_at(writer->lock.log, writer->path)) /* a copy has put another log there */
        remove_files(writer);
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
    if (write_all(writer->lock.log, frame, FRAME_HEADER + length, writer->end) ||
        (is_synced(event->kind) && fdatasync(writer->lock.log))) {
        result = error_set(error, "%s: can't be written (%s); free some space, then %s", writer->path, strerror(errno),
                           writer->number ? "resume the session" : "begin again: nothing of this search was recorded");
        event->number = number;
        int undone = ftruncate(writer->lock.log, writer->end);
        (void)undone; /* invariant 3 */
    } else {
        writer->end += (int64_t)(FRAME_HEADER + length);
        writer->number += durable;
    }
    free(frame);
    return result;
}
