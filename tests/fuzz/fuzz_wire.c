/*
 * fuzz_wire.c - any bytes as what a farm's database holds: 't' and a trial, or the word of a kind, a line end and a
 * report.  What is accepted is written again as it was read; the rest has a message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "farm/wire.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void as_trial(const char *text)
{
    struct trial trial, again;
    struct error error = {""};
    if (wire_read_trial(text, &trial, &error)) {
        ASSERT(*error.text);
        trial_done(&trial);
        return;
    }
    char *first = wire_write_trial(&trial);
    ASSERT(!wire_read_trial(first, &again, &error));
    char *second = wire_write_trial(&again);
    ASSERT(!strcmp(first, second));
    free(first);
    free(second);
    trial_done(&trial);
    trial_done(&again);
}

static void as_report(enum report_kind kind, const char *text)
{
    struct report report = {.kind = kind}, again = {.kind = kind};
    struct error error = {""};
    if (wire_read_report(text, kind, &report, &error)) {
        ASSERT(*error.text);
    } else {
        char *first = wire_write_report(&report);
        ASSERT(!wire_read_report(first, kind, &again, &error));
        char *second = wire_write_report(&again);
        ASSERT(!strcmp(first, second));
        free(first);
        free(second);
    }
    report_done(&report);
    report_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct text text = TEXT_EMPTY;
    enum report_kind kind;
    text_add_bytes(&text, (const char *)bytes, length);
    char *string = text_take(&text), *line = string ? strchr(string, '\n') : NULL;
    if (line) {
        *line = '\0';
        if (*string == 't')
            as_trial(line + 1);
        else if (!wire_report_kind(string, &kind))
            as_report(kind, line + 1);
    }
    free(string);
    return 0;
}
