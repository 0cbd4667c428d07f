/*
 * fuzz_command.c - any lines as commands of a running search: each is answered, and the log has what the engine did.
 *
 * A line is given after each event.  The search has four networks and a scripted evaluator; it goes on when it is
 * paused, and is stopped when it has grown long.
 */
#include "config.h"

#include "../engine_bed.h"
#include "session_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { LINES_MOST = 40, EVENTS_MOST = 300 };

struct play {
    struct engine *engine;
    char *rest; /* of the lines */
    int events, given, answered;
};

static void give(struct play *play, const char *words)
{
    engine_command(play->engine, AUTHOR_USER, words);
    play->given++;
}

static void on_event(void *context, const struct event *event)
{
    struct play *play = context;
    if (!event_is_durable(event->kind))
        return;
    if (event->kind == EVENT_COMMAND) {
        const struct event_command *command = &event->as.command;
        ASSERT(!command->words[print_plain_length(command->words)] && (!command->refused || command->answer[0]));
        play->answered++;
    }
    if (event->kind == EVENT_PAUSED && event->as.paused.paused)
        give(play, "continue");
    char *line = play->given < LINES_MOST ? strsep(&play->rest, "\n") : NULL;
    if (line)
        give(play, line);
    if (++play->events == EVENTS_MOST)
        engine_stop(play->engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *scratch = folder_new(), *folder = bed_path(scratch, "search"), *lines = memory_new(length + 1, 1);
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 2, .no_epochs = true});
    struct play play = {.rest = memcpy(lines, bytes, length)};
    struct session_state *state;
    struct error error = {""}, warning = {""};
    options.networks = 4;
    ASSERT(!engine_create(&options, folder, &data, evaluator, &play.engine, &error));
    engine_add_sink(play.engine, (struct event_sink){on_event, &play});
    if (engine_run(play.engine, &error))
        ASSERT(error.text[0]);
    ASSERT(play.answered <= play.given);
    struct hash live = session_digest(engine_state(play.engine));
    engine_free(play.engine);
    evaluator->kind->free(evaluator);
    ASSERT(!session_load(folder, &state, &warning, &error) && !warning.text[0]);
    ASSERT(hash_equal(live, session_digest(state)));
    for (int64_t i = 0; i < state->node_count; i++)
        ASSERT(!state->nodes[i]->note || !state->nodes[i]->note[print_plain_length(state->nodes[i]->note)]);
    session_state_free(state);
    folder_remove(scratch);
    free(scratch);
    free(folder);
    free(lines);
    return 0;
}
