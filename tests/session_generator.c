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

#include "session_play.h"
#include "util/bug.h"
#include "util/memory.h"

enum { ATTEMPTS = 2 };

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

double play_uniform(struct play *play)
{
    return (double)random_uniform(&play->random);
}

bool play_chance(struct play *play, double share)
{
    return play_uniform(play) < share;
}

int64_t play_below(struct play *play, int64_t bound)
{
    return random_below(&play->random, (uint32_t)bound);
}

struct plan *play_plan_of(struct play *play, int64_t node)
{
    return &play->nodes[node - 1];
}

void play_emit(struct play *play, struct event *event)
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
    play->expected.status[play_plan_of(play, node)->status]--;
    play->expected.status[status]++;
    play_plan_of(play, node)->status = status;
}

/* --- beginning and end --------------------------------------------------------------------------------------- */

static void open_session(struct play *play)
{
    struct event event = {.kind = EVENT_OPENED};
    event.as.opened = (struct event_opened){.date = 1.78e9 + play->time,
                                            .host = event_text("greenhouse"),
                                            .process = 1000 + play_below(play, 9000),
                                            .program = event_text("espalier 0.1.0")};
    play_emit(play, &event);
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
    play_emit(play, &event);
    open_session(play);
}

static void finish(struct play *play)
{
    struct event event = {.kind = EVENT_FINISHED};
    event.as.finished.reason.value = FINISH_BUDGET;
    play_emit(play, &event);
}

/* --- training ------------------------------------------------------------------------------------------------ */

static void learn(struct play *play)
{
    struct event event = {.kind = EVENT_POLICY};
    int64_t update = ++play->expected.updates;
    event.as.policy = (struct event_policy){.update = update,
                                            .episode = update,
                                            .networks = play->recipe.episode_networks,
                                            .accuracy_mean = 0.5 + 0.3 * play_uniform(play),
                                            .accuracy_best = 0.8 + 0.1 * play_uniform(play),
                                            .reward_mean = play_uniform(play),
                                            .baseline = play_uniform(play),
                                            .loss = play_uniform(play) - 0.5,
                                            .entropy = 12 * play_uniform(play),
                                            .gradient_norm = play_uniform(play),
                                            .state = event_text("u%lld.safetensors", (long long)update),
                                            .state_hash = event_text("%032lld", (long long)update)};
    play_emit(play, &event);
}

static int64_t next_queued(struct play *play)
{
    for (int64_t node = 1; node <= play->expected.nodes; node++)
        if (play_plan_of(play, node)->status == NODE_QUEUED)
            return node;
    return 0;
}

static void start(struct play *play, int slot, int64_t node)
{
    struct plan *plan = play_plan_of(play, node);
    plan->attempts++;
    move(play, node, NODE_RUNNING);
    play->lanes[slot] = (struct lane){.node = node, .due = play->time + 1 + 3 * play_uniform(play)};
    struct event event = {.kind = EVENT_STARTED};
    event.as.started = (struct event_started){
        .node = node, .device = event_text("cpu:%d", slot), .attempt = plan->attempts, .epochs = plan->epochs};
    play_emit(play, &event);
}

static void fail(struct play *play, int slot, enum failure_reason reason, const char *message)
{
    int64_t node = play->lanes[slot].node;
    struct plan *plan = play_plan_of(play, node);
    bool cancelled = reason == FAILURE_CANCELLED, again = !cancelled && plan->attempts < ATTEMPTS;
    move(play, node, cancelled ? NODE_CANCELLED : again ? NODE_QUEUED : NODE_FAILED);
    play->expected.failures += !cancelled;
    play->lanes[slot] = (struct lane){0};
    struct event event = {.kind = EVENT_FAILED};
    event.as.failed = (struct event_failed){.node = node,
                                            .attempt = plan->attempts,
                                            .reason = {.value = (int)reason},
                                            .message = memory_copy_text(message),
                                            .again = again};
    play_emit(play, &event);
}

