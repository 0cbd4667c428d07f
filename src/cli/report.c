/* report.c - what a session is, and the end of a search, as lines of text. */
#include "cli/report.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/lineage.h"
#include "cli/cli.h"
#include "compare/plot.h"
#include "search/budget.h"
#include "sessions/log.h"
#include "sessions/policy_map.h"
#include "sessions/summary.h"
#include "tui/node.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

/* Quoted for a shell where that is needed. */
static char *quoted(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:+@%,=-";
    struct text text = TEXT_EMPTY;
    bool quote = false;
    for (const char *c = name; *c; c++)
        quote |= !strchr(plain, *c) && !(*c & 0x80);
    text_add(&text, "%s%s", quote ? "'" : "", *name == '-' ? "./" : "");
    for (const char *c = name; *c; c++)
        if (*c == '\'')
            text_add(&text, "'\\''");
        else
            text_add_bytes(&text, c, 1);
    text_add(&text, "%s", quote ? "'" : "");
    return text_take(&text);
}

char *report_session(const char *folder)
{
    char *name = session_short_name(folder), *found = NULL;
    char *path = !session_find(name, &found, NULL) ? realpath(found, NULL) : NULL, *wanted = realpath(folder, NULL);
    if (!path || !wanted || strcmp(path, wanted)) {
        free(name);
        name = memory_copy_text(folder);
    }
    free(path);
    free(wanted);
    free(found);
    char *words = quoted(name);
    free(name);
    return words;
}

static void print_count(FILE *out, const char *before, int64_t count, const char *what)
{
    if (count)
        print_to(out, "%s%lld %s", before, (long long)count, what);
}

static void print_counts(FILE *out, const struct session_state *state)
{
    char duration[TEXT_SHORT];
    int64_t stopped = 0;
    for (int64_t i = 1; i <= state->node_count; i++)
        stopped += session_node(state, i)->status == NODE_DONE && session_node(state, i)->stopped;
    int64_t done = state->status_count[NODE_DONE];
    print_to(out, "%lld network%s trained in %s", (long long)done, done == 1 ? "" : "s",
             text_duration(duration, state->time));
    print_count(out, ", ", stopped, "of them stopped early");
    print_count(out, ", ", state->status_count[NODE_QUEUED] + state->status_count[NODE_RUNNING], "not yet");
    print_count(out, "; ", state->known_count,
                state->known_count == 1 ? "proposal was known already" : "proposals were known already");
    print_count(out, "; ", state->refused_count, "refused");
    print_to(out, "; %lld failed\n", (long long)state->status_count[NODE_FAILED]);
}

/* What networks are trained for, in the order in which a search does it. */
enum purpose { FOR_START, FOR_GROWTH, FOR_BASELINE, FOR_RETRAIN, FOR_FINISH, PURPOSES };

/* Of the networks of one purpose. */
struct purpose_sum {
    int64_t done, best;
    double seconds, flops;
};

static enum purpose purpose_of(const struct session_node *node)
{
    switch (node->facts.by.value) {
    case AUTHOR_BASELINE:
        return FOR_BASELINE;
    case AUTHOR_RETRAIN:
        return FOR_RETRAIN;
    case AUTHOR_FINISH:
        return FOR_FINISH;
    default:
        return node->facts.node == 1 ? FOR_START : FOR_GROWTH;
    }
}

static struct purpose_sum sum_of(const struct session_state *state, enum purpose purpose)
{
    struct purpose_sum sum = {0};
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i), *best = session_node(state, sum.best);
        if (purpose_of(node) != purpose)
            continue;
        sum.seconds += node->seconds;
        sum.flops += node_flops_spent(state, node);
        sum.done += node->status == NODE_DONE;
        if (node->status == NODE_DONE && !(best && best->accuracy >= node->accuracy))
            sum.best = i;
    }
    return sum;
}

