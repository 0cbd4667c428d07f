/*
 * fuzz_keys.c - any text as a key file: what is accepted prints as a file that gives the same keys.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tui/keys.h"
#include "util/bug.h"
#include "util/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = memory_new(length + 1, 1);
    struct text before = TEXT_EMPTY, keys = TEXT_EMPTY, again = TEXT_EMPTY;
    struct error error = {""};
    if (length)
        memcpy(text, bytes, length);
    keys_reset();
    keys_print(&before);
    int failed = keys_parse("keys", text, &error);
    keys_print(&keys);
    if (failed) {
        ASSERT(!strncmp(error.text, "keys:", 5) && !strcmp(text_string(&before), text_string(&keys)));
    } else {
        keys_reset();
        ASSERT(!keys_parse("keys", text_string(&keys), &error));
        keys_print(&again);
        ASSERT(!strcmp(text_string(&keys), text_string(&again)));
    }
    text_done(&before);
    text_done(&keys);
    text_done(&again);
    free(text);
    return 0;
}
