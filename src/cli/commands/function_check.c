/*
 * function_check.c - compares the logits of parent and child: growing keeps the function (EAS, section 3).
 */
#include "cli/commands/function_check.h"

#include <math.h>
#include <stdlib.h>

#include "cli/score.h"
#include "nn/network.h"
#include "nn/trainer.h"
#include "util/memory.h"

enum { IMAGES = 256, BATCH = 64 };

static int infer(struct weights *weights, const struct view *view, int count, float *logits, struct error *error)
{
    struct plan *plan = memory_new(1, sizeof *plan);
    plan_lower(&weights->arch, weights->input, &(struct plan_options){0}, plan);
    int classes = plan->classes;
    struct network *network = network_open(backend_cpu(), plan, BATCH, NETWORK_INFERENCE, weights, NULL, error);
    free(plan);
    if (!network)
        return -1;
    for (int at = 0; at < count; at += BATCH) {
        struct batch batch = {
            .view = view, .index = view->index + at, .count = count - at < BATCH ? count - at : BATCH};
        network_infer(network, &batch, logits + (size_t)at * (size_t)classes);
    }
    network_free(network);
    return 0;
}

/* The larger, or NaN when either is NaN (fmax() would drop it). */
static double worse(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

int function_check(struct weights *parent, struct weights *child, const struct view *view, struct function_check *check,
                   struct error *error)
{
    int count = view->count < IMAGES ? view->count : IMAGES;
    int classes = parent->arch.layers[parent->arch.layer_count - 1].units;
    float *old = memory_new((size_t)count * (size_t)classes, sizeof *old);
    float *new = memory_new((size_t)count * (size_t)classes, sizeof *new);
    int failed = infer(parent, view, count, old, error) || infer(child, view, count, new, error);
    *check = (struct function_check){.images = failed ? 0 : count};
    for (int i = 0; i < check->images; i++) {
        const float *of_parent = old + (size_t)i * (size_t)classes, *of_child = new + (size_t)i *(size_t)classes;
        for (int c = 0; c < classes; c++) {
            check->difference = worse(check->difference, fabs((double)of_child[c] - (double)of_parent[c]));
            check->largest = worse(check->largest, fabs((double)of_parent[c]));
        }
        int before = score_prediction(of_parent, classes), after = score_prediction(of_child, classes);
        int label = view->images->labels[view->index[i]];
        check->agree += before == after;
        check->parent_correct += before == label;
        check->child_correct += after == label;
    }
    free(old);
    free(new);
    return failed ? -1 : 0;
}

bool function_check_passes(const struct function_check *check)
{
    return isfinite(check->difference) && isfinite(check->largest) &&
           check->difference <= FUNCTION_CHECK_LIMIT * check->largest;
}

void function_check_noise_images(struct shape input, int classes, uint64_t seed, struct images *images)
{
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 0, 0);
    size_t pixels = (size_t)IMAGES * (size_t)input.channels * (size_t)input.height * (size_t)input.width;
    *images = (struct images){.count = IMAGES, .classes = classes, .shape = input};
    images->pixels = memory_new(pixels, 1);
    images->labels = memory_new(IMAGES, sizeof *images->labels);
    for (size_t i = 0; i < pixels; i++)
        images->pixels[i] = (uint8_t)random_below(&stream, 256);
    for (int i = 0; i < IMAGES; i++)
        images->labels[i] = (uint16_t)random_below(&stream, (uint32_t)classes);
}

/* Uniform in low … high. */
static void fill(struct random_stream *stream, float *values, int count, float low, float high)
{
    for (int i = 0; i < count; i++)
        values[i] = low + (high - low) * random_uniform(stream);
}

struct weights *function_check_random_weights(const struct arch *arch, struct shape input, uint64_t seed)
{
    struct weights *weights = weights_new(arch, input);
    struct random_stream initial = random_stream_new(seed, RANDOM_INITIALISE, 0, 0);
    struct random_stream stream = random_stream_new(seed, RANDOM_TEST, 1, 0);
    weights_initialise(weights, &initial);
    for (int i = 0; i < arch->layer_count; i++)
        for (int p = 0; p < WEIGHTS_PARTS; p++) {
            const struct weights_layer *part = &weights->layout.parts[p][i];
            if (part->gamma < 0)
                continue;
            fill(&stream, weights->values + part->gamma, part->outputs, 0.5f, 1.5f);
            fill(&stream, weights->values + part->beta, part->outputs, -0.5f, 0.5f);
            fill(&stream, weights->values + part->mean, part->outputs, -0.5f, 0.5f);
            fill(&stream, weights->values + part->variance, part->outputs, 0.5f, 1.5f);
        }
    return weights;
}
