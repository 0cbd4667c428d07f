/* image_split.c - see image_split.h. */
#include "search/image_split.h"

#include <inttypes.h>
#include <stdio.h>

struct image_split image_split_of(const struct search_options *options, struct hash images)
{
    return (struct image_split){images, options->seed, options->validation, options->train_subset, .fixed = false};
}

void image_split_print(const struct image_split *split, struct text *text)
{
    char images[HASH_TEXT];
    text_add(text, "validation %" PRId64 ", train-subset %" PRId64 ", seed %" PRId64 ", images %s", split->validation,
             split->subset, split->seed, hash_print(split->images, images));
}

struct image_split image_split_parse(const char *text)
{
    struct image_split split = {.seed = 0};
    char images[HASH_TEXT];
    if (!text || sscanf(text, "validation %18" SCNd64 ", train-subset %18" SCNd64 ", seed %19" SCNd64 ", images %32s",
                        &split.validation, &split.subset, &split.seed, images) != 4)
        return (struct image_split){.seed = 0};
    split.images = hash_scan(images);
    return split;
}

bool image_split_is_known(const struct image_split *split)
{
    return !hash_equal(split->images, (struct hash){0});
}

int image_split_check(const struct image_split *trained, const struct image_split *own, struct error *error)
{
    bool same_images = image_split_is_known(trained) && hash_equal(trained->images, own->images);
    bool same_split = own->seed == trained->seed || own->fixed;
    if (!own->validation || !same_images || (same_split && own->validation <= trained->validation))
        return 0;
    if (!trained->validation)
        return error_set(error, "its weights were trained on images that would validate here: no images were kept out");
    return error_set(error,
                     "its weights were trained on images that would validate here: use its --seed %" PRId64
                     " and at most its --validation %" PRId64,
                     trained->seed, trained->validation);
}