static void result(struct play *play, int slot)
{
    int64_t node = play->lanes[slot].node;
    struct plan *plan = play_plan_of(play, node);
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
                                            .images_per_second = 9000 + 9000 * play_uniform(play),
                                            .weights = event_text("%lld.safetensors", (long long)node),
                                            .weights_hash = event_text("%032lld", (long long)node)};
    play_emit(play, &event);
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
                                            .loss = 2.3 * exp(-0.3 * lane->epoch) + 0.1 * play_uniform(play),
                                            .images_per_second = 10000 + 5000 * play_uniform(play)};
        play_emit(play, &event);
    }
    play->time = end;
}

static void train_epoch(struct play *play, int slot)
{
    struct lane *lane = &play->lanes[slot];
    struct plan *plan = play_plan_of(play, lane->node);
    lane->epoch++;
    train_steps(play, lane);
    if (lane->node > 1 && play_chance(play, play->recipe.failures / plan->epochs)) {
        bool memory = play_chance(play, 0.5);
        fail(play, slot, memory ? FAILURE_MEMORY : FAILURE_DIVERGED, memory ? "" : "loss is not finite at step 12");
        return;
    }
    double progress = (double)lane->epoch / plan->epochs;
    plan->accuracy = plan->target * (1 - 0.3 * exp(-4 * progress)) + 0.004 * (play_uniform(play) - 0.5);
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
                                          .images_per_second = 10000 + 5000 * play_uniform(play)};
    play_emit(play, &event);
    lane->due = play->time + 1 + 3 * play_uniform(play);
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
        event.as.sample =
            (struct event_sample){.device = event_text("cpu:%d", i),
                                  .utilisation = play->lanes[i].node ? 0.9 + 0.1 * play_uniform(play) : 0.02,
                                  .memory_used = 2e9 + 1e8 * play_uniform(play),
                                  .memory_total = 8e9,
                                  .temperature = i ? (double)NAN : 50 + 10 * play_uniform(play),
                                  .power = (double)NAN,
                                  .clock = 3e9};
        play_emit(play, &event);
    }
}

/* --- what comes between -------------------------------------------------------------------------------------- */

static void command(struct play *play, bool refused, char *words, const char *answer)
{
    struct event event = {.kind = EVENT_COMMAND};
    event.as.command = (struct event_command){
        .by = {AUTHOR_USER}, .words = words, .refused = refused, .answer = memory_copy_text(answer)};
    play_emit(play, &event);
}

static void prune(struct play *play, int64_t node)
{
    command(play, false, event_text("prune %lld", (long long)node), "pruned");
    struct event event = {.kind = EVENT_PRUNED};
    event.as.pruned = (struct event_pruned){.node = node, .by = {AUTHOR_USER}};
    play_emit(play, &event);
    for (int64_t i = node; i <= play->expected.nodes; i++) {
        struct plan *plan = play_plan_of(play, i);
        bool inside = false;
        for (int64_t up = i; up && !inside; up = play_plan_of(play, up)->parent)
            inside = up == node;
        if (!inside)
            continue;
        plan->pruned = true;
        if (plan->status == NODE_QUEUED)
            move(play, i, NODE_CANCELLED);
    }
    for (int slot = 0; slot < play->recipe.devices; slot++)
        if (play->lanes[slot].node && play_plan_of(play, play->lanes[slot].node)->pruned)
            fail(play, slot, FAILURE_CANCELLED, "");
}

