/*
 * cli_device.h - the device that `--device` names: where `train`, `eval` and `compare --scratch` compute.
 *
 * It has a backend, and on the CPU the helper threads that work on one network together.  One thread.
 */
#ifndef ESPALIER_CLI_CLI_DEVICE_H
#define ESPALIER_CLI_CLI_DEVICE_H

#include "device/device.h"
#include "nn/backend.h"

struct cli_device {
    char id[sizeof((struct device *)0)->id]; /* as in events */
    const struct backend *backend;
    struct helpers *helpers; /* NULL: one thread */
};

/* `name` is the value of --device: "cpu" (NULL means it too) is all cores, "cpu:N" N of them.  Pins the calling thread to
   the first core.  -1: there is no such device, or it can't compute in this precision. */
int cli_device_open(const char *name, enum precision precision, struct cli_device *device, struct error *error);
/* The team of helpers for one network; NULL: there are none. */
struct team *cli_device_team(const struct cli_device *device);
/* Also after a failure of cli_device_open(), and of zeros. */
void cli_device_close(struct cli_device *device);

#endif
