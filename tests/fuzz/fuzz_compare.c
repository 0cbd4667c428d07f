/*
 * fuzz_compare.c - any log that loads is compared with itself, and with one that is as it was written.
 */
#include "config.h"

#include <stdio.h>

#include "compare/comparison_print.h"
#include "session_input.h"
#include "util/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static char *folder, *names[3];

static void remove_folder(void)
{
    folder_remove(folder);
    free(folder);
    for (int i = 0; i < 3; i++)
        free(names[i]);
}

static void make_folder(void)
{
    static const char *const short_names[] = {"any.esp", "same.esp", "good.esp"};
    struct error error;
    folder = folder_new();
    for (int i = 0; i < 3; i++) {
        names[i] = file_join(folder, short_names[i]);
        ASSERT(!file_make_folder(names[i], &error));
    }
    atexit(remove_folder);
}

static void check(const struct comparison *comparison)
{
    struct text text = TEXT_EMPTY;
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    comparison_print(out, comparison, true);
    comparison_print_curves(out, comparison, false);
    comparison_print_plots(out, comparison, true);
    comparison_csv(comparison, &text);
    comparison_json(comparison, &text);
    print_document(out, text_string(&text));
    fclose(out);
    assert_plain_lines(printed);
    free(printed);
    text_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct comparison comparison;
    struct error error = {""};
    if (!folder)
        make_folder();
    session_input_put(names[0], bytes, length);
    session_input_put(names[1], bytes, length);
    log_put(names[2], bytes, length);
    for (int i = 1; i < 3; i++) {
        char *pair[] = {names[0], names[i]};
        if (comparison_load(pair, 2, i == 1 ? 0 : 5, &comparison, &error))
            ASSERT(error.text[0]);
        else
            check(&comparison);
        comparison_done(&comparison);
    }
    return 0;
}
