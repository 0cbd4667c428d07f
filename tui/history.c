/*
 * history.c - lines in memory, and the file that they come from.
 *
 * The whole file is written anew at each line, over a temporary one: it is short. Two terminals that write it: the last
 * one wins. What is not UTF-8 without control characters is not taken from the file.
 */
#include "tui/history.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { LINES_MAX = 200, FILE_MAX = 1 << 16 };

static struct {
    char *lines[LINES_MAX]; /* the oldest first */
    int count;
    char *path; /* NULL: not kept */
} history;

int history_count(void)
{
    return history.count;
}

const char *history_line(int back)
{
    return back >= 1 && back <= history.count ? history.lines[history.count - back] : NULL;
}

static void forget(int index)
{
    free(history.lines[index]);
    memmove(history.lines + index, history.lines + index + 1,
            sizeof *history.lines * (size_t)(--history.count - index));
}

void history_clear(void)
{
    while (history.count)
        forget(0);
    free(history.path);
    history.path = NULL;
}

static bool is_plain(const char *line)
{
    utf8proc_int32_t character;
    utf8proc_ssize_t length;
    for (; *line; line += length) {
        length = utf8proc_iterate((const utf8proc_uint8_t *)line, -1, &character);
        if (length <= 0 || character < ' ' || (character >= 0x7f && character < 0xa0))
            return false;
    }
    return true;
}

static void add(const char *line)
{
    if (!*line || !is_plain(line))
        return;
    for (int i = history.count - 1; i >= 0; i--)
        if (!strcmp(history.lines[i], line))
            forget(i);
    if (history.count == LINES_MAX)
        forget(0);
    history.lines[history.count++] = memory_copy_text(line);
}

void history_open(const char *path)
{
    void *bytes;
    size_t length;
    char *rest = NULL;
    history_clear();
    history.path = path ? memory_copy_text(path) : NULL;
    if (!path || file_read(path, FILE_MAX, &bytes, &length, NULL))
        return;
    for (char *line = strtok_r(bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        add(line);
    free(bytes);
}

void history_add(const char *line)
{
    struct text text = TEXT_EMPTY;
    add(line);
    for (int i = 0; i < history.count; i++)
        text_add(&text, "%s\n", history.lines[i]);
    if (history.path)
        file_write(history.path, text_string(&text), text.length, NULL); /* else it lasts as long as the process */
    text_done(&text);
}
