/*
 * view.h - one pane: how it is drawn, and which requests it answers.  One file a view, one const row each.
 */
#ifndef ESPALIER_TUI_VIEW_H
#define ESPALIER_TUI_VIEW_H

#include "tui/model.h"

struct view {
    /* Draw the inside of the pane's frame.  A function of const state; any area, even an empty one. */
    void (*draw)(const struct model *model, struct canvas *canvas, struct area inside);
    /* What stands behind the title in the frame's top line, or NULL: "by accuracy, 214 nets". */
    void (*title)(const struct model *model, struct text *text);
    /* Before drawing: what scrolls follows its selection, for this size.  NULL: nothing does. */
    void (*settle)(struct model *model, struct area inside);
    /* True: answered.  `inside` is where it was drawn last, for pages and scrolling.  NULL: answers none. */
    bool (*request)(struct model *model, enum request request, struct area inside);
    /* A click or the wheel at a place inside (wheel -1, +1; 0: click).  NULL: none. */
    bool (*mouse)(struct model *model, struct area inside, int x, int y, int wheel);
};

extern const struct view view_tree, view_network, view_curves, view_devices, view_controller, view_log, view_trade,
    view_queue;
/* What the tree answers, also for panes that show what is selected there. */
bool tree_request(struct model *model, enum request request, struct area inside);
/* Show only what matches ("": all), and select the first that does, unless the selected one does. */
void tree_find(struct model *model, const char *what);
/* By enum pane. */
extern const struct view *const views[PANE_COUNT];

/* Scrolling a list whose line `top` is the first on the screen.  True: the request moved it; scroll_settle() keeps it
   within 0 and `last`. */
bool scroll_request(int *top, enum request request, int height);
void scroll_settle(int *top, int last);

/* Header, replay bar and key bar are drawn by bars.c; details over the middle by detail.c. */
void bars_draw_header(const struct model *model, struct canvas *canvas, struct area area);
void bars_draw_transport(const struct model *model, struct canvas *canvas, struct area area);
/* The part of replay's bar that stands for the session's time; maybe empty. */
struct area bars_transport_line(const struct model *model, struct area area);
void bars_draw_keys(const struct model *model, struct canvas *canvas, struct area area);
void detail_draw(const struct model *model, struct canvas *canvas, struct area area);
/* Before it is drawn there: where it is scrolled to. */
void detail_settle(struct model *model, struct area area);
/* True: answered, on a screen of that height. */
bool detail_request(struct model *model, enum request request, int height);
/* The two marked networks side by side: nothing moves there, so that it answers what would move something behind it. */
bool compare_request(enum request request);
void compare_draw(const struct model *model, struct canvas *canvas, struct area area);

/* Everything: layout, frames, views, bars.  Pure but for the canvas; what scrolls settles, and the focus goes to the
   tree when its pane has no room beside the others. */
void screen_draw(struct model *model, struct canvas *canvas);
/* The keys go to a pane, and details are closed: one that has no room beside the others gets the whole middle. */
void screen_focus(struct model *model, enum pane pane, int width, int height);
/* A request to what has the middle of the screen: details, or the pane with the focus.  True: answered. */
bool screen_request(struct model *model, enum request request, int width, int height);
/* A click (wheel 0) or the wheel at a place of the screen. */
void screen_mouse(struct model *model, int width, int height, int x, int y, int wheel);
/* Where replay's bar is; maybe empty. */
struct area screen_transport(const struct model *model, int width, int height);
/* The pane behind (1) or before (-1) the one with the focus, of those that are seen; of all where one is seen at a
   time. */
enum pane screen_next_pane(const struct model *model, int direction, int width, int height);

#endif
