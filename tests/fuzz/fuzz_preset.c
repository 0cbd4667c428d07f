/*
 * fuzz_preset.c - any bytes as a preset: read whole, or nothing is changed and the message names the line.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../session_folder.h"
#include "search/options.h"
#include "util/bug.h"
#include "util/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static char *folder, *path;

static void remove_folder(void)
{
    folder_remove(folder);
    free(folder);
    free(path);
}

static void print(const struct search_options *options, struct text *text)
{
    const struct search_option *option;
    for (int i = 0; (option = option_at(i)); i++) {
        text_add(text, "%s = ", option->name);
        options_get(options, option, text);
        text_add(text, "\n");
    }
}

static void put(const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    ASSERT(file && fwrite(bytes, 1, length, file) == length && !fclose(file));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct search_options options;
    struct text before = TEXT_EMPTY, after = TEXT_EMPTY;
    struct error error = {""};
    if (!folder) {
        folder = folder_new();
        path = file_join(folder, "any.ini");
        atexit(remove_folder);
    }
    put(bytes, length);
    options_default(&options);
    print(&options, &before);
    int failed = options_read(&options, path, &error);
    print(&options, &after);
    if (failed)
        ASSERT(error.text[0] && !strcmp(text_string(&before), text_string(&after)));
    text_done(&before);
    text_done(&after);
    return 0;
}
