/*
 * morph.c - `espalier morph`: what a step of growth would make of a network, and whether it keeps the function.
 *
 * Without --check and --out no weights are needed and none are made.  With a trained network its own weights grow;
 * an architecture alone gets random ones, which are enough to check the function and not worth a file.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/function_check.h"
#include "cli/side_by_side.h"
#include "cli/subject.h"
#include "export/safetensors.h"
#include "morph/morph.h"
#include "nn/network.h"
#include "util/memory.h"

static const struct shape default_input = {1, 28, 28}; /* of fashion-mnist */
enum { MEASURE_BATCHES = 8, BATCH = 64 };

/* Everything that one call works on. */
struct work {
    struct subject subject;
    struct shape input;        /* of --input; channels 0 without */
    const struct space *space; /* of --widths, or NULL */
    struct proposal proposal;
    struct arch child_arch;
    struct morph_options options;
    int64_t seed;
    struct images noise; /* when there are no real images */
    struct view view;    /* of real images or of noise */
    struct weights *parent, *child;
};

static int parse_input(const char *text, struct shape *input)
{
    char rest;
    if (sscanf(text, "%4d,%4d,%4d%c", &input->channels, &input->height, &input->width, &rest) != 3)
        return -1;
    return input->channels >= 1 && input->channels <= IMAGES_CHANNELS_MAX && input->height >= 1 &&
                   input->height <= ARCH_SIDE_MAX && input->width >= 1 && input->width <= ARCH_SIDE_MAX
               ? 0
               : -1;
}

/* 0, or the exit status of wrong usage. */
static int read_options(const struct cli_arguments *arguments, struct work *work)
{
    double noise;
    static const char *const splits[] = {
        [MORPH_SPLIT_EQUAL] = "equal", [MORPH_SPLIT_UNEQUAL] = "unequal", [MORPH_SPLIT_FRESH] = "fresh"};
    const char *split = cli_value(arguments, "split");
    if (cli_integer(arguments, "seed", 1, 0, INT64_MAX, &work->seed) || cli_real(arguments, "noise", 0, 0, 100, &noise))
        return 2;
    const char *input = cli_value(arguments, "input"), *widths = cli_value(arguments, "widths");
    if (input && parse_input(input, &work->input))
        return cli_usage(arguments, "--input %s: must be CHANNELS,HEIGHT,WIDTH, as 3,32,32", input);
    work->space = widths ? space_find(widths) : NULL;
    if (widths && !work->space)
        return cli_usage(arguments, "--widths %s: must be small or paper", widths);
    int found = MORPH_SPLIT_FRESH;
    while (split && found >= 0 && strcmp(splits[found], split))
        found--;
    if (found < 0)
        return cli_usage(arguments, "--split %s: must be equal, unequal or fresh", split);
    work->options = (struct morph_options){
        .split = (enum morph_split)found,
        .widen_noise = (float)noise,
        .deepen_noise = (float)noise / 10,
    };
    return 0;
}

/* What the network takes: --input, its own, that of --data, or the default. */
static int find_input(const struct cli_arguments *arguments, struct work *work, struct error *error)
{
    struct target *target = &work->subject.target;
    if (work->input.channels && target->input.channels && memcmp(&work->input, &target->input, sizeof work->input))
        return error_set(error, "--input %s: this network takes %d,%d,%d; leave --input out",
                         cli_value(arguments, "input"), target->input.channels, target->input.height,
                         target->input.width);
    if (work->input.channels)
        target->input = work->input;
    if (cli_value(arguments, "data") || (cli_value(arguments, "check") && *target->data))
        return subject_open_images(&work->subject, cli_value(arguments, "data"), NULL, error);
    if (!target->input.channels)
        target->input = default_input;
    return 0;
}

static int read_actions(const struct cli_arguments *arguments, struct work *work, struct error *error)
{
    const struct target *target = &work->subject.target;
    const char *own = target->state ? session_option(target->state, "widths") : NULL;
    const struct space *space = work->space ? work->space : space_find(own ? own : "small");
    if (!space)
        return error_set(error, "%s: its widths `%s` are not known here; name some by --widths", target->session, own);
    for (int i = 1; i < arguments->word_count; i++)
        if (proposal_add_text(&target->arch, space, arguments->words[i], &work->proposal, error))
            return -1;
    struct shape shapes[ARCH_LAYERS_MAX];
    return arch_shapes(&target->arch, target->input, shapes, error) ||
                   proposal_apply(&target->arch, &work->proposal, &work->child_arch, error) ||
                   arch_shapes(&work->child_arch, target->input, shapes, error)
               ? -1
               : 0;
}

/* --- weights --- */

/* As a search does it: the images that the session trains on, normalised alike. */
static int open_view(struct work *work, struct error *error)
{
    const struct target *target = &work->subject.target;
    if (!work->subject.images.count) {
        int classes = target->arch.layers[target->arch.layer_count - 1].units;
        function_check_noise_images(target->input, classes, (uint64_t)work->seed, &work->noise);
        view_all(&work->noise, NULL, &work->view);
        return 0;
    }
    if (!work->subject.session_split) {
        view_all(&work->subject.images, NULL, &work->view);
        return 0;
    }
    struct view validate;
    if (data_split(&work->subject.images, (int)target->validation, (int)target->train_subset, (uint64_t)target->seed,
                   &work->view, &validate, error))
        return -1;
    view_done(&validate);
    return 0;
}

