/* farm.c - `espalier farm`: what workers on other machines need: a database, and a look at it. */
#include <string.h>

#include "cli/cli.h"
#include "cli/commands/farm_server.h"
#include "util/bug.h"
#include "util/print.h"

/* --- serve --- */

static void say_how(const struct farm_server *server)
{
    const char *folder = server->folder;
    print_to(stdout, "PostgreSQL %d serves the farm in %s until Ctrl-C\n\n", server->version, folder);
    print_to(stdout, "  a search   espalier run --farm %s\n", folder);
    print_to(stdout, "  a worker   espalier worker %s/worker\n", folder);
    print_to(stdout, "  its state  espalier farm status %s\n\n", folder);
    if (server->address)
        print_to(stdout,
                 "A machine that doesn't see this folder needs a copy of %s/worker (with a password):\n"
                 "  scp -pr %s/worker HOST:farm; ssh HOST espalier worker farm\n",
                 folder, folder);
    else
        print_to(stdout, "Only this machine can reach it; `--listen 0.0.0.0` lets workers of others in.\n");
    fflush(stdout);
}

static int serve(const struct cli_arguments *arguments)
{
    struct farm_server server;
    struct error error = {{0}};
    bool made;
    const char *folder = arguments->words[1], *listen = cli_value(arguments, "listen");
    int failed = farm_server_open(&server, folder, listen, &made, &error) || farm_server_start(&server, &error);
    if (!failed) {
        say_how(&server);
        failed = farm_server_wait(&server, &error);
    }
    farm_server_close(&server);
    return failed ? cli_fail(&error) : 0;
}

/* --- the subcommand --- */

static const struct verb {
    const char *name, *words; /* "drop", "URL [SEARCH]" */
    int minimum, maximum;     /* numbers of words, with its own name */
    const char *option;       /* that it takes */
    int (*run)(const struct cli_arguments *arguments);
} verbs[] = {
    {"serve", "FOLDER", 2, 2, "listen", serve},
};

static int run(const struct cli_arguments *arguments)
{
    const struct verb *verb = NULL;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (!strcmp(arguments->words[0], verbs[i].name))
            verb = &verbs[i];
    if (!verb)
        return cli_usage(arguments, "%s: must be init, serve, status or drop", arguments->words[0]);
    if (arguments->word_count < verb->minimum || arguments->word_count > verb->maximum)
        return cli_usage(arguments, "%s needs %s", verb->name, verb->words);
    for (int i = 0; i < arguments->value_count; i++)
        if (!verb->option || strcmp(arguments->values[i].name, verb->option))
            return cli_usage(arguments, "%s doesn't take --%s", verb->name, arguments->values[i].name);
    return verb->run(arguments);
}

static const struct cli_option options_of_farm[] = {
    {"listen", "ADDRESS",
     "serve: let other machines in, by TLS, at ADDRESS or ADDRESS:PORT (0.0.0.0: at every address)", NULL},
    {"json", NULL, "status: as one JSON object", NULL},
    {0},
};

const struct cli_command command_farm = {
    .name = "farm",
    .synopsis = "init|serve|status|drop URL|FOLDER [SEARCH]",
    .summary = "set up and look at what workers on other machines share",
    .details =
        "`serve FOLDER` makes and runs a PostgreSQL server of your own in a folder. `init URL` prepares a database of "
        "a server that there is. `status URL` shows searches, workers and what is missing. `drop URL` removes all "
        "that searches have left there, or one search. The folder of `serve` may stand for the URL.",
    .words_minimum = 2,
    .words_maximum = 3,
    .options = options_of_farm,
    .run = run,
};
