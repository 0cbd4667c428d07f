/*
 * rights.h - who may do what in a farm.
 *
 * Whoever makes the farm owns its tables.  Two roles without a login hold the rights that others need, and an
 * administrator grants them to users: `espalier_engine` (runs searches) and `espalier_worker` (trains for them: it
 * can't make searches or trials, and can't change what the farm is).  On the thread of the `struct db`.
 */
#ifndef ESPALIER_FARM_RIGHTS_H
#define ESPALIER_FARM_RIGHTS_H

#include "farm/db.h"

/* Make the roles that are missing, and give both their rights.  `*complete` false: a role is missing, and this user may
   not make roles. */
int farm_rights_grant(struct db *db, bool *complete, struct error *error);

#endif
