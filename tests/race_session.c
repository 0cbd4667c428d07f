/*
 * race_session.c - a script of rounds, played in simulated time.
 *
 * A round's networks join together, and the two devices take them in order; the next round begins when all have ended,
 * on the one with the highest accuracy.  Nothing is random.
 */
#include "race_session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/space.h"
#include "arch/template.h"
#include "screen_session.h"
#include "util/bug.h"
#include "util/memory.h"

enum { DEVICES = 2, ROUND_EPOCHS = 4, TRAIN_IMAGES = 55000, FINISH_ROUND = 8 };
static const double budget_flops = 42e12;

static const struct script {
    int round;
    enum event_author by;
    double accuracy; /* 0: it diverges */
    const char *actions;
} script[] = {
    {0, AUTHOR_START, 0.8214, ""},
    {1, AUTHOR_CONTROL, 0.8402, ""},
    {1, AUTHOR_POLICY, 0.8542, "widen:conv1 widen:conv3 deepen:conv2:3"},
    {1, AUTHOR_POLICY, 0.8471, "widen:conv2 deepen:conv1:3"},
    {1, AUTHOR_POLICY, 0.8391, "widen:fc1"},
    {2, AUTHOR_CONTROL, 0.8631, ""},
    {2, AUTHOR_POLICY, 0, "widen:conv4 deepen:fc1"},
    {2, AUTHOR_POLICY, 0.8612, "deepen:conv1:1"},
    {2, AUTHOR_POLICY, 0.8718, "widen:conv1 widen:conv2 deepen:conv4:3"},
    {3, AUTHOR_CONTROL, 0.8802, ""}, /* wins its round */
    {3, AUTHOR_POLICY, 0.8779, "widen:fc1 deepen:conv2:1"},
    {3, AUTHOR_POLICY, 0.8764, "widen:conv4"},
    {3, AUTHOR_POLICY, 0.8801, "widen:conv3 deepen:conv3:3"},
    {4, AUTHOR_CONTROL, 0.8844, ""},
    {4, AUTHOR_POLICY, 0.8937, "widen:conv1 widen:conv2 widen:conv3 deepen:conv5:3"},
    {4, AUTHOR_POLICY, 0.8861, "widen:conv5 deepen:conv1:3"},
    {4, AUTHOR_USER, 0.8902, "widen:conv1 widen:conv5"},
    {5, AUTHOR_CONTROL, 0.8971, ""},
    {5, AUTHOR_POLICY, 0.9012, "widen:conv4 widen:conv5 deepen:conv4:3"},
    {5, AUTHOR_POLICY, 0.8969, "widen:fc1 deepen:conv6:1"},
    {5, AUTHOR_POLICY, 0.8990, "widen:conv6 deepen:conv3:3"},
    {6, AUTHOR_CONTROL, 0.9036, ""},
    {6, AUTHOR_POLICY, 0.9078, "widen:conv1 widen:conv2 deepen:conv2:3"},
    {6, AUTHOR_POLICY, 0.9051, "widen:conv6 widen:conv7"},
    {6, AUTHOR_POLICY, 0.9029, "deepen:conv7:3"},
    {7, AUTHOR_BASELINE, 0.8994, ""},
    {FINISH_ROUND, AUTHOR_FINISH, 0.9317, ""},
};
enum { NETWORKS = COUNT_OF(script), BASELINE = NETWORKS - 2, FINISH = NETWORKS - 1 };

static const struct {
    int index, epoch; /* when this epoch of this network is done */
} stops[] = {[RACE_START] = {0, 5},
             [RACE_GROWTH] = {NETWORKS - 4, 2},
             [RACE_BASELINE] = {BASELINE, 5},
             [RACE_FINISH] = {FINISH, 7}};

struct play {
    enum race_moment moment;
    void (*sink)(void *context, const struct event *event);
    void *context;
    int64_t number, proposals, policies;
    double time, sampled, flops;
    struct network {
        struct arch arch;
        struct arch_cost cost;
        int parent, epochs; /* by index */
        bool joined, started, ended;
    } networks[NETWORKS];
    struct training {
        int index, epoch; /* index -1: idle */
        double due, started;
    } trainings[DEVICES];
    bool stopped;
};

