/*
 * layout.h - where each pane is, as a pure function of the screen's size.
 *
 * Any size from 1×1 up.  Panes lie inside the screen and overlap only by the line of their frames that neighbours
 * share. 80×24 has header, tree, network, curves, devices, log and keys; 120×40 adds the controller; 200×60 adds
 * progress, accuracy and size, and the queue.  Below 80×24 one pane is shown between header and keys; below 30×8 one status line
 * is all.
 */
#ifndef ESPALIER_TUI_LAYOUT_H
#define ESPALIER_TUI_LAYOUT_H

#include <stdbool.h>

#include "tui/canvas.h"

/* name, number key, title */
#define LAYOUT_PANES(P) \
    P(TREE, '1', "Tree") P(NETWORK, '2', "Network") P(CURVES, '3', "Curves") P(DEVICES, '4', "Devices") \
    P(CONTROLLER, '5', "Controller") P(LOG, '6', "Log") P(TRADE, '7', "Accuracy and size") P(QUEUE, '8', "Queue") \
    P(PROGRESS, '9', "Progress")

enum pane {
#define LAYOUT_PANE_ENUM(name, key, title) PANE_##name,
    LAYOUT_PANES(LAYOUT_PANE_ENUM)
#undef LAYOUT_PANE_ENUM
    PANE_COUNT
};

struct layout {
    struct area header;           /* 2 lines, 1 when the screen is low; width 0: hidden */
    struct area replay_bar;        /* 1 line; width 0: hidden */
    struct area panes[PANE_COUNT]; /* with their frames; width 0: hidden */
    struct area keys;             /* 1 line; the status line on the smallest screens */
};

/* `focus`: the pane that is shown when only one fits.  `zoomed`: that pane takes the place of all panes.  `devices`:
   how many devices there are; their pane grows with them up to a share of the screen. */
void layout_compute(int width, int height, int devices, enum pane focus, bool zoomed, bool replay, struct layout *layout);

#endif
