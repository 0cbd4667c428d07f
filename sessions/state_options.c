/*
 * state_options.c - the options of a session: those of its first event, and those that were changed since.
 *
 * An option that was changed is in `changed` once, with its last value.  Budgets, epochs and the rate have events and
 * fields of their own, which are set here too.
 */
#include <stdlib.h>
#include <string.h>

#include "sessions/state_internal.h"
#include "util/memory.h"

/* The item "name=value" of that name; NULL: there is none. */
static char **find_option(const struct event_texts *options, const char *name, size_t length)
{
    for (int i = 0; i < options->count; i++)
        if (!strncmp(options->items[i], name, length) && options->items[i][length] == '=')
            return &options->items[i];
    return NULL;
}

const char *session_option(const struct session_state *state, const char *name)
{
    size_t length = strlen(name);
    char **option = find_option(&state->changed, name, length);
    if (!option)
        option = find_option(&state->facts.options, name, length);
    return option ? *option + length + 1 : NULL;
}

bool session_option_is(const struct session_state *state, const char *name, const char *word)
{
    const char *value = session_option(state, name);
    return value && !strcmp(value, word);
}

bool session_is_asynchronous(const struct session_state *state)
{
    if (session_option_is(state, "parent", "race")) /* whose rounds wait for their control */
        return false;
    return session_option_is(state, "asynchronous", "yes") ||
           (session_option_is(state, "asynchronous", "auto") && session_devices_present(state) > DEVICES_FEW);
}

int64_t session_update_size(const struct session_state *state)
{
    int64_t size = 1, quarter = session_is_asynchronous(state) ? (session_devices_present(state) + 3) / 4 : 0;
    const char *text = session_option(state, "episode-networks");
    if (text && text_to_integer(text, 1, 1000000, &size))
        size = 1;
    return size > quarter ? size : quarter;
}

void state_apply_changed(struct session_state *state, const struct event_changed *facts)
{
    for (int i = 0; i < facts->options.count; i++) {
        const char *item = facts->options.items[i];
        char **before = find_option(&state->changed, item, strcspn(item, "="));
        if (before) {
            free(*before);
            *before = memory_copy_text(item);
        } else {
            event_texts_add(&state->changed, item);
        }
    }
}

void state_apply_budget(struct session_state *state, const struct event_budget *facts)
{
    state->budget_episodes = facts->episodes;
    state->budget_networks = facts->networks;
    state->budget_seconds = facts->seconds;
    state->budget_flops = facts->flops;
}

void state_apply_settings(struct session_state *state, const struct event_settings *facts)
{
    state->epochs = facts->epochs;
    state->rate = facts->rate;
}
