/*
 * fields.h - the lists of event.h as tables, for code that treats every kind alike: the encoders, the digest,
 * the tests, the manual page.  Inside sessions/ and its tests; other rooms use the structs of event.h.
 */
#ifndef ESPALIER_SESSIONS_FIELDS_H
#define ESPALIER_SESSIONS_FIELDS_H

#include "sessions/event.h"

enum event_field_type {
    EVENT_FIELD_INTEGER,
    EVENT_FIELD_REAL,
    EVENT_FIELD_BOOL,
    EVENT_FIELD_TEXT,
    EVENT_FIELD_TEXTS,
    EVENT_FIELD_REALS,
    EVENT_FIELD_INTEGERS,
    EVENT_FIELD_AUTHOR, /* from here on: struct event_word */
    EVENT_FIELD_FAILURE,
    EVENT_FIELD_FINISH
};

struct event_field {
    const char *name;
    size_t length; /* of the name */
    enum event_field_type type;
    bool fact;     /* false: TIMING, left out of the digest */
    bool later;    /* LATER: left out of it where it is 0 or empty */
    size_t offset; /* in struct event_<kind> */
};

enum { EVENT_FIELDS_MAX = 24 };

const struct event_field *event_fields(enum event_kind kind, int *count);

/* Where a field lies in `fields`, a struct event_<kind>. */
static inline void *event_field_of(const struct event_field *field, const void *fields)
{
    return (char *)fields + field->offset;
}

/* The word that `value` stands for, "" when it has none; and back: `*word` owns a copy of one that is not in the list. */
const char *event_word_text(enum event_field_type type, const struct event_word *word);
void event_word_set(enum event_field_type type, const char *text, size_t length, struct event_word *word);

/* One struct event_<kind> by itself, as a state keeps it.  A NULL text is copied as "". */
void event_fields_copy(enum event_kind kind, const void *from, void *to);
void event_fields_done(enum event_kind kind, void *fields);

/* One field by itself: copied (a NULL text as ""), freed, and as text when it is a text or a word. */
void event_field_copy(enum event_field_type type, const void *from, void *to);
void event_field_done(enum event_field_type type, void *value);
const char *event_field_text(enum event_field_type type, const void *value);

/* A field of TEXTS, REALS or INTEGERS, whose elements are fields.  False for other types. */
struct field_list {
    enum event_field_type element;
    size_t size; /* of an element */
    int count;
    void *items;
};
bool field_list_get(enum event_field_type type, const void *value, struct field_list *list);
void field_list_set(const struct field_list *list, void *value);
static inline void *field_list_item(const struct field_list *list, int i)
{
    return (char *)list->items + (size_t)i * list->size;
}

/* Add the FACT fields to `bytes` in one form for equal values (all NaNs are equal, NULL is ""): what a digest is
   taken of. */
void event_fields_add_facts(enum event_kind kind, const void *fields, struct text *bytes);
bool event_has_facts(enum event_kind kind);

#endif
