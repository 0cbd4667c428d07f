/*
 * replay.c - seeking in a recorded session.
 *
 * Every event has an entry in the index: where its frame begins, its time and number, its marks.  Keyframes are copies
 * of the state, one every `interval` events; when there would be more than KEYFRAMES, every second one is dropped and
 * the interval doubles.  Copies share what did not change between them (state_value.c), so keyframes are cheap,
 * and a move folds at most about a KEYFRAMES-th of a long session.  fold(all) = fold(keyframe + rest); test_replay.c
 * checks it.
 *
 *   1. `state` is the fold of the first `position` events.
 *   2. keyframes[i] is the fold of the first (i + 1) * interval events.
 *   3. Both hold after a move that fails; the position is then where the log could not be read.
 */
#include "sessions/replay.h"

#include <stdlib.h>
#include <string.h>

#include "sessions/log_internal.h"
#include "util/bug.h"
#include "util/memory.h"

enum { KEYFRAMES = 64, INTERVAL = 4096 };

/* Events of a person that are closer together than this (a command and its effects) are one mark. */
static const double user_seconds = 0.5;

struct entry {
    int64_t offset; /* of the frame */
    int64_t number; /* of the last durable event before it */
    double time;
    unsigned marks; /* of enum replay_mark */
};

struct replay {
    struct log_reader *reader;
    struct entry *entries; /* entries[p - 1] leads to position p */
    int64_t count;
    size_t capacity;
    int64_t position, interval;
    struct session_state *state;
    struct session_state *keyframes[KEYFRAMES];
    int keyframe_count;
    double last_user; /* time of the last event of a person; used while the index is made */
};

/* `best` and `failures` are from before the event. */
static unsigned marks_of(struct replay *replay, const struct event *event, int64_t best, int64_t failures)
{
    unsigned marks = 0;
    if (replay->state->best != best)
        marks |= REPLAY_BEST;
    if (replay->state->failure_count != failures)
        marks |= REPLAY_FAILURE;
    if (event->kind == EVENT_COMMAND || event_author(event) == AUTHOR_USER) {
        if (event->time - replay->last_user > user_seconds)
            marks |= REPLAY_USER;
        replay->last_user = event->time;
    }
    return marks;
}

static void add_keyframe(struct replay *replay)
{
    if (replay->position % replay->interval)
        return;
    if (replay->keyframe_count == KEYFRAMES) {
        for (int i = 0; i < KEYFRAMES; i++) {
            if (i % 2)
                replay->keyframes[i / 2] = replay->keyframes[i];
            else
                session_state_free(replay->keyframes[i]);
        }
        replay->keyframe_count = KEYFRAMES / 2;
        replay->interval *= 2;
        if (replay->position % replay->interval)
            return;
    }
    replay->keyframes[replay->keyframe_count++] = session_state_copy(replay->state);
}

static int add_event(struct replay *replay, int64_t offset, int64_t number, const struct event *event,
                     struct error *error)
{
    int64_t best = replay->state->best, failures = replay->state->failure_count;
    if (session_apply(replay->state, event, error))
        return error_prefix(error,
                            "the event at byte %lld contradicts those before it (`espalier fsck --repair` salvages the "
                            "rest)",
                            (long long)offset);
    replay->entries = memory_grow(replay->entries, (size_t)replay->count, &replay->capacity, sizeof *replay->entries);
    replay->entries[replay->count++] = (struct entry){
        .offset = offset, .number = number, .time = event->time, .marks = marks_of(replay, event, best, failures)};
    replay->position = replay->count;
    add_keyframe(replay);
    return 0;
}

static int make_index(struct replay *replay, struct error *error)
{
    for (;;) {
        struct event event;
        int64_t offset = log_offset(replay->reader), number = log_reader_number(replay->reader);
        int result = log_next(replay->reader, &event, error);
        if (result != LOG_EVENT)
            return result;
        result = add_event(replay, offset, number, &event, error);
        event_done(&event);
        if (result)
            return -1;
    }
}

int replay_open(const char *folder, struct replay **replay, struct error *warning, struct error *error)
{
    if (warning)
        warning->text[0] = 0;
    struct replay *opened = memory_new(1, sizeof *opened);
    *opened = (struct replay){.state = session_state_new(), .interval = INTERVAL, .last_user = -1};
    int result = log_read(folder, &opened->reader, error);
    if (!result) {
        result = make_index(opened, error);
        if (result == LOG_TORN)
            error_set(warning, "%s: the last event is incomplete and was left out", folder);
        if (result >= 0 && !opened->count)
            result = log_without_events(folder, error);
    }
    if (result >= 0)
        result = replay_seek(opened, 0, error);
    if (result < 0) {
        replay_free(opened);
        return -1;
    }
    *replay = opened;
    return 0;
}

