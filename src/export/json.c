/*
 * json.c - a tree of jansson values, dumped once.
 *
 * The fields of events come from the lists in sessions/event.h, so that a new field is exported without a line here.
 */
#include "export/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/node.h"
#include "util/bug.h"
#include "util/print.h"

json_t *json_of_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* A network's number; 0: null. */
static json_t *of_number(int64_t node)
{
    return node ? json_integer(node) : json_null();
}

json_t *json_of_text(const char *string)
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
        json_array_append_new(array, json_of_text(texts->items[i]));
    return array;
}

static json_t *of_reals(const struct event_reals *reals)
{
    json_t *array = json_array();
    for (int i = 0; i < reals->count; i++)
        json_array_append_new(array, json_of_real(reals->items[i]));
    return array;
}

static json_t *of_integers(const struct event_integers *integers)
{
    json_t *array = json_array();
    for (int i = 0; i < integers->count; i++)
        json_array_append_new(array, json_integer(integers->items[i]));
    return array;
}

void json_set(json_t *object, const char *key, json_t *value)
{
    int status = json_object_set_new(object, key, value);
    ASSERT(status == 0); /* no memory is all that is left to fail */
}

void json_print(json_t *document, int digits, struct text *text)
{
    char *dump = json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));
    ASSERT(dump);
    text_add(text, "%s\n", dump);
    free(dump);
    json_decref(document);
}

/* All fields of `facts`, a pointer to an event's struct, into `object`. */
#define OF_INTEGER(value)             json_integer(value)
#define OF_REAL(value)                json_of_real(value)
#define OF_BOOL(value)                json_boolean(value)
#define OF_TEXT(value)                json_of_text((value) ? (value) : "")
#define OF_TEXTS(value)               of_texts(&(value))
#define OF_REALS(value)               of_reals(&(value))
#define OF_INTEGERS(value)            of_integers(&(value))
#define OF_AUTHOR(value)              json_of_text(author_name(&(value)))
#define SET_FIELD(type, name, timing) json_set(object, #name, OF_##type(facts->name));

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
        json_set(object, "epoch", json_integer(i + 1));
        json_set(object, "rate", json_of_real(point->rate));
        json_set(object, "train_loss", json_of_real(point->train_loss));
        json_set(object, "train_accuracy", json_of_real(point->train_accuracy));
        json_set(object, "validation_loss", json_of_real(point->validation_loss));
        json_set(object, "validation_accuracy", json_of_real(point->validation_accuracy));
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
    json_set(object, "gain", json_of_real(gain));
    json_set(object, "over", of_number(over));
    json_set(object, "control", of_number(control));
    json_set(object, "phase", json_string(export_phase(node)));
    json_set(object, "flops_spent", json_of_real(node_flops_spent(state, node)));
}

static json_t *of_node(const struct session_state *state, const struct session_node *node)
{
    const struct event_proposal *facts = &node->facts;
    bool measured = export_is_measured(node), done = node->status == NODE_DONE;
    json_t *object = json_object();
    EVENT_FIELDS_NODE(SET_FIELD)
    json_set(object, "status", json_string(export_status(node->status)));
    json_set(object, "accuracy", json_of_real(measured ? node->accuracy : NAN));
    json_set(object, "loss", json_of_real(measured ? node->loss : NAN));
    json_set(object, "joined", json_of_real(node->joined));
    json_set(object, "started", json_of_real(node->attempts ? node->started : NAN));
    json_set(object, "ended", json_of_real(node->ended > 0 ? node->ended : NAN));
    json_set(object, "device", json_of_text(node->device));
    json_set(object, "attempts", json_integer(node->attempts));
    json_set(object, "epochs", json_integer(node->epochs));
    json_set(object, "seconds", json_of_real(done ? node->seconds : NAN));
    json_set(object, "images_per_second", json_of_real(done ? node->images_per_second : NAN));
    json_set(object, "weights", json_of_text(node->dropped ? NULL : node->weights));
    json_set(object, "weights_hash", json_of_text(node->weights_hash));
    json_set(object, "stopped", json_of_text(node->stopped));
    json_set(object, "predicted", json_of_real(node->stopped ? node->predicted : NAN));
    json_set(object, "failure", json_of_text(node->failure));
    json_set(object, "pinned", json_boolean(node->pinned));
    json_set(object, "pruned", json_boolean(node->pruned));
    json_set(object, "note", json_of_text(node->note));
    json_set(object, "children", json_integer(node->child_count));
    json_set(object, "proposed_again", json_integer(node->known_count));
    set_round(object, state, node);
    json_set(object, "curve", of_curve(node));
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
    json_set(object, "known", json_boolean(record->answer == EVENT_KNOWN));
    json_set(object, "by_user", json_boolean(facts->by.value == AUTHOR_USER));
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
    json_set(object, "time", json_of_real(record->time));
    return object;
}

