/*
 * compare.c - `espalier compare`: searches side by side, or networks against the same architectures trained from
 * scratch.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_network.h"
#include "cli/commands/compare_from_scratch.h"
#include "compare/comparison_print.h"
#include "util/print.h"

/* Options of one way of comparing that the other lacks. */
static const char *const of_searches[] = {"curves", "plot", "csv", "json", "window"};
static const char *const of_scratch[] = {"best", "spread", "equal", "out", "device", "precision"};

static int check_options(const struct cli_arguments *arguments)
{
    bool scratch = cli_value(arguments, "scratch") != NULL;
    const char *const *others = scratch ? of_searches : of_scratch;
    size_t count = scratch ? sizeof of_searches / sizeof *of_searches : sizeof of_scratch / sizeof *of_scratch;
    for (size_t i = 0; i < count; i++)
        if (cli_value(arguments, others[i]))
            return cli_usage(arguments, scratch ? "--%s is not for --scratch" : "--%s is for --scratch only",
                             others[i]);
    if (cli_value(arguments, "csv") && cli_value(arguments, "json"))
        return cli_usage(arguments, "--csv and --json exclude each other");
    for (int i = 0; !scratch && i < arguments->word_count; i++)
        if (strchr(arguments->words[i], ':') && !cli_is_session(arguments->words[i]))
            return cli_usage(arguments, "%s: searches are compared, name SESSION; networks only with --scratch",
                             arguments->words[i]);
    return 0;
}

static void print(const struct cli_arguments *arguments, const struct comparison *comparison)
{
    struct text text = TEXT_EMPTY;
    if (cli_value(arguments, "csv")) {
        comparison_csv(comparison, &text);
    } else if (cli_value(arguments, "json")) {
        comparison_json(comparison, &text);
    } else {
        comparison_print(stdout, comparison, cli_is_unicode());
        if (cli_value(arguments, "curves"))
            comparison_print_curves(stdout, comparison, cli_is_unicode());
        if (cli_value(arguments, "plot"))
            comparison_print_plots(stdout, comparison, cli_is_unicode());
    }
    print_document(stdout, text_string(&text));
    text_done(&text);
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct comparison comparison;
    int64_t window;
    int status = check_options(arguments);
    if (status)
        return status;
    if (cli_value(arguments, "scratch"))
        return compare_from_scratch(arguments);
    if (cli_integer(arguments, "window", 10, 0, 1000000, &window))
        return 2;
    if (comparison_load(arguments->words, arguments->word_count, (int)window, &comparison, &error))
        status = cli_fail(&error);
    else
        print(arguments, &comparison);
    comparison_done(&comparison);
    return status;
}

static const struct cli_option options_of_compare[] = {
    {"curves", NULL, "mean and best accuracy against networks and against FLOPs, as tables", NULL},
    {"plot", NULL, "the same as plots", NULL},
    {"window", "N", "the mean is that of the last N networks; 0: of all", "10"},
    {"csv", NULL, "a CSV row for each grown network of each session", NULL},
    {"json", NULL, "runs, groups and tests as one JSON document", NULL},
    {"scratch", NULL, "compare networks with the same architectures trained from fresh weights", NULL},
    {"best", "N", "the N best networks of each session", NULL},
    {"spread", "N", "N networks of each session, evenly from the best to the worst", NULL},
    {"equal", "WORD", "train for as many FLOPs as the lineage, or as many epochs", "flops"},
    {"out", "FILE", "keep results in FILE, and do not train again what it has", NULL},
    {.name = "device"},
    {.name = "precision", .fallback = "the session's"},
    {0},
};

const struct cli_command command_compare = {
    .name = "compare",
    .synopsis = "SESSION[:NODE]…",
    .summary = "compare searches, or grown networks with networks trained from scratch",
    .details = "Sessions that differ in nothing but their seed are one group; each other group is tested against the "
               "first. With --scratch the architecture of each SESSION:NODE (SESSION alone: of its best network) is "
               "trained from fresh weights with the FLOPs of its whole lineage. --best, --spread, --equal, --out, "
               "--device and --precision are for --scratch.",
    .words_minimum = 1,
    .words_maximum = -1,
    .options = options_of_compare,
    .run = run,
};
