/*
 * predict.c - `espalier predict`: the class of a person's own pictures, by a trained network.
 *
 * A picture is read as a set of pictures is (data/picture.h): decoded, and scaled to the size that the network takes.
 * Classes and normalisation are the network's own, so that no data set is needed.  A picture that can't be read is
 * told, and the others are predicted all the same.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/cli_device.h"
#include "cli/cli_network.h"
#include "cli/score.h"
#include "export/predictions.h"
#include "search/picture_rules.h"
#include "util/memory.h"
#include "util/print.h"

static const char *const formats[] = {"table", "csv", "json"};
enum { TABLE, CSV, JSON, FORMATS };

struct prediction {
    struct cli_network network;
    struct cli_device device;
    struct images images; /* the pictures that could be read */
    struct view view;
    char **names; /* of these; borrowed from the command line */
    double *probabilities;
    bool unread; /* some couldn't be */
};

static int check_input(const struct prediction *work, struct error *error)
{
    const struct shape *input = &work->network.input;
    if (input->channels == 1 || input->channels == 3)
        return 0;
    return error_set(error,
                     "%s: takes images of %d channels, and pictures have 1 or 3; use espalier eval with arrays "
                     "(--data npz:FILE), or another program with the file of espalier export",
                     work->network.text, input->channels);
}

static int read_picture(const char *path, const struct picture_rules *rules, const struct shape *input,
                        uint8_t *planes, struct error *error)
{
    struct stat status;
    struct error warning;
    if (!stat(path, &status) && !S_ISREG(status.st_mode)) /* a pipe could wait for ever */
        return error_set(error, "%s: is no file; name a " PICTURE_TYPES " file", path);
    int failed = picture_read(path, rules, input->width, input->height, input->channels, planes, &warning, error);
    cli_warn(&warning);
    return failed;
}

static void read_pictures(const struct cli_arguments *arguments, struct prediction *work)
{
    const struct shape *input = &work->network.input;
    struct images *images = &work->images;
    size_t size = (size_t)input->channels * (size_t)input->height * (size_t)input->width;
    size_t most = (size_t)arguments->word_count - 1;
    struct picture_rules rules = picture_rules_of(&work->network.options);
    *images = (struct images){.classes = work->network.facts.classes, .shape = *input};
    images->pixels = memory_new(most, size);
    images->labels = memory_new(most, sizeof *images->labels);
    work->names = memory_new(most, sizeof *work->names);
    for (int i = 1; i < arguments->word_count; i++) {
        struct error error;
        if (read_picture(arguments->words[i], &rules, input, images->pixels + (size_t)images->count * size, &error)) {
            cli_warn(&error);
            work->unread = true;
            continue;
        }
        work->names[images->count++] = arguments->words[i];
    }
}

/* The softmax of each image's logits. */
static bool take_batch(void *context, const struct batch *batch, const float *logits)
{
    struct prediction *work = context;
    size_t classes = (size_t)work->images.classes;
    for (int i = 0; i < batch->count; i++) {
        const float *row = logits + (size_t)i * classes;
        double *to = work->probabilities + (size_t)batch->index[i] * classes, sum = 0, most = -INFINITY;
        for (size_t c = 0; c < classes; c++)
            most = fmax(most, (double)row[c]);
        for (size_t c = 0; c < classes; c++)
            sum += to[c] = exp((double)row[c] - most);
        for (size_t c = 0; c < classes; c++)
            to[c] /= sum;
    }
    return true;
}

static int predict(struct prediction *work, struct error *error)
{
    struct step_result sum;
    view_all(&work->images, NULL, &work->view);
    view_normalise(&work->view, &work->network.facts.pixels);
    work->probabilities =
        memory_new((size_t)work->images.count * (size_t)work->images.classes, sizeof *work->probabilities);
    return score_infer(work->device.backend, cli_device_team(&work->device), work->network.weights, &work->view,
                       take_batch, work, &sum, error);
}

static void print_table(const struct predictions *predictions)
{
    int width = 7;
    for (int i = 0; i < predictions->count; i++) {
        int length = (int)strlen(predictions->pictures[i]);
        width = length > width ? length : width;
    }
    print_to(stdout, "%-*s  %-16s %11s  %s\n", width, "picture", "class", "probability", "next");
    for (int i = 0; i < predictions->count; i++) {
        const double *row = predictions->probabilities + (size_t)i * (size_t)predictions->classes;
        int best[2];
        predictions_best(predictions, i, best);
        print_to(stdout, "%-*s  ", width, predictions->pictures[i]);
        if (best[0] < 0)
            print_to(stdout, "the network has diverged\n");
        else
            print_to(stdout, "%-16s %9.2f %%", predictions->class_names[best[0]], 100 * row[best[0]]);
        if (best[1] >= 0)
            print_to(stdout, "  %s %.2f %%\n", predictions->class_names[best[1]], 100 * row[best[1]]);
    }
}

static void print(const struct prediction *work, int format)
{
    struct text text = TEXT_EMPTY;
    const struct predictions predictions = {.count = work->images.count,
                                            .classes = work->images.classes,
                                            .pictures = work->names,
                                            .class_names = work->network.facts.class_names,
                                            .probabilities = work->probabilities};
    if (format == TABLE)
        print_table(&predictions);
    else if (format == CSV)
        export_csv_predictions(&predictions, &text);
    else
        export_json_predictions(&predictions, &text);
    print_document(stdout, text_string(&text));
    text_done(&text);
}

static int work_on(const struct cli_arguments *arguments, struct prediction *work, int format, struct error *error)
{
    const char *name = arguments->words[0];
    struct search_options given;
    options_default(&given);
    if (cli_set_options(arguments, &given))
        return 2;
    if (cli_network_find(name, &work->network, error) || cli_network_need_weights(&work->network, name, error) ||
        check_input(work, error) || cli_network_need_facts(&work->network, cli_value(arguments, "data"), error) ||
        cli_device_open(cli_value(arguments, "device"), given.precision, &work->device, error))
        return cli_fail(error);
    read_pictures(arguments, work);
    if (work->images.count && predict(work, error))
        return cli_fail(error);
    if (work->images.count)
        print(work, format);
    return work->unread ? 1 : 0;
}

static int run(const struct cli_arguments *arguments)
{
    const char *word = cli_value(arguments, "format");
    struct error error = {{0}};
    struct prediction work = {.unread = false};
    int format = 0;
    while (word && format < FORMATS && strcmp(word, formats[format]))
        format++;
    if (format == FORMATS)
        return cli_usage(arguments, "--format %s: must be one of table|csv|json", word);
    int status = work_on(arguments, &work, format, &error);
    cli_device_close(&work.device);
    view_done(&work.view);
    images_done(&work.images);
    free(work.names);
    free(work.probabilities);
    cli_network_done(&work.network);
    return status;
}

static const struct cli_option options_of_predict[] = {
    {"format", "WORD", "table, csv or json; the last two have the probability of every class", "table"},
    {"data", "SPEC", "the images that trained a network which doesn't know its classes and normalisation",
     "the network's"},
    {.name = "device"},
    {.name = "precision"},
    {0},
};

const struct cli_command command_predict = {
    .name = "predict",
    .synopsis = "SESSION:NODE|FILE PICTURE...",
    .summary = "classify pictures by a trained network",
    .details = "PICTURE is a PNG, JPEG, WebP or BMP file. It is read as the pictures that trained the network: scaled to the size that "
               "the network takes, in colour or grey. A picture that can't be read is told, the others are classified,"
               " and the exit status is 1.",
    .words_minimum = 2,
    .words_maximum = -1,
    .options = options_of_predict,
    .run = run,
};