static const struct shape input = {1, 28, 28};

static void emit(struct play *play, struct event *event)
{
    play->number += event_is_durable(event->kind);
    event->number = play->number;
    event->time = play->time;
    play->sink(play->context, event);
    event_done(event);
}

static void begin(struct play *play)
{
    static const char *const options[] = {"policy=reinforce", "parent=race",  "networks=0",         "episodes=0",
                                          "seconds=0",        "flops=4.2e13", "episode-networks=4", "epochs=4",
                                          "rate=0.05",        "steady=yes",   "average=0.996",      "finish=0.6",
                                          "baseline=yes",     "widths=small"};
    struct event event = {.kind = EVENT_SESSION};
    event.as.session = (struct event_session){.format = EVENT_FORMAT,
                                              .program = event_text("espalier 0.1.0"),
                                              .created = 1.79e9,
                                              .seed = 7,
                                              .data = event_text("fashion-mnist"),
                                              .data_hash = event_text("%032d", 7),
                                              .input = event_text("1,28,28"),
                                              .classes = 10,
                                              .train_images = TRAIN_IMAGES,
                                              .validation_images = 5000};
    for (size_t i = 0; i < COUNT_OF(options); i++)
        event_texts_add(&event.as.session.options, options[i]);
    for (int i = 0; i < DEVICES; i++) {
        char id[16];
        snprintf(id, sizeof id, "cpu:%d", i);
        event_texts_add(&event.as.session.devices, id);
        event_texts_add(&event.as.session.device_names, "core, avx512");
    }
    emit(play, &event);
    event = (struct event){.kind = EVENT_OPENED};
    event.as.opened = (struct event_opened){
        .date = 1.79e9, .host = event_text("greenhouse"), .process = 4711, .program = event_text("espalier 0.1.0")};
    emit(play, &event);
}

/* --- joining --- */

/* The best network of a round; of the rounds before the baseline for the finish. */
static int winner(int round)
{
    int best = -1;
    for (int i = 0; i < BASELINE; i++)
        if ((script[i].round == round || round == FINISH_ROUND - 1) &&
            (best < 0 || script[i].accuracy > script[best].accuracy))
            best = i;
    return best;
}

static int epochs_of(const struct play *play, int index)
{
    double epoch = 3.0 * (double)play->networks[index].cost.flops * TRAIN_IMAGES;
    if (index == FINISH)
        return (int)((budget_flops - play->flops) / epoch);
    return index == 0 ? 8 : index == BASELINE ? 9 : ROUND_EPOCHS;
}

static void join(struct play *play, int index)
{
    const struct script *row = &script[index];
    struct network *network = &play->networks[index];
    struct event event = {.kind = EVENT_NODE};
    struct event_proposal *node = &event.as.node;
    bool root = row->round == 0 || row->by == AUTHOR_BASELINE;
    struct error error;
    network->joined = true;
    network->parent = root ? -1 : winner(row->round - 1);
    node->node = index + 1;
    node->parent = network->parent + 1;
    node->by = row->by == AUTHOR_POLICY ? author_of("reinforce") : (struct event_word){.value = (int)row->by};
    if (row->by == AUTHOR_BASELINE) {
        struct arch_limits limits = {.parameters = 60000, .flops = 3000000};
        if (arch_template(input, 10, false, &limits, &network->arch, &error))
            BUG(error.text);
    } else if (root)
        space_start(space_find("small"), input, 10, &network->arch);
    else
        network->arch = play->networks[network->parent].arch;
    screen_session_actions(row->actions, &network->arch, node);
    if (row->by == AUTHOR_POLICY || row->by == AUTHOR_CONTROL) {
        node->proposal = ++play->proposals;
        node->episode = row->round;
        node->entropy = 0.7 - 0.01 * row->round;
    }
    struct text text = TEXT_EMPTY;
    arch_print(&network->arch, &text);
    network->cost = arch_cost(&network->arch, input);
    node->arch = text_take(&text);
    node->parameters = network->cost.parameters;
    node->flops = network->cost.flops;
    node->activation_bytes = network->cost.activation_bytes;
    network->epochs = epochs_of(play, index);
    emit(play, &event);
}

