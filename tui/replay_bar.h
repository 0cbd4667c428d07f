/*
 * replay_bar.h - the controls of a replay: play, speed, steps, jumps and seeking, over sessions/replay.h.
 */
#ifndef ESPALIER_TUI_REPLAY_BAR_H
#define ESPALIER_TUI_REPLAY_BAR_H

#include "tui/tui.h"

/* Begin to play at source->from. */
void replay_bar_start(const struct tui_source *source, struct model *model);
/* True: handled. */
bool replay_bar_request(const struct tui_source *source, struct model *model, enum request request);
/* `goto 50%`, `goto 90` (seconds), `goto 1h02m`; false: not one of these. */
bool replay_bar_command(const struct tui_source *source, struct model *model, const char *words);
/* Seek to column `x` of the bar. */
void replay_bar_click(const struct tui_source *source, struct model *model, struct area bar, int x);
/* Advance the clock; true when the screen has changed. */
bool replay_bar_tick(const struct tui_source *source, struct model *model, double monotonic);

#endif