/* One line for each purpose, of a search that has more than its growth. */
static void print_purposes(FILE *out, const struct session_state *state)
{
    static const char *const names[PURPOSES] = {"start", "growth", "baseline", "retrain", "finish"};
    char flops[TEXT_SHORT], seconds[TEXT_SHORT];
    if (session_phase(state) <= PHASE_GROWTH)
        return;
    for (int purpose = FOR_START; purpose < PURPOSES; purpose++) {
        struct purpose_sum sum = sum_of(state, (enum purpose)purpose);
        const struct session_node *best = session_node(state, sum.best);
        if (!best)
            continue;
        print_to(out, "%-9s %lld network%s, %s FLOPs, %s of training; ", names[purpose], (long long)sum.done,
                sum.done == 1 ? "" : "s", text_count(flops, sum.flops), text_duration(seconds, sum.seconds));
        print_to(out, "%sn%lld %.2f %%\n", sum.done == 1 ? "" : "best ", (long long)sum.best, 100 * best->accuracy);
    }
}

/* Was the winner, which is finished, better than the network that nobody searched? */
static void print_verdict(FILE *out, const struct session_state *state, const struct session_node *finished)
{
    const struct session_node *winner = session_node(state, finished->facts.parent);
    int64_t baseline = sum_of(state, FOR_BASELINE).best;
    const struct session_node *other = session_node(state, baseline);
    if (!other || !winner)
        return;
    if (winner == other)
        print_to(out, "          the search did not beat its baseline, n%lld, which is what was finished\n",
                 (long long)baseline);
    else
        print_to(out, "          the search beat its baseline: n%lld %.2f %%, n%lld %.2f %% (loss %.4f, %.4f)\n",
                 (long long)winner->facts.node, 100 * winner->accuracy, (long long)baseline, 100 * other->accuracy,
                 winner->loss, other->loss);
}

static void print_best(FILE *out, const struct session_state *state)
{
    const struct session_node *best = session_node(state, state->best);
    char parameters[TEXT_SHORT], flops[TEXT_SHORT];
    if (!best) {
        print_to(out, "best      none is trained yet\n");
        return;
    }
    bool finished = best->facts.by.value == AUTHOR_FINISH;
    print_to(out, "%-9s n%lld  ", finished ? "finished" : "best", (long long)state->best);
    if (state->test.node == state->best)
        print_to(out, "test accuracy %.2f %% on %lld images, ", 100 * state->test.accuracy,
                 (long long)state->test.images);
    print_to(out, "validation accuracy %.2f %%", 100 * best->accuracy);
    const struct session_node *start = session_node(state, 1);
    if (start != best && start->status == NODE_DONE)
        print_to(out, "  (start network %.2f %%)", 100 * start->accuracy);
    print_to(out, "\n          %s\n          %s parameters, %s FLOPs an image\n", best->facts.arch,
             text_count(parameters, (double)best->facts.parameters), text_count(flops, (double)best->facts.flops));
    if (finished)
        print_verdict(out, state, best);
    print_purposes(out, state);
}

static double share_of_finish(const struct session_state *state)
{
    const char *text = session_option(state, "finish");
    double share;
    return text && !text_to_real(text, 0, 1, &share) ? share : 0;
}

static const char *const budgets[] = {"episodes", "networks", "seconds", "flops"};
enum { COUNTED_BUDGETS = 2 }; /* the finish takes a share of the others */

static bool is_spent(const struct session_state *state, size_t budget)
{
    double limit = budget_limit(state, budgets[budget]), spent = budget_spent(state, budgets[budget], state->time);
    return limit > 0 && spent >= (budget < COUNTED_BUDGETS ? 1 : 1 - share_of_finish(state)) * limit;
}

bool report_may_go_on(const struct session_state *state)
{
    bool spent = false;
    for (size_t i = 0; i < COUNT_OF(budgets); i++)
        spent |= is_spent(state, i);
    return spent && !budget_growth_is_done(state);
}

/* FLOPs as a person would type them: 600G. */
static void add_budget(struct text *options, size_t budget, double value)
{
    char count[TEXT_SHORT];
    if (!strcmp(budgets[budget], "flops"))
        text_add(options, " --flops %s", text_count(count, value));
    else
        text_add(options, " --%s %.0f", budgets[budget], value);
}

