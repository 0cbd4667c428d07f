/*
 * eval.c - `espalier eval`: how well a trained network classifies images that it was not trained on.
 *
 * Pixels are normalised and classes named as in training: the network knows both.  One from before that was recorded is
 * normalised by the training images of its session's split or, if it is a file, by all training images.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/cli_device.h"
#include "cli/cli_network.h"
#include "cli/score.h"
#include "util/print.h"

/* The views of one evaluation, and the images of the test part. */
struct eval_views {
    struct view train, validate, test;
    struct images images;
};

/* Open the view that is evaluated; `train` normalises it. */
static int open_views(const struct cli_network *network, bool validation, struct eval_views *views, struct error *error)
{
    if (cli_network_training_views(network, &views->train, &views->validate, error))
        return -1;
    if (validation) {
        if (views->validate.count)
            return 0;
        return error_set(error, "there are no validation images: they belong to a session's own data; leave "
                                "--validation out to use the test images");
    }
    if (cli_network_open_test(network, cli_network_unseen_part(network), &views->images, error))
        return -1;
    cli_warn_of_images(&views->images);
    view_all(&views->images, &views->train, &views->test);
    return 0;
}

/* Which of the images are evaluated. */
static const char *part_of(bool validation, const struct images *images)
{
    return validation ? "validation" : images->whole ? "all" : "test";
}

/* What was read of a folder of pictures, and which of it is evaluated. */
static void print_images(const struct cli_network *network, bool validation, const struct images *images)
{
    if (images->summary)
        print_to(stdout, "read     %s\n         %s images of %s\n", images->summary, part_of(validation, images),
                 network->data);
}

/* `images`: those that were evaluated. */
static void print_lines(const struct cli_arguments *arguments, const struct cli_network *network, bool validation,
                        const struct images *images, const struct score *score)
{
    struct text text = TEXT_EMPTY;
    cli_network_name(network, arguments->words[0], &text);
    print_to(stdout, "network  %s\n", text_string(&text));
    text_clear(&text);
    arch_print(&network->arch, &text);
    print_to(stdout, "         %s\n", text_string(&text));
    print_images(network, validation, images);
    print_to(stdout, "%-8s ", validation ? "valid." : part_of(validation, images));
    text_clear(&text);
    score_print(score, &text);
    print_to(stdout, "%s\n", text_string(&text));
    text_done(&text);
    if (validation && network->node) {
        const struct session_node *node = session_node(network->state, network->node);
        print_to(stdout, "         the session has %.2f %% accuracy, loss %.4f\n", 100 * node->accuracy, node->loss);
    }
    print_to(stdout, "\n");
    score_print_classes(stdout, score, &network->images);
    if (cli_value(arguments, "confusion")) {
        print_to(stdout, "\n");
        score_print_confusion(stdout, score, &network->images);
    }
    if (cli_value(arguments, "each")) {
        print_to(stdout, "\n");
        score_print_images(stdout, score, &network->images);
    }
}

static void print_json(const struct cli_arguments *arguments, const struct cli_network *network, bool validation,
                       const struct images *images, const struct score *score)
{
    struct text name = TEXT_EMPTY, text = TEXT_EMPTY;
    cli_network_name(network, arguments->words[0], &name);
    score_json(text_string(&name), part_of(validation, images), score, &network->images, cli_value(arguments, "each"),
               &text);
    print_document(stdout, text_string(&text));
    text_done(&name);
    text_done(&text);
}

static void print_csv(const struct cli_arguments *arguments, const struct cli_network *network, const struct score *score)
{
    struct text text = TEXT_EMPTY;
    if (cli_value(arguments, "each"))
        score_csv_images(score, &network->images, &text);
    else if (cli_value(arguments, "confusion"))
        score_csv_confusion(score, &network->images, &text);
    else
        score_csv_classes(score, &network->images, &text);
    print_document(stdout, text_string(&text));
    text_done(&text);
}

static void print(const struct cli_arguments *arguments, const struct cli_network *network, bool validation,
                  const struct images *images, const struct score *score)
{
    if (cli_value(arguments, "json"))
        print_json(arguments, network, validation, images, score);
    else if (cli_value(arguments, "csv"))
        print_csv(arguments, network, score);
    else
        print_lines(arguments, network, validation, images, score);
}

static int evaluate(const struct cli_arguments *arguments, struct cli_network *network, struct eval_views *views,
                    struct cli_device *device, struct error *error)
{
    bool validation = cli_value(arguments, "validation");
    struct search_options given;
    struct score score;
    options_default(&given);
    if (cli_set_options(arguments, &given))
        return 2;
    if (cli_network_find(arguments->words[0], network, error) ||
        cli_network_need_weights(network, arguments->words[0], error))
        return cli_fail(error);
    network->options.skip_bad |= given.skip_bad;
    if (cli_device_open(cli_value(arguments, "device"), given.precision, device, error) ||
        cli_network_open_images(network, cli_value(arguments, "data"), SOME_CLASSES, error) ||
        open_views(network, validation, views, error) ||
        score_network(device->backend, cli_device_team(device), network->weights,
                      validation ? &views->validate : &views->test, &score, error))
        return cli_fail(error);
    print(arguments, network, validation, validation ? &network->images : &views->images, &score);
    score_done(&score);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct cli_network network = {0};
    struct eval_views views = {0};
    struct cli_device device = {.backend = NULL};
    struct error error = {{0}};
    if (cli_value(arguments, "test") && cli_value(arguments, "validation"))
        return cli_usage(arguments, "--test and --validation exclude each other");
    if (cli_value(arguments, "csv") && cli_value(arguments, "json"))
        return cli_usage(arguments, "--csv and --json exclude each other");
    if (cli_value(arguments, "csv") && cli_value(arguments, "confusion") && cli_value(arguments, "each"))
        return cli_usage(arguments, "--csv prints one table: --confusion and --each exclude each other");
    int status = evaluate(arguments, &network, &views, &device, &error);
    cli_device_close(&device);
    view_done(&views.train);
    view_done(&views.validate);
    view_done(&views.test);
    images_done(&views.images);
    cli_network_done(&network);
    return status;
}

static const struct cli_option options_of_eval[] = {
    {.name = "data", .fallback = "the network's"},
    {"test", NULL, "the test images (the default)", NULL},
    {"validation", NULL, "the validation images of the session's split", NULL},
    {"confusion", NULL, "also the whole matrix: what each class was taken for", NULL},
    {"each", NULL, "also each image: its class, what it was taken for, probability, loss", NULL},
    {"csv", NULL, "the classes as CSV; the matrix or the images with --confusion or --each", NULL},
    {"json", NULL, "all as one JSON object", NULL},
    {.name = "skip-bad"},
    {.name = "device"},
    {.name = "precision"},
    {0},
};

const struct cli_command command_eval = {
    .name = "eval",
    .synopsis = "SESSION:NODE|FILE",
    .summary = "evaluate a trained network: error, loss, and accuracy class by class",
    .details = "The error's interval is Wilson's, at 95 %. A search never reads the test images: choose a network by "
               "its validation accuracy, and then evaluate it once.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_eval,
    .run = run,
};
