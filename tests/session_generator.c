/*
 * session_generator.c - a search played without training.
 *
 * One loop in simulated time: idle devices take networks from the queue, the device whose epoch ends first reports it,
 * now and then a person or a crash comes between.  A network's final accuracy is drawn when it joins, somewhat better
 * than its parent's; its epochs approach it.
 */
#include "config.h"

#include "session_generator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/space.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

enum { DEVICES = 16, ATTEMPTS = 2 };

struct plan {
    struct arch arch;
    struct hash hash;
    int64_t parent;
    enum node_status status;
    int attempts, epochs;
    bool pruned;
    double target, accuracy;
};

struct lane {
    int64_t node; /* 0: idle */
    int epoch;
    double due; /* when its epoch ends */
};

struct play {
    struct session_recipe recipe;
    void (*sink)(void *context, const struct event *event);
    void *context;
    struct random_stream random;
    struct session_expectation expected;
    struct plan *nodes;
    size_t capacity;
    struct lane lanes[DEVICES];
    const struct space *space;
    struct shape input;
    int64_t number, episode;
    double time, sampled;
    double last; /* time of the last event */
};

struct session_recipe session_recipe_default(uint64_t seed)
{
    return (struct session_recipe){.seed = seed,
                                   .networks = 60,
                                   .episode_networks = 10,
                                   .epochs = 5,
                                   .steps = 3,
                                   .devices = 2,
                                   .person = 0.03,
                                   .failures = 0.08,
                                   .crashes = 0.01,
                                   .sample_seconds = 5,
                                   .finished = true};
}

static double uniform(struct play *play)
{
    return (double)random_uniform(&play->random);
}

static bool chance(struct play *play, double share)
{
    return uniform(play) < share;
}

static int64_t below(struct play *play, int64_t bound)
{
    return random_below(&play->random, (uint32_t)bound);
}

static struct plan *plan_of(struct play *play, int64_t node)
{
    return &play->nodes[node - 1];
}

static void emit(struct play *play, struct event *event)
{
    bool durable = event_is_durable(event->kind);
    play->number += durable;
    event->number = play->number;
    event->time = play->last = play->time > play->last ? play->time : play->last;
    play->expected.events++;
    play->expected.durable_events += durable;
    play->sink(play->context, event);
    event_done(event);
}

static void move(struct play *play, int64_t node, enum node_status status)
{
    play->expected.status[plan_of(play, node)->status]--;
    play->expected.status[status]++;
    plan_of(play, node)->status = status;
}

/* --- beginning and end --------------------------------------------------------------------------------------- */

static void open_session(struct play *play)
{
    struct event event = {.kind = EVENT_OPENED};
    event.as.opened = (struct event_opened){.date = 1.78e9 + play->time,
                                            .host = event_text("greenhouse"),
                                            .process = 1000 + below(play, 9000),
                                            .program = event_text("espalier 0.1.0")};
    emit(play, &event);
}

static void begin(struct play *play)
{
    struct event event = {.kind = EVENT_SESSION};
    struct event_session *session = &event.as.session;
    *session = (struct event_session){
        .format = EVENT_FORMAT,
        .program = event_text("espalier 0.1.0"),
        .created = 1.78e9,
        .seed = (int64_t)play->recipe.seed,
        .data = event_text("fashion-mnist"),
        .data_hash = event_text("%032d", 7),
        .input = event_text("%d,%d,%d", play->input.channels, play->input.height, play->input.width),
        .classes = 10,
        .train_images = 55000,
        .validation_images = 5000};
    char networks[40];
    snprintf(networks, sizeof networks, "networks=%d", play->recipe.networks);
    event_texts_add(&session->options, networks);
    event_texts_add(&session->options, "policy=reinforce");
    event_texts_add(&session->options, "space=plain");
    for (int i = 0; i < play->recipe.devices; i++) {
        char id[16], name[64];
        snprintf(id, sizeof id, "cpu:%d", i);
        snprintf(name, sizeof name, "Example processor, core %d, avx2", i);
        event_texts_add(&session->devices, id);
        event_texts_add(&session->device_names, name);
    }
    emit(play, &event);
    open_session(play);
}

static void finish(struct play *play)
{
    struct event event = {.kind = EVENT_FINISHED};
    event.as.finished.reason = event_text("budget");
    emit(play, &event);
}

