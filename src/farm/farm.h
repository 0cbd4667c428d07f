/*
 * farm.h - what a program that may have been built without libpq asks first.
 */
#ifndef ESPALIER_FARM_FARM_H
#define ESPALIER_FARM_FARM_H

#include "util/error.h"

/* -1 with what to do: this program was built without libpq.  Then no other function of src/farm is there. */
int farm_is_built(struct error *error);

#endif
