/*
 * changes.c - changes of the budget, and of how networks train that start from now on.
 */
#include "search/changes.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "search/budget.h"
#include "util/bug.h"

/* --- budget --- */

/* To check a value by the option's range.  Whoever reads the message has typed no option. */
static int set_option(struct search_options *options, const char *name, const char *value, struct error *error)
{
    if (!options_set(options, name, value, error))
        return 0;
    const char *reason = strstr(error->text, ": ");
    struct error plain = *error;
    return reason ? error_set(error, "\"%s\" %s", value, plain.text + (reason + 2 - error->text)) : -1;
}

/* The budget that "+10" or "-10" leads to, in `*value`. */
static int change_budget(const struct engine *engine, const char *what, double change, struct text *value,
                         struct error *error)
{
    const struct session_state *state = engine->journal.state;
    double spent = ceil(budget_spent(state, what, journal_time(&engine->journal))), now = budget_limit(state, what);
    double least = spent > 1 ? spent : 1, wanted = now + change; /* 0 would be no limit */
    bool counted = !strcmp(what, "episodes") || !strcmp(what, "networks");
    if (now <= 0)
        return error_set(error, "the budget has no limit of %s: `budget %s N` sets one", what, what);
    if (change < 0 && now <= least)
        return error_set(error, "it can't be smaller than what is spent");
    text_add(value, "%.15g", counted && wanted < least ? least : fmax(wanted, 1));
    return 0;
}

/* A value, or a change of the present one by "+10" or "-10"; the option's range holds for the result, and none is less
   than what is spent. */
static int read_budget(const struct engine *engine, struct request *request, const char *value, struct error *error)
{
    const struct session_state *state = engine->journal.state;
    struct search_options options = engine->options;
    struct text changed = TEXT_EMPTY;
    double change, now = journal_time(&engine->journal);
    bool relative = (*value == '+' || *value == '-') && !text_to_count(value + 1, 0, 1e15, &change);
    int status = 0;
    if (relative) {
        status = change_budget(engine, request->what, *value == '-' ? -change : change, &changed, error);
        value = text_string(&changed);
    }
    if (!status)
        status = set_option(&options, request->what, value, error);
    request->value = 0;
    if (!status && text_to_count(value, 0, INFINITY, &request->value))
        BUG("set_option() has read it");
    struct error spent;
    if (!status && budget_check(state, request->what, request->value, now, &spent))
        status = error_set(error, "%s; `stop` ends the search now", spent.text);
    if (request->value > 0)
        error_set(&request->answer, "%s %s in all%s", value, request->what,
                  budget_spent(state, request->what, now) >= request->value ? ": the search ends with what is in training"
                                                                           : "");
    else
        error_set(&request->answer, "no limit of %s", request->what);
    text_done(&changed);
    return status;
}

int changes_check_budget(struct engine *engine, struct request *request, struct error *error)
{
    static const char *const names[] = {"episodes", "networks", "seconds", "flops"};
    const char *name = request_word(request), *value = request_word(request);
    for (size_t i = 0; name && i < COUNT_OF(names); i++)
        if (!strcmp(name, names[i]))
            request->what = names[i];
    if (!request->what || !value)
        return error_set(error, "budget of what? episodes, networks, seconds or flops, and a number (0: no limit)");
    if (read_budget(engine, request, value, error))
        return -1;
    return request_end(request, error);
}

void changes_set_budget(struct engine *engine, struct request *request)
{
    struct event event = {.kind = EVENT_BUDGET};
    event.as.budget.episodes = engine->journal.state->budget_episodes;
    event.as.budget.networks = engine->journal.state->budget_networks;
    event.as.budget.seconds = engine->journal.state->budget_seconds;
    event.as.budget.flops = engine->journal.state->budget_flops;
    event.as.budget.by.value = (int)request->by;
    if (!strcmp(request->what, "episodes"))
        event.as.budget.episodes = (int64_t)request->value;
    else if (!strcmp(request->what, "networks"))
        event.as.budget.networks = (int64_t)request->value;
    else if (!strcmp(request->what, "flops"))
        event.as.budget.flops = request->value;
    else
        event.as.budget.seconds = request->value;
    journal_emit(&engine->journal, &event);
}

/* --- rate, epochs: of networks that start from now on --- */

int changes_check_training(struct engine *engine, struct request *request, struct error *error)
{
    const char *value = request_word(request);
    if (!value)
        return error_set(error, "which value? networks train %" PRId64 " epochs from rate %g now",
                         trials_epochs(engine->journal.state, &engine->options),
                         trials_rate(engine->journal.state, &engine->options));
    struct search_options options = engine->options; /* to check it by the option's range */
    if (set_option(&options, command_row(request->kind)->name, value, error))
        return -1;
    if (text_to_count(value, 0, INFINITY, &request->value))
        BUG("set_option() has read it");
    error_set(&request->answer, "for networks that start from now on");
    return request_end(request, error);
}

void changes_set_training(struct engine *engine, struct request *request)
{
    struct event event = {.kind = EVENT_SETTINGS};
    event.as.settings.epochs = trials_epochs(engine->journal.state, &engine->options);
    event.as.settings.rate = trials_rate(engine->journal.state, &engine->options);
    if (request->kind == COMMAND_RATE)
        event.as.settings.rate = request->value;
    else
        event.as.settings.epochs = (int64_t)request->value;
    event.as.settings.by.value = (int)request->by;
    journal_emit(&engine->journal, &event);
}
