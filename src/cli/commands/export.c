/*
 * export.c - `espalier export`: writes a trained network as an ONNX file, for other programs.
 *
 * The network in the file normalises pixels itself.  A session doesn't record the mean and deviation of its images, so
 * the images are needed.
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/cli_network.h"
#include "export/onnx.h"
#include "util/file.h"
#include "util/print.h"

static int write(const struct cli_network *network, const struct view *view, const char *path, size_t *length,
                 struct error *error)
{
    struct text arch = TEXT_EMPTY, classes = TEXT_EMPTY;
    arch_print(&network->arch, &arch);
    for (int i = 0; i < network->images.classes && images_class_name(&network->images, i); i++)
        text_add(&classes, "%s%s", i ? "\n" : "", images_class_name(&network->images, i));
    const struct onnx_note notes[] = {{"arch", text_string(&arch)},
                                      {"data", network->data},
                                      {*text_string(&classes) ? "classes" : NULL, text_string(&classes)},
                                      {0}};
    void *bytes = onnx_encode(network->weights, view->scale, view->shift, notes, length);
    int failed = file_write(path, bytes, *length, error);
    free(bytes);
    text_done(&classes);
    text_done(&arch);
    return failed;
}

static int export(const struct cli_arguments *arguments, struct cli_network *network, struct view *train,
                  struct view *validate, char **path, struct error *error)
{
    size_t length;
    if (cli_network_find(arguments->words[0], network, error) ||
        cli_network_need_weights(network, arguments->words[0], error) ||
        cli_network_open_images(network, cli_value(arguments, "data"), error) ||
        cli_network_training_views(network, train, validate, error) ||
        cli_network_choose_file(network, cli_value(arguments, "out"), ".onnx", false, path, error) ||
        write(network, train, *path, &length, error))
        return -1;
    const struct shape *input = &network->input;
    struct text name = TEXT_EMPTY;
    cli_network_name(network, arguments->words[0], &name);
    print_to(stdout,
             "network  %s\ninput    image: N,%d,%d,%d float32, pixels from 0 to 255\n"
             "output   probabilities: N,%d float32\nfile     %s, %zu bytes\n",
             text_string(&name), input->channels, input->height, input->width, network->images.classes, *path, length);
    text_done(&name);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct cli_network network = {0};
    struct view train = {0}, validate = {0};
    struct error error = {{0}};
    char *path = NULL;
    int failed = export(arguments, &network, &train, &validate, &path, &error);
    free(path);
    view_done(&train);
    view_done(&validate);
    cli_network_done(&network);
    return failed ? cli_fail(&error) : 0;
}

static const struct cli_option options_of_export[] = {
    {"data", "SPEC", "normalise pixels by these images", "the network's, else fashion-mnist"},
    {"out", "FILE", "the file to write", "SESSION-nNODE.onnx"},
    {0},
};

const struct cli_command command_export = {
    .name = "export",
    .synopsis = "SESSION:NODE|FILE",
    .summary = "write a trained network as an ONNX file, for other programs to run",
    .details = "The file takes pixels from 0 to 255 and returns probabilities. Its metadata name the architecture, the"
               " data, and the classes where they have names.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_export,
    .run = run,
};
