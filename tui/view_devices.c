/*
 * view_devices.c - a row for each device: how busy it is, how hot, what it trains and how fast.
 *
 * A sample older than five seconds is marked as stale: the driver may hang.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/node.h"
#include "tui/view.h"
#include "util/memory.h"

/* --- histories --- */

void devices_keep(struct devices_view *devices, const struct session_state *state)
{
    int count = state->device_count;
    if (count <= devices->count)
        return;
    devices->histories = memory_resize(devices->histories, (size_t)count, sizeof *devices->histories);
    memset(devices->histories + devices->count, 0, sizeof *devices->histories * (size_t)(count - devices->count));
    devices->count = count;
}

void devices_add(struct devices_view *devices, const struct session_state *state, const struct event_sample *sample)
{
    for (int i = 0; i < devices->count; i++) {
        struct device_history *history = &devices->histories[i];
        if (!sample->device || strcmp(state->devices[i].id, sample->device))
            continue;
        if (history->count == HISTORY_SAMPLES) {
            memmove(history->utilisation, history->utilisation + 1, sizeof(double) * (HISTORY_SAMPLES - 1));
            history->count--;
        }
        history->utilisation[history->count++] = sample->utilisation;
    }
}

void devices_clear(struct devices_view *devices)
{
    for (int i = 0; i < devices->count; i++)
        devices->histories[i].count = 0;
}

/* --- rows --- */

static const double stale_seconds = 5;

/* Nothing is sampled any more. */
static bool has_ended(const struct model *model)
{
    return model->state->finished || model_has_died(model);
}

static bool is_stale(const struct model *model, const struct session_device *device)
{
    return device->sampled >= 0 && !has_ended(model) && model->now - device->sampled > stale_seconds;
}

/* Widths of a row's columns; 0: not shown. */
struct device_columns {
    int id, history, meter, memory, heat, power, clock, left;
};

/* Widths of "n187 epoch 14/20  12.3k/s" and "n187 14/20"; of " 11.2/80 GiB" and " 11.2/80G". */
enum { ROOMY = 27, COMPACT = 11, MEMORY_ROOMY = 13, MEMORY_COMPACT = 10 };

/* Reserve `columns` and a blank when at least `rest` columns remain. */
static int take(struct device_columns *row, bool wanted, int columns, int rest)
{
    if (!wanted || row->left - columns - 1 < rest)
        return 0;
    row->left -= columns + 1;
    return columns;
}

static struct device_columns columns_for(const struct model *model, int width)
{
    struct device_columns row = {.id = 2, .meter = 6};
    bool memory = false, heat = false, power = false, clock = false;
    for (int i = 0; i < model->state->device_count; i++) {
        const struct session_device *device = &model->state->devices[i];
        int columns = canvas_columns(device->id);
        row.id = columns > row.id ? columns : row.id;
        memory |= device->sampled >= 0 && isfinite(device->sample.memory_used);
        heat |= device->sampled >= 0 && isfinite(device->sample.temperature);
        power |= device->sampled >= 0 && isfinite(device->sample.power);
        clock |= device->sampled >= 0 && isfinite(device->sample.clock);
    }
    row.id = row.id > 11 ? 11 : row.id; /* cpu(cuda:0) */
    row.left = width - row.id - row.meter - 6; /* and " 100%" */
    bool roomy = row.left - 14 * memory - 5 * heat - 5 * power >= ROOMY;
    int rest = roomy ? ROOMY : COMPACT;
    row.memory = take(&row, memory, roomy ? MEMORY_ROOMY : MEMORY_COMPACT, rest);
    row.heat = take(&row, heat, 4, rest);
    row.power = take(&row, power, 4, rest);
    row.clock = take(&row, clock, 5, ROOMY);
    int spare = row.left - ROOMY - 1;
    row.history = take(&row, spare >= 6, spare > 60 ? 60 : spare, ROOMY);
    return row;
}

static void draw_training(const struct model *model, const struct session_device *device, struct canvas *canvas,
                          struct area area, int y)
{
    const struct session_node *node = session_node(model->state, device->node);
    char rate[TEXT_SHORT], left[TEXT_SHORT];
    if (device->lost) {
        canvas_text(canvas, area, 0, y, STYLE_FAILED, "lost");
        return;
    }
    if (!node) {
        canvas_text(canvas, area, 0, y, STYLE_DIM, has_ended(model) ? "ended" : "idle");
        return;
    }
    bool roomy = area.width >= ROOMY - 1;
    int x = canvas_text(canvas, area, 0, y, STYLE_RUNNING, "n%lld", (long long)device->node);
    x = canvas_text(canvas, area, x < 5 ? 5 : x + 1, y, STYLE_NORMAL, roomy ? "epoch %d/%d" : "%d/%d",
                    node->curve_count + (node->curve_count < node->epochs), node->epochs);
    double seconds = node_seconds_left(model, node);
    text_count(rate, node_rate(model, node));
    if (node_rate(model, node) > 0 && x + (roomy ? 9 : 3 + canvas_columns(rate)) <= area.width)
        x = canvas_text(canvas, area, x + 1, y, STYLE_DIM, roomy ? "%6s/s" : "%s/s", rate);
    if (seconds >= 0)
        canvas_text_right(canvas, area, 0, x + 1, y, STYLE_DIM, "%s left", text_duration(left, seconds));
    else if (node_is_held(model, node))
        canvas_text(canvas, area, x + 1, y, STYLE_WARNING, "held");
}

