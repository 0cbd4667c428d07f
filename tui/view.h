/*
 * view.h - a view is the content of a pane: one file and one const struct each; and what screen.c draws around them.
 */
#ifndef ESPALIER_TUI_VIEW_H
#define ESPALIER_TUI_VIEW_H

#include "tui/model.h"

struct view {
    /* Draw the inside of the pane's frame, of any size, even 0. */
    void (*draw)(const struct model *model, struct canvas *canvas, struct area inside);
    /* Text at the right of the frame's top line, or NULL: "by accuracy, 214 networks". */
    void (*title)(const struct model *model, struct text *text);
    /* Called before draw: update the scroll for this size, or NULL. */
    void (*settle)(struct model *model, struct area inside);
    /* True: handled.  `inside` is where the view was drawn last.  NULL: handles none. */
    bool (*request)(struct model *model, enum request request, struct area inside);
    /* A click (wheel 0) or the wheel (-1 up, 1 down) at a place inside.  NULL: ignored. */
    bool (*mouse)(struct model *model, struct area inside, int x, int y, int wheel);
};

extern const struct view view_tree, view_network, view_curves, view_devices, view_controller, view_log, view_trade,
    view_queue, view_progress, view_board;
/* The tree's requests, also for panes that show the selected network. */
bool tree_request(struct model *model, enum request request, struct area inside);
/* The leaderboard's, while it is open in the tree's place. */
bool board_request(struct model *model, enum request request, struct area inside);
/* Set the filter ("": all) and select the first match, unless the selected network matches.  False, with a message: its
   words can't be read (filter.h). */
bool tree_find(struct model *model, const char *what);
/* Indexed by enum pane. */
extern const struct view *const views[PANE_COUNT];

/* Scrolling a list whose line `top` is the first on the screen.  True: the request moved it; scroll_settle() keeps it
   within 0 and `last`. */
bool scroll_request(int *top, enum request request, int height);
void scroll_settle(int *top, int last);

/* bars.c */
void bars_draw_header(const struct model *model, struct canvas *canvas, struct area area);
void bars_draw_replay_bar(const struct model *model, struct canvas *canvas, struct area area);
/* The part of the replay bar between the clocks; may be empty. */
struct area bars_replay_line(const struct model *model, struct area area);
void bars_draw_keys(const struct model *model, struct canvas *canvas, struct area area);
void detail_draw(const struct model *model, struct canvas *canvas, struct area area);
/* As a view's settle. */
void detail_settle(struct model *model, struct area area);
/* As a view's request, on a screen of that height. */
bool detail_request(struct model *model, enum request request, int height);
/* heat_map.c: what the policy proposes, in the controller's pane.  As of a view. */
void heat_map_settle(struct model *model, struct area inside);
bool heat_map_request(struct model *model, enum request request, struct area inside);
void heat_map_draw(const struct model *model, struct canvas *canvas, struct area inside);
void heat_map_title(const struct model *model, struct text *text);
/* The validation accuracies of two networks; view_curves.c. */
void curves_draw_two(const struct model *model, const struct session_node *first, const struct session_node *second,
                     struct canvas *canvas, struct area inside);
/* view_mistakes.c: what the selected network gets wrong, over all panes.  Likewise. */
void mistakes_settle(struct model *model, struct area area);
bool mistakes_request(struct model *model, enum request request, int height);
void mistakes_draw(const struct model *model, struct canvas *canvas, struct area area);
/* compare.c: the two marked networks side by side.  Settle and request as of the details; the request swallows all that
   move something. */
void compare_settle(struct model *model, struct area area);
bool compare_request(struct model *model, enum request request, int height);
void compare_draw(const struct model *model, struct canvas *canvas, struct area area);

/* Draw everything.  Changes in the model only the views' scroll, and the focus when its pane is not on the screen. */
void screen_draw(struct model *model, struct canvas *canvas);
/* Give a pane the focus and close the details.  A pane that is not on the screen is zoomed. */
void screen_focus(struct model *model, enum pane pane, int width, int height);
/* Give a request to the comparison, the details, or the view with the focus.  True: handled. */
bool screen_request(struct model *model, enum request request, int width, int height);
/* A click or the wheel at a place of the screen, as a view's mouse. */
void screen_mouse(struct model *model, int width, int height, int x, int y, int wheel);
/* Where the replay bar is; may be empty. */
struct area screen_replay_bar(const struct model *model, int width, int height);
/* The next (1) or previous (-1) visible pane; any pane when only one is visible at a time. */
enum pane screen_next_pane(const struct model *model, int direction, int width, int height);

#endif
