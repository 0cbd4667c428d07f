/*
 * salvage.c - recovers the good events of a log, damaged or not.
 *
 * Good frames are decoded, renumbered and folded, so that the new log gives the walk's state.  Damaged bytes are
 * skipped up to the next good frame.  An event that can't follow gets events in the place of the lost ones before it
 * (placeholder.c), or is left out.  Pure: fsck.c reads and writes the files.
 */
#include <stdlib.h>
#include <string.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"

struct walk {
    const unsigned char *bytes;
    size_t length, offset;
    struct session_state *state;
    struct fsck_report *report;
    struct text *findings;
    struct text *log;
    int64_t number;    /* of the last durable event in `log` */
    int64_t raw;       /* the same, in the old log */
    bool after_damage; /* a gap in the numbers is already reported */
};

static void keep_frame(struct walk *walk, const void *payload, size_t length)
{
    unsigned char header[FRAME_HEADER];
    frame_write_header(header, payload, length);
    text_add_bytes(walk->log, (const char *)header, sizeof header);
    text_add_bytes(walk->log, payload, length);
}

static void keep_event(struct walk *walk, const struct event *event)
{
    void *payload;
    size_t length;
    event_encode(event, &payload, &length);
    keep_frame(walk, payload, length);
    free(payload);
    walk->number = event->number;
}

static void keep_payload(struct walk *walk, const void *payload, size_t length, int64_t number)
{
    struct text renumbered = TEXT_EMPTY;
    event_renumber(payload, length, number, &renumbered);
    keep_frame(walk, renumbered.bytes, renumbered.length);
    text_done(&renumbered);
    walk->number = number;
}

static bool apply_placeholder(struct walk *walk, struct event *placeholder)
{
    struct event after;
    placeholder->number = walk->number + 1;
    bool applied = !session_apply(walk->state, placeholder, NULL);
    if (applied) {
        keep_event(walk, placeholder);
        text_add(walk->findings, LOG_FILE ": event %lld (%s) stands in for a lost one\n",
                 (long long)placeholder->number, event_kind_name(placeholder->kind));
    }
    if (applied && placeholder_after(placeholder, &after))
        applied = apply_placeholder(walk, &after);
    event_done(placeholder);
    return applied;
}

/* Fold the event with its new number, after the placeholders that it needs.  `*changed`: a reference to a lost network
   was removed. */
static int fold(struct walk *walk, struct event *event, bool *changed, struct error *error)
{
    bool durable = event_is_durable(event->kind), cut;
    struct event placeholder;
    *changed = false;
    for (;;) {
        event->number = walk->number + durable;
        if (placeholder_detach(walk->state, event, &cut, error))
            return -1;
        *changed = *changed || cut;
        if (!session_apply(walk->state, event, error))
            return 0;
        if (!placeholder_before(walk->state, event, &placeholder) || !apply_placeholder(walk, &placeholder))
            return -1;
    }
}

static int check_raw(struct walk *walk, int64_t number, bool durable, struct error *error)
{
    if (number < walk->raw || (durable && number == walk->raw))
        return error_set(error, "event %lld follows event %lld", (long long)number, (long long)walk->raw);
    int64_t last = durable ? number - 1 : number; /* the durable event before this one */
    if (last > walk->raw && !walk->after_damage) {
        walk->report->frames_bad++;
        text_add(walk->findings, LOG_FILE ": byte %zu: events %lld to %lld are missing\n", walk->offset,
                 (long long)walk->raw + 1, (long long)last);
    }
    walk->raw = number;
    walk->after_damage = false;
    return 0;
}

static int take_event(struct walk *walk, struct event *event, const void *payload, size_t length, struct error *error)
{
    bool changed;
    if (check_raw(walk, event->number, event_is_durable(event->kind), error) || fold(walk, event, &changed, error))
        return -1;
    if (changed) {
        keep_event(walk, event);
        text_add(walk->findings, LOG_FILE ": byte %zu: network %lld grew from a lost one: its origin is left out\n",
                 walk->offset, (long long)event->as.node.node);
    } else {
        keep_payload(walk, payload, length, event->number);
    }
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
    if (decoded == EVENT_UNKNOWN) {
        bool durable = event.number > walk->raw; /* its number differs from the last one's */
        if (check_raw(walk, event.number, durable, error))
            return -1;
        keep_payload(walk, payload, length, walk->number + durable);
        return 0;
    }
    int result = take_event(walk, &event, payload, length, error);
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
        text_add(walk->findings, LOG_FILE ": the last event is incomplete (%zu bytes from byte %zu on)\n",
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
    struct event placeholder;
    while (walk->report->frames_bad && placeholder_end(walk->state, &placeholder) &&
           apply_placeholder(walk, &placeholder))
        continue;
}

/* The header.  Without it, frames may still follow. */
static int begin(struct walk *walk, struct error *error)
{
    text_add_bytes(walk->log, LOG_HEADER_BYTES, LOG_HEADER);
    bool magic = walk->length >= LOG_HEADER && !memcmp(walk->bytes, LOG_MAGIC, LOG_HEADER - 1);
    if (magic && walk->bytes[LOG_HEADER - 1] != LOG_VERSION)
        return error_set(error, "the log has format %d, and this program knows only %d; use a newer espalier",
                         walk->bytes[LOG_HEADER - 1], LOG_VERSION);
    if (magic)
        walk->offset = LOG_HEADER;
    else
        skip_damage(walk);
    return 0;
}

int log_salvage(const void *bytes, size_t length, struct session_state *state, struct fsck_report *report,
                struct text *findings, struct text *log, struct error *error)
{
    struct walk walk = {
        .bytes = bytes, .length = length, .state = state, .report = report, .findings = findings, .log = log};
    if (begin(&walk, error))
        return -1;
    walk_frames(&walk);
    if (!state->event_count)
        return error_set(error, "the session's first event is lost, and nothing can be salvaged without it");
    return 0;
}
