/*
 * test_facts.c - what a network knows of its data: the facts of a set, classes matched by name, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/facts.h"
#include "util/memory.h"

enum { COUNT = 6, CLASSES = 3 };

/* Six images of 1×2×2, two of each class; `names` has a word for each class, NULL: the set has no names. */
static void open_set(const char *const *names, int classes, struct images *images)
{
    *images = (struct images){.count = COUNT, .classes = classes, .shape = {1, 2, 2}, .layout = "NCHW grey"};
    images->pixels = memory_new(COUNT, 4);
    images->labels = memory_new(COUNT, sizeof *images->labels);
    for (int i = 0; i < COUNT; i++) {
        images->labels[i] = (uint16_t)(i % classes);
        memset(images->pixels + 4 * i, 10 * i, 3); /* and a 0 */
    }
    if (names)
        images->class_names = memory_new((size_t)classes, sizeof *images->class_names);
    for (int i = 0; names && i < classes; i++)
        images->class_names[i] = memory_copy_text(names[i]);
}

static const char *const animals[] = {"cat", "dog", "frog"};

static void facts_of(const char *const *names, struct data_facts *facts)
{
    struct images images;
    struct view view;
    open_set(names, CLASSES, &images);
    images.hash = (struct hash){1, 2};
    view_all(&images, NULL, &view);
    data_facts_of("images:animals", &images, &view, facts);
    view_done(&view);
    images_done(&images);
}

static void test_facts_of_a_set(void **state)
{
    struct data_facts facts;
    facts_of(animals, &facts);
    assert_int_equal(facts.classes, 3);
    assert_string_equal(facts.class_names[2], "frog");
    assert_string_equal(facts.layout, "NCHW grey");
    assert_string_equal(facts.data, "images:animals");
    assert_true(hash_equal(facts.hash, (struct hash){1, 2}));
    /* three of four pixels are 0, 10, … 50: sum 450 of 24 values, squares 16500 */
    assert_true(facts.pixels.mean[0] == 18.75);
    assert_true(facts.pixels.deviation[0] == sqrt(16500.0 / 24 - 18.75 * 18.75));
    data_facts_done(&facts);
    facts_of(NULL, &facts);
    assert_string_equal(facts.class_names[2], "2");
    data_facts_done(&facts);
}

/* Scale and shift as they were computed before mean and deviation were kept: searches give the same numbers. */
static void test_normalisation_is_the_same_to_the_bit(void **state)
{
    struct images images;
    struct view view, again = {.images = &images};
    open_set(animals, CLASSES, &images);
    for (unsigned seed = 1; seed < 2000; seed++) {
        for (int i = 0; i < 4 * COUNT; i++)
            images.pixels[i] = (uint8_t)(seed * 2654435761u >> (i % 24));
        view_all(&images, NULL, &view);
        uint64_t sum = 0, squares = 0;
        for (int i = 0; i < 4 * COUNT; i++) {
            sum += images.pixels[i];
            squares += (uint64_t)images.pixels[i] * images.pixels[i];
        }
        double values = 4 * COUNT, mean = (double)sum / values, variance = (double)squares / values - mean * mean;
        double scale = variance > 1e-6 ? 1 / sqrt(variance) : 1;
        assert_true(view.scale[0] == (float)scale && view.shift[0] == (float)(-mean * scale));
        view_normalise(&again, &view.pixels);
        assert_memory_equal(again.scale, view.scale, sizeof view.scale);
        assert_memory_equal(again.shift, view.shift, sizeof view.shift);
        view_done(&view);
    }
    images.unit_range = true;
    view_all(&images, NULL, &view);
    assert_true(view.scale[0] == 1 / 255.0f && view.shift[0] == 0);
    view_done(&view);
    images_done(&images);
}

