/*
 * request.c - the table of requests, the names of keys, and the keys in force.
 *
 * `S-Tab` is Shift and Tab, `C-f` is Control and F; every other key is the character itself or one of the names below.
 */
#include "tui/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <utf8proc.h>

#include "util/bug.h"
#include "util/memory.h"

static const struct request_row rows[REQUEST_COUNT] = {
#define REQUEST_ROW(name, keys, help) [REQUEST_##name] = {#name, keys, help},
    REQUESTS(REQUEST_ROW)
    BROWSER_REQUESTS(REQUEST_ROW)
#undef REQUEST_ROW
};

static const struct { const char *name; int key; } named_keys[] = {
    {"Up", KEY_CODE_UP}, {"Down", KEY_CODE_DOWN}, {"Left", KEY_CODE_LEFT}, {"Right", KEY_CODE_RIGHT},
    {"PageUp", KEY_CODE_PAGE_UP}, {"PageDown", KEY_CODE_PAGE_DOWN}, {"Home", KEY_CODE_HOME}, {"End", KEY_CODE_END},
    {"Enter", KEY_CODE_ENTER}, {"Escape", KEY_CODE_ESCAPE}, {"Tab", KEY_CODE_TAB}, {"S-Tab", KEY_CODE_BACK_TAB},
    {"Backspace", KEY_CODE_BACKSPACE}, {"Delete", KEY_CODE_DELETE}, {"Space", ' '}, {"F1", KEY_CODE_F1},
    {"F2", KEY_CODE_F1 + 1}, {"F3", KEY_CODE_F1 + 2}, {"F4", KEY_CODE_F1 + 3}, {"F5", KEY_CODE_F1 + 4},
    {"F6", KEY_CODE_F1 + 5}, {"F7", KEY_CODE_F1 + 6}, {"F8", KEY_CODE_F1 + 7}, {"F9", KEY_CODE_F1 + 8},
    {"F10", KEY_CODE_F10}, {"S-Left", KEY_CODE_SHIFT_LEFT}, {"S-Right", KEY_CODE_SHIFT_RIGHT},
};

const struct request_row *request_row(enum request request)
{
    ASSERT(request > REQUEST_NONE && request < REQUEST_COUNT);
    return &rows[request];
}

const char *request_name(enum request request, char buffer[REQUEST_NAME])
{
    snprintf(buffer, REQUEST_NAME, "%s", request_row(request)->name);
    for (char *at = buffer; *at; at++)
        *at = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
    return buffer;
}

/* What a terminal sends for Control and a letter; it can't tell some of them from other keys. */
static int control_key(char letter)
{
    int key = toupper((unsigned char)letter) - '@';
    return key == '\t' ? KEY_CODE_TAB : key == '\n' || key == '\r' ? KEY_CODE_ENTER : key == 8 ? KEY_CODE_BACKSPACE : key;
}

int key_parse(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(named_keys); i++)
        if (!strcmp(named_keys[i].name, name))
            return named_keys[i].key;
    if (!strncmp(name, "C-", 2) && isalpha((unsigned char)name[2]) && !name[3])
        return control_key(name[2]);
    utf8proc_int32_t character;
    utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)name, -1, &character);
    bool one = *name && length > 0 && !name[length]; /* of "" the length is 1 too */
    return one && character > ' ' && character != 0x7f ? character : -1;
}

const char *key_describe(int key, char buffer[16])
{
    for (size_t i = 0; i < COUNT_OF(named_keys); i++)
        if (named_keys[i].key == key)
            return named_keys[i].name;
    if (key > 0 && key < ' ')
        snprintf(buffer, 16, "C-%c", tolower(key + '@'));
    else if (key <= ' ' || key >= KEY_CODE_UP || snprintf(buffer, 16, "%lc", (wint_t)key) < 0)
        snprintf(buffer, 16, "?");
    return buffer;
}

/* --- the keys in force --- */

static char *own_keys[REQUEST_COUNT]; /* NULL: the table's */

const char *request_keys(enum request request)
{
    return own_keys[request] ? own_keys[request] : request_row(request)->keys;
}

void request_set_keys(enum request request, const char *keys)
{
    free(own_keys[request]);
    own_keys[request] = keys ? memory_copy_text(keys) : NULL;
}

bool keys_next(const char **list, char name[16])
{
    size_t length = strcspn(*list, " ");
    snprintf(name, 16, "%.*s", (int)length, *list);
    *list += length + ((*list)[length] == ' ');
    return length > 0;
}

const char *request_key(enum request request, char buffer[16])
{
    const char *keys = request_keys(request);
    keys_next(&keys, buffer);
    return buffer;
}

bool keys_hold(const char *list, int key)
{
    char name[16];
    while (keys_next(&list, name))
        if (key_parse(name) == key)
            return true;
    return false;
}

/* Of the requests from `first` to before `end`. */
static enum request request_between(enum request first, enum request end, int key)
{
    for (enum request request = first; request < end; request++)
        if (keys_hold(request_keys(request), key))
            return request;
    return REQUEST_NONE;
}

enum request request_of_key(int key)
{
    return request_between(REQUEST_NONE + 1, REQUEST_SCREENS, key);
}

enum request request_of_browser_key(int key)
{
    enum request request = request_between(REQUEST_SCREENS, REQUEST_COUNT, key);
    return request ? request : request_of_key(key);
}
