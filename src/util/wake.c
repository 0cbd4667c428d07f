/* wake.c - an eventfd. */
#include "util/wake.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int wake_new(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void wake_send(int wake)
{
    uint64_t one = 1;
    ssize_t written = write(wake, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
}

bool wake_take(int wake)
{
    uint64_t count;
    return read(wake, &count, sizeof count) > 0;
}
