/*
 * rights.c - see rights.h.  Roles belong to the server, not to the database: the farms of two databases share them.
 */
#include "farm/rights.h"

#include "util/bug.h"
#include "util/text.h"

static const struct role {
    const char *name, *grants;
} roles[] = {
    {"espalier_engine", "GRANT USAGE ON SCHEMA espalier TO espalier_engine;"
                        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA espalier TO espalier_engine;"
                        "REVOKE INSERT, UPDATE, DELETE ON espalier.meta FROM espalier_engine"},
    {"espalier_worker",
     "GRANT USAGE ON SCHEMA espalier TO espalier_worker;"
     "GRANT SELECT ON ALL TABLES IN SCHEMA espalier TO espalier_worker;"
     "GRANT UPDATE ON espalier.trial TO espalier_worker;"
     "GRANT INSERT, UPDATE, DELETE ON espalier.worker, espalier.lane, espalier.report, espalier.blob,"
     " espalier.chunk, espalier.live TO espalier_worker"},
};

/* 1: it is there, now at the latest; 0: it isn't, and this user may not make it. */
static int make_role(struct db *db, const struct role *role, struct error *error)
{
    struct text sql = TEXT_EMPTY;
    if (db_query(db, error,
                 "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),"
                 " (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user)",
                 DB_TEXT(role->name)))
        return -1;
    bool is_there = db_bool(db, 0, 0), may_make = db_bool(db, 0, 1);
    if (is_there || !may_make)
        return is_there;
    text_add(&sql, "CREATE ROLE %s NOLOGIN", role->name);
    int failed = db_command(db, sql.bytes, error);
    text_done(&sql);
    return failed ? -1 : 1;
}

int farm_rights_grant(struct db *db, bool *complete, struct error *error)
{
    *complete = true;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        int made = make_role(db, &roles[i], error);
        if (made < 0 || (made && db_command(db, roles[i].grants, error)))
            return -1;
        *complete &= made;
    }
    return 0;
}
