/*
 * copy.c - copies a session, with all or fewer of its files and events.
 *
 * It needs no lock on the session: it copies the log as it is when it is read, without a torn last frame, and the files
 * that its events name.  Frames are copied byte for byte, with kinds and keys that this program doesn't know.
 * Transient events may be left out, which changes no number and no durable state; the last one is kept, so that the
 * session's duration stays the same.
 *
 * Files are written first and the log last, over the empty one that locks the new folder.  When anything fails, the
 * copy is removed.  A file is copied only with the hash that the log names, so that nothing else is passed on with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "sessions/named_file.h"
#include "sessions/session_file.h"
#include "util/file.h"
#include "util/memory.h"

struct copy {
    const char *from, *to;
    enum copy_files files;
    bool thin;
    int64_t until; /* the last event; 0: all */
    bool (*stopped)(void);
    struct session_state *state;
    struct copy_report *report;
    struct text log, transient; /* `transient`: the last frame that was left out */
    char **made;                /* paths of the files in the copy; owned */
    size_t made_count, made_capacity;
};

static int walk(struct copy *copy, struct log_reader *reader, struct error *error)
{
    struct event event;
    const void *frame;
    size_t length;
    int64_t before = 0;
    int found;
    while ((found = log_next_frame(reader, &event, &frame, &length, error)) == LOG_EVENT || found == LOG_UNKNOWN) {
        if (copy->until && log_reader_number(reader) > copy->until) {
            if (found == LOG_EVENT)
                event_done(&event);
            break;
        }
        bool left_out = copy->thin && log_reader_number(reader) == before;
        text_clear(&copy->transient);
        text_add_bytes(left_out ? &copy->transient : &copy->log, frame, length);
        ++*(left_out ? &copy->report->left_out : &copy->report->events);
        before = log_reader_number(reader);
        if (found == LOG_UNKNOWN)
            continue;
        int refused = session_apply(copy->state, &event, error);
        event_done(&event);
        if (refused)
            return error_prefix(
                error, "%s: event %lld contradicts those before it (`espalier fsck --repair` salvages the rest)",
                copy->from, (long long)before);
    }
    if (copy->transient.length) {
        text_add_bytes(&copy->log, copy->transient.bytes, copy->transient.length);
        copy->report->left_out--;
        copy->report->events++;
    }
    if (found >= 0 && !copy->state->event_count)
        return log_without_events(copy->from, error);
    return found < 0 ? -1 : 0;
}

static int read_log(struct copy *copy, struct error *error)
{
    struct log_reader *reader;
    text_add_bytes(&copy->log, LOG_HEADER_BYTES, LOG_HEADER);
    if (log_read(copy->from, &reader, error))
        return -1;
    int result = walk(copy, reader, error);
    log_reader_free(reader);
    return result;
}

static int go_on(const struct copy *copy, struct error *error)
{
    return copy->stopped() ? error_set(error, "%s: stopped; the incomplete copy was removed", copy->to) : 0;
}

/* Takes ownership of `path`. */
static int write_made(struct copy *copy, char *path, enum session_file_level level, const void *bytes, size_t length,
                      struct error *error)
{
    copy->made = memory_grow(copy->made, copy->made_count, &copy->made_capacity, sizeof *copy->made);
    copy->made[copy->made_count++] = path;
    copy->report->bytes += (int64_t)length;
    return session_file_write(path, level, bytes, length, error);
}

static int read_saved(const char *path, const struct named_file *file, void **bytes, size_t *length,
                      struct error *error)
{
    char hash[HASH_TEXT];
    if (session_file_read(path, IN_PLACE, SESSION_FILE_MAX, bytes, length, error))
        return -1;
    if (!strcmp(hash_print(hash_of(*bytes, *length), hash), file->hash))
        return 0;
    free(*bytes);
    return error_set(error, "%s: its content is not what was saved; remove it, or copy without files (--weights none)",
                     path);
}

static int copy_file(struct copy *copy, const struct named_file *file, struct error *error)
{
    char *from = named_file_path(copy->from, file), *to = named_file_path(copy->to, file);
    void *bytes;
    size_t length;
    int result = go_on(copy, error);
    if (!result && session_file_exists(to, IN_PLACE)) { /* two networks have the same */
        free(to);
    } else if (!result && !session_file_exists(from, IN_PLACE)) {
        copy->report->missing++;
        free(to);
    } else if (result || read_saved(from, file, &bytes, &length, error)) {
        result = -1;
        free(to);
    } else {
        copy->report->files++;
        result = write_made(copy, to, IN_PLACE, bytes, length, error);
        free(bytes);
    }
    free(from);
    return result;
}

static int copy_files(struct copy *copy, struct error *error)
{
    struct named_file file;
    if (copy->files == COPY_NO_FILES)
        return 0;
    if (session_check_places(copy->from, copy->state, error))
        return -1;
    for (int64_t i = 0; i < named_file_count(copy->state); i++)
        if (named_file_at(copy->state, i, &file) &&
            (copy->files == COPY_ALL || named_file_is_of_best(copy->state, &file)) && copy_file(copy, &file, error))
            return -1;
    return 0;
}

/* A copy that ends earlier goes on with the policy's state of that moment. */
static int check_policy(const struct copy *copy, struct error *error)
{
    const struct session_state *state = copy->state;
    struct named_file file;
    if (!copy->until || copy->files == COPY_NO_FILES || !state->policy_count ||
        !named_file_at(state, named_file_count(state) - 1, &file))
        return 0;
    char *path = named_file_path(copy->from, &file);
    int result = session_file_exists(path, IN_PLACE)
                     ? 0
                     : error_set(error,
                                 "%s: the policy's state of that moment is gone (its weights were removed), so no "
                                 "search can go on from there; choose the end, or copy without files (--weights none)",
                                 path);
    free(path);
    return result;
}

static int write_all(struct copy *copy, struct error *error)
{
    struct log_writer *writer;
    if (log_create(copy->to, &writer, error))
        return -1;
    int result = copy_files(copy, error);
    if (!result)
        result = write_made(copy, file_join(copy->to, LOG_FILE), IN_SESSION, copy->log.bytes, copy->log.length, error);
    if (!result)
        result = go_on(copy, error); /* a copy that is stopped is no copy, however late it is */
    for (size_t i = 0; result && i < copy->made_count; i++)
        remove(copy->made[i]);
    if (result)
        log_remove(writer);
    else
        log_close(writer);
    return result;
}

int session_copy(const char *from, const char *to, enum copy_files files, bool thin, int64_t until,
                 bool (*stopped)(void), struct copy_report *report, struct error *error)
{
    *report = (struct copy_report){0};
    struct copy copy = {.from = from,
                        .to = to,
                        .files = files,
                        .thin = thin,
                        .until = until,
                        .stopped = stopped,
                        .state = session_state_new(),
                        .report = report};
    int result = read_log(&copy, error) || check_policy(&copy, error) || write_all(&copy, error) ? -1 : 0;
    session_state_free(copy.state);
    text_done(&copy.log);
    text_done(&copy.transient);
    for (size_t i = 0; i < copy.made_count; i++)
        free(copy.made[i]);
    free(copy.made);
    return result;
}
