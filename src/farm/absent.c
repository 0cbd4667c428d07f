/*
 * absent.c - in place of the farm, in a program that was built without libpq.
 */
#include "farm/farm.h"

int farm_is_built(struct error *error)
{
    return error_set(error, "this program was built without libpq, and so without workers on other machines; install "
                            "libpq-dev, then configure and make it again");
}
