/*
 * cli_options.c - the options that several subcommands share, and those of the search as a subcommand takes them.
 */
#include <string.h>

#include "cli/cli.h"
#include "search/options.h"
#include "tui/theme.h"
#include "util/bug.h"

static const struct cli_option shared[] = {
    {"theme", "NAME", "colours of the screens: " THEME_NAMES, "dark"},
    {"headless", NULL, "lines instead of screens (as without a terminal)", NULL},
    {"json", NULL, "print one JSON object for each durable event", NULL},
    {"detach", NULL, "search in the background, and say how to attach to it", NULL},
    {"on-best", "COMMAND", "run this when a network has become the best (espalier-run(1) has what it gets)", NULL},
    {"on-end", "COMMAND", "run this when the search has ended", NULL},
    {"farm", "URL", "train on other machines, by the workers of the farm in this database (espalier worker)", NULL},
    {"farm-lease", "SECONDS", "a worker that is silent for so long is given up", "30"},
    {"device", "NAME", "where: cpu, all cores; cpu:N, N of them; cuda:N, a GPU", "cpu"},
};

struct cli_option cli_option_complete(const struct cli_option *row)
{
    const struct search_option *search = option_find(row->name);
    if (row->help)
        return *row;
    for (size_t i = 0; i < COUNT_OF(shared); i++)
        if (!strcmp(shared[i].name, row->name))
            return shared[i];
    ASSERT(search);
    return (struct cli_option){row->name, search->argument, search->help,
                               row->fallback ? row->fallback : search->fallback};
}

int cli_set_options(const struct cli_arguments *arguments, struct search_options *options)
{
    struct error error;
    for (int i = 0; i < arguments->value_count; i++) {
        const char *name = arguments->values[i].name, *value = arguments->values[i].value;
        const struct search_option *option = option_find(name);
        if (option && !option->argument)
            value = "yes";
        if (value && option && options_set(options, name, value, &error)) {
            cli_usage(arguments, "%s", error.text);
            return -1;
        }
    }
    return 0;
}
