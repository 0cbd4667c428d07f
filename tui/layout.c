/*
 * layout.c - three arrangements (small, medium, large) and two for screens too small to share.
 *
 * The area is divided from the outside in. Each cut takes a part of what is left, so nothing overlaps and nothing
 * leaves the screen, whatever its size. The rest begins on the frame of the pane that was cut off, so neighbours share
 * one line.
 */
#include "tui/layout.h"

static int least(int a, int b)
{
    return a < b ? a : b;
}

static struct area cut_top(struct area *rest, int height)
{
    height = least(height, rest->height);
    struct area cut = {rest->x, rest->y, rest->width, height};
    rest->y += height;
    rest->height -= height;
    return cut;
}

static struct area cut_bottom(struct area *rest, int height)
{
    height = least(height, rest->height);
    rest->height -= height;
    return (struct area){rest->x, rest->y + rest->height, rest->width, height};
}

static struct area cut_left(struct area *rest, int width)
{
    width = least(width, rest->width);
    struct area cut = {rest->x, rest->y, width, rest->height};
    rest->x += width;
    rest->width -= width;
    return cut;
}

static struct area share_bottom(struct area *rest, int height)
{
    struct area shared = cut_bottom(rest, height);
    rest->height += shared.height > 0;
    return shared;
}

static struct area share_top(struct area *rest, int height)
{
    struct area shared = cut_top(rest, height);
    rest->y -= shared.height > 0;
    rest->height += shared.height > 0;
    return shared;
}

static struct area share_left(struct area *rest, int width)
{
    struct area shared = cut_left(rest, width);
    rest->x -= shared.width > 0;
    rest->width += shared.width > 0;
    return shared;
}

/* Width of the left one of two panes of equal width that share a line. */
static int half(int width)
{
    return (width + 1) / 2;
}

/* 80×24: two columns; devices (two in a line) and log below. */
static void arrange_small(struct area rest, int devices, struct area *panes)
{
    panes[PANE_LOG] = share_bottom(&rest, rest.height >= 26 ? 6 : 4);
    panes[PANE_DEVICES] = share_bottom(&rest, 2 + least(devices < 2 ? 1 : (devices + 1) / 2, rest.height / 5));
    panes[PANE_TREE] = share_left(&rest, half(rest.width));
    panes[PANE_NETWORK] = share_top(&rest, 6);
    panes[PANE_CURVES] = rest;
}

/* 120×40: the controller beside the devices. */
static void arrange_comfortable(struct area rest, int devices, struct area *panes)
{
    panes[PANE_LOG] = share_bottom(&rest, 7);
    struct area row = share_bottom(&rest, 2 + (devices < 6 ? 6 : least(devices, rest.height / 3)));
    panes[PANE_DEVICES] = share_left(&row, half(row.width));
    panes[PANE_CONTROLLER] = row;
    panes[PANE_TREE] = share_left(&rest, half(rest.width));
    panes[PANE_NETWORK] = share_top(&rest, 9);
    panes[PANE_CURVES] = rest;
}

/* 200×60: all panes. */
static void arrange_large(struct area rest, int devices, struct area *panes)
{
    struct area left = share_left(&rest, rest.width * 2 / 5);
    panes[PANE_LOG] = share_bottom(&left, 13);
    panes[PANE_TREE] = left;
    panes[PANE_DEVICES] = share_bottom(&rest, 2 + least(devices < 4 ? 4 : devices, 11));
    struct area middle = share_left(&rest, half(rest.width));
    panes[PANE_NETWORK] = share_top(&middle, 12);
    panes[PANE_PROGRESS] = share_bottom(&middle, middle.height / 2);
    panes[PANE_CURVES] = middle;
    panes[PANE_CONTROLLER] = share_top(&rest, rest.height * 2 / 5);
    panes[PANE_TRADE] = share_top(&rest, half(rest.height));
    panes[PANE_QUEUE] = rest;
}

void layout_compute(int width, int height, int devices, enum pane focus, bool zoomed, bool replay, struct layout *layout)
{
    struct area rest = {0, 0, width, height};
    *layout = (struct layout){0};
    if (width < 30 || height < 8) {
        layout->keys = cut_bottom(&rest, 1);
        return;
    }
    layout->header = cut_top(&rest, height < 12 ? 1 : 2);
    if (replay)
        layout->replay_bar = cut_top(&rest, 1);
    layout->keys = cut_bottom(&rest, 1);
    if (zoomed || width < 80 || height < 24)
        layout->panes[focus] = rest;
    else if (width >= 160 && height >= 50)
        arrange_large(rest, devices, layout->panes);
    else if (width >= 110 && height >= 34)
        arrange_comfortable(rest, devices, layout->panes);
    else
        arrange_small(rest, devices, layout->panes);
}
