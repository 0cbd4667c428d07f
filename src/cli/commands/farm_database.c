/* farm_database.c - `espalier farm init`, `status` and `drop`: what a person does with a farm's database. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/farm.h"
#include "farm/db.h"
#include "farm/rights.h"
#include "farm/schema.h"
#include "farm/status.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/print.h"

char *farm_search_word(const char *place)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:@%+,=";
    struct text word = TEXT_EMPTY;
    if (*place && !place[strspn(place, plain)])
        return memory_copy_text(place);
    text_add(&word, "'");
    for (; *place; place++)
        text_add(&word, *place == '\'' ? "'\\''" : "%c", *place);
    text_add(&word, "'");
    return text_take(&word);
}

char *farm_worker_word(const char *place)
{
    char *folder = file_join(place, "worker");
    char *word = farm_search_word(file_exists(folder) ? folder : place);
    free(folder);
    return word;
}

static int open_database(const char *place, struct db **db, struct error *error)
{
    if (db_new(place, "espalier farm", db, error))
        return -1;
    return db_connect(*db, error);
}

/* Open a database that has a farm of this program's. */
static int open_farm(const char *place, struct db **db, struct error *error)
{
    if (open_database(place, db, error))
        return -1;
    int there = farm_schema_exists(*db, error);
    char *word = farm_search_word(place);
    if (there == 0)
        error_set(error, "%s: has no farm; espalier farm init %s makes one", db_where(*db), word);
    free(word);
    return there > 0 ? 0 : -1;
}

static void say_prepared(const struct db *db, const char *place, bool was_there, bool complete, FILE *out)
{
    char *word = farm_search_word(place), *worker = farm_worker_word(place);
    print_to(out, was_there ? "%s: has a farm already; its rights are renewed\n" : "%s: has a farm now\n",
             db_where(db));
    if (!complete)
        print_to(out,
                 "This user may not make roles, so searches and workers must connect as this user. An administrator "
                 "can\n  CREATE ROLE espalier_engine; CREATE ROLE espalier_worker;\nand then `espalier farm init` "
                 "gives them their rights.\n");
    print_to(out, "  a search   espalier run --farm %s\n  a worker   espalier worker %s\n", word, worker);
    free(word);
    free(worker);
}

int farm_prepare(const char *place, FILE *out, struct error *error)
{
    struct db *db = NULL;
    bool complete = true;
    int there = -1;
    int failed = open_database(place, &db, error) || (there = farm_schema_exists(db, error)) < 0 ||
                 (there ? farm_schema_check(db, error) : farm_schema_create(db, error)) ||
                 farm_rights_grant(db, &complete, error);
    if (!failed && out)
        say_prepared(db, place, there, complete, out);
    db_free(db);
    return failed ? -1 : 0;
}

int farm_init(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    return farm_prepare(arguments->words[1], stdout, &error) ? cli_fail(&error) : 0;
}

int farm_status(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct db *db = NULL;
    char *text = NULL;
    json_error_t trouble;
    int failed = open_farm(arguments->words[1], &db, &error) || farm_schema_check(db, &error) ||
                 farm_status_read(db, &text, &error);
    json_t *status = failed ? NULL : json_loads(text, 0, &trouble);
    if (!failed && !status)
        failed = error_set(&error, "%s: its status can't be read (%s)", db_where(db), trouble.text);
    if (!failed && cli_value(arguments, "json")) {
        char *document = json_dumps(status, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        print_document(stdout, document);
        print_to(stdout, "\n");
        free(document);
    } else if (!failed) {
        print_to(stdout, "%s: ", db_where(db));
        farm_print_status(arguments->words[1], status);
    }
    json_decref(status);
    free(text);
    db_free(db);
    return failed ? cli_fail(&error) : 0;
}

/* Remove one search, or the whole farm; nothing that a process still works with. */
static int drop(struct db *db, const char *session, struct error *error)
{
    char *running = NULL;
    int count = 1, failed = farm_status_running(db, session, &running, error);
    if (!failed && *running)
        failed = error_set(error, "%s: %s is running; stop it first, then drop it", db_where(db), running);
    else if (!failed && session)
        failed = farm_status_remove(db, session, &count, error);
    else if (!failed)
        failed = farm_schema_drop(db, error);
    if (!failed && !count)
        failed = error_set(error, "%s: has no search %s; espalier farm status lists them", db_where(db), session);
    free(running);
    return failed;
}

int farm_drop(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct db *db = NULL;
    const char *session = arguments->word_count > 2 ? arguments->words[2] : NULL;
    int failed = open_farm(arguments->words[1], &db, &error) || (session && farm_schema_check(db, &error)) ||
                 drop(db, session, &error);
    if (!failed)
        print_to(stdout, "%s: %s%s is removed; sessions keep all that they have\n", db_where(db),
                 session ? "the search " : "the farm", session ? session : "");
    db_free(db);
    return failed ? cli_fail(&error) : 0;
}
