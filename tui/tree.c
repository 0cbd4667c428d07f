/*
 * tree.c - builds the tree's visible rows: an index of children, then a depth-first walk.
 *
 * The index is two arrays by node number, first child and next sibling, filled in one pass from the last network to the
 * first. Siblings are sorted before the walk. With a filter every network that matches is shown with its ancestors,
 * whatever is folded. Building is O(n), or O(n log n) with sorted siblings.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/filter.h"
#include "tui/node.h"
#include "util/bug.h"
#include "util/memory.h"

struct forest {
    const struct model *model;
    int64_t count;
    int64_t *first, *next; /* children in order, by node number; first[0]: the roots */
    int64_t *below;        /* number of descendants */
    const bool *matches;   /* the filter */
    bool *shown;           /* it or a descendant does */
};

/* --- folding --- */

bool tree_is_folded(const struct model *model, int64_t node)
{
    return node > 0 && (size_t)node < model->tree.fold_capacity && model->tree.folded[node];
}

void tree_fold(struct model *model, int64_t node, bool folded)
{
    if (tree_is_folded(model, node) == folded || node < 1 || node > model->state->node_count)
        return;
    if ((size_t)node >= model->tree.fold_capacity) {
        size_t capacity = (size_t)model->state->node_count * 2 + 64;
        model->tree.folded = memory_resize(model->tree.folded, capacity, sizeof *model->tree.folded);
        memset(model->tree.folded + model->tree.fold_capacity, 0, capacity - model->tree.fold_capacity);
        model->tree.fold_capacity = capacity;
    }
    model->tree.folded[node] = folded;
    model->tree.stale = true;
}

void tree_fold_below(struct model *model, int64_t node, bool folded)
{
    int64_t count = model->state->node_count;
    if (node < 1 || node > count)
        return;
    bool *inside = memory_new((size_t)count + 1, sizeof *inside);
    inside[node] = true;
    for (int64_t i = node; i <= count; i++) {
        const struct session_node *each = session_node(model->state, i);
        inside[i] |= inside[each->facts.parent];
        if (inside[i] && each->child_count)
            tree_fold(model, i, folded);
    }
    free(inside);
}

void tree_done(struct tree_view *tree)
{
    free(tree->folded);
    free(tree->rows);
    free(tree->matches);
}

/* --- the filter --- */

const bool *tree_matches(struct model *model)
{
    struct tree_view *tree = &model->tree;
    struct filter filter;
    struct error error;
    if (tree->matches && !tree->matches_stale && !strcmp(tree->matched, tree->filter))
        return tree->matches;
    if (filter_parse(tree->filter, model->state, &filter, &error)) /* tree_find() keeps these out */
        filter = (struct filter){0};
    free(tree->matches);
    tree->matches = memory_new((size_t)model->state->node_count + 1, sizeof *tree->matches);
    for (int64_t i = 1; i <= model->state->node_count; i++)
        tree->matches[i] = filter_matches(&filter, model->state, session_node(model->state, i));
    snprintf(tree->matched, sizeof tree->matched, "%s", tree->filter);
    tree->matches_stale = false;
    tree->matches_version++;
    return tree->matches;
}

/* --- the index --- */

struct sibling {
    int64_t node;
    double key; /* in descending order */
};

static int compare_siblings(const void *left, const void *right)
{
    const struct sibling *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? 1 : -1;
    return a->node < b->node ? -1 : 1;
}

static double order_key(const struct model *model, const struct session_node *node)
{
    double gain;
    int64_t over;
    switch (model->tree.order) {
    case ORDER_ACCURACY:
        return node->status == NODE_DONE && node->accuracy == node->accuracy ? node->accuracy : -1;
    case ORDER_GAIN:
        return node->status == NODE_DONE && node_gain(model->state, node, &gain, &over) && isfinite(gain) ? gain : -2;
    case ORDER_PARAMETERS:
        return -(double)node->facts.parameters;
    default:
        return -(double)node->facts.node;
    }
}

/* Sort the children of one parent. */
static void sort_children(struct forest *forest, int64_t parent, struct sibling *siblings)
{
    size_t count = 0;
    for (int64_t child = forest->first[parent]; child; child = forest->next[child])
        siblings[count++] =
            (struct sibling){child, order_key(forest->model, session_node(forest->model->state, child))};
    qsort(siblings, count, sizeof *siblings, compare_siblings);
    for (size_t i = count; i-- > 0;) {
        forest->next[siblings[i].node] = i + 1 < count ? siblings[i + 1].node : 0;
        forest->first[parent] = siblings[i].node;
    }
}

