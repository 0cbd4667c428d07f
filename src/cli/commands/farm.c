/* farm.c - `espalier farm`: the table of its verbs; farm_serve.c, farm_database.c and farm_status.c do the work. */
#include "cli/commands/farm.h"

#include <string.h>

#include "util/bug.h"

static const struct verb {
    const char *name, *words; /* "drop", "URL [SEARCH]" */
    int minimum, maximum;     /* numbers of words, with its own name */
    const char *option;       /* that it takes */
    int (*run)(const struct cli_arguments *arguments);
} verbs[] = {
    {"init", "URL", 2, 2, NULL, farm_init},
    {"serve", "FOLDER", 2, 2, "listen", farm_serve},
    {"status", "URL", 2, 2, "json", farm_status},
    {"drop", "URL [SEARCH]", 2, 3, NULL, farm_drop},
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
    .summary = "set up and look at the database through which searches train elsewhere",
    .details =
        "`serve FOLDER` makes and runs a PostgreSQL server of your own in a folder. `init URL` prepares a database of "
        "a server that there is. `status URL` shows searches, workers and what is missing. `drop URL` removes all "
        "that searches have left there, or one search. The folder of `serve` may stand for the URL.",
    .words_minimum = 2,
    .words_maximum = 3,
    .verbs = "init|serve|status|drop",
    .takes_folders = true,
    .options = options_of_farm,
    .run = run,
};
