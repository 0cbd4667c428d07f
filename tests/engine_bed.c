/* engine_bed.c - see the header. */
#include "config.h"

#include "engine_bed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
#include "sessions/log.h"
#include "util/bug.h"
#include "util/file.h"

struct search_options bed_options(void)
{
    struct search_options options;
    options_default(&options);
    strcpy(options.data, "fashion-mnist"); /* is never opened */
    strcpy(options.policy, "random");
    options.networks = 12;
    options.space = SPACE_PLAIN;
    strcpy(options.start, OPTIONS_START_SMALLEST);
    options.parent = PARENT_TOURNAMENT;
    options.finish = 0;
    options.baseline = BASELINE_NO;
    options.steady = false;
    options.average = 0;
    options.tournament = 3;
    options.rate = 0.05;
    options.wider = 1;
    options.trades = false; /* so that limits exhaust a space */
    options.episode_networks = 4;
    options.epochs = 2;
    options.start_epochs = 2;
    return options;
}

char *bed_path(const char *folder, const char *name)
{
    struct text text = TEXT_EMPTY;
    text_add(&text, "%s/%s.esp", folder, name);
    return text_take(&text);
}

/* Run, close, and fold the log again: live and replay must agree. */
static struct session_state *finish(struct engine *engine, struct evaluator *evaluator, const char *path)
{
    struct error error, warning = {.text = ""};
    if (engine_run(engine, &error))
        BUG(error.text);
    struct hash live = session_digest(engine_state(engine));
    engine_free(engine);
    evaluator->kind->free(evaluator);
    struct session_state *state;
    if (session_load(path, &state, &warning, &error))
        BUG(error.text);
    ASSERT(!warning.text[0]);
    ASSERT(hash_equal(live, session_digest(state)));
    ASSERT(state->finished);
    return state;
}

struct session_state *bed_run(const char *folder, const char *name, const struct search_options *options,
                              const struct script *script)
{
    char *path = bed_path(folder, name);
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct engine *engine;
    struct error error;
    if (engine_create(options, path, &data, evaluator, &engine, &error))
        BUG(error.text);
    struct session_state *state = finish(engine, evaluator, path);
    free(path);
    return state;
}

struct session_state *bed_resume(const char *folder, const char *name, const struct script *script)
{
    return bed_resume_changed(folder, name, NULL, script);
}

struct session_state *bed_resume_changed(const char *folder, const char *name, const struct search_options *options,
                                         const struct script *script)
{
    char *path = bed_path(folder, name);
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct engine *engine;
    struct error error, warning = {.text = ""};
    if (engine_resume_changed(path, options, &data, evaluator, &engine, &warning, &error))
        BUG(error.text);
    struct session_state *state = finish(engine, evaluator, path);
    free(path);
    return state;
}

struct session_state *bed_search(const struct search_options *options, const struct script *script)
{
    char *folder = scratch_new();
    struct session_state *state = bed_run(folder, "search", options, script);
    bed_check(folder, "search", state);
    scratch_remove(folder);
    free(folder);
    return state;
}

char *bed_story(const struct session_state *state)
{
    struct text text = TEXT_EMPTY;
    for (int64_t i = 0; i < state->node_count; i++) {
        const struct session_node *node = state->nodes[i];
        text_add(&text,
                 "n%" PRId64 " by %s from %" PRId64 " proposal %" PRId64
                 " %s status %d attempts %d epochs %d %.17g %s %s %s\n",
                 node->facts.node, author_name(&node->facts.by), node->facts.parent, node->facts.proposal,
                 node->facts.arch, node->status, node->attempts, node->epochs, node->accuracy,
                 node->weights_hash ? node->weights_hash : "-", node->failure ? node->failure : "-",
                 node->stopped ? node->stopped : "-");
        for (int j = 0; j < node->facts.actions.count; j++)
            text_add(&text, "   %s %" PRId64 "\n", node->facts.actions.items[j], node->facts.steps.items[j]);
    }
    for (int64_t i = 0; i < state->proposal_count; i++)
        text_add(&text, "p%" PRId64 " to %" PRId64 "%s\n", i + 1, state->proposals[i]->facts.node,
                 state->proposals[i]->answer == EVENT_KNOWN ? " known" : "");
    for (int64_t i = 0; i < state->policy_count; i++)
        text_add(&text, "update %" PRId64 " of %" PRId64 " networks, loss %.17g %s\n", state->policies[i]->facts.update,
                 state->policies[i]->facts.networks, state->policies[i]->facts.loss, state->policies[i]->facts.state_hash);
    text_add(&text, "test of n%" PRId64 ": %.17g\n", state->test.node, state->test.accuracy);
    return text_take(&text);
}

/* Was it grown for its architecture? */
static bool is_grown(const struct session_node *node)
{
    return node->facts.by.value != AUTHOR_CONTROL && !node_is_final(node);
}

static void check_weights(const char *folder, const char *name, const struct session_node *node)
{
    struct text path = TEXT_EMPTY;
    struct weights *weights;
    struct error error;
    text_add(&path, "%s/%s.esp/weights/%s", folder, name, node->weights);
    if (safetensors_read(text_string(&path), NULL, &weights, &error))
        BUG(error.text);
    struct text arch = TEXT_EMPTY;
    arch_print(&weights->arch, &arch);
    ASSERT(!strcmp(text_string(&arch), node->facts.arch));
    text_done(&arch);
    weights_free(weights);
    text_done(&path);
}

void bed_check(const char *folder, const char *name, const struct session_state *state)
{
    for (int64_t i = 0; i < state->node_count; i++) {
        const struct session_node *node = state->nodes[i];
        ASSERT(node->status != NODE_QUEUED && node->status != NODE_RUNNING);
        if (node->status == NODE_DONE && !node->dropped)
            check_weights(folder, name, node);
        for (int64_t j = 0; j < i && is_grown(node); j++)
            ASSERT(!is_grown(state->nodes[j]) || state->nodes[j]->status != NODE_DONE ||
                   strcmp(node->facts.arch, state->nodes[j]->facts.arch));
    }
}

int bed_event_offsets(const char *path, int64_t offsets[BED_EVENTS_MAX])
{
    struct log_reader *reader;
    struct event event;
    struct error error;
    int count = 0;
    if (log_read(path, &reader, &error))
        BUG(error.text);
    offsets[count++] = log_offset(reader);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        ASSERT(count < BED_EVENTS_MAX);
        offsets[count++] = log_offset(reader);
        event_done(&event);
    }
    log_reader_free(reader);
    return count;
}

static void copy_file(const char *from, const char *to, int64_t limit)
{
    void *bytes;
    size_t length;
    struct error error;
    if (file_read(from, 1 << 30, &bytes, &length, &error))
        BUG(error.text);
    if (file_write(to, bytes, limit >= 0 && (size_t)limit < length ? (size_t)limit : length, &error))
        BUG(error.text);
    free(bytes);
}

void bed_cut(const char *folder, const char *from, const char *to, int64_t bytes)
{
    char *source = bed_path(folder, from), *target = bed_path(folder, to);
    char *log = file_join(source, "events.log"), *cut_log = file_join(target, "events.log");
    struct text command = TEXT_EMPTY;
    text_add(&command, "rm -rf '%s' && mkdir -p '%s' && cp -r '%s/weights' '%s/policy' '%s'", target, target, source,
             source, target);
    ASSERT(!system(text_string(&command)));
    copy_file(log, cut_log, bytes);
    text_done(&command);
    free(log);
    free(cut_log);
    free(source);
    free(target);
}
