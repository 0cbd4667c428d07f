/*
 * test_export.c - one small session, folded from events by hand, as JSON, CSV and Graphviz.
 *
 * Four networks: the start, done and best; one widened and deepened that diverged, with a note that needs quoting;
 * one by a person, in training; one that waits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "export/csv.h"
#include "export/dot.h"
#include "export/json.h"
#include "export/predictions.h"
#include "export/pytorch.h"
#include "race_session.h"
#include "util/bug.h"

#define TEXTS(...)                                                                                                     \
    {                                                                                                                  \
        (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[])                                            \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* Texts are literals: the state copies what it keeps, and nothing is freed here. */
static void apply(struct session_state *state, double time, struct event event)
{
    struct error error;
    event.time = time;
    event.number = state->last_number + (event_is_durable(event.kind) ? 1 : 0);
    if (session_apply(state, &event, &error) < 0)
        fail_msg("%s at %g: %s", event_kind_name(event.kind), time, error.text);
}

static void add_session(struct session_state *state)
{
    struct event_session session = {.format = EVENT_FORMAT,
                                    .program = "espalier 0.1.0",
                                    .created = 1.7e9,
                                    .seed = 9007199254740993, /* 2^53 + 1: exact in JSON too */
                                    .options = TEXTS("epochs=2", "networks=8"),
                                    .data = "fashion-mnist",
                                    .data_hash = "",
                                    .input = "1,28,28",
                                    .classes = 10,
                                    .train_images = 100,
                                    .validation_images = 50,
                                    .devices = TEXTS("cpu:0"),
                                    .device_names = TEXTS("a processor")};
    apply(state, 0, (struct event){.kind = EVENT_SESSION, .as.session = session});
}

static void add_node(struct session_state *state, double time, struct event_proposal node)
{
    apply(state, time, (struct event){.kind = EVENT_NODE, .as.node = node});
}

static void add_started(struct session_state *state, double time, int64_t node)
{
    struct event_started started = {.node = node, .device = "cpu:0", .attempt = 1, .epochs = 2};
    apply(state, time, (struct event){.kind = EVENT_STARTED, .as.started = started});
}

static void add_epoch(struct session_state *state, double time, int64_t node, int64_t epoch, double accuracy)
{
    struct event_epoch facts = {node, epoch, 2, 0.02, 1.5, 0.5, 1.25, accuracy, 3, 1000};
    apply(state, time, (struct event){.kind = EVENT_EPOCH, .as.epoch = facts});
}

static struct session_state *small_session(void)
{
    struct session_state *state = session_state_new();
    add_session(state);
    add_node(state, 0,
             (struct event_proposal){.node = 1,
                                 .by = {AUTHOR_START},
                                 .arch = "C(4,3,1) SM(10)",
                                 .parameters = 31404,
                                 .flops = 120000,
                                 .activation_bytes = 12544});
    add_started(state, 1, 1);
    add_epoch(state, 4, 1, 1, 0.75);
    add_epoch(state, 7, 1, 2, 0.8125);
    struct event_result result = {.node = 1,
                                  .accuracy = 0.8125,
                                  .loss = 0.625,
                                  .epochs = 2,
                                  .seconds = 6,
                                  .images_per_second = 1000,
                                  .weights = "1.safetensors",
                                  .weights_hash = "00ff",
                                  .weight_norms = {2, (double[]){2.5, 3}},
                                  .gradient_norms = {2, (double[]){0.25, 0.5}},
                                  .dead = {2, (double[]){0.75, NAN}},
                                  .fresh = {2, (double[]){1.25, NAN}}};
    apply(state, 7.5, (struct event){.kind = EVENT_RESULT, .as.result = result});

    add_node(state, 8,
             (struct event_proposal){.node = 2,
                                 .parent = 1,
                                 .by = {.other = "reinforce"},
                                 .arch = "C(8,3,1) C(8,5,1) SM(10)",
                                 .actions = TEXTS("widen:conv1:8", "deepen:conv1:5"),
                                 .steps = {2, (int64_t[]){0, 1}},
                                 .probabilities = {2, (double[]){0.5, NAN}},
                                 .log_probability = -1.5,
                                 .entropy = 2,
                                 .episode = 1,
                                 .proposal = 1,
                                 .parameters = 64000,
                                 .flops = 5000000,
                                 .activation_bytes = 50000});
    add_started(state, 9, 2);
    struct event_failed failed = {2, 1, {.value = FAILURE_DIVERGED}, "loss, at step 3", false};
    apply(state, 10, (struct event){.kind = EVENT_FAILED, .as.failed = failed});
    struct event_noted noted = {2, "why, \"again\"?\nrate \\ 2", {.value = AUTHOR_USER}};
    apply(state, 10, (struct event){.kind = EVENT_NOTED, .as.noted = noted});
    apply(state, 10, (struct event){.kind = EVENT_PRUNED, .as.pruned = {2, {.value = AUTHOR_USER}}});

