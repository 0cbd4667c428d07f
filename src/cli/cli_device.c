/* cli_device.c - each device of the list but the first becomes a helper thread on its core. */
#include "cli/cli_device.h"

#include <string.h>

#include "search/evaluator.h"
#include "util/team.h"
#include "util/threads.h"

static struct helpers *new_helpers(const struct device *devices, int count)
{
    int cores[TEAM_MEMBERS_MAX], most = count < TEAM_MEMBERS_MAX ? count : TEAM_MEMBERS_MAX;
    if (most < 2)
        return NULL;
    for (int i = 1; i < most; i++)
        cores[i - 1] = devices[i].core;
    struct helpers *helpers = helpers_new(cores, most - 1, 1); /* before this thread is pinned: they inherit its core */
    thread_pin(devices[0].core);
    return helpers;
}

int cli_device_open(const char *name, enum precision precision, struct cli_device *device, struct error *error)
{
    static struct device devices[DEVICES_MAX];
    int count;
    name = name ? name : "cpu";
    *device = (struct cli_device){.backend = NULL};
    if (devices_find(name, devices, &count, error))
        return error_prefix(error, "--device %s", name);
    if (!(device->backend = device_backend(&devices[0], precision, error)))
        return -1;
    memcpy(device->id, devices[0].id, sizeof device->id);
    device->helpers = devices[0].cuda ? NULL : new_helpers(devices, count);
    return 0;
}

struct team *cli_device_team(const struct cli_device *device)
{
    return device->helpers ? helpers_team(device->helpers, 0) : NULL;
}

void cli_device_close(struct cli_device *device)
{
    helpers_free(device->helpers);
}
