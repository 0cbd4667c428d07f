/* identity.c - the hash is made by the rule of sources.h in room.am, whenever a source has changed. */
#include "config.h"

#include "util/identity.h"

#include "util/sources.h"

const char identity[] = PACKAGE_STRING " (sources " SOURCES_HASH ")";
