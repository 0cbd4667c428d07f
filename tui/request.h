/*
 * request.h - requests: what a key can ask for.  One table gives the keys, the `?` page and the man page.
 *
 * A key becomes a request.  The view with the focus handles it or returns false; then app_request.c handles it.
 */
#ifndef ESPALIER_TUI_REQUEST_H
#define ESPALIER_TUI_REQUEST_H

#include <stdbool.h>

/* name, default keys (blank-separated), what it does */
#define REQUESTS(R) \
    R(HELP, "? F1", "show the keys") \
    R(QUIT, "q F10", "leave: the session is kept; a running search asks first") \
    R(NEXT_PANE, "Tab", "go to the next pane") \
    R(PREVIOUS_PANE, "S-Tab", "go to the previous pane") \
    R(ZOOM, "z", "give the pane the whole screen, and back") \
    R(UP, "Up k", "one up") \
    R(DOWN, "Down j", "one down") \
    R(LEFT, "Left h", "fold, or go to the parent; in details: the sibling before") \
    R(RIGHT, "Right l", "unfold, or go to the first child; in details: the next sibling") \
    R(PAGE_UP, "PageUp C-b", "one page up") \
    R(PAGE_DOWN, "PageDown C-f", "one page down") \
    R(FIRST, "Home g", "go to the first") \
    R(LAST, "End G", "go to the last") \
    R(OPEN, "Enter", "open the network's details, in the log pane its lines in full, a host's devices; confirm") \
    R(CANCEL, "Escape", "close, or clear the filter") \
    R(FOLD_ALL, "-", "fold everything below the selected network") \
    R(UNFOLD_ALL, "*", "unfold everything below it") \
    R(SORT, "o", "order siblings by number, accuracy, gain, parameters; in a plot: the next axis") \
    R(BOARD, "t", "the leaderboard in the tree's place: all networks in a flat list, and back") \
    R(REVERSE, "O", "leaderboard: the other direction; o: by the next column") \
    R(BEST, "b", "select the best network") \
    R(FOLLOW, "f", "follow the search: select a network in training, and when it ends the newest") \
    R(FIND, "/", "find networks: a number, a part of an action, or words: acc>92 params<15k by:you layer:conv3") \
    R(FIND_NEXT, "n", "the next one found") \
    R(FIND_PREVIOUS, "N", "the previous one found") \
    R(MARK, "m", "mark a network for comparison") \
    R(COMPARE, "=", "set the two marked networks side by side") \
    R(MISTAKES, "v", "what the network gets wrong: classes, the worst images, samples of the data") \
    R(SCALE, "y", "curves: accuracy, or error on a logarithmic axis") \
    R(PAUSE, "Space", "hold all training, or go on; in replay: play or stop") \
    R(PIN, "p", "grow from pinned networks only; again: unpin") \
    R(WIDEN, "w", "grow the selected network by hand, by several actions; begin with a wider layer") \
    R(DEEPEN, "d", "the same; begin with a new layer") \
    R(PRUNE, "x", "give up the selected network and all that grew from it") \
    R(UNDO, "u", "take back your last step: a prune, pin, note, rate, budget, or a network that is not trained") \
    R(HISTORY, "U", "what persons did; there each step can be taken back") \
    R(NOTE, "e", "write a note on the selected network") \
    R(MORE, "+", "ten networks more in the budget") \
    R(FEWER, "_", "ten networks fewer, but not fewer than are trained") \
    R(RATE, "r", "set the learning rate of networks that start from now on") \
    R(EPOCHS, "R", "set the epochs of networks that start from now on") \
    R(COMMAND, ":", "type a command") \
    R(PALETTE, "C-p", "the palette: find every key, command and network by words") \
    R(FREEZE, "C-s", "freeze the screen; the search goes on") \
    R(REDRAW, "C-l", "draw the screen anew") \
    R(MOUSE, "M", "mouse on or off (off: the terminal selects text)") \
    R(COPY, "c", "copy the selected network's architecture to the clipboard (OSC 52)") \
    R(BELL, "B", "the bell at a new best network and at the end, on or off") \
    R(SAVE_SCREEN, "S", "save the screen as text in the current folder") \
    R(SUSPEND, "C-z", "stop the program; `fg` comes back") \
    R(SLOWER, "<", "replay: half the speed") \
    R(FASTER, ">", "replay: double the speed") \
    R(BACK, "H S-Left", "replay: back by a twentieth") \
    R(ON, "L S-Right", "replay: on by a twentieth") \
    R(STEP_BACK, ",", "replay: one event back") \
    R(STEP, ".", "replay: one event on") \
    R(NEXT_BEST, "]", "replay: to the next new best") \
    R(PREVIOUS_BEST, "[", "replay: to the last new best before") \
    R(NEXT_FAILURE, "}", "replay: to the next failure") \
    R(NEXT_USER, ")", "replay: to the next action of a person") \
    R(FORK, "F", "replay: begin a new search from this moment, or with the selected network")

