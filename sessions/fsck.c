/*
 * fsck.c - check a session's log and files, and write the log anew from what is good.
 *
 * One walk over all bytes of events.log, whether it is repaired or only checked: good frames are decoded, numbered
 * anew and folded; the walk's state is what a repaired log gives.  Damaged bytes are skipped up to the next good frame;
 * an event that can't follow is given a bridge (salvage.c) or dropped.  Then every file that the state names is read
 * and compared with its hash, and every file that nothing names is listed.
 *
 * A repair keeps the old log beside the new one and replaces it by one rename: a crash leaves one of the two.
 */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "util/file.h"
#include "util/memory.h"

#define LOG_SIZE_MAX ((size_t)1 << 40)
#define FILE_SIZE_MAX ((size_t)1 << 30)

struct walk {
    const char *folder;
    const unsigned char *bytes;
    size_t length, offset;
    struct session_state *state;
    struct fsck_report *report;
    struct text *findings;
    struct text log;   /* the repaired one */
    int64_t number;    /* of the last durable event in it */
    int64_t raw;       /* the same, as the damaged log numbers them */
    bool after_damage; /* a gap in the numbers is explained */
};

/* --- the log ------------------------------------------------------------------------------------------------- */

static void keep_frame(struct walk *walk, const void *payload, size_t length)
{
    unsigned char header[FRAME_HEADER];
    frame_write_header(header, payload, length);
    text_add_bytes(&walk->log, (const char *)header, sizeof header);
    text_add_bytes(&walk->log, payload, length);
}

static void keep_bridge(struct walk *walk, struct event *bridge)
{
    void *payload;
    size_t length;
    event_encode(bridge, &payload, &length);
    keep_frame(walk, payload, length);
    free(payload);
    walk->number = bridge->number;
    text_add(walk->findings, LOG_FILE ": event %lld (%s) stands in for a lost one\n", (long long)bridge->number,
             event_kind_name(bridge->kind));
}

static bool apply_bridge(struct walk *walk, struct event *bridge)
{
    bridge->number = walk->number + 1;
    bool applied = !session_apply(walk->state, bridge, NULL);
    if (applied)
        keep_bridge(walk, bridge);
    event_done(bridge);
    return applied;
}

/* Fold the event with the number that it gets, with as many bridges as it takes. */
static int fold(struct walk *walk, struct event *event, struct error *error)
{
    bool durable = event_is_durable(event->kind);
    struct event bridge;
    for (;;) {
        event->number = walk->number + durable;
        if (!session_apply(walk->state, event, error))
            return 0;
        if (!salvage_bridge(walk->state, event, &bridge) || !apply_bridge(walk, &bridge))
            return -1;
    }
}

/* Does its number follow?  An event of a kind that we don't know counts as durable when it has the next number. */
static int check_raw(struct walk *walk, int64_t number, bool durable, struct error *error)
{
    if (number < walk->raw || (durable && number == walk->raw))
        return error_set(error, "event %lld follows event %lld", (long long)number, (long long)walk->raw);
    int64_t expected = walk->raw + (durable || number > walk->raw);
    if (number > expected && !walk->after_damage) {
        walk->report->frames_bad++;
        text_add(walk->findings, LOG_FILE ": byte %zu: events %lld to %lld are missing\n", walk->offset,
                 (long long)expected, (long long)number - 1);
    }
    walk->raw = number;
    walk->after_damage = false;
    return 0;
}

/* Keep the frame under the number that it gets. */
static void keep_event(struct walk *walk, const void *payload, size_t length, int64_t number)
{
    struct text renumbered = TEXT_EMPTY;
    event_renumber(payload, length, number, &renumbered);
    keep_frame(walk, renumbered.bytes, renumbered.length);
    text_done(&renumbered);
    walk->number = number;
}

static int take_event(struct walk *walk, struct event *event, bool known, const void *payload, size_t length,
                      struct error *error)
{
    bool durable = known ? event_is_durable(event->kind) : event->number > walk->raw;
    if (check_raw(walk, event->number, durable, error) || (known && fold(walk, event, error)))
        return -1;
    keep_event(walk, payload, length, walk->number + durable);
    return 0;
}

