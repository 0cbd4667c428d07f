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
#include "search/picture_rules.h"
#include "util/bug.h"

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

/* Sessions from before there were rules keep theirs; the rules go through a note of a file of weights. */
static void test_picture_rules(void **state)
{
    struct session_state session = {.last_number = 0};
    struct search_options options, read;
    struct error error;
    struct text note = TEXT_EMPTY;
    event_texts_add(&session.facts.options, "data=images:/pets");
    assert_int_equal(options_of_session(&session, &options, &error), 0);
    assert_true(picture_rules_of(&options).first);
    event_texts_add(&session.facts.options, "picture-rules=2");
    event_texts_add(&session.facts.options, "background=#0102ff");
    event_texts_add(&session.facts.options, "no-orientation=yes");
    assert_int_equal(options_of_session(&session, &options, &error), 0);
    struct picture_rules rules = picture_rules_of(&options);
    assert_true(!rules.first && rules.no_orientation && rules.background[2] == 255);

    picture_rules_print(&options, options.data, &note);
    assert_string_equal(text_string(&note), "rules 2, background #0102ff, orientation no");
    options_default(&read);
    picture_rules_parse(text_string(&note), &read);
    assert_true(read.picture_rules == 2 && read.no_orientation && !strcmp(read.background, "#0102ff"));
    static const char *const others[] = {NULL, "", "rules 3, background black, orientation no",
                                         "rules 2, background red, orientation no", "rules 2, background"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        options_default(&read);
        picture_rules_parse(others[i], &read);
        assert_true(read.picture_rules == 1 && !read.no_orientation && !strcmp(read.background, "black"));
    }
    text_clear(&note);
    picture_rules_print(&options, "fashion-mnist", &note); /* no pictures */
    assert_string_equal(text_string(&note), "");
    for (int i = 0; i < session.facts.options.count; i++)
        free(session.facts.options.items[i]);
    free(session.facts.options.items);
    text_done(&note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_come_back),
        cmocka_unit_test(test_earlier_sessions_say_nothing),
        cmocka_unit_test(test_damaged_facts_are_unknown),
        cmocka_unit_test(test_picture_rules),
    };
    return cmocka_run_group_tests_name("facts of the data in a session", tests, NULL, NULL);
}
