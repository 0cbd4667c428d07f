/*
 * copy.c - a session's copy, to keep or to pass on, with fewer files or fewer events than it has.
 *
 * Needs no lock on the session: what is copied is the log as it is when it is read, without a torn last frame, and the
 * files that its events name.  Frames are copied as they are, so that kinds and keys that this program doesn't know go
 * along; transient events may be left out, which changes no number and no durable state.
 *
 * The copy is written files first and its log last, over the empty one that locks the new folder.  When anything fails,
 * what was made is removed again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "util/file.h"
#include "util/memory.h"

#define LOG_SIZE_MAX  ((size_t)1 << 40)
#define FILE_SIZE_MAX ((size_t)1 << 30)

struct copy {
    const char *from, *to;
    enum copy_files files;
    bool thin;
    struct session_state *state;
    struct copy_report *report;
    struct text log;
    char **made; /* paths of the files of the copy, ours */
    size_t made_count, made_capacity;
};

/* --- the log ------------------------------------------------------------------------------------------------- */

static int keep_frame(struct copy *copy, const unsigned char *frame, size_t payload, struct error *error)
{
    struct event event;
    bool durable = true;
    int decoded = frame_begins_event(frame + FRAME_HEADER, payload, NULL)
                      ? event_decode(frame + FRAME_HEADER, payload, &event, error)
                      : error_set(error, "an event begins with its number, and this does not");
    if (decoded < 0)
        return -1;
    if (decoded == EVENT_DECODED) {
        durable = event_is_durable(event.kind);
        int refused = session_apply(copy->state, &event, error);
        event_done(&event);
        if (refused)
            return -1;
    }
    if (copy->thin && !durable) {
        copy->report->left_out++;
        return 0;
    }
    copy->report->events++;
    text_add_bytes(&copy->log, (const char *)frame, FRAME_HEADER + payload);
    return 0;
}

static int walk(struct copy *copy, const unsigned char *bytes, size_t length, struct error *error)
{
    size_t offset = LOG_HEADER, payload;
    if (length < LOG_HEADER || memcmp(bytes, LOG_MAGIC, LOG_HEADER - 1) || bytes[LOG_HEADER - 1] != LOG_VERSION)
        return error_set(error, "not a session's log of format %d", LOG_VERSION);
    text_add_bytes(&copy->log, (const char *)bytes, LOG_HEADER);
    for (; offset < length; offset += FRAME_HEADER + payload) {
        if (frame_check(bytes + offset, length - offset, &payload) != FRAME_GOOD) {
            if (frame_find(bytes, length, offset + 1) < length)
                return error_set(error, "damaged at byte %zu; `espalier fsck --repair` salvages the rest", offset);
            break; /* the torn end of a session that is being written, or whose writer died */
        }
        if (keep_frame(copy, bytes + offset, payload, error))
            return error_prefix(error, "the event at byte %zu", offset);
    }
    return copy->state->event_count ? 0 : error_set(error, "the session has no events");
}

static int read_log(struct copy *copy, struct error *error)
{
    char *path = file_join(copy->from, LOG_FILE);
    void *bytes = NULL;
    size_t length;
    int result;
    if (!file_exists(path)) {
        result = error_set(error, "%s: not a session (it has no %s)", copy->from, LOG_FILE);
    } else if (!(result = file_read(path, LOG_SIZE_MAX, &bytes, &length, error))) {
        result = walk(copy, bytes, length, error);
        if (result)
            error_prefix(error, "%s", path);
    }
    free(bytes);
    free(path);
    return result;
}

/* --- files --------------------------------------------------------------------------------------------------- */

static int write_made(struct copy *copy, char *path, const void *bytes, size_t length, struct error *error)
{
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
    } else if (!(result = file_read(from, FILE_SIZE_MAX, &bytes, &length, error))) {
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
    for (int64_t i = 1; copy->files != COPY_NO_FILES && i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        bool wanted = copy->files == COPY_ALL || i == 1 || i == state->best;
        if (wanted && node->weights && *node->weights && copy_file(copy, "weights", node->weights, error))
            return -1;
    }
    int64_t first = copy->files == COPY_ALL ? 0 : state->policy_count - 1;
    for (int64_t i = first < 0 ? 0 : first; copy->files != COPY_NO_FILES && i < state->policy_count; i++) {
        const char *name = state->policies[i].facts.state;
        if (*name && copy_file(copy, "policy", name, error))
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

int session_copy(const char *from, const char *to, enum copy_files files, bool thin, struct copy_report *report,
                 struct error *error)
{
    *report = (struct copy_report){0};
    struct copy copy = {
        .from = from, .to = to, .files = files, .thin = thin, .state = session_state_new(), .report = report};
    int result = read_log(&copy, error) || write_all(&copy, error) ? -1 : 0;
    session_state_free(copy.state);
    text_done(&copy.log);
    for (size_t i = 0; i < copy.made_count; i++)
        free(copy.made[i]);
    free(copy.made);
    return result;
}
