/* command_bed.c - see command_bed.h. */
#include "config.h"

#include "command_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t node_of(const struct event *event)
{
    switch (event->kind) {
    case EVENT_NODE:
        return event->as.node.node;
    case EVENT_STARTED:
        return event->as.started.node;
    case EVENT_EPOCH:
        return event->as.epoch.node;
    case EVENT_RESULT:
        return event->as.result.node;
    case EVENT_FAILED:
        return event->as.failed.node;
    default:
        return 0;
    }
}

static void note_order(struct play *play, const char *what, int64_t node)
{
    size_t length = strlen(play->order);
    snprintf(play->order + length, sizeof play->order - length, "%s%d ", what, (int)node);
}

static void play_event(void *context, const struct event *event)
{
    struct play *play = context;
    if (event->kind == EVENT_COMMAND)
        text_add(&play->text, "%s%s %s\n", event->as.command.words, event->as.command.refused ? "!" : ":",
                 event->as.command.answer);
    if (event->kind == EVENT_STARTED)
        note_order(play, "S", event->as.started.node);
    if (event->kind == EVENT_RESULT)
        note_order(play, "R", event->as.result.node);
    if (event->kind == EVENT_FAILED)
        note_order(play, event->as.failed.again ? "again" : "F", event->as.failed.node);
    if (event->kind == EVENT_PAUSED)
        note_order(play, "P", event->as.paused.paused);
    while (play->cues->words && play->cues->kind == event->kind &&
           (!play->cues->node || play->cues->node == node_of(event)))
        engine_command(play->engine, AUTHOR_USER, (play->cues++)->words);
}

struct session_state *perform(struct play *play, const struct search_options *options, const struct script *script,
                              const struct cue *cues)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(script);
    struct error error, warning;
    *play = (struct play){.cues = cues};
    assert_int_equal(engine_create(options, path, &data, evaluator, &play->engine, &error), 0);
    engine_add_sink(play->engine, (struct event_sink){play_event, play});
    assert_int_equal(engine_run(play->engine, &error), 0);
    engine_free(play->engine);
    evaluator->kind->free(evaluator);
    assert_null(cues[0].words ? play->cues->words : NULL); /* every cue came */
    struct session_state *state;
    assert_int_equal(session_load(path, &state, &warning, &error), 0);
    play->answers = text_take(&play->text);
    scratch_remove(folder);
    free(folder);
    free(path);
    return state;
}

void assert_answers(const struct play *play, const char *expected)
{
    if (strcmp(play->answers, expected))
        fail_msg("answers are:\n%s---\nand should be:\n%s---", play->answers, expected);
}

void perform_end(struct play *play, struct session_state *state)
{
    free(play->answers);
    session_state_free(state);
}

struct search_options options_of(int64_t networks)
{
    struct search_options options = bed_options();
    options.networks = networks;
    options.parent = PARENT_START;
    return options;
}
