/*
 * csv.h - a session as tables: comma separated, one heading line, quoted as RFC 4180 says, lines end in "\n".
 *
 * What is unknown is an empty cell; times are seconds, flags 0 or 1, accuracies from 0 to 1.
 */
#ifndef ESPALIER_EXPORT_CSV_H
#define ESPALIER_EXPORT_CSV_H

#include "sessions/state.h"

/* One row for each network.  `over` is the network that `gain` is over: its control, else its parent. */
void export_csv_networks(const struct session_state *state, struct text *text);
/* One row for each epoch of each network. */
void export_csv_curves(const struct session_state *state, struct text *text);

/* Cells of other tables: each writes the comma before itself, unless it starts a line, which the caller ends.  NaN and
   NULL are unknown. */
void csv_integer(struct text *text, int64_t value);
void csv_real(struct text *text, double value);
void csv_string(struct text *text, const char *string);

#endif
