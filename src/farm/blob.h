/*
 * blob.h - bytes in the database, in parts of 1 MB: weights and checkpoints.
 *
 * The name says whose they are: a hash, weights that several trials of a search begin with; blob_name(), those of one
 * attempt, which go when the row of its trial goes.  Parts are written once: whoever repeats blob_put() after a broken
 * connection sends only what is missing.  Bytes without all their parts are nobody's: what names them is written after
 * them, or in the same transaction.
 */
#ifndef ESPALIER_FARM_BLOB_H
#define ESPALIER_FARM_BLOB_H

#include "farm/db.h"

enum { BLOB_PART = 1 << 20, BLOB_NAME = 64 };

/* The name of the bytes that belong to report `number` of an attempt; 0: to its trial. */
const char *blob_name(char name[BLOB_NAME], int64_t fence, int number);
/* `fence` 0: shared.  `between` is called between two parts, which take seconds where the network is slow; it may
   execute statements on `db`.  NULL: nothing is. */
struct blob_pause {
    int (*between)(void *context, struct error *error);
    void *context;
};
int blob_put(struct db *db, int64_t search, const char *name, int64_t fence, const void *bytes, size_t length,
             const struct blob_pause *pause, struct error *error);
/* 1, with bytes that are the caller's to free(); 0: there are none of that name; -1. */
int blob_get(struct db *db, int64_t search, const char *name, const struct blob_pause *pause, void **bytes,
             size_t *length, struct error *error);

#endif
