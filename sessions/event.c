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
#define IS_FACT_LATER        true
#define IS_FACT_TIMING       false
#define IS_LATER_FACT        false
#define IS_LATER_LATER       true
#define IS_LATER_TIMING      false
#define IS_DURABLE_DURABLE   true
#define IS_DURABLE_TRANSIENT false

/* A row can't name the struct that it is of (the lists give fields only): each kind's function calls it row_struct. */
#define FIELD_ROW(type, name, timing)                                                                                  \
    {#name, sizeof #name - 1, EVENT_FIELD_##type, IS_FACT_##timing, IS_LATER_##timing, offsetof(row_struct, name)},

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

/* --- fields --- */

struct plain_list { /* as event_texts, event_reals and event_integers lie in memory */
    int count;
    void *items;
};
_Static_assert(sizeof(struct plain_list) == sizeof(struct event_texts) &&
                   offsetof(struct plain_list, items) == offsetof(struct event_texts, items),
               "the lists lie alike");

bool field_list_get(enum event_field_type type, const void *value, struct field_list *list)
{
    static const struct field_list elements[] = {
        [EVENT_FIELD_TEXTS] = {EVENT_FIELD_TEXT, sizeof(char *), 0, NULL},
        [EVENT_FIELD_REALS] = {EVENT_FIELD_REAL, sizeof(double), 0, NULL},
        [EVENT_FIELD_INTEGERS] = {EVENT_FIELD_INTEGER, sizeof(int64_t), 0, NULL},
    };
    struct plain_list plain;
    if (type < EVENT_FIELD_TEXTS || type > EVENT_FIELD_INTEGERS)
        return false;
    memcpy(&plain, value, sizeof plain);
    *list = elements[type];
    list->count = plain.count;
    list->items = plain.items;
    return true;
}

void field_list_set(const struct field_list *list, void *value)
{
    memcpy(value, &(struct plain_list){list->count, list->items}, sizeof(struct plain_list));
}

const char *event_field_text(enum event_field_type type, const void *value)
{
    const char *text = type == EVENT_FIELD_TEXT ? *(char *const *)value : event_word_text(type, value);
    return text ? text : "";
}

void event_field_copy(enum event_field_type type, const void *from, void *to)
{
    struct field_list list, copy;
    if (field_list_get(type, from, &list)) {
        copy = list;
        copy.items = list.count ? memory_new((size_t)list.count, list.size) : NULL;
        for (int i = 0; i < list.count; i++)
            event_field_copy(list.element, field_list_item(&list, i), field_list_item(&copy, i));
        field_list_set(&copy, to);
    } else if (type == EVENT_FIELD_INTEGER)
        *(int64_t *)to = *(const int64_t *)from;
    else if (type == EVENT_FIELD_REAL)
        *(double *)to = *(const double *)from;
    else if (type == EVENT_FIELD_BOOL)
        *(bool *)to = *(const bool *)from;
    else if (type == EVENT_FIELD_TEXT)
        *(char **)to = memory_copy_text(event_field_text(type, from));
    else {
        const struct event_word *word = from;
        *(struct event_word *)to = (struct event_word){word->value, word->other ? memory_copy_text(word->other) : NULL};
    }
}

void event_field_done(enum event_field_type type, void *value)
{
    struct field_list list;
    if (type == EVENT_FIELD_TEXT)
        free(*(char **)value);
    else if (type >= EVENT_FIELD_AUTHOR) {
        free(((struct event_word *)value)->other);
        *(struct event_word *)value = (struct event_word){0};
    } else if (field_list_get(type, value, &list)) {
        for (int i = 0; i < list.count; i++)
            event_field_done(list.element, field_list_item(&list, i));
        free(list.items);
        field_list_set(&(struct field_list){0}, value);
    }
}

void event_fields_copy(enum event_kind kind, const void *from, void *to)
{
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++)
        event_field_copy(fields[i].type, event_field_of(&fields[i], from), event_field_of(&fields[i], to));
}

void event_fields_done(enum event_kind kind, void *values)
{
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++)
        event_field_done(fields[i].type, event_field_of(&fields[i], values));
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

static void add_fact(enum event_field_type type, const void *value, struct text *bytes)
{
    struct field_list list;
    if (field_list_get(type, value, &list)) {
        add_integer(bytes, list.count);
        for (int i = 0; i < list.count; i++)
            add_fact(list.element, field_list_item(&list, i), bytes);
    } else if (type == EVENT_FIELD_INTEGER)
        add_integer(bytes, *(const int64_t *)value);
    else if (type == EVENT_FIELD_REAL)
        add_real(bytes, *(const double *)value);
    else if (type == EVENT_FIELD_BOOL)
        add_integer(bytes, *(const bool *)value);
    else {
        const char *text = event_field_text(type, value);
        add_integer(bytes, (int64_t)strlen(text));
        if (*text)
            text_add_bytes(bytes, text, strlen(text));
    }
}

/* Is it 0, false or empty? */
static bool is_unset(enum event_field_type type, const void *value)
{
    struct field_list list;
    if (field_list_get(type, value, &list))
        return !list.count;
    if (type == EVENT_FIELD_INTEGER)
        return !*(const int64_t *)value;
    if (type == EVENT_FIELD_REAL)
        return *(const double *)value == 0;
    if (type == EVENT_FIELD_BOOL)
        return !*(const bool *)value;
    return !*event_field_text(type, value);
}

void event_fields_add_facts(enum event_kind kind, const void *values, struct text *bytes)
{
    int count;
    const struct event_field *fields = event_fields(kind, &count);
    for (int i = 0; i < count; i++)
        if (fields[i].fact && !(fields[i].later && is_unset(fields[i].type, event_field_of(&fields[i], values))))
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

/* Make space for one more item.  These arrays are short and have no capacity field: the allocator makes growing cheap.
 */
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
