/*
 * view_queue.c - the networks in training and those that wait, in the order in which they will start: the person's
 * first, then by number.
 */
#include <math.h>
#include <stdio.h>

#include "tui/node.h"
#include "tui/view.h"

/* Estimate for a network that waits: the mean of the last trained ones, which are of similar size. */
static double mean_seconds(const struct session_state *state)
{
    double sum = 0;
    int count = 0;
    for (int64_t i = state->node_count; i >= 1 && count < 20; i--) {
        const struct session_node *node = session_node(state, i);
        if (node->status == NODE_DONE && node->facts.parent) {
            sum += node->seconds;
            count++;
        }
    }
    return count ? sum / count : -1;
}

static int usable_devices(const struct session_state *state)
{
    int count = session_devices_present(state);
    return count ? count : 1;
}

struct queue_line {
    int y, top;
    struct area inside;
    struct canvas *canvas;
};

static void draw_row(const struct model *model, const struct session_node *node, struct queue_line *line, int place,
                     double seconds)
{
    char name[32], left[TEXT_SHORT], when[40] = "";
    int y = line->y++ - line->top;
    if (y < 0 || y >= line->inside.height)
        return;
    struct canvas *canvas = line->canvas;
    bool running = node->status == NODE_RUNNING;
    snprintf(name, sizeof name, "n%lld", (long long)node->facts.node);
    if (running)
        canvas_text(canvas, line->inside, 0, y, STYLE_RUNNING, "%*s", 3, "*");
    else
        canvas_text(canvas, line->inside, 0, y, STYLE_DIM, "%3d", place);
    int x = canvas_text(canvas, line->inside, 4, y, STYLE_BOLD, "%-6s", name);
    x = canvas_text(canvas, line->inside, x + 1, y, node_is_users(node) ? STYLE_USER : STYLE_DIM, "%-6.6s",
                    node_is_users(node)   ? "you"
                    : !node->facts.parent ? "start"
                                          : "policy");
    if (seconds >= 0)
        snprintf(when, sizeof when, running ? "%s left" : "in ~%s", text_duration(left, seconds));
    int end = line->inside.width - 13;
    struct text edge = TEXT_EMPTY;
    if (end - x - 2 >= 4) {
        node_edge(model->state, node, canvas->unicode, end - x - 2, &edge);
        canvas_text(canvas, area_part(line->inside, 0, 0, end, line->inside.height), x + 1, y, STYLE_NORMAL, "%s",
                    text_string(&edge));
    }
    text_done(&edge);
    canvas_text_right(canvas, line->inside, 0, x, y, STYLE_DIM, "%s", when);
    if (node->facts.node == model->selected)
        canvas_restyle(canvas, line->inside, y, STYLE_SELECTED);
}

static void draw_queued(const struct model *model, struct queue_line *line, bool users, int *place, double mean)
{
    const struct session_state *state = model->state;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status != NODE_QUEUED || node_is_users(node) != users)
            continue;
        double wait = mean >= 0 ? mean * ((*place - 1) / usable_devices(state) + 0.5) : -1;
        draw_row(model, node, line, (*place)++, wait);
    }
}

static void draw_queue(const struct model *model, struct canvas *canvas, struct area inside)
{
    const struct session_state *state = model->state;
    struct queue_line line = {.inside = inside, .canvas = canvas, .top = model->queue.top};
    int place = 1;
    for (int i = 0; i < state->device_count; i++) {
        const struct session_node *node = session_node(state, state->devices[i].node);
        if (node)
            draw_row(model, node, &line, 0, node_seconds_left(model, node));
    }
    if (state->status_count[NODE_QUEUED]) {
        double mean = state->paused ? -1 : mean_seconds(state);
        draw_queued(model, &line, true, &place, mean);
        draw_queued(model, &line, false, &place, mean);
    }
    if (!line.y)
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "nothing trains and nothing waits");
    else if (place == 1 && line.y - line.top < inside.height)
        canvas_text(canvas, inside, 0, line.y - line.top, STYLE_DIM,
                    "nothing waits: the policy is asked when a device is free");
}

static void title_queue(const struct model *model, struct text *text)
{
    text_add(text, "%lld in training, %lld waiting", (long long)model->state->status_count[NODE_RUNNING],
             (long long)model->state->status_count[NODE_QUEUED]);
}

static void settle_queue(struct model *model, struct area inside)
{
    const int64_t *count = model->state->status_count;
    scroll_settle(&model->queue.top, (int)(count[NODE_RUNNING] + count[NODE_QUEUED]) - inside.height);
}

static bool request_queue(struct model *model, enum request request, struct area inside)
{
    if (!scroll_request(&model->queue.top, request, inside.height))
        return tree_request(model, request, inside);
    settle_queue(model, inside);
    return true;
}

static bool mouse_queue(struct model *model, struct area inside, int x, int y, int wheel)
{
    model->queue.top += 3 * wheel;
    settle_queue(model, inside);
    return true;
}

const struct view view_queue = {
    .draw = draw_queue,
    .title = title_queue,
    .settle = settle_queue,
    .request = request_queue,
    .mouse = mouse_queue,
};
