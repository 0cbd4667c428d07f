/*
 * proc.c - reading /proc and /sys.
 *
 * Any of these files may be missing, unreadable or empty on some machine.  That is no error.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/device_internal.h"

/* ROOT and the formatted rest, cut to fit. */
enum { PROC_PATH_MAX = 512 };

static void make_path(char path[PROC_PATH_MAX], const char *root, const char *format, va_list values)
{
    int length = snprintf(path, PROC_PATH_MAX, "%s", root);
    if (length < PROC_PATH_MAX)
        vsnprintf(path + length, (size_t)(PROC_PATH_MAX - length), format, values);
}

static bool read_path(const char *path, struct text *text)
{
    text_clear(text);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    char bytes[4096];
    ssize_t got;
    while ((got = read(descriptor, bytes, sizeof(bytes))) > 0)
        text_add_bytes(text, bytes, (size_t)got);
    close(descriptor);
    return got == 0;
}

bool proc_read(const char *root, struct text *text, const char *format, ...)
{
    char path[PROC_PATH_MAX];
    va_list values;
    va_start(values, format);
    make_path(path, root, format, values);
    va_end(values);
    return read_path(path, text);
}

bool proc_number(const char *root, double *number, const char *format, ...)
{
    char path[PROC_PATH_MAX];
    va_list values;
    va_start(values, format);
    make_path(path, root, format, values);
    va_end(values);
    struct text text = TEXT_EMPTY;
    bool found = false;
    if (read_path(path, &text)) {
        char *end;
        const char *start = text_string(&text);
        double value = strtod(start, &end);
        found = end != start;
        if (found)
            *number = value;
    }
    text_done(&text);
    return found;
}

bool proc_field(const char *text, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    for (const char *line = text; *line;) {
        size_t width = strcspn(line, "\n");
        if (width >= length && strncmp(line, key, length) == 0) {
            const char *start = line + length, *end = line + width;
            while (start < end && isblank((unsigned char)*start))
                start++;
            if (start < end && *start == ':') {
                start++;
                while (start < end && isblank((unsigned char)*start))
                    start++;
                snprintf(value, size, "%.*s", (int)(end - start), start);
                return true;
            }
        }
        line += width + (line[width] == '\n');
    }
    return false;
}

void proc_list(const char *root, const char *folder, struct text *names, int *count)
{
    char path[PROC_PATH_MAX];
    snprintf(path, sizeof(path), "%s%s", root, folder);
    text_clear(names);
    *count = 0;
    struct dirent **entries;
    int found = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.') {
            text_add_bytes(names, entries[i]->d_name, strlen(entries[i]->d_name) + 1);
            ++*count;
        }
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
}