/* --- proposals ----------------------------------------------------------------------------------------------- */

/* A good network: the best of three that are done. */
static int64_t choose_parent(struct play *play)
{
    if (play->recipe.from_start)
        return 1;
    int64_t best = 1;
    for (int i = 0; i < 3; i++) {
        int64_t node = 1 + below(play, play->expected.nodes);
        struct plan *plan = plan_of(play, node);
        if (plan->status == NODE_DONE && !plan->pruned && plan->accuracy > plan_of(play, best)->accuracy)
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
        if (!units || !chance(play, 0.4))
            continue;
        struct action action = {.kind = ACTION_WIDEN, .layer = layer, .units = units};
        struct text text = TEXT_EMPTY;
        action_print(arch, &action, &text);
        event_texts_add(actions, text.bytes);
        event_integers_add(steps, 0);
        event_reals_add(probabilities, uniform(play));
        text_done(&text);
        struct arch wider;
        ASSERT(!action_apply(arch, &action, &wider, NULL));
        *arch = wider;
    }
    int layer = (int)below(play, arch->layer_count);
    if (space_deepens(&arch->layers[layer]) && arch->layer_count < 24) {
        struct action action = {.kind = ACTION_DEEPEN,
                                .layer = layer,
                                .kernel = arch->layers[layer].kind == LAYER_CONV ? 1 + 2 * (int)below(play, 3) : 0};
        struct text text = TEXT_EMPTY;
        action_print(arch, &action, &text);
        event_texts_add(actions, text.bytes);
        event_integers_add(steps, 1);
        event_reals_add(probabilities, uniform(play));
        text_done(&text);
        struct arch deeper;
        ASSERT(!action_apply(arch, &action, &deeper, NULL));
        *arch = deeper;
    }
    return actions->count > 0;
}

static int64_t find_known(struct play *play, struct hash hash)
{
    for (int64_t node = 1; node <= play->expected.nodes; node++)
        if (hash_equal(plan_of(play, node)->hash, hash))
            return node;
    return 0;
}

static struct plan *add_plan(struct play *play, const struct arch *arch, int64_t parent)
{
    play->nodes = memory_grow(play->nodes, (size_t)play->expected.nodes, &play->capacity, sizeof *play->nodes);
    struct plan *plan = &play->nodes[play->expected.nodes++];
    double from = parent ? plan_of(play, parent)->target : 0.55;
    *plan = (struct plan){.arch = *arch, .hash = arch_hash(arch), .parent = parent, .status = NODE_QUEUED};
    plan->target = from + (0.94 - from) * 0.25 * (uniform(play) - 0.15);
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
    event->as.node.by = memory_copy_text(by);
    event->as.node.parameters = cost.parameters;
    event->as.node.flops = cost.flops;
    event->as.node.activation_bytes = cost.activation_bytes;
    emit(play, event);
}

static void emit_known(struct play *play, struct event *event, int64_t known)
{
    struct event_node *node = &event->as.node;
    struct event other = {.kind = EVENT_KNOWN};
    other.as.known = (struct event_known){.node = known,
                                          .parent = node->parent,
                                          .by = memory_copy_text("reinforce"),
                                          .actions = node->actions,
                                          .steps = node->steps,
                                          .probabilities = node->probabilities,
                                          .log_probability = node->log_probability,
                                          .entropy = node->entropy,
                                          .episode = node->episode,
                                          .proposal = node->proposal};
    play->expected.known++;
    emit(play, &other);
}

static void emit_refused(struct play *play, struct event *event, const char *reason)
{
    struct event_node *node = &event->as.node;
    struct event other = {.kind = EVENT_REFUSED};
    other.as.refused = (struct event_refused){.parent = node->parent,
                                              .by = memory_copy_text("reinforce"),
                                              .reason = memory_copy_text(reason),
                                              .actions = node->actions,
                                              .steps = node->steps,
                                              .episode = node->episode,
                                              .proposal = node->proposal};
    free(node->probabilities.items);
    play->expected.refused++;
    emit(play, &other);
}

