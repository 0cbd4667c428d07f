/*
 * target.c - what a person may name where a network is wanted: SESSION:NODE, FILE.safetensors or an architecture.
 *
 * An architecture has a parenthesis, a file is there or ends in .safetensors, everything else is SESSION:NODE.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "export/safetensors.h"
#include "search/engine.h"
#include "sessions/log.h"
#include "util/file.h"
#include "util/memory.h"

static int parse_input(const char *text, struct shape *input)
{
    return sscanf(text, "%d,%d,%d", &input->channels, &input->height, &input->width) == 3 ? 0 : -1;
}

/* A file that isn't there is no failure yet: not every command needs it. */
static int read_node_weights(const struct session_node *node, struct target *target, struct error *error)
{
    char *path;
    struct error absent;
    if (!node->weights)
        return 0;
    if (engine_weights_path(target->session, node, &path, &absent)) {
        target->absent = memory_copy_text(absent.text);
        return 0;
    }
    struct hash recorded = hash_scan(node->weights_hash);
    int failed = safetensors_read(path, &recorded, &target->weights, error);
    free(path);
    return failed;
}

int target_check_weights(const struct target *target, struct error *error)
{
    return target->absent ? error_set(error, "%s", target->absent) : 0;
}

int target_need_weights(const struct target *target, const char *text, struct error *error)
{
    if (target->weights || target_check_weights(target, error))
        return target->weights ? 0 : -1;
    return error_set(error, "%s: has no weights: it is not trained; name another, or train it: espalier train '%s'",
                     text, text);
}

bool target_is_session(const char *name)
{
    char *folder = NULL;
    bool there = !session_find(name, &folder, NULL);
    free(folder);
    return there;
}

static int find_in_session(const char *text, struct target *target, struct error *error)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1])
        return error_set(error,
                         "%s: names no network; give SESSION:NODE (run-1:best), a FILE.safetensors, or an "
                         "architecture (\"C(16,3,1) A(4,4) SM(10)\")",
                         text);
    char *name = memory_copy_text(text);
    name[colon - text] = '\0';
    struct error warning = {{0}};
    struct search_options options;
    int failed = session_find(name, &target->session, error) ||
                 session_load(target->session, &target->state, &warning, error) ||
                 engine_options_of(target->state, &options, error);
    cli_warn(&warning);
    free(name);
    if (failed)
        return -1;
    target->node = session_find_node(target->state, colon + 1, error);
    if (!target->node)
        return -1;
    const struct session_node *node = session_node(target->state, target->node);
    snprintf(target->data, sizeof target->data, "%s", options.data);
    target->validation = options.validation;
    target->train_subset = options.train_subset;
    target->seed = options.seed;
    if (parse_input(target->state->facts.input, &target->input))
        return error_set(error, "%s: the first event has no image size; espalier fsck %s", target->session,
                         target->session);
    if (arch_parse(&target->arch, node->facts.arch, error))
        return error_prefix(error, "%s: n%lld", target->session, (long long)target->node);
    return read_node_weights(node, target, error);
}

static bool is_printable(const char *text)
{
    while (*text && (unsigned char)*text >= ' ' && *text != 127)
        text++;
    return !*text;
}

/* A file that `espalier train` wrote says what images it was trained on. */
static int read_file(const char *path, struct target *target, struct error *error)
{
    void *bytes;
    size_t length;
    if (file_read(path, SAFETENSORS_FILE_MAX, &bytes, &length, error))
        return -1;
    int failed = safetensors_decode(bytes, length, &target->weights, error);
    char *data = safetensors_note(bytes, length, "data");
    if (data && is_printable(data)) /* messages quote it */
        snprintf(target->data, sizeof target->data, "%s", data);
    free(data);
    free(bytes);
    if (failed)
        return error_prefix(error, "%s", path);
    target->arch = target->weights->arch;
    target->input = target->weights->input;
    return 0;
}

static bool is_file(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode);
}

int target_find(const char *text, struct target *target, struct error *error)
{
    static const char ending[] = ".safetensors";
    size_t length = strlen(text);
    *target = (struct target){0};
    int failed;
    if ((length >= sizeof ending && !strcmp(text + length - strlen(ending), ending)) || is_file(text)) {
        failed = read_file(text, target, error);
    } else if (strchr(text, '(')) {
        failed = arch_parse(&target->arch, text, error);
    } else {
        failed = find_in_session(text, target, error);
    }
    if (failed)
        target_done(target);
    return failed ? -1 : 0;
}

void target_done(struct target *target)
{
    weights_free(target->weights);
    free(target->session);
    free(target->absent);
    if (target->state)
        session_state_free(target->state);
    *target = (struct target){0};
}
