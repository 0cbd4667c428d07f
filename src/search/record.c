/*
 * record.c - options, the session and proposals as facts of the log, and back.
 *
 * What is written here must be enough to do the run again; what is read back here is what resume and the
 * policy's batches are made of.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "search/internal.h"
#include "util/bug.h"
#include "util/clock.h"

static void record_options(const struct search_options *options, struct event_texts *texts)
{
    const struct search_option *option;
    for (int i = 0; (option = option_at(i)); i++) {
        struct text text = TEXT_EMPTY;
        text_add(&text, "%s=", option->name);
        options_get(options, option, &text);
        event_texts_add(texts, text_string(&text));
        text_done(&text);
    }
}

int engine_options_of(const struct session_state *state, struct search_options *options, struct error *error)
{
    options_default(options);
    for (int i = 0; i < state->facts.options.count; i++) {
        char name[64];
        const char *item = state->facts.options.items[i], *equals = strchr(item, '=');
        if (!equals || (size_t)(equals - item) >= sizeof name)
            return error_set(error, "the session's first event has a damaged option: %.100s", item);
        memcpy(name, item, (size_t)(equals - item));
        name[equals - item] = '\0';
        if (options_set(options, name, equals + 1, error))
            return error_prefix(error, "the session was made with an option that this program doesn't take");
    }
    return 0;
}

const char *record_input(struct shape input, char text[RECORD_INPUT])
{
    snprintf(text, RECORD_INPUT, "%d,%d,%d", input.channels, input.height, input.width);
    return text;
}

static void record_devices(const struct engine *engine, struct event_texts *ids, struct event_texts *names)
{
    for (int i = 0; i < engine->slot_count; i++) {
        const struct device *device = engine->evaluator->kind->device(engine->evaluator, i);
        event_texts_add(ids, device->id);
        event_texts_add(names, device->name);
    }
}

void record_session(const struct engine *engine, struct event *event)
{
    char hash[HASH_TEXT], input[RECORD_INPUT];
    const struct engine_data *data = &engine->data;
    *event = (struct event){.kind = EVENT_SESSION};
    struct event_session *session = &event->as.session;
    session->format = EVENT_FORMAT;
    session->program = event_text("%s", PACKAGE_STRING);
    session->created = clock_wall();
    session->seed = engine->options.seed;
    record_options(&engine->options, &session->options);
    session->data = event_text("%s", engine->options.data);
    session->data_hash = event_text("%s", hash_print(data->hash, hash));
    session->input = event_text("%s", record_input(data->input, input));
    session->classes = data->classes;
    session->train_images = data->train_images;
    session->validation_images = data->validation_images;
    for (int i = 0; i < engine->match.count; i++)
        event_integers_add(&session->match, engine->match.items[i]);
    record_devices(engine, &session->devices, &session->device_names);
}

void record_opened(const struct engine *engine, struct event *event)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1))
        host[0] = '\0';
    *event = (struct event){.kind = EVENT_OPENED};
    event->as.opened.date = clock_wall();
    event->as.opened.host = event_text("%s", host);
    event->as.opened.process = getpid();
    event->as.opened.program = event_text("%s", PACKAGE_STRING);
    record_devices(engine, &event->as.opened.devices, &event->as.opened.device_names);
}

void record_actions(const struct proposal *proposal, const struct arch *parent, struct event_texts *actions,
                    struct event_integers *steps, struct event_reals *probabilities)
{
    struct arch arch = *parent, next;
    for (int i = 0; i < proposal->count; i++) {
        const struct proposed_action *proposed = &proposal->actions[i];
        struct text text = TEXT_EMPTY;
        action_print(&arch, &proposed->action, &text);
        event_texts_add(actions, text_string(&text));
        text_done(&text);
        event_integers_add(steps, proposed->step);
        if (probabilities)
            event_reals_add(probabilities, proposed->probability);
        if (action_apply(&arch, &proposed->action, &next, NULL))
            break; /* a refused proposal: the last action is the one that can't be */
        arch = next;
    }
}

int record_proposal(const struct arch *parent, const struct event_texts *actions, const struct event_integers *steps,
                    const struct event_reals *probabilities, struct proposal *proposal, struct error *error)
{
    if (actions->count > PROPOSAL_ACTIONS_MAX || steps->count != actions->count ||
        probabilities->count != actions->count)
        return error_set(error, "%d actions, %d steps and %d probabilities don't fit together", actions->count,
                         steps->count, probabilities->count);
    struct arch arch = *parent, next;
    memset(proposal, 0, sizeof *proposal);
    for (int i = 0; i < actions->count; i++) {
        struct proposed_action *proposed = &proposal->actions[proposal->count++];
        if (action_parse(&arch, actions->items[i], &proposed->action, error) ||
            action_apply(&arch, &proposed->action, &next, error))
            return -1;
        proposed->step = (int)steps->items[i];
        proposed->probability = (float)probabilities->items[i];
        arch = next;
    }
    return 0;
}
