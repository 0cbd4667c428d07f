/*
 * json.c - a tree of jansson values, dumped once.
 *
 * The fields of events come from the lists in sessions/event.h, so that a new field is exported without a line here.
 * jansson takes only UTF-8 and finite numbers: other text is escaped as in print.h, and other numbers are null.
 */
#include "export/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/node.h"
#include "util/bug.h"
#include "util/print.h"

/* Fifteen digits print 0.9137 as 0.9137, and lose nothing that a measurement has. */
#define DUMP_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(15))

static json_t *of_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* A network's number; 0: null. */
static json_t *of_number(int64_t node)
{
    return node ? json_integer(node) : json_null();
}

static json_t *of_text(const char *string)
{
    if (!string)
        return json_null();
    json_t *value = json_string(string);
    if (value)
        return value;
    struct text visible = TEXT_EMPTY;
    print_add(&visible, string);
    value = json_string(text_string(&visible));
    text_done(&visible);
    return value;
}

static json_t *of_texts(const struct event_texts *texts)
{
    json_t *array = json_array();
    for (int i = 0; i < texts->count; i++)
        json_array_append_new(array, of_text(texts->items[i]));
    return array;
}

static json_t *of_reals(const struct event_reals *reals)
{
    json_t *array = json_array();
    for (int i = 0; i < reals->count; i++)
        json_array_append_new(array, of_real(reals->items[i]));
    return array;
}

static json_t *of_integers(const struct event_integers *integers)
{
    json_t *array = json_array();
    for (int i = 0; i < integers->count; i++)
        json_array_append_new(array, json_integer(integers->items[i]));
    return array;
}

static void set(json_t *object, const char *key, json_t *value)
{
    int status = json_object_set_new(object, key, value);
    ASSERT(status == 0); /* no memory is all that is left to fail */
}

/* All fields of `facts`, a pointer to an event's struct, into `object`. */
#define OF_INTEGER(value)             json_integer(value)
#define OF_REAL(value)                of_real(value)
#define OF_BOOL(value)                json_boolean(value)
#define OF_TEXT(value)                of_text((value) ? (value) : "")
#define OF_TEXTS(value)               of_texts(&(value))
#define OF_REALS(value)               of_reals(&(value))
#define OF_INTEGERS(value)            of_integers(&(value))
#define OF_AUTHOR(value)              of_text(author_name(&(value)))
#define SET_FIELD(type, name, timing) set(object, #name, OF_##type(facts->name));

static json_t *of_session(const struct event_session *facts)
{
    json_t *object = json_object();
    EVENT_FIELDS_SESSION(SET_FIELD)
    return object;
}

static json_t *of_curve(const struct session_node *node)
{
    json_t *array = json_array();
    for (int i = 0; i < node->curve_count; i++) {
        const struct curve_point *point = &node->curve[i];
        json_t *object = json_object();
        set(object, "epoch", json_integer(i + 1));
        set(object, "rate", of_real(point->rate));
        set(object, "train_loss", of_real(point->train_loss));
        set(object, "train_accuracy", of_real(point->train_accuracy));
        set(object, "validation_loss", of_real(point->validation_loss));
        set(object, "validation_accuracy", of_real(point->validation_accuracy));
        json_array_append_new(array, object);
    }
    return array;
}

/* The fields of searches that are made of rounds. */
static void set_round(json_t *object, const struct session_state *state, const struct session_node *node)
{
    double gain = NAN;
    int64_t over = 0, control = session_control(state, node->facts.node);
    session_gain(state, node->facts.node, &gain, &over);
    set(object, "gain", of_real(gain));
    set(object, "over", of_number(over));
    set(object, "control", of_number(control));
    set(object, "phase", json_string(export_phase(node)));
    set(object, "flops_spent", of_real(node_flops_spent(state, node)));
}

static json_t *of_node(const struct session_state *state, const struct session_node *node)
{
    const struct event_proposal *facts = &node->facts;
    bool measured = export_is_measured(node), done = node->status == NODE_DONE;
    json_t *object = json_object();
    EVENT_FIELDS_NODE(SET_FIELD)
    set(object, "status", json_string(export_status(node->status)));
    set(object, "accuracy", of_real(measured ? node->accuracy : NAN));
    set(object, "loss", of_real(measured ? node->loss : NAN));
    set(object, "joined", of_real(node->joined));
    set(object, "started", of_real(node->attempts ? node->started : NAN));
    set(object, "ended", of_real(node->ended > 0 ? node->ended : NAN));
    set(object, "device", of_text(node->device));
    set(object, "attempts", json_integer(node->attempts));
    set(object, "epochs", json_integer(node->epochs));
    set(object, "seconds", of_real(done ? node->seconds : NAN));
    set(object, "images_per_second", of_real(done ? node->images_per_second : NAN));
    set(object, "weights", of_text(node->dropped ? NULL : node->weights));
    set(object, "weights_hash", of_text(node->weights_hash));
    set(object, "stopped", of_text(node->stopped));
    set(object, "predicted", of_real(node->stopped ? node->predicted : NAN));
    set(object, "failure", of_text(node->failure));
    set(object, "pinned", json_boolean(node->pinned));
    set(object, "pruned", json_boolean(node->pruned));
    set(object, "note", of_text(node->note));
    set(object, "children", json_integer(node->child_count));
    set(object, "proposed_again", json_integer(node->known_count));
    set_round(object, state, node);
    set(object, "curve", of_curve(node));
    return object;
}

