/*
 * score.c - evaluates a network and counts the predictions for each class; network_evaluate(), which trainers use, does
 * not count them.
 */
#include "cli/score.h"

#include <math.h>
#include <stdlib.h>

#include "nn/network.h"
#include "util/memory.h"
#include "util/print.h"

enum { BATCH = 256 };

int score_prediction(const float *logits, int classes)
{
    int best = -1;
    for (int i = 0; i < classes; i++)
        if (!isnan(logits[i]) && (best < 0 || logits[i] > logits[best]))
            best = i;
    return best;
}

/* What is being counted, and who watches. */
struct count {
    struct score *score;
    int done;
    bool (*go_on)(void *context, int done);
    void *context;
};

/* The cross-entropy of the softmax, and the prediction's probability. */
static void judge_image(const float *logits, int classes, struct score_image *image)
{
    double sum = 0, most = -INFINITY;
    for (int i = 0; i < classes; i++)
        most = fmax(most, (double)logits[i]);
    for (int i = 0; i < classes; i++)
        sum += exp((double)logits[i] - most);
    image->prediction = score_prediction(logits, classes);
    image->probability = image->prediction < 0 ? (double)NAN : exp((double)logits[image->prediction] - most) / sum;
    image->loss = most + log(sum) - (double)logits[image->label];
}

static bool count_batch(void *context, const struct batch *batch, const float *logits)
{
    struct count *count = context;
    struct score *score = count->score;
    for (int i = 0; i < batch->count; i++) {
        struct score_image *image = &score->images[count->done++];
        *image = (struct score_image){.index = batch->index[i], .label = batch->view->images->labels[batch->index[i]]};
        judge_image(logits + (size_t)i * (size_t)score->classes, score->classes, image);
        score->class_images[image->label]++;
        score->correct += image->prediction == image->label;
        if (image->prediction >= 0)
            score->confusion[(size_t)image->label * (size_t)score->classes + (size_t)image->prediction]++;
    }
    return !count->go_on || count->go_on(count->context, count->done);
}

int score_infer(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                score_take *take, void *context, struct step_result *sum, struct error *error)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, weights->input, &(struct plan_options){0}, plan);
    int classes = plan->classes;
    int size = network_evaluation_batch(backend, plan, BATCH, view->count);
    struct network *network = network_open(backend, plan, size, NETWORK_INFERENCE, weights, NULL, error);
    free(plan);
    if (!network)
        return -1;
    if (team)
        network_share(network, team);
    *sum = (struct step_result){0};
    float *logits = memory_new((size_t)size * (size_t)classes, sizeof *logits);
    bool more = true;
    for (int at = 0; at < view->count && more; at += size) {
        struct batch batch = {.view = view, .index = view->index + at, .count = view->count - at};
        if (batch.count > size)
            batch.count = size;
        step_result_add(sum, network_infer(network, &batch, logits));
        more = take(context, &batch, logits);
    }
    step_result_add(sum, network_finish(network));
    int failed = network_trouble(network, error) != DEVICE_FINE;
    free(logits);
    network_free(network);
    return failed ? -1 : 0;
}

int score_watched(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                  bool (*go_on)(void *context, int done), void *context, struct score *score, struct error *error)
{
    int classes = weights->arch.layers[weights->arch.layer_count - 1].units;
    struct step_result sum;
    struct count count = {.score = score, .go_on = go_on, .context = context};
    *score = (struct score){.classes = classes};
    score->confusion = memory_new((size_t)classes * (size_t)classes, sizeof *score->confusion);
    score->class_images = memory_new((size_t)classes, sizeof *score->class_images);
    score->images = memory_new((size_t)view->count + 1, sizeof *score->images);
    int failed = score_infer(backend, team, weights, view, count_batch, &count, &sum, error);
    score->count = count.done;
    score->loss = count.done ? sum.loss / count.done : 0;
    if (failed)
        score_done(score);
    return failed;
}

int score_network(const struct backend *backend, struct team *team, struct weights *weights, const struct view *view,
                  struct score *score, struct error *error)
{
    return score_watched(backend, team, weights, view, NULL, NULL, score, error);
}

void score_done(struct score *score)
{
    free(score->confusion);
    free(score->images);
    free(score->class_images);
    *score = (struct score){0};
}

struct interval score_interval(int hits, int count)
{
    if (!count)
        return (struct interval){0, 1};
    const double z = 1.959963984540054; /* the normal distribution's 0.975 quantile */
    double n = count, share = hits / n, z2 = z * z;
    double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
    double half = z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n));
    /* At 0 and 1 the formula differs from these by rounding alone. */
    return (struct interval){hits ? centre - half : 0, hits < count ? centre + half : 1};
}

/* The mean of the classes' accuracies; -1 where all have as many images, so that it is the accuracy. */
static double balanced_accuracy(const struct score *score)
{
    double sum = 0;
    int classes = 0, least = score->count, most = 0;
    for (int class = 0; class < score->classes; class ++) {
        int images = score->class_images[class];
        if (!images)
            continue;
        classes++;
        least = images < least ? images : least;
        most = images > most ? images : most;
        sum += (double)score->confusion[(size_t) class * (size_t)score->classes + (size_t) class] / images;
    }
    return least < most ? sum / classes : -1;
}

void score_print(const struct score *score, struct text *text)
{
    double balanced = balanced_accuracy(score);
    int wrong = score->count - score->correct;
    struct interval interval = score_interval(wrong, score->count);
    double share = score->count ? (double)wrong / score->count : 0;
    text_add(text, "error %.2f %% (95 %% interval %.2f to %.2f), accuracy %.2f %%, ", 100 * share, 100 * interval.low,
             100 * interval.high, 100 * (1 - share));
    if (balanced >= 0)
        text_add(text, "balanced accuracy %.2f %%, ", 100 * balanced);
    text_add(text, "loss %.4f on %d images", score->loss, score->count);
}

static void print_class_name(FILE *out, const struct images *images, int class)
{
    const char *name = images_class_name(images, class);
    print_to(out, "%3d %-13s", class, name ? name : "");
}

static void print_class(FILE *out, const struct score *score, const struct images *set, int class)
{
    const int *row = score->confusion + (size_t) class * (size_t)score->classes;
    int images = score->class_images[class], other = -1;
    for (int i = 0; i < score->classes; i++)
        if (i != class && row[i] && (other < 0 || row[i] > row[other]))
            other = i;
    print_class_name(out, set, class);
    if (!images) {
        print_to(out, " %7d\n", 0);
        return;
    }
    print_to(out, " %7d %7d %8.2f %%", images, row[class], 100.0 * row[class] / images);
    if (other >= 0) {
        print_to(out, "  ");
        print_class_name(out, set, other);
        print_to(out, " %7d", row[other]);
    }
    print_to(out, "\n");
}

void score_print_classes(FILE *out, const struct score *score, const struct images *images)
{
    print_to(out, "%-17s %7s %7s %10s  %-17s %7s\n", "class", "images", "right", "accuracy", "most often taken for",
             "images");
    for (int class = 0; class < score->classes; class ++)
        print_class(out, score, images, class);
}
