/*
 * session_file.c - each call opens the session's folder, then goes down by descriptors with O_NOFOLLOW.
 *
 * A file's type is looked at before it is opened, since opening a device can do something, and again afterwards, since
 * it may have been exchanged.  O_NONBLOCK: opening a pipe doesn't wait for its other end.
 */
#include "sessions/session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "util/file.h"
#include "util/memory.h"

static int failed(const char *path, const char *what, int reason, struct error *error)
{
    error_set(error, "%s: can't be %s (%s); check the session's folder and its permissions", path, what,
              strerror(reason));
    errno = reason;
    return -1;
}

/* The first `length` bytes of `path` name it. */
static int not_own_folder(const char *path, size_t length, struct error *error)
{
    error_set(error,
              "%.*s: is not a folder of the session's own (a link or a file), and isn't followed; put the folder "
              "itself in its place, or get the session again",
              (int)length, path);
    errno = EPERM;
    return -1;
}

static int not_own_file(const char *path, const struct stat *status, struct error *error)
{
    if (S_ISREG(status->st_mode))
        error_set(error,
                  "%s: has another name, in another folder (a hard link), and would be written there too; use a "
                  "copy of the session (espalier copy)",
                  path);
    else
        error_set(error,
                  "%s: is not a regular file (a link, a pipe or a device), so it isn't the session's own; remove "
                  "it, or get the session again",
                  path);
    errno = EPERM;
    return -1;
}

/* The end of the folder's name in the first `length` bytes of `path`. */
static size_t folder_length(const char *path, size_t length)
{
    while (length && path[length - 1] == '/')
        length--;
    while (length && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

/* Open the folder that is named by the first `length` bytes; none are the current one.  `at`: -1 with errno. */
static int open_folder(int at, const char *path, size_t length, int flags)
{
    char *name = memory_new(length + 2, 1);
    memcpy(name, length ? path : ".", length ? length : 1);
    int file = openat(at, name, O_DIRECTORY | O_CLOEXEC | flags);
    int reason = errno;
    free(name);
    errno = reason;
    return file;
}

/* A descriptor of FOLDER/PLACE; the first `length` bytes of `path` name it. */
static int open_place(const char *path, size_t length, int flags, struct error *error)
{
    size_t end = folder_length(path, length), begin = end + strspn(path + end, "/");
    int folder = open_folder(AT_FDCWD, path, end, O_PATH);
    int place = folder < 0 ? -1 : open_folder(folder, path + begin, length - begin, O_NOFOLLOW | flags);
    int reason = errno;
    if (folder >= 0)
        close(folder);
    if (place < 0 && folder >= 0 && (reason == ENOTDIR || reason == ELOOP))
        return not_own_folder(path, length, error);
    if (place < 0)
        failed(path, "opened", reason, error);
    errno = reason;
    return place;
}

/* The folder that has the file, and the file's name in it. */
static int open_parent(const char *path, enum session_file_level level, int flags, const char **name,
                       struct error *error)
{
    size_t length = folder_length(path, strlen(path));
    *name = path + length + strspn(path + length, "/");
    bool in_root = length == 1 && path[0] == '/';
    if (level == IN_PLACE && !in_root)
        return open_place(path, length, flags, error);
    int folder = open_folder(AT_FDCWD, path, length, flags);
    return folder < 0 ? failed(path, "opened", errno, error) : folder;
}

static bool is_own(const struct stat *status, int flags)
{
    bool in_place = (flags & O_ACCMODE) != O_RDONLY;
    return S_ISREG(status->st_mode) && (!in_place || status->st_nlink <= 1);
}

static int open_in(int folder, const char *name, const char *path, int flags, bool shared, struct error *error)
{
    struct stat status = {0};
    if (!fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) && !is_own(&status, flags))
        return not_own_file(path, &status, error);
    int file = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, shared ? 0666 : 0600);
    if (file < 0)
        return errno == ELOOP ? not_own_file(path, &(struct stat){0}, error) : failed(path, "opened", errno, error);
    if (fstat(file, &status) || !is_own(&status, flags)) {
        close(file);
        return not_own_file(path, &status, error);
    }
    return file;
}

