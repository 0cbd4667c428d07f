/* farm_serve.c - `espalier farm serve`: runs a private server, and says how searches and workers reach it. */
#include <stdlib.h>

#include "cli/commands/farm.h"
#include "cli/commands/farm_server.h"
#include "util/file.h"
#include "util/print.h"

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

static void say_making(const char *folder)
{
    char *store = file_join(folder, "data");
    if (!file_exists(store))
        print_to(stdout, "%s: a server is being made, which takes some seconds\n", folder);
    fflush(stdout);
    free(store);
}

int farm_serve(const struct cli_arguments *arguments)
{
    struct farm_server server;
    struct error error = {{0}};
    const char *folder = arguments->words[1];
    say_making(folder);
    int failed =
        farm_server_open(&server, folder, cli_value(arguments, "listen"), &error) || farm_server_start(&server, &error);
    if (!failed) {
        if (farm_prepare(folder, NULL, &error)) /* of another program's version, perhaps: `drop` needs the server */
            cli_warn(&error);
        say_how(&server);
        failed = farm_server_wait(&server, &error);
    }
    farm_server_close(&server);
    return failed ? cli_fail(&error) : 0;
}
