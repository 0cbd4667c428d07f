/*
 * model.h - what the screen is a function of: the session's state and what the person looks at.
 *
 * The model folds the events it is given with session_apply() and never touches the engine.  Views draw it as const
 * and change it only in their `request`.  UI thread only.
 */
#ifndef ESPALIER_TUI_MODEL_H
#define ESPALIER_TUI_MODEL_H

#include "sessions/state.h"
#include "tui/layout.h"
#include "tui/request.h"

enum model_mode { MODE_LIVE, MODE_REPLAY, MODE_ATTACHED };
enum tree_order { ORDER_NUMBER, ORDER_ACCURACY, ORDER_GAIN, ORDER_PARAMETERS, ORDER_COUNT };

enum { HISTORY_SAMPLES = 240, LOG_LINES = 500 };

/* The last samples of one device, oldest first, for its lane. */
struct device_history {
    int count;
    double utilisation[HISTORY_SAMPLES];
};

/* One line of the log pane, made from a durable event when it came. */
struct log_line {
    double time;
    enum style style;
    char word[12]; /* "best", "fail", "policy", "you", "queue" */
    char *text;
};

/* A visible row of the tree. */
struct tree_row {
    int64_t node;
    int depth;
    uint64_t last_at;     /* bit d: the ancestor at depth d is the last child (its rail is blank); depths past 63 share bit 63 */
    bool parent;          /* has children */
    bool folded;          /* … that are hidden */
    bool matches;         /* what is looked for (else it is here for one below it) */
    int64_t hidden;       /* how many networks are hidden below */
};

/* A place on replay's bar. */
struct replay_bar_mark {
    double time;
    enum style style;     /* STYLE_BEST, STYLE_FAILED or STYLE_USER */
};

struct model {
    enum model_mode mode;
    struct session_state *state;
    char *session_name;
    double now;           /* the session's time: of the last event, running on between events when live */
    bool ended;           /* the source has no more */

    enum pane focus;
    bool zoomed, detail, frozen;
    bool comparing;       /* the two marked networks side by side */

    int64_t selected;     /* a node, or 0 */
    bool follow;          /* select a network in training, and when it ends the newest one */
    enum tree_order order;
    char filter[64];      /* "" : all */
    int64_t marked[2];
    bool error_scale;     /* curves: 1 - accuracy, logarithmic */

    size_t fold_capacity;
    bool *folded;         /* by node number */
    struct tree_row *rows; /* visible rows in order; rebuilt by model_build_rows when the tree or its folding changed */
    int row_count;
    bool rows_stale;
    int64_t detail_of;    /* the network whose details were drawn last, and how far they are scrolled */
    int detail_top;
    int tree_top, log_top, network_top, queue_top; /* first visible line of each scrolled pane; log_top 0: the newest */

    struct device_history *histories; /* one a state->devices */
    int history_count;

    struct log_line *log; /* oldest first */
    int log_count;

    char message[200];    /* the answer of the last request, in the key bar's place, until message_until */
    double message_until;

    /* Replay. */
    bool playing;
    double speed;
    double length;        /* time of the last event */
    int64_t event_total;
    double ticked;        /* monotonic time of the clock's last tick; 0: none yet */
    struct replay_bar_mark *marks; /* what is worth a jump, in order of time; the model's */
    int mark_count;
};

void model_init(struct model *model, enum model_mode mode, const char *session_name);
void model_done(struct model *model);
/* Fold one event: state, histories, log, stale marks.  An event that contradicts the state is a log line, no more. */
void model_apply(struct model *model, const struct event *event);
/* Replace the state (a seek in replay); the model owns it.  Keeps the selection where it can; log and histories begin
   anew: give model_recall() the last events before the place, in order, to have them back. */
void model_replace(struct model *model, struct session_state *state);
void model_recall(struct model *model, const struct event *event);

/* tree.c: visible rows from folding, order and filter, when they are stale; and where the selection stands (row, or
   -1). */
void model_build_rows(struct model *model);
int model_row_of(const struct model *model, int64_t node);
void model_select(struct model *model, int64_t node); /* unfolds its ancestors; ends following */
void model_fold(struct model *model, int64_t node, bool folded);
void model_fold_below(struct model *model, int64_t node, bool folded);
bool model_is_folded(const struct model *model, int64_t node);
/* The answer in the key bar's place for some seconds of the session's time, or until the next key. */
void model_say(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A network is named "n12", its edge as action notation on a screen. */
void model_edge(const struct model *model, const struct session_node *node, bool unicode, struct text *text);

#endif
