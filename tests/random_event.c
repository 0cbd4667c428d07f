/* random_event.c - see random_event.h. */
#include "config.h"

#include "random_event.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

static int64_t random_integer(struct random_stream *stream)
{
    static const int64_t edges[] = {0,         1,         -1,        127,       128,
                                    -32,       -33,       255,       256,       65535,
                                    65536,     INT32_MAX, INT32_MIN, 1LL << 32, (1LL << 32) - 1,
                                    INT64_MAX, INT64_MIN};
    if (random_below(stream, 3) == 0)
        return edges[random_below(stream, sizeof edges / sizeof *edges)];
    uint64_t bits = (uint64_t)random_word(stream) << 32 | random_word(stream);
    return (int64_t)(bits >> random_below(stream, 64));
}

static double random_real(struct random_stream *stream)
{
    static const double edges[] = {0, -0.0, 1, 0.1, 1e300, DBL_MIN, DBL_MAX, 5e-324, 1.0 / 3};
    switch (random_below(stream, 6)) {
    case 0:
        return edges[random_below(stream, sizeof edges / sizeof *edges)];
    case 1:
        return random_below(stream, 2) ? (double)NAN : random_below(stream, 2) ? HUGE_VAL : -HUGE_VAL;
    case 2:
        return (double)(random_integer(stream) >> 12);
    default:
        return (double)random_normal(stream);
    }
}

/* UTF-8 with what JSON has to escape; now and then long enough for every head of a msgpack text. */
static char *random_text(struct random_stream *stream)
{
    static const char *const pieces[] = {"a",  "Z",    "7",    " ", "\"", "\\", "/",
                                         "\n", "\x01", "\x7f", "ä", "→",  "網", "😀"};
    static const uint32_t lengths[] = {1, 3, 8, 40, 300, 70000};
    uint32_t count = random_below(stream, lengths[random_below(stream, random_below(stream, 50) ? 4 : 6)]);
    struct text text = TEXT_EMPTY;
    text_add(&text, "%s", "");
    for (uint32_t i = 0; i < count; i++)
        text_add(&text, "%s", pieces[random_below(stream, sizeof pieces / sizeof *pieces)]);
    return text.bytes ? text_take(&text) : memory_copy_text("");
}

static int random_count(struct random_stream *stream)
{
    return (int)random_below(stream, random_below(stream, 20) ? 5 : 100);
}

/* A word of the list, or one that this program doesn't know. */
static void fill_word(struct random_stream *stream, enum event_field_type type, struct event_word *word)
{
    static const int known[] = {[EVENT_FIELD_AUTHOR] = AUTHOR_FINISH,
                                [EVENT_FIELD_FAILURE] = FAILURE_LOST,
                                [EVENT_FIELD_FINISH] = FINISH_ERROR};
    char *text = random_text(stream);
    event_word_set(type, text, strlen(text), word);
    free(text);
    if (!word->other)
        word->value = (int)random_below(stream, (uint32_t)known[type] + 1);
}

static void fill_field(struct random_stream *stream, enum event_field_type type, void *value)
{
    switch (type) {
    case EVENT_FIELD_INTEGER:
        *(int64_t *)value = random_integer(stream);
        break;
    case EVENT_FIELD_REAL:
        *(double *)value = random_real(stream);
        break;
    case EVENT_FIELD_BOOL:
        *(bool *)value = random_below(stream, 2);
        break;
    case EVENT_FIELD_TEXT:
        *(char **)value = random_text(stream);
        break;
    case EVENT_FIELD_AUTHOR:
    case EVENT_FIELD_FAILURE:
    case EVENT_FIELD_FINISH:
        fill_word(stream, type, value);
        break;
    case EVENT_FIELD_TEXTS:
        for (int count = random_count(stream); count > 0; count--) {
            char *text = random_text(stream);
            event_texts_add(value, text);
            free(text);
        }
        break;
    case EVENT_FIELD_REALS:
        for (int count = random_count(stream); count > 0; count--)
            event_reals_add(value, random_real(stream));
        break;
    case EVENT_FIELD_INTEGERS:
        for (int count = random_count(stream); count > 0; count--)
            event_integers_add(value, random_integer(stream));
        break;
    }
}

struct event random_event(struct random_stream *stream, enum event_kind kind)
{
    struct event event = {.number = random_integer(stream), .time = random_real(stream), .kind = kind};
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++)
        fill_field(stream, fields[i].type, event_field_of(&fields[i], &event.as));
    return event;
}

static bool real_equal(double a, double b)
{
    return (isnan(a) && isnan(b)) || !memcmp(&a, &b, sizeof a);
}

static bool field_equal(enum event_field_type type, const void *a, const void *b)
{
    struct field_list left, right;
    if (field_list_get(type, a, &left) && field_list_get(type, b, &right)) {
        for (int i = 0; i < left.count && i < right.count; i++)
            if (!field_equal(left.element, field_list_item(&left, i), field_list_item(&right, i)))
                return false;
        return left.count == right.count;
    }
    if (type == EVENT_FIELD_INTEGER)
        return *(const int64_t *)a == *(const int64_t *)b;
    if (type == EVENT_FIELD_REAL)
        return real_equal(*(const double *)a, *(const double *)b);
    if (type == EVENT_FIELD_BOOL)
        return *(const bool *)a == *(const bool *)b;
    return !strcmp(event_field_text(type, a), event_field_text(type, b));
}

bool event_equal(const struct event *a, const struct event *b)
{
    if (a->number != b->number || !real_equal(a->time, b->time) || a->kind != b->kind)
        return false;
    int count;
    const struct event_field *fields = event_fields(a->kind, &count);
    for (int i = 0; i < count; i++)
        if (!field_equal(fields[i].type, event_field_of(&fields[i], &a->as), event_field_of(&fields[i], &b->as)))
            return false;
    return true;
}

void random_field(struct random_stream *stream, const struct event_field *field, struct event *event)
{
    struct event before;
    event_copy(event, &before);
    void *value = event_field_of(field, &event->as);
    do {
        event_field_done(field->type, value);
        fill_field(stream, field->type, value);
    } while (event_equal(&before, event));
    event_done(&before);
}
