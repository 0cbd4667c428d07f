/*
 * slots.c - the slots of the evaluator: which are there, which are free, and what each trains.
 *
 * A slot is there from the start, or joins; it is lost, and its number may join again.  Whether it is lost is said by
 * its device alone (evaluator.h); `present` counts again when that may have changed.
 *
 * A free slot is looked for once for each trial that starts, and that walks over the slots once.  So a search of n
 * slots takes a time in proportion to n for each result, some microseconds for a thousand.
 */
#include "search/slots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

/* This many steps a second are shown, and this many samples, of all slots together. */
#define SHOWN_A_SECOND 32.0

static const struct device *device_of(const struct slots *slots, int slot)
{
    return slots->evaluator->kind->device(slots->evaluator, slot);
}

/* --- which are there --- */

static void count_present(struct slots *slots)
{
    slots->present = 0;
    for (int slot = 0; slot < slots->count; slot++)
        slots->present += !device_of(slots, slot)->lost;
}

/* Are these trainers on one GPU: cuda:0 and cuda:0.1? */
static bool share_device(const struct device *a, const struct device *b)
{
    size_t length = strcspn(a->id, ".");
    if (a->host[0] || b->host[0]) /* whose name may have dots */
        length = strlen(a->host) + strcspn(a->id + strlen(a->host), ".");
    return a->is_gpu && b->is_gpu && !strcmp(a->host, b->host) && !strncmp(a->id, b->id, length) &&
           (!b->id[length] || b->id[length] == '.');
}

static int first_of_device(const struct slots *slots, int slot)
{
    const struct device *device = device_of(slots, slot);
    for (int i = 0; i < slots->count && device->is_gpu; i++)
        if (i != slot && share_device(device, device_of(slots, i)))
            return slots->items[i].first;
    return slot;
}

static void add_slot(struct slots *slots)
{
    slots->items = memory_grow(slots->items, (size_t)slots->count, &slots->capacity, sizeof *slots->items);
    slots->items[slots->count] = (struct slot){.stepped = -INFINITY, .sampled = -INFINITY};
    slots->items[slots->count].first = first_of_device(slots, slots->count);
    slots->count++;
}

void slots_init(struct slots *slots, struct journal *journal, struct evaluator *evaluator)
{
    *slots = (struct slots){.journal = journal, .evaluator = evaluator};
    while (slots->count < evaluator->kind->slots(evaluator))
        add_slot(slots);
    count_present(slots);
}

void slots_done(struct slots *slots)
{
    free(slots->items);
}

/* --- what they train --- */

int slots_find_free(const struct slots *slots)
{
    int found = -1, least = 0;
    for (int slot = 0; slot < slots->count && (found < 0 || least > 0); slot++) {
        int beside = slots->items[slots->items[slot].first].running;
        if (slots->items[slot].trial.node || device_of(slots, slot)->lost || (found >= 0 && beside >= least))
            continue;
        found = slot;
        least = beside;
    }
    return found;
}

int slots_find(const struct slots *slots, int64_t node)
{
    for (int slot = 0; slot < slots->count; slot++)
        if (slots->items[slot].trial.node == node)
            return slot;
    return -1;
}

bool slots_has(const struct slots *slots, const struct report *report)
{
    if (report->slot < 0 || report->slot >= slots->count)
        return false;
    const struct trial_slot *trial = &slots->items[report->slot].trial;
    return trial->node && trial->node == report->node && trial->fence == report->fence;
}

void slots_take(struct slots *slots, int slot, const struct trial_slot *trial)
{
    ASSERT(!slots->items[slot].trial.node && trial->node);
    slots->items[slot].trial = *trial;
    slots->items[slots->items[slot].first].running++;
    slots->running++;
}

struct trial_slot slots_release(struct slots *slots, int slot)
{
    struct trial_slot trial = slots->items[slot].trial;
    ASSERT(trial.node);
    slots->items[slot].trial = (struct trial_slot){0};
    slots->items[slots->items[slot].first].running--;
    slots->running--;
    return trial;
}

/* --- what is said of them --- */

void slots_join(struct slots *slots, int slot)
{
    ASSERT(slot >= 0 && slot <= slots->count && (slot == slots->count || !slots->items[slot].trial.node));
    const struct device *device = device_of(slots, slot);
    struct event event = {.kind = EVENT_JOINED};
    event.as.joined.device = event_text("%s", device->id);
    event.as.joined.host = event_text("%s", device->host);
    event.as.joined.name = event_text("%s", device->name);
    event.as.joined.speed_class = event_text("%s", device->speed_class);
    if (slot == slots->count)
        add_slot(slots);
    else
        slots->items[slot].first = first_of_device(slots, slot);
    count_present(slots);
    journal_emit(slots->journal, &event);
}

/* Is it known already that this device is lost? */
static bool is_said(const struct session_state *state, const char *id)
{
    const struct session_device *device = session_device(state, id);
    return device && device->lost;
}

void slots_lose(struct slots *slots, int slot, const char *id, const char *message, bool left)
{
    bool here = !device_of(slots, slot)->host[0];
    count_present(slots);
    if (here && is_said(slots->journal->state, id))
        return;
    struct event event = {.kind = EVENT_LOST};
    event.as.lost.device = event_text("%.*s", (int)(here ? strcspn(id, ".") : strlen(id)), id);
    event.as.lost.message = event_text("%s", message ? message : "");
    event.as.lost.left = left;
    journal_emit(slots->journal, &event);
}

static bool is_time(const struct slots *slots, double *last)
{
    double now = journal_time(slots->journal);
    if (now - *last < slots->present / SHOWN_A_SECOND)
        return false;
    *last = now;
    return true;
}

bool slots_show_step(struct slots *slots, int slot)
{
    return slots->present <= SHOWN_A_SECOND / 2 || is_time(slots, &slots->items[slot].stepped);
}

bool slots_show_sample(struct slots *slots, int slot)
{
    return slot >= 0 && slot < slots->count && !device_of(slots, slot)->lost &&
           is_time(slots, &slots->items[slot].sampled);
}

void slots_emit_sample(struct journal *journal, const char *device, const struct device_sample *sample)
{
    if (!sample->valid)
        return;
#define KNOWN(field, value) (sample->valid & (field) ? sample->value : NAN)
    struct event event = {.kind = EVENT_SAMPLE};
    event.as.sample = (struct event_sample){
        .device = event_text("%s", device),
        .utilisation = KNOWN(DEVICE_UTILISATION, utilisation),
        .memory_used = KNOWN(DEVICE_MEMORY, memory_used),
        .memory_total = KNOWN(DEVICE_MEMORY, memory_total),
        .temperature = KNOWN(DEVICE_TEMPERATURE, temperature),
        .power = KNOWN(DEVICE_POWER, power),
        .clock = KNOWN(DEVICE_CLOCK, clock),
    };
#undef KNOWN
    journal_emit(journal, &event);
}
