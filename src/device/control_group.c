/*
 * control_group.c - the folders whose limits hold for this process: its control group's and those of all above it.
 *
 * Version 2 is one tree, /sys/fs/cgroup; version 1 has a tree for each controller, below it.  Inside a container the
 * group's name may be the host's, and only the root be there: a folder that is missing has no limits.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device_internal.h"

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

/* Each line of /proc/self/cgroup is NUMBER:CONTROLLERS:GROUP; version 2 has no controllers in it. */
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
