/*
 * event.c - events as values: the tables made from the lists of event.h, and what is done field by field.
 *
 * Every struct event_<kind> is described by a row of fields (name, type, fact or timing, offset).  Copying, freeing,
 * comparing and encoding walk that row, so a new kind or field needs no code here.  An event owns its texts and
 * arrays; a zeroed event owns nothing and is valid.
 */
#include "sessions/event.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/fields.h"
#include "util/bug.h"
#include "util/memory.h"

#define IS_FACT_FACT         true
#define IS_FACT_TIMING       false
#define IS_DURABLE_DURABLE   true
#define IS_DURABLE_TRANSIENT false

/* A row can't name the struct that it is of (the lists give fields only): each kind's function calls it row_struct. */
#define FIELD_ROW(type, name, timing)                                                                                  \
    {#name, sizeof #name - 1, EVENT_FIELD_##type, IS_FACT_##timing, offsetof(row_struct, name)},

#define FIELDS_FUNCTION(kind, kind_name, struct_name)                                                                  \
    static const struct event_field *fields_of_##kind_name(int *count)                                                 \
    {                                                                                                                  \
        typedef struct struct_name row_struct;                                                                         \
        static const struct event_field fields[] = {EVENT_FIELDS_##kind(FIELD_ROW)};                                   \
        _Static_assert(COUNT_OF(fields) <= EVENT_FIELDS_MAX, "EVENT_FIELDS_MAX is too small");                         \
        *count = (int)COUNT_OF(fields);                                                                                \
        return fields;                                                                                                 \
    }
#define OWN_FUNCTION(kind, kind_name, durability)      FIELDS_FUNCTION(kind, kind_name, event_##kind_name)
#define PROPOSAL_FUNCTION(kind, kind_name, durability) FIELDS_FUNCTION(kind, kind_name, event_proposal)
EVENT_OPENING_KINDS(OWN_FUNCTION)
EVENT_PROPOSAL_KINDS(PROPOSAL_FUNCTION)
EVENT_OTHER_KINDS(OWN_FUNCTION)

static const struct {
    const char *name;
    bool durable;
    size_t size;
    const struct event_field *(*fields)(int *count);
} kinds[] = {
#define KIND_ROW(kind, kind_name, durability)                                                                          \
    [EVENT_##                                                                                                          \
        kind] = {#kind_name, IS_DURABLE_##durability, sizeof((struct event *)0)->as.kind_name, fields_of_##kind_name},
    EVENT_KINDS(KIND_ROW)};
_Static_assert(COUNT_OF(kinds) == EVENT_KIND_COUNT, "one row a kind");

const char *event_kind_name(enum event_kind kind)
{
    ASSERT((unsigned)kind < EVENT_KIND_COUNT);
    return kinds[kind].name;
}

bool event_is_durable(enum event_kind kind)
{
    ASSERT((unsigned)kind < EVENT_KIND_COUNT);
    return kinds[kind].durable;
}

const struct event_field *event_fields(enum event_kind kind, int *count)
{
    ASSERT((unsigned)kind < EVENT_KIND_COUNT);
    return kinds[kind].fields(count);
}

bool event_has_facts(enum event_kind kind)
{
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++)
        if (fields[i].fact)
            return true;
    return false;
}

/* --- words --- */

#define WORD(value, word) [value] = #word,
static const char *const authors[] = {EVENT_AUTHORS(WORD) NULL};
static const char *const failures[] = {FAILURE_REASONS(WORD) NULL};
static const char *const finishes[] = {FINISH_REASONS(WORD) NULL};

/* The words of a type, from 1; NULL behind the last. */
static const char *const *words_of(enum event_field_type type)
{
    return type == EVENT_FIELD_AUTHOR ? authors : type == EVENT_FIELD_FAILURE ? failures : finishes;
}

const char *event_word_text(enum event_field_type type, const struct event_word *word)
{
    return word->value ? words_of(type)[word->value] : word->other ? word->other : "";
}

void event_word_set(enum event_field_type type, const char *text, size_t length, struct event_word *word)
{
    const char *const *words = words_of(type);
    *word = (struct event_word){0};
    for (int i = 1; words[i]; i++)
        if (!strncmp(words[i], text, length) && !words[i][length])
            word->value = i;
    if (word->value || !length)
        return;
    word->other = memory_new(length + 1, 1);
    memcpy(word->other, text, length);
}

void event_word_copy(const struct event_word *from, struct event_word *to)
{
    *to = (struct event_word){from->value, from->other ? memory_copy_text(from->other) : NULL};
}

const char *author_name(const struct event_word *author)
{
    return event_word_text(EVENT_FIELD_AUTHOR, author);
}

const char *failure_name(const struct event_word *reason)
{
    return event_word_text(EVENT_FIELD_FAILURE, reason);
}

const char *finish_name(const struct event_word *reason)
{
    return event_word_text(EVENT_FIELD_FINISH, reason);
}

struct event_word author_of(const char *word)
{
    struct event_word author;
    event_word_set(EVENT_FIELD_AUTHOR, word, strlen(word), &author);
    return author;
}

enum event_author event_author(const struct event *event)
{
    int count;
    const struct event_field *fields = event_fields(event->kind, &count);
    for (int i = 0; i < count; i++)
        if (fields[i].type == EVENT_FIELD_AUTHOR)
            return (enum event_author)((const struct event_word *)event_field_of(&fields[i], &event->as))->value;
    return AUTHOR_POLICY;
}

/* --- copies --- */

static void *copy_array(const void *items, int count, size_t size)
{
    return count ? memcpy(memory_new((size_t)count, size), items, (size_t)count * size) : NULL;
}

void event_texts_copy(const struct event_texts *from, struct event_texts *to)
{
    *to = (struct event_texts){from->count, from->count ? memory_new((size_t)from->count, sizeof *to->items) : NULL};
    for (int i = 0; i < from->count; i++)
        to->items[i] = memory_copy_text(from->items[i] ? from->items[i] : "");
}

void event_texts_done(struct event_texts *texts)
{
    for (int i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct event_texts){0};
}

void event_reals_copy(const struct event_reals *from, struct event_reals *to)
{
    *to = (struct event_reals){from->count, copy_array(from->items, from->count, sizeof *from->items)};
}

void event_integers_copy(const struct event_integers *from, struct event_integers *to)
{
    *to = (struct event_integers){from->count, copy_array(from->items, from->count, sizeof *from->items)};
}

static void copy_field(enum event_field_type type, const void *from, void *to)
{
    switch (type) {
    case EVENT_FIELD_INTEGER:
        *(int64_t *)to = *(const int64_t *)from;
        break;
    case EVENT_FIELD_REAL:
        *(double *)to = *(const double *)from;
        break;
    case EVENT_FIELD_BOOL:
        *(bool *)to = *(const bool *)from;
        break;
    case EVENT_FIELD_TEXT: {
        const char *text = *(char *const *)from;
        *(char **)to = memory_copy_text(text ? text : "");
        break;
    }
    case EVENT_FIELD_TEXTS:
        event_texts_copy(from, to);
        break;
    case EVENT_FIELD_REALS:
        event_reals_copy(from, to);
        break;
    case EVENT_FIELD_INTEGERS:
        event_integers_copy(from, to);
        break;
    case EVENT_FIELD_AUTHOR:
    case EVENT_FIELD_FAILURE:
    case EVENT_FIELD_FINISH:
        event_word_copy(from, to);
        break;
    }
}

void event_fields_copy(enum event_kind kind, const void *from, void *to)
{
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++)
        copy_field(fields[i].type, event_field_of(&fields[i], from), event_field_of(&fields[i], to));
}

void event_fields_done(enum event_kind kind, void *values)
{
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++) {
        void *value = event_field_of(&fields[i], values);
        switch (fields[i].type) {
        case EVENT_FIELD_TEXT:
            free(*(char **)value);
            break;
        case EVENT_FIELD_TEXTS:
            event_texts_done(value);
            break;
        case EVENT_FIELD_REALS:
            free(((struct event_reals *)value)->items);
            break;
        case EVENT_FIELD_INTEGERS:
            free(((struct event_integers *)value)->items);
            break;
        case EVENT_FIELD_AUTHOR:
        case EVENT_FIELD_FAILURE:
        case EVENT_FIELD_FINISH:
            free(((struct event_word *)value)->other);
            break;
        case EVENT_FIELD_INTEGER:
        case EVENT_FIELD_REAL:
        case EVENT_FIELD_BOOL:
            break;
        }
    }
    memset(values, 0, kinds[kind].size);
}

