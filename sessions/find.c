/*
 * find.c - resolves SESSION and NODE arguments, and chooses the folder of a new session.
 *
 * A name is tried as it stands and with ".esp", in the current folder (or as a path), in the state folder
 * ($XDG_STATE_HOME/espalier, or ~/.local/state/espalier) and in the gallery that is installed with the program
 * ($ESPALIER_GALLERY overrides it).  A session is a folder that has an events.log.  The state folder also has a link to
 * each session that lies elsewhere, so that it is found from any folder; where several have one name, to the one that was
 * begun or resumed last.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log.h"
#include "sessions/summary.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/print.h"

#define ENDING ".esp"

static bool is_session(const char *folder)
{
    char *path = file_join(folder, LOG_FILE);
    bool found = file_exists(path);
    free(path);
    return found;
}

char *session_state_folder(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/') /* the XDG specification: relative paths are ignored */
        return file_join(state, "espalier");
    if (home && home[0])
        return file_join(home, ".local/state/espalier");
    return NULL;
}

/* Try `folder`/`name`, then with ".esp".  `folder` NULL: the name is a path. */
static char *try_in(const char *folder, const char *name)
{
    char *path = folder ? file_join(folder, name) : memory_copy_text(name);
    struct text longer = TEXT_EMPTY;
    text_add(&longer, "%s" ENDING, path);
    const char *found = is_session(path) ? path : is_session(longer.bytes) ? longer.bytes : NULL;
    char *result = found ? memory_copy_text(found) : NULL;
    text_done(&longer);
    free(path);
    return result;
}

/* The session itself where `path` is a link to it.  Takes and gives memory of the caller's. */
static char *follow_link(char *path)
{
    struct stat status;
    char *target = path && !lstat(path, &status) && S_ISLNK(status.st_mode) ? realpath(path, NULL) : NULL;
    if (!target)
        return path;
    free(path);
    return target;
}

void session_remember(const char *folder)
{
    char *state = session_state_folder(), *path = realpath(folder, NULL), *real_state = NULL;
    const char *name = path ? strrchr(path, '/') + 1 : "";
    struct stat status;
    if (state && path && !file_make_folder(state, NULL))
        real_state = realpath(state, NULL);
    if (real_state && (strncmp(path, real_state, strlen(real_state)) || strlen(real_state) + 1 != (size_t)(name - path))) {
        char *link = file_join(real_state, name);
        bool is_free = lstat(link, &status) || (S_ISLNK(status.st_mode) && !unlink(link));
        bool linked = is_free && !symlink(path, link);
        (void)linked; /* otherwise it is only found where it lies */
        free(link);
    }
    free(real_state);
    free(path);
    free(state);
}

void session_forget(const char *folder)
{
    char *state = session_state_folder(), *name = session_short_name(folder);
    struct text link = TEXT_EMPTY;
    text_add(&link, "%s/%s" ENDING, state ? state : "", name);
    char *target = state ? realpath(link.bytes, NULL) : NULL, *path = realpath(folder, NULL);
    struct stat status;
    if (target && path && !strcmp(target, path) && !lstat(link.bytes, &status) && S_ISLNK(status.st_mode))
        unlink(link.bytes);
    free(path);
    free(target);
    text_done(&link);
    free(name);
    free(state);
}

int session_find(const char *name, char **folder, struct error *error)
{
    if (!name[0])
        return error_set(error, "a session's name is needed");
    const char *gallery = getenv("ESPALIER_GALLERY");
    if (!gallery || !*gallery) /* the installed one, or the source tree's when the program isn't installed */
        gallery = file_exists(GALLERY_FOLDER) ? GALLERY_FOLDER : GALLERY_SOURCE;
    char *state = session_state_folder();
    char *found = try_in(NULL, name);
    if (!found && name[0] != '/' && state)
        found = follow_link(try_in(state, name));
    if (!found && name[0] != '/')
        found = try_in(gallery, name);
    if (found)
        *folder = found;
    else if (file_exists(name))
        error_set(error, "%s: not a session (it has no %s)", name, LOG_FILE);
    else if (name[0] == '/')
        error_set(error, "%s: there is no such session", name);
    else
        error_set(error, "%s: there is no such session here, in %s or in %s", name, state ? state : "the state folder",
                  gallery);
    free(state);
    return found ? 0 : -1;
}