static void person(struct play *play)
{
    int64_t node = 1 + play_below(play, play->expected.nodes);
    struct event event = {0};
    switch (play_below(play, 6)) {
    case 0:
        command(play, false, event_text("pin %lld", (long long)node), "pinned");
        event.kind = EVENT_PINNED;
        event.as.pinned =
            (struct event_pinned){.node = node, .pinned = play_chance(play, 0.7), .by = {AUTHOR_USER}};
        break;
    case 1:
        if (node > 1 && play_chance(play, 0.3))
            prune(play, node);
        return;
    case 2:
        event.kind = EVENT_NOTED;
        event.as.noted = (struct event_noted){
            .node = node, .note = event_text("größer als n%lld ✓", (long long)node - 1), .by = {AUTHOR_USER}};
        break;
    case 3:
        event.kind = EVENT_PAUSED;
        event.as.paused = (struct event_paused){.paused = true, .by = {AUTHOR_USER}};
        play_emit(play, &event);
        play->time += 30 * play_uniform(play);
        event = (struct event){.kind = EVENT_PAUSED};
        event.as.paused.by.value = AUTHOR_USER;
        break;
    case 4:
        command(play, true, event_text("grow %lld widen:conv99", (long long)node), "there is no layer conv99");
        return;
    case 5:
        event.kind = EVENT_SETTINGS;
        event.as.settings = (struct event_settings){.epochs = 3, .rate = 0.01, .by = {AUTHOR_USER}};
        play_emit(play, &event);
        event = (struct event){.kind = EVENT_BUDGET};
        event.as.budget = (struct event_budget){
            .networks = play->recipe.networks, .seconds = 3600, .flops = 1e15, .by = {AUTHOR_USER}};
        if (play_plan_of(play, 1)->status != NODE_DONE)
            break;
        play_emit(play, &event);
        event = (struct event){.kind = EVENT_CHANGED};
        event.as.changed.by.value = AUTHOR_USER;
        event_texts_add(&event.as.changed.options, "attempts=3");
        play_emit(play, &event);
        event = (struct event){.kind = EVENT_DROPPED};
        event_integers_add(&event.as.dropped.nodes, 1);
        play_emit(play, &event);
        event = (struct event){.kind = EVENT_TEST};
        event.as.test = (struct event_test){.node = 1, .accuracy = 0.75, .loss = 0.5, .images = 10000};
        break;
    }
    play_emit(play, &event);
}

/* A device of another machine comes, trains nothing, and goes. */
static void visit(struct play *play)
{
    struct event event = {.kind = EVENT_WARNED, .as.warned.message = event_text("node8 has other images: refused")};
    play_emit(play, &event);
    event = (struct event){.kind = EVENT_JOINED};
    event.as.joined = (struct event_joined){.device = event_text("node7/cpu:0"),
                                            .host = event_text("node7"),
                                            .name = event_text("AMD EPYC, core 0, avx2"),
                                            .speed_class = event_text("AMD EPYC, avx2")};
    play_emit(play, &event);
    event = (struct event){.kind = EVENT_LOST};
    event.as.lost =
        (struct event_lost){.device = event_text("node7/cpu:0"), .message = event_text("idle"), .left = true};
    play_emit(play, &event);
}

/* Who loses a device starts a new process. */
static void crash(struct play *play)
{
    visit(play);
    struct event event = {.kind = EVENT_LOST};
    event.as.lost = (struct event_lost){.device = event_text("cpu:0"), .message = event_text("fell off the bus")};
    play_emit(play, &event);
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
        bool only_start = play->expected.nodes == 1 && play_plan_of(play, 1)->status != NODE_DONE;
        int64_t node = play->lanes[slot].node ? 0 : next_queued(play);
        int stale = 0; /* proposals may all be known */
        while (!play->lanes[slot].node && !node && !only_start && play->expected.nodes < play->recipe.networks &&
               stale++ < 20) {
            if (play->episode)
                learn(play);
            play_propose_episode(play);
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
        if (play_chance(play, play->recipe.person))
            person(play);
        if (play_chance(play, play->recipe.crashes))
            crash(play);
        if (!play->recipe.finished && play->expected.nodes == play->recipe.networks && play_chance(play, 0.2))
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
    play_start_network(&play);
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