/* The last samples, the newest at the right. */
static void draw_history(const struct model *model, int index, struct canvas *canvas, struct area inside, int x, int y,
                         int width, enum style style)
{
    if (index >= model->devices.count || width < 1)
        return;
    const struct device_history *history = &model->devices.histories[index];
    int count = history->count < width ? history->count : width;
    canvas_spark(canvas, inside, x + width - count, y, count, history->utilisation, history->count, 0, 1, style);
}

static void draw_row(const struct model *model, int index, const struct device_columns *row, struct canvas *canvas,
                      struct area inside, int y)
{
    const struct session_device *device = &model->state->devices[index];
    const struct event_sample *sample = &device->sample;
    bool known = device->sampled >= 0 && isfinite(sample->utilisation), stale = is_stale(model, device);
    char used[TEXT_SHORT];
    enum style style = stale || has_ended(model) ? STYLE_DIM : STYLE_METER;
    int x = 0;
    canvas_text(canvas, area_part(inside, 0, 0, row->id, inside.height), 0, y, STYLE_BOLD, "%s", device->id);
    x += row->id + 1;
    draw_history(model, index, canvas, inside, x, y, row->history, style);
    x += row->history ? row->history + 1 : 0;
    if (known)
        canvas_meter(canvas, inside, x, y, row->meter, sample->utilisation, style);
    x += row->meter;
    if (known)
        canvas_text(canvas, inside, x, y, stale ? STYLE_DIM : STYLE_NORMAL, "%4.0f%%", 100 * sample->utilisation);
    else
        canvas_text(canvas, inside, x, y, STYLE_DIM, "    ?");
    x += 6;
    if (row->memory) {
        if (device->sampled >= 0 && isfinite(sample->memory_used) && isfinite(sample->memory_total))
            canvas_text(canvas, inside, x, y, STYLE_DIM, row->memory < MEMORY_ROOMY ? "%5.1f/%.0fG" : "%5.1f/%.0f GiB",
                        sample->memory_used / 0x1p30, sample->memory_total / 0x1p30);
        x += row->memory + 1;
    }
    if (row->heat) {
        if (device->sampled >= 0 && isfinite(sample->temperature))
            canvas_text(canvas, inside, x, y, sample->temperature >= 90 ? STYLE_WARNING : STYLE_DIM, "%3.0f°",
                        sample->temperature);
        x += row->heat + 1;
    }
    if (row->power) {
        if (device->sampled >= 0 && isfinite(sample->power))
            canvas_text(canvas, inside, x, y, STYLE_DIM, "%3.0fW", sample->power);
        x += row->power + 1;
    }
    if (row->clock) {
        if (device->sampled >= 0 && isfinite(sample->clock))
            canvas_text(canvas, inside, x, y, STYLE_DIM, "%4.2fG", sample->clock / 1e9);
        x += row->clock + 1;
    }
    struct area rest = area_part(inside, x, 0, inside.width - x, inside.height);
    if (stale && !device->lost)
        canvas_text(canvas, rest, 0, y, STYLE_WARNING, rest.width < ROOMY - 1 ? "stale %s" : "no sample for %s",
                    node_age(used, model->now - device->sampled));
    else
        draw_training(model, device, canvas, rest, y);
}

static void draw_devices(const struct model *model, struct canvas *canvas, struct area inside)
{
    enum { NARROWEST = 36 };
    int count = model->state->device_count, rows = inside.height, columns = 1;
    while (rows > 0 && (count + columns - 1) / columns > rows && inside.width / (columns + 1) >= NARROWEST)
        columns++;
    int width = inside.width / columns, places = rows * columns;
    int shown = count <= places ? count : places - 1;
    struct device_columns row = columns_for(model, columns > 1 ? width - 1 : width);
    bool below = !row.history && columns == 1 && rows >= 2 * count; /* a line of history under each row */
    for (int i = 0; i < shown; i++) {
        int y = below ? 2 * i : i % rows;
        draw_row(model, i, &row, canvas,
                  area_part(inside, i / rows * width, 0, columns > 1 ? width - 1 : width, rows), y);
        if (below)
            draw_history(model, i, canvas, inside, row.id + 1, y + 1, inside.width - row.id - 1, STYLE_DIM);
    }
    if (shown < count && shown >= 0)
        canvas_text(canvas, area_part(inside, (columns - 1) * width, 0, width, rows), 0, rows - 1, STYLE_DIM,
                    "+%d more: 4 z shows them", count - shown);
    if (!count)
        canvas_text(canvas, inside, 0, 0, STYLE_DIM, "no device is known yet");
}

static void title_devices(const struct model *model, struct text *text)
{
    double sum = 0;
    int known = 0, stale = 0, lost = 0;
    for (int i = 0; i < model->state->device_count; i++) {
        const struct session_device *device = &model->state->devices[i];
        stale += is_stale(model, device) && !device->lost;
        lost += device->lost;
        if (device->sampled < 0 || !isfinite(device->sample.utilisation))
            continue;
        sum += device->sample.utilisation;
        known++;
    }
    text_add(text, "%d", model->state->device_count);
    if (known)
        text_add(text, ", mean %.0f%%", 100 * sum / known);
    if (stale)
        text_add(text, ", %d stale", stale);
    if (lost)
        text_add(text, ", %d lost", lost);
}

const struct view view_devices = {.draw = draw_devices, .title = title_devices, .request = tree_request};
