/*
 * test_options.c - every row of the table, both ways; messages; presets and ini files.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "scripted_evaluator.h"
#include "search/options.h"
#include "util/bug.h"
#include "util/file.h"

/* Defaults are what the table says; printing and setting again changes nothing. */
static void test_defaults(void **state)
{
    struct search_options options, again;
    const struct search_option *option;
    struct error error;
    options_default(&options);
    assert_int_equal(options_settle(&options, &error), 0);
    memset(&again, 0, sizeof again);
    for (int i = 0; (option = option_at(i)); i++) {
        struct text text = TEXT_EMPTY;
        assert_ptr_equal(option_find(option->name), option);
        options_get(&options, option, &text);
        assert_string_equal(text_string(&text), option->fallback);
        assert_int_equal(options_set(&again, option->name, text_string(&text), &error), 0);
        assert_true(option->help[0] && (option->argument ? *option->argument : !strcmp(option->words, "no|yes")));
        text_done(&text);
    }
    assert_memory_equal(&options, &again, sizeof options);
}

/* Other values than the defaults survive too, reals to the last bit. */
static void test_both_ways(void **state)
{
    static const struct {
        const char *name, *value;
    } cases[] = {
        {"data", "cifar10+:/data/cifar"},
        {"widths", "paper"},
        {"validation", "500"},
        {"background", "#0aFf80"},
        {"skip-bad", "yes"},
        {"no-orientation", "yes"},
        {"picture-rules", "1"},
        {"start", "C(4,3,1) SM(10)"},
        {"start", "a.esp:n12"},
        {"start", "auto"},
        {"start", "a b.safetensors"},
        {"limit-flops", "0"},
        {"limit-flops", "4000000"},
        {"policy", "random"},
        {"parent", "best"},
        {"episodes", "1000000000"},
        {"seconds", "0.1"},
        {"rate", "0.30000000000000004"},
        {"limit-params", "123456789012"},
        {"split", "unequal"},
        {"reward-baseline", "released"},
        {"parent", "race"},
        {"flops", "1e+15"},
        {"baseline", "yes"},
        {"parent", "best"},
        {"limit-memory", "536870912"},
        {"actions", "widen:fc1;"},
        {"seed", "0"},
        {"rungs", "2,5,12"},
        {"rungs", ""},
        {"asynchronous", "yes"},
    };
    struct search_options options;
    struct error error;
    options_default(&options);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text text = TEXT_EMPTY;
        assert_int_equal(options_set(&options, cases[i].name, cases[i].value, &error), 0);
        options_get(&options, option_find(cases[i].name), &text);
        assert_string_equal(text_string(&text), cases[i].value);
        text_done(&text);
    }
    assert_true(options.baseline_released);
    assert_int_equal(options.parent, PARENT_BEST);
    assert_int_equal(options_set(&options, "limit-flops", "2.2M", &error), 0);
    assert_int_equal(options.limit_flops, 2200000);
    assert_int_equal(options_set(&options, "limit-memory", "2G", &error), 0);
    assert_int_equal(options.limit_memory, INT64_C(2) << 30);
}

static void test_messages(void **state)
{
    static const struct {
        const char *name, *value, *message;
    } cases[] = {
        {"episodes", "-1", "--episodes -1: must be a whole number from 0 to 1000000000 (0: no limit)"},
        {"episodes", "2.5", "--episodes 2.5: must be a whole number from 0 to 1000000000 (0: no limit)"},
        {"episodes", "", "--episodes : must be a whole number from 0 to 1000000000 (0: no limit)"},
        {"epochs", "0", "--epochs 0: must be a whole number from 1 to 100000"},
        {"rate", "fast", "--rate fast: must be a number from 0 to 1000000"},
        {"rate", "nan", "--rate nan: must be a number from 0 to 1000000"},
        {"parent", "worst", "--parent worst: must be one of start|best|tournament"},
        {"parent", "star", "--parent star: must be one of start|best|tournament"},
        {"limit-flops", "some", "--limit-flops some: must be auto or a whole number from 0 to"},
        {"limit-flops", "-1", "--limit-flops -1: must be auto or a whole number from 0 to"},
        {"limit-params", "auto", "--limit-params auto: must be a whole number from 0 to"},
        {"start", "best", "--start best: is neither an architecture"},
        {"limit-memory", "much", "--limit-memory much: must be a size such as 512M or 2G (0: no limit)"},
        {"widths", "big", "--widths big: must be small or paper"},
        {"space", "sparse", "--space sparse: must be one of plain|dense|modern"},
        {"policy", "luck", "--policy luck: must be"},
        {"data", "imagenet", "--data imagenet: "},
        {"start", "C(4,3", "--start C(4,3: "},
        {"rungs", "5,2", "--rungs 5,2: must be epochs in ascending order, as in 2,5"},
        {"rungs", "2,", "--rungs 2,: must be"},
        {"rungs", ",2", "--rungs ,2: must be"},
        {"rungs", "0", "--rungs 0: must be"},
        {"rungs", "2x", "--rungs 2x: must be"},
        {"rungs", "-2", "--rungs -2: must be"},
        {"colour", "red", "--colour: there is no such option"},
    };
    struct search_options options, before;
    struct error error;
    options_default(&options);
    before = options;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(options_set(&options, cases[i].name, cases[i].value, &error), -1);
        if (strncmp(error.text, cases[i].message, strlen(cases[i].message)))
            fail_msg("\"%s\" should begin with \"%s\"", error.text, cases[i].message);
    }
    char long_value[3000];
    memset(long_value, 'x', sizeof long_value - 1);
    long_value[sizeof long_value - 1] = '\0';
    assert_int_equal(options_set(&options, "actions", long_value, &error), -1);
    assert_string_equal(error.text, "--actions: 2999 bytes are too long, at most 2047 fit");
    assert_memory_equal(&options, &before, sizeof options);
}