/* The round that is not over; its networks join. */
static void join_round(struct play *play)
{
    int first = 0;
    while (first < NETWORKS && play->networks[first].ended)
        first++;
    for (int i = first; i < NETWORKS && script[i].round == script[first].round; i++)
        if (!play->networks[i].joined)
            join(play, i);
}

/* --- training --- */

static double epoch_seconds(const struct play *play, int index)
{
    return 1.2 + (double)play->networks[index].cost.flops / 4.5e5;
}

static void start(struct play *play, int slot, int index)
{
    struct network *network = &play->networks[index];
    struct event event = {.kind = EVENT_STARTED};
    event.as.started = (struct event_started){
        .node = index + 1, .device = event_text("cpu:%d", slot), .attempt = 1, .epochs = network->epochs};
    network->started = true;
    emit(play, &event);
    play->trainings[slot] =
        (struct training){.index = index, .due = play->time + epoch_seconds(play, index), .started = play->time};
}

static double accuracy_at(const struct play *play, int index, int epoch)
{
    int parent = play->networks[index].parent;
    double share = (double)epoch / play->networks[index].epochs, wobble = 0.0009 * sin(3.7 * epoch + 1.3 * index);
    double from = parent < 0 ? 0.55 : script[parent].accuracy - 0.004;
    double target = script[index].accuracy > 0 ? script[index].accuracy : from;
    double fall = (exp(-3.2 * share) - exp(-3.2)) / (1 - exp(-3.2));
    return target - (target - from) * fall + (share < 1 ? wobble : 0);
}

static void report_epoch(struct play *play, const struct training *training)
{
    int epochs = play->networks[training->index].epochs;
    double value = accuracy_at(play, training->index, training->epoch), seconds = epoch_seconds(play, training->index);
    bool falls = training->index == FINISH;
    struct event event = {.kind = EVENT_EPOCH};
    event.as.epoch =
        (struct event_epoch){.node = training->index + 1,
                             .epoch = training->epoch,
                             .epochs = epochs,
                             .rate = falls ? 0.025 * (1 + cos(3.14159265 * training->epoch / epochs)) : 0.05,
                             .train_loss = 2.75 * (1 - value),
                             .train_accuracy = value - 0.004,
                             .validation_loss = 2.8 * (1 - value),
                             .validation_accuracy = value,
                             .seconds = seconds,
                             .images_per_second = TRAIN_IMAGES / seconds};
    play->flops += 3.0 * (double)play->networks[training->index].cost.flops * TRAIN_IMAGES;
    emit(play, &event);
}

/* After the last network of a round. */
static void learn(struct play *play, int round)
{
    double sum = 0, best = 0;
    int count = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (script[i].round != round || !play->networks[i].ended)
            continue;
        if (script[i].by != AUTHOR_POLICY || script[i].accuracy == 0)
            continue;
        sum += script[i].accuracy;
        best = fmax(best, script[i].accuracy);
        count++;
    }
    struct event event = {.kind = EVENT_POLICY};
    event.as.policy = (struct event_policy){.update = ++play->policies,
                                            .episode = round,
                                            .networks = count,
                                            .accuracy_mean = sum / count,
                                            .accuracy_best = best,
                                            .reward_mean = 0.1 * round - 0.2,
                                            .baseline = 0.08 * round - 0.2,
                                            .loss = -0.02,
                                            .entropy = 0.69 - 0.03 * round,
                                            .gradient_norm = 0.11,
                                            .state = event_text("u%d.safetensors", round),
                                            .state_hash = event_text("%032d", round)};
    emit(play, &event);
}

