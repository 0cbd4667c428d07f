/*
 * export.c - `espalier export`: a trained network as an ONNX file, for programs that are not this one.
 *
 * The file normalises pixels itself, so the images that the network was trained on must be there: their mean and
 * deviation are not in a session.
 */
#include <stdlib.h>

#include "cli/subject.h"
#include "export/onnx.h"
#include "util/file.h"

/* The names of the classes, a line each; "" where the set has none. */
static void list_classes(const struct images *images, struct text *text)
{
    for (int i = 0; i < images->classes && images_class_name(images, i); i++)
        text_add(text, "%s%s", i ? "\n" : "", images_class_name(images, i));
}

static int write(const struct subject *subject, const struct view *view, const char *path, size_t *length,
                 struct error *error)
{
    struct text arch = TEXT_EMPTY, classes = TEXT_EMPTY;
    arch_print(&subject->target.arch, &arch);
    list_classes(&subject->images, &classes);
    const struct onnx_note notes[] = {{"arch", text_string(&arch)},
                                      {"data", subject->data},
                                      {*text_string(&classes) ? "classes" : NULL, text_string(&classes)},
                                      {0}};
    void *bytes = onnx_encode(subject->target.weights, view->scale, view->shift, notes, length);
    int failed = file_write(path, bytes, *length, error);
    free(bytes);
    text_done(&classes);
    text_done(&arch);
    return failed;
}

static int export(const struct cli_arguments *arguments, struct subject *subject, struct view *train,
                  struct view *validate, char **path, struct error *error)
{
    size_t length;
    if (subject_find(arguments->words[0], subject, error) ||
        target_need_weights(&subject->target, arguments->words[0], error) ||
        subject_open_images(subject, cli_value(arguments, "data"), "fashion-mnist", error) ||
        subject_training_views(subject, train, validate, error) ||
        subject_choose_file(subject, cli_value(arguments, "out"), ".onnx", false, path, error) ||
        write(subject, train, *path, &length, error))
        return -1;
    const struct shape *input = &subject->target.input;
    struct text name = TEXT_EMPTY;
    subject_name(subject, arguments->words[0], &name);
    printf("network  %s\ninput    image: N,%d,%d,%d float32, pixels from 0 to 255\n"
           "output   probabilities: N,%d float32\nfile     %s, %zu bytes\n",
           text_string(&name), input->channels, input->height, input->width, subject->images.classes, *path, length);
    text_done(&name);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct subject subject = {0};
    struct view train = {0}, validate = {0};
    struct error error = {{0}};
    char *path = NULL;
    int failed = export(arguments, &subject, &train, &validate, &path, &error);
    free(path);
    view_done(&train);
    view_done(&validate);
    subject_done(&subject);
    return failed ? cli_fail(&error) : 0;
}

static const struct cli_option options_of_export[] = {
    {"data", "SPEC", "normalise pixels by these images [those of the network; unknown: fashion-mnist]"},
    {"out", "FILE", "the file to write [SESSION-nNODE.onnx]"},
    {0},
};

const struct cli_command command_export = {
    .name = "export",
    .synopsis = "SESSION:NODE|FILE",
    .summary = "write a trained network as an ONNX file, for other programs to run",
    .details = "The file takes pixels from 0 to 255 and returns probabilities. Its metadata name the architecture, the "
               "data, and "
               "the classes where they have names.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_export,
    .run = run,
};