static json_t *of_proposal(const struct proposal_record *record)
{
    const struct event_proposal *facts = &record->facts;
    json_t *object = json_object();
    SET_FIELD(INTEGER, proposal, FACT)
    SET_FIELD(INTEGER, episode, FACT)
    SET_FIELD(INTEGER, parent, FACT)
    SET_FIELD(INTEGER, node, FACT)
    set(object, "known", json_boolean(record->answer == EVENT_KNOWN));
    set(object, "by_user", json_boolean(facts->by.value == AUTHOR_USER));
    SET_FIELD(TEXTS, actions, FACT)
    SET_FIELD(INTEGERS, steps, FACT)
    SET_FIELD(REALS, probabilities, FACT)
    SET_FIELD(REAL, log_probability, FACT)
    SET_FIELD(REAL, entropy, FACT)
    return object;
}

static json_t *of_policy(const struct policy_record *record)
{
    const struct event_policy *facts = &record->facts;
    json_t *object = json_object();
    EVENT_FIELDS_POLICY(SET_FIELD)
    set(object, "time", of_real(record->time));
    return object;
}

static json_t *of_device(const struct session_device *device)
{
    const struct event_sample *facts = &device->sample;
    json_t *object = json_object(), *sample = json_null();
    if (device->sampled >= 0) {
        sample = json_object();
        set(sample, "time", of_real(device->sampled));
        set(sample, "utilisation", of_real(facts->utilisation));
        set(sample, "memory_used", of_real(facts->memory_used));
        set(sample, "memory_total", of_real(facts->memory_total));
        set(sample, "temperature", of_real(facts->temperature));
        set(sample, "power", of_real(facts->power));
        set(sample, "clock", of_real(facts->clock));
    }
    set(object, "id", of_text(device->id));
    set(object, "name", of_text(device->name));
    set(object, "node", json_integer(device->node));
    set(object, "lost", json_boolean(device->lost));
    set(object, "sample", sample);
    return object;
}

static json_t *of_counts(const struct session_state *state)
{
    json_t *object = json_object();
    for (int status = 0; status < NODE_STATUS_COUNT; status++)
        set(object, export_status((enum node_status)status), json_integer(state->status_count[status]));
    set(object, "proposals", json_integer(state->proposal_count));
    set(object, "known", json_integer(state->known_count));
    set(object, "refused", json_integer(state->refused_count));
    set(object, "failures", json_integer(state->failure_count));
    set(object, "commands", json_integer(state->command_count));
    set(object, "opened", json_integer(state->opened_count));
    return object;
}

static json_t *of_budget(const struct session_state *state)
{
    json_t *object = json_object();
    set(object, "episodes", json_integer(state->budget_episodes));
    set(object, "networks", json_integer(state->budget_networks));
    set(object, "seconds", of_real(state->budget_seconds));
    set(object, "flops", of_real(state->budget_flops));
    return object;
}

static json_t *of_test(const struct session_test *test)
{
    json_t *object = json_object();
    set(object, "node", json_integer(test->node));
    set(object, "accuracy", of_real(test->accuracy));
    set(object, "loss", of_real(test->loss));
    set(object, "images", json_integer(test->images));
    set(object, "time", of_real(test->time));
    return object;
}

static json_t *of_settings(const struct session_state *state)
{
    json_t *object = json_object();
    set(object, "epochs", json_integer(state->epochs));
    set(object, "rate", state->rate < 0 ? json_null() : of_real(state->rate));
    return object;
}

static json_t *of_state(const struct session_state *state)
{
    json_t *object = json_object();
    json_t *nodes = json_array(), *proposals = json_array(), *policies = json_array(), *devices = json_array();
    for (int64_t i = 0; i < state->node_count; i++)
        json_array_append_new(nodes, of_node(state, state->nodes[i]));
    for (int64_t i = 0; i < state->proposal_count; i++)
        json_array_append_new(proposals, of_proposal(state->proposals[i]));
    for (int64_t i = 0; i < state->policy_count; i++)
        json_array_append_new(policies, of_policy(state->policies[i]));
    for (int i = 0; i < state->device_count; i++)
        json_array_append_new(devices, of_device(&state->devices[i]));

    set(object, "session", of_session(&state->facts));
    set(object, "events", json_integer(state->event_count));
    set(object, "time", of_real(state->time));
    set(object, "paused", json_boolean(state->paused));
    set(object, "finished", json_boolean(state->finished));
    set(object, "finish_reason",
        of_text(*finish_name(&state->finish_reason) ? finish_name(&state->finish_reason) : NULL));
    set(object, "finish_message", of_text(state->finish_message));
    set(object, "phase", json_string(export_session_phase(state)));
    set(object, "flops_spent", of_real(session_flops(state)));
    set(object, "test", state->test.node ? of_test(&state->test) : json_null());
    set(object, "best", of_number(state->best));
    set(object, "best_time", state->best ? of_real(state->best_time) : json_null());
    set(object, "episode", json_integer(state->episode));
    set(object, "budget", of_budget(state));
    set(object, "settings", of_settings(state));
    set(object, "changed", of_texts(&state->changed));
    set(object, "counts", of_counts(state));
    set(object, "nodes", nodes);
    set(object, "proposals", proposals);
    set(object, "policy", policies);
    set(object, "devices", devices);
    set(object, "instructions", of_texts(&state->instructions));
    return object;
}

void export_json(const struct session_state *state, struct text *text)
{
    json_t *document = of_state(state);
    char *dump = json_dumps(document, DUMP_FLAGS);
    ASSERT(dump);
    text_add(text, "%s\n", dump);
    free(dump);
    json_decref(document);
}
