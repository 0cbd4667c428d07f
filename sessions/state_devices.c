/*
 * state_devices.c - the devices of a session: which there are, what they train, how busy they are.
 *
 * A farm has hundreds, and they come and go: a device is found by its id in chains (`device_chains`, a power of two of
 * heads, as many as there are devices or more).  A session names at most SESSION_DEVICES_MAX of them; when that many
 * are known, a new one takes the place of one of another machine that is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "sessions/state_internal.h"
#include "util/memory.h"

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static void replace_text(char **text, const char *with)
{
    free(*text);
    *text = memory_copy_text(text_of(with));
}

/* --- finding ------------------------------------------------------------------------------------------------- */

enum { NO_DEVICE = -1 };

static int *chain_of(const struct session_state *state, const char *id)
{
    return &state->device_chains[hash_of(id, strlen(id)).low & (uint64_t)(state->device_chain_count - 1)];
}

struct session_device *state_device(const struct session_state *state, const char *id)
{
    for (int i = state->device_count ? *chain_of(state, id) : NO_DEVICE; i != NO_DEVICE; i = state->devices[i].next)
        if (!strcmp(state->devices[i].id, id))
            return &state->devices[i];
    return NULL;
}

const struct session_device *session_device(const struct session_state *state, const char *id)
{
    return state_device(state, id);
}

bool device_is_present(const struct session_device *device)
{
    return !device->lost && !device->left;
}

int session_devices_present(const struct session_state *state)
{
    int count = 0;
    for (int i = 0; i < state->device_count; i++)
        count += device_is_present(&state->devices[i]);
    return count;
}

bool session_waits_for_device(const struct session_state *state)
{
    return state->served && !state->finished && !session_devices_present(state);
}

static void link_device(struct session_state *state, int i)
{
    int *chain = chain_of(state, state->devices[i].id);
    state->devices[i].next = *chain;
    *chain = i;
}

static void unlink_device(struct session_state *state, int i)
{
    int *place = chain_of(state, state->devices[i].id);
    while (*place != i)
        place = &state->devices[*place].next;
    *place = state->devices[i].next;
}

static void grow_chains(struct session_state *state)
{
    if (state->device_count <= state->device_chain_count)
        return;
    state->device_chain_count = state->device_chain_count ? 2 * state->device_chain_count : 8;
    free(state->device_chains);
    state->device_chains = memory_new((size_t)state->device_chain_count, sizeof *state->device_chains);
    for (int i = 0; i < state->device_chain_count; i++)
        state->device_chains[i] = NO_DEVICE;
    for (int i = 0; i < state->device_count - 1; i++)
        link_device(state, i);
}

/* --- new ones ------------------------------------------------------------------------------------------------ */

static bool may_be_forgotten(const struct session_device *device)
{
    return device->host[0] && !device_is_present(device) && !device->node;
}

int state_devices_to_forget(const struct session_state *state)
{
    int count = 0;
    for (int i = 0; i < state->device_count; i++)
        count += may_be_forgotten(&state->devices[i]);
    return count;
}

static void device_done(struct session_device *device)
{
    free(device->id);
    free(device->name);
    free(device->host);
    free(device->speed_class);
}

/* The place of a new device: after the last, or of the next that may be forgotten. */
static int new_place(struct session_state *state)
{
    for (int tries = 0; state->device_count >= SESSION_DEVICES_MAX && tries < state->device_count; tries++) {
        int i = state->device_hand++ % state->device_count;
        state->device_hand %= state->device_count;
        if (!may_be_forgotten(&state->devices[i]))
            continue;
        unlink_device(state, i);
        device_done(&state->devices[i]);
        return i;
    }
    state->devices =
        memory_grow(state->devices, (size_t)state->device_count, &state->device_capacity, sizeof *state->devices);
    return state->device_count++;
}

