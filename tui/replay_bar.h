/*
 * replay_bar.h - replay's clock: play, speed, steps, jumps and seeking, over sessions/replay.h.
 */
#ifndef ESPALIER_TUI_REPLAY_BAR_H
#define ESPALIER_TUI_REPLAY_BAR_H

#include "tui/tui.h"

/* Where to begin, as the source says: playing. */
void replay_bar_start(const struct tui_source *source, struct model *model);
/* True: the request was the bar's. */
bool replay_bar_request(const struct tui_source *source, struct model *model, enum request request);
/* `goto 50%`, `goto 90` (seconds), `goto 1h02m`; false: not the bar's words. */
bool replay_bar_command(const struct tui_source *source, struct model *model, const char *words);
/* Seek to the place of a click. */
void replay_bar_click(const struct tui_source *source, struct model *model, struct area bar, int x);
/* Let time pass; true when the picture changed. */
bool replay_bar_tick(const struct tui_source *source, struct model *model, double monotonic);

#endif
