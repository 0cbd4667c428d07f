/*
 * workplace.h - where a command trains: a device, its backend, and the threads that help inside one network.
 */
#ifndef ESPALIER_CLI_WORKPLACE_H
#define ESPALIER_CLI_WORKPLACE_H

#include "device/device.h"
#include "nn/backend.h"

struct workplace {
    char id[16]; /* of the device, as in events */
    const struct backend *backend;
    struct helpers *helpers; /* or NULL: one thread */
};

/* As --device names it: "cpu", the default for NULL, is all cores, "cpu:N" N of them.  This thread is pinned to the
   first.  -1 where there is no such device, or it can't work with this precision. */
int workplace_open(const char *device, enum precision precision, struct workplace *workplace, struct error *error);
/* NULL: nobody helps. */
struct team *workplace_team(const struct workplace *workplace);
/* Takes what workplace_open() refused, or zeros, too. */
void workplace_close(struct workplace *workplace);

#endif