static struct session_device *device_at(struct session_state *state, const char *id)
{
    struct session_device *known = state_device(state, id);
    if (known)
        return known;
    int place = new_place(state);
    state->devices[place] = (struct session_device){.id = memory_copy_text(id),
                                                    .name = memory_copy_text(""),
                                                    .host = memory_copy_text(""),
                                                    .speed_class = memory_copy_text(""),
                                                    .sampled = -1};
    grow_chains(state);
    link_device(state, place);
    return &state->devices[place];
}

void state_add_devices(struct session_state *state, const struct event_texts *ids, const struct event_texts *names)
{
    for (int i = 0; i < ids->count; i++) {
        struct session_device *device = device_at(state, ids->items[i]);
        replace_text(&device->name, i < names->count ? names->items[i] : "");
        device->left = false;
    }
}

/* --- what happens to them ------------------------------------------------------------------------------------ */

/* `says`: the event lists the devices of this machine, as the oldest don't.  Those of other machines join again. */
void state_devices_opened(struct session_state *state, bool says)
{
    for (int i = 0; i < state->device_count; i++) {
        state->devices[i].lost = false;
        state->devices[i].left = says || state->devices[i].host[0];
    }
}

void state_devices_stop(struct session_state *state)
{
    for (int i = 0; i < state->device_count; i++)
        state->devices[i].node = 0;
}

void state_device_trains(struct session_state *state, const char *id, int64_t node)
{
    if (!id[0])
        return;
    struct session_device *device = device_at(state, id);
    device->node = node;
    device->left = false; /* a processor in place of a GPU is not listed */
}

void state_device_release(struct session_state *state, const struct session_node *node)
{
    struct session_device *device = state_device(state, text_of(node->device));
    if (device && device->node == node->facts.node)
        device->node = 0;
}

void state_apply_joined(struct session_state *state, const struct event_joined *facts)
{
    struct session_device *device = device_at(state, text_of(facts->device));
    replace_text(&device->name, facts->name);
    replace_text(&device->host, facts->host);
    replace_text(&device->speed_class, facts->speed_class);
    state->served |= device->host[0] != '\0';
    device->lost = device->left = false;
    device->sampled = -1;
}

static void lose(struct session_device *device, bool left)
{
    device->lost = !left;
    device->left = left;
}

/* One of this machine goes with all its trainers, one of another machine by itself. */
void state_apply_lost(struct session_state *state, const struct event_lost *facts)
{
    const char *id = text_of(facts->device);
    size_t length = strlen(id);
    struct session_device *named = device_at(state, id);
    lose(named, facts->left);
    for (int i = 0; i < state->device_count && !named->host[0]; i++) {
        struct session_device *device = &state->devices[i];
        if (!strncmp(device->id, id, length) && device->id[length] == '.')
            lose(device, facts->left);
    }
}

void state_apply_sample(struct session_state *state, const struct event_sample *facts, double time)
{
    struct session_device *device = device_at(state, text_of(facts->device));
    device->sample = *facts;
    device->sample.device = NULL;
    device->sampled = time;
}

/* --- as a value ---------------------------------------------------------------------------------------------- */

void state_devices_copy(const struct session_state *from, struct session_state *to)
{
    to->devices = NULL;
    to->device_chains = NULL;
    if (!from->device_count)
        return;
    size_t count = (size_t)from->device_count, chains = (size_t)from->device_chain_count;
    to->devices = memcpy(memory_new(count, sizeof *to->devices), from->devices, count * sizeof *to->devices);
    to->device_capacity = count;
    for (size_t i = 0; i < count; i++) {
        to->devices[i].id = memory_copy_text(from->devices[i].id);
        to->devices[i].name = memory_copy_text(from->devices[i].name);
        to->devices[i].host = memory_copy_text(from->devices[i].host);
        to->devices[i].speed_class = memory_copy_text(from->devices[i].speed_class);
    }
    to->device_chains =
        memcpy(memory_new(chains, sizeof *to->device_chains), from->device_chains, chains * sizeof *to->device_chains);
}

void state_devices_free(struct session_state *state)
{
    for (int i = 0; i < state->device_count; i++)
        device_done(&state->devices[i]);
    free(state->devices);
    free(state->device_chains);
}
