/* teacher.c - checks of a teacher: it and its student must mean the same by a class, a pixel and a validation image. */
#include "cli/commands/teacher.h"

#include <math.h>
#include <string.h>

static int check_classes(const struct cli_network *teacher, const struct images *images, struct error *error)
{
    const struct data_facts *facts = &teacher->facts;
    if (!facts->classes)
        return error_set(error, "doesn't say which classes it knows");
    if (facts->classes != images->classes)
        return error_set(error, "knows %d classes, the data has %d", facts->classes, images->classes);
    for (int k = 0; images->class_names && k < images->classes; k++)
        if (strcmp(facts->class_names[k], images->class_names[k]))
            return error_set(error, "class %d is \"%.60s\" to it, and \"%.60s\" in the data", k, facts->class_names[k],
                             images->class_names[k]);
    return 0;
}

static int check_validation(const struct cli_network *teacher, const struct images *images, int validation,
                            uint64_t seed, struct error *error)
{
    const struct image_split *trained = &teacher->trained;
    if (!validation)
        return 0;
    if (hash_equal(trained->images, images->hash) && (uint64_t)trained->seed == seed &&
        validation <= trained->validation)
        return 0;
    return error_set(error,
                     "--validation %d: it was trained on images that validate here, or may have been; leave "
                     "--validation out, or take a teacher that was trained with this seed and --validation",
                     validation);
}

int teacher_find(const char *text, const struct cli_network *student, int validation, uint64_t seed,
                 struct cli_network *teacher, struct error *error)
{
    const struct images *images = &student->images;
    if (cli_network_find(text, teacher, error) || cli_network_need_weights(teacher, text, error))
        return error_prefix(error, "--teacher");
    const struct shape *input = &teacher->input, *shape = &images->shape;
    int status = 0;
    if (memcmp(input, shape, sizeof *shape))
        status = error_set(error, "takes images of %dx%dx%d, the data has %dx%dx%d", input->channels, input->height,
                           input->width, shape->channels, shape->height, shape->width);
    else
        status = check_classes(teacher, images, error) || check_validation(teacher, images, validation, seed, error);
    return status ? error_prefix(error, "--teacher %s", text) : 0;
}

bool teacher_sees(const struct cli_network *teacher, const struct normalisation *pixels)
{
    for (int c = 0; c < teacher->facts.channels; c++) {
        double deviation = teacher->facts.pixels.deviation[c];
        if (fabs(pixels->mean[c] - teacher->facts.pixels.mean[c]) > 0.02 * deviation ||
            fabs(pixels->deviation[c] - deviation) > 0.02 * deviation)
            return false;
    }
    return true;
}
