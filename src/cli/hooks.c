/*
 * hooks.c - starts a person's commands from the engine's thread, at the events that they wait for.
 *
 * A command gets a session (setsid) and no signals of this terminal, nothing as standard input, and only descriptors
 * that it needs. It is not waited for; those that have ended are collected when the next one starts.
 */
#include "cli/hooks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/log.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

extern char **environ;

enum { VARIABLES = 6 };

/* The environment with these "NAME=value" in front: of two with one name the first counts, so the old ones go. */
static char **environment_with(char *const variables[VARIABLES])
{
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **list = memory_new(count + VARIABLES + 1, sizeof *list);
    for (; kept < VARIABLES; kept++)
        list[kept] = variables[kept];
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "ESPALIER_HOOK_", strlen("ESPALIER_HOOK_")))
            list[kept++] = environ[i];
    return list;
}

/* A place for one more, where those that have ended are collected; NULL: all are taken. */
static pid_t *free_place(struct hooks *hooks)
{
    pid_t *place = NULL;
    for (int i = 0; i < HOOKS_RUNNING_MAX; i++) {
        if (hooks->running[i] && waitpid(hooks->running[i], NULL, WNOHANG))
            hooks->running[i] = 0;
        if (!hooks->running[i])
            place = &hooks->running[i];
    }
    return place;
}

static void start(const char *command, char *const environment[], const char *log, pid_t *place)
{
    char *const words[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t process;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    if (!posix_spawn(&process, "/bin/sh", &files, &attributes, words, environment))
        *place = process; /* else the search goes on without it */
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
}

static void run_hook(struct hooks *hooks, const char *command, const char *what)
{
    pid_t *place = free_place(hooks);
    if (!place)
        return;
    const struct session_state *state = engine_state(hooks->engine);
    const struct session_node *best = session_node(state, state->best);
    char *log = file_join(hooks->folder, HOOKS_FILE), *folder = realpath(hooks->folder, NULL);
    char *variables[VARIABLES] = {
        event_text("ESPALIER_HOOK_EVENT=%s", what),
        event_text("ESPALIER_HOOK_SESSION=%s", folder ? folder : hooks->folder),
        event_text("ESPALIER_HOOK_NODE=%" PRId64, state->best),
        event_text("ESPALIER_HOOK_ACCURACY=%.6f", best ? best->accuracy : 0),
        event_text("ESPALIER_HOOK_ARCH=%s", best ? best->facts.arch : ""),
        event_text("ESPALIER_HOOK_REASON=%s", state->finished ? finish_name(&state->finish_reason) : ""),
    };
    char **environment = environment_with(variables);
    start(command, environment, log, place);
    for (size_t i = 0; i < VARIABLES; i++)
        free(variables[i]);
    free(environment);
    free(folder);
    free(log);
}

static void on_event(void *context, const struct event *event)
{
    struct hooks *hooks = context;
    const struct session_state *state = engine_state(hooks->engine);
    if (event->kind == EVENT_RESULT && hooks->on_best && state->best != hooks->best) {
        hooks->best = state->best;
        run_hook(hooks, hooks->on_best, "best");
    }
    if (event->kind == EVENT_FINISHED && hooks->on_end)
        run_hook(hooks, hooks->on_end, "end");
}

void hooks_add(struct hooks *hooks, const struct cli_arguments *arguments, struct engine *engine, const char *folder)
{
    *hooks = (struct hooks){.on_best = cli_value(arguments, "on-best"),
                            .on_end = cli_value(arguments, "on-end"),
                            .folder = folder,
                            .engine = engine,
                            .best = engine_state(engine)->best};
    if (hooks->on_best || hooks->on_end)
        engine_add_sink(engine, (struct event_sink){on_event, hooks});
}
