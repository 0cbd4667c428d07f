/*
 * view_network.c - a summary of the selected network: status, how it grew, layers, costs.
 *
 * The most important lines come first; a low pane cuts the last ones.
 */
#include <math.h>
#include <string.h>

#include "tui/layer_chart.h"
#include "tui/node.h"
#include "tui/rounds.h"
#include "tui/view.h"

static void draw_status(const struct model *model, const struct session_node *node, struct canvas *canvas,
                        struct area area)
{
    char left[TEXT_SHORT];
    canvas_glyph(canvas, area, 0, 0, node_glyph(node), node_style(node->status));
    int x = 2;
    if (node->status == NODE_RUNNING) {
        x = canvas_text(canvas, area, x, 0, STYLE_RUNNING, "epoch %d/%d on %s",
                        node->curve_count + (node->curve_count < node->epochs), node->epochs,
                        node->device ? node->device : "?");
        double seconds = node_seconds_left(model, node);
        int width = area.width - x - 14;
        if (width >= 4) {
            canvas_meter(canvas, area, x + 1, 0, width > 16 ? 16 : width, node_share(node), STYLE_RUNNING);
            x += 1 + (width > 16 ? 16 : width);
        }
        if (seconds >= 0 && area.width - x > 12)
            canvas_text(canvas, area, x + 1, 0, STYLE_NORMAL, "%s left", text_duration(left, seconds));
        else if (node_is_held(model, node))
            canvas_text(canvas, area, x + 1, 0, STYLE_WARNING, "held");
        return;
    }
    if (node->status == NODE_DONE)
        x = canvas_text(canvas, area, x, 0, STYLE_HEADER, "%.2f%%", 100 * node->accuracy);
    else
        x = canvas_text(canvas, area, x, 0, node_style(node->status), "%s", node_word(node->status));
    if (model->state->test.node == node->facts.node)
        x = canvas_text(canvas, area, x + 1, 0, STYLE_BEST, "test %.2f%%", 100 * model->state->test.accuracy);
    if (node->facts.node == model->state->best)
        x = canvas_text(canvas, area, x + 1, 0, STYLE_BEST, "★ best");
    if (node->pinned)
        x = canvas_text(canvas, area, x + 1, 0, STYLE_PINNED, "P pinned");
    if (node->failure && node->status != NODE_DONE &&
        !(node->status == NODE_CANCELLED && node->failure_reason.value == FAILURE_CANCELLED))
        canvas_text(canvas, area, x + 1, 0, STYLE_FAILED, "%s", node->failure);
    else if (node->status == NODE_DONE && node->stopped)
        canvas_text(canvas, area, x + 2, 0, STYLE_DIM, "stopped after %d/%d epochs, %.2f%% predicted", node->curve_count,
                    node->epochs, 100 * node->predicted);
    else if (node->status == NODE_DONE)
        canvas_text(canvas, area, x + 2, 0, STYLE_DIM, "%d epoch%s in %s", node->curve_count,
                    node->curve_count == 1 ? "" : "s", text_duration(left, node->seconds));
    else if (node->status == NODE_QUEUED && node->facts.parent && model->state->rate >= 0)
        canvas_text(canvas, area, x + 2, 0, STYLE_DIM, "%lld epoch%s from rate %g", (long long)model->state->epochs,
                    model->state->epochs == 1 ? "" : "s", model->state->rate);
}

static void draw_origin(const struct model *model, const struct session_node *node, struct canvas *canvas,
                        struct area area)
{
    struct text edge = TEXT_EMPTY;
    double gain;
    int64_t over;
    bool known = node_gain(model->state, node, &gain, &over), raced = known && over != node->facts.parent;
    int from = 0;
    if (node->facts.parent)
        from = 8 + (int)strlen("from n12345") + (!raced ? 0 : area.width < 50 ? 7 : 15);
    node_edge(model->state, node, canvas->unicode, area.width - from, &edge);
    int x = canvas_text(canvas, area, 0, 0, node_has_role(node) ? node_edge_style(node) : STYLE_NORMAL, "%s",
                        text_string(&edge));
    if (node->facts.parent && !node_has_role(node))
        x = canvas_text(canvas, area, x + 2, 0, STYLE_DIM, "from n%lld", (long long)node->facts.parent);
    if (known)
        x = node_draw_gain(model->state, node, canvas, area, x + 1, 0, 0);
    if (raced)
        x = canvas_text(canvas, area, x, 0, STYLE_DIM, area.width < 50 ? " over n%lld" : " over control n%lld",
                        (long long)over);
    canvas_text(canvas, area, x + 2, 0, STYLE_DIM, "%s",
                !node->facts.parent   ? ""
                : node_is_users(node) ? "by you"
                                      : "");
    text_done(&edge);
}

