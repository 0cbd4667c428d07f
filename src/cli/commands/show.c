/*
 * show.c - `espalier show`: prints a session as text, JSON, CSV or Graphviz.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_network.h"
#include "cli/report.h"
#include "export/csv.h"
#include "export/dot.h"
#include "export/json.h"
#include "sessions/log.h"
#include "sessions/steps.h"
#include "util/memory.h"
#include "util/print.h"

/* Every durable event of the log, not folded into a state, so that a damaged log can be printed too. */
static int print_events(const char *folder)
{
    struct error error = {{0}};
    struct log_reader *reader;
    struct event event;
    int got;
    if (log_read(folder, &reader, &error))
        return cli_fail(&error);
    while ((got = log_next(reader, &event, &error)) == LOG_EVENT) {
        struct text text = TEXT_EMPTY;
        if (event_is_durable(event.kind)) {
            event_print_json(&event, &text);
            text_add(&text, "\n");
            print_document(stdout, text_string(&text));
        }
        text_done(&text);
        event_done(&event);
    }
    log_reader_free(reader);
    return got < 0 ? cli_fail(&error) : 0;
}

/* What persons did, a line each: number, time, who, what, and what takes it back. */
static void print_steps(const struct session_state *state)
{
    for (int64_t i = 1; i <= state->step_count; i++) {
        const struct session_step *step = session_step(state, i);
        struct text back = TEXT_EMPTY;
        char time[TEXT_SHORT];
        session_step_describe(state, i, &back);
        print_to(stdout, "%4lld  %8s  %-6s  %s%s%s\n", (long long)i, text_duration(time, step->time),
                 step->by == AUTHOR_USER ? "person" : "resume", step->words, back.length ? "  - " : "", text_string(&back));
        text_done(&back);
    }
    if (!state->step_count)
        print_to(stdout, "no person has changed anything\n");
}

static int print_network(const struct session_state *state, const char *name)
{
    struct error error = {{0}};
    int64_t node = session_find_node(state, name, &error);
    if (!node)
        return cli_fail(&error);
    report_node(stdout, state, node);
    return 0;
}

/* The networks that satisfy the words of --filter. */
static int print_found(const struct cli_arguments *arguments, const struct session_state *state)
{
    struct filter filter;
    struct error error;
    if (filter_parse(cli_value(arguments, "filter"), state, &filter, &error))
        return cli_usage(arguments, "--filter: %s", error.text);
    report_found(stdout, state, &filter);
    return 0;
}

static int print_session(const struct cli_arguments *arguments, const struct session_state *state, const char *folder,
                         int64_t best)
{
    struct text text = TEXT_EMPTY;
    if (cli_value(arguments, "json"))
        export_json(state, &text);
    else if (cli_value(arguments, "csv"))
        export_csv_networks(state, &text);
    else if (cli_value(arguments, "curves"))
        export_csv_curves(state, &text);
    else if (cli_value(arguments, "dot"))
        export_dot(state, &text);
    print_document(stdout, text_string(&text));
    bool exported = text.length > 0;
    text_done(&text);
    if (exported)
        return 0;
    if (cli_value(arguments, "filter"))
        return print_found(arguments, state);
    if (cli_value(arguments, "steps")) {
        print_steps(state);
        return 0;
    }
    if (cli_value(arguments, "policy")) {
        report_policy(stdout, state);
        return 0;
    }
    if (cli_value(arguments, "pareto")) {
        report_pareto(stdout, state);
        return 0;
    }
    report_summary(stdout, state, folder);
    print_to(stdout, "\n");
    report_tree(stdout, state);
    print_to(stdout, "\n");
    report_best(stdout, state, (int)best);
    return 0;
}

/* A session is printed in one way, a network in the one that it has. */
static int check_form(const struct cli_arguments *arguments, const char *network)
{
    static const char *const forms[] = {"json", "csv", "curves", "events", "dot", "pareto", "filter", "steps", "policy"};
    const char *form = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!cli_value(arguments, forms[i]))
            continue;
        if (form)
            return cli_usage(arguments, "--%s and --%s exclude each other", form, forms[i]);
        form = forms[i];
    }
    if (network && !form && cli_value(arguments, "best"))
        form = "best";
    if (form && network)
        return cli_usage(arguments, "--%s prints the whole session: leave %s out", form, network);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}}, warning = {{0}};
    struct session_state *state = NULL;
    char *folder = NULL;
    int64_t best;
    int status;
    char *session = memory_copy_text(arguments->words[0]), *colon = strrchr(session, ':');
    const char *network = arguments->word_count > 1 ? arguments->words[1] : NULL;
    if (colon && !network && !cli_is_session(session)) { /* SESSION:NODE, as other commands take it */
        *colon = '\0';
        network = colon + 1;
    }
    if (cli_integer(arguments, "best", 5, 0, 1000000, &best) || check_form(arguments, network)) {
        status = 2;
    } else if (session_find(session, &folder, &error)) {
        status = cli_fail(&error);
    } else if (cli_value(arguments, "events")) {
        status = print_events(folder);
    } else if (session_load(folder, &state, &warning, &error)) {
        status = cli_fail(&error);
    } else {
        cli_warn(&warning);
        status = network ? print_network(state, network) : print_session(arguments, state, folder, best);
    }
    free(session);
    if (state)
        session_state_free(state);
    free(folder);
    return status;
}

static const struct cli_option options_of_show[] = {
    {"best", "N", "how many of the best networks to list", "5"},
    {"pareto", NULL, "the networks that no other beats in accuracy and parameters", NULL},
    {"policy", NULL, "what the policy proposed, by action and layer and episode, and what that gained", NULL},
    {"filter", "WORDS", "the networks that satisfy all words, the best first: acc>92 params<15k by:you layer:conv3", NULL},
    {"steps", NULL, "what persons did, with numbers for `undo`, and what takes each step back", NULL},
    {"json", NULL, "the whole state as one JSON document", NULL},
    {"csv", NULL, "one row a network", NULL},
    {"curves", NULL, "one row an epoch of each network, as CSV", NULL},
    {"events", NULL, "each durable event as one line of JSON, as recorded", NULL},
    {"dot", NULL, "the tree as a Graphviz graph", NULL},
    {0},
};

const struct cli_command command_show = {
    .name = "show",
    .synopsis = "SESSION [NODE]|SESSION:NODE",
    .summary = "print a session: its tree and best networks, or one network with its curve",
    .details = "NODE is a number, `best` (the finished network where there is one) or `start`. A session in use may be shown: its log is only read.",
    .words_minimum = 1,
    .words_maximum = 2,
    .options = options_of_show,
    .run = run,
};
