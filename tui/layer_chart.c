/*
 * layer_chart.c - a bar chart of a network's layers, on a common scale of units; pools and transitions are gaps.
 */
#include "tui/layer_chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch/action.h"
#include "arch/kinds.h"

/* Apply the edge's actions to the parent again, to see which layers they change. */
static bool follow_actions(const struct session_node *parent, const struct session_node *node,
                           struct layer_chart *chart)
{
    struct arch arch;
    struct action action;
    if (arch_parse(&arch, parent->facts.arch, NULL))
        return false;
    for (int i = 0; i < node->facts.actions.count; i++)
        if (action_parse(&arch, node->facts.actions.items[i], &action, NULL) ||
            lineage_follow(&chart->edge, &arch, &action))
            return false;
    return arch_equal(&arch, &chart->arch);
}

void layer_chart_read(const struct model *model, const struct session_node *node, struct layer_chart *chart)
{
    const struct session_node *parent = session_node(model->state, node->facts.parent);
    memset(chart, 0, sizeof *chart);
    const char *input = model->state->facts.input;
    chart->readable =
        !arch_parse(&chart->arch, node->facts.arch, NULL) && input &&
        sscanf(input, "%d,%d,%d", &chart->input.channels, &chart->input.height, &chart->input.width) == 3 &&
        !arch_shapes(&chart->arch, chart->input, chart->shapes, NULL);
    if (chart->readable && parent && !follow_actions(parent, node, chart))
        chart->edge = (struct lineage){0};
}

int layer_chart_widest(const struct layer_chart *chart)
{
    int widest = 1;
    for (int i = 0; chart->readable && i < chart->arch.layer_count; i++)
        widest = chart->arch.layers[i].units > widest ? chart->arch.layers[i].units : widest;
    return widest;
}

void layer_chart_kernel(const struct layer *layer, char text[24])
{
    *text = '\0';
    if (layer->kernel && layer->stride > 1)
        snprintf(text, 24, "%d×%d/%d", layer->kernel, layer->kernel, layer->stride);
    else if (layer->kernel)
        snprintf(text, 24, "%d×%d", layer->kernel, layer->kernel);
}

void layer_chart_features(const struct layer *layer, char *text, size_t size)
{
    const char *word;
    for (int i = 0, feature; (word = layer_feature_word(i, &feature)); i++) {
        size_t length = strlen(text);
        if (layer->features & feature)
            snprintf(text + length, size - length, "%s%s", length ? " " : "", word);
    }
}

enum style layer_change_style(enum layer_change change)
{
    static const enum style styles[] = {[LAYER_CHANGE_NONE] = STYLE_CURVE_A,
                                        [LAYER_CHANGE_WIDER] = STYLE_BEST,
                                        [LAYER_CHANGE_NARROWER] = STYLE_WARNING,
                                        [LAYER_CHANGE_NEW] = STYLE_GAIN};
    return styles[change];
}

/* Pools and transitions have no width of their own to show. */
static bool is_gap(const struct layer *layer)
{
    return !layer->units;
}

static void label_of(const struct layer *layer, char label[16])
{
    if (is_gap(layer))
        snprintf(label, 16, "%s", layer_traits(layer)->symbol);
    else
        snprintf(label, 16, "%d", layer->units);
}

static int widest_label(const struct layer_chart *chart)
{
    int widest = 1;
    for (int i = 0; i < chart->arch.layer_count; i++) {
        char label[16];
        label_of(&chart->arch.layers[i], label);
        widest = (int)strlen(label) > widest ? (int)strlen(label) : widest;
    }
    return widest;
}

/* A blank between layers of one kind, a bar where a pool or another kind comes between. */
static bool stands_apart(const struct layer_chart *chart, int layer)
{
    return layer > 0 && chart->arch.layers[layer].kind != chart->arch.layers[layer - 1].kind;
}

bool layer_chart_line(const struct layer_chart *chart, struct canvas *canvas, struct area area)
{
    int columns = 0, x = 0;
    char label[16];
    for (int i = 0; i < chart->arch.layer_count; i++) {
        label_of(&chart->arch.layers[i], label);
        columns += is_gap(&chart->arch.layers[i]) ? 0 : (int)strlen(label) + 1;
    }
    if (!chart->readable || columns - 1 > area.width || area.height < 1)
        return false;
    for (int i = 0; i < chart->arch.layer_count; i++) {
        if (is_gap(&chart->arch.layers[i]))
            continue;
        if (x > 0)
            x = canvas_text(canvas, area, x, 0, STYLE_DIM, stands_apart(chart, i) ? "│" : " ");
        label_of(&chart->arch.layers[i], label);
        enum layer_change change = chart->edge.change[i];
        x = canvas_text(canvas, area, x, 0, change ? layer_change_style(change) : STYLE_NORMAL, "%s", label);
    }
    return true;
}

/* A column of `width` cells and `height` lines, filled to `share` of its height, in eighths of a line. */
static void draw_column(struct canvas *canvas, struct area area, double share, enum style style)
{
    int eighths = (int)ceil(share * area.height * 8 - 1e-9);
    for (int y = 0; y < area.height; y++) {
        int part = eighths - 8 * (area.height - 1 - y);
        for (int x = 0; x < area.width && part > 0; x++)
            canvas_glyph(canvas, area, x, y, part >= 8 ? L'█' : (uint32_t)(L'▁' + part - 1), style);
    }
}

/* Columns of the screen for each layer. */
static int column_width(const struct layer_chart *chart, int columns)
{
    int label = widest_label(chart), width = columns / chart->arch.layer_count, widest = label + 1 > 5 ? label + 1 : 5;
    return width > widest ? widest : width < 1 ? 1 : width;
}

int layer_chart_at(const struct layer_chart *chart, int columns, int x)
{
    return x < 0 || !chart->readable ? -1 : x / column_width(chart, columns);
}

int layer_chart_draw(const struct layer_chart *chart, struct canvas *canvas, struct area area, int highest)
{
    int count = chart->arch.layer_count, largest = 1;
    if (!chart->readable || area.height < 1 || area.width < 1)
        return 0;
    for (int i = 0; i < count; i++)
        largest = chart->arch.layers[i].units > largest ? chart->arch.layers[i].units : largest;
    int label = widest_label(chart), width = column_width(chart, area.width);
    bool labels = area.width / count > label && area.height > 1;
    int height = area.height < highest ? area.height : highest;
    /* Columns too narrow for labels: print the widths in a line of their own, if it fits. */
    bool line =
        !labels && height >= 3 && layer_chart_line(chart, canvas, area_part(area, 0, height - 1, area.width, 1));
    height -= labels || line;
    for (int i = 0; i < count; i++) {
        const struct layer *layer = &chart->arch.layers[i];
        struct area column = area_part(area, i * width, 0, width > 1 ? width - 1 : 1, height);
        char text[16];
        label_of(layer, text);
        if (!is_gap(layer))
            draw_column(canvas, column, (double)layer->units / largest, layer_change_style(chart->edge.change[i]));
        if (i + 1 == chart->cursor && !labels)
            canvas_glyph(canvas, area, i * width, height - 1, L'▲', STYLE_SELECTED);
        if (labels)
            canvas_text(canvas, area_part(area, i * width, height, width, 1), is_gap(layer) ? (width - 1) / 2 : 0, 0,
                        i + 1 == chart->cursor  ? STYLE_SELECTED
                        : is_gap(layer)         ? STYLE_DIM
                        : chart->edge.change[i] ? layer_change_style(chart->edge.change[i])
                                                : STYLE_NORMAL,
                        "%s", text);
    }
    return height + (labels || line);
}