static void propose(struct play *play)
{
    int64_t parent = choose_parent(play);
    struct arch arch = plan_of(play, parent)->arch;
    struct event event = {.kind = EVENT_NODE};
    struct event_node *node = &event.as.node;
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
    if (arch_shapes(&arch, play->input, shapes, NULL) || chance(play, 0.08))
        emit_refused(play, &event, "over the limit of parameters");
    else if (known)
        emit_known(play, &event, known);
    else
        emit_node(play, &event, &arch, "reinforce");
}

static void propose_episode(struct play *play)
{
    play->episode++;
    for (int i = 0; i < play->recipe.episode_networks && play->expected.nodes < play->recipe.networks; i++)
        propose(play);
}

static void start_network(struct play *play)
{
    struct arch arch;
    space_start(play->space, play->input, 10, &arch);
    struct event event = {.kind = EVENT_NODE};
    emit_node(play, &event, &arch, "start");
}

static void learn(struct play *play)
{
    struct event event = {.kind = EVENT_POLICY};
    int64_t update = ++play->expected.updates;
    event.as.policy = (struct event_policy){.update = update,
                                            .episode = update,
                                            .networks = play->recipe.episode_networks,
                                            .accuracy_mean = 0.5 + 0.3 * uniform(play),
                                            .accuracy_best = 0.8 + 0.1 * uniform(play),
                                            .reward_mean = uniform(play),
                                            .baseline = uniform(play),
                                            .loss = uniform(play) - 0.5,
                                            .entropy = 12 * uniform(play),
                                            .gradient_norm = uniform(play),
                                            .state = event_text("u%lld.safetensors", (long long)update),
                                            .state_hash = event_text("%032lld", (long long)update)};
    emit(play, &event);
}

/* --- training ------------------------------------------------------------------------------------------------ */

static int64_t next_queued(struct play *play)
{
    for (int64_t node = 1; node <= play->expected.nodes; node++)
        if (plan_of(play, node)->status == NODE_QUEUED)
            return node;
    return 0;
}

static void start(struct play *play, int slot, int64_t node)
{
    struct plan *plan = plan_of(play, node);
    plan->attempts++;
    move(play, node, NODE_RUNNING);
    play->lanes[slot] = (struct lane){.node = node, .due = play->time + 1 + 3 * uniform(play)};
    struct event event = {.kind = EVENT_STARTED};
    event.as.started = (struct event_started){
        .node = node, .device = event_text("cpu:%d", slot), .attempt = plan->attempts, .epochs = plan->epochs};
    emit(play, &event);
}

static void fail(struct play *play, int slot, const char *reason, const char *message)
{
    int64_t node = play->lanes[slot].node;
    struct plan *plan = plan_of(play, node);
    bool cancelled = !strcmp(reason, "cancelled"), again = !cancelled && plan->attempts < ATTEMPTS;
    move(play, node, cancelled ? NODE_CANCELLED : again ? NODE_QUEUED : NODE_FAILED);
    play->expected.failures += !cancelled;
    play->lanes[slot] = (struct lane){0};
    struct event event = {.kind = EVENT_FAILED};
    event.as.failed = (struct event_failed){.node = node,
                                            .attempt = plan->attempts,
                                            .reason = memory_copy_text(reason),
                                            .message = memory_copy_text(message),
                                            .again = again};
    emit(play, &event);
}

static void result(struct play *play, int slot)
{
    int64_t node = play->lanes[slot].node;
    struct plan *plan = plan_of(play, node);
    move(play, node, NODE_DONE);
    play->lanes[slot] = (struct lane){0};
    if (!play->expected.best || plan->accuracy > play->expected.best_accuracy) {
        play->expected.best = node;
        play->expected.best_accuracy = plan->accuracy;
    }
    struct event event = {.kind = EVENT_RESULT};
    event.as.result = (struct event_result){.node = node,
                                            .accuracy = plan->accuracy,
                                            .loss = 1 - plan->accuracy,
                                            .epochs = plan->epochs,
                                            .seconds = 2.5 * plan->epochs,
                                            .images_per_second = 9000 + 9000 * uniform(play),
                                            .weights = event_text("%lld.safetensors", (long long)node),
                                            .weights_hash = event_text("%032lld", (long long)node)};
    emit(play, &event);
}