static void test_classes_are_matched_by_name(void **state)
{
    static const char *const turned[] = {"frog", "cat", "dog"}, *const two[] = {"dog", "frog"};
    struct data_facts facts;
    struct images images;
    struct error error;
    facts_of(animals, &facts);
    open_set(turned, CLASSES, &images);
    assert_int_equal(data_facts_relabel(&facts, "set", true, &images, &error), 0);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(images.class_names[images.labels[i]], turned[i % 3]);
    assert_string_equal(images.class_names[0], "cat");
    struct hash before = images.hash; /* the turned set is not the set in the network's order */
    assert_false(hash_equal(before, (struct hash){0}));
    assert_int_equal(data_facts_relabel(&facts, "set", true, &images, &error), 0);
    assert_true(hash_equal(before, images.hash)); /* and nothing changes when nothing has to */
    images_done(&images);

    open_set(two, 2, &images);
    assert_int_equal(data_facts_relabel(&facts, "set", false, &images, &error), 0);
    assert_int_equal(images.classes, 3);
    assert_int_equal(images.labels[0], 1);
    assert_int_equal(images.labels[1], 2);
    images_done(&images);
    data_facts_done(&facts);
}

static void check_refusal(const char *const *names, int classes, bool all, const char *const *known, const char *text)
{
    struct data_facts facts;
    struct images images;
    struct error error;
    uint16_t labels[COUNT];
    facts_of(known, &facts);
    open_set(names, classes, &images);
    memcpy(labels, images.labels, sizeof labels);
    assert_int_equal(data_facts_relabel(&facts, "set", all, &images, &error), -1);
    if (!strstr(error.text, text))
        fail_msg("%s: lacks %s", error.text, text);
    assert_memory_equal(labels, images.labels, sizeof labels);
    images_done(&images);
    data_facts_done(&facts);
}

static void test_what_does_not_match_is_named(void **state)
{
    static const char *const others[] = {"ant", "cat", "dog"}, *const two[] = {"dog", "frog"},
                             *const many[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    check_refusal(others, 3, false, animals, "only here: ant; only in the network: frog;");
    check_refusal(two, 2, true, animals, "only in the network: cat;");
    check_refusal(many, 12, false, animals,
                  "only here: a, b, c, d, e, f, g, h, i, j and 2 more; only in the network: cat");
    /* a set without names matches only sets without names: class 0 of digits is no cat */
    check_refusal(NULL, 3, false, animals, "only here: 0, 1, 2;");
    check_refusal(animals, 3, false, NULL, "only here: cat, dog, frog; only in the network: 0, 1, 2;");
}

static void test_sets_without_names_match(void **state)
{
    struct data_facts facts;
    struct images images;
    struct error error;
    facts_of(NULL, &facts);
    open_set(NULL, 2, &images);
    assert_int_equal(data_facts_relabel(&facts, "set", false, &images, &error), 0);
    assert_int_equal(images.labels[1], 1);
    assert_null(images.class_names);
    images_done(&images);
    data_facts_done(&facts);
}

static void check_unknown(void (*damage)(struct data_facts *facts), int channels, int classes)
{
    struct data_facts facts;
    facts_of(animals, &facts);
    if (damage)
        damage(&facts);
    data_facts_check(&facts, channels, classes);
    assert_int_equal(facts.classes, 0);
    assert_null(facts.class_names);
}

static void no_deviation(struct data_facts *facts)
{
    facts->pixels.deviation[0] = 0;
}

static void no_mean(struct data_facts *facts)
{
    facts->pixels.mean[0] = NAN;
}

static void control_character(struct data_facts *facts)
{
    facts->class_names[1][0] = '\033';
}

static void no_name(struct data_facts *facts)
{
    facts->class_names[1][0] = 0;
}

static void test_damaged_facts_are_unknown(void **state)
{
    struct data_facts facts;
    check_unknown(NULL, 3, 3);
    check_unknown(NULL, 1, 10);
    check_unknown(no_deviation, 1, 3);
    check_unknown(no_mean, 1, 3);
    check_unknown(control_character, 1, 3);
    check_unknown(no_name, 1, 3);
    facts_of(animals, &facts);
    memcpy(facts.layout, "\"\"\"", 4); /* it is printed into other files */
    data_facts_check(&facts, 1, 3);
    assert_int_equal(facts.classes, 3);
    assert_string_equal(facts.layout, "");
    data_facts_done(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_of_a_set),
        cmocka_unit_test(test_normalisation_is_the_same_to_the_bit),
        cmocka_unit_test(test_classes_are_matched_by_name),
        cmocka_unit_test(test_what_does_not_match_is_named),
        cmocka_unit_test(test_sets_without_names_match),
        cmocka_unit_test(test_damaged_facts_are_unknown),
    };
    return cmocka_run_group_tests_name("facts of a data set", tests, NULL, NULL);
}