static json_t *of_device(const struct session_device *device)
{
    const struct event_sample *facts = &device->sample;
    json_t *object = json_object(), *sample = json_null();
    if (device->sampled >= 0) {
        sample = json_object();
        json_set(sample, "time", json_of_real(device->sampled));
        json_set(sample, "utilisation", json_of_real(facts->utilisation));
        json_set(sample, "memory_used", json_of_real(facts->memory_used));
        json_set(sample, "memory_total", json_of_real(facts->memory_total));
        json_set(sample, "temperature", json_of_real(facts->temperature));
        json_set(sample, "power", json_of_real(facts->power));
        json_set(sample, "clock", json_of_real(facts->clock));
    }
    json_set(object, "id", json_of_text(device->id));
    json_set(object, "name", json_of_text(device->name));
    json_set(object, "node", json_integer(device->node));
    json_set(object, "host", json_of_text(device->host));
    json_set(object, "speed_class", json_of_text(device->speed_class));
    json_set(object, "lost", json_boolean(device->lost));
    json_set(object, "left", json_boolean(device->left));
    json_set(object, "sample", sample);
    return object;
}

static json_t *of_counts(const struct session_state *state)
{
    json_t *object = json_object();
    for (int status = 0; status < NODE_STATUS_COUNT; status++)
        json_set(object, export_status((enum node_status)status), json_integer(state->status_count[status]));
    json_set(object, "proposals", json_integer(state->proposal_count));
    json_set(object, "known", json_integer(state->known_count));
    json_set(object, "refused", json_integer(state->refused_count));
    json_set(object, "failures", json_integer(state->failure_count));
    json_set(object, "commands", json_integer(state->command_count));
    json_set(object, "opened", json_integer(state->opened_count));
    return object;
}

static json_t *of_budget(const struct session_state *state)
{
    json_t *object = json_object();
    json_set(object, "episodes", json_integer(state->budget_episodes));
    json_set(object, "networks", json_integer(state->budget_networks));
    json_set(object, "seconds", json_of_real(state->budget_seconds));
    json_set(object, "flops", json_of_real(state->budget_flops));
    return object;
}

static json_t *of_test(const struct session_test *test)
{
    json_t *object = json_object();
    json_set(object, "node", json_integer(test->node));
    json_set(object, "accuracy", json_of_real(test->accuracy));
    json_set(object, "loss", json_of_real(test->loss));
    json_set(object, "images", json_integer(test->images));
    json_set(object, "time", json_of_real(test->time));
    return object;
}

static json_t *of_settings(const struct session_state *state)
{
    json_t *object = json_object();
    json_set(object, "epochs", json_integer(state->epochs));
    json_set(object, "rate", state->rate < 0 ? json_null() : json_of_real(state->rate));
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

    json_set(object, "session", of_session(&state->facts));
    json_set(object, "events", json_integer(state->event_count));
    json_set(object, "time", json_of_real(state->time));
    json_set(object, "paused", json_boolean(state->paused));
    json_set(object, "finished", json_boolean(state->finished));
    json_set(object, "finish_reason",
             json_of_text(*finish_name(&state->finish_reason) ? finish_name(&state->finish_reason) : NULL));
    json_set(object, "finish_message", json_of_text(state->finish_message));
    json_set(object, "phase", json_string(export_session_phase(state)));
    json_set(object, "flops_spent", json_of_real(session_flops(state)));
    json_set(object, "test", state->test.node ? of_test(&state->test) : json_null());
    json_set(object, "best", of_number(state->best));
    json_set(object, "best_time", state->best ? json_of_real(state->best_time) : json_null());
    json_set(object, "episode", json_integer(state->episode));
    json_set(object, "budget", of_budget(state));
    json_set(object, "settings", of_settings(state));
    json_set(object, "changed", of_texts(&state->changed));
    json_set(object, "counts", of_counts(state));
    json_set(object, "nodes", nodes);
    json_set(object, "proposals", proposals);
    json_set(object, "policy", policies);
    json_set(object, "devices", devices);
    json_set(object, "instructions", of_texts(&state->instructions));
    return object;
}

void export_json(const struct session_state *state, struct text *text)
{
    json_print(of_state(state), 15, text); /* 15 digits print 0.9137 as 0.9137 */
}
