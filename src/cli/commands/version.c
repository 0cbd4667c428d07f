/* version.c - `espalier version`. */
#include "cli/cli.h"

#include "config.h"
#include "device/cuda.h"
#include "nn/backend.h"
#include "sessions/event.h"
#include "util/identity.h"
#include "util/print.h"

static int run(const struct cli_arguments *arguments)
{
    (void)arguments;
    struct error reason;
    const struct cuda_module *cuda = cuda_module(&reason);
    print_to(stdout, "%s\nCPU backend: %s\nCUDA backend: %s\nsession format: %d\nhardening: %s\n", identity,
             backend_cpu()->description, cuda ? cuda->toolkit() : reason.text, EVENT_FORMAT, HARDENING);
    return 0;
}

const struct cli_command command_version = {
    .name = "version",
    .synopsis = "",
    .summary = "print the version and what this program was built with",
    .run = run,
};
