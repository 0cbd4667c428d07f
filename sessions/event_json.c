/*
 * event_json.c - an event as one JSON object on one line, for `show --json` and `--headless --json`.
 *
 * It is written by hand for two things that the JSON library doesn't do: numbers in the shortest form that reads back
 * to the same value (0.1, not 0.10000000000000001), and texts with bytes that are not UTF-8, which become U+FFFD
 * instead of failing.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "sessions/event.h"
#include "sessions/fields.h"

static void print_real(struct text *text, double value)
{
    if (!isfinite(value)) {
        text_add(text, "null");
        return;
    }
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    char *comma = strchr(digits, ','); /* of a locale that someone set */
    if (comma)
        *comma = '.';
    text_add(text, "%s", digits);
}

static void print_string(struct text *text, const char *string)
{
    text_add(text, "\"");
    for (const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)(string ? string : ""); *at;) {
        utf8proc_int32_t character;
        utf8proc_ssize_t length = utf8proc_iterate(at, -1, &character);
        if (length <= 0)
            text_add(text, "\\ufffd");
        else if (*at == '"' || *at == '\\')
            text_add(text, "\\%c", *at);
        else if (character < 0x20 || (character >= 0x7f && character < 0xa0)) /* C0, DEL, C1 */
            text_add(text, "\\u%04x", (unsigned)character);
        else
            text_add_bytes(text, (const char *)at, (size_t)length);
        at += length > 0 ? length : 1;
    }
    text_add(text, "\"");
}

static void print_value(struct text *text, enum event_field_type type, const void *value)
{
    struct field_list list;
    if (field_list_get(type, value, &list)) {
        text_add(text, "[");
        for (int i = 0; i < list.count; i++) {
            text_add(text, i ? "," : "");
            print_value(text, list.element, field_list_item(&list, i));
        }
        text_add(text, "]");
    } else if (type == EVENT_FIELD_INTEGER)
        text_add(text, "%lld", (long long)*(const int64_t *)value);
    else if (type == EVENT_FIELD_REAL)
        print_real(text, *(const double *)value);
    else if (type == EVENT_FIELD_BOOL)
        text_add(text, *(const bool *)value ? "true" : "false");
    else
        print_string(text, event_field_text(type, value));
}

void event_print_json(const struct event *event, struct text *text)
{
    text_add(text, "{\"n\":%lld,\"t\":", (long long)event->number);
    print_real(text, event->time);
    text_add(text, ",\"k\":\"%s\"", event_kind_name(event->kind));
    int count;
    const struct event_field *fields = event_fields(event->kind, &count);
    for (int i = 0; i < count; i++) {
        text_add(text, ",\"%s\":", fields[i].name);
        print_value(text, fields[i].type, event_field_of(&fields[i], &event->as));
    }
    text_add(text, "}");
}
