/*
 * session_proposals.c - how a played search grows: actions that a policy might draw, on real architectures.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "session_play.h"
#include "util/bug.h"
#include "util/memory.h"

/* A good network: the best of three that are done. */
static int64_t choose_parent(struct play *play)
{
    if (play->recipe.from_start)
        return 1;
    int64_t best = 1;
    for (int i = 0; i < 3; i++) {
        int64_t node = 1 + play_below(play, play->expected.nodes);
        struct plan *plan = play_plan_of(play, node);
        if (plan->status == NODE_DONE && !plan->pruned && plan->accuracy > play_plan_of(play, best)->accuracy)
            best = node;
    }
    return best;
}

/* One wider decision over some layers and one deeper decision; false: nothing could grow. */
static bool draw_actions(struct play *play, struct arch *arch, struct event_texts *actions,
                         struct event_integers *steps, struct event_reals *probabilities)
{
    for (int layer = 0; layer < arch->layer_count; layer++) {
        int units = space_wider(play->space, &arch->layers[layer]);
        if (!units || !play_chance(play, 0.4))
            continue;
        struct action action = {.kind = ACTION_WIDEN, .layer = layer, .units = units};
        struct text text = TEXT_EMPTY;
        action_print(arch, &action, &text);
        event_texts_add(actions, text.bytes);
        event_integers_add(steps, 0);
        event_reals_add(probabilities, play_uniform(play));
        text_done(&text);
        struct arch wider;
        CHECK(!action_apply(arch, &action, &wider, NULL));
        *arch = wider;
    }
    int layer = (int)play_below(play, arch->layer_count);
    if (layer_grows(&arch->layers[layer]) && arch->layer_count < 24) {
        struct action action = {.kind = ACTION_DEEPEN,
                                .layer = layer,
                                .kernel =
                                    arch->layers[layer].kind == LAYER_CONV ? 1 + 2 * (int)play_below(play, 3) : 0};
        struct text text = TEXT_EMPTY;
        action_print(arch, &action, &text);
        event_texts_add(actions, text.bytes);
        event_integers_add(steps, 1);
        event_reals_add(probabilities, play_uniform(play));
        text_done(&text);
        struct arch deeper;
        CHECK(!action_apply(arch, &action, &deeper, NULL));
        *arch = deeper;
    }
    return actions->count > 0;
}

static int64_t find_known(struct play *play, struct hash hash)
{
    for (int64_t node = 1; node <= play->expected.nodes; node++)
        if (hash_equal(play_plan_of(play, node)->hash, hash))
            return node;
    return 0;
}

static struct plan *add_plan(struct play *play, const struct arch *arch, int64_t parent)
{
    play->nodes = memory_grow(play->nodes, (size_t)play->expected.nodes, &play->capacity, sizeof *play->nodes);
    struct plan *plan = &play->nodes[play->expected.nodes++];
    double from = parent ? play_plan_of(play, parent)->target : 0.55;
    *plan = (struct plan){.arch = *arch, .hash = arch_hash(arch), .parent = parent, .status = NODE_QUEUED};
    plan->target = from + (0.94 - from) * 0.25 * (play_uniform(play) - 0.15);
    plan->epochs = parent ? play->recipe.epochs : 2 * play->recipe.epochs;
    play->expected.status[NODE_QUEUED]++;
    return plan;
}

static void emit_node(struct play *play, struct event *event, const struct arch *arch, const char *by)
{
    struct arch_cost cost = arch_cost(arch, play->input);
    struct text text = TEXT_EMPTY;
    add_plan(play, arch, event->as.node.parent);
    arch_print(arch, &text);
    event->as.node.node = play->expected.nodes;
    event->as.node.arch = text_take(&text);
    event->as.node.by = author_of(by);
    event->as.node.parameters = cost.parameters;
    event->as.node.flops = cost.flops;
    event->as.node.activation_bytes = cost.activation_bytes;
    play_emit(play, event);
}

static void emit_known(struct play *play, struct event *event, int64_t known)
{
    struct event_proposal *node = &event->as.node;
    struct event other = {.kind = EVENT_KNOWN};
    other.as.known = (struct event_proposal){.node = known,
                                          .parent = node->parent,
                                          .by = author_of("reinforce"),
                                          .actions = node->actions,
                                          .steps = node->steps,
                                          .probabilities = node->probabilities,
                                          .log_probability = node->log_probability,
                                          .entropy = node->entropy,
                                          .episode = node->episode,
                                          .proposal = node->proposal};
    play->expected.known++;
    play_emit(play, &other);
}

static void emit_refused(struct play *play, struct event *event, const char *reason)
{
    struct event_proposal *node = &event->as.node;
    struct event other = {.kind = EVENT_REFUSED};
    other.as.refused = (struct event_proposal){.parent = node->parent,
                                              .by = author_of("reinforce"),
                                              .reason = memory_copy_text(reason),
                                              .actions = node->actions,
                                              .steps = node->steps,
                                              .episode = node->episode,
                                              .proposal = node->proposal};
    free(node->probabilities.items);
    play->expected.refused++;
    play_emit(play, &other);
}

static void propose(struct play *play)
{
    int64_t parent = choose_parent(play);
    struct arch arch = play_plan_of(play, parent)->arch;
    struct event event = {.kind = EVENT_NODE};
    struct event_proposal *node = &event.as.node;
    node->parent = parent;
    node->episode = play->episode;
    node->proposal = ++play->expected.proposals;
    bool grows = draw_actions(play, &arch, &node->actions, &node->steps, &node->probabilities);
    for (int i = 0; i < node->probabilities.count; i++) {
        node->log_probability += log(node->probabilities.items[i] + 1e-9);
        node->entropy += node->probabilities.items[i] * 0.7;
    }
    struct shape shapes[ARCH_LAYERS_MAX];
    int64_t known = grows ? find_known(play, arch_hash(&arch)) : parent;
    if (arch_shapes(&arch, play->input, shapes, NULL) || play_chance(play, 0.08))
        emit_refused(play, &event, "over the limit of parameters");
    else if (known)
        emit_known(play, &event, known);
    else
        emit_node(play, &event, &arch, "reinforce");
}

void play_propose_episode(struct play *play)
{
    play->episode++;
    for (int i = 0; i < play->recipe.episode_networks && play->expected.nodes < play->recipe.networks; i++)
        propose(play);
}

void play_start_network(struct play *play)
{
    struct arch arch;
    space_start(play->space, play->input, 10, &arch);
    struct event event = {.kind = EVENT_NODE};
    emit_node(play, &event, &arch, "start");
}