struct measuring {
    const struct work *work;
    uint32_t action;
};

static int measure(void *context, const struct weights *network, int layer, float *mean, float *variance,
                   struct error *error)
{
    const struct measuring *measuring = context;
    const struct work *work = measuring->work;
    return network_measure(backend_cpu(), network, layer, &work->view, MEASURE_BATCHES, BATCH, (uint64_t)work->seed,
                           (uint32_t)work->subject.target.node, measuring->action, mean, variance, error);
}

static int grow(struct work *work, struct error *error)
{
    const struct target *target = &work->subject.target;
    if (open_view(work, error))
        return -1;
    work->parent = target->weights ? weights_copy(target->weights)
                                   : function_check_random_weights(&target->arch, target->input, (uint64_t)work->seed);
    work->child = weights_copy(work->parent);
    for (int i = 0; i < work->proposal.count; i++) {
        struct measuring measuring = {work, (uint32_t)i};
        struct morph_measure by = {measure, &measuring};
        struct random_stream stream =
            random_stream_new((uint64_t)work->seed, RANDOM_MORPH, (uint32_t)target->node, (uint32_t)i);
        struct weights *next;
        if (morph_apply(work->child, &work->proposal.actions[i].action, &work->options, &by, &stream, &next, error))
            return -1;
        weights_free(work->child);
        work->child = next;
    }
    return 0;
}

/* The exit status. */
static int check(struct work *work, struct error *error)
{
    struct function_check found;
    if (function_check(work->parent, work->child, &work->view, &found, error))
        return cli_fail(error);
    bool unicode = cli_is_unicode(), passes = function_check_passes(&found);
    const char *delta = unicode ? "Δ" : "d";
    printf("\nweights  %s\nimages   %d %s\n", work->subject.target.weights ? "the network's" : "random", found.images,
           work->subject.images.count ? "of the training images" : "of noise");
    printf("check    max |%slogit| / max |logit| = %.3g / %.3g = %.2g, %s %g; same class on %d of %d\n", delta,
           found.difference, found.largest, found.difference / found.largest, passes ? "under" : "not under",
           FUNCTION_CHECK_LIMIT, found.agree, found.images);
    printf("         %s\n", passes ? "the child computes its parent's function"
                            : work->options.widen_noise > 0
                                ? "the child does not compute its parent's function: so much noise changes it"
                                : "the child does not compute its parent's function");
    return passes ? 0 : 1;
}

static int work_on(const struct cli_arguments *arguments, struct work *work, struct error *error)
{
    const char *out = cli_value(arguments, "out");
    bool checks = cli_value(arguments, "check");
    if (subject_find(arguments->words[0], &work->subject, error) ||
        ((out || checks) && target_check_weights(&work->subject.target, error)))
        return cli_fail(error);
    if (out && !work->subject.target.weights)
        return cli_usage(arguments, "--out: %s has no weights to grow; name a trained SESSION:NODE or a file",
                         arguments->words[0]);
    if (find_input(arguments, work, error) || read_actions(arguments, work, error))
        return cli_fail(error);
    side_by_side_print(stdout, &work->subject.target.arch, &work->proposal, &work->child_arch,
                       work->subject.target.input, cli_is_unicode());
    if (!checks && !out)
        return 0;
    if (grow(work, error))
        return cli_fail(error);
    int status = checks ? check(work, error) : 0;
    if (out && safetensors_write(out, work->child, NULL, error))
        return cli_fail(error);
    if (out)
        printf("\nwrote    %s\n", out);
    return status;
}

static int run(const struct cli_arguments *arguments)
{
    struct work *work = memory_new(1, sizeof *work);
    struct error error = {{0}};
    int status = read_options(arguments, work);
    if (!status)
        status = work_on(arguments, work, &error);
    weights_free(work->parent);
    weights_free(work->child);
    view_done(&work->view);
    images_done(&work->noise);
    subject_done(&work->subject);
    free(work);
    return status;
}

static const struct cli_option options_of_morph[] = {
    {"check", NULL, "grow weights too, and compare the logits of parent and child"},
    {"data", "SPEC", "check on these images [those of the network; none: noise]"},
    {"split", "HOW", "new units: copies with equal or unequal shares, or fresh [fresh]"},
    {"noise", "X", "noise on copies, in units of the weights' std; a tenth of it on new layers [0]"},
    {"seed", "N", "of every random draw [1]"},
    {"input", "C,H,W", "what an architecture takes [that of --data, else 1,28,28]"},
    {"widths", "small|paper", "the next width of a widening that names none [the session's, else small]"},
    {"out", "FILE", "write the child's weights as safetensors"},
    {0},
};

const struct cli_command command_morph = {
    .name = "morph",
    .synopsis = "ARCH|SESSION:NODE|FILE ACTION...",
    .summary = "widen and deepen a network by hand: parent and child side by side",
    .details =
        "ACTION is widen:LAYER[:WIDTH] or deepen:LAYER[:KERNEL]; each applies to what those before it made. "
        "Layers are conv1, ..., dense1, ..., fc1, ... With --check the exit status is 1 when the logits differ by "
        "more than 1e-4 of the largest.",
    .words_minimum = 2,
    .words_maximum = -1,
    .options = options_of_morph,
    .run = run,
};
