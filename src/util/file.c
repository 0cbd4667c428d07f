/*
 * file.c - gzip files are read through zlib, which passes bytes through unchanged when a file isn't gzip.  The
 * temporary file of a write is PATH.espalier-N with a random N, made with O_EXCL: nobody can put a link in its place
 * beforehand, and two writers of one path don't meet.  A crash may leave it behind; the next process that alone writes
 * there removes it (file_sweep).
 */
#include "util/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
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

static int too_large(const char *path, size_t limit, struct error *error)
{
    char size[TEXT_SHORT];
    return error_set(error, "%s: larger than %s; this can't be the right file", path, text_bytes(size, (double)limit));
}

/* Does what file_read() says; `expected` is a guess of the length.  A file that says itself that it is too large is not
   read. */
static int read_all(int descriptor, gzFile gz, const char *path, size_t expected, size_t limit, char **bytes,
                    size_t *length, struct error *error)
{
    if (expected > limit)
        return too_large(path, limit, error);
    size_t capacity = expected + 1; /* one for the terminator */
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
        if (got > 0)
            too_large(path, limit, error);
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

/* Write, sync, close.  On network file systems a failed close means a failed write. */
static int write_and_close(int descriptor, bool sync, const void *bytes, size_t length)
{
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

static int sync_folder(int descriptor)
{
    int result = fsync(descriptor);
    return result && errno == EINVAL ? 0 : result; /* EINVAL: a file system that can't sync folders */
}

int file_sync_folder(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    int result = sync_folder(descriptor);
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

enum { NAME_TRIES = 100, NUMBER_DIGITS = 16 };
#define TEMPORARY ".espalier-"

int file_write_at(int folder, const char *name, const void *bytes, size_t length)
{
    struct text temporary = TEXT_EMPTY;
    int made = -1;
    for (int i = 0; i < NAME_TRIES && made < 0 && (!i || errno == EEXIST); i++) {
        uint64_t number = 0;
        if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number)
            number = (uint64_t)getpid() << 32 | (uint64_t)i;
        text_clear(&temporary);
        text_add(&temporary, "%s" TEMPORARY "%0*" PRIx64, name, NUMBER_DIGITS, number);
        made = openat(folder, temporary.bytes, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    }
    int result = write_and_close(made, true, bytes, length);
    if (result == 0)
        result = renameat(folder, temporary.bytes, folder, name);
    int reason = errno;
    if (result && made >= 0)
        unlinkat(folder, temporary.bytes, 0);
    else if (result == 0 && (result = sync_folder(folder)))
        reason = errno;
    text_done(&temporary);
    errno = reason;
    return result;
}

/* Is `entry` the name of a temporary file of `name`, or of another that goes on behind it with a dot? */
static bool is_temporary(const char *entry, const char *name)
{
    size_t length = strlen(entry), end = strlen(TEMPORARY) + NUMBER_DIGITS, of_name = name ? strlen(name) : 0;
    if (length <= end || strncmp(entry + length - end, TEMPORARY, strlen(TEMPORARY)) ||
        strspn(entry + length - NUMBER_DIGITS, "0123456789abcdef") != NUMBER_DIGITS)
        return false;
    return !name || (length - end >= of_name && !strncmp(entry, name, of_name) && entry[of_name] == '.');
}

int file_sweep(int folder, const char *name)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), removed = 0;
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        removed += is_temporary(entry->d_name, name) && !unlinkat(folder, entry->d_name, 0);
    if (directory)
        closedir(directory);
    else if (again >= 0)
        close(again);
    return removed;
}

/* The folder of a path that file_write() and file_reserve() write, and the name in it; -1 with errno. */
static int open_folder_of(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    struct text folder = TEXT_EMPTY;
    text_add(&folder, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    int descriptor = open(text_string(&folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC), reason = errno;
    *name = slash ? slash + 1 : path;
    text_done(&folder);
    errno = reason;
    return descriptor;
}

int file_write(const char *path, const void *bytes, size_t length, struct error *error)
{
    struct stat status;
    int result, reason;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        result = write_and_close(open(path, O_WRONLY | O_CLOEXEC), false, bytes, length);
        reason = errno;
    } else {
        const char *name;
        int folder = open_folder_of(path, &name);
        result = folder < 0 ? -1 : file_write_at(folder, name, bytes, length);
        reason = errno;
        if (folder >= 0)
            close(folder);
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

/* Is the open file still the one of that name?  Its last owner may have removed it before it was locked. */
static bool is_named(int file, const char *path)
{
    struct stat named, own;
    return !lstat(path, &named) && !fstat(file, &own) && named.st_dev == own.st_dev && named.st_ino == own.st_ino;
}

static void sweep_path(const char *path)
{
    const char *name;
    int folder = open_folder_of(path, &name);
    if (folder < 0)
        return;
    file_sweep(folder, name);
    close(folder);
}

int file_reserve(const char *path, struct error *error)
{
    struct stat status;
    if (!stat(path, &status) && !S_ISREG(status.st_mode))
        return -2;
    struct text lock = TEXT_EMPTY;
    text_add(&lock, "%s.lock", path);
    int file, failed = -1;
    do {
        file = open(lock.bytes, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        failed = file < 0 ? -1 : flock(file, LOCK_EX | LOCK_NB);
    } while (!failed && !is_named(file, lock.bytes) && !close(file));
    int reason = errno;
    if (failed && file >= 0)
        close(file);
    if (failed && reason == EWOULDBLOCK)
        error_set(error, "%s: another process is writing it; name another file by --out", path);
    else if (failed)
        error_set(error, "%s: can't be made (%s); name another file by --out", lock.bytes, strerror(reason));
    else
        sweep_path(path);
    text_done(&lock);
    return failed ? -1 : file;
}

void file_release(const char *path, int reservation)
{
    if (reservation < 0)
        return;
    struct text lock = TEXT_EMPTY;
    text_add(&lock, "%s.lock", path);
    unlink(lock.bytes); /* while it is locked */
    close(reservation);
    text_done(&lock);
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
