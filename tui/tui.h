/*
 * tui.h - the screens: show a session and steer it, from any source of events.
 *
 * tui_run() owns the terminal and its thread until it returns.  Events come from a source, which reads them from a log
 * (of a search in this process, of another process, a recording), and are folded into a state of its own.  Commands go
 * to the source as words (search/engine.h lists them).
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
    /* Send a command.  NULL: the source takes none. */
    void (*command)(void *context, const char *words);
    /* What a network of this state gets wrong: evaluates it beside the screens (mistakes.h); valid until the next call.
       NULL: nothing can be evaluated.  Of every mode. */
    const struct mistakes *(*mistakes)(void *judge, const struct session_state *state, int64_t node);
    void *judge;
    bool can_detach; /* MODE_LIVE: the search could go on without this terminal: offer it */
    struct replay *replay; /* MODE_REPLAY: the recording (sessions/replay.h); the functions above are NULL then */
    double speed, from;    /* MODE_REPLAY: the initial speed and position, in seconds of the session */
    double compress;       /* MODE_REPLAY: the longest wait between two durable events, in the person's seconds; 0: any */
    int64_t *fork;         /* MODE_REPLAY: where tui_run() leaves the event or network of a fork; NULL: offer none */
};

struct tui_options {
    bool ascii, mono;     /* no Unicode; no colours (NO_COLOR) */
    const char *theme;    /* dark, light, colour-blind, mono; NULL: dark */
};

/* TUI_DETACH: the search is to go on without screens.  TUI_FORK_MOMENT, TUI_FORK_NETWORK: a new search is to begin from
   the event, or with the network, that is in source->fork.  TUI_SIGNAL + N: signal N came, or the terminal is gone (SIGHUP).  It is also the exit status. */
enum tui_outcome { TUI_QUIT, TUI_DETACH, TUI_FORK_MOMENT, TUI_FORK_NETWORK, TUI_SIGNAL = 128 };

/* Block the signals that tui_run() reads: SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT.  Call it before any
   thread is made: threads inherit the mask.  They stay blocked after tui_run(), except SIGINT. */
void tui_block_signals(void);

/* Can the terminal be used?  To be asked before a session is made.  -1 as tui_run(). */
int tui_check(const char *theme, struct error *error);
/* -1: the terminal can't be used; the message says why (TERM unknown or dumb, not a terminal). */
int tui_run(const struct tui_source *source, const struct tui_options *options, enum tui_outcome *outcome,
            struct error *error);

#endif
