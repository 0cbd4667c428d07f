/*
 * salvage.c - recovers the good events of a log, damaged or not.
 *
 * Good frames are decoded, renumbered and folded, so that the new log gives the walk's state.  Damaged bytes are
 * skipped up to the next good frame.  An event that can't follow gets events in the place of the lost ones before it
 * (placeholder.c), or is left out.  Pure: fsck.c reads and writes the files.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"

/* Limits on what a log can make of few bytes: events that stand in for lost ones, and bytes of the events that are
   tried again after each of them, and of the stand-ins themselves. */
enum { STAND_INS = 1000, STAND_IN_BYTES = 64, TRIED_BYTES = 1 << 24, TRIED_SHARE = 16 };
enum { REWRITTEN = 1024 }; /* more bytes than a rewritten event can have than it had */

struct walk {
    const unsigned char *bytes;
    size_t length, offset;
    struct frame_search search;
    size_t tried; /* bytes */
    struct session_state *state;
    struct fsck_report *report;
    struct text *findings;
    struct text *log;
    int64_t number;    /* of the last durable event in `log` */
    int64_t raw;       /* the same, in the old log */
    bool after_damage; /* a gap in the numbers is already reported */
};

/* Each line about the log is counted, so that a log without findings is one that needs no repair. */
static void finding(struct walk *walk, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void finding(struct walk *walk, const char *format, ...)
{
    char line[sizeof(struct error) + 64];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    text_add(walk->findings, LOG_FILE ": %s\n", line);
    walk->report->log_findings++;
}

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
    walk->tried += length;
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
        walk->report->stand_ins++;
        finding(walk, "event %lld (%s) stands in for a lost one", (long long)placeholder->number,
                event_kind_name(placeholder->kind));
    }
    if (applied && placeholder_after(placeholder, &after))
        applied = apply_placeholder(walk, &after);
    event_done(placeholder);
    return applied;
}

/* Fold the event with its new number, after the placeholders that it needs.  `*changed`: a reference to a lost network
   was removed. */
static int fold(struct walk *walk, struct event *event, size_t length, bool *changed, struct error *error)
{
    bool durable = event_is_durable(event->kind), cut;
    int64_t number = event->number;
    struct event placeholder;
    *changed = false;
    for (;;) {
        event->number = walk->number + durable;
        if (placeholder_detach(walk->state, event, &cut, error))
            return -1;
        *changed = *changed || cut;
        if ((*changed || event->number != number) && length > FRAME_PAYLOAD_MAX - REWRITTEN)
            return error_set(error, "event %lld is too long to be written anew", (long long)number);
        if (!session_apply(walk->state, event, error))
            return 0;
        walk->tried += length;
        if ((size_t)walk->report->stand_ins >= STAND_INS + walk->length / STAND_IN_BYTES ||
            walk->tried > TRIED_BYTES + walk->length * TRIED_SHARE ||
            !placeholder_before(walk->state, event, &placeholder) || !apply_placeholder(walk, &placeholder))
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
        finding(walk, "byte %zu: events %lld to %lld are missing", walk->offset, (long long)walk->raw + 1,
                (long long)last);
    }
    walk->raw = number;
    walk->after_damage = false;
    return 0;
}

static int take_event(struct walk *walk, struct event *event, const void *payload, size_t length, struct error *error)
{
    bool changed;
    if (check_raw(walk, event->number, event_is_durable(event->kind), error) ||
        fold(walk, event, length, &changed, error))
        return -1;
    if (changed) {
        keep_event(walk, event);
        finding(walk, "byte %zu: network %lld grew from a lost one: its origin is left out", walk->offset,
                (long long)event->as.node.node);
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
        if (length > FRAME_PAYLOAD_MAX - REWRITTEN && walk->report->log_findings)
            return error_set(error, "event %lld is too long to be written anew", (long long)event.number);
        if (check_raw(walk, event.number, durable, error))
            return -1;
        keep_payload(walk, payload, length, walk->number + durable);
        return 0;
    }
    int result = take_event(walk, &event, payload, length, error);
    event_done(&event);
    return result;
}

static void skip_to(struct walk *walk, size_t next)
{
    walk->report->bytes_skipped += (int64_t)(next - walk->offset);
    if (next < walk->length) {
        walk->report->frames_bad++;
        finding(walk, "bytes %zu to %zu are damaged", walk->offset, next - 1);
    } else {
        finding(walk, "the last event is incomplete (%zu bytes from byte %zu on)", next - walk->offset, walk->offset);
    }
    walk->after_damage = true;
    walk->offset = next;
}

static void walk_frames(struct walk *walk)
{
    while (walk->offset < walk->length) {
        size_t payload;
        const unsigned char *frame = walk->bytes + walk->offset;
        if (frame_search_check(&walk->search, walk->offset, &payload) != FRAME_GOOD) {
            skip_to(walk, frame_search_next(&walk->search, walk->offset + 1));
            continue;
        }
        struct error reason = {{0}};
        if (take_frame(walk, frame + FRAME_HEADER, payload, &reason)) {
            walk->report->frames_bad++;
            walk->report->bytes_skipped += (int64_t)(FRAME_HEADER + payload);
            finding(walk, "byte %zu: %s: left out", walk->offset, reason.text);
        } else {
            walk->report->frames_good++;
        }
        walk->offset += FRAME_HEADER + payload;
    }
    struct event placeholder;
    int64_t node = 1;
    while (walk->report->log_findings && placeholder_end(walk->state, &node, &placeholder) &&
           apply_placeholder(walk, &placeholder))
        continue;
}

/* The header.  Without it, frames may still follow. */
static int begin(struct walk *walk, struct error *error)
{
    text_add_bytes(walk->log, LOG_HEADER_BYTES, LOG_HEADER);
    if (!log_check_header(walk->bytes, walk->length, error)) {
        walk->offset = LOG_HEADER;
        return 0;
    }
    if (walk->length >= LOG_HEADER && !memcmp(walk->bytes, LOG_MAGIC, LOG_HEADER - 1))
        return -1; /* of another version */
    size_t next = frame_search_next(&walk->search, 0);
    if (next == walk->length)
        return log_is_compressed(walk->bytes, walk->length)
                   ? -1
                   : error_set(error, "not a session's log, and nothing in it can be salvaged");
    skip_to(walk, next);
    return 0;
}

int log_salvage(const void *bytes, size_t length, struct session_state *state, struct fsck_report *report,
                struct text *findings, struct text *log, struct error *error)
{
    struct walk walk = {
        .bytes = bytes, .length = length, .state = state, .report = report, .findings = findings, .log = log};
    walk.search = (struct frame_search){.bytes = bytes, .length = length};
    int result = begin(&walk, error);
    if (!result)
        walk_frames(&walk);
    frame_search_done(&walk.search);
    if (result)
        return -1;
    if (!state->event_count)
        return error_set(error, "the session's first event is lost, and nothing can be salvaged without it");
    return 0;
}
