/*
 * blob.c - rows of `blob`, each with its parts in `chunk`.  A part is a statement: none waits for more than 1 MB.
 */
#include "farm/blob.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

/* A checkpoint has three times the weights, of which a file has 1 GiB at most. */
static const int64_t bytes_max = (int64_t)4 << 30;

const char *blob_name(char name[BLOB_NAME], int64_t fence, int number)
{
    snprintf(name, BLOB_NAME, "F%" PRId64 ".%d", fence, number);
    return name;
}

static int rest(const struct blob_pause *pause, struct error *error)
{
    return pause ? pause->between(pause->context, error) : 0;
}

int blob_put(struct db *db, int64_t search, const char *name, int64_t fence, const void *bytes, size_t length,
             const struct blob_pause *pause, struct error *error)
{
    if (db_query(db, error,
                 "INSERT INTO espalier.blob (search, name, length, fence) VALUES ($1, $2, $3, $4)"
                 " ON CONFLICT DO NOTHING",
                 DB_INTEGER(search), DB_TEXT(name), DB_INTEGER((int64_t)length), fence ? DB_INTEGER(fence) : DB_NULL))
        return -1;
    size_t done = 0;
    if (!db_rows(db)) { /* sent before: which parts are missing? */
        if (db_query(db, error, "SELECT count(*) FROM espalier.chunk WHERE search = $1 AND name = $2",
                     DB_INTEGER(search), DB_TEXT(name)))
            return -1;
        done = (size_t)db_integer(db, 0, 0);
    }
    for (size_t part = done; part * BLOB_PART < length; part++) {
        size_t left = length - part * BLOB_PART;
        if ((part > done && rest(pause, error)) ||
            db_query(db, error,
                     "INSERT INTO espalier.chunk (search, name, part, bytes) VALUES ($1, $2, $3, $4)"
                     " ON CONFLICT DO NOTHING",
                     DB_INTEGER(search), DB_TEXT(name), DB_INTEGER((int64_t)part),
                     DB_BYTES((const char *)bytes + part * BLOB_PART, left < BLOB_PART ? left : BLOB_PART)))
            return -1;
    }
    return 0;
}

static int get_parts(struct db *db, int64_t search, const char *name, const struct blob_pause *pause, char *bytes,
                     size_t length, struct error *error)
{
    for (size_t part = 0; part * BLOB_PART < length; part++) {
        const struct db_value values[] = {
            DB_INTEGER(search), DB_TEXT(name), DB_INTEGER((int64_t)part), {.kind = DB_VALUE_END}};
        size_t left = length - part * BLOB_PART, got;
        if ((part && rest(pause, error)) ||
            db_fetch(db, "SELECT bytes FROM espalier.chunk WHERE search = $1 AND name = $2 AND part = $3", values,
                     error))
            return -1;
        if (db_rows(db) != 1)
            return 0;
        const void *part_bytes = db_bytes(db, 0, &got);
        if (got != (left < BLOB_PART ? left : BLOB_PART))
            return 0;
        memcpy(bytes + part * BLOB_PART, part_bytes, got);
    }
    return 1;
}

int blob_get(struct db *db, int64_t search, const char *name, const struct blob_pause *pause, void **bytes,
             size_t *length, struct error *error)
{
    *bytes = NULL;
    if (db_query(db, error, "SELECT length FROM espalier.blob WHERE search = $1 AND name = $2", DB_INTEGER(search),
                 DB_TEXT(name)))
        return -1;
    if (!db_rows(db))
        return 0;
    int64_t stored = db_integer(db, 0, 0);
    if (stored < 0 || stored > bytes_max)
        return 0;
    char *buffer = memory_new((size_t)stored + 1, 1);
    int found = get_parts(db, search, name, pause, buffer, (size_t)stored, error);
    if (found != 1) {
        free(buffer);
        return found;
    }
    *bytes = buffer;
    *length = (size_t)stored;
    return 1;
}
