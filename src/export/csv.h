/*
 * csv.h - a session as tables: comma separated, one heading line, quoted as RFC 4180 says, lines end in "\n".
 *
 * What is unknown is an empty cell; times are seconds, flags 0 or 1, accuracies from 0 to 1.
 */
#ifndef ESPALIER_EXPORT_CSV_H
#define ESPALIER_EXPORT_CSV_H

#include "sessions/state.h"

/* One row a network. */
void export_csv_networks(const struct session_state *state, struct text *text);
/* One row an epoch of each network. */
void export_csv_curves(const struct session_state *state, struct text *text);

#endif