static void train_steps(struct play *play, const struct lane *lane)
{
    double end = play->time;
    for (int step = 1; step <= play->recipe.steps; step++) {
        play->time = end - 0.01 * (play->recipe.steps - step + 1);
        struct event event = {.kind = EVENT_STEP};
        event.as.step = (struct event_step){.node = lane->node,
                                            .epoch = lane->epoch,
                                            .step = step * 100,
                                            .steps = play->recipe.steps * 100,
                                            .loss = 2.3 * exp(-0.3 * lane->epoch) + 0.1 * uniform(play),
                                            .images_per_second = 10000 + 5000 * uniform(play)};
        emit(play, &event);
    }
    play->time = end;
}

static void train_epoch(struct play *play, int slot)
{
    struct lane *lane = &play->lanes[slot];
    struct plan *plan = plan_of(play, lane->node);
    lane->epoch++;
    train_steps(play, lane);
    if (lane->node > 1 && chance(play, play->recipe.failures / plan->epochs)) {
        bool memory = chance(play, 0.5);
        fail(play, slot, memory ? "memory" : "diverged", memory ? "" : "loss is not finite at step 12");
        return;
    }
    double progress = (double)lane->epoch / plan->epochs;
    plan->accuracy = plan->target * (1 - 0.3 * exp(-4 * progress)) + 0.004 * (uniform(play) - 0.5);
    struct event event = {.kind = EVENT_EPOCH};
    event.as.epoch = (struct event_epoch){.node = lane->node,
                                          .epoch = lane->epoch,
                                          .epochs = plan->epochs,
                                          .rate = 0.01 * (1 + cos(M_PI * (progress - 1.0 / plan->epochs))),
                                          .train_loss = 1.1 - plan->accuracy,
                                          .train_accuracy = plan->accuracy + 0.01,
                                          .validation_loss = 1.15 - plan->accuracy,
                                          .validation_accuracy = plan->accuracy,
                                          .seconds = 2.5,
                                          .images_per_second = 10000 + 5000 * uniform(play)};
    emit(play, &event);
    lane->due = play->time + 1 + 3 * uniform(play);
    if (lane->epoch == plan->epochs)
        result(play, slot);
}

static void sample(struct play *play)
{
    if (play->recipe.sample_seconds <= 0 || play->time < play->sampled + play->recipe.sample_seconds)
        return;
    play->sampled = play->time;
    for (int i = 0; i < play->recipe.devices; i++) {
        struct event event = {.kind = EVENT_SAMPLE};
        event.as.sample = (struct event_sample){.device = event_text("cpu:%d", i),
                                                .utilisation = play->lanes[i].node ? 0.9 + 0.1 * uniform(play) : 0.02,
                                                .memory_used = 2e9 + 1e8 * uniform(play),
                                                .memory_total = 8e9,
                                                .temperature = i ? (double)NAN : 50 + 10 * uniform(play),
                                                .power = (double)NAN,
                                                .clock = 3e9};
        emit(play, &event);
    }
}

/* --- what comes between -------------------------------------------------------------------------------------- */

static void command(struct play *play, bool refused, char *words, const char *answer)
{
    struct event event = {.kind = EVENT_COMMAND};
    event.as.command = (struct event_command){
        .by = event_text("user"), .words = words, .refused = refused, .answer = memory_copy_text(answer)};
    emit(play, &event);
}

static void prune(struct play *play, int64_t node)
{
    command(play, false, event_text("prune %lld", (long long)node), "pruned");
    struct event event = {.kind = EVENT_PRUNED};
    event.as.pruned = (struct event_pruned){.node = node, .by = event_text("user")};
    emit(play, &event);
    for (int64_t i = node; i <= play->expected.nodes; i++) {
        struct plan *plan = plan_of(play, i);
        bool inside = false;
        for (int64_t up = i; up && !inside; up = plan_of(play, up)->parent)
            inside = up == node;
        if (!inside)
            continue;
        plan->pruned = true;
        if (plan->status == NODE_QUEUED)
            move(play, i, NODE_CANCELLED);
    }
    for (int slot = 0; slot < play->recipe.devices; slot++)
        if (play->lanes[slot].node && plan_of(play, play->lanes[slot].node)->pruned)
            fail(play, slot, "cancelled", "");
}

