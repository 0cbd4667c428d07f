/*
 * app.h - the application's state, and what a request does to it.  Private to app*.c.
 *
 * UI thread only. app.c owns the struct and runs the loop; app_request.c answers requests and sends commands.
 */
#ifndef ESPALIER_TUI_APP_H
#define ESPALIER_TUI_APP_H

#include "tui/overlay.h"
#include "tui/terminal.h"
#include "tui/tui.h"

struct app {
    const struct tui_source *source;
    struct terminal *terminal;
    struct model model;
    struct canvas canvas;
    struct overlay *overlay;
    int signals;            /* signalfd */
    bool dirty;             /* the model has changed: a frame is due within frame_seconds */
    bool asked;             /* a key came, or the terminal changed: a frame is due at once */
    bool mouse, leave;
    bool dragging;          /* the button went down on replay's bar, which follows it */
    enum tui_outcome outcome;
    char *title;            /* of the window, as it was set last */
    bool bell;              /* rings at a new best and at the end */
    int64_t rung_best;      /* the best network and whether the search had ended, when it could have rung last */
    bool rung_end;
    double drawn, arrived;  /* monotonic: the last frame, the last event */
};

/* Send bytes that are no cells to the terminal; they are freed. */
void app_emit(struct app *app, struct text *bytes);
void app_leave(struct app *app, enum tui_outcome outcome);
/* Send a command to the search, or say why it can't be. */
void app_send(struct app *app, const char *words);
/* A request that no view handled. */
void app_answer(struct app *app, enum request request);
/* `prune N` that was typed is asked about as the key is.  False: it is another command, or no search takes it. */
bool app_ask_prune(struct app *app, const char *words);
void app_ask_quit(struct app *app);
void app_focus(struct app *app, enum pane pane);
void app_close_overlay(struct app *app);

#endif
