/*
 * browser.h - the list of sessions: rows, what is marked and selected, its dialogs, and how they are drawn.
 *
 * It reads no file and starts nothing.  Who owns it gives it summaries as they are read (browser_update), keys, and a
 * canvas, and does what browser_key() answers.  Drawing changes only the scroll.  UI thread only.
 */
#ifndef ESPALIER_TUI_BROWSER_H
#define ESPALIER_TUI_BROWSER_H

#include "sessions/summary.h"
#include "tui/canvas.h"
#include "tui/line.h"
#include "tui/request.h"

struct browser_row {
    struct session_summary summary;
    bool marked;
};

/* name, word, heading, width (0: what is left), are the smallest first? */
#define BROWSER_COLUMNS(C) \
    C(NAME, "name", "session", 0, true) C(STATE, "state", "state", 10, true) C(BEST, "accuracy", "best", 5, false) \
    C(PARAMETERS, "parameters", "params", 6, true) C(NETWORKS, "networks", "nets", 5, false) \
    C(CURVE, "curve", "curve", 8, false) C(DATA, "data", "data", 13, true) C(WRITTEN, "age", "age", 6, true) \
    C(DISK, "disk use", "disk", 9, false) C(SECONDS, "time of search", "time", 6, false) \
    C(POLICY, "policy", "policy", 12, true) C(WHERE, "place", "runs on", 20, true)

enum browser_column {
#define BROWSER_COLUMN(name, word, heading, width, ascending) BROWSER_##name,
    BROWSER_COLUMNS(BROWSER_COLUMN)
#undef BROWSER_COLUMN
    BROWSER_COLUMN_COUNT
};

/* A value of a form; the texts are those of an option of the command line. */
struct browser_field {
    const char *name, *help, *fallback;
};
enum { BROWSER_FIELDS = 12 };

/* What the owner has to do. */
enum browser_answer {
    BROWSER_STAY,          /* nothing */
    BROWSER_QUIT,
    BROWSER_OPEN, BROWSER_ATTACH, BROWSER_REPLAY,   /* show the selected session */
    BROWSER_RESUME,        /* open the form for it: browser_open_form() */
    BROWSER_NEW,
    BROWSER_COMPARE,       /* show a comparison of the marked sessions: browser_open_page() */
    BROWSER_RENAME,        /* the selected one, to browser->line */
    BROWSER_ASK_DELETE, BROWSER_ASK_WEIGHTS,        /* say what is lost: browser_ask() */
    BROWSER_DELETE, BROWSER_WEIGHTS,                /* the person has said yes */
    BROWSER_START,         /* what the form says; browser->form.purpose is BROWSER_NEW or BROWSER_RESUME */
    BROWSER_MOUSE, BROWSER_SAVE_SCREEN
};

struct browser_form {
    enum browser_answer purpose;
    const struct browser_field *fields;
    struct line values[BROWSER_FIELDS]; /* empty: the default */
    int count, at;
    unsigned version;    /* grows with each change */
    struct text preview; /* lines; "" before the first */
    bool previews, stale;  /* a preview is shown beneath; it is of older values */
};

enum browser_dialog {
    BROWSER_LIST, BROWSER_FILTER, BROWSER_NAME_LINE, BROWSER_QUESTION, BROWSER_FORM, BROWSER_PAGE, BROWSER_HELP
};

struct browser {
    struct browser_row **rows; /* in the order in which they came */
    size_t count, capacity;
    struct browser_row **shown; /* those that the filter lets through, sorted */
    size_t shown_count;
    struct browser_row *selected; /* NULL: none is shown */
    bool stale;                 /* `shown` must be made anew */
    int top;
    enum browser_column column;
    bool descending;
    char filter[LINE_MAX];
    bool reading;               /* rows may still come */
    time_t now;
    char message[512];          /* until the next key */

    enum browser_dialog dialog;
    struct line line;           /* of the filter, or of the new name */
    char before[LINE_MAX];      /* the filter before it was edited */
    char title[LINE_MAX];       /* of question, page and form */
    struct text text;           /* lines of question and page */
    enum browser_answer asked;  /* what `y` answers */
    int page_top, page_left, page_height;
    struct browser_form form;
};

void browser_init(struct browser *browser);
void browser_done(struct browser *browser);

/* The summary, which becomes the browser's, takes the place of the one of that folder.  The selected session stays selected. */
void browser_update(struct browser *browser, struct session_summary *summary);
/* The session in `folder` is gone. */
void browser_remove(struct browser *browser, const char *folder);
/* The session in `folder` now is `renamed`, which becomes the browser's. */
void browser_rename(struct browser *browser, const char *folder, char *renamed);
/* The session in `folder` gets selected; nothing when it isn't there. */
void browser_select(struct browser *browser, const char *folder);
void browser_say(struct browser *browser, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The marked sessions, in the order that is shown; how many.  `rows` has room for `most`. */
size_t browser_marked(struct browser *browser, const struct browser_row **rows, size_t most);

/* A question that `y` answers with `yes` (enum browser_answer), about the selected session. */
void browser_ask(struct browser *browser, enum browser_answer yes, const char *title, const char *lines);
/* Lines to scroll.  Also with an open page: its text is replaced. */
void browser_open_page(struct browser *browser, const char *title, const char *lines);
void browser_open_form(struct browser *browser, enum browser_answer purpose, const char *title,
                       const struct browser_field *fields, int count, bool previews);
void browser_set_preview(struct browser *browser, const char *lines);

enum browser_answer browser_key(struct browser *browser, int key);
/* A click (wheel 0) or the wheel (-1 up, 1 down) at a place of a screen of that size. */
enum browser_answer browser_mouse(struct browser *browser, int width, int height, int x, int y, int wheel);
bool browser_takes_text(const struct browser *browser); /* it takes pasted text */
void browser_draw(struct browser *browser, struct canvas *canvas);

/* --- private to browser*.c --- */

/* Make `shown` anew where that is due. */
void browser_settle(struct browser *browser);
const char *browser_column_word(enum browser_column column);
/* Text of a cell, in `buffer`; "" when unknown. */
enum { BROWSER_CELL = 400 };
const char *browser_cell(const struct browser *browser, const struct browser_row *row, enum browser_column column,
                         char buffer[BROWSER_CELL]);
/* Order by a column; again by the same one: the other way round. */
void browser_sort(struct browser *browser, enum browser_column column);
/* The column whose heading is at this place of a screen of that size, or BROWSER_COLUMN_COUNT; the rows' area. */
enum browser_column browser_heading_at(const struct browser *browser, int width, int height, int x, int y);
struct area browser_rows_area(int width, int height);
void browser_draw_dialog(struct browser *browser, struct canvas *canvas);
enum browser_answer browser_dialog_key(struct browser *browser, int key);

#endif
