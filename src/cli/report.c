/* report.c - a session's state as lines of text. */
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

char *report_short_name(const char *folder)
{
    size_t length = strlen(folder), begin;
    while (length > 1 && folder[length - 1] == '/')
        length--;
    for (begin = length; begin && folder[begin - 1] != '/';)
        begin--;
    char *name = event_text("%.*s", (int)(length - begin), folder + begin);
    length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, ".esp"))
        name[length - 4] = '\0';
    return name;
}

char *report_session(const char *folder)
{
    char *name = report_short_name(folder), *found = NULL;
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

/* Suggest to double what is spent, by every budget that would end the search before that.  None has when a list of
   networks ended (--actions, --match), a target was reached, or the control won. */
static void print_more(FILE *out, const struct session_state *state, const char *name)
{
    static const char *const names[] = {"episodes", "networks", "seconds", "flops"};
    double finish = share_of_finish(state), times = finish < 0.25 ? 2 : 1.5 / (1 - finish);
    struct text options = TEXT_EMPTY;
    bool over = false;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        double limit = budget_limit(state, names[i]), spent = budget_spent(state, names[i], state->time);
        double growth = i < 2 ? limit : (1 - finish) * limit; /* the finish is in seconds and FLOPs */
        over |= limit > 0 && spent >= growth;
        if (limit > 0 && limit < (i < 2 ? 2 : times) * spent)
            text_add(&options, i < 3 ? " --%s %.0f" : " --%s %.3g", names[i], ceil((i < 2 ? 2 : times) * spent));
    }
    if (over && options.length && !budget_control_won(state))
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
    print_to(out, "data      %s: %lld training and %lld validation images of %s, %lld classes\n", state->facts.data,
             (long long)state->facts.train_images, (long long)state->facts.validation_images, state->facts.input,
             (long long)state->facts.classes);
    print_to(out, "search    seed %lld", (long long)state->facts.seed);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (session_option(state, options[i]))
            print_to(out, ", %s %s", options[i], session_option(state, options[i]));
    print_to(out, "\nstate     ");
    if (state->finished)
        print_to(out, "finished (%s): ", finish_name(&state->finish_reason));
    print_counts(out, state);
    print_instructions(out, state);
    char digest[HASH_TEXT];
    print_to(out, "digest    %s\n", hash_print(session_digest(state), digest));
    print_best(out, state);
}

/* --- the tree --- */

struct tree {
    FILE *out;
    const struct session_state *state;
    bool unicode;
    int64_t *first_child, *next_sibling; /* by node number; 0: none */
};

static const char *status_glyph(const struct session_node *node, bool unicode)
{
    static const char *const glyphs[2][NODE_STATUS_COUNT] = {{".", "*", "+", "x", "-"}, {"·", "*", "✓", "✗", "-"}};
    if (node->status != NODE_DONE || !(node->stopped || node_has_role(node)))
        return glyphs[unicode][node->status];
    return node->facts.by.value == AUTHOR_CONTROL    ? "="
           : node->facts.by.value == AUTHOR_BASELINE ? (unicode ? "□" : "%")
           : node->facts.by.value == AUTHOR_RETRAIN  ? (unicode ? "▣" : "&")
           : node->facts.by.value == AUTHOR_FINISH   ? (unicode ? "■" : "#")
                                                     : "~";
}

/* " +0.31", and over which network where that is not its parent. */
static void print_gain(FILE *out, const struct session_state *state, const struct session_node *node)
{
    double gain;
    int64_t over;
    if (!session_gain(state, node->facts.node, &gain, &over))
        return;
    print_to(out, " %+.2f", 100 * gain);
    if (over != node->facts.parent)
        print_to(out, " over n%lld", (long long)over);
}

static void print_tree_node(const struct tree *tree, const struct session_node *node)
{
    struct text how = TEXT_EMPTY;
    char parameters[TEXT_SHORT];
    node_edge(tree->state, node, tree->unicode, INT_MAX, &how);
    print_to(tree->out, "%s n%lld ", status_glyph(node, tree->unicode), (long long)node->facts.node);
    if (node->status == NODE_DONE)
        print_to(tree->out, "%.2f %%%s", 100 * node->accuracy, node->stopped ? " stopped" : "");
    else if (node->failure)
        print_to(tree->out, "%s", node->failure);
    else
        print_to(tree->out, "queued");
    print_gain(tree->out, tree->state, node);
    print_to(tree->out, "  %s  %s%s%s%s%s\n", text_count(parameters, (double)node->facts.parameters), text_string(&how),
             node->facts.by.value == AUTHOR_USER ? "  by you" : "", node->pinned ? "  pinned" : "",
             node->facts.node == tree->state->best ? "  best" : "", node->note ? "  noted" : "");
    text_done(&how);
}

enum { TREE_DEPTH_MAX = 64 }; /* deeper networks are not indented further, so that lines stay short */

