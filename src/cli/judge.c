/*
 * judge.c - one job at a time: a thread that opens the session, its images and the weights, and evaluates.
 *
 * The job is the thread's until `finished` is set; then judge_ask() joins it and keeps what it found. A job that is no
 * longer wanted is told by `cancelled`, which it reads after each batch, and before each picture of a folder. The
 * thread reads the log itself, since a state and its copies belong to one thread.
 */
#include "cli/judge.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli_network.h"
#include "cli/score.h"
#include "device/device.h"
#include "search/evaluator.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/random.h"
#include "util/threads.h"

enum {
    KEPT = 8,
    FAILED_SECONDS = 2, /* then it is tried again: the images may be back */
    NICENESS = 5        /* a quarter of a core that a trainer has; at the lowest priority it would take minutes */
};

struct job {
    const char *folder; /* the judge's */
    char *weights;      /* the hash of its file */
    int64_t node;
    atomic_bool finished, cancelled;
    atomic_int done, count; /* images */
    struct mistakes mistakes;
};

struct entry {
    char *weights; /* NULL: free */
    struct mistakes mistakes;
    double ended; /* clock_monotonic() */
};

struct judge {
    char *folder;
    struct job *job; /* NULL: none runs */
    pthread_t thread;
    struct entry entries[KEPT];
    int next;                /* the entry to replace */
    struct mistakes waiting; /* what is said meanwhile, or when nothing can be evaluated */
};

/* --- pictures --- */

/* One pixel of a place in an image, as it is or augmented; outside of it the mean, which training sees as 0. */
static uint8_t pixel_at(const struct view *view, int index, int channel, int y, int x, struct augment place)
{
    const struct shape *shape = &view->images->shape;
    size_t plane = (size_t)shape->height * (size_t)shape->width;
    int from_y = y + place.dy, from_x = (place.flip ? shape->width - 1 - x : x) + place.dx;
    if (from_y < 0 || from_x < 0 || from_y >= shape->height || from_x >= shape->width)
        return (uint8_t)fmin(fmax(view->pixels.mean[channel], 0), 255);
    return view->images->pixels[((size_t)index * (size_t)shape->channels + (size_t)channel) * plane +
                                (size_t)from_y * (size_t)shape->width + (size_t)from_x];
}

/* The mean of the pixels that pixel (x, y) of a picture of this size stands for. */
static uint8_t scaled_pixel(const struct view *view, int index, int channel, int y, int x, struct augment place,
                            struct mistakes_size size)
{
    const struct shape *shape = &view->images->shape;
    int64_t sum = 0, count = 0;
    for (int from_y = y * shape->height / size.height; from_y < (y + 1) * shape->height / size.height; from_y++)
        for (int from_x = x * shape->width / size.width; from_x < (x + 1) * shape->width / size.width;
             from_x++, count++)
            sum += pixel_at(view, index, channel, from_y, from_x, place);
    return (uint8_t)(sum / count);
}

/* As small as it is shown: of large images whole copies would take hundreds of megabytes. Grey where an image hasn't
   three channels. */
static struct mistakes_image picture_of(const struct view *view, int index, struct augment place)
{
    const struct shape *shape = &view->images->shape;
    struct mistakes_size size = mistakes_fit(shape->width, shape->height);
    int label = view->images->labels[index];
    struct mistakes_image image = {.label = label, .prediction = label};
    uint8_t *to = image.pixels = memory_new((size_t)size.height * (size_t)size.width, 3);
    for (int y = 0; y < size.height; y++)
        for (int x = 0; x < size.width; x++)
            for (int colour = 0; colour < 3; colour++)
                *to++ = scaled_pixel(view, index, shape->channels == 3 ? colour : 0, y, x, place, size);
    return image;
}

