/*
 * zip.h - finds and unpacks the members of a ZIP archive that is in memory.
 *
 * What NumPy writes: members that are stored or deflated, in one file.  Encrypted members, ZIP64 and archives in
 * several files are refused.  Nothing in the archive is trusted; time and memory are at most linear in its length, by
 * the rule of gzip files (util/file.h).  Pure functions, any thread.  Messages say what is wrong; the caller puts the
 * path before them.
 */
#ifndef ESPALIER_DATA_ZIP_H
#define ESPALIER_DATA_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "util/text.h"

struct zip {
    const uint8_t *bytes; /* of the whole archive; borrowed */
    size_t length;
    size_t directory; /* where the list of members begins */
    int count;        /* members */
};

struct zip_member {
    const uint8_t *packed; /* in the archive */
    size_t packed_length, length;
    uint32_t checksum;
    bool deflated;
};

int zip_open(const void *bytes, size_t length, struct zip *zip, struct error *error);
/* Find the member of a name: 1, 0 when there is none, or -1. */
int zip_find(const struct zip *zip, const char *name, struct zip_member *member, struct error *error);
/* Add the members' names, as far as they can be read: "a.npy, b.npy", ten at most. */
void zip_names(const struct zip *zip, struct text *text);
/* The content of a member, which the archive holds, or `*unpacked`; free() that.  Its checksum is checked. */
int zip_read(const struct zip *zip, const struct zip_member *member, const uint8_t **content, void **unpacked,
             struct error *error);

#endif
