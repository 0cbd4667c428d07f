/* farm_absent.c - in place of the verbs of `espalier farm`, in a program that was built without libpq. */
#include "cli/commands/farm.h"
#include "farm/farm.h"

int farm_init(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    farm_is_built(&error);
    return cli_fail(&error);
}

int farm_serve(const struct cli_arguments *arguments)
{
    return farm_init(arguments);
}

int farm_status(const struct cli_arguments *arguments)
{
    return farm_init(arguments);
}

int farm_drop(const struct cli_arguments *arguments)
{
    return farm_init(arguments);
}
