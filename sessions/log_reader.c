/*
 * log_reader.c - reads a log event by event, and whole sessions.
 *
 * The reader keeps a window of the file that begins at or before the next frame.  It drops the window at a torn frame,
 * so that it reads again what a writer has written there since.  An incomplete frame is torn when no good frame follows
 * it in the file, and damage otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "sessions/session_file.h"
#include "util/file.h"
#include "util/memory.h"

enum { WINDOW = 1 << 18 };

struct log_reader {
    char *path;
    int file;
    int64_t offset; /* of the next frame */
    int64_t number; /* of the last durable event, of unknown kinds too */
    unsigned char *window;
    size_t used, capacity;
    int64_t window_offset; /* of window[0] in the file */
};

/* Read until the window has `length` bytes from the next frame on, or the file ends. */
static int fill(struct log_reader *reader, size_t length, struct error *error)
{
    size_t skip = (size_t)(reader->offset - reader->window_offset);
    if (reader->used - skip >= length)
        return 0;
    reader->used -= skip;
    if (reader->used)
        memmove(reader->window, reader->window + skip, reader->used);
    reader->window_offset = reader->offset;
    size_t wanted = length > WINDOW ? length : WINDOW;
    if (wanted > reader->capacity) {
        reader->window = memory_resize(reader->window, wanted, 1);
        reader->capacity = wanted;
    }
    while (reader->used < length) {
        ssize_t got = pread(reader->file, reader->window + reader->used, reader->capacity - reader->used,
                            reader->window_offset + (int64_t)reader->used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, "%s: can't be read at byte %lld (%s)", reader->path,
                             (long long)reader->window_offset + (long long)reader->used, strerror(errno));
        if (!got)
            return 0;
        reader->used += (size_t)got;
    }
    return 0;
}

static void forget_window(struct log_reader *reader)
{
    reader->used = 0;
    reader->window_offset = reader->offset;
}

int log_without_events(const char *folder, struct error *error)
{
    return error_set(error,
                     "%s: the session has no events: the run or the copy that made it was ended too early; remove it, "
                     "and begin again",
                     folder);
}

bool log_is_compressed(const void *bytes, size_t length)
{
    return length >= 2 && !memcmp(bytes, "\x1f\x8b", 2); /* gzip */
}

int log_check_header(const void *bytes, size_t length, struct error *error)
{
    const unsigned char *header = bytes;
    if (log_is_compressed(bytes, length))
        return error_set(error, "it is compressed; gunzip it first");
    if (length < LOG_HEADER || memcmp(header, LOG_MAGIC, LOG_HEADER - 1))
        return error_set(error,
                         "not a session's log (it doesn't begin with %s); `espalier fsck --repair` salvages what is "
                         "whole in a damaged one",
                         LOG_MAGIC);
    if (header[LOG_HEADER - 1] != LOG_VERSION)
        return error_set(error, "the log has format %d, and this program knows only %d; use a newer espalier",
                         header[LOG_HEADER - 1], LOG_VERSION);
    return 0;
}

static int check_header(struct log_reader *reader, const char *folder, struct error *error)
{
    if (fill(reader, LOG_HEADER, error))
        return -1;
    if (reader->used < LOG_HEADER && !memcmp(reader->window, LOG_MAGIC, reader->used))
        return log_without_events(folder, error);
    if (log_check_header(reader->window, reader->used, error))
        return error_prefix(error, "%s", reader->path);
    reader->offset = LOG_HEADER;
    return 0;
}

int log_read(const char *folder, struct log_reader **reader, struct error *error)
{
    struct log_reader *opened = memory_new(1, sizeof *opened);
    opened->path = file_join(folder, LOG_FILE);
    opened->file = session_file_open(opened->path, IN_SESSION, O_RDONLY, true, error);
    int result = opened->file < 0 ? -1 : 0;
    if (result && (errno == ENOENT || errno == ENOTDIR))
        error_set(error, "%s: not a session (it has no %s)", folder, LOG_FILE);
    else if (!result)
        result = check_header(opened, folder, error);
    if (result) {
        log_reader_free(opened);
        return -1;
    }
    *reader = opened;
    return 0;
}

enum { FRAME_MAX = FRAME_HEADER + FRAME_PAYLOAD_MAX, SEARCHED = 4 * FRAME_MAX };

/* More bytes than the file has from the next frame on, but at most `most`: no larger window is needed. */
static size_t rest_of(const struct log_reader *reader, size_t most)
{
    struct stat status;
    int64_t rest = fstat(reader->file, &status) ? 0 : status.st_size - reader->offset;
    size_t wanted = (rest > 0 ? (size_t)rest : 0) + WINDOW;
    return wanted < most ? wanted : most;
}

/* Offset of the first good frame at or after `from`, or -1 when there is none, or -2 with a message.  Looks at parts of
   SEARCHED bytes, which overlap by a frame.  Moves the window. */
static int64_t find_good(struct log_reader *reader, int64_t from, struct error *error)
{
    for (;;) {
        reader->offset = from;
        forget_window(reader);
        size_t wanted = rest_of(reader, SEARCHED);
        if (fill(reader, wanted, error))
            return -2;
        bool is_last = reader->used < wanted;
        struct frame_search search = {.bytes = reader->window, .length = reader->used};
        size_t found = frame_search_next(&search, 0);
        frame_search_done(&search);
        if (found < reader->used && (is_last || found + FRAME_MAX <= reader->used))
            return from + (int64_t)found;
        if (is_last)
            return -1;
        from += wanted == SEARCHED ? SEARCHED - FRAME_MAX : 0; /* else the file has grown */
    }
}

