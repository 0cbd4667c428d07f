/*
 * worker.c - `espalier worker`: trains networks for searches of other machines.
 *
 * It asks the farm for a search, opens that search's images where this machine has them, and serves it until it ends;
 * then it asks for the next.  A search that it can't serve is told why, and not asked for again.
 */
#include "config.h"

#include "backend/cpu/cpu.h"
#include "cli/search_setup.h"
#include "farm/farm.h"
#include "farm/relay.h"
#include "farm/schema.h"
#include "farm/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/clock.h"
#include "util/identity.h"
#include "util/memory.h"
#include "util/print.h"

#ifdef HAVE_FARM

enum { REFUSED_MAX = 64 };
#define LOOK_SECONDS 1.0
#define CHECKPOINT_MINUTES                                                                                             \
    1.0 /* a checkpoint has three times the bytes of the weights, and goes through the network                         \
         */

struct worker {
    const struct cli_arguments *arguments;
    struct db *db;
    double idle, since; /* seconds; when it last served a search */
    int64_t refused[REFUSED_MAX];
    int refused_count;
};

static atomic_bool stopped;

static void stop(void *context)
{
    atomic_store(&stopped, true);
}

static void say(void *context, const char *line)
{
    print_to(stdout, "%s\n", line);
    fflush(stdout);
}

/* "10m", "90" (seconds), "2h". */
static int read_duration(const char *text, double *seconds)
{
    char number[32];
    size_t length = strlen(text);
    double unit = !length ? 0 : text[length - 1] == 'm' ? 60 : text[length - 1] == 'h' ? 3600 : 1;
    bool has_unit = length && strchr("smh", text[length - 1]);
    if (!length || length >= sizeof number)
        return -1;
    snprintf(number, sizeof number, "%.*s", (int)(length - has_unit), text);
    if (text_to_real(number, 0, 1e9, seconds))
        return -1;
    *seconds *= unit;
    return 0;
}

/* --- can this machine serve the search? --- */

/* "fashion-mnist=/data/fashion" for a search with --data fashion-mnist or fashion-mnist:/elsewhere: the spec, with the
   folder that this machine has it in.  Sizes and the like stay. */
static int place_data(const struct worker *worker, struct search_options *options, struct error *error)
{
    size_t length = strcspn(options->data, ":");
    for (int i = 0; i < worker->arguments->value_count; i++) {
        const char *value = worker->arguments->values[i].value;
        if (strcmp(worker->arguments->values[i].name, "data") != 0)
            continue;
        const char *equals = strchr(value, '=');
        if (!equals)
            return error_set(error, "--data %s: write SPEC=PATH, as fashion-mnist=/data/fashion", value);
        if ((size_t)(equals - value) != length || strncmp(value, options->data, length) != 0)
            continue;
        struct text text = TEXT_EMPTY;
        text_add(&text, "%.*s:%s", (int)length, value, equals + 1);
        int failed = options_set(options, "data", text_string(&text), error);
        text_done(&text);
        return failed;
    }
    return 0;
}

static int read_search_options(const struct farm_search *search, struct search_options *options, struct error *error)
{
    char *text = memory_copy_text(search->options), *rest = text;
    int failed = 0;
    options_default(options);
    for (char *line; !failed && (line = strsep(&rest, "\n"));) {
        char *equals = strchr(line, '=');
        if (!equals)
            continue;
        *equals = '\0';
        failed = options_set(options, line, equals + 1, error);
    }
    free(text);
    return failed;
}

/* The search's instruction set, where this processor has it: another one would give other bits. */
static int choose_instructions(const struct farm_search *search, struct error *error)
{
    if (!strcmp(backend_cpu()->instructions, search->instructions))
        return 0;
    if (!backend_cpu_isa(search->instructions))
        return error_set(error,
                         "its processors train with %s, which this processor lacks; begin the search with "
                         "ESPALIER_ISA=%s in its environment to have this machine",
                         search->instructions, backend_cpu()->instructions);
    setenv("ESPALIER_ISA", search->instructions, 1);
    return 0;
}

static int choose_devices(const struct worker *worker, const struct farm_search *search, struct search_options *options,
                          struct error *error)
{
    const char *list = cli_value(worker->arguments, "devices");
    bool gpus = !strcmp(search->kinds, "gpu");
    if (!list)
        list = gpus ? "cuda" : "auto";
    bool has_gpu = strstr(list, "cuda"), has_cpu = strstr(list, "cpu") || strstr(list, "auto");
    if ((has_gpu && !strcmp(search->kinds, "cpu")) || (has_cpu && gpus))
        return error_set(error,
                         "it trains on %s alone (its --devices %s), and this worker has --devices %s; a search with "
                         "--devices auto,cuda takes both, which give different bits",
                         gpus ? "GPUs" : "processors", options->devices, list);
    return options_set(options, "devices", list, error);
}

static int check_images(const struct farm_search *search, const struct search_setup *setup,
                        const struct search_options *options, struct error *error)
{
    char *sums = wire_write_sums(setup->data.hash, setup->test.count ? setup->test_images.hash : (struct hash){0});
    int failed = 0;
    if (!wire_sums_fit(search->data_hash, sums))
        failed = error_set(error,
                           "its images have the checksum %s, and %s on this machine has %s; copy the search's images "
                           "here, and name their folder: --data %.*s=FOLDER",
                           search->data_hash, options->data, sums, (int)strcspn(options->data, ":"), options->data);
    free(sums);
    return failed;
}

