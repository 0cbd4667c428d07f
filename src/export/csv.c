/*
 * csv.c - tables, cell by cell.
 */
#include "export/csv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "export/node.h"

static void add_comma(struct text *text)
{
    if (text->length && text->bytes[text->length - 1] != '\n')
        text_add(text, ",");
}

void csv_integer(struct text *text, int64_t value)
{
    add_comma(text);
    text_add(text, "%" PRId64, value);
}

void csv_real(struct text *text, double value)
{
    add_comma(text);
    if (isfinite(value))
        text_add(text, "%.9g", value);
}

/* A whole number that may be too large for an integer. */
static void csv_whole(struct text *text, double value)
{
    add_comma(text);
    if (isfinite(value))
        text_add(text, "%.0f", value);
}

void csv_string(struct text *text, const char *string)
{
    add_comma(text);
    if (!string)
        return;
    if (!strpbrk(string, ",\"\r\n")) {
        text_add(text, "%s", string);
        return;
    }
    text_add(text, "\"");
    for (; *string; string++)
        text_add(text, *string == '"' ? "\"\"" : "%c", *string);
    text_add(text, "\"");
}

static void add_actions(struct text *text, const struct event_texts *actions)
{
    struct text joined = TEXT_EMPTY;
    for (int i = 0; i < actions->count; i++)
        text_add(&joined, "%s%s", i ? " " : "", actions->items[i]);
    csv_string(text, text_string(&joined));
    text_done(&joined);
}

/* The fields of searches that are made of rounds. */
static void add_round(struct text *text, const struct session_state *state, const struct session_node *node)
{
    double gain = NAN;
    int64_t over = 0, control = session_control(state, node->facts.node);
    const struct session_test *test = state->test.node == node->facts.node ? &state->test : NULL;
    session_gain(state, node->facts.node, &gain, &over);
    csv_real(text, gain);
    csv_real(text, over ? (double)over : NAN);
    csv_real(text, control ? (double)control : NAN);
    csv_string(text, export_phase(node));
    csv_whole(text, node_flops_spent(state, node));
    csv_real(text, test ? test->accuracy : NAN);
    csv_real(text, test ? test->loss : NAN);
    csv_real(text, test ? (double)test->images : NAN);
}

static void add_network(struct text *text, const struct session_state *state, const struct session_node *node)
{
    const struct event_proposal *facts = &node->facts;
    bool measured = export_is_measured(node);
    csv_integer(text, facts->node);
    csv_integer(text, facts->parent);
    csv_string(text, export_status(node->status));
    csv_real(text, measured ? node->accuracy : NAN);
    csv_real(text, measured ? node->loss : NAN);
    csv_integer(text, facts->parameters);
    csv_integer(text, facts->flops);
    csv_integer(text, facts->activation_bytes);
    csv_integer(text, node->curve_count);
    csv_real(text, node->status == NODE_DONE ? node->seconds : NAN);
    csv_real(text, node->status == NODE_DONE ? node->images_per_second : NAN);
    csv_string(text, author_name(&facts->by));
    csv_integer(text, facts->episode);
    csv_integer(text, facts->proposal);
    csv_integer(text, node->known_count);
    csv_integer(text, node->child_count);
    csv_integer(text, node->attempts);
    csv_integer(text, node->pinned);
    csv_integer(text, node->pruned);
    csv_real(text, node->joined);
    csv_real(text, node->attempts ? node->started : NAN);
    csv_real(text, node->ended > 0 ? node->ended : NAN);
    csv_string(text, node->device);
    csv_string(text, node->dropped ? NULL : node->weights);
    csv_string(text, node->stopped);
    csv_real(text, node->stopped ? node->predicted : NAN);
    csv_string(text, node->failure);
    csv_string(text, node->note);
    add_actions(text, &facts->actions);
    csv_string(text, facts->arch);
    add_round(text, state, node);
    text_add(text, "\n");
}

void export_csv_networks(const struct session_state *state, struct text *text)
{
    text_add(text, "node,parent,status,accuracy,loss,parameters,flops,activation_bytes,epochs,seconds,"
                   "images_per_second,by,episode,proposal,proposed_again,children,attempts,pinned,pruned,joined,"
                   "started,ended,device,weights,stopped,predicted,failure,note,actions,arch,"
                   "gain,over,control,phase,flops_spent,test_accuracy,test_loss,test_images\n");
    for (int64_t i = 0; i < state->node_count; i++)
        add_network(text, state, state->nodes[i]);
}

void export_csv_curves(const struct session_state *state, struct text *text)
{
    text_add(text, "node,epoch,rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n");
    for (int64_t i = 0; i < state->node_count; i++)
        for (int epoch = 0; epoch < state->nodes[i]->curve_count; epoch++) {
            const struct curve_point *point = &state->nodes[i]->curve[epoch];
            csv_integer(text, state->nodes[i]->facts.node);
            csv_integer(text, epoch + 1);
            csv_real(text, point->rate);
            csv_real(text, point->train_loss);
            csv_real(text, point->train_accuracy);
            csv_real(text, point->validation_loss);
            csv_real(text, point->validation_accuracy);
            text_add(text, "\n");
        }
}
