/*
 * test_notes.c - the facts of a data set in the metadata of a file of weights, and files that lack some or have others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "export/notes.h"
#include "util/memory.h"

static char *names[] = {"cat", "T-shirt/top, \"red\"", "\303\244hre"};

static const struct data_facts facts = {.classes = 3,
                                        .class_names = names,
                                        .channels = 3,
                                        .pixels = {{0.1, 1e-300, 254.99999999999997}, {1.0 / 3, 73.1, 255}},
                                        .layout = "NCHW RGB",
                                        .mirrors = true,
                                        .data = "images@48:flowers",
                                        .hash = {0x123, 0x456}};

/* A file with these notes, read again. */
static void pass(const struct safetensors_note *notes, struct data_facts *read)
{
    float value = 1;
    struct named_tensor tensor = {"x", 1, {1}, &value};
    void *bytes;
    size_t length;
    safetensors_encode_list(&tensor, 1, notes, &bytes, &length);
    data_facts_of_file(bytes, length, read);
    free(bytes);
}

static void test_facts_come_back(void **state)
{
    struct notes notes = {0};
    struct data_facts read;
    notes_add_data(&notes, &facts);
    pass(notes.list, &read);
    assert_int_equal(read.classes, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(read.class_names[i], names[i]);
    assert_int_equal(read.channels, 3);
    for (int i = 0; i < 3; i++) /* all bits of them */
        assert_true(read.pixels.mean[i] == facts.pixels.mean[i] &&
                    read.pixels.deviation[i] == facts.pixels.deviation[i]);
    assert_string_equal(read.layout, "NCHW RGB");
    assert_string_equal(read.data, "images@48:flowers");
    assert_true(read.mirrors && hash_equal(read.hash, facts.hash));
    data_facts_check(&read, 3, 3);
    assert_int_equal(read.classes, 3);
    data_facts_done(&read);
    notes_done(&notes);
}

static void test_unknown_facts_make_no_notes(void **state)
{
    struct notes notes = {0};
    notes_add_data(&notes, &(struct data_facts){0});
    notes_add(&notes, "test", NULL);
    assert_int_equal(notes.count, 0);
}

static void test_incomplete_facts_are_unknown(void **state)
{
    static const struct safetensors_note files[][4] = {
        {{0}},
        {{"classes", "a\nb"}, {"mean", "1"}},
        {{"classes", "a\nb"}, {"deviation", "1"}},
        {{"mean", "1"}, {"deviation", "1"}},
        {{"classes", "a\nb"}, {"mean", "1,2"}, {"deviation", "1"}},
        {{"classes", "a\nb"}, {"mean", "1,"}, {"deviation", "1,"}},
        {{"classes", "a\nb"}, {"mean", "1 "}, {"deviation", "1"}},
        {{"classes", "a\nb"}, {"mean", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}, {"deviation", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}},
        {{"classes", "a\nb"}, {"mean", "x"}, {"deviation", "1"}},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct data_facts read;
        pass(files[i], &read);
        if (read.classes)
            fail_msg("file %zu is taken", i);
        assert_null(read.class_names);
    }
}

static void test_too_many_classes_are_unknown(void **state)
{
    char many[2 * IMAGES_CLASSES_MAX + 2];
    for (int i = 0; i <= IMAGES_CLASSES_MAX; i++)
        memcpy(many + 2 * i, "a\n", 2);
    many[2 * IMAGES_CLASSES_MAX + 1] = 0;
    const struct safetensors_note notes[] = {{"classes", many}, {"mean", "1"}, {"deviation", "1"}, {0}};
    struct data_facts read;
    pass(notes, &read);
    assert_int_equal(read.classes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_come_back),
        cmocka_unit_test(test_unknown_facts_make_no_notes),
        cmocka_unit_test(test_incomplete_facts_are_unknown),
        cmocka_unit_test(test_too_many_classes_are_unknown),
    };
    return cmocka_run_group_tests_name("notes in files", tests, NULL, NULL);
}
