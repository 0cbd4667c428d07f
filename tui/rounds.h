/*
 * rounds.h - what the screens say of a search that is made of rounds and ends with a final training.  Pure.
 *
 * The children of one round race: they have one parent, and a control, which is the parent trained on as long.
 */
#ifndef ESPALIER_TUI_ROUNDS_H
#define ESPALIER_TUI_ROUNDS_H

#include "tui/model.h"

/* What the search is doing: "growth 38%", "baseline epoch 2/9", "finish epoch 3/40"; nothing for a search without
   phases. */
void phase_add(const struct session_state *state, struct text *text);
/* How many trainers change the search: "asynchronous, updates of 25", "rounds of 4: 96 idle"; nothing when they don't. */
void trainers_add(const struct session_state *state, struct text *text);
/* "+0.84 over baseline n20" or "baseline n20 won by 0.40": how the best network that was grown compares with the
   search's baseline; nothing before both are trained.  True: the grown one won, so that it is what is finished. */
bool verdict_add(const struct session_state *state, struct text *text);

/* Draw the race that the network is in on one line: "race =n7 n8 +0.42 n9 -0.10 n10 2/4".  False: it is in none. */
bool race_draw(const struct model *model, const struct session_node *node, struct canvas *canvas, struct area area,
               int y);

#endif