static int take_frame(struct walk *walk, const unsigned char *payload, size_t length, struct error *error)
{
    struct event event;
    if (!frame_begins_event(payload, length, NULL))
        return error_set(error, "an event begins with its number, and this does not");
    int decoded = event_decode(payload, length, &event, error);
    if (decoded < 0)
        return -1;
    bool known = decoded == EVENT_DECODED;
    int result = take_event(walk, &event, known, payload, length, error);
    if (known)
        event_done(&event);
    return result;
}

static void skip_damage(struct walk *walk)
{
    size_t next = frame_find(walk->bytes, walk->length, walk->offset + 1);
    walk->report->bytes_skipped += (int64_t)(next - walk->offset);
    if (next < walk->length) {
        walk->report->frames_bad++;
        text_add(walk->findings, LOG_FILE ": bytes %zu to %zu are damaged\n", walk->offset, next - 1);
    } else {
        text_add(walk->findings, LOG_FILE ": the last event is not whole (%zu bytes from byte %zu on)\n",
                 next - walk->offset, walk->offset);
    }
    walk->after_damage = true;
    walk->offset = next;
}

static void walk_frames(struct walk *walk)
{
    while (walk->offset < walk->length) {
        size_t payload;
        const unsigned char *frame = walk->bytes + walk->offset;
        if (frame_check(frame, walk->length - walk->offset, &payload) != FRAME_GOOD) {
            skip_damage(walk);
            continue;
        }
        struct error reason = {{0}};
        if (take_frame(walk, frame + FRAME_HEADER, payload, &reason)) {
            walk->report->frames_bad++;
            walk->report->bytes_skipped += (int64_t)(FRAME_HEADER + payload);
            text_add(walk->findings, LOG_FILE ": byte %zu: %s: left out\n", walk->offset, reason.text);
        } else {
            walk->report->frames_good++;
        }
        walk->offset += FRAME_HEADER + payload;
    }
    struct event bridge;
    while (walk->report->frames_bad && salvage_end(walk->state, &bridge) && apply_bridge(walk, &bridge))
        continue;
}

static int walk_log(struct walk *walk, struct error *error)
{
    unsigned char header[LOG_HEADER] = LOG_MAGIC;
    header[LOG_HEADER - 1] = LOG_VERSION;
    text_add_bytes(&walk->log, (const char *)header, sizeof header);
    bool magic = walk->length >= LOG_HEADER && !memcmp(walk->bytes, LOG_MAGIC, LOG_HEADER - 1);
    if (magic && walk->bytes[LOG_HEADER - 1] != LOG_VERSION)
        return error_set(error, "%s: format %d of the log is not known to this program (it knows %d); use a newer espalier",
                         walk->folder, walk->bytes[LOG_HEADER - 1], LOG_VERSION);
    walk->offset = LOG_HEADER;
    if (!magic) {
        walk->offset = 0;
        skip_damage(walk);
        if (walk->offset == walk->length)
            return error_set(error, "%s: " LOG_FILE " holds nothing of a session's log", walk->folder);
    }
    walk_frames(walk);
    if (!walk->state->event_count)
        return error_set(error, "%s: the session's first event is lost, and nothing can be salvaged without it",
                         walk->folder);
    return 0;
}

/* --- files --------------------------------------------------------------------------------------------------- */

struct names {
    const char **items; /* borrowed from the state */
    size_t count, capacity;
};

