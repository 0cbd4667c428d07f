/* workplace.c - where a command trains: the helpers are a thread for each device of the list but the first. */
#include "cli/workplace.h"

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
    struct helpers *helpers = helpers_new(cores, most - 1, 1); /* they would inherit this thread's core */
    thread_pin(devices[0].core);
    return helpers;
}

int workplace_open(const char *device, enum precision precision, struct workplace *workplace, struct error *error)
{
    static struct device devices[DEVICES_MAX];
    int count;
    device = device ? device : "cpu";
    *workplace = (struct workplace){.backend = NULL};
    if (devices_find(device, devices, &count, error))
        return error_prefix(error, "--device %s", device);
    if (!(workplace->backend = device_backend(&devices[0], precision, error)))
        return -1;
    memcpy(workplace->id, devices[0].id, sizeof workplace->id);
    workplace->helpers = devices[0].cuda ? NULL : new_helpers(devices, count);
    return 0;
}

struct team *workplace_team(const struct workplace *workplace)
{
    return workplace->helpers ? helpers_team(workplace->helpers, 0) : NULL;
}

void workplace_close(struct workplace *workplace)
{
    helpers_free(workplace->helpers);
}
