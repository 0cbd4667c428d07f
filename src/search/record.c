/* record.c - see record.h. */
#include "config.h"

#include "search/record.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

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

/* Options that the first sessions don't have, as their searches were. */
static const struct {
    const char *name, *value;
} first_options[] = {{"finish", "0"},   {"baseline", "no"}, {"steady", "no"},   {"average", "0"},
                     {"trades", "no"},  {"mixup", "0"},     {"space", "plain"}, {"picture-rules", "1"},
                     {"asynchronous", "no"}};

/* The option `reward-baseline` was called `baseline` in them. */
static const char *name_now(const char *name, const char *value)
{
    bool first = !strcmp(name, "baseline") && (!strcmp(value, "paper") || !strcmp(value, "released"));
    return first ? "reward-baseline" : name;
}

static int set_options(const struct event_texts *items, struct search_options *options, struct error *error)
{
    for (int i = 0; i < items->count; i++) {
        char name[64];
        const char *item = items->items[i], *equals = strchr(item, '=');
        if (!equals || (size_t)(equals - item) >= sizeof name)
            return error_set(error, "the session has a damaged option: %.100s", item);
        memcpy(name, item, (size_t)(equals - item));
        name[equals - item] = '\0';
        if (options_set(options, name_now(name, equals + 1), equals + 1, error))
            return error_prefix(error, "the session was made with an option that this program doesn't take");
    }
    return 0;
}

int options_of_session(const struct session_state *state, struct search_options *options, struct error *error)
{
    options_default(options);
    for (size_t i = 0; i < COUNT_OF(first_options); i++)
        if (options_set(options, first_options[i].name, first_options[i].value, error))
            BUG(error->text);
    return set_options(&state->facts.options, options, error) || set_options(&state->changed, options, error) ? -1 : 0;
}

const char *record_input(struct shape input, char text[RECORD_INPUT])
{
    snprintf(text, RECORD_INPUT, "%d,%d,%d", input.channels, input.height, input.width);
    return text;
}

static void record_devices(const struct evaluator *evaluator, struct event_texts *ids, struct event_texts *names)
{
    for (int i = 0; i < evaluator->kind->slots(evaluator); i++) {
        const struct device *device = evaluator->kind->device(evaluator, i);
        event_texts_add(ids, device->id);
        event_texts_add(names, device->name);
    }
}

static void record_facts(const struct data_facts *facts, struct event_session *session)
{
    for (int i = 0; i < facts->classes; i++)
        event_texts_add(&session->class_names, facts->class_names[i]);
    for (int i = 0; i < facts->channels; i++) {
        event_reals_add(&session->mean, facts->pixels.mean[i]);
        event_reals_add(&session->deviation, facts->pixels.deviation[i]);
    }
    session->layout = event_text("%s", facts->layout);
    session->mirrors = facts->mirrors;
}

void data_facts_of_session(const struct event_session *session, struct data_facts *facts)
{
    int channels = session->mean.count;
    *facts = (struct data_facts){0};
    if (!session->class_names.count || channels > IMAGES_CHANNELS_MAX || session->deviation.count != channels)
        return;
    *facts = (struct data_facts){.classes = session->class_names.count,
                                 .class_names = memory_new((size_t)session->class_names.count, sizeof(char *)),
                                 .channels = channels,
                                 .layout = event_text("%s", session->layout ? session->layout : ""),
                                 .mirrors = session->mirrors,
                                 .data = event_text("%s", session->data ? session->data : ""),
                                 .hash = hash_scan(session->data_hash ? session->data_hash : "")};
    for (int i = 0; i < facts->classes; i++)
        facts->class_names[i] = event_text("%s", session->class_names.items[i]);
    for (int i = 0; i < channels; i++) {
        facts->pixels.mean[i] = session->mean.items[i];
        facts->pixels.deviation[i] = session->deviation.items[i];
    }
}

void record_session(const struct search_options *options, const struct search_data *data,
                    const struct event_integers *match, const struct evaluator *evaluator, struct event *event)
{
    char hash[HASH_TEXT], input[RECORD_INPUT];
    *event = (struct event){.kind = EVENT_SESSION};
    struct event_session *session = &event->as.session;
    session->format = EVENT_FORMAT;
    session->program = event_text("%s", PACKAGE_STRING);
    session->created = clock_wall();
    session->seed = options->seed;
    record_options(options, &session->options);
    session->data = event_text("%s", options->data);
    session->data_hash = event_text("%s", hash_print(data->hash, hash));
    session->input = event_text("%s", record_input(data->input, input));
    session->classes = data->classes;
    session->train_images = data->train_images;
    session->validation_images = data->validation_images;
    for (int i = 0; i < match->count; i++)
        event_integers_add(&session->match, match->items[i]);
    record_devices(evaluator, &session->devices, &session->device_names);
    if (data->facts)
        record_facts(data->facts, session);
}

void record_opened(const struct evaluator *evaluator, struct event *event)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1))
        host[0] = '\0';
    *event = (struct event){.kind = EVENT_OPENED};
    event->as.opened.date = clock_wall();
    event->as.opened.host = event_text("%s", host);
    event->as.opened.process = getpid();
    event->as.opened.program = event_text("%s", PACKAGE_STRING);
    record_devices(evaluator, &event->as.opened.devices, &event->as.opened.device_names);
    event->as.opened.instructions = event_text("%s", backend_cpu()->instructions);
}

void record_proposal(const struct proposal *proposal, const struct arch *parent, enum event_kind kind,
                     struct event_proposal *facts)
{
    struct arch arch = *parent, next;
    for (int i = 0; i < proposal->count; i++) {
        const struct proposed_action *proposed = &proposal->actions[i];
        struct text text = TEXT_EMPTY;
        action_print(&arch, &proposed->action, &text);
        event_texts_add(&facts->actions, text_string(&text));
        text_done(&text);
        event_integers_add(&facts->steps, proposed->step);
        if (kind != EVENT_REFUSED)
            event_reals_add(&facts->probabilities, proposed->probability);
        if (action_apply(&arch, &proposed->action, &next, NULL))
            break; /* a refused proposal: the last action is the one that can't be */
        arch = next;
    }
    if (kind == EVENT_REFUSED)
        return;
    facts->log_probability = proposal->log_probability;
    facts->entropy = proposal->entropy;
}

int recorded_proposal(const struct arch *parent, const struct event_proposal *facts, struct proposal *proposal,
                      struct error *error)
{
    int count = facts->actions.count;
    if (count > PROPOSAL_ACTIONS_MAX || facts->steps.count != count || facts->probabilities.count != count)
        return error_set(error, "%d actions, %d steps and %d probabilities don't fit together", count,
                         facts->steps.count, facts->probabilities.count);
    struct arch arch = *parent, next;
    memset(proposal, 0, sizeof *proposal);
    for (int i = 0; i < count; i++) {
        struct proposed_action *proposed = &proposal->actions[proposal->count++];
        if (action_parse(&arch, facts->actions.items[i], &proposed->action, error) ||
            action_apply(&arch, &proposed->action, &next, error))
            return -1;
        proposed->step = (int)facts->steps.items[i];
        proposed->probability = (float)facts->probabilities.items[i];
        arch = next;
    }
    return 0;
}
