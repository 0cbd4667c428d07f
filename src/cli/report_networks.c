/* report_networks.c - the networks of a session as lines of text: the tree, tables, one of them with its curve. */
#include "cli/report.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/lineage.h"
#include "cli/cli.h"
#include "compare/plot.h"
#include "tui/node.h"
#include "util/memory.h"
#include "util/print.h"

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

/* Of an architecture that can be read. */
static void print_health(FILE *out, const struct session_node *node)
{
    struct arch arch;
    bool measured = node->health[HEALTH_WEIGHT_NORM].count > 0;
    if (node->status == NODE_DONE && !measured)
        print_to(out, "health of its layers: not measured\n");
    if (!measured || arch_parse(&arch, node->facts.arch, NULL))
        return;
    print_to(out, "\n%-12s %8s %8s %6s %6s\n", "layer", "weights", "gradient", "dead", "fresh");
    for (int layer = 0; layer < arch.layer_count; layer++) {
        char name[LAYER_NAME_MAX], text[HEALTH_MEASURES][TEXT_SHORT];
        for (int i = 0; i < HEALTH_MEASURES; i++)
            node_health_text(text[i], node, layer, (enum health_measure)i);
        layer_name(&arch, layer, name);
        if (text[HEALTH_WEIGHT_NORM][0])
            print_to(out, "%-12s %8s %8s %6s %6s\n", name, text[HEALTH_WEIGHT_NORM], text[HEALTH_GRADIENT_NORM],
                     text[HEALTH_DEAD], text[HEALTH_FRESH]);
    }
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
    print_health(out, node);
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
