/* random_event.h - events with any contents, made from the tables: not plausible, but whole. */
#ifndef ESPALIER_TESTS_RANDOM_EVENT_H
#define ESPALIER_TESTS_RANDOM_EVENT_H

#include "sessions/fields.h"
#include "util/random.h"

/* The caller's to event_done(). */
struct event random_event(struct random_stream *stream, enum event_kind kind);
/* Put another value into one field. */
void random_field(struct random_stream *stream, const struct event_field *field, struct event *event);

/* Every field, bit for bit (NaN equals NaN). */
bool event_equal(const struct event *a, const struct event *b);

#endif
