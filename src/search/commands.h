/*
 * commands.h - what a person may ask of a search that runs.
 */
#ifndef ESPALIER_SEARCH_COMMANDS_H
#define ESPALIER_SEARCH_COMMANDS_H

#include "search/engine_parts.h"

/* Answer the commands that wait, and do what they say. */
void commands_handle(struct engine *engine);

#endif
