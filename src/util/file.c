/*
 * file.c - gzip files are read through zlib, which passes bytes through unchanged when a file isn't gzip.  The
 * temporary file of a write is PATH.espalier-new; the next write replaces what a crash leaves behind.
 */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "util/memory.h"
#include "util/text.h"

enum { READ_STEP = 1 << 20 };

static int unreadable(const char *path, const char *reason, struct error *error)
{
    return error_set(error, "%s: can't be read (%s); the file may be cut short or damaged, get it again", path, reason);
}

/* The next bytes: how many, 0 at the end, or -1.  `gz` is NULL for bytes as they are. */
static int read_some(int descriptor, gzFile gz, const char *path, char *buffer, size_t space, struct error *error)
{
    ssize_t got;
    int code = Z_OK;
    space = space < READ_STEP ? space : READ_STEP;
    while (!gz && (got = read(descriptor, buffer, space)) < 0 && errno == EINTR)
        continue;
    if (!gz)
        return got < 0 ? unreadable(path, strerror(errno), error) : (int)got;
    got = gzread(gz, buffer, (unsigned)space);
    const char *trouble = gzerror(gz, &code);
    if (got < 0 || code == Z_BUF_ERROR) /* Z_BUF_ERROR: the compressed data ends too early */
        return unreadable(path, code == Z_ERRNO ? strerror(errno) : trouble, error);
    return (int)got;
}

/* Does what file_read() says; `expected` is a guess of the length. */
static int read_all(int descriptor, gzFile gz, const char *path, size_t expected, size_t limit, char **bytes,
                    size_t *length, struct error *error)
{
    size_t capacity = (expected < limit ? expected : limit) + 1; /* one for the terminator */
    char *buffer = memory_resize(NULL, capacity, 1);
    size_t used = 0;
    int got;
    do {
        if (used + 1 == capacity) {
            capacity = capacity < READ_STEP ? READ_STEP : capacity * 2;
            buffer = memory_resize(buffer, capacity, 1);
        }
        got = read_some(descriptor, gz, path, buffer + used, capacity - 1 - used, error);
        used += got > 0 ? (size_t)got : 0;
    } while (got > 0 && used <= limit);
    if (got) {
        char size[TEXT_SHORT];
        if (got > 0)
            error_set(error, "%s: larger than %s; this can't be the right file", path, text_bytes(size, (double)limit));
        free(buffer);
        return -1;
    }
    buffer[used] = 0;
    *bytes = buffer;
    *length = used;
    return 0;
}

/* O_NONBLOCK: to open a pipe that nobody writes to would wait. */
int file_open(const char *path, size_t *size, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, "%s: can't be opened (%s); check the path and its permissions", path, strerror(errno));
    struct stat status = {0};
    bool known = fstat(descriptor, &status) == 0;
    *size = (size_t)status.st_size;
    if (known && S_ISREG(status.st_mode))
        return descriptor;
    close(descriptor);
    return known && S_ISDIR(status.st_mode)
               ? error_set(error, "%s: is a folder; name a file in it", path)
               : error_set(error, "%s: is not a regular file; copy what it holds into one", path);
}

int file_read(const char *path, size_t limit, void **bytes, size_t *length, struct error *error)
{
    size_t size;
    char *text;
    int descriptor = file_open(path, &size, error);
    if (descriptor < 0)
        return -1;
    int result = read_all(descriptor, NULL, path, size, limit, &text, length, error);
    close(descriptor);
    if (result == 0)
        *bytes = text;
    return result;
}

int file_read_gzip(const char *path, size_t limit, void **bytes, size_t *length, struct error *error)
{
    size_t size;
    char *text;
    int descriptor = file_open(path, &size, error);
    if (descriptor < 0)
        return -1;
    gzFile gz = gzdopen(descriptor, "rb");
    if (!gz) {
        close(descriptor);
        return error_set(error, "%s: can't be read (zlib has no memory)", path);
    }
    gzbuffer(gz, 1 << 17);
    size_t most = FILE_GZIP_FLOOR + FILE_GZIP_RATIO * size;
    int result = read_all(descriptor, gz, path, size, limit < most ? limit : most, &text, length, error);
    gzclose(gz);
    if (result == 0)
        *bytes = text;
    return result;
}

