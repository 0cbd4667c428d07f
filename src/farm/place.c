/*
 * place.c - see place.h.  libpq ignores what it can't use: the certificate on a socket, and the passfile where the
 * server asks for no password.
 */
#include "farm/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/file.h"
#include "util/memory.h"

enum { URL_BYTES_MAX = 4096 };

void farm_place_encode(struct text *url, const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (; *value; value++)
        text_add(url, strchr(plain, *value) ? "%c" : "%%%02X", (unsigned char)*value);
}

static void add_file(struct text *url, const char *folder, const char *name, const char *parameter)
{
    char *path = file_join(folder, name);
    if (file_exists(path)) {
        text_add(url, "&%s=", parameter);
        farm_place_encode(url, path);
    }
    free(path);
}

static int address_of_folder(const char *folder, char **address, struct error *error)
{
    char *path = file_join(folder, "url"), *real = realpath(folder, NULL), *line = NULL;
    struct text url = TEXT_EMPTY;
    void *bytes = NULL;
    size_t length;
    int failed = 0;
    if (!real)
        failed = error_set(error, "%s: can't be opened (%s); check the permissions", folder, strerror(errno));
    else if (!file_exists(path))
        failed = error_set(error, "%s: is no folder of a farm; `espalier farm serve %s` makes one", folder, folder);
    else
        failed = file_read(path, URL_BYTES_MAX, &bytes, &length, error);
    line = bytes;
    if (!failed && (strncmp(line, "postgresql://", 13) || !strchr(line, '?')))
        failed = error_set(error, "%s: has no address of a farm; `espalier farm serve` writes it", path);
    if (!failed) {
        text_add(&url, "%.*s", (int)strcspn(line, "\n"), line);
        add_file(&url, real, "passfile", "passfile");
        add_file(&url, real, "server.crt", "sslmode=verify-ca&sslrootcert");
        *address = text_take(&url);
    }
    free(bytes);
    free(real);
    free(path);
    return failed ? -1 : 0;
}

int farm_place_address(const char *place, char **address, struct error *error)
{
    struct stat status;
    if (!stat(place, &status) && S_ISDIR(status.st_mode))
        return address_of_folder(place, address, error);
    *address = memory_copy_text(place);
    return 0;
}
