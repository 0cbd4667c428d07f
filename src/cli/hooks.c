/*
 * hooks.c - starts a person's commands from the engine's thread, at the events that they wait for.
 *
 * A command gets a session (setsid) and no signals of this terminal, nothing as standard input, and only descriptors
 * that it needs. It is not waited for; those that have ended are collected when the next one starts. The last place is
 * that of --on-end alone. The file for what they print is opened before the search runs: somebody else may have made
 * the session, and opening what is no file could wait for ever.
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
#include "sessions/session_file.h"
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
static pid_t *free_place(struct hooks *hooks, bool last)
{
    pid_t *place = NULL;
    for (int i = 0; i < HOOKS_RUNNING_MAX + last; i++) {
        if (hooks->running[i] && waitpid(hooks->running[i], NULL, WNOHANG))
            hooks->running[i] = 0;
        if (!hooks->running[i])
            place = &hooks->running[i];
    }
    return place;
}

/* `log`: -1: what it prints is lost. */
static void start(const char *command, char *const environment[], int log, pid_t *place)
{
    char *const words[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t process;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    if (log < 0)
        posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    else
        posix_spawn_file_actions_adddup2(&files, log, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0); /* `log` may have been it */
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
    pid_t *place = free_place(hooks, command == hooks->on_end);
    if (!place)
        return;
    const struct session_state *state = engine_state(hooks->engine);
    const struct session_node *best = session_node(state, state->best);
    char *folder = realpath(hooks->folder, NULL);
    char *variables[VARIABLES] = {
        event_text("ESPALIER_HOOK_EVENT=%s", what),
        event_text("ESPALIER_HOOK_SESSION=%s", folder ? folder : hooks->folder),
        event_text("ESPALIER_HOOK_NODE=%" PRId64, state->best),
        event_text("ESPALIER_HOOK_ACCURACY=%.6f", best ? best->accuracy : 0),
        event_text("ESPALIER_HOOK_ARCH=%s", best ? best->facts.arch : ""),
        event_text("ESPALIER_HOOK_REASON=%s", state->finished ? finish_name(&state->finish_reason) : ""),
    };
    char **environment = environment_with(variables);
    start(command, environment, hooks->log, place);
    for (size_t i = 0; i < VARIABLES; i++)
        free(variables[i]);
    free(environment);
    free(folder);
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

int hooks_add(struct hooks *hooks, const char *on_best, const char *on_end, struct engine *engine, const char *folder,
              struct error *warning)
{
    *hooks = (struct hooks){.on_best = on_best,
                            .on_end = on_end,
                            .folder = folder,
                            .log = -1,
                            .engine = engine,
                            .best = engine_state(engine)->best};
    if (!on_best && !on_end)
        return 0;
    char *log = file_join(folder, HOOKS_FILE);
    hooks->log = session_file_open(log, IN_SESSION, O_WRONLY | O_CREAT | O_APPEND, false, warning);
    free(log);
    engine_add_sink(engine, (struct event_sink){on_event, hooks});
    return hooks->log < 0 ? error_prefix(warning, "what --on-best and --on-end print is lost") : 0;
}

void hooks_done(struct hooks *hooks)
{
    if (hooks->log >= 0)
        close(hooks->log);
    hooks->log = -1;
}
