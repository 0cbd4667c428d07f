/*
 * test_record.c - the first event says what a network knows of its data, and events of earlier programs say nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "scripted_evaluator.h"

static char *names[] = {"cat", "dog"};
static const struct data_facts facts = {.classes = 2,
                                        .class_names = names,
                                        .channels = 3,
                                        .pixels = {{0.1, 0.2, 1.0 / 3}, {70, 80, 90}},
                                        .layout = "NCHW RGB",
                                        .mirrors = true,
                                        .data = "idx:x",
                                        .hash = {7, 8}};

/* The first event of a search with these facts, or NULL, as it is read from a log. */
static void record(const struct data_facts *known, struct event *read)
{
    struct search_options options;
    struct search_data data = {.input = {3, 4, 4}, .classes = 2, .hash = {7, 8}, .facts = known};
    struct script script = {.slots = 1};
    struct evaluator *evaluator = scripted_evaluator_new(&script);
    struct event event;
    struct error error;
    void *bytes;
    size_t length;
    options_default(&options);
    strcpy(options.data, "idx:x");
    record_session(&options, &data, &(struct event_integers){0}, evaluator, &event);
    event_encode(&event, &bytes, &length);
    assert_int_equal(event_decode(bytes, length, read, &error), EVENT_DECODED);
    free(bytes);
    event_done(&event);
    evaluator->kind->free(evaluator);
}

static void test_facts_come_back(void **state)
{
    struct event event;
    struct data_facts read;
    record(&facts, &event);
    data_facts_of_session(&event.as.session, &read);
    assert_int_equal(read.classes, 2);
    assert_string_equal(read.class_names[1], "dog");
    assert_int_equal(read.channels, 3);
    for (int i = 0; i < 3; i++) /* all bits of them */
        assert_true(read.pixels.mean[i] == facts.pixels.mean[i] &&
                    read.pixels.deviation[i] == facts.pixels.deviation[i]);
    assert_string_equal(read.layout, "NCHW RGB");
    assert_string_equal(read.data, "idx:x");
    assert_true(read.mirrors && hash_equal(read.hash, facts.hash));
    data_facts_done(&read);
    event_done(&event);
}

static void test_earlier_sessions_say_nothing(void **state)
{
    struct event event;
    struct data_facts read;
    record(NULL, &event);
    assert_int_equal(event.as.session.class_names.count, 0);
    data_facts_of_session(&event.as.session, &read);
    assert_int_equal(read.classes, 0);
    assert_null(read.class_names);
    event_done(&event);
}

static void test_damaged_facts_are_unknown(void **state)
{
    struct event event;
    struct data_facts read;
    record(&facts, &event);
    event.as.session.deviation.count = 2;
    data_facts_of_session(&event.as.session, &read);
    assert_int_equal(read.classes, 0);
    event.as.session.deviation.count = 3;
    while (event.as.session.mean.count <= IMAGES_CHANNELS_MAX) {
        event_reals_add(&event.as.session.mean, 1);
        event_reals_add(&event.as.session.deviation, 1);
    }
    data_facts_of_session(&event.as.session, &read);
    assert_int_equal(read.classes, 0);
    event_done(&event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_come_back),
        cmocka_unit_test(test_earlier_sessions_say_nothing),
        cmocka_unit_test(test_damaged_facts_are_unknown),
    };
    return cmocka_run_group_tests_name("facts of the data in a session", tests, NULL, NULL);
}
