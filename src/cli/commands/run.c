/*
 * run.c - `espalier run`: starts a search in a new session.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/dry_run.h"
#include "cli/detach.h"
#include "cli/screens.h"
#include "cli/search_setup.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/print.h"

/* Set the options of the preset, then those of the command line, whatever their order.  0, or the exit status. */
static int read_options(const struct cli_arguments *arguments, struct search_options *options)
{
    const char *preset = cli_value(arguments, "preset");
    struct error error;
    options_default(options);
    int64_t networks = options->networks;
    options->networks = -1; /* marks that no option has set it */
    bool is_farm = cli_value(arguments, "farm");
    if (is_farm) /* the rounds of a race are of few networks, and wait for each other */
        options->parent = PARENT_TOURNAMENT;
    if (preset && options_read(options, preset, &error))
        return cli_usage(arguments, "%s", error.text);
    if (cli_set_options(arguments, options))
        return 2;
    if (options->networks < 0) /* another budget replaces the default */
        options->networks = options->seconds > 0 || options->episodes > 0 || options->flops > 0 ? 0 : networks;
    if (options_settle(options, &error) || search_setup_settle_data(options, &error))
        return cli_usage(arguments, "%s", error.text);
    if (is_farm && options->parent == PARENT_TOURNAMENT && !cli_value(arguments, "json"))
        print_to(stdout, "parent    tournament, for which no trainer waits; the rounds of --parent race do\n");
    return 0;
}

/* The session is named after its data: fashion-mnist-1.esp. */
static int choose_folder(const struct cli_arguments *arguments, const struct search_options *options, char **folder,
                         struct error *error)
{
    const char *out = cli_value(arguments, "out");
    struct data_spec spec;
    if (out)
        return session_path_of(out, folder, error) ? error_prefix(error, "--out") : 0;
    return data_spec_parse(options->data, &spec, error) || session_new_path(spec.name, folder, error) ? -1 : 0;
}

static int search(const struct cli_arguments *arguments, struct search_options *options, struct error *error)
{
    struct search_setup setup;
    char *folder = NULL;
    int status = 1;
    int failed = search_setup_open_given(&setup, options, arguments, error);
    if (!failed && !cli_value(arguments, "json"))
        search_setup_tell(&setup);
    if (failed || search_setup_limit(&setup, options, cli_value(arguments, "json"), error)) {
        cli_fail(error);
    } else if (cli_value(arguments, "dry-run")) {
        status = dry_run(options, &setup, error) ? cli_fail(error) : 0;
    } else if (choose_folder(arguments, options, &folder, error) ||
               engine_create(options, folder, &setup.data, setup.evaluator, &setup.engine, error)) {
        cli_fail(error);
    } else {
        status = search_setup_run(&setup, arguments, folder);
    }
    search_setup_close(&setup);
    free(folder);
    return status;
}

static int run(const struct cli_arguments *arguments)
{
    struct search_options *options = memory_new(1, sizeof *options);
    struct error error = {{0}};
    int status = read_options(arguments, options);
    if (!status && !(status = screens_prepare(arguments)) &&
        (cli_value(arguments, "dry-run") || (status = detach_begin(arguments)) < 0))
        status = search(arguments, options, &error);
    free(options);
    return status;
}

static const struct cli_option options_of_run[] = {
    {"preset", "NAME|FILE",
     "options from an ini file, or one of the program's own: quick, eas-small, eas-plain, eas-dense", NULL},
    {"out", "SESSION", "folder of the new session", "a new one in ~/.local/state/espalier"},
    {.name = "theme"},
    {.name = "headless"},
    {.name = "json"},
    {.name = "detach"},
    {.name = "farm"},
    {.name = "farm-lease"},
    {.name = "on-best"},
    {.name = "on-end"},
    {"dry-run", NULL, "print what would run and how long it would take, and stop", NULL},
    {0},
};

const struct cli_command command_run = {
    .name = "run",
    .synopsis = "",
    .summary = "search: grow networks from a small one, train each, keep the best",
    .details =
        "A budget of --seconds, --flops or --episodes alone sets no limit of networks. Ctrl-C ends in good order and "
        "says how to go on; a second Ctrl-C ends at once. In both cases nothing that was recorded is lost.",
    .search_options = true,
    .options = options_of_run,
    .run = run,
};