static void draw_numbers(const struct model *model, const struct session_node *node, struct canvas *canvas, struct area area)
{
    char parameters[TEXT_SHORT], flops[TEXT_SHORT], memory[TEXT_SHORT], rate[TEXT_SHORT];
    int x = canvas_text(canvas, area, 0, 0, STYLE_NORMAL, "%s params  %s FLOPs",
                        text_count(parameters, (double)node->facts.parameters),
                        text_count(flops, (double)node->facts.flops));
    text_bytes(memory, (double)node->facts.activation_bytes);
    if (x + 2 + (int)strlen(memory) <= area.width)
        x = canvas_text(canvas, area, x + 2, 0, STYLE_NORMAL, "%s", memory);
    if (node_rate(model, node) > 0 && x + 12 <= area.width)
        canvas_text(canvas, area, x + 2, 0, STYLE_NORMAL, "%s img/s", text_count(rate, node_rate(model, node)));
}

static void draw_last_epoch(const struct session_node *node, struct canvas *canvas, struct area area)
{
    if (!node->curve_count)
        return;
    const struct curve_point *point = &node->curve[node->curve_count - 1];
    int x = canvas_text(canvas, area, 0, 0, STYLE_NORMAL, "val %.2f%% loss %.3f", 100 * point->validation_accuracy,
                        point->validation_loss);
    if (area.width - x >= 24)
        x = canvas_text(canvas, area, x + 2, 0, STYLE_DIM, "train %.2f%% loss %.3f", 100 * point->train_accuracy,
                        point->train_loss);
    if (area.width - x >= 14)
        canvas_text(canvas, area, x + 2, 0, STYLE_DIM, "rate %.2g", point->rate);
}

static void draw_network(const struct model *model, struct canvas *canvas, struct area inside)
{
    const struct session_node *node = session_node(model->state, model->selected);
    struct layer_chart chart;
    if (!node) {
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "select a network in the tree");
        return;
    }
    draw_status(model, node, canvas, area_part(inside, 0, 0, inside.width, 1));
    draw_origin(model, node, canvas, area_part(inside, 0, 1, inside.width, 1));
    if (race_draw(model, node, canvas, area_part(inside, 0, 2, inside.width, 1), 0))
        inside = area_part(inside, 0, 1, inside.width, inside.height - 1); /* the rest is as without this line */
    bool epoch = inside.height >= 5, note = inside.height >= 8 && node->note && *node->note;
    int below = 1 + epoch + note, y = inside.height - below;
    layer_chart_read(model, node, &chart);
    int lines = inside.height - 2 - below;
    bool apart = lines > 3; /* a blank line above the picture */
    struct area picture = area_part(inside, 0, 2 + apart, inside.width, lines - apart);
    if (picture.height == 1 && layer_chart_line(&chart, canvas, picture))
        y = 3;
    else
        y = 2 + apart + layer_chart_draw(&chart, canvas, picture, 6);
    if (!chart.readable)
        canvas_text(canvas, inside, 0, 2, STYLE_NORMAL, "%s", node->facts.arch);
    draw_numbers(model, node, canvas, area_part(inside, 0, y, inside.width, 1));
    if (epoch)
        draw_last_epoch(node, canvas, area_part(inside, 0, y + 1, inside.width, 1));
    if (note)
        canvas_text(canvas, inside, 0, y + 1 + epoch, STYLE_USER, "\"%s\"", node->note);
}

static void title_network(const struct model *model, struct text *text)
{
    const struct session_node *node = session_node(model->state, model->selected);
    if (node)
        text_add(text, "n%lld%s", (long long)model->selected, node->pruned ? ", pruned" : "");
}

const struct view view_network = {.draw = draw_network, .title = title_network, .request = tree_request};
