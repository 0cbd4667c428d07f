/*
 * fuzz_options.c - lines of `name=value` as options, and each value as a data set, a size and a place in a replay.
 *
 * A value that is accepted is within the option's range, and printed and read again it is the same.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/images.h"
#include "search/options.h"
#include "util/bug.h"
#include "util/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_option(struct search_options *options, const char *name, const char *value)
{
    struct error error = {""};
    struct text text = TEXT_EMPTY, again = TEXT_EMPTY;
    if (options_set(options, name, value, &error)) {
        ASSERT(error.text[0]);
        return;
    }
    const struct search_option *option = option_find(name);
    ASSERT(option);
    options_get(options, option, &text);
    ASSERT(!options_set(options, name, text_string(&text), &error));
    options_get(options, option, &again);
    ASSERT(!strcmp(text_string(&text), text_string(&again)));
    double number;
    if (option->type == OPTION_REAL && !text_to_real(text_string(&text), -HUGE_VAL, HUGE_VAL, &number))
        ASSERT(number >= option->minimum && number <= option->maximum);
    text_done(&text);
    text_done(&again);
}

static void check_value(const char *value)
{
    struct data_spec spec;
    struct error error = {""};
    double seconds;
    int64_t size;
    if (data_spec_parse(value, &spec, &error))
        ASSERT(error.text[0]);
    if (!text_to_place(value, 100, &seconds))
        ASSERT(isfinite(seconds) && seconds >= 0);
    if (!text_to_size(value, &size))
        ASSERT(size >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *lines = memory_new(length + 1, 1), *rest = lines;
    struct search_options options;
    struct error error = {""};
    if (length)
        memcpy(lines, bytes, length);
    options_default(&options);
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        check_option(&options, line, value);
        check_value(value);
    }
    if (options_settle(&options, &error))
        ASSERT(error.text[0]);
    free(lines);
    return 0;
}