static void add_name(struct names *names, const char *name)
{
    names->items = memory_grow(names->items, names->count, &names->capacity, sizeof *names->items);
    names->items[names->count++] = name;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void check_file(struct walk *walk, const char *place, const char *name, const char *hash_text)
{
    char *folder = file_join(walk->folder, place), *path = file_join(folder, name), printed[HASH_TEXT];
    void *bytes;
    size_t length;
    struct error reason = {{0}};
    if (!file_exists(path)) {
        walk->report->weights_missing++;
        text_add(walk->findings, "%s/%s: missing\n", place, name);
    } else if (file_read(path, FILE_SIZE_MAX, &bytes, &length, &reason)) {
        walk->report->weights_wrong++;
        text_add(walk->findings, "%s\n", reason.text);
    } else {
        if (strcmp(hash_print(hash_of(bytes, length), printed), hash_text)) {
            walk->report->weights_wrong++;
            text_add(walk->findings, "%s/%s: its content is not what was saved\n", place, name);
        }
        free(bytes);
    }
    free(path);
    free(folder);
}

static void check_orphans(struct walk *walk, const char *place, struct names *names)
{
    char *folder = file_join(walk->folder, place);
    DIR *directory = opendir(folder);
    if (names->count)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        if (names->count && bsearch(&name, names->items, names->count, sizeof *names->items, compare_names))
            continue;
        walk->report->orphans++;
        text_add(walk->findings, "%s/%s: no event names this file\n", place, name);
    }
    if (directory)
        closedir(directory);
    free(folder);
}

static void check_files(struct walk *walk)
{
    struct names weights = {0}, policy = {0};
    for (int64_t i = 1; i <= walk->state->node_count; i++) {
        const struct session_node *node = session_node(walk->state, i);
        if (!node->weights || !node->weights[0])
            continue;
        add_name(&weights, node->weights);
        check_file(walk, "weights", node->weights, node->weights_hash);
    }
    for (int64_t i = 0; i < walk->state->policy_count; i++) {
        const struct event_policy *update = &walk->state->policies[i].facts;
        if (!update->state[0])
            continue;
        add_name(&policy, update->state);
        check_file(walk, "policy", update->state, update->state_hash);
    }
    check_orphans(walk, "weights", &weights);
    check_orphans(walk, "policy", &policy);
    free(weights.items);
    free(policy.items);
}

/* --- repair -------------------------------------------------------------------------------------------------- */

/* The old log under the first free name: a second repair doesn't lose what the first one kept. */
static int keep_old(const struct walk *walk, struct error *error)
{
    int result = 1;
    for (int i = 1; result > 0; i++) {
        struct text path = TEXT_EMPTY;
        text_add(&path, "%s/" LOG_FILE ".damaged", walk->folder);
        if (i > 1)
            text_add(&path, ".%d", i);
        if (!file_exists(path.bytes))
            result = file_write(path.bytes, walk->bytes, walk->length, error);
        text_done(&path);
    }
    return result;
}

static int write_repaired(const struct walk *walk, struct error *error)
{
    char *path = file_join(walk->folder, LOG_FILE);
    int result = keep_old(walk, error);
    if (!result)
        result = file_write(path, walk->log.bytes, walk->log.length, error);
    free(path);
    return result;
}

static int check_bytes(struct walk *walk, bool repair, struct error *error)
{
    if (walk_log(walk, error))
        return -1;
    check_files(walk);
    return repair && walk->report->bytes_skipped + walk->report->frames_bad ? write_repaired(walk, error) : 0;
}

static int check_folder(const char *folder, const char *path, bool repair, struct fsck_report *report,
                        struct text *text, struct error *error)
{
    void *bytes;
    size_t length;
    if (file_read(path, LOG_SIZE_MAX, &bytes, &length, error))
        return -1;
    struct walk walk = {.folder = folder,
                        .bytes = bytes,
                        .length = length,
                        .state = session_state_new(),
                        .report = report,
                        .findings = text};
    int result = check_bytes(&walk, repair, error);
    session_state_free(walk.state);
    text_done(&walk.log);
    free(bytes);
    return result;
}

int session_check(const char *folder, bool repair, struct fsck_report *report, struct text *text, struct error *error)
{
    *report = (struct fsck_report){0};
    char *path = file_join(folder, LOG_FILE);
    int lock = -1, result;
    if (!file_exists(path))
        result = error_set(error, "%s: not a session (it has no %s)", folder, LOG_FILE);
    else if (repair && (lock = log_lock(folder, error)) < 0)
        result = -1;
    else
        result = check_folder(folder, path, repair, report, text, error);
    log_unlock(lock);
    free(path);
    return result;
}