void replay_free(struct replay *replay)
{
    if (!replay)
        return;
    for (int i = 0; i < replay->keyframe_count; i++)
        session_state_free(replay->keyframes[i]);
    session_state_free(replay->state);
    log_reader_free(replay->reader);
    free(replay->entries);
    free(replay);
}

int64_t replay_count(const struct replay *replay)
{
    return replay->count;
}

int64_t replay_position(const struct replay *replay)
{
    return replay->position;
}

const struct session_state *replay_state(const struct replay *replay)
{
    return replay->state;
}

bool replay_is_durable(const struct replay *replay, int64_t position)
{
    int64_t number = position < replay->count ? replay->entries[position].number : log_reader_number(replay->reader);
    return number > replay->entries[position - 1].number;
}

double replay_time(const struct replay *replay, int64_t position)
{
    ASSERT(position >= 0 && position <= replay->count);
    return position ? replay->entries[position - 1].time : 0;
}

int64_t replay_position_at(const struct replay *replay, double time)
{
    int64_t low = 0, high = replay->count; /* events 1 … low are at or before `time`, those after high later */
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (replay->entries[middle - 1].time <= time)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Is the event durable?  The number then grows with the next one; the last event of all counts as durable. */
static bool is_durable(const struct replay *replay, int64_t position)
{
    return position == replay->count || replay->entries[position].number != replay->entries[position - 1].number;
}

void replay_wait(const struct replay *replay, int64_t position, double *begin, double *end)
{
    ASSERT(position >= 0 && position <= replay->count);
    int64_t before = position, after = position + 1;
    while (before > 0 && !is_durable(replay, before))
        before--;
    while (after < replay->count && !is_durable(replay, after))
        after++;
    *begin = replay_time(replay, before);
    *end = replay_time(replay, after < replay->count ? after : replay->count);
}

int replay_event(struct replay *replay, int64_t position, struct event *event, struct error *error)
{
    ASSERT(position >= 1 && position <= replay->count);
    const struct entry *entry = &replay->entries[position - 1];
    log_seek(replay->reader, entry->offset, entry->number);
    int result = log_next(replay->reader, event, error);
    if (result == LOG_EVENT)
        return 0;
    return result < 0 ? -1 : error_set(error, "event %lld is not in the log any more", (long long)position);
}

int replay_step(struct replay *replay, struct event *event, struct error *error)
{
    if (replay->position == replay->count)
        return LOG_END;
    if (replay_event(replay, replay->position + 1, event, error))
        return -1;
    if (session_apply(replay->state, event, error)) {
        event_done(event);
        return error_prefix(error, "the log was changed");
    }
    replay->position++;
    return LOG_EVENT;
}

int replay_seek(struct replay *replay, int64_t position, struct error *error)
{
    position = position < 0 ? 0 : position > replay->count ? replay->count : position;
    int64_t key = position / replay->interval;
    if (key > replay->keyframe_count)
        key = replay->keyframe_count;
    if (position < replay->position || replay->position < key * replay->interval) {
        session_state_free(replay->state);
        replay->state = key ? session_state_copy(replay->keyframes[key - 1]) : session_state_new();
        replay->position = key * replay->interval;
    }
    while (replay->position < position) {
        struct event event;
        if (replay_step(replay, &event, error) < 0)
            return -1;
        event_done(&event);
    }
    return 0;
}

unsigned replay_marks(const struct replay *replay, int64_t position)
{
    ASSERT(position >= 1 && position <= replay->count);
    return replay->entries[position - 1].marks;
}

int64_t replay_next(const struct replay *replay, enum replay_mark mark)
{
    for (int64_t position = replay->position + 1; position <= replay->count; position++)
        if (replay->entries[position - 1].marks & mark)
            return position;
    return -1;
}

int64_t replay_previous(const struct replay *replay, enum replay_mark mark)
{
    for (int64_t position = replay->position - 1; position >= 1; position--)
        if (replay->entries[position - 1].marks & mark)
            return position;
    return -1;
}
