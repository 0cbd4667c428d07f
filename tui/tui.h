/*
 * tui.h - the terminal: draw a session and steer it, from any source of events.
 *
 * tui_run() has the terminal and its thread until it returns; it is the only one that calls curses.  Events come from
 * a source (a live engine's queue, a recorded log, a socket) and are folded into the terminal's own state; what the
 * person asks goes to the source as words (search/engine.h lists them).
 */
#ifndef ESPALIER_TUI_TUI_H
#define ESPALIER_TUI_TUI_H

#include "sessions/event.h"
#include "tui/model.h"

struct tui_source {
    void *context;
    enum model_mode mode;
    const char *session_name;
    /* A descriptor that becomes readable when events wait, or -1. */
    int (*descriptor)(void *context);
    /* The next waiting event (the caller's to event_done), or false. */
    bool (*next)(void *context, struct event *event);
    /* True when no event will come any more; true only after `next` has given the last one.  `error`: why it ended so
       early, or unchanged. */
    bool (*ended)(void *context, struct error *error);
    /* A person's words.  NULL: this source can only be watched. */
    void (*command)(void *context, const char *words);
    struct replay *replay; /* MODE_REPLAY: what the bar moves in (sessions/replay.h); `next` then gives no events */
    double speed, from;    /* MODE_REPLAY: at first; `from` in seconds of the session */
    double compress;       /* MODE_REPLAY: the longest wait between two durable events, in the person's seconds; 0: any */
};

struct tui_options {
    bool ascii, mono;     /* no Unicode; no colours (NO_COLOR) */
    const char *theme;    /* dark, light, colour-blind, mono; NULL: dark */
};

/* TUI_SIGNAL + N: signal N came (SIGHUP also when the terminal is gone); that number is the exit status too. */
enum tui_outcome { TUI_QUIT, TUI_SIGNAL = 128 };

/* Block the signals that tui_run() reads (SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT), before any thread is made:
   threads inherit the mask, and the terminal's thread alone takes them.  They stay blocked when it returns, but for
   SIGINT. */
void tui_block_signals(void);

/* Can the terminal be used?  For whoever asks before a session is made.  -1 as tui_run(). */
int tui_check(const char *theme, struct error *error);
/* -1: the terminal can't be used; the message says why (TERM unknown or dumb, not a terminal). */
int tui_run(const struct tui_source *source, const struct tui_options *options, enum tui_outcome *outcome,
            struct error *error);

#endif