static size_t prefix_bytes(const struct tree *tree, bool last)
{
    return strlen(last ? "  " : tree->unicode ? "│ " : "| ");
}

static bool is_last(const struct tree *tree, int64_t number)
{
    return !tree->next_sibling[number];
}

/* Down to the first child, else to the next sibling of the nearest ancestor that has one. */
static void print_subtree(const struct tree *tree, int64_t root, struct text *prefix)
{
    int64_t depth = 1;
    for (int64_t number = tree->first_child[root]; number;) {
        bool last = is_last(tree, number);
        print_to(tree->out, "%s%s", text_string(prefix), tree->unicode ? (last ? "└─" : "├─") : (last ? "`-" : "|-"));
        print_tree_node(tree, session_node(tree->state, number));
        if (tree->first_child[number]) {
            if (depth++ < TREE_DEPTH_MAX)
                text_add(prefix, "%s", last ? "  " : tree->unicode ? "│ " : "| ");
            number = tree->first_child[number];
            continue;
        }
        while (is_last(tree, number) && (number = session_node(tree->state, number)->facts.parent) != root)
            if (--depth < TREE_DEPTH_MAX) {
                prefix->length -= prefix_bytes(tree, is_last(tree, number));
                prefix->bytes[prefix->length] = '\0';
            }
        number = number == root ? 0 : tree->next_sibling[number];
    }
    text_clear(prefix);
    text_add(prefix, "%s", "");
}

void report_tree(FILE *out, const struct session_state *state)
{
    struct tree tree = {.out = out, .state = state, .unicode = cli_is_unicode()};
    size_t count = (size_t)state->node_count + 1;
    tree.first_child = memory_new(count, sizeof *tree.first_child);
    tree.next_sibling = memory_new(count, sizeof *tree.next_sibling);
    for (int64_t node = state->node_count; node >= 1; node--) {
        int64_t parent = session_node(state, node)->facts.parent;
        tree.next_sibling[node] = tree.first_child[parent];
        tree.first_child[parent] = node;
    }
    struct text prefix = TEXT_EMPTY;
    text_add(&prefix, "%s", "");
    for (int64_t root = tree.first_child[0]; root; root = tree.next_sibling[root]) {
        print_tree_node(&tree, session_node(state, root));
        print_subtree(&tree, root, &prefix);
    }
    text_done(&prefix);
    free(tree.first_child);
    free(tree.next_sibling);
}

/* --- tables --- */

static int by_accuracy(const void *left, const void *right)
{
    const struct session_node *a = *(const struct session_node *const *)left,
                              *b = *(const struct session_node *const *)right;
    double first = isnan(a->accuracy) ? -INFINITY : a->accuracy, second = isnan(b->accuracy) ? -INFINITY : b->accuracy;
    if (first != second)
        return first < second ? 1 : -1;
    return a->facts.node < b->facts.node ? -1 : 1;
}

static int by_parameters(const void *left, const void *right)
{
    const struct session_node *a = *(const struct session_node *const *)left,
                              *b = *(const struct session_node *const *)right;
    if (a->facts.parameters != b->facts.parameters)
        return a->facts.parameters < b->facts.parameters ? -1 : 1;
    return by_accuracy(left, right);
}

static const struct session_node **sorted(const struct session_state *state, int64_t *count,
                                          int (*order)(const void *, const void *))
{
    const struct session_node **list = memory_new((size_t)state->node_count, sizeof *list);
    *count = 0;
    for (int64_t i = 1; i <= state->node_count; i++)
        if (session_node(state, i)->status == NODE_DONE)
            list[(*count)++] = session_node(state, i);
    qsort(list, (size_t)*count, sizeof *list, order);
    return list;
}

const struct session_node **report_ranked(const struct session_state *state, int64_t *count)
{
    return sorted(state, count, by_accuracy);
}

static void print_row(FILE *out, const struct session_node *node)
{
    char parameters[TEXT_SHORT], flops[TEXT_SHORT], name[TEXT_SHORT], seconds[TEXT_SHORT];
    snprintf(name, sizeof name, "n%lld", (long long)node->facts.node);
    print_to(out, "%-6s %8.2f %% %8s %8s %8s  %s\n", name, 100 * node->accuracy,
             text_count(parameters, (double)node->facts.parameters), text_count(flops, (double)node->facts.flops),
             text_duration(seconds, node->seconds), node->facts.arch);
}

static void print_head(FILE *out)
{
    print_to(out, "%-6s %10s %8s %8s %8s  %s\n", "", "accuracy", "params", "FLOPs", "time", "architecture");
}

void report_best(FILE *out, const struct session_state *state, int limit)
{
    int64_t count;
    const struct session_node **list = report_ranked(state, &count);
    print_head(out);
    for (int64_t i = 0; i < count && i < limit; i++)
        print_row(out, list[i]);
    free(list);
}

