/*
 * model.h - everything the screen is a function of: the session's state, what the views share, and each view's own
 * state.
 *
 * The model folds the events it is given with session_apply() and never touches the engine.  Views draw it as const
 * and change it only in their `request`, `mouse` and `settle`.  UI thread only.
 */
#ifndef ESPALIER_TUI_MODEL_H
#define ESPALIER_TUI_MODEL_H

#include "sessions/policy_map.h"
#include "tui/layout.h"
#include "tui/mistakes.h"
#include "tui/request.h"

enum model_mode { MODE_LIVE, MODE_REPLAY, MODE_ATTACHED };
enum tree_order { ORDER_NUMBER, ORDER_ACCURACY, ORDER_GAIN, ORDER_PARAMETERS, ORDER_COUNT };

enum { HISTORY_SAMPLES = 240, LOG_LINES = 500, SENT_MAX = 32, PROMPT_MAX = 200 };

/* --- the state of one view each; the file that is named owns it --- */

/* A row of the tree. */
struct tree_row {
    int64_t node;
    int depth;        /* of an only child its parent's */
    bool only_child;
    uint64_t last_at; /* bit d: the ancestor at depth d is the last child; depths past 63 share bit 63 */
    bool parent;      /* has children */
    bool folded;      /* its children are hidden */
    bool matches;     /* the filter; otherwise a network below it does */
    int64_t hidden;   /* how many networks are hidden below */
};

/* tree.c */
struct tree_view {
    enum tree_order order;
    char filter[PROMPT_MAX]; /* "" : all; words of filter.h */
    size_t fold_capacity;
    bool *folded;          /* by node number */
    struct tree_row *rows; /* in order; tree_build() makes them anew when they are stale */
    int row_count, top;    /* `top`: the first row on the screen */
    bool stale;
    /* Which networks the filter lets through, for the other lists too: tree_matches(). */
    bool *matches; /* by node number */
    bool matches_stale;
    char matched[PROMPT_MAX]; /* the filter that they are of */
    unsigned matches_version; /* grows when they are found anew; never 0 then */
};

/* The columns of the leaderboard. */
enum board_column {
    BOARD_ACCURACY, BOARD_GAIN, BOARD_PARAMETERS, BOARD_FLOPS, BOARD_LOSS, BOARD_SPEED, BOARD_SECONDS, BOARD_NUMBER,
    BOARD_COLUMNS
};

struct board_row {
    int64_t node;
    double key; /* its value in the sorted column, in ascending order; infinite: it has none */
};

/* view_board.c */
struct board_view {
    bool open; /* in the tree's place */
    enum board_column column;
    bool ascending;
    struct board_row *all;  /* networks in order; board_build() updates them when they are stale */
    struct board_row *rows; /* those of them that the filter lets through: of matches_version `filtered` */
    int all_count, count, top;
    unsigned filtered;
    bool stale;
};

/* What accuracy is set against. */
enum trade_axis { TRADE_PARAMETERS, TRADE_FLOPS, TRADE_SPEED, TRADE_SECONDS, TRADE_AXES };

struct trade_point {
    int64_t node;
    double size; /* log10 of its value on the axis */
    double accuracy;
    bool front;  /* no other network is both better and smaller (or faster) */
    bool control;
};

/* view_trade.c */
struct trade_view {
    enum trade_axis axis;
    struct trade_point *all;    /* the trained networks, by size; made anew when stale */
    struct trade_point *points; /* those of them that the filter lets through: of matches_version `filtered` */
    int all_count, count;
    unsigned filtered;
    double lowest, highest, sum, squares; /* of their accuracies */
    bool stale;
};

/* What a search's progress is set against. */
enum progress_axis { PROGRESS_NETWORKS, PROGRESS_FLOPS, PROGRESS_TIME, PROGRESS_EPISODES, PROGRESS_AXES };

struct progress_point {
    int64_t node;
    double ended, place; /* event time; its place on the axis */
    double accuracy, best, mean; /* `best` so far, `mean` of the last ones */
};

/* view_progress.c */
struct progress_view {
    enum progress_axis axis;
    struct progress_point *points; /* the trained networks, as they ended; made anew when stale */
    int count;
    double lowest, highest, sum, squares; /* of their accuracies */
    bool stale;
};

/* Rows of the heat map: the commonest first, by action and layer, the largest gain first. */
enum heat_order { HEAT_BY_COUNT, HEAT_BY_LAYER, HEAT_BY_GAIN, HEAT_ORDERS };

/* heat_map.c */
struct heat_view {
    bool open; /* in the controller's pane, in place of its decisions */
    enum heat_order order;
    int top, lines; /* the first row on the screen, and how many have room there */
    struct policy_map map; /* updated when stale; made anew when the state is another one */
    int rows[POLICY_CHOICES_MAX]; /* choices of the map, in order */
    bool stale;
};

/* A line of the log pane, made when the event came. */
struct log_line {
    double time;
    enum style style;
    const char *word; /* static */
    char *text;
};

/* view_log.c */
struct log_view {
    struct log_line lines[LOG_LINES]; /* oldest first */
    int count, below;                 /* `below`: newer lines than the lowest on the screen */
};

/* The last samples of one device, oldest first. */
struct device_history {
    int count;
    double utilisation[HISTORY_SAMPLES];
};

/* view_devices.c */
struct devices_view {
    struct device_history *histories; /* by index of state->devices */
    int count;
    int row, top;               /* of hosts: the selected row, and the first on the screen */
    struct event_texts toggled; /* hosts that a person has folded or unfolded (device_rows.h) */
};

