/*
 * overlay.h - dialogs over the screen that take the keys: help, prompt, questions, widen and deepen.
 *
 * Only one is open at a time. An overlay handles every key; when it closes it may leave a command for the source
 * (those of sessions/command.h) or an answer for the application.
 */
#ifndef ESPALIER_TUI_OVERLAY_H
#define ESPALIER_TUI_OVERLAY_H

#include "tui/model.h"

struct overlay;

enum overlay_answer {
    OVERLAY_OPEN,
    OVERLAY_CLOSED,
    OVERLAY_COMMAND, /* closed; `words` is a command */
    OVERLAY_FIND,    /* closed; `words` is what to find */
    OVERLAY_PALETTE, /* closed; `words` is what was chosen: "zoom", ":budget", "n37" */
    OVERLAY_STOP,    /* closed: end the search and leave */
    OVERLAY_DETACH   /* closed: leave the search running */
};

struct overlay *overlay_help(void);
/* The lines of the log pane in full. */
struct overlay *overlay_log(void);
/* Find keys, commands and networks by words. */
struct overlay *overlay_palette(const struct model *model);
/* In a recording: begin a new search from this moment, or with the selected network?  Leaves `fork` or `fork N`. */
struct overlay *overlay_fork(const struct model *model);
/* What persons did, the newest first; Enter takes the chosen step back, where a search runs. */
struct overlay *overlay_history(void);
/* A line to edit: `:` commands (with Tab completion and the history of `:`), or `/` text to find, or a note on a
   network. `start` is the initial text. */
enum prompt_kind { PROMPT_COMMAND, PROMPT_FIND, PROMPT_NOTE };
struct overlay *overlay_prompt(enum prompt_kind kind, int64_t node, const char *start);
/* The prompt of `/`, empty; the filter follows what is typed, and Escape brings back what was in force. */
struct overlay *overlay_find(const struct model *model);
/* End a running search, or leave it running where that can be done? */
struct overlay *overlay_quit(const struct model *model, bool can_detach);
/* Prune this network and all that grew from it? NULL with a message in the key bar when it can't be pruned. */
struct overlay *overlay_prune(struct model *model, int64_t node);
/* Choose a layer and a width, or a layer and a kernel; shows what it costs. NULL with a message in the key bar when the
   network can't be grown. */
struct overlay *overlay_widen(struct model *model, int64_t node);
struct overlay *overlay_deepen(struct model *model, int64_t node);

/* Also updates the overlay's scroll for the canvas's size. */
void overlay_draw(struct overlay *overlay, const struct model *model, struct canvas *canvas);
enum overlay_answer overlay_key(struct overlay *overlay, struct model *model, int key, struct text *words);
/* A click at a place of the screen, as a key. */
enum overlay_answer overlay_click(struct overlay *overlay, struct model *model, int x, int y, struct text *words);
bool overlay_takes_text(const struct overlay *overlay); /* it takes pasted text */
void overlay_free(struct overlay *overlay);

#endif
