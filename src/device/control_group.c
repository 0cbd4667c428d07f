/*
 * control_group.c - the folders of the control groups whose limits hold for this process: its own and all above it.
 *
 * Version 2 has one tree, /sys/fs/cgroup; version 1 has a tree below it for each controller.  In a container the
 * group's name may be the host's while only the root is mounted: a folder that is missing has no limits.
 */
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
