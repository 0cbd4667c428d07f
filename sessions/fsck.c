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
#include <stdlib.h>
#include <string.h>

#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "util/file.h"
#include "util/memory.h"

#define LOG_SIZE_MAX ((size_t)1 << 40)

struct check {
    const char *folder;
    struct session_state *state;
    struct fsck_report *report;
    struct text *findings;
};

struct names {
    const char **items; /* borrowed from the state */
    size_t count, capacity;
};

static void add_name(struct names *names, const char *name)
{
    names->items = memory_grow(names->items, names->count, &names->capacity, sizeof *names->items);
    names->items[names->count++] = name;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void check_file(struct check *check, const char *place, const char *name, const char *hash_text)
{
    char *folder = file_join(check->folder, place), *path = file_join(folder, name), printed[HASH_TEXT];
    void *bytes;
    size_t length;
    struct error reason = {{0}};
    if (!file_exists(path)) {
        check->report->weights_missing++;
        text_add(check->findings, "%s/%s: missing\n", place, name);
    } else if (file_read(path, SESSION_FILE_MAX, &bytes, &length, &reason)) {
        check->report->weights_wrong++;
        text_add(check->findings, "%s\n", reason.text);
    } else {
        if (strcmp(hash_print(hash_of(bytes, length), printed), hash_text)) {
            check->report->weights_wrong++;
            text_add(check->findings, "%s/%s: its content is not what was saved\n", place, name);
        }
        free(bytes);
    }
    free(path);
    free(folder);
}

static void check_orphans(struct check *check, const char *place, struct names *names)
{
    char *folder = file_join(check->folder, place);
    DIR *directory = opendir(folder);
    if (names->count)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        if (names->count && bsearch(&name, names->items, names->count, sizeof *names->items, compare_names))
            continue;
        check->report->orphans++;
        text_add(check->findings, "%s/%s: no event names this file\n", place, name);
    }
    if (directory)
        closedir(directory);
    free(folder);
}

static void check_files(struct check *check)
{
    struct names weights = {0}, policy = {0};
    for (int64_t i = 1; i <= check->state->node_count; i++) {
        const struct session_node *node = session_node(check->state, i);
        if (!node->weights || !node->weights[0])
            continue;
        add_name(&weights, node->weights);
        check_file(check, "weights", node->weights, node->weights_hash);
    }
    for (int64_t i = 0; i < check->state->policy_count; i++) {
        const struct event_policy *update = &check->state->policies[i].facts;
        if (!update->state[0])
            continue;
        add_name(&policy, update->state);
        check_file(check, "policy", update->state, update->state_hash);
    }
    check_orphans(check, "weights", &weights);
    check_orphans(check, "policy", &policy);
    free(weights.items);
    free(policy.items);
}

/* Keep the old log under the first free name, so that a second repair doesn't overwrite the first one's. */
static int keep_old(const char *folder, const void *bytes, size_t length, struct error *error)
{
    int result = 1;
    for (int i = 1; result > 0; i++) {
        struct text path = TEXT_EMPTY;
        text_add(&path, "%s/" LOG_FILE ".damaged", folder);
        if (i > 1)
            text_add(&path, ".%d", i);
        if (!file_exists(path.bytes))
            result = file_write(path.bytes, bytes, length, error);
        text_done(&path);
    }
    return result;
}

static int check_log(struct check *check, const char *path, bool repair, struct error *error)
{
    void *bytes;
    size_t length;
    if (file_read(path, LOG_SIZE_MAX, &bytes, &length, error))
        return -1;
    struct text log = TEXT_EMPTY;
    int result = log_salvage(bytes, length, check->state, check->report, check->findings, &log, error);
    if (result)
        error_prefix(error, "%s", path);
    else if (repair && check->report->bytes_skipped + check->report->frames_bad)
        result =
            keep_old(check->folder, bytes, length, error) || file_write(path, log.bytes, log.length, error) ? -1 : 0;
    text_done(&log);
    free(bytes);
    return result;
}

int session_check(const char *folder, bool repair, struct fsck_report *report, struct text *text, struct error *error)
{
    *report = (struct fsck_report){0};
    struct check check = {.folder = folder, .state = session_state_new(), .report = report, .findings = text};
    char *path = file_join(folder, LOG_FILE);
    int lock = -1, result;
    if (!file_exists(path))
        result = error_set(error, "%s: not a session (it has no %s)", folder, LOG_FILE);
    else if (repair && (lock = log_lock(folder, error)) < 0)
        result = -1;
    else
        result = check_log(&check, path, repair, error);
    if (!result)
        check_files(&check);
    log_unlock(lock);
    session_state_free(check.state);
    free(path);
    return result;
}
