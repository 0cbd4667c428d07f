/*
 * test_start.c - searches that begin with a network of another session, on the scripted evaluator.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bed.h"
#include "util/file.h"

static void test_start_of_session(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = bed_options();
    struct session_state *first = bed_run(folder, "a", &options, &(struct script){.slots = 1});
    snprintf(options.start, sizeof options.start, "%s:n%d", path, 7);
    options.start_epochs = 0;
    struct session_state *second = bed_run(folder, "b", &options, &(struct script){.slots = 1});
    assert_string_equal(second->nodes[0]->facts.arch, first->nodes[6]->facts.arch);
    assert_int_equal(second->nodes[0]->status, NODE_DONE);
    session_state_free(first);
    session_state_free(second);

    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1});
    struct engine *engine;
    struct error error;
    char *unused = bed_path(folder, "c");
    snprintf(options.start, sizeof options.start, "%s:99", path);
    assert_int_equal(engine_create(&options, unused, &data, evaluator, &engine, &error), -1);
    assert_non_null(strstr(error.text, "99: no such network"));
    strcpy(options.start, "C(4,3,1) SM(7)");
    options.start_epochs = 1;
    assert_int_equal(engine_create(&options, unused, &data, evaluator, &engine, &error), -1);
    assert_non_null(strstr(error.text, "use SM(10)"));
    assert_int_equal(file_exists(unused), 0);
    evaluator->kind->free(evaluator);
    scratch_remove(folder);
    free(folder);
    free(path);
    free(unused);
}

/* Run a session that is there, or a new one, with a word for the engine first. */
static void run_with(const char *path, const struct search_options *options, const char *words)
{
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&(struct script){.slots = 1});
    struct engine *engine;
    struct error error, warning;
    assert_int_equal(options ? engine_create(options, path, &data, evaluator, &engine, &error)
                             : engine_resume(path, &data, evaluator, &engine, &warning, &error),
                     0);
    engine_command(engine, AUTHOR_USER, words);
    assert_int_equal(engine_run(engine, &error), 0);
    engine_free(engine);
    evaluator->kind->free(evaluator);
}

/* A search began with the best network of another, was stopped at once, and the other has a better one now. */
static void test_start_stays_what_it_was(void **state)
{
    char *folder = scratch_new(), *first = bed_path(folder, "a"), *second = bed_path(folder, "b");
    struct search_options options = bed_options();
    struct session_state *before, *after;
    struct error error;
    options.networks = 2;
    session_state_free(bed_run(folder, "a", &options, &(struct script){.slots = 1}));
    snprintf(options.start, sizeof options.start, "%s:best", first);
    run_with(second, &options, "stop");
    assert_int_equal(session_load(first, &before, NULL, &error), 0);
    run_with(first, NULL, "budget networks 12");
    assert_int_equal(session_load(first, &after, NULL, &error), 0);
    assert_int_not_equal(before->best, after->best);
    struct session_state *session = bed_resume(folder, "b", &(struct script){.slots = 1});
    assert_int_equal(session->status_count[NODE_DONE], 2);
    assert_string_equal(session->nodes[0]->facts.arch, session_node(before, before->best)->facts.arch);
    session_state_free(before);
    session_state_free(after);
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
    free(first);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_of_session),
        cmocka_unit_test(test_start_stays_what_it_was),
    };
    return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
