/*
 * morph.c - `espalier morph`: the child that actions make of a network, and whether it computes the same function.
 *
 * Without --check and --out no weights are needed.  A trained network's own weights grow.  An architecture gets random
 * weights, which are enough to check the function; they can't be written to a file.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_network.h"
#include "cli/commands/function_check.h"
#include "compare/side_by_side.h"
#include "export/notes.h"
#include "morph/morph.h"
#include "nn/network.h"
#include "search/picture_rules.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

static const struct shape default_input = {1, 28, 28}; /* of fashion-mnist */
enum { MEASURE_BATCHES = 8, BATCH = 64 };

/* One call of the command. */
struct morph_work {
    struct cli_network network;
    struct shape input;          /* of --input; channels 0 without */
    struct search_options given; /* of the command line, else the defaults */
    struct proposal proposal;
    struct arch child_arch;
    struct morph_options options;
    struct images noise; /* images of noise, when there are no others */
    struct view view;    /* of the images or the noise */
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
static int read_options(const struct cli_arguments *arguments, struct morph_work *work)
{
    double noise;
    const char *input = cli_value(arguments, "input");
    options_default(&work->given);
    if (cli_set_options(arguments, &work->given) || cli_real(arguments, "noise", 0, 0, 100, &noise))
        return 2;
    if (input && parse_input(input, &work->input))
        return cli_usage(arguments,
                         "--input %s: must be CHANNELS,HEIGHT,WIDTH, as 3,32,32, with 1 to %d channels and sides of 1 to %d",
                         input, IMAGES_CHANNELS_MAX, ARCH_SIDE_MAX);
    work->options = (struct morph_options){
        .split = work->given.split,
        .widen_noise = (float)noise,
        .deepen_noise = (float)noise / 10,
    };
    return 0;
}

/* What the network takes: --input, its own, that of --data, or the default. */
static int find_input(const struct cli_arguments *arguments, struct morph_work *work, struct error *error)
{
    struct shape *own = &work->network.input;
    if (work->input.channels && own->channels && memcmp(&work->input, own, sizeof *own))
        return error_set(error, "--input %s: this network takes %d,%d,%d; leave --input out",
                         cli_value(arguments, "input"), own->channels, own->height, own->width);
    if (work->input.channels)
        *own = work->input;
    if (cli_value(arguments, "data") || (cli_value(arguments, "check") && work->network.has_data))
        return cli_network_open_images(&work->network, cli_value(arguments, "data"), SOME_CLASSES, error);
    if (!own->channels)
        *own = default_input;
    return 0;
}

static int read_actions(const struct cli_arguments *arguments, struct morph_work *work, struct error *error)
{
    const struct cli_network *network = &work->network;
    bool modern = network->options.space == SPACE_MODERN || arch_is_modern(&network->arch);
    const struct search_options *options = cli_value(arguments, "widths") ? &work->given : &network->options;
    const struct space *space =
        modern && !cli_value(arguments, "widths") ? space_find("modern") : space_find(options->widths);
    for (int i = 1; i < arguments->word_count; i++)
        if (proposal_add_text(&network->arch, space, arguments->words[i], &work->proposal, error))
            return -1;
    struct shape shapes[ARCH_LAYERS_MAX];
    return arch_shapes(&network->arch, network->input, shapes, error) ||
                   proposal_apply(&network->arch, &work->proposal, &work->child_arch, error) ||
                   arch_shapes(&work->child_arch, network->input, shapes, error)
               ? -1
               : 0;
}

/* --- weights --- */

/* The images that the network trains on, normalised as in its training; without any, noise. */
static int open_view(struct morph_work *work, struct error *error)
{
    const struct cli_network *network = &work->network;
    struct view validate;
    if (!network->images.count) {
        int classes = network->arch.layers[network->arch.layer_count - 1].units;
        function_check_noise_images(network->input, classes, (uint64_t)work->given.seed, &work->noise);
        view_all(&work->noise, NULL, &work->view);
        return 0;
    }
    if (cli_network_training_views(network, &work->view, &validate, error))
        return -1;
    view_done(&validate);
    return 0;
}

struct action_measure {
    const struct morph_work *work;
    uint32_t action;
};

static int measure(void *context, const struct weights *network, int layer, float *mean, float *variance,
                   struct error *error)
{
    const struct action_measure *measuring = context;
    const struct morph_work *work = measuring->work;
    return network_measure(backend_cpu(), network, layer, &work->view, MEASURE_BATCHES, BATCH,
                           (uint64_t)work->given.seed, (uint32_t)work->network.node, measuring->action, mean, variance,
                           error);
}

static int grow(struct morph_work *work, struct error *error)
{
    const struct cli_network *network = &work->network;
    if (open_view(work, error))
        return -1;
    work->parent = network->weights
                       ? weights_copy(network->weights)
                       : function_check_random_weights(&network->arch, network->input, (uint64_t)work->given.seed);
    work->child = weights_copy(work->parent);
    for (int i = 0; i < work->proposal.count; i++) {
        struct action_measure measuring = {work, (uint32_t)i};
        struct morph_measure by = {measure, &measuring};
        struct random_stream stream =
            random_stream_new((uint64_t)work->given.seed, RANDOM_MORPH, (uint32_t)network->node, (uint32_t)i);
        struct weights *next;
        if (morph_apply(work->child, &work->proposal.actions[i].action, &work->options, &by, &stream, &next, error))
            return -1;
        weights_free(work->child);
        work->child = next;
    }
    return 0;
}

/* The file says what trained the parent: data, and which of its images. */
static int write_child(const struct morph_work *work, const char *out, struct error *error)
{
    const struct cli_network *network = &work->network;
    struct text split = TEXT_EMPTY;
    image_split_print(&network->trained, &split);
    struct notes notes = {0};
    if (network->facts.classes)
        notes_add_data(&notes, &network->facts);
    else if (network->has_data)
        notes_add(&notes, "data", network->options.data);
    if (image_split_is_known(&network->trained))
        notes_add(&notes, IMAGE_SPLIT_NOTE, text_string(&split));
    text_clear(&split);
    if (network->has_data)
        picture_rules_print(&network->options, network->options.data, &split);
    notes_add(&notes, PICTURE_RULES_NOTE, text_string(&split));
    int failed = safetensors_write(out, work->child, notes.list, error);
    notes_done(&notes);
    text_done(&split);
    return failed;
}

/* Do all actions keep the function? */
static bool is_exact(const struct morph_work *work)
{
    struct arch arch = work->network.arch;
    for (int i = 0; i < work->proposal.count; i++) {
        const struct action *action = &work->proposal.actions[i].action;
        if (!action_is_exact(&arch, action))
            return false;
        if (action_apply(&arch, action, &arch, NULL))
            BUG("an action that was read can't be applied");
    }
    return true;
}

/* What actions that change the function have changed. */
static void print_change(const struct morph_work *work, const struct function_check *found)
{
    if (!isfinite(found->difference) || !isfinite(found->largest))
        print_to(stdout, "         the logits are not numbers: the network has diverged\n");
    else if (work->network.images.count)
        print_to(
            stdout,
            "         these actions change the function; accuracy before training %.2f %%, of the parent %.2f %%\n",
            100.0 * found->child_correct / found->images, 100.0 * found->parent_correct / found->images);
    else
        print_to(stdout, "         these actions change the function\n");
}

/* The exit status. */
static int check(struct morph_work *work, struct error *error)
{
    struct function_check found;
    if (function_check(work->parent, work->child, &work->view, &found, error))
        return cli_fail(error);
    bool passes = function_check_passes(&found), exact = is_exact(work);
    const char *delta = cli_is_unicode() ? "Δ" : "d";
    print_to(stdout, "\nweights  %s\nimages   %d %s\n", work->network.weights ? "the network's" : "random",
             found.images, work->network.images.count ? "of the training images" : "of noise");
    print_to(stdout, "check    max |%slogit| / max |logit| = %.3g / %.3g = %.2g", delta, found.difference,
             found.largest, found.difference / found.largest);
    if (exact)
        print_to(stdout, ", %s %g", passes ? "under" : "not under", FUNCTION_CHECK_LIMIT);
    print_to(stdout, "; same class on %d of %d\n", found.agree, found.images);
    if (!exact) {
        print_change(work, &found);
        return isfinite(found.difference) && isfinite(found.largest) ? 0 : 1;
    }
    print_to(stdout, "         %s\n",
             passes ? "the child computes its parent's function"
             : work->options.widen_noise > 0
                 ? "the child does not compute its parent's function: so much noise changes it"
                 : "the child does not compute its parent's function");
    return passes ? 0 : 1;
}

static int work_on(const struct cli_arguments *arguments, struct morph_work *work, struct error *error)
{
    const char *out = cli_value(arguments, "out");
    bool checks = cli_value(arguments, "check");
    if (cli_network_find(arguments->words[0], &work->network, error) ||
        ((out || checks) && cli_network_check_weights(&work->network, error)))
        return cli_fail(error);
    if (out && !work->network.weights)
        return cli_usage(arguments, "--out: %s has no weights to grow; name a trained SESSION:NODE or a file",
                         arguments->words[0]);
    if (find_input(arguments, work, error) || read_actions(arguments, work, error))
        return cli_fail(error);
    side_by_side_print(stdout, &work->network.arch, &work->proposal, &work->child_arch, work->network.input,
                       cli_is_unicode());
    if (!checks && !out)
        return 0;
    if (grow(work, error))
        return cli_fail(error);
    int status = checks ? check(work, error) : 0;
    if (out && write_child(work, out, error))
        return cli_fail(error);
    if (out)
        print_to(stdout, "\nwrote    %s\n", out);
    return status;
}

static int run(const struct cli_arguments *arguments)
{
    struct morph_work *work = memory_new(1, sizeof *work);
    struct error error = {{0}};
    int status = read_options(arguments, work);
    if (!status)
        status = work_on(arguments, work, &error);
    weights_free(work->parent);
    weights_free(work->child);
    view_done(&work->view);
    images_done(&work->noise);
    cli_network_done(&work->network);
    free(work);
    return status;
}

static const struct cli_option options_of_morph[] = {
    {"check", NULL, "grow weights too, and compare the logits of parent and child", NULL},
    {"data", "SPEC", "check on these images", "the network's; none: noise"},
    {.name = "split"},
    {"noise", "X", "noise on copies, in units of the weights' deviation; a tenth of it on new layers", "0"},
    {.name = "seed"},
    {"input", "C,H,W", "what an architecture takes", "that of --data, else 1,28,28"},
    {.name = "widths", .fallback = "the session's, else"},
    {"out", "FILE", "write the child's weights as safetensors", NULL},
    {0},
};

const struct cli_command command_morph = {
    .name = "morph",
    .synopsis = "ARCH|SESSION:NODE|FILE ACTION...",
    .summary = "change a network by hand: parent and child side by side",
    .details = "ACTION is widen:LAYER[:WIDTH], deepen:LAYER[:KERNEL],"
               " deepen:LAYER:M(HIDDEN,KERNEL), deepen:LAYER:M(HIDDEN,KERNEL,se,hs), narrow:LAYER[:WIDTH], remove:LAYER, squeeze:LAYER or"
               " kernel:LAYER[:KERNEL]; each applies to the result of those before it. Layers are conv1, ..., dense1,"
               " ..., fc1, ... With --check the exit status is 1 when the logits differ by more than 1e-4 of the"
               " largest, unless an action changes the function by its nature (narrow, remove, a smaller kernel).",
    .words_minimum = 2,
    .words_maximum = -1,
    .options = options_of_morph,
    .run = run,
};
