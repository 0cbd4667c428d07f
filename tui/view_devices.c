/*
 * view_devices.c - a lane a device: how busy it is, how hot, what it trains and how fast.
 *
 * A sample older than five seconds is marked: the driver may hang, and what stands there is the past.
 */
#include <math.h>
#include <stdio.h>

#include "tui/node.h"
#include "tui/view.h"

static const double stale_seconds = 5;

static bool is_stale(const struct model *model, const struct session_device *device)
{
    return device->sampled >= 0 && !model->state->finished && model->now - device->sampled > stale_seconds;
}

/* Columns of a lane; 0: not shown. */
struct lane {
    int id, history, meter, memory, heat, power, clock, left;
};

/* For "n187 epoch 14/20  12.3k/s" and for "n187 14/20"; " 11.2/80 GiB" and " 11.2/80G". */
enum { ROOMY = 27, COMPACT = 11, MEMORY_ROOMY = 13, MEMORY_COMPACT = 10 };

/* Take `columns` and a space from what is left, when `rest` stay. */
static int take(struct lane *lane, bool wanted, int columns, int rest)
{
    if (!wanted || lane->left - columns - 1 < rest)
        return 0;
    lane->left -= columns + 1;
    return columns;
}

static struct lane lane_for(const struct model *model, int width)
{
    struct lane lane = {.id = 2, .meter = 6};
    bool memory = false, heat = false, power = false, clock = false;
    for (int i = 0; i < model->state->device_count; i++) {
        const struct session_device *device = &model->state->devices[i];
        int columns = canvas_columns(device->id);
        lane.id = columns > lane.id ? columns : lane.id;
        memory |= device->sampled >= 0 && isfinite(device->sample.memory_used);
        heat |= device->sampled >= 0 && isfinite(device->sample.temperature);
        power |= device->sampled >= 0 && isfinite(device->sample.power);
        clock |= device->sampled >= 0 && isfinite(device->sample.clock);
    }
    lane.id = lane.id > 11 ? 11 : lane.id; /* cpu(cuda:0) */
    lane.left = width - lane.id - lane.meter - 6; /* and " 100%" */
    bool roomy = lane.left - 14 * memory - 5 * heat - 5 * power >= ROOMY;
    int rest = roomy ? ROOMY : COMPACT;
    lane.memory = take(&lane, memory, roomy ? MEMORY_ROOMY : MEMORY_COMPACT, rest);
    lane.heat = take(&lane, heat, 4, rest);
    lane.power = take(&lane, power, 4, rest);
    lane.clock = take(&lane, clock, 5, ROOMY);
    int spare = lane.left - ROOMY - 1;
    lane.history = take(&lane, spare >= 6, spare > 60 ? 60 : spare, ROOMY);
    return lane;
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
        canvas_text(canvas, area, 0, y, STYLE_DIM, model->state->finished ? "ended" : "idle");
        return;
    }
    bool roomy = area.width >= ROOMY - 1;
    int x = canvas_text(canvas, area, 0, y, STYLE_RUNNING, "n%lld", (long long)device->node);
    x = canvas_text(canvas, area, x < 5 ? 5 : x + 1, y, STYLE_NORMAL, roomy ? "epoch %d/%d" : "%d/%d",
                    node->curve_count + (node->curve_count < node->epochs), node->epochs);
    double seconds = node_seconds_left(model, node);
    text_count(rate, node_rate(node));
    if (node_rate(node) > 0 && x + (roomy ? 9 : 3 + canvas_columns(rate)) <= area.width)
        x = canvas_text(canvas, area, x + 1, y, STYLE_DIM, roomy ? "%6s/s" : "%s/s", rate);
    if (seconds >= 0)
        canvas_text_right(canvas, area, 0, x + 1, y, STYLE_DIM, "%s left", text_duration(left, seconds));
}

/* The last samples, the newest at the right. */
static void draw_history(const struct model *model, int index, struct canvas *canvas, struct area inside, int x, int y,
                         int width, enum style style)
{
    if (index >= model->history_count || width < 1)
        return;
    const struct device_history *history = &model->histories[index];
    int count = history->count < width ? history->count : width;
    canvas_spark(canvas, inside, x + width - count, y, count, history->utilisation, history->count, 0, 1, style);
}

static void draw_lane(const struct model *model, int index, const struct lane *lane, struct canvas *canvas,
                      struct area inside, int y)
{
    const struct session_device *device = &model->state->devices[index];
    const struct event_sample *sample = &device->sample;
    bool known = device->sampled >= 0 && isfinite(sample->utilisation), stale = is_stale(model, device);
    char used[TEXT_SHORT];
    enum style style = stale || model->state->finished ? STYLE_DIM : STYLE_METER;
    int x = 0;
    canvas_text(canvas, area_part(inside, 0, 0, lane->id, inside.height), 0, y, STYLE_BOLD, "%s", device->id);
    x += lane->id + 1;
    draw_history(model, index, canvas, inside, x, y, lane->history, style);
    x += lane->history ? lane->history + 1 : 0;
    if (known)
        canvas_meter(canvas, inside, x, y, lane->meter, sample->utilisation, style);
    x += lane->meter;
    if (known)
        canvas_text(canvas, inside, x, y, stale ? STYLE_DIM : STYLE_NORMAL, "%4.0f%%", 100 * sample->utilisation);
    else
        canvas_text(canvas, inside, x, y, STYLE_DIM, "    ?");
    x += 6;
    if (lane->memory) {
        if (device->sampled >= 0 && isfinite(sample->memory_used) && isfinite(sample->memory_total))
            canvas_text(canvas, inside, x, y, STYLE_DIM, lane->memory < MEMORY_ROOMY ? "%5.1f/%.0fG" : "%5.1f/%.0f GiB",
                        sample->memory_used / 0x1p30, sample->memory_total / 0x1p30);
        x += lane->memory + 1;
    }
    if (lane->heat) {
        if (device->sampled >= 0 && isfinite(sample->temperature))
            canvas_text(canvas, inside, x, y, sample->temperature >= 90 ? STYLE_WARNING : STYLE_DIM, "%3.0f°",
                        sample->temperature);
        x += lane->heat + 1;
    }
    if (lane->power) {
        if (device->sampled >= 0 && isfinite(sample->power))
            canvas_text(canvas, inside, x, y, STYLE_DIM, "%3.0fW", sample->power);
        x += lane->power + 1;
    }
    if (lane->clock) {
        if (device->sampled >= 0 && isfinite(sample->clock))
            canvas_text(canvas, inside, x, y, STYLE_DIM, "%4.2fG", sample->clock / 1e9);
        x += lane->clock + 1;
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
    int width = inside.width / columns, room = rows * columns, shown = count <= room ? count : room - 1;
    struct lane lane = lane_for(model, columns > 1 ? width - 1 : width);
    bool below = !lane.history && columns == 1 && rows >= 2 * count; /* a line of history under each lane */
    for (int i = 0; i < shown; i++) {
        int y = below ? 2 * i : i % rows;
        draw_lane(model, i, &lane, canvas,
                  area_part(inside, i / rows * width, 0, columns > 1 ? width - 1 : width, rows), y);
        if (below)
            draw_history(model, i, canvas, inside, lane.id + 1, y + 1, inside.width - lane.id - 1, STYLE_DIM);
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
