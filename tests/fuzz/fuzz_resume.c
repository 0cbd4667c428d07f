/*
 * fuzz_resume.c - a search goes on with any log that loads, or says why it can't.
 *
 * The engine takes tree, queue, options and policy from the log.  It is stopped before it trains, closes the session in
 * good order, and the log that it leaves gives the state that it had.
 */
#include "config.h"

#include "../scripted_evaluator.h"
#include "session_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *folder = folder_new();
    session_input_put(folder, bytes, length);
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 2});
    struct engine *engine;
    struct error error = {""}, warning = {""};
    if (engine_resume(folder, &data, evaluator, &engine, &warning, &error)) {
        ASSERT(error.text[0]);
    } else {
        struct session_state *state;
        engine_set_disk_patience(engine, 0, 0);
        engine_stop(engine);
        if (engine_run(engine, &error))
            ASSERT(error.text[0]);
        struct hash live = session_digest(engine_state(engine));
        engine_free(engine);
        ASSERT(!session_load(folder, &state, &warning, &error));
        ASSERT(hash_equal(live, session_digest(state)));
        session_state_free(state);
    }
    evaluator->kind->free(evaluator);
    folder_remove(folder);
    free(folder);
    return 0;
}
