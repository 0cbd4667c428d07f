/*
 * proc.c - reading /proc and /sys, and the control groups whose limits hold for this process.
 *
 * Any of these files may be missing, unreadable or empty on some machine.  That is no error.
 *
 * Control groups of version 2 have one tree, /sys/fs/cgroup; version 1 has a tree below it for each controller.  In a
 * container the group's name may be the host's while only the root is mounted: a folder that is missing has no limits.
 */
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

static bool read_file(const char *root, struct text *text, const char *format, va_list values)
{
    char path[PROC_PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s", root);
    if (length < PROC_PATH_MAX)
        vsnprintf(path + length, (size_t)(PROC_PATH_MAX - length), format, values);
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
    va_list values;
    va_start(values, format);
    bool found = read_file(root, text, format, values);
    va_end(values);
    return found;
}

bool proc_number(const char *root, double *number, const char *format, ...)
{
    struct text text = TEXT_EMPTY;
    va_list values;
    va_start(values, format);
    bool found = read_file(root, &text, format, values);
    va_end(values);
    char *end;
    double value = strtod(text_string(&text), &end);
    found = found && end != text_string(&text);
    if (found)
        *number = value;
    text_done(&text);
    return found;
}

bool proc_field(const char *text, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, length) != 0)
            continue;
        const char *at = line + length + strspn(line + length, " \t");
        if (*at != ':')
            continue;
        at += 1 + strspn(at + 1, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
        return true;
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

static void climb(const char *tree, const char *group, control_group_visit *visit, void *context)
{
    char folder[512];
    snprintf(folder, sizeof(folder), "%s%s", tree, group);
    for (;;) {
        visit(context, folder);
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= strlen(tree) || !slash)
            return;
        *slash = 0;
    }
}

/* Each line of /proc/self/cgroup is NUMBER:CONTROLLERS:GROUP; in version 2 CONTROLLERS is empty. */
void control_group_each(const char *root, const char *controller, control_group_visit *visit, void *context)
{
    struct text groups = TEXT_EMPTY;
    char tree[64];
    snprintf(tree, sizeof(tree), "/sys/fs/cgroup/%s", controller);
    proc_read(root, &groups, "/proc/self/cgroup");
    char *rest = text_take(&groups);
    for (char *place = rest, *line; (line = strsep(&place, "\n"));) {
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *controllers++ = *group++ = 0;
        if (!*controllers)
            climb("/sys/fs/cgroup", group, visit, context);
        for (char *names = controllers, *name; (name = strsep(&names, ","));)
            if (strcmp(name, controller) == 0)
                climb(tree, group, visit, context);
    }
    free(rest);
}
