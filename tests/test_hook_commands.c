/*
 * test_hook_commands.c - commands of a person beside a search: a hooks.log that isn't the session's own file is left
 * alone and holds nothing up, and the end is told although many commands still run.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/hooks.h"
#include "engine_bed.h"
#include "util/file.h"

enum { NETWORKS = HOOKS_RUNNING_MAX + 3, WAITS = 1000 };

/* Each network is better than those before. */
static double rising(void *context, const struct trial *trial)
{
    (void)trial;
    return 0.1 + 0.01 * ++*(int *)context;
}

/* The search has ended, its commands may not have.  What hooks_add() returned. */
static int search(const char *folder, int networks, const char *on_best, const char *on_end, struct hooks *hooks,
                  int (*spoil)(const char *folder), struct error *warning)
{
    int trained = 0;
    struct script script = {.slots = 1, .accuracy = rising, .context = &trained};
    struct search_options options = bed_options();
    struct search_data data = scripted_data();
    struct evaluator *evaluator = scripted_evaluator_new(&script);
    struct engine *engine;
    struct error error = {{0}};
    options.networks = networks;
    assert_int_equal(engine_create(&options, folder, &data, evaluator, &engine, &error), 0);
    if (spoil)
        assert_int_equal(spoil(folder), 0);
    int status = hooks_add(hooks, on_best, on_end, engine, folder, warning);
    alarm(20); /* a command that waits for ever holds the search up */
    assert_int_equal(engine_run(engine, &error), 0);
    alarm(0);
    hooks_done(hooks);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    return status;
}

static bool appears(const char *folder, const char *name)
{
    char *path = file_join(folder, name);
    for (int i = 0; i < WAITS && !file_exists(path); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    bool there = file_exists(path);
    free(path);
    return there;
}

static void test_places(void **state)
{
    char *scratch = scratch_new(), *folder = bed_path(scratch, "many");
    struct hooks hooks;
    struct error warning = {{0}};
    int running = 0;
    (void)state;
    assert_int_equal(search(folder, NETWORKS, "exec sleep 60", "echo told; touch \"$ESPALIER_HOOK_SESSION/ended\"",
                            &hooks, NULL, &warning),
                     0);
    assert_true(appears(folder, "ended"));
    for (int i = 0; i < HOOKS_RUNNING_MAX; i++)
        running += hooks.running[i] > 0 && !kill(hooks.running[i], SIGKILL);
    assert_int_equal(running, HOOKS_RUNNING_MAX); /* all places were taken */
    assert_true(appears(folder, "hooks.log"));
    free(folder);
    scratch_remove(scratch);
    free(scratch);
}

static int make_pipe(const char *folder)
{
    char *log = file_join(folder, "hooks.log");
    int status = mkfifo(log, 0600);
    free(log);
    return status;
}

/* To a file outside of the session, which is empty. */
static int make_link(const char *folder, bool hard)
{
    char *log = file_join(folder, "hooks.log"), *outside = file_join(folder, "../outside");
    struct error error;
    int status = file_write(outside, "", 0, &error) || (hard ? link(outside, log) : symlink("../outside", log));
    free(outside);
    free(log);
    return status;
}

static int make_hard_link(const char *folder)
{
    return make_link(folder, true);
}

static int make_symbolic_link(const char *folder)
{
    return make_link(folder, false);
}

static void test_logs_of_others(void **state)
{
    static int (*const spoils[])(const char *) = {make_pipe, make_hard_link, make_symbolic_link};
    (void)state;
    for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        char *scratch = scratch_new(), *folder = bed_path(scratch, "given"), *outside = file_join(scratch, "outside");
        struct hooks hooks;
        struct error warning = {{0}};
        struct stat status;
        assert_int_equal(search(folder, 2, "echo best", "echo end; touch \"$ESPALIER_HOOK_SESSION/ended\"", &hooks,
                                spoils[i], &warning),
                         -1);
        assert_non_null(strstr(warning.text, "hooks.log: "));
        assert_true(appears(folder, "ended")); /* the command runs, what it prints is lost */
        assert_true(stat(outside, &status) || !status.st_size);
        free(outside);
        free(folder);
        scratch_remove(scratch);
        free(scratch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places), cmocka_unit_test(test_logs_of_others)};
    return cmocka_run_group_tests_name("hook commands", tests, NULL, NULL);
}
