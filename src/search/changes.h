/*
 * changes.h - the commands `budget`, `rate` and `epochs`.  A check reads the words of a request: 0 with an answer, or -1
 * with the reason of the refusal.  The engine's thread only.
 */
#ifndef ESPALIER_SEARCH_CHANGES_H
#define ESPALIER_SEARCH_CHANGES_H

#include "search/request.h"

int changes_check_budget(struct engine *engine, struct request *request, struct error *error);
void changes_set_budget(struct engine *engine, struct request *request);
int changes_check_training(struct engine *engine, struct request *request, struct error *error);
void changes_set_training(struct engine *engine, struct request *request);

#endif
