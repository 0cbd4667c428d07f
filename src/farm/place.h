/*
 * place.h - where a farm is, as a person names it: an address for libpq, or a folder that `espalier farm serve` has
 * made.
 *
 * Such a folder has `url` (one line, an address without a password), `passfile`, and for other machines `server.crt`,
 * the certificate that the server must show.  It may be copied.  Any thread.
 */
#ifndef ESPALIER_FARM_PLACE_H
#define ESPALIER_FARM_PLACE_H

#include "util/error.h"
#include "util/text.h"

/* The address for libpq: of a folder, that of its files; of anything else, the same text.  The caller's to free(). */
int farm_place_address(const char *place, char **address, struct error *error);
/* Add a value of a URL, with what is not a letter or a digit as %XX. */
void farm_place_encode(struct text *url, const char *value);

#endif
