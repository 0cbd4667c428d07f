/* device_rows.c - see device_rows.h. */
#include "tui/device_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "util/memory.h"

/* With more devices than this the hosts are folded. */
enum { UNFOLDED_MAX = 16 };

/* One that is gone in good order is of no interest any more. */
static bool is_shown(const struct session_device *device)
{
    return !device->left;
}

/* node2 before node10, and this machine first. */
static int compare(const void *a, const void *b)
{
    const struct session_device *first = *(const struct session_device *const *)a,
                                *second = *(const struct session_device *const *)b;
    int order = strverscmp(first->host, second->host);
    return order ? order : strverscmp(first->id, second->id);
}

static void row_add(const struct model *model, const struct session_device *device, struct device_row *row, int *known)
{
    const struct session_node *node = session_node(model->state, device->node);
    row->lost += device->lost;
    row->trainers += device_is_present(device);
    row->busy += node != NULL;
    row->rate += node ? node_rate(model, node) : 0;
    if (!device_is_present(device) || device->sampled < 0 || !isfinite(device->sample.utilisation))
        return;
    row->utilisation = ((*known ? row->utilisation : 0) * *known + device->sample.utilisation) / (*known + 1);
    ++*known;
}

static bool is_toggled(const struct devices_view *devices, const char *host)
{
    for (int i = 0; i < devices->toggled.count; i++)
        if (!strcmp(devices->toggled.items[i], host))
            return true;
    return false;
}

void device_rows_toggle(struct devices_view *devices, const char *host)
{
    struct event_texts *toggled = &devices->toggled;
    for (int i = 0; i < toggled->count; i++) {
        if (strcmp(toggled->items[i], host) != 0)
            continue;
        free(toggled->items[i]);
        toggled->items[i] = toggled->items[--toggled->count];
        return;
    }
    event_texts_add(toggled, host);
}

/* Rows of the hosts with their devices, which are sorted. */
static void add_hosts(const struct model *model, const struct session_device **devices, int count,
                      struct device_rows *rows)
{
    for (int first = 0, next; first < count; first = next) {
        struct device_row *host = &rows->items[rows->count++];
        int known = 0;
        *host = (struct device_row){.device = -1, .host = devices[first]->host, .utilisation = -1};
        host->folded = (count > UNFOLDED_MAX) != is_toggled(&model->devices, host->host);
        for (next = first; next < count && !strcmp(devices[next]->host, host->host); next++)
            row_add(model, devices[next], host, &known);
        for (int i = first; i < next && !host->folded; i++)
            rows->items[rows->count++] =
                (struct device_row){.device = (int)(devices[i] - model->state->devices), .host = devices[i]->host};
    }
}

struct device_rows device_rows_new(const struct model *model)
{
    const struct session_state *state = model->state;
    size_t most = (size_t)state->device_count;
    const struct session_device **devices = memory_new(most, sizeof *devices);
    struct device_rows rows = {.items = memory_new(2 * most, sizeof *rows.items)};
    int count = 0;
    for (int i = 0; i < state->device_count; i++) {
        if (!is_shown(&state->devices[i]))
            continue;
        devices[count++] = &state->devices[i];
        rows.by_host |= state->devices[i].host[0] != '\0';
    }
    if (rows.by_host) {
        qsort(devices, (size_t)count, sizeof *devices, compare);
        add_hosts(model, devices, count, &rows);
    } else {
        for (; rows.count < count; rows.count++)
            rows.items[rows.count] = (struct device_row){.device = (int)(devices[rows.count] - state->devices),
                                                         .host = devices[rows.count]->host};
    }
    free(devices);
    return rows;
}

void device_rows_done(struct device_rows *rows)
{
    free(rows->items);
}

struct device_row device_rows_sum(const struct model *model)
{
    struct device_row sum = {.device = -1, .host = "", .utilisation = -1};
    int known = 0;
    for (int i = 0; i < model->state->device_count; i++)
        if (is_shown(&model->state->devices[i]))
            row_add(model, &model->state->devices[i], &sum, &known);
    return sum;
}
