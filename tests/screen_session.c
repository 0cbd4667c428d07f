/*
 * screen_session.c - a script of networks and of a person's words, played in simulated time.
 *
 * Four devices take the script's networks in order, each as soon as its parent is trained; an epoch takes as long as
 * the network is large. Nothing is random: small unevenness comes from sines, so that curves look measured.
 */
#include "screen_session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/space.h"
#include "util/bug.h"
#include "util/memory.h"

enum { DEVICES = 4, EPISODE = 8, GROWN_EPOCHS = 8, START_EPOCHS = 12 };

/* Actions without a width widen to the next one of the space. */
static const struct script {
    int parent; /* in this table; -1: the start */
    double accuracy;
    const char *actions;
} script[] = {
    {-1, 0.8614, ""},
    {0, 0.8842, "widen:conv1 widen:conv3 deepen:conv2:3"},
    {0, 0.8771, "widen:conv2 deepen:conv1:3"},
    {0, 0.8905, "widen:conv3 widen:conv4 deepen:conv4:3"},
    {0, 0.8702, "widen:fc1 deepen:conv3:5"},
    {3, 0.9018, "widen:conv1 widen:conv2 deepen:conv1:3"},
    {1, 0.8893, "widen:conv2 deepen:conv1:1"},
    {3, 0.8871, "widen:conv4 widen:conv5 deepen:fc1"},
    {1, 0.8967, "widen:conv4 widen:conv5 deepen:conv4:3"},
    {5, 0.9052, "widen:conv4 widen:conv5 widen:fc1 deepen:conv3:3"},
    {2, 0.8836, "widen:conv1 widen:conv3 deepen:conv3:3"},
    {5, 0, "widen:conv1 widen:conv6 deepen:conv6:5"}, /* diverges */
    {8, 0.9004, "widen:conv1 deepen:conv5:3"},
    {9, 0.9071, "widen:conv5 widen:conv6 deepen:conv6:3"},
    {5, 0.9027, "widen:fc1 deepen:conv4:1"},
    {9, 0.9096, "widen:conv1 widen:conv2 widen:conv3 deepen:conv5:3"},
    {8, 0.8979, "widen:conv2 widen:conv3 deepen:fc1"},
    {13, 0.9113, "widen:conv3 widen:conv4 deepen:conv4:3"},
    {9, 0.9064, "widen:conv6 deepen:conv1:5"},
    {15, 0.9131, "widen:conv6 widen:conv7 deepen:conv7:3"},
    {13, 0.9088, "widen:fc1 deepen:conv6:1"},
    {15, 0.9104, "widen:conv4 widen:conv5 deepen:conv2:3"},
    {12, 0.9035, "widen:conv4 widen:conv6 deepen:conv3:3"},
    {17, 0.9127, "widen:conv1 widen:conv2 deepen:conv8:3"},
    {19, 0.9158, "widen:conv5 widen:conv6 widen:fc1 deepen:conv6:3"},
    {17, 0.9141, "widen:conv5 widen:conv6 widen:conv7 deepen:conv7:3"},
    {19, 0.9149, "widen:conv2 widen:conv3 deepen:conv3:5"},
    {15, 0.9109, "widen:conv7 deepen:conv7:1"},
    {23, 0.9152, "widen:conv3 widen:conv4 deepen:conv5:3"},
    {24, 0.9171, "widen:conv1 widen:conv7 deepen:conv2:3"},
    {26, 0.9166, "widen:conv4 widen:conv8 deepen:conv4:3"},
    {24, 0.9178, "widen:conv6 widen:conv8 deepen:conv8:3"},
    {25, 0.9163, "widen:conv1 widen:conv3 deepen:conv1:3"},
    {29, 0.9189, "widen:conv4 widen:conv5 deepen:conv9:3"},
    {24, 0.9182, "widen:conv9"}, /* by the person */
    {31, 0.9185, "widen:conv2 widen:conv3 deepen:conv5:3"},
    {30, 0.9174, "widen:conv6 widen:fc1 deepen:conv7:1"},
    {33, 0.9196, "widen:conv7 widen:conv8 deepen:conv8:3"},
    {35, 0.9193, "widen:conv9 widen:conv10 deepen:conv10:3"},
    {37, 0.9203, "widen:conv1 widen:conv2 deepen:conv9:3"},
    {4, 0.8803, "widen:conv1 widen:conv4 deepen:conv4:3"}, /* taken when nothing above is ready */
    {7, 0.8926, "widen:fc2 deepen:conv2:3"},
    {10, 0.8881, "widen:conv4 deepen:conv5:3"},
    {6, 0.8938, "widen:conv4 widen:conv6 deepen:conv5:3"},
    {16, 0.9012, "widen:conv1 widen:conv5 deepen:conv2:3"},
    {14, 0.9049, "widen:conv3 widen:conv4 deepen:conv6:3"},
    {22, 0.9061, "widen:conv7 deepen:conv1:3"},
    {18, 0.9083, "widen:conv5 widen:fc1 deepen:conv3:1"},
};
enum { NETWORKS = COUNT_OF(script), DIVERGES = 11, USERS = 34 };

