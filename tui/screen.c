/*
 * screen.c - draws the whole screen: layout, frames, views and bars; routes requests and the mouse to views.
 *
 * Details and the comparison cover all panes. Drawing changes only two things in the model: each view's scroll is
 * updated for its size, and the focus moves to the tree when its pane is not on the screen.
 */
#include <stdio.h>
#include <string.h>

#include "tui/device_rows.h"
#include "tui/view.h"

const struct view *const views[PANE_COUNT] = {
    [PANE_TREE] = &view_tree,       [PANE_NETWORK] = &view_network,       [PANE_CURVES] = &view_curves,
    [PANE_DEVICES] = &view_devices, [PANE_CONTROLLER] = &view_controller, [PANE_LOG] = &view_log,
    [PANE_TRADE] = &view_trade,     [PANE_QUEUE] = &view_queue,           [PANE_PROGRESS] = &view_progress,
};

/* --- scrolling --- */

bool scroll_request(int *top, enum request request, int height)
{
    enum { END = 1 << 20 }; /* scroll_settle() cuts it */
    int page = height > 2 ? height - 1 : 1;
    switch (request) {
    case REQUEST_UP:
        *top -= 1;
        return true;
    case REQUEST_DOWN:
        *top += 1;
        return true;
    case REQUEST_PAGE_UP:
        *top -= page;
        return true;
    case REQUEST_PAGE_DOWN:
        *top += page;
        return true;
    case REQUEST_FIRST:
        *top = 0;
        return true;
    case REQUEST_LAST:
        *top = END;
        return true;
    default:
        return false;
    }
}

void scroll_settle(int *top, int last)
{
    *top = *top > last ? last : *top;
    *top = *top < 0 ? 0 : *top;
}

/* --- panes --- */

static const struct {
    char key;
    const char *title;
} panes[PANE_COUNT] = {
#define SCREEN_PANE(name, key, title) [PANE_##name] = {key, title},
    LAYOUT_PANES(SCREEN_PANE)
#undef SCREEN_PANE
};

/* The leaderboard takes the tree's place. */
static const struct view *view_of(const struct model *model, enum pane pane)
{
    return pane == PANE_TREE && model->board.open ? &view_board : views[pane];
}

static const char *title_of(const struct model *model, enum pane pane)
{
    return pane == PANE_TREE && model->board.open ? "Leaderboard" : panes[pane].title;
}

/* Cut the text at its last comma. False: there is none. */
static bool shorten(struct text *text)
{
    char *comma = text->bytes ? strrchr(text->bytes, ',') : NULL;
    if (!comma)
        return false;
    *comma = '\0';
    text->length = (size_t)(comma - text->bytes);
    return true;
}

/* "by accuracy, 214 networks" at the right of the frame's top line; parts that don't fit are cut off. */
static void draw_title(const struct model *model, const struct view *view, struct canvas *canvas, struct area area,
                       int from)
{
    struct text text = TEXT_EMPTY;
    int x;
    if (view->title)
        view->title(model, &text);
    do
        x = area.width - 3 - canvas_columns(text_string(&text)); /* the text, a blank on each side, the corner */
    while (x < from && shorten(&text));
    if (text.length && x >= from)
        canvas_text(canvas, area_part(area, x, 0, area.width - 1 - x, 1), 0, 0, STYLE_DIM, " %s ", text_string(&text));
    text_done(&text);
}

/* The area inside a pane's frame. */
static struct area inside_of(struct area pane)
{
    bool framed = pane.width >= 2 && pane.height >= 2;
    return framed ? (struct area){pane.x + 1, pane.y + 1, pane.width - 2, pane.height - 2} : (struct area){0};
}

static void draw_pane(struct model *model, struct canvas *canvas, struct area area, enum pane pane)
{
    if (area.width < 2 || area.height < 2)
        return;
    struct area inside = inside_of(area);
    int end = canvas_text(canvas, area_part(area, 1, 0, inside.width, 1), 0, 0,
                          pane == model->focus ? STYLE_FOCUS : STYLE_TITLE, "%c %s ", panes[pane].key, title_of(model, pane));
    const struct view *view = view_of(model, pane);
    if (view->settle)
        view->settle(model, inside);
    draw_title(model, view, canvas, area, 1 + end);
    view->draw(model, canvas, inside);
}

/* The smallest area that holds all panes. */
static struct area middle_of(const struct layout *layout)
{
    struct area middle = {0};
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        struct area area = layout->panes[pane];
        if (!area.width || !area.height)
            continue;
        if (!middle.width)
            middle = area;
        int right = middle.x + middle.width, bottom = middle.y + middle.height;
        right = area.x + area.width > right ? area.x + area.width : right;
        bottom = area.y + area.height > bottom ? area.y + area.height : bottom;
        middle.x = area.x < middle.x ? area.x : middle.x;
        middle.y = area.y < middle.y ? area.y : middle.y;
        middle.width = right - middle.x;
        middle.height = bottom - middle.y;
    }
    return middle;
}

/* Frames first, since neighbours share lines; the frame with the focus last, so that all of its lines have its style.
   */
