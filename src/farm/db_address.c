/*
 * db_address.c - where the database is: from a URL to the options of libpq, with what holds unless it says otherwise.
 */
#include <stdlib.h>
#include <string.h>

#include "farm/db_internal.h"
#include "farm/place.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

#include <libpq-fe.h>

#define SECONDS 10.0

static void add_option(struct db *db, const char *name, const char *value)
{
    int count = 0;
    while (db->names[count])
        count++;
    ASSERT(count < OPTIONS_MAX);
    db->names[count] = memory_copy_text(name);
    db->values[count] = memory_copy_text(value);
}

static const char *option_value(const struct db *db, const char *name)
{
    for (int i = 0; db->names[i]; i++)
        if (!strcmp(db->names[i], name))
            return db->values[i];
    return NULL;
}

/* What holds unless the URL or, for those with a variable, the environment says otherwise. */
static void add_default(struct db *db, const char *name, const char *variable, const char *value)
{
    bool is_set = option_value(db, name) || (variable && getenv(variable)) || option_value(db, "service") ||
                  (variable && getenv("PGSERVICE"));
    if (!is_set)
        add_option(db, name, value);
}

static bool is_local(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    for (size_t i = 0; host && i < COUNT_OF(names); i++)
        if (!strcmp(host, names[i]))
            return true;
    return !host || !*host || ((*host == '/' || *host == '@') && !strchr(host, ',')); /* not the first of a list */
}

static const char *or_variable(const struct db *db, const char *name, const char *variable)
{
    const char *value = option_value(db, name);
    return value ? value : getenv(variable);
}

static void describe(struct db *db)
{
    struct text text = TEXT_EMPTY;
    const char *host = or_variable(db, "hostaddr", "PGHOSTADDR"), *port = or_variable(db, "port", "PGPORT");
    const char *base = or_variable(db, "dbname", "PGDATABASE"), *service = or_variable(db, "service", "PGSERVICE");
    host = host ? host : or_variable(db, "host", "PGHOST");
    if (host)
        text_add(&text, "%s %s", *host == '/' ? "socket" : "host", host);
    else
        text_add(&text, "%s%s", service ? "service " : "this machine", service ? service : "");
    if (port)
        text_add(&text, ", port %s", port);
    if (base)
        text_add(&text, ", database %s", base);
    db->where = text_take(&text);
}

static const char *info_value(const PQconninfoOption *info, const char *name)
{
    while (info && info->keyword && strcmp(info->keyword, name) != 0)
        info++;
    return info && info->keyword && info->val ? info->val : "";
}

/* "prefer" is what libpq takes where nobody said anything. */
static bool demand(struct db *db, const PQconninfoOption *info, const char *name, const char *variable)
{
    if (option_value(db, name) || getenv(variable) || strcmp(info_value(info, name), "prefer") != 0)
        return false;
    add_option(db, name, "require");
    return true;
}

bool db_demand_encryption(struct db *db)
{
    if (!or_variable(db, "service", "PGSERVICE"))
        return false; /* db_new() knew the host */
    PQconninfoOption *info = PQconninfo(db->connection);
    const char *host = info_value(info, "hostaddr");
    bool other = !is_local(*host ? host : info_value(info, "host")), added = false;
    if (other) {
        added = demand(db, info, "sslmode", "PGSSLMODE");
        added |= demand(db, info, "channel_binding", "PGCHANNELBINDING");
    }
    PQconninfoFree(info);
    return added;
}

int db_new(const char *url, const char *program, struct db **result, struct error *error)
{
    char *reason = NULL, *address;
    *result = NULL;
    if (farm_place_address(url, &address, error))
        return -1;
    PQconninfoOption *options = PQconninfoParse(address, &reason);
    free(address);
    if (!options) {
        error_set(error,
                  "%s: is no address of a database (%.*s); name the folder of `espalier farm serve`, or write "
                  "postgresql://USER@HOST/DATABASE, or \"host=/FOLDER dbname=NAME\"",
                  url, (int)strcspn(reason ? reason : "", "\n"), reason ? reason : "");
        PQfreemem(reason);
        return -1;
    }
    struct db *db = memory_new(1, sizeof *db);
    *db = (struct db){.seconds = SECONDS, .wait = DB_WAIT_MIN};
    bool password = false;
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        password |= option->val && !strcmp(option->keyword, "password");
        if (option->val)
            add_option(db, option->keyword, option->val);
    }
    PQconninfoFree(options);
    if (password) {
        db_free(db);
        return error_set(error, "the address of the database has a password, which everybody on this machine could "
                                "read; put it into ~/.pgpass (HOST:PORT:DATABASE:USER:PASSWORD, mode 600)");
    }
    const char *host = or_variable(db, "hostaddr", "PGHOSTADDR");
    if (!is_local(host ? host : or_variable(db, "host", "PGHOST"))) {
        add_default(db, "sslmode", "PGSSLMODE", "require");
        add_default(db, "channel_binding", "PGCHANNELBINDING", "require");
    }
    add_default(db, "keepalives_idle", NULL, "10");
    add_default(db, "keepalives_interval", NULL, "5");
    add_default(db, "keepalives_count", NULL, "3");
    add_default(db, "tcp_user_timeout", NULL, "20000");
    add_option(db, "fallback_application_name", program);
    describe(db);
    *result = db;
    return 0;
}