void event_done(struct event *event)
{
    event_fields_done(event->kind, &event->as);
}

void event_copy(const struct event *from, struct event *to)
{
    *to = (struct event){.number = from->number, .time = from->time, .kind = from->kind};
    event_fields_copy(from->kind, &from->as, &to->as);
}

static void add_integer(struct text *bytes, int64_t value)
{
    text_add_bytes(bytes, (const char *)&value, sizeof value);
}

static void add_real(struct text *bytes, double value)
{
    if (isnan(value))
        value = (double)NAN;
    text_add_bytes(bytes, (const char *)&value, sizeof value);
}

static void add_string(struct text *bytes, const char *string)
{
    size_t length = string ? strlen(string) : 0;
    add_integer(bytes, (int64_t)length);
    if (length)
        text_add_bytes(bytes, string, length);
}

static void add_fact(enum event_field_type type, const void *value, struct text *bytes)
{
    switch (type) {
    case EVENT_FIELD_INTEGER:
        add_integer(bytes, *(const int64_t *)value);
        break;
    case EVENT_FIELD_REAL:
        add_real(bytes, *(const double *)value);
        break;
    case EVENT_FIELD_BOOL:
        add_integer(bytes, *(const bool *)value);
        break;
    case EVENT_FIELD_TEXT:
        add_string(bytes, *(char *const *)value);
        break;
    case EVENT_FIELD_TEXTS: {
        const struct event_texts *texts = value;
        add_integer(bytes, texts->count);
        for (int i = 0; i < texts->count; i++)
            add_string(bytes, texts->items[i]);
        break;
    }
    case EVENT_FIELD_REALS: {
        const struct event_reals *reals = value;
        add_integer(bytes, reals->count);
        for (int i = 0; i < reals->count; i++)
            add_real(bytes, reals->items[i]);
        break;
    }
    case EVENT_FIELD_INTEGERS: {
        const struct event_integers *integers = value;
        add_integer(bytes, integers->count);
        for (int i = 0; i < integers->count; i++)
            add_integer(bytes, integers->items[i]);
        break;
    }
    case EVENT_FIELD_AUTHOR:
    case EVENT_FIELD_FAILURE:
    case EVENT_FIELD_FINISH:
        add_string(bytes, event_word_text(type, value));
        break;
    }
}

void event_fields_add_facts(enum event_kind kind, const void *values, struct text *bytes)
{
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++)
        if (fields[i].fact)
            add_fact(fields[i].type, event_field_of(&fields[i], values), bytes);
}

char *event_text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    char *text = memory_new((size_t)length + 1, 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

/* One more place.  These arrays are short and keep no capacity; the allocator's own slack makes growing cheap. */
static void *grow(void *items, int count, size_t size)
{
    return memory_resize(items, (size_t)count + 1, size);
}

void event_texts_add(struct event_texts *texts, const char *text)
{
    texts->items = grow(texts->items, texts->count, sizeof *texts->items);
    texts->items[texts->count++] = memory_copy_text(text);
}

void event_reals_add(struct event_reals *reals, double value)
{
    reals->items = grow(reals->items, reals->count, sizeof *reals->items);
    reals->items[reals->count++] = value;
}

void event_integers_add(struct event_integers *integers, int64_t value)
{
    integers->items = grow(integers->items, integers->count, sizeof *integers->items);
    integers->items[integers->count++] = value;
}
