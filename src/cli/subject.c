/*
 * subject.c - a network and its images fit together, or the message says why not.
 */
#include "cli/subject.h"

#include <string.h>

#include "util/file.h"
#include "util/hash.h"
#include "util/memory.h"

int subject_find(const char *text, struct subject *subject, struct error *error)
{
    memset(subject, 0, sizeof *subject);
    return target_find(text, &subject->target, error);
}

void subject_done(struct subject *subject)
{
    target_done(&subject->target);
    images_done(&subject->images);
}

static int check_images(const struct target *target, const struct images *images, const char *name, struct error *error)
{
    const struct shape *have = &images->shape, *want = &target->input;
    if (have->channels != want->channels || have->height != want->height || have->width != want->width)
        return error_set(error, "%s: images of %d,%d,%d do not fit the network, which takes %d,%d,%d; name other data",
                         name, have->channels, have->height, have->width, want->channels, want->height, want->width);
    int classes = target->arch.layers[target->arch.layer_count - 1].units;
    if (images->classes != classes)
        return error_set(error, "%s: has %d classes, the network's classifier SM(%d); name other data or change SM",
                         name, images->classes, classes);
    return 0;
}

int subject_open_images(struct subject *subject, const char *data, const char *fallback, struct error *error)
{
    struct target *target = &subject->target;
    const char *name = data ? data : *target->data ? target->data : fallback;
    subject->data = name;
    if (data_spec_parse(name, &subject->spec, error))
        return error_prefix(error, "--data %s", name);
    if (images_open(&subject->spec, DATA_TRAIN, &subject->images, error))
        return -1;
    if (!target->input.channels)
        target->input = subject->images.shape;
    if (check_images(target, &subject->images, name, error))
        return -1;
    if (target->state) {
        char hash[HASH_TEXT];
        subject->session_split = !strcmp(hash_print(subject->images.hash, hash), target->state->facts.data_hash);
        if (!data && !subject->session_split)
            return error_set(error,
                             "%s: is not what %s was trained on: the files have changed since; name the data by "
                             "--data to use it all the same",
                             name, target->session);
    }
    struct shape shapes[ARCH_LAYERS_MAX];
    return arch_shapes(&target->arch, target->input, shapes, error);
}

int subject_open_test(const struct subject *subject, struct images *test, struct error *error)
{
    if (images_open(&subject->spec, DATA_TEST, test, error))
        return -1;
    if (!check_images(&subject->target, test, subject->spec.name, error))
        return 0;
    images_done(test);
    return -1;
}

int subject_training_views(const struct subject *subject, struct view *train, struct view *validate,
                           struct error *error)
{
    const struct target *target = &subject->target;
    *train = *validate = (struct view){0};
    if (subject->session_split)
        return data_split(&subject->images, (int)target->validation, (int)target->train_subset, (uint64_t)target->seed,
                          train, validate, error);
    view_all(&subject->images, NULL, train);
    return 0;
}

/* After the network. */
static char *default_name(const struct target *target, const char *ending)
{
    struct text text = TEXT_EMPTY;
    if (target->node) {
        const char *slash = strrchr(target->session, '/'), *name = slash ? slash + 1 : target->session;
        size_t length = strlen(name);
        if (length > 4 && !strcmp(name + length - 4, ".esp"))
            length -= 4;
        text_add(&text, "%.*s-n%lld%s", (int)length, name, (long long)target->node, ending);
    } else {
        text_add(&text, "network%s", ending);
    }
    return text_take(&text);
}

int subject_choose_file(const struct subject *subject, const char *out, const char *ending, bool replace, char **path,
                        struct error *error)
{
    *path = out ? memory_copy_text(out) : default_name(&subject->target, ending);
    if (!out && !replace && file_exists(*path))
        return error_set(error, "%s: exists already; name the file to write by --out", *path);
    return file_may_write(*path, error) ? error_prefix(error, "--out") : 0;
}

void subject_name(const struct subject *subject, const char *text, struct text *name)
{
    if (subject->target.node)
        text_add(name, "%s, network n%lld", subject->target.session, (long long)subject->target.node);
    else
        text_add(name, "%s", subject->target.weights ? text : "the architecture");
}