static int check_search(const struct worker *worker, const struct farm_search *search, struct search_options *options,
                        struct search_setup *setup, struct error *error)
{
    *setup = (struct search_setup){0};
    if (strcmp(search->program, identity) != 0)
        return error_set(error, "it is run by %s, and this is %s; use one program on all machines", search->program,
                         identity);
    if (read_search_options(search, options, error) || choose_instructions(search, error) ||
        choose_devices(worker, search, options, error) || place_data(worker, options, error) ||
        search_setup_open(setup, options, error))
        return -1;
    return check_images(search, setup, options, error);
}

/* --- serving --- */

static void refuse(struct worker *worker, const struct farm_search *search, const struct error *reason)
{
    struct error trouble;
    struct error line = {{0}};
    error_set(&line, "can't serve %s of %s: %s", search->session, search->host, reason->text);
    cli_warn(&line);
    if (farm_refuse_search(worker->db, search, reason->text, &trouble))
        cli_warn(&trouble);
    if (worker->refused_count < REFUSED_MAX)
        worker->refused[worker->refused_count++] = search->id;
}

/* -1: trying again is no use. */
static int serve(struct worker *worker, const struct farm_search *search, struct error *error)
{
    struct search_options *options = memory_new(1, sizeof *options);
    struct search_setup setup;
    struct error reason = {{0}};
    enum relay_end end = RELAY_CLOSED;
    if (check_search(worker, search, options, &setup, &reason)) {
        refuse(worker, search, &reason);
    } else {
        struct relay_options relay = {.idle = worker->idle, .stop = &stopped, .say = say};
        evaluator_local_checkpoints(setup.evaluator, 60 * CHECKPOINT_MINUTES);
        end = relay_run(worker->db, search, setup.evaluator, setup.data.input, &relay, error);
        worker->since = clock_monotonic();
    }
    search_setup_close(&setup);
    free(options);
    if (end == RELAY_CLOSED)
        return 0;
    if (end == RELAY_IDLE)
        worker->since = -INFINITY;
    return end == RELAY_FAILED ? -1 : 0;
}

static void wait_seconds(double seconds)
{
    double until = clock_monotonic() + seconds;
    struct timespec tick = {.tv_nsec = 50000000};
    while (!atomic_load(&stopped) && clock_monotonic() < until)
        nanosleep(&tick, NULL);
}

/* Find a search and serve it.  -1: trying again is no use. */
static int work(struct worker *worker, struct error *error)
{
    struct farm_search search = {0};
    if (!db_is_open(worker->db) && (db_connect(worker->db, error) || farm_schema_check(worker->db, error))) {
        if (db_trouble(worker->db) != DB_CUT)
            return -1;
        cli_warn(error);
        wait_seconds(db_wait_next(worker->db));
        return 0;
    }
    int found = farm_find_search(worker->db, worker->refused, worker->refused_count, &search, error);
    if (found < 0 && db_trouble(worker->db) != DB_CUT)
        return -1;
    if (found < 0) {
        wait_seconds(db_wait_next(worker->db));
        return 0;
    }
    int failed = found ? serve(worker, &search, error) : 0;
    farm_search_done(&search);
    if (!found)
        wait_seconds(LOOK_SECONDS);
    return failed;
}

static int run_worker(struct worker *worker, const char *url)
{
    struct error error = {{0}};
    if (db_new(url, "espalier worker", &worker->db, &error))
        return cli_fail(&error);
    cli_catch_signals(stop, NULL);
    worker->since = clock_monotonic();
    int failed = 0;
    while (!failed && !atomic_load(&stopped) && !(worker->idle > 0 && clock_monotonic() - worker->since > worker->idle))
        failed = work(worker, &error);
    db_free(worker->db);
    cli_ignore_signals(); /* to end when asked is no failure */
    if (!failed)
        print_to(stdout, "%s\n", atomic_load(&stopped) ? "ends: it was asked to" : "ends: there was nothing to do");
    return failed ? cli_fail(&error) : 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct worker *worker = memory_new(1, sizeof *worker);
    const char *idle = cli_value(arguments, "idle");
    worker->arguments = arguments;
    int status = idle && read_duration(idle, &worker->idle)
                     ? cli_usage(arguments, "--idle %s: is no duration; write 90, 10m or 2h", idle)
                     : run_worker(worker, arguments->words[0]);
    free(worker);
    return status;
}

#else

static int run(const struct cli_arguments *arguments)
{
    struct error error;
    farm_is_built(&error);
    return cli_fail(&error);
}

#endif

static const struct cli_option options_of_worker[] = {
    {"data", "SPEC=PATH", "where this machine has a search's images: fashion-mnist=/data/fashion; may be repeated",
     "where the search has them"},
    {"devices", "LIST", "devices to train on (espalier devices lists them)", "auto; of a search on GPUs: cuda"},
    {"idle", "DURATION", "end after so long without a network to train: 90 (seconds), 10m, 2h", "never"},
    {0},
};

const struct cli_command command_worker = {
    .name = "worker",
    .synopsis = "URL",
    .summary = "train networks for searches of other machines",
    .details =
        "URL names the database of the farm, as postgresql://USER@HOST/DATABASE; its password is in ~/.pgpass. The "
        "worker "
        "serves the searches that `espalier run --farm URL` began, one after the other. It needs the same program, the "
        "same images, and the instruction set of the search. SIGTERM and Ctrl-C hand back what is in training: another "
        "worker goes on from its last checkpoint.",
    .words_minimum = 1,
    .words_maximum = 1,
    .takes_folders = true,
    .options = options_of_worker,
    .run = run,
};