static int write_bytes(int descriptor, const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Open, write, sync, close.  On network file systems a failed close means a failed write. */
static int write_and_sync(const char *path, int flags, bool sync, const void *bytes, size_t length)
{
    int descriptor = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
    if (descriptor < 0)
        return -1;
    int result = write_bytes(descriptor, bytes, length);
    if (result == 0 && sync)
        result = fsync(descriptor);
    int reason = errno;
    if (close(descriptor) && result == 0)
        return -1;
    errno = reason;
    return result;
}

int file_sync_folder(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    int result = fsync(descriptor);
    if (result && errno == EINVAL) /* a file system that can't sync folders */
        result = 0;
    int reason = errno;
    close(descriptor);
    errno = reason;
    return result;
}

static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct text folder = TEXT_EMPTY;
    text_add(&folder, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    int result = file_sync_folder(text_string(&folder)), reason = errno;
    text_done(&folder);
    errno = reason;
    return result;
}

int file_write(const char *path, const void *bytes, size_t length, struct error *error)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;
    int result, reason;
    if (exists && !S_ISREG(status.st_mode)) {
        result = write_and_sync(path, 0, false, bytes, length);
        reason = errno;
    } else {
        struct text temporary = TEXT_EMPTY;
        text_add(&temporary, "%s.espalier-new", path);
        result = write_and_sync(text_string(&temporary), O_CREAT | O_TRUNC, true, bytes, length);
        if (result == 0)
            result = rename(text_string(&temporary), path);
        reason = errno;
        if (result)
            unlink(text_string(&temporary));
        else if ((result = sync_folder_of(path)))
            reason = errno;
        text_done(&temporary);
    }
    if (result)
        return error_set(error, "%s: can't be written (%s); check the folder, its permissions and the free space", path,
                         strerror(reason));
    return 0;
}

int file_may_write(const char *path, struct error *error)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (!*path)
        return error_set(error, "\"\" names no file");
    if (exists && S_ISDIR(status.st_mode))
        return error_set(error, "%s: is a folder; name a file in it", path);
    const char *slash = strrchr(path, '/');
    struct text folder = TEXT_EMPTY;
    text_add(&folder, "%.*s.", slash ? (int)(slash + 1 - path) : 0, path);
    const char *written = exists && !S_ISREG(status.st_mode) ? path : text_string(&folder);
    int failed = faccessat(AT_FDCWD, written, W_OK, AT_EACCESS);
    int reason = errno;
    text_done(&folder);
    return failed ? error_set(error, "%s: can't be written (%s); name another file", path, strerror(reason)) : 0;
}

int file_make_folder(const char *path, struct error *error)
{
    char *partial = memory_copy_text(path);
    int result = 0;
    for (char *end = partial; result == 0 && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char after = *end;
        *end = 0;
        if (*partial && !mkdir(partial, 0777))
            sync_folder_of(partial); /* best effort: the folder exists even if this fails */
        else if (*partial && errno != EEXIST)
            result = -1;
        *end = after;
    }
    int reason = errno;
    struct stat status;
    if (result == 0 && (stat(path, &status) || !S_ISDIR(status.st_mode))) {
        result = -1;
        reason = ENOTDIR;
    }
    free(partial);
    if (result)
        return error_set(error, "%s: this folder can't be created (%s); choose another place or change the permissions",
                         path, strerror(reason));
    return 0;
}

int file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

char *file_join(const char *folder, const char *name)
{
    struct text path = TEXT_EMPTY;
    size_t length = strlen(folder);
    text_add(&path, length && folder[length - 1] != '/' ? "%s/%s" : "%s%s", folder, name);
    return text_take(&path);
}
