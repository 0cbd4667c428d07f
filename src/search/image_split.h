/*
 * image_split.h - which images of a set trained some weights, so that none of them validates later.
 *
 * A split shuffles all images by its seed.  The first of them validate and those that follow train (data/split.c),
 * but for a set that has validation images of its own.  Functions are pure; a struct image_split owns nothing.
 */
#ifndef ESPALIER_SEARCH_IMAGE_SPLIT_H
#define ESPALIER_SEARCH_IMAGE_SPLIT_H

#include "search/options.h"
#include "util/hash.h"

struct image_split {
    struct hash images; /* of the whole set; zero: it is not known what trained the weights */
    int64_t seed, validation, subset;
    bool fixed; /* the set has validation images of its own, which the seed doesn't change; no note says it */
};

/* The split of a search with these options. */
struct image_split image_split_of(const struct search_options *options, struct hash images);
/* As weights files note it under this name: "validation 5000, train-subset 0, seed 1, images 0123…". */
#define IMAGE_SPLIT_NOTE "split"
void image_split_print(const struct image_split *split, struct text *text);
/* NULL or another text: not known. */
struct image_split image_split_parse(const char *text);

bool image_split_is_known(const struct image_split *split);
/* May weights that `trained` trained be judged by the validation images of `own`?  -1: some of those trained them, and
   the message says with which options none does.  Other images, or unknown ones, are not its matter. */
int image_split_check(const struct image_split *trained, const struct image_split *own, struct error *error);

#endif
