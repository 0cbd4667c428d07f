/*
 * manage.c - see manage.h.
 *
 * A removal goes from what is worth least to the log, so that one that is cut short leaves a session that can be listed
 * and removed again, never files that nobody lists.
 */
#include "sessions/manage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "sessions/named_file.h"
#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

static const char *const places[] = {CHECKPOINTS_PLACE, "weights", "policy"};

static int can_not(const char *path, const char *what, struct error *error)
{
    return error_set(error, "%s: can't be %s (%s)", path, what, strerror(errno));
}

/* --- rename --- */

/* FOLDER of FOLDER/NAME. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? event_text("%.*s", slash == path ? 1 : (int)(slash - path), path) : memory_copy_text(".");
}

static int new_path(const char *folder, const char *name, char **path, struct error *error)
{
    if (!*name || strchr(name, '/'))
        return error_set(error, "\"%s\" can't be the name of a session; use letters and digits", name);
    char *parent = folder_of(folder), *wanted = file_join(parent, name);
    int result = session_path_of(wanted, path, error);
    free(parent);
    free(wanted);
    return result;
}

int session_rename(const char *folder, const char *name, char **renamed, struct error *error)
{
    struct log_lock lock;
    char *path = NULL;
    if (new_path(folder, name, &path, error))
        return -1;
    int result = log_lock(folder, &lock, error);
    if (!result) {
        session_forget(folder);
        if (renameat2(AT_FDCWD, folder, AT_FDCWD, path, RENAME_NOREPLACE))
            result = errno == EEXIST ? error_set(error, "%s: already exists; choose another name", path)
                                     : can_not(folder, "renamed", error);
        session_remember(result ? folder : path);
        log_unlock(&lock);
    }
    if (result)
        free(path);
    else
        *renamed = path;
    return result;
}

/* --- remove --- */

/* Remove what is in FOLDER/PLACE, but no folders, and then the place. */
static int remove_place(const char *folder, const char *place, struct error *error)
{
    char *path = file_join(folder, place);
    int descriptor = session_place_open(path, error);
    int result = descriptor < 0 && errno != ENOENT ? -1 : 0;
    DIR *directory = descriptor < 0 ? NULL : fdopendir(descriptor);
    for (struct dirent *entry; directory && !result && (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlinkat(dirfd(directory), entry->d_name, 0) &&
            errno != EISDIR && errno != ENOENT)
            result = can_not(path, "emptied", error);
    if (directory)
        closedir(directory);
    if (!result)
        rmdir(path); /* it stays when it has more */
    free(path);
    return result;
}

/* Logs that repairs have kept: events.log.damaged, events.log.damaged2 and so on. */
static bool is_kept_log(const char *name)
{
    static const char begin[] = LOG_FILE ".damaged";
    size_t length = sizeof begin - 1;
    return !strncmp(name, begin, length) && strspn(name + length, "0123456789") == strlen(name + length);
}

static int remove_kept_logs(const char *path, int folder, struct error *error)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory)
        return can_not(path, "read", error);
    for (struct dirent *entry; !result && (entry = readdir(directory));)
        if (is_kept_log(entry->d_name) && unlinkat(folder, entry->d_name, 0))
            result = can_not(path, "emptied", error);
    closedir(directory);
    return result;
}

static int remove_files(const char *path, int folder, struct error *error)
{
    static const char *const names[] = {HOOKS_FILE, OUTPUT_FILE, SOCKET_FILE, LOG_FILE, LOCK_FILE};
    if (remove_kept_logs(path, folder, error))
        return -1;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (unlinkat(folder, names[i], 0) && errno != ENOENT)
            return can_not(path, "emptied", error);
    return 0;
}

/* Is a place a folder of the session's own, or not there?  To be asked of all before anything is removed. */
static int check_places(const char *folder, struct error *error)
{
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        char *path = file_join(folder, places[i]);
        int place = session_place_open(path, error), reason = errno;
        free(path);
        if (place >= 0)
            close(place);
        else if (reason != ENOENT)
            return -1;
    }
    return 0;
}

