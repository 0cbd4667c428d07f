/*
 * node.h - how networks are shown, the same in every view.  Pure.
 */
#ifndef ESPALIER_TUI_NODE_H
#define ESPALIER_TUI_NODE_H

#include "tui/model.h"

uint32_t node_glyph(const struct session_node *node); /* ~: stopped early */
enum style node_style(enum node_status status);
const char *node_word(enum node_status status); /* "in training" */
bool node_is_users(const struct session_node *node);

/* Its accuracy minus its parent's.  False: one of the two is not known. */
bool node_gain(const struct session_state *state, const struct session_node *node, double *gain);
/* The share of its training that is done, 0…1; the seconds until its end, negative: unknown. */
double node_share(const struct session_node *node);
double node_seconds_left(const struct model *model, const struct session_node *node);
/* Images a second: of the running step, else of the last epoch; 0: unknown. */
double node_rate(const struct session_node *node);

/* How it grew, in the longest form that fits into `columns`: "W conv1 4→8, W conv3 4→8, D conv2 +3×3", "W conv1,3 D
   conv2", "W c1,3 D c2", "2W 1D". */
void node_edge(const struct session_state *state, const struct session_node *node, bool unicode, int columns,
               struct text *text);

/* The last validation accuracies as a sparkline, from its own lowest to the best of the session. */
void node_spark(const struct session_state *state, const struct session_node *node, struct canvas *canvas,
                struct area area, int x, int y, int width, enum style style);

/* "18m": a duration in one or two units. */
char *node_age(char buffer[TEXT_SHORT], double seconds);
/* "01:42:07" */
char *clock_text(char buffer[TEXT_SHORT], double seconds);

#endif
