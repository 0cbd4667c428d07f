/*
 * dot.c - one statement a node and one an edge, in order of the nodes' numbers, so that two exports can be compared.
 *
 * All text goes through add_escaped(): inside a label `"` and `\` are special, and a line break is written \n.
 */
#include "export/dot.h"

#include <inttypes.h>

#include "export/node.h"

static void add_escaped(struct text *text, const char *string)
{
    for (; *string; string++)
        if (*string == '"' || *string == '\\')
            text_add(text, "\\%c", *string);
        else if (*string == '\n')
            text_add(text, "\\n");
        else
            text_add(text, "%c", *string);
}

/* The last action; without one what the network is: start, control, baseline, finish. */
static const char *last_action(const struct session_node *node)
{
    const struct event_texts *actions = &node->facts.actions;
    return actions->count ? actions->items[actions->count - 1] : author_name(&node->facts.by);
}

static void add_label(const struct session_state *state, const struct session_node *node, struct text *text)
{
    char count[TEXT_SHORT];
    double gain;
    int64_t over;
    text_add(text, "label=\"%" PRId64 "  ", node->facts.node);
    add_escaped(text, last_action(node));
    if (node->facts.actions.count > 1)
        text_add(text, " (+%d)", node->facts.actions.count - 1);
    if (node->status != NODE_DONE)
        text_add(text, "\\n%s", export_status(node->status));
    if (export_is_measured(node))
        text_add(text, "\\n%.2f %%", 100 * node->accuracy);
    if (session_gain(state, node->facts.node, &gain, &over) && over != node->facts.parent)
        text_add(text, " %+.2f over control n%" PRId64, 100 * gain, over);
    if (state->test.node == node->facts.node)
        text_add(text, "\\ntest %.2f %%", 100 * state->test.accuracy);
    text_add(text, "\\n%s parameters\"", text_count(count, (double)node->facts.parameters));
}

/* A network has the first of these styles that applies to it. */
static void add_style(const struct session_node *node, bool best, struct text *text)
{
    if (best)
        text_add(text, ", fillcolor=gold, penwidth=2");
    else if (node->pruned)
        text_add(text, ", fillcolor=gray90, fontcolor=gray50, color=gray50");
    else if (node->status == NODE_FAILED || node->status == NODE_CANCELLED)
        text_add(text, ", fillcolor=mistyrose, color=red3");
    else if (node->status == NODE_RUNNING)
        text_add(text, ", fillcolor=lightcyan");
    else if (node->status == NODE_QUEUED)
        text_add(text, ", style=\"rounded,dashed\"");
    else if (node->facts.by.value == AUTHOR_FINISH)
        text_add(text, ", fillcolor=palegreen, penwidth=2");
    else if (node->facts.by.value == AUTHOR_CONTROL)
        text_add(text, ", fillcolor=gray95, style=\"rounded,filled,dotted\"");
    else if (node->facts.by.value == AUTHOR_BASELINE || node->facts.by.value == AUTHOR_RETRAIN)
        text_add(text, ", fillcolor=lavender");
    if (node->pinned)
        text_add(text, ", peripheries=2");
}

void export_dot(const struct session_state *state, struct text *text)
{
    text_add(text, "digraph espalier {\n"
                   "    rankdir=LR;\n"
                   "    node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n");
    for (int64_t i = 0; i < state->node_count; i++) {
        const struct session_node *node = state->nodes[i];
        text_add(text, "    n%" PRId64 " [", node->facts.node);
        add_label(state, node, text);
        text_add(text, ", tooltip=\"");
        add_escaped(text, node->facts.arch);
        text_add(text, "\"");
        add_style(node, node->facts.node == state->best, text);
        text_add(text, "];\n");
        if (node->facts.parent)
            text_add(text, "    n%" PRId64 " -> n%" PRId64 ";\n", node->facts.parent, node->facts.node);
    }
    text_add(text, "}\n");
}
