/*
 * json.h - the whole state of a session as one JSON document.
 *
 * Field names are those of the events (sessions/event.h) and of state.h.  What is unknown is null.
 */
#ifndef ESPALIER_EXPORT_JSON_H
#define ESPALIER_EXPORT_JSON_H

#include "sessions/state.h"

void export_json(const struct session_state *state, struct text *text);

#endif
