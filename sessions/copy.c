/*
 * copy.c - copies a session, with all or fewer of its files and events.
 *
 * It needs no lock on the session: it copies the log as it is when it is read, without a torn last frame, and the files
 * that its events name.  Frames are copied byte for byte, with kinds and keys that this program doesn't know.
 * Transient events may be left out, which changes no number and no durable state; the last one is kept, so that the
 * session's duration stays the same.
 *
 * Files are written first and the log last, over the empty one that locks the new folder.  When anything fails, the
 * copy is removed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "util/file.h"
#include "util/memory.h"

struct copy {
    const char *from, *to;
    enum copy_files files;
    bool thin;
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
            return error_prefix(error, "%s: event %lld contradicts those before it", copy->from, (long long)before);
    }
    if (copy->transient.length) {
        text_add_bytes(&copy->log, copy->transient.bytes, copy->transient.length);
        copy->report->left_out--;
        copy->report->events++;
    }
    if (found >= 0 && !copy->state->event_count)
        return error_set(error, "%s: the session has no events: its run ended before it began", copy->from);
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

/* Takes ownership of `path`. */
static int write_made(struct copy *copy, char *path, const void *bytes, size_t length, struct error *error)
{
    if (copy->stopped()) {
        free(path);
        return error_set(error, "%s: stopped; the incomplete copy was removed", copy->to);
    }
    copy->made = memory_grow(copy->made, copy->made_count, &copy->made_capacity, sizeof *copy->made);
    copy->made[copy->made_count++] = path;
    copy->report->bytes += (int64_t)length;
    return file_write(path, bytes, length, error);
}

static int copy_file(struct copy *copy, const char *place, const char *name, struct error *error)
{
    char *from_folder = file_join(copy->from, place), *to_folder = file_join(copy->to, place);
    char *from = file_join(from_folder, name);
    void *bytes = NULL;
    size_t length;
    int result = 0;
    if (!file_exists(from)) {
        copy->report->missing++;
    } else if (!(result = file_read(from, SESSION_FILE_MAX, &bytes, &length, error))) {
        copy->report->files++;
        result = write_made(copy, file_join(to_folder, name), bytes, length, error);
    }
    free(bytes);
    free(from);
    free(from_folder);
    free(to_folder);
    return result;
}

static int copy_files(struct copy *copy, struct error *error)
{
    const struct session_state *state = copy->state;
    bool all = copy->files == COPY_ALL;
    if (copy->files == COPY_NO_FILES)
        return 0;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        bool wanted = all || i == 1 || i == state->best;
        if (wanted && node->weights && *node->weights && copy_file(copy, "weights", node->weights, error))
            return -1;
    }
    for (int64_t i = 0; i < state->policy_count; i++) {
        const char *name = state->policies[i].facts.state;
        bool wanted = all || i == state->policy_count - 1;
        if (wanted && *name && copy_file(copy, "policy", name, error))
            return -1;
    }
    return 0;
}

static int write_all(struct copy *copy, struct error *error)
{
    struct log_writer *writer;
    if (log_create(copy->to, &writer, error))
        return -1;
    int result = copy_files(copy, error);
    if (!result)
        result = write_made(copy, file_join(copy->to, LOG_FILE), copy->log.bytes, copy->log.length, error);
    for (size_t i = 0; result && i < copy->made_count; i++)
        remove(copy->made[i]);
    if (result)
        log_remove(writer);
    else
        log_close(writer);
    return result;
}

int session_copy(const char *from, const char *to, enum copy_files files, bool thin, bool (*stopped)(void),
                 struct copy_report *report, struct error *error)
{
    *report = (struct copy_report){0};
    struct copy copy = {.from = from,
                        .to = to,
                        .files = files,
                        .thin = thin,
                        .stopped = stopped,
                        .state = session_state_new(),
                        .report = report};
    int result = read_log(&copy, error) || write_all(&copy, error) ? -1 : 0;
    session_state_free(copy.state);
    text_done(&copy.log);
    text_done(&copy.transient);
    for (size_t i = 0; i < copy.made_count; i++)
        free(copy.made[i]);
    free(copy.made);
    return result;
}
