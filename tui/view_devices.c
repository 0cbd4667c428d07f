/*
 * view_devices.c - a row for each device: how busy it is, how hot, what it trains and how fast.  Those of other
 * machines stand below their hosts, which can be folded (device_rows.h).
 *
 * An old sample is marked as stale: the driver may hang.  The more devices there are, the more seldom the log has a
 * sample of each.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/device_rows.h"
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
    const struct session_device *device = sample->device ? session_device(state, sample->device) : NULL;
    if (!device || device - state->devices >= devices->count)
        return;
    struct device_history *history = &devices->histories[device - state->devices];
    if (history->count == HISTORY_SAMPLES) {
        memmove(history->utilisation, history->utilisation + 1, sizeof(double) * (HISTORY_SAMPLES - 1));
        history->count--;
    }
    history->utilisation[history->count++] = sample->utilisation;
}

void devices_join(struct devices_view *devices, const struct session_state *state, const struct event_joined *joined)
{
    const struct session_device *device = joined->device ? session_device(state, joined->device) : NULL;
    if (device && device - state->devices < devices->count)
        devices->histories[device - state->devices].count = 0;
}

void devices_clear(struct devices_view *devices)
{
    for (int i = 0; i < devices->count; i++)
        devices->histories[i].count = 0;
}

void devices_done(struct devices_view *devices)
{
    free(devices->histories);
    event_done(&(struct event){.kind = EVENT_CHANGED, .as.changed.options = devices->toggled});
}

/* --- rows --- */

static const double stale_seconds = 5, stale_each = 0.125; /* at least, and for each device */

/* Nothing is sampled any more. */
static bool has_ended(const struct model *model)
{
    return model->state->finished || model_has_died(model);
}