/* Read the frame at `offset` again.  LOG_EVENT: it is complete now; 0: it isn't. */
static int look_again(struct log_reader *reader, int64_t offset, struct error *error)
{
    size_t payload;
    reader->offset = offset;
    forget_window(reader);
    if (fill(reader, rest_of(reader, FRAME_MAX), error))
        return -1;
    return frame_check(reader->window, reader->used, &payload) == FRAME_GOOD ? LOG_EVENT : 0;
}

/* An incomplete frame: is it a torn end or damage?  A writer may be writing it, and more behind it, so it is looked at
   again before the search and after it.  LOG_EVENT: it is complete now. */
static int torn_or_damaged(struct log_reader *reader, struct error *error)
{
    int64_t offset = reader->offset;
    int again = look_again(reader, offset, error);
    if (again)
        return again;
    int64_t next = find_good(reader, offset + 1, error);
    if (next >= 0)
        again = look_again(reader, offset, error);
    if (again)
        return again;
    reader->offset = offset;
    forget_window(reader);
    if (next < 0)
        return next == -1 ? LOG_TORN : -1;
    return error_set(error, "%s: damaged at byte %lld (good again at byte %lld); %s", reader->path, (long long)offset,
                     (long long)next,
                     offset == LOG_HEADER ? "the session's first event is lost, and nothing can be salvaged without it"
                                          : "`espalier fsck --repair` salvages the rest");
}

/* Durable events, of unknown kinds too, are numbered without gaps. */
static int check_number(struct log_reader *reader, int decoded, const struct event *event, struct error *error)
{
    int64_t next = reader->number + 1;
    bool durable = decoded == EVENT_DECODED ? event_is_durable(event->kind) : event->number == next;
    if (event->number != (durable ? next : reader->number))
        return error_set(error,
                         "%s: event %lld follows event %lld at byte %lld, so events are missing; "
                         "`espalier fsck --repair` salvages the rest",
                         reader->path, (long long)event->number, (long long)reader->number, (long long)reader->offset);
    reader->number = event->number;
    return 0;
}

int log_next_frame(struct log_reader *reader, struct event *event, const void **frame, size_t *length,
                   struct error *error)
{
    for (;;) {
        size_t payload = 0;
        if (fill(reader, FRAME_HEADER, error))
            return -1;
        size_t skip = (size_t)(reader->offset - reader->window_offset);
        enum frame_status status = frame_check(reader->window + skip, reader->used - skip, &payload);
        if (status == FRAME_SHORT && payload) {
            if (fill(reader, FRAME_HEADER + payload, error))
                return -1;
            skip = (size_t)(reader->offset - reader->window_offset);
            status = frame_check(reader->window + skip, reader->used - skip, &payload);
        }
        if (reader->used == skip)
            return LOG_END;
        if (status != FRAME_GOOD) {
            int found = torn_or_damaged(reader, error);
            if (found != LOG_EVENT)
                return found;
            continue;
        }
        const unsigned char *bytes = reader->window + skip + FRAME_HEADER;
        int decoded = frame_begins_event(bytes, payload, NULL)
                          ? event_decode(bytes, payload, event, error)
                          : error_set(error, "an event begins with its number, and this does not");
        if (decoded < 0)
            return error_prefix(error, "%s: the event at byte %lld can't be read", reader->path,
                                (long long)reader->offset);
        if (check_number(reader, decoded, event, error)) {
            if (decoded == EVENT_DECODED)
                event_done(event);
            return -1;
        }
        reader->offset += (int64_t)(FRAME_HEADER + payload);
        *frame = reader->window + skip;
        *length = FRAME_HEADER + payload;
        return decoded == EVENT_DECODED ? LOG_EVENT : LOG_UNKNOWN;
    }
}

int log_next(struct log_reader *reader, struct event *event, struct error *error)
{
    const void *frame;
    size_t length;
    int result;
    do
        result = log_next_frame(reader, event, &frame, &length, error);
    while (result == LOG_UNKNOWN);
    return result;
}

int64_t log_offset(const struct log_reader *reader)
{
    return reader->offset;
}

void log_seek(struct log_reader *reader, int64_t offset, int64_t number)
{
    int64_t begin = reader->window_offset, end = begin + (int64_t)reader->used;
    reader->offset = offset;
    reader->number = number;
    if (offset < begin || offset > end)
        forget_window(reader);
}

int64_t log_reader_number(const struct log_reader *reader)
{
    return reader->number;
}

void log_reader_free(struct log_reader *reader)
{
    if (!reader)
        return;
    if (reader->file >= 0)
        close(reader->file);
    free(reader->path);
    free(reader->window);
    free(reader);
}

int log_fold(struct log_reader *reader, struct session_state *state, struct error *error)
{
    for (;;) {
        struct event event;
        int64_t offset = reader->offset;
        int result = log_next(reader, &event, error);
        if (result != LOG_EVENT)
            return result;
        result = session_apply(state, &event, error);
        event_done(&event);
        if (result)
            return error_prefix(error,
                                "%s: the event at byte %lld contradicts those before it (`espalier fsck --repair` "
                                "salvages the rest)",
                                reader->path, (long long)offset);
    }
}

int session_load(const char *folder, struct session_state **state, struct error *warning, struct error *error)
{
    if (warning)
        warning->text[0] = 0;
    struct log_reader *reader;
    if (log_read(folder, &reader, error))
        return -1;
    struct session_state *loaded = session_state_new();
    int result = log_fold(reader, loaded, error);
    if (result == LOG_TORN)
        error_set(warning, "%s: the last event is incomplete and was left out (at byte %lld)", reader->path,
                  (long long)reader->offset);
    if (result >= 0 && !loaded->event_count)
        result = log_without_events(folder, error);
    log_reader_free(reader);
    if (result < 0) {
        session_state_free(loaded);
        return -1;
    }
    *state = loaded;
    return 0;
}
