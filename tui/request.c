/*
 * request.c - the table of requests, and keys by name.
 *
 * `S-Tab` is Tab with Shift, `C-f` is F with Control; everything else is the character itself or a name below.
 */
#include "tui/request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "util/bug.h"

static const struct request_row rows[REQUEST_COUNT] = {
#define REQUEST_ROW(name, keys, label, help) [REQUEST_##name] = {keys, label, help},
    REQUESTS(REQUEST_ROW)
#undef REQUEST_ROW
};

static const struct { const char *name; int key; } named_keys[] = {
    {"Up", KEY_CODE_UP}, {"Down", KEY_CODE_DOWN}, {"Left", KEY_CODE_LEFT}, {"Right", KEY_CODE_RIGHT},
    {"PageUp", KEY_CODE_PAGE_UP}, {"PageDown", KEY_CODE_PAGE_DOWN}, {"Home", KEY_CODE_HOME}, {"End", KEY_CODE_END},
    {"Enter", KEY_CODE_ENTER}, {"Escape", KEY_CODE_ESCAPE}, {"Tab", KEY_CODE_TAB}, {"S-Tab", KEY_CODE_BACK_TAB},
    {"Backspace", KEY_CODE_BACKSPACE}, {"Delete", KEY_CODE_DELETE}, {"Space", ' '}, {"F1", KEY_CODE_F1},
    {"F10", KEY_CODE_F10}, {"S-Left", KEY_CODE_SHIFT_LEFT}, {"S-Right", KEY_CODE_SHIFT_RIGHT},
};

const struct request_row *request_row(enum request request)
{
    ASSERT(request > REQUEST_NONE && request < REQUEST_COUNT);
    return &rows[request];
}

int key_parse(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(named_keys); i++)
        if (!strcmp(named_keys[i].name, name))
            return named_keys[i].key;
    if (!strncmp(name, "C-", 2) && isalpha((unsigned char)name[2]) && !name[3])
        return toupper((unsigned char)name[2]) - '@';
    return name[0] && !name[1] ? (unsigned char)name[0] : -1;
}

/* Does a blank-separated list of key names hold this key? */
static bool holds(const char *list, int key)
{
    char name[16];
    while (*list) {
        size_t length = strcspn(list, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        if (key_parse(name) == key)
            return true;
        list += length + (list[length] == ' ');
    }
    return false;
}

enum request request_of_key(int key)
{
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_COUNT; request++)
        if (holds(rows[request].keys, key))
            return request;
    return REQUEST_NONE;
}
