/* version.c - `espalier version`. */
#include "cli/cli.h"

#include "config.h"
#include "nn/backend.h"

static int run(const struct cli_arguments *arguments)
{
    (void)arguments;
    printf("espalier %s\nCPU backend: %s\nCUDA backend: not built\nsession format: %d\n", PACKAGE_VERSION,
           backend_cpu()->description, EVENT_FORMAT);
    return 0;
}

const struct cli_command command_version = {
    .name = "version",
    .synopsis = "",
    .summary = "print the version and what this program was built with",
    .run = run,
};