static void end_training(struct play *play, struct training *training)
{
    int index = training->index, round = script[index].round;
    double accuracy = script[index].accuracy;
    struct event event = {.kind = accuracy > 0 ? EVENT_RESULT : EVENT_FAILED};
    if (accuracy > 0)
        event.as.result = (struct event_result){.node = index + 1,
                                                .accuracy = accuracy,
                                                .loss = 2.8 * (1 - accuracy),
                                                .epochs = training->epoch,
                                                .seconds = play->time - training->started,
                                                .images_per_second = TRAIN_IMAGES / epoch_seconds(play, index),
                                                .weights = event_text("n%d.safetensors", index + 1),
                                                .weights_hash = event_text("%032d", index)};
    else
        event.as.failed = (struct event_failed){.node = index + 1,
                                                .attempt = 1,
                                                .reason = {.value = FAILURE_DIVERGED},
                                                .message = event_text("the loss is not finite at step 2210")};
    play->networks[index].ended = true;
    training->index = -1;
    emit(play, &event);
    bool over = true;
    for (int i = 0; i < NETWORKS; i++)
        over = over && (script[i].round != round || play->networks[i].ended);
    if (over && round >= 1 && index < BASELINE)
        learn(play, round);
}

static void advance(struct play *play, struct training *training)
{
    int index = training->index;
    training->epoch++;
    training->due = play->time + epoch_seconds(play, index);
    if (script[index].accuracy > 0)
        report_epoch(play, training);
    play->stopped |=
        play->moment < RACE_END && stops[play->moment].index == index && stops[play->moment].epoch == training->epoch;
    if (training->epoch == play->networks[index].epochs || (script[index].accuracy == 0 && training->epoch == 2))
        end_training(play, training);
}

/* --- the loop --- */

static void sample(struct play *play)
{
    for (int slot = 0; slot < DEVICES; slot++) {
        bool busy = play->trainings[slot].index >= 0;
        struct event event = {.kind = EVENT_SAMPLE};
        event.as.sample = (struct event_sample){.device = event_text("cpu:%d", slot),
                                                .utilisation = busy ? 0.96 + 0.04 * sin(play->time * (slot + 2)) : 0.03,
                                                .memory_used = 3.4e9,
                                                .memory_total = 16e9,
                                                .temperature = 61,
                                                .power = (double)NAN,
                                                .clock = 2.9e9};
        emit(play, &event);
    }
}

/* Time goes to the next epoch's end, at most a second.  False: nothing trains. */
static bool turn(struct play *play)
{
    double next = play->sampled + 1;
    bool busy = false;
    join_round(play);
    for (int i = 0; i < NETWORKS; i++)
        for (int slot = 0; slot < DEVICES && play->networks[i].joined && !play->networks[i].started; slot++)
            if (play->trainings[slot].index < 0)
                start(play, slot, i);
    for (int slot = 0; slot < DEVICES; slot++) {
        busy |= play->trainings[slot].index >= 0;
        if (play->trainings[slot].index >= 0)
            next = fmin(next, play->trainings[slot].due);
    }
    play->time = next;
    if (next >= play->sampled + 1) {
        play->sampled = next;
        sample(play);
    }
    for (int slot = 0; slot < DEVICES; slot++)
        if (play->trainings[slot].index >= 0 && play->trainings[slot].due <= next && !play->stopped)
            advance(play, &play->trainings[slot]);
    return busy && !play->stopped;
}

void race_session_play(enum race_moment moment, void (*sink)(void *context, const struct event *event), void *context)
{
    struct play *play = memory_new(1, sizeof *play);
    *play = (struct play){.moment = moment, .sink = sink, .context = context};
    for (int slot = 0; slot < DEVICES; slot++)
        play->trainings[slot].index = -1;
    begin(play);
    while (turn(play))
        ;
    if (moment == RACE_END) {
        struct event event = {.kind = EVENT_TEST};
        event.as.test = (struct event_test){.node = NETWORKS, .accuracy = 0.9285, .loss = 0.2041, .images = 10000};
        emit(play, &event);
        event = (struct event){.kind = EVENT_FINISHED};
        event.as.finished =
            (struct event_finished){.reason = {FINISH_BUDGET}, .message = event_text("the final training is done")};
        emit(play, &event);
    }
    free(play);
}
