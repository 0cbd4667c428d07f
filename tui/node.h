/*
 * node.h - how networks are shown, the same in every view.  Pure.
 */
#ifndef ESPALIER_TUI_NODE_H
#define ESPALIER_TUI_NODE_H

#include "tui/model.h"

uint32_t node_glyph(const struct session_node *node); /* ~: stopped early; = a control, □ a baseline, ▣ a retrained one, ■ a finish */
enum style node_style(enum node_status status);
const char *node_word(enum node_status status); /* "in training" */
bool node_is_users(const struct session_node *node);
/* Is it a control, a baseline or a finish?  No action led to these. */
bool node_has_role(const struct session_node *node);
/* Its text in the tree: a person's and those that nothing grew stand out. */
enum style node_edge_style(const struct session_node *node);

/* session_gain(); of a network of the growth in training over its control after as many epochs, or over its parent.  `*over` is that
   network.  False: one of the two accuracies is not known. */
bool node_gain(const struct session_state *state, const struct session_node *node, double *gain, int64_t *over);
/* Draw the gain, dim while it trains or where no action is behind it; returns the x after it. */
int node_draw_gain(const struct session_state *state, const struct session_node *node, struct canvas *canvas,
                   struct area area, int x, int y, int width);
/* " over control n7", or " on n4" of a parent. */
void node_add_over(const struct session_state *state, int64_t over, struct text *text);
/* The share of its training that is done, 0…1; the seconds until its end, negative: unknown. */
double node_share(const struct session_node *node);
double node_seconds_left(const struct model *model, const struct session_node *node);
/* Images a second: of the running step, else of the last epoch; 0: unknown, or training is held. */
double node_rate(const struct model *model, const struct session_node *node);
/* It would train, but the search is paused: there is no speed and no end. */
bool node_is_held(const struct model *model, const struct session_node *node);

/* How it grew, in the longest form that fits into `columns`: "W conv1 4→8, W conv3 4→8, D conv2 +3×3", "W conv1,3 D
   conv2", "W c1,3 D c2", "2W 1D".  Without actions what it is: "start", "control of n4", "baseline", "retrain of n9", "finish of n12".
 */
void node_edge(const struct session_state *state, const struct session_node *node, bool unicode, int columns,
               struct text *text);

/* The last validation accuracies as a sparkline, from its own lowest to the best of the session. */
void node_spark(const struct session_state *state, const struct session_node *node, struct canvas *canvas,
                struct area area, int x, int y, int width, enum style style);

/* "ends in 4m19s", "about 18m left", "1h10m to 1h50m left": when a search ends; of one that is paused what it has left. */
enum { NODE_END = 80 };
char *node_end(char buffer[NODE_END], const struct session_state *state);
/* A measure of a layer's health in at most 7 columns: "13.4", "0.0021", "12%", "0.87"; "" where it has none. */
char *node_health_text(char buffer[TEXT_SHORT], const struct session_node *node, int layer, enum health_measure measure);
/* "18m": a duration in one or two units. */
char *node_age(char buffer[TEXT_SHORT], double seconds);
/* "01:42:07" */
char *clock_text(char buffer[TEXT_SHORT], double seconds);

#endif