/* What happens besides, in order of time. */
static const struct {
    double time;
    const char *what;
} people[] = {
    {88, "known"}, {141, "refused"}, {228, "known"},        {262, "pin"},  {342, "known"},
    {412, "note"}, {501, "unpin"},   {571, "refused grow"}, {594, "grow"},
};

struct trainee {
    struct arch arch;
    int64_t number; /* 0: has not joined */
    bool started, done;
    int epochs;
    double epoch_seconds;
};

struct play {
    double end, time;
    void (*sink)(void *context, const struct event *event);
    void *context;
    struct trainee trainees[NETWORKS];
    struct training {
        int index, epoch;
        double due, started;
    } trainings[DEVICES]; /* index -1: idle */
    int64_t number, nodes, proposals, episode;
    size_t person;
    double sampled;
    double sum, best;
    int finished;
    struct shape input;
};

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
    static const char *const options[] = {"policy=reinforce", "parent=tournament",  "networks=48", "episodes=0",
                                          "seconds=0",        "episode-networks=8", "epochs=8",    "widths=small",
                                          "rate=0.02"};
    struct event event = {.kind = EVENT_SESSION};
    event.as.session = (struct event_session){.format = EVENT_FORMAT,
                                              .program = event_text("espalier 0.1.0"),
                                              .created = 1.79e9,
                                              .seed = 7,
                                              .data = event_text("fashion-mnist"),
                                              .data_hash = event_text("%032d", 7),
                                              .input = event_text("1,28,28"),
                                              .classes = 10,
                                              .train_images = 55000,
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

void screen_session_actions(const char *words, struct arch *arch, struct event_proposal *node)
{
    const struct space *space = space_find("small");
    char copy[256], *rest = copy, *word;
    snprintf(copy, sizeof copy, "%s", words);
    while ((word = strtok_r(rest, " ", &rest))) {
        struct action action;
        struct error error;
        struct text text = TEXT_EMPTY;
        if (action_parse(arch, word, &action, &error) || space_complete(space, arch, &action, &error))
            BUG(error.text);
        action_print(arch, &action, &text);
        event_texts_add(&node->actions, text_string(&text));
        event_integers_add(&node->steps, action.kind == ACTION_WIDEN ? 0 : 1);
        double probability = 0.42 + 0.31 * sin((double)(node->actions.count * 7 + node->node));
        event_reals_add(&node->probabilities, action.kind == ACTION_WIDEN ? probability : probability / 4);
        node->log_probability += log(probability);
        text_done(&text);
        if (action_apply(arch, &action, arch, &error))
            BUG(error.text);
    }
}

static void join(struct play *play, int index, bool user)
{
    const struct space *space = space_find("small");
    struct trainee *trainee = &play->trainees[index];
    int parent = script[index].parent;
    struct event event = {.kind = EVENT_NODE};
    struct event_proposal *node = &event.as.node;
    node->node = trainee->number = ++play->nodes;
    node->parent = parent < 0 ? 0 : play->trainees[parent].number;
    node->by = author_of(parent < 0 ? "start" : user ? "user" : "reinforce");
    if (parent < 0)
        space_start(space, play->input, 10, &trainee->arch);
    else
        trainee->arch = play->trainees[parent].arch;
    screen_session_actions(script[index].actions, &trainee->arch, node);
    if (parent >= 0 && !user) {
        node->proposal = ++play->proposals;
        node->episode = (play->proposals - 1) / EPISODE + 1;
        node->entropy = 0.69 - 0.004 * (double)play->proposals;
    }
    struct text text = TEXT_EMPTY;
    struct arch_cost cost = arch_cost(&trainee->arch, play->input);
    arch_print(&trainee->arch, &text);
    node->arch = text_take(&text);
    node->parameters = cost.parameters;
    node->flops = cost.flops;
    node->activation_bytes = cost.activation_bytes;
    trainee->epochs = parent < 0 ? START_EPOCHS : GROWN_EPOCHS;
    trainee->epoch_seconds = 1.6 + (double)cost.flops / 4.5e5;
    emit(play, &event);
}

/* --- training --- */

static double rate_of(const struct trainee *trainee)
{
    return 55000 / trainee->epoch_seconds;
}

static void start(struct play *play, int slot, int index)
{
    struct trainee *trainee = &play->trainees[index];
    trainee->started = true;
    if (!trainee->number)
        join(play, index, false);
    struct event event = {.kind = EVENT_STARTED};
    event.as.started = (struct event_started){
        .node = trainee->number, .device = event_text("cpu:%d", slot), .attempt = 1, .epochs = trainee->epochs};
    emit(play, &event);
    play->trainings[slot] =
        (struct training){.index = index, .due = play->time + trainee->epoch_seconds, .started = play->time};
}

static double accuracy_at(const struct play *play, int index, int epoch)
{
    const struct script *row = &script[index];
    double share = (double)epoch / play->trainees[index].epochs, wobble = 0.0012 * sin(3.7 * epoch + 1.3 * index);
    double from = row->parent < 0 ? 0.55 : script[row->parent].accuracy - 0.012;
    double target = row->accuracy > 0 ? row->accuracy : 0.90;
    double fall = (exp(-3.2 * share) - exp(-3.2)) / (1 - exp(-3.2));
    return target - (target - from) * fall + (share < 1 ? wobble : 0);
}

static void report_epoch(struct play *play, const struct training *training)
{
    const struct trainee *trainee = &play->trainees[training->index];
    double value = accuracy_at(play, training->index, training->epoch),
           share = (double)training->epoch / trainee->epochs;
    struct event event = {.kind = EVENT_EPOCH};
    event.as.epoch = (struct event_epoch){.node = trainee->number,
                                          .epoch = training->epoch,
                                          .epochs = trainee->epochs,
                                          .rate = 0.01 * (1 + cos(3.14159265 * (share - 1.0 / trainee->epochs))),
                                          .train_loss = 2.75 * (1 - value) - 0.03 * share,
                                          .train_accuracy = value - 0.006 + 0.018 * share,
                                          .validation_loss = 2.8 * (1 - value),
                                          .validation_accuracy = value,
                                          .seconds = trainee->epoch_seconds,
                                          .images_per_second = rate_of(trainee)};
    emit(play, &event);
}

static void learn(struct play *play)
{
    struct event event = {.kind = EVENT_POLICY};
    double mean = play->sum / EPISODE;
    play->episode++;
    event.as.policy = (struct event_policy){.update = play->episode,
                                            .episode = play->episode,
                                            .networks = EPISODE,
                                            .accuracy_mean = mean,
                                            .accuracy_best = play->best,
                                            .reward_mean = tan(mean * 1.5708),
                                            .baseline = tan((mean - 0.008) * 1.5708),
                                            .loss = -0.02,
                                            .entropy = 0.69 - 0.03 * (double)play->episode,
                                            .gradient_norm = 0.11,
                                            .state = event_text("u%d.safetensors", (int)play->episode),
                                            .state_hash = event_text("%032d", (int)play->episode)};
    emit(play, &event);
    play->sum = play->best = 0;
    play->finished = 0;
}

/* As a trainer measures it: the newest layers have the larger gradients, and a wider one has units that wait. */
static void set_health(const struct trainee *trainee, const char *actions, struct event_result *result)
{
    for (int layer = 0; layer < trainee->arch.layer_count; layer++) {
        const struct layer *at = &trainee->arch.layers[layer];
        char name[LAYER_NAME_MAX], widened[LAYER_NAME_MAX + 8];
        bool trained = at->units > 0, relu = trained && layer + 1 < trainee->arch.layer_count;
        layer_name(&trainee->arch, layer, name);
        snprintf(widened, sizeof widened, "widen:%s", name);
        bool fresh = actions && strstr(actions, widened);
        event_reals_add(&result->weight_norms, trained ? 3 + 0.21 * at->units : NAN);
        event_reals_add(&result->gradient_norms, trained ? 0.8 / (layer + 2) : NAN);
        event_reals_add(&result->dead, relu ? (double)((7 * at->units + layer) % 5) / at->units : NAN);
        event_reals_add(&result->fresh, fresh ? 0.17 + 0.31 * layer : NAN);
    }
}

static void finish_training(struct play *play, int slot)
{
    struct training training = play->trainings[slot];
    struct trainee *trainee = &play->trainees[training.index];
    double accuracy = script[training.index].accuracy;
    struct event event = {.kind = EVENT_RESULT};
    event.as.result = (struct event_result){.node = trainee->number,
                                            .accuracy = accuracy,
                                            .loss = 2.8 * (1 - accuracy),
                                            .epochs = trainee->epochs,
                                            .seconds = play->time - training.started,
                                            .images_per_second = rate_of(trainee),
                                            .weights = event_text("n%d.safetensors", (int)trainee->number),
                                            .weights_hash = event_text("%032d", training.index)};
    set_health(trainee, script[training.index].actions, &event.as.result);
    play->trainings[slot].index = -1;
    trainee->done = true;
    emit(play, &event);
    if (training.index == 0 || training.index == USERS)
        return;
    play->sum += accuracy;
    play->best = accuracy > play->best ? accuracy : play->best;
    if (++play->finished == EPISODE)
        learn(play);
}

static void advance(struct play *play, int slot)
{
    struct training *training = &play->trainings[slot];
    const struct trainee *trainee = &play->trainees[training->index];
    training->epoch++;
    training->due = play->time + trainee->epoch_seconds;
    if (training->index == DIVERGES && training->epoch == 3) {
        struct event event = {.kind = EVENT_FAILED};
        event.as.failed = (struct event_failed){.node = trainee->number,
                                                .attempt = 1,
                                                .reason = {.value = FAILURE_DIVERGED},
                                                .message = event_text("the loss is not finite at step 2210")};
        training->index = -1;
        emit(play, &event);
        return;
    }
    report_epoch(play, training);
    if (training->epoch == trainee->epochs)
        finish_training(play, slot);
}

static void report_steps(struct play *play)
{
    for (int slot = 0; slot < DEVICES; slot++) {
        const struct training *training = &play->trainings[slot];
        if (training->index < 0)
            continue;
        const struct trainee *trainee = &play->trainees[training->index];
        double share = 1 - (training->due - play->time) / trainee->epoch_seconds;
        struct event event = {.kind = EVENT_STEP};
        event.as.step = (struct event_step){.node = trainee->number,
                                            .epoch = training->epoch + 1,
                                            .step = (int64_t)(859 * fmin(fmax(share, 0), 1)),
                                            .steps = 859,
                                            .loss = 0.3,
                                            .images_per_second = rate_of(trainee)};
        emit(play, &event);
    }
}

static void sample(struct play *play)
{
    for (int slot = 0; slot < DEVICES; slot++) {
        bool busy = play->trainings[slot].index >= 0;
        struct event event = {.kind = EVENT_SAMPLE};
        event.as.sample = (struct event_sample){.device = event_text("cpu:%d", slot),
                                                .utilisation = busy ? 0.96 + 0.04 * sin(play->time * (slot + 2)) : 0.03,
                                                .memory_used = 3.4e9 + 2e7 * sin(play->time),
                                                .memory_total = 16e9,
                                                .temperature = 61 + 4 * sin(play->time / 40),
                                                .power = (double)NAN,
                                                .clock = 2.9e9};
        emit(play, &event);
    }
}

/* --- a person, and proposals that lead nowhere new --- */

static void command(struct play *play, bool refused, const char *words, const char *answer)
{
    struct event event = {.kind = EVENT_COMMAND};
    event.as.command = (struct event_command){.by = {AUTHOR_USER},
                                              .words = event_text("%s", words),
                                              .refused = refused,
                                              .answer = event_text("%s", answer)};
    emit(play, &event);
}

static void known(struct play *play)
{
    struct event event = {.kind = EVENT_KNOWN};
    event.as.known = (struct event_proposal){
        .node = 2, .parent = 1, .by = author_of("reinforce"), .episode = 1, .proposal = ++play->proposals};
    event_texts_add(&event.as.known.actions, "widen:conv1:8");
    event_integers_add(&event.as.known.steps, 0);
    event_reals_add(&event.as.known.probabilities, 0.5);
    emit(play, &event);
}

static void refused(struct play *play)
{
    struct event event = {.kind = EVENT_REFUSED};
    event.as.refused = (struct event_proposal){.parent = 4,
                                              .by = author_of("reinforce"),
                                              .reason = event_text("51 layers are over the limit of 50"),
                                              .episode = 2,
                                              .proposal = ++play->proposals};
    emit(play, &event);
}

static void pin(struct play *play, bool pinned)
{
    command(play, false, pinned ? "pin 10" : "unpin 10", pinned ? "networks grow from pinned ones only" : "");
    struct event event = {.kind = EVENT_PINNED};
    event.as.pinned = (struct event_pinned){.node = 10, .pinned = pinned, .by = {AUTHOR_USER}};
    emit(play, &event);
}

static void happen(struct play *play, const char *what)
{
    if (!strcmp(what, "known"))
        known(play);
    else if (!strcmp(what, "refused"))
        refused(play);
    else if (!strcmp(what, "pin") || !strcmp(what, "unpin"))
        pin(play, what[0] == 'p');
    else if (!strcmp(what, "refused grow"))
        command(play, true, "grow 25 widen:conv99", "widen:conv99: there is no layer conv99");
    else if (!strcmp(what, "note")) {
        struct event event = {.kind = EVENT_NOTED};
        event.as.noted =
            (struct event_noted){.node = 16, .note = event_text("best with eight layers"), .by = {AUTHOR_USER}};
        command(play, false, "note 16 best with eight layers", "");
        emit(play, &event);
    } else {
        command(play, false, "grow 25 widen:conv9", "a network joins, before the policy's");
        join(play, USERS, true);
    }
}

/* --- the loop --- */

static int next_index(const struct play *play)
{
    for (int i = 0; i < NETWORKS; i++) {
        const struct trainee *trainee = &play->trainees[i];
        int parent = script[i].parent;
        bool ready = parent < 0 || play->trainees[parent].done;
        bool waits = i == USERS ? trainee->number != 0 : trainee->number == 0; /* the person's joins by his words */
        if (ready && waits && !trainee->started)
            return i;
    }
    return -1;
}

/* Time goes to the next thing that happens, at most a second (then samples are taken). False: nothing trains. */
static bool turn(struct play *play)
{
    double next = play->sampled + 1;
    bool busy = false;
    for (int slot = 0; slot < DEVICES; slot++) {
        int index = play->trainings[slot].index < 0 ? next_index(play) : -1;
        if (index >= 0)
            start(play, slot, index);
        busy |= play->trainings[slot].index >= 0;
        if (play->trainings[slot].index >= 0 && play->trainings[slot].due < next)
            next = play->trainings[slot].due;
    }
    if (next > play->end || !busy)
        return false;
    play->time = next;
    if (play->person < COUNT_OF(people) && people[play->person].time <= play->time)
        happen(play, people[play->person++].what);
    if (next >= play->sampled + 1) {
        play->sampled = next;
        sample(play);
        report_steps(play);
        return true;
    }
    for (int slot = 0; slot < DEVICES; slot++)
        if (play->trainings[slot].index >= 0 && play->trainings[slot].due <= next)
            advance(play, slot);
    return true;
}

void screen_session_play(double seconds, void (*sink)(void *context, const struct event *event), void *context)
{
    struct play *play = memory_new(1, sizeof *play);
    play->end = seconds;
    play->sink = sink;
    play->context = context;
    play->input = (struct shape){1, 28, 28};
    for (int slot = 0; slot < DEVICES; slot++)
        play->trainings[slot].index = -1;
    begin(play);
    while (turn(play))
        ;
    if (seconds >= SCREEN_SESSION_END) {
        struct event event = {.kind = EVENT_FINISHED};
        event.as.finished =
            (struct event_finished){.reason = {FINISH_BUDGET}, .message = event_text("48 networks are trained")};
        emit(play, &event);
    }
    free(play);
}
