/*
 * fsck.c - checks a session's log and files, and repairs the log.
 *
 * salvage.c reads the log, whether it is repaired or only checked.  Then every file that the state names is compared
 * with its hash, and every file that no event names is listed.
 *
 * A repair keeps the old log under another name and puts the new one in its place by one rename, so that a crash leaves
 * one of the two.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "sessions/named_file.h"
#include "sessions/session_file.h"
#include "util/file.h"
#include "util/memory.h"

#define LOG_SIZE_MAX ((size_t)1 << 34)

struct check {
    const char *folder;
    struct session_state *state;
    struct fsck_report *report;
    struct text *findings;
};

/* Sorted by place and name, so that each file is read once, whatever number of events name it. */
struct names {
    struct named_file *items;
    size_t count, capacity;
};

static int compare_names(const void *left, const void *right)
{
    const struct named_file *one = left, *other = right;
    int places = strcmp(one->place, other->place);
    return places ? places : strcmp(one->name, other->name);
}

static struct names sorted_names(const struct session_state *state)
{
    struct names names = {0};
    struct named_file file;
    for (int64_t i = 0; i < named_file_count(state); i++) {
        if (!named_file_at(state, i, &file))
            continue;
        names.items = memory_grow(names.items, names.count, &names.capacity, sizeof *names.items);
        names.items[names.count++] = file;
    }
    if (names.count)
        qsort(names.items, names.count, sizeof *names.items, compare_names);
    return names;
}

/* `files`: `count` items of one name. */
static void check_file(struct check *check, const struct named_file *files, size_t count)
{
    char *path = named_file_path(check->folder, files), printed[HASH_TEXT];
    void *bytes;
    size_t length;
    struct error reason = {{0}};
    bool there = session_file_exists(path, IN_PLACE);
    if (!there && session_file_check(path, IN_PLACE, NULL)) {
        /* Its folder is not the session's own: check_place() says so, once. */
    } else if (!there) {
        check->report->weights_missing++;
        text_add(check->findings, "%s/%s: missing\n", files->place, files->name);
    } else if (session_file_read(path, IN_PLACE, SESSION_FILE_MAX, &bytes, &length, &reason)) {
        check->report->weights_wrong++;
        text_add(check->findings, "%s\n", reason.text);
    } else {
        hash_print(hash_of(bytes, length), printed);
        bool wrong = false;
        for (size_t i = 0; i < count; i++)
            wrong = wrong || strcmp(printed, files[i].hash);
        check->report->weights_wrong += wrong;
        if (wrong)
            text_add(check->findings, "%s/%s: its content is not what was saved\n", files->place, files->name);
        free(bytes);
    }
    free(path);
}

static void check_orphans(struct check *check, DIR *directory, const char *place, const struct names *names)
{
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct named_file file = {.place = place, .name = entry->d_name};
        if (!strcmp(file.name, ".") || !strcmp(file.name, ".."))
            continue;
        if (names->count && bsearch(&file, names->items, names->count, sizeof file, compare_names))
            continue;
        check->report->orphans++;
        text_add(check->findings, "%s/%s: no event names this file\n", place, file.name);
    }
}

static void check_place(struct check *check, const char *name, const struct names *names)
{
    char *path = file_join(check->folder, name);
    struct error reason = {{0}};
    int place = session_place_open(path, &reason);
    DIR *directory = place < 0 ? NULL : fdopendir(place);
    if (directory) {
        check_orphans(check, directory, name, names);
        closedir(directory);
    } else if (place >= 0) {
        close(place);
    } else if (errno != ENOENT) {
        check->report->weights_wrong++;
        text_add(check->findings, "%s\n", reason.text);
    }
    free(path);
}

static void check_files(struct check *check)
{
    struct names names = sorted_names(check->state);
    for (size_t i = 0, next; i < names.count; i = next) {
        for (next = i + 1; next < names.count && !compare_names(&names.items[i], &names.items[next]); next++)
            continue;
        check_file(check, &names.items[i], next - i);
    }
    check_place(check, "weights", &names);
    check_place(check, "policy", &names);
    free(names.items);
}

static bool has_bytes(const char *path, const void *bytes, size_t length)
{
    void *kept;
    size_t kept_length;
    if (session_file_read(path, IN_SESSION, length, &kept, &kept_length, NULL))
        return false;
    bool same = kept_length == length && !memcmp(kept, bytes, length);
    free(kept);
    return same;
}

/* Keep the old log under the first free name, so that a second repair doesn't overwrite the first one's; or under the
   one that it has from a repair that was killed. */
static int keep_old(const char *folder, const void *bytes, size_t length, int *kept_as, struct error *error)
{
    int result = 1;
    for (int i = 1; result > 0; i++) {
        struct text path = TEXT_EMPTY;
        text_add(&path, "%s/" LOG_FILE ".damaged", folder);
        if (i > 1)
            text_add(&path, ".%d", i);
        if (!session_file_exists(path.bytes, IN_SESSION))
            result = session_file_write(path.bytes, IN_SESSION, bytes, length, error);
        else if (has_bytes(path.bytes, bytes, length))
            result = 0;
        *kept_as = i;
        text_done(&path);
    }
    return result;
}

static int check_log(struct check *check, const char *path, bool repair, struct error *error)
{
    void *bytes;
    size_t length;
    if (session_file_read(path, IN_SESSION, LOG_SIZE_MAX, &bytes, &length, error))
        return -1;
    struct text log = TEXT_EMPTY;
    if (length == LOG_HEADER && !log_check_header(bytes, length, NULL)) {
        free(bytes);
        return log_without_events(check->folder, error);
    }
    int result = log_salvage(bytes, length, check->state, check->report, check->findings, &log, error);
    if (result)
        error_prefix(error, "%s", path);
    else if (repair && check->report->log_findings)
        result = keep_old(check->folder, bytes, length, &check->report->kept_as, error) ||
                         session_file_write(path, IN_SESSION, log.bytes, log.length, error)
                     ? -1
                     : 0;
    text_done(&log);
    free(bytes);
    return result;
}

int session_check(const char *folder, bool repair, struct fsck_report *report, struct text *text, struct error *error)
{
    *report = (struct fsck_report){0};
    struct check check = {.folder = folder, .state = session_state_new(), .report = report, .findings = text};
    struct log_lock lock = {-1, -1};
    char *path = file_join(folder, LOG_FILE);
    int result;
    if (!session_file_exists(path, IN_SESSION))
        result = error_set(error, "%s: not a session (it has no %s)", folder, LOG_FILE);
    else if (repair && log_lock(folder, &lock, error))
        result = -1;
    else
        result = check_log(&check, path, repair, error);
    int swept = lock.owner < 0 ? 0 : session_files_sweep(folder);
    if (swept)
        text_add(text, "incomplete files of processes that were killed, now removed: %d\n", swept);
    if (!result)
        check_files(&check);
    log_unlock(&lock);
    session_state_free(check.state);
    free(path);
    return result;
}