static void person(struct play *play)
{
    int64_t node = 1 + below(play, play->expected.nodes);
    struct event event = {0};
    switch (below(play, 6)) {
    case 0:
        command(play, false, event_text("pin %lld", (long long)node), "pinned");
        event.kind = EVENT_PINNED;
        event.as.pinned = (struct event_pinned){.node = node, .pinned = chance(play, 0.7), .by = event_text("user")};
        break;
    case 1:
        if (node > 1 && chance(play, 0.3))
            prune(play, node);
        return;
    case 2:
        event.kind = EVENT_NOTED;
        event.as.noted = (struct event_noted){
            .node = node, .note = event_text("größer als n%lld ✓", (long long)node - 1), .by = event_text("user")};
        break;
    case 3:
        event.kind = EVENT_PAUSED;
        event.as.paused = (struct event_paused){.paused = true, .by = event_text("user")};
        emit(play, &event);
        play->time += 30 * uniform(play);
        event = (struct event){.kind = EVENT_PAUSED};
        event.as.paused.by = event_text("user");
        break;
    case 4:
        command(play, true, event_text("grow %lld widen:conv99", (long long)node), "there is no layer conv99");
        return;
    case 5:
        event.kind = EVENT_BUDGET;
        event.as.budget =
            (struct event_budget){.networks = play->recipe.networks, .seconds = 3600, .by = event_text("user")};
        break;
    }
    emit(play, &event);
}

static void crash(struct play *play)
{
    for (int slot = 0; slot < play->recipe.devices; slot++) {
        if (play->lanes[slot].node)
            move(play, play->lanes[slot].node, NODE_QUEUED);
        play->lanes[slot] = (struct lane){0};
    }
    open_session(play);
}

/* --- the loop ------------------------------------------------------------------------------------------------ */

static bool fill_lanes(struct play *play)
{
    bool busy = false;
    for (int slot = 0; slot < play->recipe.devices; slot++) {
        bool only_start = play->expected.nodes == 1 && plan_of(play, 1)->status != NODE_DONE;
        int64_t node = play->lanes[slot].node ? 0 : next_queued(play);
        int stale = 0; /* proposals may all be known */
        while (!play->lanes[slot].node && !node && !only_start && play->expected.nodes < play->recipe.networks &&
               stale++ < 20) {
            if (play->episode)
                learn(play);
            propose_episode(play);
            node = next_queued(play);
        }
        if (!play->lanes[slot].node && node)
            start(play, slot, node);
        busy = busy || play->lanes[slot].node;
    }
    return busy;
}

static int first_due(const struct play *play)
{
    int first = -1;
    for (int slot = 0; slot < play->recipe.devices; slot++)
        if (play->lanes[slot].node && (first < 0 || play->lanes[slot].due < play->lanes[first].due))
            first = slot;
    return first;
}

static void run(struct play *play)
{
    while (fill_lanes(play)) {
        int slot = first_due(play);
        if (play->lanes[slot].due > play->time)
            play->time = play->lanes[slot].due;
        sample(play);
        train_epoch(play, slot);
        if (chance(play, play->recipe.person))
            person(play);
        if (chance(play, play->recipe.crashes))
            crash(play);
        if (!play->recipe.finished && play->expected.nodes == play->recipe.networks && chance(play, 0.2))
            return;
    }
}

struct session_expectation session_generate(const struct session_recipe *recipe,
                                            void (*sink)(void *context, const struct event *event), void *context)
{
    ASSERT(recipe->devices >= 1 && recipe->devices <= DEVICES && recipe->networks >= 1 && recipe->epochs >= 1);
    struct play play = {.recipe = *recipe,
                        .sink = sink,
                        .context = context,
                        .random = random_stream_new(recipe->seed, RANDOM_TEST, 0, 0),
                        .space = space_find("small"),
                        .input = {1, 28, 28}};
    begin(&play);
    start_network(&play);
    run(&play);
    if (recipe->finished)
        finish(&play);
    play.expected.time = play.last;
    free(play.nodes);
    return play.expected;
}

void event_list_add(void *context, const struct event *event)
{
    struct event_list *list = context;
    list->items = memory_grow(list->items, list->count, &list->capacity, sizeof *list->items);
    event_copy(event, &list->items[list->count++]);
}

void event_list_done(struct event_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        event_done(&list->items[i]);
    free(list->items);
    *list = (struct event_list){0};
}