static int has_ending(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > strlen(ENDING) &&
           !strcmp(entry->d_name + length - strlen(ENDING), ENDING);
}

/* Add the sessions of a folder, without those that are there already. */
static char **add_sessions(char **folders, size_t *count, size_t *capacity, const char *folder)
{
    struct dirent **entries = NULL;
    int entry_count = scandir(folder, &entries, has_ending, alphasort);
    for (int i = 0; i < entry_count; i++) {
        char *path = file_join(folder, entries[i]->d_name);
        char *real = is_session(path) ? realpath(path, NULL) : NULL;
        free(path);
        free(entries[i]);
        for (size_t j = 0; real && j < *count; j++)
            if (!strcmp(folders[j], real)) {
                free(real);
                real = NULL;
            }
        if (!real)
            continue;
        folders = memory_grow(folders, *count, capacity, sizeof *folders);
        folders[(*count)++] = real;
    }
    free(entries);
    return folders;
}

char **session_list(size_t *count)
{
    size_t capacity = 0;
    char *state = session_state_folder(), **folders = NULL;
    *count = 0;
    folders = add_sessions(folders, count, &capacity, ".");
    if (state)
        folders = add_sessions(folders, count, &capacity, state);
    free(state);
    return folders;
}

int session_path_of(const char *text, char **folder, struct error *error)
{
    size_t length = strlen(text), plain = print_plain_length(text);
    if (plain < length)
        return error_set(error, "the session's name has a control character or is no UTF-8 (byte %zu); choose another",
                         plain + 1);
    while (length && text[length - 1] == '/')
        length--;
    const char *slash = memrchr(text, '/', length), *name = slash ? slash + 1 : text;
    size_t bytes = length - (size_t)(name - text);
    bool ends = bytes >= strlen(ENDING) && !strncmp(text + length - strlen(ENDING), ENDING, strlen(ENDING));
    if (!bytes || name[0] == '.')
        return error_set(error, "\"%s\" names no session; use a name such as run-1, with a folder before it or not",
                         text);
    struct text path = TEXT_EMPTY;
    text_add(&path, "%.*s%s", (int)length, text, ends ? "" : ENDING);
    *folder = text_take(&path);
    return 0;
}

int session_new_path(const char *name, char **folder, struct error *error)
{
    if (!name[0] || name[0] == '.' || strchr(name, '/'))
        return error_set(error, "\"%s\" can't be the name of a session; use letters and digits", name);
    char *state = session_state_folder();
    if (!state)
        return error_set(error, "neither XDG_STATE_HOME nor HOME is set; say where with --out");
    int result = file_make_folder(state, error);
    for (int64_t number = 1; !result; number++) {
        struct text file = TEXT_EMPTY;
        text_add(&file, "%s-%lld" ENDING, name, (long long)number);
        char *path = file_join(state, file.bytes);
        text_done(&file);
        if (!file_exists(path)) {
            unlink(path); /* of a link whose session is gone */
            *folder = path;
            break;
        }
        free(path);
    }
    free(state);
    return result;
}

int64_t session_find_node(const struct session_state *state, const char *text, struct error *error)
{
    int64_t node = 0;
    if (!strcmp(text, "best")) {
        if (!state->best)
            error_set(error, "no network of this session is trained yet");
        return state->best;
    }
    if (!strcmp(text, "start"))
        node = 1;
    else if (text_to_integer(*text == 'n' ? text + 1 : text, 1, INT64_MAX, &node))
        node = 0;
    if (session_node(state, node))
        return node;
    error_set(error, "%s: no such network; this session has n1 to n%lld, `best` and `start`", text,
              (long long)state->node_count);
    return 0;
}