void report_found(FILE *out, const struct session_state *state, const struct filter *filter)
{
    int64_t count, found = 0;
    const struct session_node **list = report_ranked(state, &count);
    print_head(out);
    for (int64_t i = 0; i < count; i++)
        if (filter_matches(filter, state, list[i])) {
            print_row(out, list[i]);
            found++;
        }
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status == NODE_DONE || !filter_matches(filter, state, node))
            continue;
        char name[TEXT_SHORT], parameters[TEXT_SHORT], flops[TEXT_SHORT];
        snprintf(name, sizeof name, "n%lld", (long long)i);
        print_to(out, "%-6s %10s %8s %8s %8s  %s\n", name, node_word(node->status),
                text_count(parameters, (double)node->facts.parameters), text_count(flops, (double)node->facts.flops), "",
                node->facts.arch);
        found++;
    }
    print_to(out, "%lld of %lld networks\n", (long long)found, (long long)state->node_count);
    free(list);
}

void report_pareto(FILE *out, const struct session_state *state)
{
    int64_t count;
    const struct session_node **list = sorted(state, &count, by_parameters);
    double best = -1;
    print_head(out);
    for (int64_t i = 0; i < count; i++) {
        if (list[i]->accuracy <= best)
            continue;
        best = list[i]->accuracy;
        print_row(out, list[i]);
    }
    free(list);
}

/* --- one network --- */

static void print_ancestor(FILE *out, const struct session_state *state, const struct session_node *node)
{
    struct text how = TEXT_EMPTY;
    node_edge(state, node, cli_is_unicode(), INT_MAX, &how);
    print_to(out, "  n%-4lld", (long long)node->facts.node);
    if (node->status == NODE_DONE)
        print_to(out, " %6.2f %%", 100 * node->accuracy);
    else
        print_to(out, "         ");
    if (node_has_role(node))
        print_to(out, "  %s\n", text_string(&how));
    else
        print_to(out, "  %s (by %s)\n", text_string(&how),
                 node->facts.by.value == AUTHOR_USER ? "you" : author_name(&node->facts.by));
    text_done(&how);
}

static void print_lineage(FILE *out, const struct session_state *state, const struct session_node *node)
{
    const struct session_node **line = NULL;
    size_t count = 0, capacity = 0;
    for (; node; node = session_node(state, node->facts.parent)) {
        line = memory_grow(line, count, &capacity, sizeof *line);
        line[count++] = node;
    }
    while (count)
        print_ancestor(out, state, line[--count]);
    free(line);
}

void report_node(FILE *out, const struct session_state *state, int64_t number)
{
    const struct session_node *node = session_node(state, number);
    char parameters[TEXT_SHORT], flops[TEXT_SHORT], memory[TEXT_SHORT], seconds[TEXT_SHORT];
    print_to(out, "n%lld  %s\n%s parameters, %s FLOPs an image, %s of activations an image\n", (long long)number,
             node->facts.arch, text_count(parameters, (double)node->facts.parameters),
             text_count(flops, (double)node->facts.flops), text_bytes(memory, (double)node->facts.activation_bytes));
    if (node->status == NODE_DONE)
        print_to(out, "validation accuracy %.2f %%, loss %.4f; trained %d epoch%s in %s on %s, %.0f images/s\n",
                 100 * node->accuracy, node->loss, node->curve_count, node->curve_count == 1 ? "" : "s",
                 text_duration(seconds, node->seconds), node->device, node->images_per_second);
    if (state->test.node == number)
        print_to(out, "test accuracy %.2f %%, loss %.4f, on %lld images\n", 100 * state->test.accuracy,
                 state->test.loss, (long long)state->test.images);
    int64_t control = session_control(state, number);
    if (control && node->status == NODE_DONE)
        print_to(out, "gain %+.2f over the control n%lld, which is its parent, trained as long\n",
                 100 * (node->accuracy - session_node(state, control)->accuracy), (long long)control);
    if (node->stopped)
        print_to(out, "stopped at %s; %.2f %% predicted\n", node->stopped, 100 * node->predicted);
    if (node->failure)
        print_to(out, "failed: %s\n", node->failure);
    if (node->weights)
        print_to(out, "weights   weights/%s\n", node->weights);
    if (node->note)
        print_to(out, "note      %s\n", node->note);
    print_to(out, "lineage\n");
    print_lineage(out, state, node);
    if (!node->curve_count)
        return;
    print_to(out, "\n%5s %9s %10s %10s %10s %10s\n", "epoch", "rate", "loss", "training", "val. loss", "validation");
    for (int i = 0; i < node->curve_count; i++) {
        const struct curve_point *point = &node->curve[i];
        print_to(out, "%5d %9.5f %10.4f %8.2f %% %10.4f %8.2f %%\n", i + 1, point->rate, point->train_loss,
                 100 * point->train_accuracy, point->validation_loss, 100 * point->validation_accuracy);
    }
    print_to(out, "\n");
    plot_curve(out, node->curve, node->curve_count, cli_is_unicode());
}