static void check_fails(const char *name, const char *value, const char *message)
{
    struct search_options options;
    struct error error;
    options_default(&options);
    assert_int_equal(options_set(&options, name, value, &error), 0);
    assert_int_equal(options_settle(&options, &error), -1);
    if (!strstr(error.text, message))
        fail_msg("\"%s\" should say \"%s\"", error.text, message);
}

static void test_conditions(void **state)
{
    check_fails("policy", "manual", "needs --actions");
    check_fails("actions", "widen:conv1", "is for --policy manual only");
    check_fails("policy", "random-flops", "needs --match SESSION");
    check_fails("match", "run-1", "is not for --policy reinforce");
    check_fails("validation", "0", "needs at least one");
    check_fails("start-epochs", "0", "only a trained start network");
    struct search_options options;
    struct error error;
    options_default(&options);
    assert_int_equal(options_set(&options, "policy", "manual", &error), 0);
    assert_int_equal(options_set(&options, "actions", " ; ;", &error), 0);
    assert_int_equal(options_settle(&options, &error), -1);
    assert_non_null(strstr(error.text, "needs --actions"));

    options_default(&options);
    options.wider = options.deeper = 0;
    assert_int_equal(options_settle(&options, &error), -1);

    options_default(&options);
    assert_int_equal(options_set(&options, "policy", "hillclimb", &error), 0);
    assert_int_equal(options_settle(&options, &error), 0);
    assert_int_equal(options.parent, PARENT_BEST);
}

/* --- presets --- */

static int read_text(const char *folder, const char *text, struct search_options *options, struct error *error)
{
    char *path = file_join(folder, "a.ini");
    assert_int_equal(file_write(path, text, strlen(text), error), 0);
    options_default(options);
    int status = options_read(options, path, error);
    free(path);
    return status;
}

static void test_ini(void **state)
{
    char *folder = scratch_new();
    struct search_options options, defaults;
    struct error error;
    options_default(&defaults);
    assert_int_equal(
        read_text(folder, "# a comment\n  epochs = 7\n[search]\n\tbatch = 32\n rate=0.5 ; another\n", &options, &error),
        0);
    assert_int_equal(options.epochs, 7);
    assert_int_equal(options.batch, 32);
    assert_true(options.rate == 0.5);

    static const struct {
        const char *text, *message;
    } cases[] = {
        {"epochs = 7\nepochs = x\n", "a.ini: line 2: --epochs x: must be a whole number"},
        {"epochs = 7\n\ncolour = red\n", "a.ini: line 3: --colour: there is no such option"},
        {"epochs\n", "a.ini: line 1: must be `name = value`"},
        {"[other]\nepochs = 7\n", "a.ini: line 2: [other]: the only section is [search]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_text(folder, cases[i].text, &options, &error), -1);
        if (!strstr(error.text, cases[i].message))
            fail_msg("\"%s\" should say \"%s\"", error.text, cases[i].message);
        assert_memory_equal(&options, &defaults, sizeof options); /* all of a file, or nothing */
    }

    /* inih would cut the line in two. */
    struct text text = TEXT_EMPTY;
    text_add(&text, "epochs = 7\nstart = C(4,3,1)%*s SM(10)\n", 300, "");
    assert_int_equal(read_text(folder, text_string(&text), &options, &error), -1);
    assert_non_null(strstr(error.text, "line 2: is longer than"));
    text_done(&text);
    scratch_remove(folder);
    free(folder);
}

static void test_presets(void **state)
{
    struct search_options options;
    struct error error;
    unsetenv("ESPALIER_PRESETS");
    static const struct {
        const char *name;
        int64_t episodes;
    } presets[] = {{"quick", 0}, {"eas-small", 15}, {"eas-plain", 30}, {"eas-dense", 20}};
    for (size_t i = 0; i < COUNT_OF(presets); i++) {
        options_default(&options);
        if (options_read(&options, presets[i].name, &error) || options_settle(&options, &error))
            fail_msg("%s", error.text);
        assert_int_equal(options.episodes, presets[i].episodes);
    }
    assert_int_equal(options_read(&options, "nothing-such", &error), -1);
    assert_non_null(strstr(error.text, "--preset nothing-such: there is no such preset; there are eas-dense"));

    char *folder = scratch_new(), *path = file_join(folder, "mine.ini");
    assert_int_equal(file_write(path, "epochs = 9\n", 11, &error), 0);
    setenv("ESPALIER_PRESETS", folder, 1);
    assert_int_equal(options_read(&options, "mine", &error), 0);
    assert_int_equal(options.epochs, 9);
    unsetenv("ESPALIER_PRESETS");
    scratch_remove(folder);
    free(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_both_ways), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_ini),       cmocka_unit_test(test_presets),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