    add_node(state, 11,
             (struct event_proposal){.node = 3,
                                 .parent = 1,
                                 .by = {AUTHOR_USER},
                                 .arch = "C(6,3,1) SM(10)",
                                 .actions = TEXTS("widen:conv1:6"),
                                 .steps = {1, (int64_t[]){0}},
                                 .probabilities = {1, (double[]){1}},
                                 .proposal = 2,
                                 .parameters = 47000,
                                 .flops = 180000,
                                 .activation_bytes = 18816});
    add_started(state, 12, 3);
    add_epoch(state, 15, 3, 1, 0.7);
    apply(state, 15, (struct event){.kind = EVENT_PINNED, .as.pinned = {3, true, {.value = AUTHOR_USER}}});
    struct event_sample sample = {"cpu:0", 0.5, 1e9, 4e9, NAN, NAN, 3e9};
    apply(state, 15, (struct event){.kind = EVENT_SAMPLE, .as.sample = sample});
    struct event_policy policy = {
        .update = 1, .episode = 1, .networks = 2, .accuracy_mean = 0.8, .state = "", .state_hash = ""};
    apply(state, 16, (struct event){.kind = EVENT_POLICY, .as.policy = policy});
    add_node(state, 17,
             (struct event_proposal){.node = 4,
                                 .parent = 3,
                                 .by = {.other = "reinforce"},
                                 .arch = "C(6,3,1) C(6,1,1) SM(10)",
                                 .actions = TEXTS("deepen:conv1:1"),
                                 .steps = {1, (int64_t[]){0}},
                                 .probabilities = {1, (double[]){0.25}},
                                 .episode = 1,
                                 .proposal = 3});
    return state;
}

static struct text text_of(void (*export)(const struct session_state *, struct text *))
{
    struct session_state *state = small_session();
    struct text text = TEXT_EMPTY;
    export(state, &text);
    session_state_free(state);
    return text;
}

static void networks_are_rows(void **unused)
{
    struct text text = text_of(export_csv_networks);
    assert_string_equal(
        text_string(&text),
        "node,parent,status,accuracy,loss,parameters,flops,activation_bytes,epochs,seconds,images_per_second,by,"
        "episode,"
        "proposal,proposed_again,children,attempts,pinned,pruned,joined,started,ended,device,weights,stopped,predicted,"
        "failure,note,"
        "actions,arch,gain,over,control,phase,flops_spent,test_accuracy,test_loss,test_images\n"
        "1,0,done,0.8125,0.625,31404,120000,12544,2,6,1000,start,0,0,0,2,1,0,0,0,1,7.5,cpu:0,1.safetensors,,,,,,"
        "\"C(4,3,1) SM(10)\",,,,start,72000000,,,\n"
        "2,1,failed,,,64000,5000000,50000,0,,,reinforce,1,1,0,0,1,0,1,8,9,10,cpu:0,,,,\"diverged: loss, at step 3\","
        "\"why, \"\"again\"\"?\nrate \\ 2\",widen:conv1:8 deepen:conv1:5,\"C(8,3,1) C(8,5,1) SM(10)\",,,,growth,0,,,\n"
        "3,1,running,0.7,1.25,47000,180000,18816,1,,,user,0,2,0,1,1,1,0,11,12,,cpu:0,,,,,,widen:conv1:6,"
        "\"C(6,3,1) SM(10)\",,,,growth,54000000,,,\n"
        "4,3,queued,,,0,0,0,0,,,reinforce,1,3,0,0,0,0,0,17,,,,,,,,,deepen:conv1:1,\"C(6,3,1) C(6,1,1) SM(10)\",,,,"
        "growth,0,,,\n");
    text_done(&text);
}

static void epochs_are_rows(void **unused)
{
    struct text text = text_of(export_csv_curves);
    assert_string_equal(text_string(&text),
                        "node,epoch,rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
                        "1,1,0.02,1.5,0.5,1.25,0.75\n"
                        "1,2,0.02,1.5,0.5,1.25,0.8125\n"
                        "3,1,0.02,1.5,0.5,1.25,0.7\n");
    text_done(&text);
}

