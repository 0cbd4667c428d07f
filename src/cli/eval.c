/*
 * eval.c - `espalier eval`: how well a trained network classifies images that it was not trained on.
 *
 * Pixels are normalised as they were in training: for a network of a session by the images of its split, for a file by
 * all training images, as `espalier train` does it.
 */
#include <stdlib.h>

#include "cli/score.h"
#include "cli/subject.h"
#include "cli/workplace.h"

/* The views of one evaluation; images of the test part are its own. */
struct evaluated {
    struct view train, validate, test;
    struct images images;
};

/* Views are set where they are needed: normalisation comes from `train`. */
static int open_views(const struct subject *subject, bool validation, struct evaluated *views, struct error *error)
{
    if (subject_training_views(subject, &views->train, &views->validate, error))
        return -1;
    if (validation) {
        if (views->validate.count)
            return 0;
        return error_set(error, "there are no validation images: they belong to a session's own data; leave "
                                "--validation out to use the test images");
    }
    if (subject_open_test(subject, &views->images, error))
        return -1;
    view_all(&views->images, &views->train, &views->test);
    return 0;
}

static void print(const struct cli_arguments *arguments, const struct subject *subject, bool validation,
                  const struct score *score)
{
    const struct target *target = &subject->target;
    struct text text = TEXT_EMPTY;
    subject_name(subject, arguments->words[0], &text);
    printf("network  %s\n", text_string(&text));
    text_clear(&text);
    arch_print(&target->arch, &text);
    printf("         %s\n%-8s ", text_string(&text), validation ? "valid." : "test");
    text_clear(&text);
    score_print(score, &text);
    printf("%s\n", text_string(&text));
    text_done(&text);
    if (validation && target->node) {
        const struct session_node *node = session_node(target->state, target->node);
        printf("         the session has %.2f %% accuracy, loss %.4f\n", 100 * node->accuracy, node->loss);
    }
    printf("\n");
    score_print_classes(stdout, score, &subject->images);
}

static int evaluate(const struct cli_arguments *arguments, struct subject *subject, struct evaluated *views,
                    struct workplace *workplace, struct error *error)
{
    bool validation = cli_value(arguments, "validation");
    enum precision precision;
    struct score score;
    if (cli_precision(arguments, PRECISION_F32, &precision))
        return 2;
    if (subject_find(arguments->words[0], subject, error) ||
        target_need_weights(&subject->target, arguments->words[0], error) ||
        workplace_open(cli_value(arguments, "device"), precision, workplace, error) ||
        subject_open_images(subject, cli_value(arguments, "data"), "fashion-mnist", error) ||
        open_views(subject, validation, views, error) ||
        score_network(workplace->backend, workplace_team(workplace), subject->target.weights,
                      validation ? &views->validate : &views->test, &score, error))
        return cli_fail(error);
    print(arguments, subject, validation, &score);
    score_done(&score);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct subject subject = {0};
    struct evaluated views = {0};
    struct workplace workplace = {.backend = NULL};
    struct error error = {{0}};
    if (cli_value(arguments, "test") && cli_value(arguments, "validation"))
        return cli_usage(arguments, "--test and --validation exclude each other");
    int status = evaluate(arguments, &subject, &views, &workplace, &error);
    workplace_close(&workplace);
    view_done(&views.train);
    view_done(&views.validate);
    view_done(&views.test);
    images_done(&views.images);
    subject_done(&subject);
    return status;
}

static const struct cli_option options_of_eval[] = {
    {"data", "SPEC", "these images [those of the network; unknown: fashion-mnist]"},
    {"test", NULL, "the test images (the default)"},
    {"validation", NULL, "the validation images of the session's split"},
    {"device", "NAME", "where: cpu, all cores, cpu:N, N of them, or cuda:N, a GPU [cpu]"},
    {"precision", "WORD", "what convolutions multiply: f32, or bf16 where the device has it [f32]"},
    {0},
};

const struct cli_command command_eval = {
    .name = "eval",
    .synopsis = "SESSION:NODE|FILE",
    .summary = "evaluate a trained network: error, loss, and accuracy class by class",
    .details =
        "The error's interval is Wilson's, at 95 %. A search never reads the test images: choose networks by their "
        "validation accuracy, and look here once.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_eval,
    .run = run,
};