/* detail.c */
struct detail_view {
    bool open;
    int64_t node; /* drawn last; another one is shown from its first line */
    int top;
};

/* view_mistakes.c */
enum mistakes_page { MISTAKES_CLASSES, MISTAKES_WORST, MISTAKES_SAMPLES, MISTAKES_PAGES };
struct mistakes_view {
    bool open;
    enum mistakes_page page;
    int top;                      /* the first line of classes, or row of pictures, on the screen */
    const struct mistakes *found; /* of the selected network, asked for before each frame; borrowed; NULL: none */
};

/* A mark on the replay bar. */
struct replay_bar_mark {
    double time;
    enum style style; /* STYLE_BEST, STYLE_FAILED or STYLE_USER */
};

/* replay_bar.c */
struct replay_bar {
    bool playing;
    double speed;
    double length; /* time of the last event */
    int64_t event_total;
    double ticked; /* monotonic time of the clock's last tick; 0: none yet */
    struct replay_bar_mark *marks; /* in order of time */
    int mark_count;
};

/* --- what views share --- */

struct model {
    enum model_mode mode;
    struct session_state *state;
    char *session_name;
    double now; /* the session's time: of the last event, running on between events when live */
    bool ended; /* the source has no more events */

    enum pane focus;
    bool zoomed, frozen;
    int64_t selected; /* a node, or 0 */
    bool follow;      /* select a network in training, and when it ends the newest one */
    double followed;  /* session time at which following moved the selection; negative: not yet */
    int64_t marked[2];
    bool comparing; /* the two marked networks side by side */

    char message[600]; /* the answer to the last request, in the key bar's place, until message_until */
    double message_until;

    char *sent[SENT_MAX]; /* commands of this terminal that are not answered yet, the oldest first */
    int sent_count;
    int64_t *own;   /* numbers of the commands that were asked at this terminal */
    size_t own_count, own_capacity;
    bool others;    /* the last command was not this terminal's, and so is what came of it */
    bool caught_up; /* the events that were there when the screens opened are folded; set by app.c */
    bool opening;   /* the newest process of the search has not begun to train yet */

    struct tree_view tree;
    struct board_view board;
    struct trade_view trade;
    struct progress_view progress;
    struct heat_view heat;
    struct log_view log;
    struct devices_view devices;
    struct detail_view detail;
    struct mistakes_view mistakes;
    struct replay_bar replay;
    struct { bool error_scale; } curves; /* view_curves.c: 1 - accuracy, logarithmic */
    struct { int top; } compare;         /* compare.c */
    struct { int top; } queue;           /* view_queue.c */
};

void model_init(struct model *model, enum model_mode mode, const char *session_name);
void model_done(struct model *model);
/* Networks have changed: lists and plots are made anew before they are drawn. */
void model_networks_changed(struct model *model);
/* Fold one event.  One that contradicts the state only adds a log line. */
void model_apply(struct model *model, const struct event *event);
/* This terminal has asked for a command: its answer is then told from those to other terminals. */
void model_sent(struct model *model, const char *words);
/* Was the COMMAND event of that number asked at this terminal? */
bool model_asked(const struct model *model, int64_t command);
/* No event will come any more.  Without a FINISHED event the process that ran the search has died: then what was in
   training is in the queue, where a resume takes it from. */
void model_end(struct model *model);
bool model_has_died(const struct model *model);
/* A person acts on the selected network: following ends.  False, with a message: following has moved the selection since
   the person can have looked, so that another network may be meant. */
bool model_may_act(struct model *model);
/* Replace the state, for a seek in a replay; the model owns it.  Keeps the selection if the network exists.  Log and
   histories are cleared: model_recall() of the last events before that position, in order, fills them again. */
void model_replace(struct model *model, struct session_state *state);
void model_recall(struct model *model, const struct event *event);

/* tree.c */
const bool *tree_matches(struct model *model); /* by node number; found anew when networks or the filter have changed */
void tree_build(struct model *model); /* make the rows anew if they are stale */
int tree_row_of(const struct model *model, int64_t node); /* or -1 */
void tree_select(struct model *model, int64_t node);      /* unfolds its ancestors; ends following */
void tree_fold(struct model *model, int64_t node, bool folded);
void tree_fold_below(struct model *model, int64_t node, bool folded);
bool tree_is_folded(const struct model *model, int64_t node);
void tree_done(struct tree_view *tree);

/* view_board.c */
void board_build(struct model *model); /* make the rows anew if it is open and they are stale */
void board_toggle(struct model *model);
bool board_select_first(struct model *model); /* false: it has no row */
void board_done(struct board_view *board);

/* view_trade.c, view_progress.c */
void trade_done(struct trade_view *trade);
void progress_view_done(struct progress_view *progress);

/* view_log.c; event_line.h says which events have a line. */
void log_add(struct log_view *log, const struct session_state *state, const struct event *event);
void log_add_text(struct log_view *log, double time, enum style style, const char *word, const char *text);
void log_clear(struct log_view *log);

/* view_devices.c: a history for each device of the state. */
void devices_keep(struct devices_view *devices, const struct session_state *state);
void devices_add(struct devices_view *devices, const struct session_state *state, const struct event_sample *sample);
/* It has no history yet: its place may have been another's. */
void devices_join(struct devices_view *devices, const struct session_state *state, const struct event_joined *joined);
void devices_clear(struct devices_view *devices);
void devices_done(struct devices_view *devices);

/* Show a message in the key bar's place for some seconds of the session's time, or until the next key. */
void model_say(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
