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

#include "arch/template.h"
#include "engine_bed.h"
#include "export/safetensors.h"
#include "search/image_split.h"
#include "search/start.h"
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

/* Pictures that trained a network may validate when their folder is read in another way. */
static void test_start_of_a_folder_that_gives_other_images(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    struct start_network start = {.weights = NULL};
    struct error error;
    strcpy(options.data, "images@16:/pets"); /* is never opened */
    session_state_free(bed_run(folder, "a", &options, &(struct script){.slots = 1}));
    snprintf(options.start, sizeof options.start, "%s:1", path);
    assert_int_equal(start_find(&options, &data, &start, &error), 0);
    free(start.weights);
    start.weights = NULL;
    data.hash.low++;
    assert_int_equal(start_find(&options, &data, &start, &error), -1);
    assert_non_null(strstr(error.text, "trained on the images of /pets, which were others or were read in another way"));
    strcpy(options.data, "images@16:/more-pets");
    assert_int_equal(start_find(&options, &data, &start, &error), 0);
    free(start.weights);
    scratch_remove(folder);
    free(folder);
    free(path);
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

/* --- the limit that follows from the budget, and the start network that follows from the limit --- */

static int64_t limit_of(struct search_options options, double speed)
{
    struct search_data data = {
        .input = {3, 32, 32}, .classes = 10, .train_images = 40000, .validation_images = 5000, .speed = speed};
    struct start_network start = {.weights = NULL};
    struct error error;
    options.limit_flops = OPTION_AUTO;
    assert_int_equal(start_find(&options, &data, &start, &error), 0);
    return options.limit_flops;
}

static void test_limit_of_budget(void **state)
{
    struct search_options options;
    options_default(&options);
    options.finish = 0.5;
    options.networks = 0;
    options.flops = 48e12; /* half of it is 20 epochs of 40,000 images, 3 passes each, at 10M FLOPs */
    assert_int_equal(limit_of(options, 0), 10000000);
    options.seconds = 100; /* the smaller budget counts */
    assert_int_equal(limit_of(options, 24e10), 5000000);
    assert_int_equal(limit_of(options, 96e10), 10000000);
    options.flops = 0;
    assert_int_equal(limit_of(options, 24e10), 5000000);
    options.seconds = 0;
    options.networks = 31;
    assert_int_equal(limit_of(options, 24e10), 3000000);                 /* 1.2e11 for all images */
    strcpy(options.start, "C(64,3,1) P(2,2) C(64,3,1) A(16,16) SM(10)"); /* 22,742,272 */
    int64_t limit = limit_of(options, 0);
    assert_true(limit >= 2 * 22742272 && limit < 2.1 * 22742272);
}

static void test_limit_that_is_given(void **state)
{
    struct search_options options;
    struct search_data data = {.input = {3, 32, 32}, .classes = 10, .train_images = 40000};
    struct start_network start = {.weights = NULL};
    struct error error;
    options_default(&options);
    options.limit_flops = 1000000;
    strcpy(options.start, "C(64,3,1) P(2,2) C(64,3,1) A(16,16) SM(10)");
    assert_int_equal(start_find(&options, &data, &start, &error), -1);
    assert_non_null(strstr(error.text, "--start: "));
    assert_non_null(strstr(error.text, "raise --limit-flops"));
    assert_int_equal(options.limit_flops, 1000000);
}

static void test_start_auto(void **state)
{
    struct search_options options;
    struct search_data data = {.input = {3, 32, 32}, .classes = 10, .train_images = 40000};
    struct start_network start = {.weights = NULL};
    struct arch larger;
    struct error error;
    options_default(&options);
    strcpy(options.start, "auto");
    options.limit_flops = 3000000;
    options.space = SPACE_PLAIN;
    assert_int_equal(start_find(&options, &data, &start, &error), 0);
    int64_t flops = arch_cost(&start.arch, data.input).flops;
    assert_true(flops <= 3000000 && flops > 2000000);
    assert_string_equal(options.start, "auto");
    struct arch_limits limits = {.flops = 3000000};
    assert_int_equal(arch_template(data.input, 10, false, &limits, &larger, &error), 0);
    assert_true(arch_equal(&start.arch, &larger));
    options.space = SPACE_MODERN;
    assert_int_equal(start_find(&options, &data, &start, &error), 0);
    assert_int_equal(arch_template(data.input, 10, true, &limits, &larger, &error), 0);
    assert_true(arch_equal(&start.arch, &larger) && arch_is_modern(&larger));
    options.space = SPACE_PLAIN;
    options.limit_parameters = 2500; /* the narrowest has 2334 */
    assert_int_equal(start_find(&options, &data, &start, &error), 0);
    options.limit_parameters = 100;
    assert_int_equal(start_find(&options, &data, &start, &error), -1);
    assert_non_null(strstr(error.text, "--limit-params"));
}

static enum network_space space_of(const char *start, int64_t limit_flops, int64_t limit_parameters)
{
    struct search_options options;
    struct search_data data = {.input = {3, 32, 32}, .classes = 10, .train_images = 40000};
    struct start_network found = {.weights = NULL};
    struct error error;
    options_default(&options);
    assert_int_equal(options.space, SPACE_AUTO);
    strcpy(options.start, start);
    options.limit_flops = limit_flops;
    options.limit_parameters = limit_parameters;
    assert_int_equal(start_find(&options, &data, &found, &error), 0);
    assert_int_equal(arch_is_modern(&found.arch), options.space == SPACE_MODERN);
    return options.space;
}

/* Modern layers are for small networks; a start network that is named decides. */
static void test_space_auto(void **state)
{
    assert_int_equal(space_of("auto", OPTION_AUTO, 0), SPACE_PLAIN);
    assert_int_equal(space_of("auto", 0, 0), SPACE_PLAIN);
    assert_int_equal(space_of("auto", 4000000, 0), SPACE_MODERN);
    assert_int_equal(space_of("auto", OPTION_AUTO, 25000), SPACE_MODERN);
    assert_int_equal(space_of("auto", 4000000, 2500), SPACE_PLAIN); /* too few for a modern one */
    assert_int_equal(space_of("smallest", 4000000, 0), SPACE_PLAIN);
    assert_int_equal(space_of("C(4,3,1) P(2,2) A(16,16) SM(10)", 4000000, 0), SPACE_PLAIN);
    assert_int_equal(space_of("C(4,3,1) M(8,3) A(32,32) SM(10)", OPTION_AUTO, 0), SPACE_MODERN);
}

/* A search in which the start network is `auto` goes on with that network and that limit. */
static void test_auto_is_recorded(void **state)
{
    struct search_options options = bed_options();
    strcpy(options.start, "auto");
    options.limit_flops = OPTION_AUTO;
    options.space = SPACE_AUTO;
    struct session_state *session = bed_search(&options, &(struct script){.slots = 1});
    assert_string_equal(session_option(session, "start"), "auto");
    assert_string_equal(session_option(session, "space"), "plain");
    assert_string_equal(session_option(session, "limit-flops"), "20000000");
    assert_true(session_node(session, 1)->facts.flops > 5000000);
    session_state_free(session);
}

/* --- a weights file --- */

static void write_start(const char *path, const char *split)
{
    struct arch arch;
    struct error error;
    struct search_data data = scripted_data();
    assert_int_equal(arch_parse(&arch, "C(8,3,1) A(16,16) SM(10)", &error), 0);
    struct weights *weights = weights_new(&arch, data.input);
    const struct safetensors_note notes[] = {{split ? IMAGE_SPLIT_NOTE : NULL, split}, {0}};
    assert_int_equal(safetensors_write(path, weights, notes, &error), 0);
    weights_free(weights);
}

static char *note_of(struct hash images, int64_t seed, int64_t validation)
{
    struct image_split split = {.images = images, .seed = seed, .validation = validation};
    struct text text = TEXT_EMPTY;
    image_split_print(&split, &text);
    return text_take(&text);
}

static void test_start_of_file(void **state)
{
    char *folder = scratch_new(), *path = file_join(folder, "a.safetensors");
    struct search_data data = scripted_data();
    struct search_options options = bed_options();
    options.seed = 4;
    options.validation = 50;
    const struct {
        struct hash images;
        int64_t seed, validation;
        const char *message;  /* NULL: it may start a search */
        bool own_validation; /* the set has validation images of its own */
    } cases[] = {
        {data.hash, 4, 50, NULL, false},
        {data.hash, 4, 60, NULL, false},
        {{7, 7}, 1, 0, NULL, false},
        {data.hash, 4, 49,
         "a.safetensors: its weights were trained on images that would validate here: use its --seed 4 "
         "and at most its --validation 49",
         false},
        {data.hash, 5, 50, "use its --seed 5", false},
        {data.hash, 4, 0, "no images were kept out", false},
        {data.hash, 5, 50, NULL, true},
        {data.hash, 5, 0, "no images were kept out", true},
    };
    for (size_t i = 0; i <= sizeof cases / sizeof cases[0]; i++) {
        bool noted = i < sizeof cases / sizeof cases[0];
        const char *message = noted ? cases[i].message : "doesn't say which images trained it";
        char *note = noted ? note_of(cases[i].images, cases[i].seed, cases[i].validation) : NULL;
        struct start_network start = {.weights = NULL};
        struct error error = {{0}};
        write_start(path, note);
        data.own_validation = noted && cases[i].own_validation;
        snprintf(options.start, sizeof options.start, "%s", path);
        assert_int_equal(start_find(&options, &data, &start, &error), message ? -1 : 0);
        if (message && !strstr(error.text, message))
            fail_msg("\"%s\" should say \"%s\"", error.text, message);
        if (!message)
            assert_string_equal(start.weights, path);
        free(start.weights);
        free(note);
    }

    char *note = note_of(data.hash, 4, 50);
    write_start(path, note);
    free(note);
    struct session_state *session = bed_run(folder, "s", &options, &(struct script){.slots = 1});
    assert_string_equal(session_node(session, 1)->facts.arch, "C(8,3,1) A(16,16) SM(10)");
    assert_int_equal(session->status_count[NODE_DONE], 12);
    session_state_free(session);
    scratch_remove(folder);
    free(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_of_session), cmocka_unit_test(test_start_stays_what_it_was),
        cmocka_unit_test(test_start_of_a_folder_that_gives_other_images),
        cmocka_unit_test(test_limit_of_budget),  cmocka_unit_test(test_limit_that_is_given),
        cmocka_unit_test(test_space_auto),       cmocka_unit_test(test_start_auto),
        cmocka_unit_test(test_auto_is_recorded), cmocka_unit_test(test_start_of_file),
    };
    return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
