/*
 * keys.c - reads the key file.
 *
 * The file is read into a draft, which replaces the current keys only when the whole file is valid. Conflicts are
 * checked in the finished draft, so two lines may swap the keys of two requests.
 */
#include "tui/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/layout.h"
#include "tui/request.h"
#include "util/file.h"
#include "util/memory.h"

enum { BYTES_MAX = 1 << 16 };

struct draft {
    const char *path;
    char *keys[REQUEST_COUNT]; /* NULL: the table's */
    int line[REQUEST_COUNT];   /* that gives them; 0: none */
};

static const char *keys_of(const struct draft *draft, enum request request)
{
    return draft->keys[request] ? draft->keys[request] : request_row(request)->keys;
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static enum request request_named(const char *name)
{
    char buffer[REQUEST_NAME];
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_COUNT; request++)
        if (!strcmp(request_name(request, buffer), name))
            return request;
    return REQUEST_NONE;
}

/* The keys of a line, separated by single blanks, in new memory. */
static char *read_keys(const char *value, struct error *error)
{
    struct text keys = TEXT_EMPTY;
    for (value += strspn(value, " \t"); *value; value += strspn(value, " \t")) {
        int length = (int)strcspn(value, " \t"), key;
        char name[32];
        snprintf(name, sizeof name, "%.*s", length, value);
        key = key_parse(name);
        if (key < 0)
            error_set(error, "%s is not a key; they are written as k, C-f, Up, PageDown, F2", name);
        else if (key == KEY_CODE_INTERRUPT)
            error_set(error, "C-c always leaves the program");
        else if (key >= '1' && key < '1' + PANE_COUNT)
            error_set(error, "%s always goes to a pane", name);
        else {
            text_add(&keys, "%s%s", keys.length ? " " : "", name);
            value += length;
            continue;
        }
        text_done(&keys);
        return NULL;
    }
    return keys.bytes ? text_take(&keys) : memory_copy_text("");
}

static int read_line(struct draft *draft, char *line, int number, struct error *error)
{
    line = trim(line);
    if (!*line || *line == '#')
        return 0;
    char *equals = strchr(line, '=');
    if (!equals)
        return error_set(error, "a line is `request = keys`");
    *equals = '\0';
    char *name = trim(line);
    enum request request = request_named(name);
    if (!request)
        return error_set(error, "%s is not a request; `espalier keys` lists them", name);
    if (draft->line[request])
        return error_set(error, "%s has its keys on line %d already", name, draft->line[request]);
    draft->keys[request] = read_keys(equals + 1, error);
    draft->line[request] = number;
    return draft->keys[request] ? 0 : -1;
}

static int read_lines(struct draft *draft, const char *text, struct error *error)
{
    for (int number = 1; *text; number++) {
        size_t length = strcspn(text, "\n");
        char *line = memory_new(length + 1, 1);
        memcpy(line, text, length);
        int status = read_line(draft, line, number, error);
        free(line);
        if (status)
            return error_prefix(error, "%s:%d", draft->path, number);
        text += length + (text[length] == '\n');
    }
    return 0;
}

/* Is a key of one request also the other's?  The table itself has no such pair. */
static int check_pair(const struct draft *draft, enum request a, enum request b, struct error *error)
{
    char name[16], first[REQUEST_NAME], second[REQUEST_NAME];
    int line = draft->line[a] > draft->line[b] ? draft->line[a] : draft->line[b];
    for (const char *keys = keys_of(draft, a); line && keys_next(&keys, name);)
        if (keys_hold(keys_of(draft, b), key_parse(name)))
            return error_set(error, "%s:%d: %s is a key of %s and of %s", draft->path, line, name,
                             request_name(a, first), request_name(b, second));
    return 0;
}

static int check_conflicts(const struct draft *draft, struct error *error)
{
    for (enum request a = REQUEST_NONE + 1; a < REQUEST_COUNT; a++)
        for (enum request b = a + 1; b < REQUEST_COUNT; b++)
            if ((a < REQUEST_SCREENS) == (b < REQUEST_SCREENS) && check_pair(draft, a, b, error))
                return -1;
    return 0;
}

int keys_parse(const char *path, const char *text, struct error *error)
{
    struct draft draft = {.path = path};
    int status = read_lines(&draft, text, error) || check_conflicts(&draft, error) ? -1 : 0;
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_COUNT; request++) {
        if (!status)
            request_set_keys(request, draft.keys[request]);
        free(draft.keys[request]);
    }
    return status;
}

void keys_reset(void)
{
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_COUNT; request++)
        request_set_keys(request, NULL);
}

char *keys_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && *config == '/')
        return file_join(config, "espalier/keys");
    return home && *home ? file_join(home, ".config/espalier/keys") : NULL;
}

int keys_read(struct error *error)
{
    char *path = keys_path();
    void *bytes = NULL;
    size_t length;
    int status = 0;
    if (path && file_exists(path))
        status = file_read(path, BYTES_MAX, &bytes, &length, error) || keys_parse(path, bytes, error) ? -1 : 0;
    free(bytes);
    free(path);
    return status;
}

void keys_print(struct text *text)
{
    char name[REQUEST_NAME];
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_COUNT; request++) {
        const char *keys = request_keys(request);
        text_add(text, "# %s\n%s =%s%s\n", request_row(request)->help, request_name(request, name), *keys ? " " : "",
                 keys);
    }
}