static void draw_panes(struct model *model, struct canvas *canvas, const struct layout *layout)
{
    for (int pane = 0; pane < PANE_COUNT; pane++)
        canvas_box(canvas, layout->panes[pane], NULL, STYLE_BORDER);
    canvas_box(canvas, layout->panes[model->focus], NULL, STYLE_FOCUS);
    for (int pane = 0; pane < PANE_COUNT; pane++)
        draw_pane(model, canvas, layout->panes[pane], (enum pane)pane);
}

static void draw_detail(struct model *model, struct canvas *canvas, struct area area)
{
    detail_settle(model, area);
    detail_draw(model, canvas, area);
}

static void draw_comparison(struct model *model, struct canvas *canvas, struct area area)
{
    compare_settle(model, area);
    compare_draw(model, canvas, area);
}

static void draw_mistakes(struct model *model, struct canvas *canvas, struct area area)
{
    mistakes_settle(model, area);
    mistakes_draw(model, canvas, area);
}

/* --- requests and the mouse --- */

static void compute_layout(const struct model *model, int width, int height, struct layout *layout)
{
    struct device_rows rows = device_rows_new(model);
    layout_compute(width, height, rows.count, model->focus, model->zoomed, model->mode == MODE_REPLAY, layout);
    device_rows_done(&rows);
}

void screen_focus(struct model *model, enum pane pane, int width, int height)
{
    struct layout layout;
    model->focus = pane;
    model->detail.open = model->comparing = model->mistakes.open = false;
    compute_layout(model, width, height, &layout);
    if (layout.header.width && !layout.panes[pane].width)
        model->zoomed = true;
}

enum pane screen_next_pane(const struct model *model, int direction, int width, int height)
{
    struct layout layout;
    int seen = 0, pane = model->focus;
    compute_layout(model, width, height, &layout);
    for (int i = 0; i < PANE_COUNT; i++)
        seen += layout.panes[i].width > 0;
    do
        pane = (pane + direction + PANE_COUNT) % PANE_COUNT;
    while (seen > 1 && !layout.panes[pane].width);
    return (enum pane)pane;
}

struct area screen_replay_bar(const struct model *model, int width, int height)
{
    struct layout layout;
    compute_layout(model, width, height, &layout);
    return layout.replay_bar;
}

bool screen_request(struct model *model, enum request request, int width, int height)
{
    struct layout layout;
    const struct view *view = view_of(model, model->focus);
    compute_layout(model, width, height, &layout);
    if (model->comparing)
        return compare_request(model, request, height);
    if (model->mistakes.open || request == REQUEST_MISTAKES)
        return mistakes_request(model, request, height);
    if (model->detail.open)
        return detail_request(model, request, height);
    return view->request && view->request(model, request, inside_of(layout.panes[model->focus]));
}

/* The wheel scrolls what is over the panes; clicks don't reach the panes behind them. */
static void mouse_over_panes(struct model *model, int width, int height, int wheel)
{
    bool pictures = model->mistakes.open && !model->comparing && model->mistakes.page != MISTAKES_CLASSES;
    int lines = pictures ? 1 : 3; /* rows of pictures are high */
    for (int i = 0; i < lines && wheel; i++)
        screen_request(model, wheel < 0 ? REQUEST_UP : REQUEST_DOWN, width, height);
}

void screen_mouse(struct model *model, int width, int height, int x, int y, int wheel)
{
    struct layout layout;
    if (model->detail.open || model->comparing || model->mistakes.open) {
        mouse_over_panes(model, width, height, wheel);
        return;
    }
    compute_layout(model, width, height, &layout);
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        struct area inside = inside_of(layout.panes[pane]);
        if (x < inside.x || y < inside.y || x >= inside.x + inside.width || y >= inside.y + inside.height)
            continue;
        model->focus = (enum pane)pane;
        if (view_of(model, (enum pane)pane)->mouse)
            view_of(model, (enum pane)pane)->mouse(model, inside, x - inside.x, y - inside.y, wheel);
        return;
    }
}

/* --- the whole --- */

void screen_draw(struct model *model, struct canvas *canvas)
{
    struct layout layout;
    if (model->board.open)
        board_build(model); /* what is not on the screen stays stale */
    else
        tree_build(model);
    compute_layout(model, canvas->width, canvas->height, &layout);
    if (layout.panes[PANE_TREE].width && !layout.panes[model->focus].width)
        model->focus = PANE_TREE; /* its pane is not on the screen any more */
    if (!layout.header.width) {   /* only the status line */
        bars_draw_header(model, canvas, layout.keys);
        return;
    }
    bars_draw_header(model, canvas, layout.header);
    if (layout.replay_bar.width)
        bars_draw_replay_bar(model, canvas, layout.replay_bar);
    if (model->comparing)
        draw_comparison(model, canvas, middle_of(&layout));
    else if (model->mistakes.open)
        draw_mistakes(model, canvas, middle_of(&layout));
    else if (model->detail.open)
        draw_detail(model, canvas, middle_of(&layout));
    else
        draw_panes(model, canvas, &layout);
    bars_draw_keys(model, canvas, layout.keys);
}
