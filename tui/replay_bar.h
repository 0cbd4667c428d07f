/*
 * replay_bar.h - replay's clock: play, speed, steps, jumps and seeking, over sessions/replay.h.
 */
#ifndef ESPALIER_TUI_REPLAY_BAR_H
#define ESPALIER_TUI_REPLAY_BAR_H

#include "tui/tui.h"

/* Where to begin: playing from the start at 1×. */
void replay_bar_start(const struct tui_source *source, struct model *model);
/* True: the request was the bar's. */
bool replay_bar_request(const struct tui_source *source, struct model *model, enum request request);
/* Seek to the place of a click. */
void replay_bar_click(const struct tui_source *source, struct model *model, struct area bar, int x);
/* Let time pass; true when the picture changed. */
bool replay_bar_tick(const struct tui_source *source, struct model *model, double monotonic);

#endif