/* The same for the list of sessions alone.  There these keys come before those of REQUESTS, so they may be the same. */
#define BROWSER_REQUESTS(R) \
    R(SESSION_ATTACH, "a", "sessions: watch and steer the search that a process runs") \
    R(SESSION_RESUME, "r", "sessions: go on with the search") \
    R(SESSION_REPLAY, "p", "sessions: play it from its beginning") \
    R(SESSION_NEW, "n", "sessions: begin a new search") \
    R(SESSION_RENAME, "e", "sessions: give it another name") \
    R(SESSION_WEIGHTS, "w", "sessions: remove all weights but those of the best and the start network") \
    R(SESSION_DELETE, "x Delete", "sessions: remove it, with all that it has")

enum request {
    REQUEST_NONE,
#define REQUEST_ENUM(name, keys, help) REQUEST_##name,
    REQUESTS(REQUEST_ENUM)
    REQUEST_SCREENS, /* the end of those; others follow without a gap, from this number on */
    REQUEST_SCREENS_LAST = REQUEST_SCREENS - 1,
    BROWSER_REQUESTS(REQUEST_ENUM)
#undef REQUEST_ENUM
    REQUEST_COUNT
};

/* A key is a code point, or one of these. */
enum key {
    KEY_CODE_INTERRUPT = 3, /* Ctrl-C */
    KEY_CODE_UP = 0x110000, KEY_CODE_DOWN, KEY_CODE_LEFT, KEY_CODE_RIGHT, KEY_CODE_PAGE_UP, KEY_CODE_PAGE_DOWN,
    KEY_CODE_HOME, KEY_CODE_END, KEY_CODE_ENTER, KEY_CODE_ESCAPE, KEY_CODE_TAB, KEY_CODE_BACK_TAB, KEY_CODE_BACKSPACE,
    KEY_CODE_DELETE, KEY_CODE_SHIFT_LEFT, KEY_CODE_SHIFT_RIGHT, KEY_CODE_F1, KEY_CODE_F10 = KEY_CODE_F1 + 9, KEY_CODE_MOUSE
};

struct request_row {
    const char *name;  /* "NEXT_PANE" */
    const char *keys, *help;
};
const struct request_row *request_row(enum request request);
/* NEXT_PANE as "next-pane", in the caller's buffer. */
enum { REQUEST_NAME = 32 };
const char *request_name(enum request request, char buffer[REQUEST_NAME]);

/* The keys in force: those of the key file (keys.h), else the table's. */
const char *request_keys(enum request request);
/* The first key, for messages and the key bar; "" when there is none. */
const char *request_key(enum request request, char buffer[16]);
/* Set the keys (copied); NULL: the table's. */
void request_set_keys(enum request request, const char *keys);
/* The request that a key means, or REQUEST_NONE; and in the list of sessions. */
enum request request_of_key(int key);
enum request request_of_browser_key(int key);

/* Take the first name off a blank-separated list; false when it is empty. */
bool keys_next(const char **list, char name[16]);
bool keys_hold(const char *list, int key);
/* "C-f" to 6, "PageUp" to KEY_CODE_PAGE_UP; -1 when it names no key.  key_describe() is the reverse. */
int key_parse(const char *name);
const char *key_describe(int key, char buffer[16]);

#endif