/* Suggest to double what is spent, by every budget that would end the search before that. */
static void print_more(FILE *out, const struct session_state *state, const char *name)
{
    double finish = share_of_finish(state), times = finish < 0.25 ? 2 : 1.5 / (1 - finish);
    struct text options = TEXT_EMPTY;
    for (size_t i = 0; i < COUNT_OF(budgets); i++) {
        double limit = budget_limit(state, budgets[i]), spent = budget_spent(state, budgets[i], state->time);
        double wanted = (i < COUNTED_BUDGETS ? 2 : times) * spent;
        if (limit > 0 && limit < wanted)
            add_budget(&options, i, ceil(wanted));
    }
    if (options.length && report_may_go_on(state))
        print_to(out, "more      espalier resume %s%s goes on%s\n", name, text_string(&options),
                 times > 2 ? "" : " to twice as much");
    text_done(&options);
}

/* What to do with the network that the search hands over. */
static void print_next(FILE *out, const struct session_state *state, const char *name, const char *folder)
{
    const struct session_node *best = session_node(state, state->best);
    if (best->facts.by.value != AUTHOR_FINISH) {
        print_to(out, "next      espalier show %s; espalier train %s:best trains its best network to the end\n", name,
                 name);
        return;
    }
    if (best->weights)
        print_to(out, "weights   %s/weights/%s\n", folder, best->weights);
    print_to(out, "next      espalier export %s:n%lld writes it as an ONNX file; espalier show %s\n", name,
             (long long)state->best, name);
}

void report_end(FILE *out, const struct session_state *state, const char *folder)
{
    bool interrupted = !state->finished || state->finish_reason.value == FINISH_INTERRUPTED;
    char *name = report_session(folder);
    print_to(out, "\n");
    print_best(out, state);
    print_to(out, "done      ");
    print_counts(out, state);
    print_to(out, "session   %s\n", folder);
    if (interrupted)
        print_to(out, "stopped   espalier resume %s goes on\n", name);
    else if (state->best)
        print_next(out, state, name, folder);
    if (state->finished && state->finish_reason.value == FINISH_BUDGET)
        print_more(out, state, name);
    free(name);
}

/* Other instructions round otherwise, so that the same search gives other numbers. */
static void print_instructions(FILE *out, const struct session_state *state)
{
    const struct event_texts *sets = &state->instructions;
    bool on_cpu = false;
    for (int i = 0; i < state->device_count; i++)
        on_cpu |= !strncmp(state->devices[i].id, "cpu", 3);
    if (!sets->count || !on_cpu)
        return;
    for (int i = 0; i < sets->count; i++)
        print_to(out, "%s%s", i ? ", then " : "computed  on the CPU with ", sets->items[i]);
    print_to(out, " instructions%s\n", sets->count > 1 ? ": no one machine gives these numbers again" : "");
}

static void print_collapse(FILE *out, const struct session_state *state)
{
    struct text words = TEXT_EMPTY;
    if (policy_has_collapsed(state, &words))
        print_to(out, "policy    %s\n", text_string(&words));
    text_done(&words);
}

void report_summary(FILE *out, const struct session_state *state, const char *folder)
{
    static const char *const options[] = {"policy", "parent", "wider", "deeper", "epochs", "batch", "rate"};
    char date[64] = "";
    bool known = state->facts.created >= 0 && state->facts.created < 1e12; /* else of no calendar */
    time_t created = known ? (time_t)state->facts.created : 0;
    struct tm local;
    if (known && localtime_r(&created, &local))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M", &local);
    print_to(out, "session   %s, made %s by %s\n", folder, date, state->facts.program);
    const char *data = session_option(state, "data");
    print_to(out, "data      %s: %lld training and %lld validation images of %s, %lld classes\n",
             data ? data : state->facts.data, (long long)state->facts.train_images, (long long)state->facts.validation_images, state->facts.input,
             (long long)state->facts.classes);
    print_to(out, "search    seed %lld", (long long)state->facts.seed);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (session_option(state, options[i]))
            print_to(out, ", %s %s", options[i], session_option(state, options[i]));
    for (int i = 0; i < state->changed.count; i++)
        print_to(out, "%s%s", i ? ", " : "\nchanged   ", state->changed.items[i]);
    print_to(out, "\nstate     ");
    if (state->finished)
        print_to(out, "finished (%s): ", finish_name(&state->finish_reason));
    print_counts(out, state);
    print_collapse(out, state);
    print_instructions(out, state);
    char digest[HASH_TEXT];
    print_to(out, "digest    %s\n", hash_print(session_digest(state), digest));
    print_best(out, state);
}
