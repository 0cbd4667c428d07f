/* rounds.c - phases are read from the networks that joined last, races from the proposals of one episode. */
#include "tui/rounds.h"

#include <math.h>
#include <string.h>

#include "sessions/forecast.h"
#include "tui/node.h"

/* --- phases --- */

static void add_epoch(const struct session_node *node, struct text *text)
{
    if (node->status == NODE_RUNNING)
        text_add(text, " epoch %d/%d", node->curve_count + (node->curve_count < node->epochs), node->epochs);
    else
        text_add(text, " %s", node_word(node->status));
}

/* The last network by this author, or NULL. */
static const struct session_node *last_by(const struct session_state *state, enum event_author author)
{
    for (int64_t i = state->node_count; i > 0; i--)
        if (session_node(state, i)->facts.by.value == (int)author)
            return session_node(state, i);
    return NULL;
}

void phase_add(const struct session_state *state, struct text *text)
{
    enum session_phase phase = session_phase(state);
    if (!session_has_phases(state) || !state->node_count)
        return;
    if (phase == PHASE_GROWTH) {
        double share = session_forecast(state).growth;
        text_add(text, "growth");
        if (share > 0)
            text_add(text, " %.0f%%", floor(100 * share));
        return;
    }
    int64_t last = phase == PHASE_START ? 1 : state->node_count;
    while (phase != PHASE_START && !node_is_final(session_node(state, last)))
        last--;
    const struct session_node *node = session_node(state, last);
    text_add(text, "%s", phase == PHASE_START ? "start" : author_name(&node->facts.by));
    add_epoch(node, text);
}

void trainers_add(const struct session_state *state, struct text *text)
{
    int64_t present = session_devices_present(state), size = session_update_size(state);
    bool elsewhere = false;
    for (int i = 0; i < state->device_count; i++)
        elsewhere |= state->devices[i].host[0] != '\0';
    if (present > DEVICES_FEW && session_is_asynchronous(state) && session_option_is(state, "policy", "reinforce"))
        text_add(text, "asynchronous, updates of %lld", (long long)size);
    else if (elsewhere && present > size && session_option_is(state, "parent", "race") &&
             session_phase(state) == PHASE_GROWTH)
        text_add(text, "rounds of %lld: %lld idle", (long long)size, (long long)(present - size));
}

/* The lowest loss of what the search found: grown, or retrained.  NULL: there is none. */
static const struct session_node *best_found(const struct session_state *state)
{
    const struct session_node *best = NULL;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        bool found = !node_is_final(node) || node->facts.by.value == AUTHOR_RETRAIN;
        if (node->status == NODE_DONE && found && (!best || node->loss < best->loss))
            best = node;
    }
    return best;
}

bool verdict_add(const struct session_state *state, struct text *text)
{
    const struct session_node *baseline = last_by(state, AUTHOR_BASELINE), *finish = last_by(state, AUTHOR_FINISH);
    const struct session_node *found = best_found(state);
    if (!baseline || baseline->status != NODE_DONE || !found)
        return false;
    bool won = finish ? finish->facts.parent != baseline->facts.node : found->loss <= baseline->loss;
    if (finish && won)
        found = session_node(state, finish->facts.parent);
    if (!found) /* a log may have a finish of no parent */
        return false;
    double gain = 100 * (found->accuracy - baseline->accuracy);
    long long number = baseline->facts.node;
    if (won && gain >= 0)
        text_add(text, "%+.2f over baseline n%lld", gain, number);
    else if (!won && gain < 0)
        text_add(text, "baseline n%lld won by %.2f", number, -gain);
    else
        text_add(text, won ? "lower loss than baseline n%lld" : "baseline n%lld won by loss", number);
    return won;
}

/* --- races --- */

/* The network that a proposal led to in the same race as `facts`, or NULL. */
static const struct session_node *rival(const struct session_state *state, const struct event_proposal *facts,
                                        int64_t i)
{
    const struct proposal_record *record = i > 0 && i <= state->proposal_count ? state->proposals[i - 1] : NULL;
    bool same = record && record->answer == EVENT_NODE && record->facts.episode == facts->episode &&
                record->facts.parent == facts->parent;
    return same ? session_node(state, record->facts.node) : NULL;
}

/* "n8 +0.42", of a control "=n7 89.90" */
static int draw_rival(const struct session_state *state, const struct session_node *node, bool selected,
                      struct canvas *canvas, struct area area, int x, int y)
{
    static const char *const words[NODE_STATUS_COUNT] = {"wait", "new", "", "failed", "cancelled"};
    bool control = node->facts.by.value == AUTHOR_CONTROL;
    x = canvas_text(canvas, area, x, y, selected ? STYLE_BOLD : STYLE_NORMAL, "%sn%lld", control ? "=" : "",
                    (long long)node->facts.node);
    if (node->status == NODE_RUNNING && node->epochs)
        return canvas_text(canvas, area, x + 1, y, STYLE_RUNNING, "%d/%d",
                           node->curve_count + (node->curve_count < node->epochs), node->epochs);
    if (node->status != NODE_DONE)
        return canvas_text(canvas, area, x + 1, y, node_style(node->status), "%s", words[node->status]);
    if (control)
        return area.width < 50 ? x : canvas_text(canvas, area, x + 1, y, STYLE_DIM, "%.2f", 100 * node->accuracy);
    return node_draw_gain(state, node, canvas, area, x + 1, y, 0);
}

bool race_draw(const struct model *model, const struct session_node *node, struct canvas *canvas, struct area area,
               int y)
{
    const struct session_state *state = model->state;
    int64_t first = node->facts.proposal;
    while (first > 1 && state->proposals[first - 2]->facts.episode == node->facts.episode)
        first--;
    const struct session_node *control = first ? rival(state, &node->facts, first) : NULL, *each;
    if (!control || control->facts.by.value != AUTHOR_CONTROL)
        return false;
    int x = canvas_text(canvas, area, 0, y, STYLE_DIM, "race"), gap = area.width < 50 ? 1 : 2;
    for (int64_t i = first; i <= state->proposal_count; i++)
        if ((each = rival(state, &node->facts, i)))
            x = draw_rival(state, each, each == node, canvas, area, x + gap, y);
        else if (state->proposals[i - 1]->facts.episode != node->facts.episode)
            break;
    return true;
}