static void the_tree_is_a_graph(void **unused)
{
    struct text text = text_of(export_dot);
    assert_string_equal(
        text_string(&text),
        "digraph espalier {\n"
        "    rankdir=LR;\n"
        "    node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n"
        "    n1 [label=\"1  start\\n81.25 %\\n31.4k parameters\", tooltip=\"C(4,3,1) SM(10)\", fillcolor=gold, "
        "penwidth=2];\n"
        "    n2 [label=\"2  deepen:conv1:5 (+1)\\nfailed\\n64k parameters\", tooltip=\"C(8,3,1) C(8,5,1) SM(10)\", "
        "fillcolor=gray90, fontcolor=gray50, color=gray50];\n"
        "    n1 -> n2;\n"
        "    n3 [label=\"3  widen:conv1:6\\nrunning\\n70.00 %\\n47k parameters\", tooltip=\"C(6,3,1) SM(10)\", "
        "fillcolor=lightcyan, peripheries=2];\n"
        "    n1 -> n3;\n"
        "    n4 [label=\"4  deepen:conv1:1\\nqueued\\n0 parameters\", tooltip=\"C(6,3,1) C(6,1,1) SM(10)\", "
        "style=\"rounded,dashed\"];\n"
        "    n3 -> n4;\n"
        "}\n");
    text_done(&text);
}

/* Whatever a log holds, a label stays one string. */
static void graph_labels_are_quoted(void **unused)
{
    struct session_state *state = session_state_new();
    struct text text = TEXT_EMPTY;
    add_session(state);
    add_node(state, 0, (struct event_proposal){.node = 1, .by = {.other = "a\"];\n\\"}, .arch = "\\\""});
    export_dot(state, &text);
    assert_non_null(strstr(text_string(&text), "label=\"1  a\\\"];\\n\\\\\\nqueued"));
    assert_non_null(strstr(text_string(&text), "tooltip=\"\\\\\\\"\""));
    text_done(&text);
    session_state_free(state);
}

/* The value at a path like "nodes/1/curve/0/epoch". */
static const json_t *at(const json_t *value, const char *path)
{
    char step[64];
    while (value && *path) {
        size_t length = strcspn(path, "/");
        assert_true(length < sizeof step);
        memcpy(step, path, length);
        step[length] = 0;
        path += length + (path[length] == '/');
        value = json_is_array(value) ? json_array_get(value, strtoul(step, NULL, 10)) : json_object_get(value, step);
    }
    return value;
}

static void the_state_is_one_document(void **unused)
{
    struct text text = text_of(export_json);
    json_error_t error;
    json_t *document = json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES, &error);
    if (!document)
        fail_msg("line %d: %s", error.line, error.text);

    static const struct {
        const char *path;
        int64_t value;
    } integers[] = {
        {"session/seed", 9007199254740993},
        {"session/classes", 10},
        {"best", 1},
        {"nodes/1/parent", 1},
        {"nodes/1/node", 2},
        {"nodes/1/steps/1", 1},
        {"nodes/0/children", 2},
        {"nodes/0/curve/1/epoch", 2},
        {"counts/done", 1},
        {"counts/running", 1},
        {"counts/failed", 1},
        {"counts/queued", 1},
        {"counts/proposals", 3},
        {"policy/0/update", 1},
        {"devices/0/node", 3},
    };
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        const json_t *value = at(document, integers[i].path);
        if (!json_is_integer(value) || json_integer_value(value) != integers[i].value)
            fail_msg("%s is not %lld", integers[i].path, (long long)integers[i].value);
    }
    assert_true(json_real_value(at(document, "nodes/0/health/weight_norms/1")) == 3);
    assert_true(json_real_value(at(document, "nodes/0/health/gradient_norms/0")) == 0.25);
    assert_true(json_real_value(at(document, "nodes/0/health/dead/0")) == 0.75);
    assert_true(json_real_value(at(document, "nodes/0/health/fresh/0")) == 1.25);
    assert_true(json_is_null(at(document, "nodes/0/health/fresh/1")) && json_is_null(at(document, "nodes/1/health")));
    static const struct {
        const char *path, *value;
    } strings[] = {
        {"session/data", "fashion-mnist"},
        {"session/options/1", "networks=8"},
        {"nodes/0/status", "done"},
        {"nodes/0/weights", "1.safetensors"},
        {"nodes/1/actions/1", "deepen:conv1:5"},
        {"nodes/1/note", "why, \"again\"?\nrate \\ 2"},
        {"nodes/1/failure", "diverged: loss, at step 3"},
        {"nodes/3/status", "queued"},
        {"proposals/1/actions/0", "widen:conv1:6"},
        {"devices/0/name", "a processor"},
    };
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        const json_t *value = at(document, strings[i].path);
        if (!json_is_string(value) || strcmp(json_string_value(value), strings[i].value))
            fail_msg("%s is not \"%s\"", strings[i].path, strings[i].value);
    }
    static const char *const unknown[] = {"nodes/3/accuracy",
                                          "nodes/3/started",
                                          "nodes/1/accuracy",
                                          "nodes/2/seconds",
                                          "nodes/2/weights",
                                          "nodes/1/probabilities/1",
                                          "devices/0/sample/temperature",
                                          "finish_reason"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        if (!json_is_null(at(document, unknown[i])))
            fail_msg("%s is not null", unknown[i]);
    assert_true(json_real_value(at(document, "nodes/0/accuracy")) == 0.8125);
    assert_true(json_real_value(at(document, "nodes/2/accuracy")) == 0.7);
    assert_true(json_real_value(at(document, "devices/0/sample/utilisation")) == 0.5);
    assert_true(json_is_true(at(document, "nodes/2/pinned")) && json_is_true(at(document, "nodes/1/pruned")));
    assert_true(json_is_false(at(document, "nodes/0/pinned")) && json_is_false(at(document, "finished")));
    json_decref(document);
    text_done(&text);
}