int session_remove(const char *folder, bool *others, struct error *error)
{
    struct log_lock lock;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *others = false;
    if (descriptor < 0)
        return can_not(folder, "opened", error);
    int result = log_lock(folder, &lock, error);
    if (!result) {
        result = check_places(folder, error);
        for (size_t i = 0; i < COUNT_OF(places) && !result; i++)
            result = remove_place(folder, places[i], error);
        if (!result)
            session_forget(folder);
        if (!result)
            result = remove_files(folder, descriptor, error);
        log_unlock(&lock);
    }
    close(descriptor);
    if (!result)
        *others = rmdir(folder) != 0;
    return result;
}

/* --- weights --- */

enum { WANTED = 3 }; /* of the start network, of the best one, and the policy's last state */

struct removal {
    const char *folder;
    bool dry;
    struct named_file wanted[WANTED];
    int wanted_count;
    struct weights_report *report;
};

/* Two networks with the same weights share a file. */
static bool is_wanted(const struct removal *removal, const struct named_file *file)
{
    for (int i = 0; i < removal->wanted_count; i++)
        if (!strcmp(removal->wanted[i].place, file->place) && !strcmp(removal->wanted[i].name, file->name))
            return true;
    return false;
}

static void find_wanted(struct removal *removal, const struct session_state *state)
{
    struct named_file file;
    for (int64_t i = 0; i < named_file_count(state); i++)
        if (named_file_at(state, i, &file) && named_file_is_of_best(state, &file) && !is_wanted(removal, &file)) {
            ASSERT(removal->wanted_count < WANTED);
            removal->wanted[removal->wanted_count++] = file;
        }
}

/* `path`: of the place, whose descriptor is `place`. */
static int remove_from(const struct removal *removal, int place, const char *path, const char *name, bool wanted,
                       struct error *error)
{
    struct stat status;
    if (fstatat(place, name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode))
        return 0;
    if (!wanted && !removal->dry && unlinkat(place, name, 0))
        return can_not(path, "emptied", error);
    ++*(wanted ? &removal->report->kept : &removal->report->removed);
    removal->report->bytes += wanted ? 0 : (double)status.st_blocks * 512;
    return 0;
}

/* The checkpoints of networks that were in training, which begin anew then. */
static int remove_checkpoints(const struct removal *removal, struct error *error)
{
    char *path = file_join(removal->folder, CHECKPOINTS_PLACE);
    int place = session_place_open(path, error), result = place < 0 && errno != ENOENT ? -1 : 0;
    DIR *directory = place < 0 ? NULL : fdopendir(place);
    for (struct dirent *entry; directory && !result && (entry = readdir(directory));)
        result = remove_from(removal, place, path, entry->d_name, false, error);
    if (directory)
        closedir(directory);
    else if (place >= 0)
        close(place);
    free(path);
    return result;
}

static int remove_file(const struct removal *removal, const struct named_file *file, struct error *error)
{
    char *path = file_join(removal->folder, file->place);
    int place = session_place_open(path, error), result = place < 0 && errno != ENOENT ? -1 : 0;
    if (place >= 0)
        result = remove_from(removal, place, path, file->name, is_wanted(removal, file), error);
    if (place >= 0)
        close(place);
    free(path);
    return result;
}

int session_remove_weights(const char *folder, bool dry, struct weights_report *report, struct error *error)
{
    struct removal removal = {.folder = folder, .dry = dry, .report = report};
    struct session_state *state = NULL;
    struct error warning;
    struct named_file file;
    struct log_lock lock = {-1, -1};
    *report = (struct weights_report){0};
    if (!dry && log_lock(folder, &lock, error))
        return -1;
    int result = session_load(folder, &state, &warning, error);
    if (!result) {
        result = check_places(folder, error) || session_check_places(folder, state, error) ? -1 : 0;
        find_wanted(&removal, state);
        for (int64_t i = 0; i < named_file_count(state) && !result; i++)
            if (named_file_at(state, i, &file))
                result = remove_file(&removal, &file, error);
        if (!result)
            result = remove_checkpoints(&removal, error);
        session_state_free(state);
    }
    log_unlock(&lock);
    return result;
}
