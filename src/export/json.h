/*
 * json.h - the whole state of a session as one JSON document.
 *
 * Field names are those of the events (sessions/event.h) and of state.h.  What is unknown is null.
 */
#ifndef ESPALIER_EXPORT_JSON_H
#define ESPALIER_EXPORT_JSON_H

#include <jansson.h>

#include "sessions/state.h"

void export_json(const struct session_state *state, struct text *text);

/* For every JSON document.  jansson takes finite numbers and UTF-8 only: another number is null, as is a NULL text, and
   another text is made visible as in print.h. */
json_t *json_of_real(double value);
json_t *json_of_text(const char *string);
/* Takes `value` over, which must not be NULL. */
void json_set(json_t *object, const char *key, json_t *value);
/* Add the document, whose numbers have that many digits, to `text`; takes it over. */
void json_print(json_t *document, int digits, struct text *text);

#endif