int session_file_open(const char *path, enum session_file_level level, int flags, bool shared, struct error *error)
{
    const char *name;
    int folder = open_parent(path, level, O_PATH, &name, error);
    if (folder < 0)
        return -1;
    int file = open_in(folder, name, path, flags, shared, error), reason = errno;
    close(folder);
    errno = reason;
    return file;
}

/* Up to `length` bytes; fewer at the end of the file. */
static ssize_t read_bytes(int file, char *bytes, size_t length)
{
    size_t used = 0;
    while (used < length) {
        ssize_t got = read(file, bytes + used, length - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -1 : (ssize_t)used;
        used += (size_t)got;
    }
    return (ssize_t)used;
}

int session_file_read(const char *path, enum session_file_level level, size_t limit, void **bytes, size_t *length,
                      struct error *error)
{
    struct stat status;
    int file = session_file_open(path, level, O_RDONLY, true, error);
    if (file < 0)
        return -1;
    if (fstat(file, &status) || (uint64_t)status.st_size > limit) {
        close(file);
        error_set(error, "%s: larger than %zu MiB; this can't be the right file", path, limit >> 20);
        errno = EFBIG;
        return -1;
    }
    char *content = memory_new((size_t)status.st_size + 1, 1);
    ssize_t got = read_bytes(file, content, (size_t)status.st_size);
    int reason = errno;
    close(file);
    if (got < 0) {
        free(content);
        return failed(path, "read", reason, error);
    }
    content[got] = 0;
    *bytes = content;
    *length = (size_t)got;
    return 0;
}

int session_file_write(const char *path, enum session_file_level level, const void *bytes, size_t length,
                       struct error *error)
{
    const char *name;
    int folder = open_parent(path, level, O_RDONLY, &name, error);
    if (folder < 0)
        return -1;
    int result = file_write_at(folder, name, bytes, length), reason = errno;
    close(folder);
    return result
               ? error_set(error,
                           "%s: can't be written (%s); check the session's folder, its permissions and the free space",
                           path, strerror(reason))
               : 0;
}

int session_file_check(const char *path, enum session_file_level level, struct error *error)
{
    const char *name;
    struct stat status;
    int folder = open_parent(path, level, O_PATH, &name, error);
    if (folder < 0)
        return errno == ENOENT ? 0 : -1;
    bool foreign = !fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) && !is_own(&status, O_RDONLY);
    close(folder);
    return foreign ? not_own_file(path, &status, error) : 0;
}

bool session_file_exists(const char *path, enum session_file_level level)
{
    const char *name;
    struct stat status;
    int folder = open_parent(path, level, O_PATH, &name, NULL);
    bool found = folder >= 0 && !fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW);
    if (folder >= 0)
        close(folder);
    return found;
}

void session_file_remove(const char *path, enum session_file_level level)
{
    const char *name;
    int folder = open_parent(path, level, O_PATH, &name, NULL);
    if (folder < 0)
        return;
    unlinkat(folder, name, 0);
    close(folder);
}

int session_place_open(const char *path, struct error *error)
{
    return open_place(path, strlen(path), O_RDONLY, error);
}

static int sweep(int folder)
{
    int removed = folder < 0 ? 0 : file_sweep(folder, NULL);
    if (folder >= 0)
        close(folder);
    return removed;
}

int session_files_sweep(const char *folder)
{
    static const char *const places[] = {"weights", "policy", CHECKPOINTS_PLACE};
    int removed = sweep(open_folder(AT_FDCWD, folder, strlen(folder), O_RDONLY));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = file_join(folder, places[i]);
        removed += sweep(session_place_open(path, NULL));
        free(path);
    }
    return removed;
}

int session_place_make(const char *path, struct error *error)
{
    int place = session_place_open(path, error);
    if (place < 0 && errno == ENOENT && !file_make_folder(path, error))
        place = session_place_open(path, error);
    if (place < 0)
        return -1;
    close(place);
    return 0;
}