static bool is_stale(const struct model *model, const struct session_device *device)
{
    return device->sampled >= 0 && !has_ended(model) &&
           model->now - device->sampled > stale_seconds + stale_each * (double)model->state->device_count;
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

/* Below its host: "cuda:0" of "node7/cuda:0". */
static const char *short_id(const struct session_device *device)
{
    size_t length = strlen(device->host);
    bool below = length && !strncmp(device->id, device->host, length) && device->id[length] == '/';
    return device->id + (below ? length + 1 : 0);
}

static struct device_columns columns_for(const struct model *model, const struct device_rows *rows, int width)
{
    struct device_columns row = {.id = 2, .meter = 6};
    bool memory = false, heat = false, power = false, clock = false;
    for (int i = 0; i < rows->count; i++) {
        if (rows->items[i].device < 0)
            continue;
        const struct session_device *device = &model->state->devices[rows->items[i].device];
        int columns = canvas_columns(short_id(device)) + 2 * rows->by_host;
        row.id = columns > row.id ? columns : row.id;
        memory |= device->sampled >= 0 && isfinite(device->sample.memory_used);
        heat |= device->sampled >= 0 && isfinite(device->sample.temperature);
        power |= device->sampled >= 0 && isfinite(device->sample.power);
        clock |= device->sampled >= 0 && isfinite(device->sample.clock);
    }
    row.id = row.id > 11 + 2 * rows->by_host ? 11 + 2 * rows->by_host : row.id; /* cpu(cuda:0) */
    row.left = width - row.id - row.meter - 6;                                  /* and " 100%" */
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
    canvas_text(canvas, area_part(inside, 0, 0, row->id, inside.height), device->host[0] ? 2 : 0, y,
                device->lost ? STYLE_FAILED : STYLE_BOLD, "%s", short_id(device));
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

static void draw_device_rows(const struct model *model, const struct device_rows *list, struct canvas *canvas,
                             struct area inside)
{
    enum { NARROWEST = 36 };
    int count = list->count, rows = inside.height, columns = 1;
    while (rows > 0 && (count + columns - 1) / columns > rows && inside.width / (columns + 1) >= NARROWEST)
        columns++;
    int width = inside.width / columns, places = rows * columns;
    int shown = count <= places ? count : places - 1;
    struct device_columns row = columns_for(model, list, columns > 1 ? width - 1 : width);
    bool below = !row.history && columns == 1 && rows >= 2 * count; /* a line of history under each row */
    for (int i = 0; i < shown; i++) {
        int y = below ? 2 * i : i % rows, device = list->items[i].device;
        draw_row(model, device, &row, canvas,
                 area_part(inside, i / rows * width, 0, columns > 1 ? width - 1 : width, rows), y);
        if (below)
            draw_history(model, device, canvas, inside, row.id + 1, y + 1, inside.width - row.id - 1, STYLE_DIM);
    }
    if (shown < count && shown >= 0)
        canvas_text(canvas, area_part(inside, (columns - 1) * width, 0, width, rows), 0, rows - 1, STYLE_DIM,
                    "+%d more: 4 z shows them", count - shown);
}

/* --- hosts --- */

/* "▸ node17      7 of 8 busy ██████ 87%  12.3k/s  1 lost". */
static void draw_host(const struct device_row *row, struct canvas *canvas, struct area inside, int y)
{
    enum { REST = 43 }; /* columns behind the name */
    char rate[TEXT_SHORT];
    int name = inside.width - REST;
    name = name < 8 ? 8 : name > 24 ? 24 : name;
    canvas_text(canvas, inside, 0, y, STYLE_NORMAL, row->folded ? "▸" : "▾");
    canvas_text(canvas, area_part(inside, 0, 0, name, inside.height), 2, y, row->trainers ? STYLE_BOLD : STYLE_FAILED,
                "%s", row->host[0] ? row->host : "this machine");
    int x = name + 1;
    if (row->trainers)
        canvas_text(canvas, inside, x, y, row->busy ? STYLE_RUNNING : STYLE_DIM, "%3d of %d busy", row->busy,
                    row->trainers);
    x += 15;
    if (row->utilisation >= 0) {
        canvas_meter(canvas, inside, x, y, 6, row->utilisation, STYLE_METER);
        canvas_text(canvas, inside, x + 6, y, STYLE_NORMAL, "%4.0f%%", 100 * row->utilisation);
    }
    x += 12;
    if (row->rate > 0)
        canvas_text(canvas, inside, x, y, STYLE_DIM, "%5s/s", text_count(rate, row->rate));
    if (row->lost)
        canvas_text_right(canvas, inside, 0, x + (row->rate > 0 ? 8 : 0), y, STYLE_FAILED, "%d lost", row->lost);
}

static void draw_hosts(const struct model *model, const struct device_rows *rows, struct canvas *canvas,
                       struct area inside)
{
    struct device_columns columns = columns_for(model, rows, inside.width);
    for (int y = 0; y < inside.height && model->devices.top + y < rows->count; y++) {
        const struct device_row *row = &rows->items[model->devices.top + y];
        if (row->device < 0)
            draw_host(row, canvas, inside, y);
        else
            draw_row(model, row->device, &columns, canvas, inside, y);
        if (model->focus == PANE_DEVICES && model->devices.top + y == model->devices.row)
            canvas_restyle(canvas, inside, y, STYLE_SELECTED);
    }
}

static void draw_devices(const struct model *model, struct canvas *canvas, struct area inside)
{
    struct device_rows rows = device_rows_new(model);
    if (rows.by_host)
        draw_hosts(model, &rows, canvas, inside);
    else
        draw_device_rows(model, &rows, canvas, inside);
    if (!rows.count)
        canvas_text(canvas, inside, 0, 0, STYLE_DIM,
                    model->state->device_count ? "none is left: training goes on when one joins"
                                               : "no device is known yet");
    device_rows_done(&rows);
}

static void title_devices(const struct model *model, struct text *text)
{
    struct device_row sum = device_rows_sum(model);
    struct device_rows rows = device_rows_new(model);
    char rate[TEXT_SHORT];
    int stale = 0, hosts = 0;
    for (int i = 0; i < rows.count; i++)
        hosts += rows.items[i].device < 0;
    for (int i = 0; i < model->state->device_count; i++)
        stale += device_is_present(&model->state->devices[i]) && is_stale(model, &model->state->devices[i]);
    text_add(text, "%d", sum.trainers + (rows.by_host ? 0 : sum.lost));
    if (rows.by_host)
        text_add(text, " on %d host%s", hosts, hosts == 1 ? "" : "s");
    if (rows.by_host && sum.rate > 0)
        text_add(text, ", %s images/s", text_count(rate, sum.rate));
    if (rows.by_host && sum.lost)
        text_add(text, ", %d lost", sum.lost);
    if (sum.utilisation >= 0)
        text_add(text, ", mean %.0f%%", 100 * sum.utilisation);
    if (stale)
        text_add(text, ", %d stale", stale);
    if (!rows.by_host && sum.lost)
        text_add(text, ", %d lost", sum.lost);
    device_rows_done(&rows);
}

static void settle_devices(struct model *model, struct area inside)
{
    struct devices_view *devices = &model->devices;
    struct device_rows rows = device_rows_new(model);
    scroll_settle(&devices->row, rows.count - 1);
    devices->top = devices->row < devices->top ? devices->row : devices->top;
    if (devices->row >= devices->top + inside.height)
        devices->top = devices->row - inside.height + 1;
    scroll_settle(&devices->top, rows.count - inside.height);
    device_rows_done(&rows);
}

static void select_row(struct model *model, struct area inside, int row, bool toggle)
{
    struct device_rows rows = device_rows_new(model);
    model->devices.row = row;
    if (toggle && row >= 0 && row < rows.count)
        device_rows_toggle(&model->devices, rows.items[row].host);
    device_rows_done(&rows);
    settle_devices(model, inside);
}

/* Hosts are a list; devices of this machine alone leave the keys to the tree. */
static bool request_devices(struct model *model, enum request request, struct area inside)
{
    struct device_rows rows = device_rows_new(model);
    bool by_host = rows.by_host, on_host = model->devices.row < rows.count && rows.items[model->devices.row].device < 0;
    bool folded = on_host && rows.items[model->devices.row].folded;
    int row = model->devices.row;
    device_rows_done(&rows);
    if (!by_host)
        return tree_request(model, request, inside);
    if (scroll_request(&row, request, inside.height)) {
        select_row(model, inside, row, false);
        return true;
    }
    bool toggle =
        request == REQUEST_OPEN || (request == REQUEST_LEFT && !folded) || (request == REQUEST_RIGHT && folded);
    if (!toggle)
        return request == REQUEST_LEFT || request == REQUEST_RIGHT || tree_request(model, request, inside);
    while (row > 0 && !on_host) { /* to the host of this device */
        rows = device_rows_new(model);
        on_host = rows.items[--row].device < 0;
        device_rows_done(&rows);
    }
    select_row(model, inside, row, true);
    return true;
}

/* A click selects, a click on the selected row folds; the wheel scrolls. */
static bool mouse_devices(struct model *model, struct area inside, int x, int y, int wheel)
{
    struct device_rows rows = device_rows_new(model);
    int row = wheel ? model->devices.row + 3 * wheel : model->devices.top + y;
    bool ours = rows.by_host && (wheel || row < rows.count);
    bool toggle = ours && !wheel && row == model->devices.row && rows.items[row].device < 0;
    (void)x;
    device_rows_done(&rows);
    if (ours)
        select_row(model, inside, row, toggle);
    return ours;
}

const struct view view_devices = {
    .draw = draw_devices,
    .title = title_devices,
    .settle = settle_devices,
    .request = request_devices,
    .mouse = mouse_devices,
};