static void fold(void *state, const struct event *event)
{
    struct error error;
    assert_int_equal(session_apply(state, event, &error), 0);
}

/* A search of rounds: n22 is the control of n23, n26 the baseline, n27 the finish of n23. */
static void rounds_have_gains_and_a_test(void **unused)
{
    struct session_state *state = session_state_new();
    struct text text = TEXT_EMPTY;
    race_session_play(RACE_END, fold, state);
    export_json(state, &text);
    json_t *document = json_loads(text_string(&text), JSON_REJECT_DUPLICATES, NULL);
    static const struct {
        const char *path;
        int64_t value;
    } integers[] = {{"nodes/22/control", 22}, {"nodes/22/over", 22}, {"nodes/21/over", 19},
                    {"nodes/26/over", 23},    {"test/node", 27},     {"test/images", 10000}};
    for (size_t i = 0; i < COUNT_OF(integers); i++)
        if (json_integer_value(at(document, integers[i].path)) != integers[i].value)
            fail_msg("%s is not %lld", integers[i].path, (long long)integers[i].value);
    static const char *const unknown[] = {"nodes/21/control", "nodes/25/over", "nodes/25/gain", "nodes/26/control"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        if (!json_is_null(at(document, unknown[i])))
            fail_msg("%s is known", unknown[i]);
    assert_string_equal(json_string_value(at(document, "phase")), "finish");
    assert_string_equal(json_string_value(at(document, "nodes/21/by")), "control");
    assert_string_equal(json_string_value(at(document, "nodes/25/phase")), "baseline");
    assert_true(fabs(json_real_value(at(document, "nodes/22/gain")) - 0.0042) < 1e-9);
    assert_true(json_real_value(at(document, "flops_spent")) == session_flops(state));
    assert_true(json_real_value(at(document, "budget/flops")) == 42e12);
    assert_true(json_real_value(at(document, "test/accuracy")) == 0.9285);
    json_decref(document);

    text.length = 0;
    export_csv_networks(state, &text);
    assert_non_null(strstr(text_string(&text), ",finish,"));
    assert_non_null(strstr(text_string(&text), ",0.9285,0.2041,10000\n"));
    text.length = 0;
    export_dot(state, &text);
    assert_non_null(strstr(text_string(&text), "[label=\"22  control\\n90.36 %"));
    assert_non_null(strstr(text_string(&text), "90.78 % +0.42 over control n22"));
    assert_non_null(strstr(text_string(&text), "[label=\"27  finish\\n93.17 %\\ntest 92.85 %"));
    text_done(&text);
    session_state_free(state);
}

static void text_that_is_not_utf8_is_replaced(void **unused)
{
    struct session_state *state = session_state_new();
    struct text text = TEXT_EMPTY;
    add_session(state);
    add_node(state, 0, (struct event_proposal){.node = 1, .by = {.other = "caf\xe9"}, .arch = "caf\xc3\xa9"});
    export_json(state, &text);
    assert_non_null(strstr(text_string(&text), "\"by\": \"caf\\\\xe9\""));
    assert_non_null(strstr(text_string(&text), "\"arch\": \"caf\xc3\xa9\""));
    text_done(&text);
    session_state_free(state);
}

static void an_empty_session_is_exported(void **unused)
{
    struct session_state *state = session_state_new();
    struct text text = TEXT_EMPTY;
    export_csv_networks(state, &text);
    export_csv_curves(state, &text);
    export_dot(state, &text);
    text_clear(&text);
    export_json(state, &text);
    json_t *document = json_loads(text_string(&text), JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(at(document, "nodes")), 0);
    assert_true(json_is_null(at(document, "best")));
    json_decref(document);
    text_done(&text);
    session_state_free(state);
}

static void predictions_are_rows_and_a_document(void **unused)
{
    char *pictures[] = {"a,b.png", "c.png"}, *classes[] = {"cat", "dog", "r\xe4t"}; /* the last in Latin-1 */
    const double probabilities[] = {0.25, 0.5, 0.25, NAN, NAN, NAN}; /* the second: of a network that diverged */
    const struct predictions predictions = {2, 3, pictures, classes, probabilities};
    struct text text = TEXT_EMPTY;
    int best[2];
    predictions_best(&predictions, 0, best);
    assert_true(best[0] == 1 && best[1] == 0);
    predictions_best(&predictions, 1, best);
    assert_true(best[0] == -1 && best[1] == -1);
    export_csv_predictions(&predictions, &text);
    assert_string_equal(text_string(&text), "picture,class,probability,cat,dog,r\xe4t\n"
                                            "\"a,b.png\",dog,0.5,0.25,0.5,0.25\n"
                                            "c.png,,,,,\n");
    text_clear(&text);
    export_json_predictions(&predictions, &text);
    json_t *document = json_loads(text_string(&text), JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = at(document, "predictions"), *first = json_array_get(list, 0), *second = json_array_get(list, 1);
    assert_string_equal(json_string_value(at(first, "class")), "dog");
    assert_true(json_real_value(json_array_get(at(first, "probabilities"), 1)) == 0.5);
    assert_true(json_is_null(at(second, "class")) && json_is_null(at(second, "probability")));
    assert_int_equal(json_array_size(at(document, "classes")), 3);
    assert_string_equal(json_string_value(json_array_get(at(document, "classes"), 2)), "r\\xe4t");
    json_decref(document);
    text_done(&text);
}

static void a_module_of_pytorch_quotes_names(void **unused)
{
    char *names[] = {"say \"hi\"", "back\\slash", "\"\"\""};
    const struct data_facts facts = {.classes = 3, .class_names = names, .channels = 1, .layout = "NCHW grey"};
    struct text text = TEXT_EMPTY;
    struct arch arch;
    assert_int_equal(arch_parse(&arch, "C(4,3,1) D(2,[4]) T(0.5) A(2,2) SM(3)", NULL), 0);
    export_pytorch(&arch, (struct shape){1, 4, 4}, &facts, "it's \"mine\".safetensors", &text);
    static const char *const lines[] = {
        "\nCLASSES = [\"say \\\"hi\\\"\", \"back\\\\slash\", \"\\\"\\\"\\\"\"]\n",
        "\nWEIGHTS = \"it's \\\"mine\\\".safetensors\"\n",
        "\n        self.dense1_bottleneck = nn.Conv2d(4, 8, 1, stride=1, padding=0, bias=False)\n",
        "\n        self.average1_norm_bn = nn.BatchNorm2d(4, eps=1e-05)\n",
        "\n        x = torch.cat([kept, x], 1)\n        # transition1: 4 x 2 x 2\n        x = F.relu(self.transition1_norm_bn(x))\n",
        "\n        x = x.flatten(1)\n        x = self.classifier(x)\n        return x\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!strstr(text_string(&text), lines[i]))
            fail_msg("lacks %s:\n%s", lines[i], text_string(&text));
    text_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_rows),
        cmocka_unit_test(epochs_are_rows),
        cmocka_unit_test(the_tree_is_a_graph),
        cmocka_unit_test(graph_labels_are_quoted),
        cmocka_unit_test(the_state_is_one_document),
        cmocka_unit_test(rounds_have_gains_and_a_test),
        cmocka_unit_test(text_that_is_not_utf8_is_replaced),
        cmocka_unit_test(an_empty_session_is_exported),
        cmocka_unit_test(predictions_are_rows_and_a_document),
        cmocka_unit_test(a_module_of_pytorch_quotes_names),
    };
    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