/* A network is shown when it matches or one below it does; these come first, from the last one on. */
static void index_children(struct forest *forest)
{
    for (int64_t i = forest->count; i >= 1; i--) {
        int64_t parent = session_node(forest->model->state, i)->facts.parent;
        forest->below[parent] += forest->below[i] + 1;
        forest->shown[i] |= forest->matches[i];
        if (!forest->shown[i])
            continue;
        forest->shown[parent] = true;
        forest->next[i] = forest->first[parent];
        forest->first[parent] = i;
    }
    if (forest->model->tree.order == ORDER_NUMBER)
        return;
    struct sibling *siblings = memory_new((size_t)forest->count + 1, sizeof *siblings);
    for (int64_t i = 0; i <= forest->count; i++)
        if (forest->first[i])
            sort_children(forest, i, siblings);
    free(siblings);
}

/* --- the walk --- */

/* An only child stands under its parent, so that a long line of these doesn't move to the right. */
static bool is_only_child(const struct session_state *state, int64_t node)
{
    const struct session_node *parent = session_node(state, session_node(state, node)->facts.parent);
    return parent && parent->child_count == 1;
}

static bool is_open(const struct forest *forest, int64_t node)
{
    return forest->first[node] && (forest->model->tree.filter[0] || !tree_is_folded(forest->model, node));
}

static struct tree_row row_of(const struct forest *forest, int64_t node, int depth, uint64_t last_at)
{
    uint64_t bit = 1ull << (depth < 63 ? depth : 63);
    bool open = is_open(forest, node), only = is_only_child(forest->model->state, node);
    return (struct tree_row){.node = node,
                             .depth = depth,
                             .only_child = only,
                             .last_at = only ? last_at : forest->next[node] ? last_at & ~bit : last_at | bit,
                             .parent = forest->below[node] > 0,
                             .folded = forest->first[node] && !open,
                             .hidden = open ? 0 : forest->below[node],
                             .matches = forest->matches[node]};
}

/* Go down to the first child, else to the next sibling of the nearest ancestor that has one. */
static void walk(const struct forest *forest, struct model *model)
{
    int64_t node = forest->first[0];
    int depth = 0;
    uint64_t last_at = 0;
    model->tree.row_count = 0;
    while (node) {
        struct tree_row row = row_of(forest, node, depth, last_at);
        model->tree.rows[model->tree.row_count++] = row;
        if (is_open(forest, node)) {
            node = forest->first[node];
            last_at = row.last_at;
            depth += !is_only_child(forest->model->state, node);
            continue;
        }
        while (node && !forest->next[node]) {
            depth -= !is_only_child(forest->model->state, node);
            node = session_node(model->state, node)->facts.parent;
        }
        node = forest->next[node]; /* next[0] is 0: the end */
        last_at = row.last_at;     /* rows at this depth and below set their own bits */
    }
}

/* Scroll with the selected row, so that it stays in its place on the screen. */
static void keep_place(struct model *model, int before)
{
    int after = tree_row_of(model, model->selected);
    if (before >= 0 && after >= 0)
        model->tree.top += after - before;
    if (model->tree.top < 0)
        model->tree.top = 0;
}

void tree_build(struct model *model)
{
    if (!model->tree.stale && model->tree.rows)
        return;
    size_t count = (size_t)model->state->node_count + 1;
    int before = tree_row_of(model, model->selected);
    struct forest forest = {
        .model = model,
        .count = model->state->node_count,
        .first = memory_new(count, sizeof(int64_t)),
        .next = memory_new(count, sizeof(int64_t)),
        .below = memory_new(count, sizeof(int64_t)),
        .matches = tree_matches(model),
        .shown = memory_new(count, sizeof(bool)),
    };
    index_children(&forest);
    model->tree.rows = memory_resize(model->tree.rows, count, sizeof *model->tree.rows);
    walk(&forest, model);
    free(forest.first);
    free(forest.next);
    free(forest.below);
    free(forest.shown);
    model->tree.stale = false;
    keep_place(model, before);
}

int tree_row_of(const struct model *model, int64_t node)
{
    for (int i = 0; i < model->tree.row_count; i++)
        if (model->tree.rows[i].node == node)
            return i;
    return -1;
}

void tree_select(struct model *model, int64_t node)
{
    const struct session_node *above = session_node(model->state, node);
    if (!above)
        return;
    model->selected = node;
    model->follow = false;
    while ((above = session_node(model->state, above->facts.parent)))
        tree_fold(model, above->facts.node, false);
}
