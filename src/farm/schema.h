/*
 * schema.h - the tables of a farm: one queue of trials for any number of searches, in the schema `espalier` of a
 * database.
 *
 * `meta` says which version of the tables they are and which program made them.  Both sides check them first: a program
 * of another version is refused, because two programs may train the same trial to other bits.  Rights are whoever
 * makes the farm's to give: who runs a search reads and writes all tables, and a worker too.
 */
#ifndef ESPALIER_FARM_SCHEMA_H
#define ESPALIER_FARM_SCHEMA_H

#include "farm/db.h"

/* Of the tables; a change of any of them is a new number. */
enum { FARM_SCHEMA_VERSION = 2 };

/* Make schema and tables, in one transaction.  -1: also when they are there already. */
int farm_schema_create(struct db *db, struct error *error);
/* Is there a farm, of any version?  1, 0, or -1 with a trouble of the connection. */
int farm_schema_exists(struct db *db, struct error *error);
/* The first statement of a connection.  -1 unless the farm is there, of this version, and made by a program of this
   version: the message says which is older and what to do. */
int farm_schema_check(struct db *db, struct error *error);
/* Remove schema, tables and all that is in them. */
int farm_schema_drop(struct db *db, struct error *error);

#endif