static void take_samples(const struct view *train, bool augmented, uint64_t seed, struct mistakes *mistakes)
{
    struct random_stream stream = random_stream_new(seed, RANDOM_AUGMENT, 0, 0);
    int variants = augmented ? MISTAKES_VARIANTS : 1, images = MISTAKES_SAMPLES_MAX / variants;
    mistakes->augmented = augmented;
    mistakes->samples = memory_new(MISTAKES_SAMPLES_MAX, sizeof *mistakes->samples);
    for (int i = 0; i < images && i < train->count; i++)
        for (int variant = 0; variant < variants; variant++) {
            struct augment place = {0};
            if (variant) { /* as the trainer draws them */
                place.dx = (int8_t)((int)random_below(&stream, 2 * AUGMENT_PAD + 1) - AUGMENT_PAD);
                place.dy = (int8_t)((int)random_below(&stream, 2 * AUGMENT_PAD + 1) - AUGMENT_PAD);
                place.flip = random_below(&stream, 2) && train->images->mirrors;
            }
            mistakes->samples[mistakes->sample_count++] = picture_of(train, train->index[i], place);
        }
}

/* --- the score --- */

/* A loss that is no number is worse than all. */
static int by_loss(const void *left, const void *right)
{
    const struct score_image *a = left, *b = right;
    double first = isnan(a->loss) ? INFINITY : a->loss, second = isnan(b->loss) ? INFINITY : b->loss;
    if (first != second)
        return first > second ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void take_worst(const struct view *validate, struct score *score, struct mistakes *mistakes)
{
    qsort(score->images, (size_t)score->count, sizeof *score->images, by_loss);
    mistakes->worst = memory_new(MISTAKES_WORST_MAX, sizeof *mistakes->worst);
    for (int i = 0; i < score->count && mistakes->worst_count < MISTAKES_WORST_MAX; i++) {
        const struct score_image *image = &score->images[i];
        if (image->prediction == image->label)
            continue;
        struct mistakes_image *worst = &mistakes->worst[mistakes->worst_count++];
        *worst = picture_of(validate, image->index, (struct augment){0});
        worst->prediction = image->prediction;
        worst->probability = image->probability;
    }
}

static void take_classes(const struct images *images, struct mistakes *mistakes)
{
    mistakes->class_names = memory_new((size_t)mistakes->classes, sizeof *mistakes->class_names);
    for (int i = 0; i < mistakes->classes; i++) {
        char number[16];
        const char *name = images_class_name(images, i);
        snprintf(number, sizeof number, "%d", i);
        mistakes->class_names[i] = memory_copy_text(name && *name ? name : number);
    }
}

static bool go_on(void *context, int done)
{
    struct job *job = context;
    atomic_store(&job->done, done);
    return !atomic_load(&job->cancelled);
}

static int evaluate(struct job *job, struct cli_network *network, const struct view *train, const struct view *validate,
                    struct error *error)
{
    static const struct device processor = {.id = "cpu:0", .core = -1};
    struct mistakes *mistakes = &job->mistakes;
    struct score score;
    if (!validate->count)
        return error_set(error, "the session has no validation images");
    const struct backend *backend = device_backend(&processor, PRECISION_F32, error);
    atomic_store(&job->count, validate->count);
    if (!backend || score_watched(backend, NULL, network->weights, validate, go_on, job, &score, error))
        return -1;
    *mistakes = (struct mistakes){.state = MISTAKES_KNOWN,
                                  .done = 1,
                                  .count = score.count,
                                  .correct = score.correct,
                                  .classes = score.classes,
                                  .loss = score.loss,
                                  .size = mistakes_fit(network->images.shape.width, network->images.shape.height)};
    mistakes->confusion = score.confusion;
    score.confusion = NULL;
    take_classes(&network->images, mistakes);
    take_worst(validate, &score, mistakes);
    take_samples(train, network->spec.augment, (uint64_t)network->options.seed, mistakes);
    score_done(&score);
    return 0;
}

static int open_and_evaluate(struct job *job, struct cli_network *network, struct view *train, struct view *validate,
                             struct error *error)
{
    if (cli_network_of_node(job->folder, job->node, network, error))
        return -1;
    network->cancelled = &job->cancelled;
    if (cli_network_need_weights(network, job->folder, error) ||
        cli_network_open_images(network, NULL, ALL_CLASSES, error) ||
        cli_network_training_views(network, train, validate, error))
        return -1;
    return evaluate(job, network, train, validate, error);
}

static void *job_thread(void *context)
{
    struct job *job = context;
    struct cli_network network;
    struct view train = {0}, validate = {0};
    struct error error = {{0}};
    setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread alone */
    if (open_and_evaluate(job, &network, &train, &validate, &error)) {
        job->mistakes.state = MISTAKES_FAILED;
        snprintf(job->mistakes.message, sizeof job->mistakes.message, "%.599s", error.text);
    }
    view_done(&train);
    view_done(&validate);
    cli_network_done(&network);
    atomic_store(&job->finished, true);
    return NULL;
}

/* --- jobs --- */

struct judge *judge_new(const char *folder)
{
    struct judge *judge = memory_new(1, sizeof *judge);
    judge->folder = memory_copy_text(folder);
    return judge;
}

static struct entry *find_entry(struct judge *judge, const char *weights)
{
    for (int i = 0; i < KEPT; i++)
        if (judge->entries[i].weights && !strcmp(judge->entries[i].weights, weights))
            return &judge->entries[i];
    return NULL;
}

/* Join the thread; keep what it found, unless it was cancelled, in the place of what failed before. */
static void end_job(struct judge *judge)
{
    struct job *job = judge->job;
    struct entry *before = find_entry(judge, job->weights), *entry = before ? before : &judge->entries[judge->next];
    pthread_join(judge->thread, NULL);
    if (atomic_load(&job->cancelled)) {
        mistakes_done(&job->mistakes);
        free(job->weights);
    } else {
        mistakes_done(&entry->mistakes);
        free(entry->weights);
        *entry = (struct entry){job->weights, job->mistakes, clock_monotonic()};
        if (!before)
            judge->next = (judge->next + 1) % KEPT;
    }
    free(job);
    judge->job = NULL;
}

void judge_free(struct judge *judge)
{
    if (judge->job) {
        atomic_store(&judge->job->cancelled, true);
        end_job(judge);
    }
    for (int i = 0; i < KEPT; i++) {
        mistakes_done(&judge->entries[i].mistakes);
        free(judge->entries[i].weights);
    }
    free(judge->folder);
    free(judge);
}

static const struct mistakes *say(struct judge *judge, const char *message)
{
    judge->waiting = (struct mistakes){.state = MISTAKES_FAILED};
    snprintf(judge->waiting.message, sizeof judge->waiting.message, "%s", message);
    return &judge->waiting;
}

static int begin(struct judge *judge, const struct session_node *node)
{
    struct job *job = memory_new(1, sizeof *job);
    job->folder = judge->folder;
    job->weights = memory_copy_text(node->weights_hash);
    job->node = node->facts.node;
    if (!thread_start(&judge->thread, job_thread, job)) {
        free(job->weights);
        free(job);
        return -1;
    }
    judge->job = job;
    return 0;
}

const struct mistakes *judge_ask(struct judge *judge, const struct session_state *state, int64_t number)
{
    const struct session_node *node = session_node(state, number);
    if (judge->job && atomic_load(&judge->job->finished))
        end_job(judge);
    if (!node || !node->weights || !node->weights_hash)
        return say(judge, "it is not trained: it has no weights yet");
    const struct entry *entry = find_entry(judge, node->weights_hash);
    bool failed = entry && entry->mistakes.state == MISTAKES_FAILED;
    if (entry && !(failed && clock_monotonic() > entry->ended + FAILED_SECONDS))
        return &entry->mistakes;
    if (!judge->job && begin(judge, node))
        return say(judge, "the system has no thread to evaluate it; end other programs, or raise ulimit -u");
    bool other = strcmp(judge->job->weights, node->weights_hash) != 0;
    if (other)
        atomic_store(&judge->job->cancelled, true);
    int count = atomic_load(&judge->job->count);
    if (failed && (other || !count)) /* what it said stays while the images are opened again */
        return &entry->mistakes;
    judge->waiting = (struct mistakes){.state = MISTAKES_EVALUATING};
    if (!other && count)
        judge->waiting.done = (double)atomic_load(&judge->job->done) / count;
    return &judge->waiting;
}
