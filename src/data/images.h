/*
 * images.h - labelled images in memory, and views of them.
 *
 * Pixels are uint8, [image][channel][y][x].  They are normalised, cropped and flipped while a batch is loaded into a
 * backend's tensor, so that no epoch copies them.  An open struct images is read-only, and all threads may share it.
 */
#ifndef ESPALIER_DATA_IMAGES_H
#define ESPALIER_DATA_IMAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "data/picture.h"
#include "util/error.h"
#include "util/hash.h"

enum { IMAGES_CHANNELS_MAX = 16, IMAGES_CLASSES_MAX = 1000 };

struct images {
    int count, classes;
    struct shape shape;
    uint8_t *pixels;   /* count × channels × height × width */
    uint16_t *labels;  /* count, below `classes` */
    char **class_names; /* `classes` of them; NULL: the set has no names */
    bool unit_range;    /* normalised to 0…1, not by mean and std */
    bool mirrors;       /* a mirrored image keeps its class: augmentation flips */
    const char *layout; /* of one image: "NCHW RGB", "NCHW grey" or, where colours are not known, "NCHW" */
    struct hash hash;   /* of pixels and labels: the data set's checksum */
    int validation;     /* the last that many are the set's own validation images; 0: it has none */
    bool stratified;    /* each class has its share of every part of a split */
    bool whole;         /* DATA_ALL: they are all that the folder has, not its test part */
    char *summary;      /* "PNG 150, JPEG 30; left out: .gif 2": what was read of a folder, or NULL */
    char *warnings;     /* what a person should know of the files: lines, or NULL */
};

/* What --data names: `fashion-mnist`, `cifar10:DIR`, `images:DIR`, `npz:FILE` and so on (the table is in spec.c); a `+`
   after the name (`cifar10+:DIR`, `fashion-mnist+`) turns augmentation on, and image folders take the size that they
   are scaled to (`images@48+:DIR`, `images@64x48:DIR`: width, then height).  Without `:DIR` the folder is
   $ESPALIER_DATA/NAME, or that of Debian's package. */
struct data_spec {
    char name[16];
    char folder[1024]; /* of npz: the file */
    int width, height; /* 0: images are as they are */
    bool augment;
    struct picture_rules pictures; /* of image folders; the parser leaves them, and the next field, at their defaults */
    bool skip_bad;                 /* pictures that can't be read are left out */
    const atomic_bool *cancelled;  /* the reader of a folder looks at it before each picture, and fails; NULL: it doesn't */
};

/* DATA_ALL: of a folder that isn't divided into parts every image; otherwise as DATA_TEST, where there is such a part. */
enum data_part { DATA_TRAIN, DATA_TEST, DATA_ALL };

int data_spec_parse(const char *text, struct data_spec *spec, struct error *error);
/* Does a valid text ask for augmentation? */
bool data_spec_augments(const char *text);
/* Read one part.  A search is judged by DATA_TRAIN alone; DATA_TEST is for the
   finished network, once (EAS, section 5).  -1: the message
   names the file, the byte or record, and the package or folder that would help. */
int images_open(const struct data_spec *spec, enum data_part part, struct images *images, struct error *error);
/* "ankle boot"; NULL where the set has no names. */
const char *images_class_name(const struct images *images, int class);
void images_done(struct images *images);

/* A network's input is (pixel - mean) / deviation, channel by channel, of pixels from 0 to 255. */
struct normalisation {
    double mean[IMAGES_CHANNELS_MAX], deviation[IMAGES_CHANNELS_MAX];
};

/* Some of the images, in any order, and their normalisation.  Borrows `images`. */
struct view {
    const struct images *images;
    int32_t *index; /* count image numbers; the view's own */
    int count;
    struct normalisation pixels;
    float scale[IMAGES_CHANNELS_MAX], shift[IMAGES_CHANNELS_MAX]; /* value = pixel * scale + shift */
};

/* Draw `validation` images for validation and, of the others, `subset` for training (0: all), by the stream
   RANDOM_SPLIT of `seed`.  The validation images of a set that has its own always validate, and `validation` is their
   number or 0.  Normalisation: channel mean and std of the training view, in both views.

   With the same seed, fewer validation images are some of the more, and a smaller subset is part of a larger one.  Where
   the set is stratified, classes have equal shares of both, but at least one image of each that has two validates. */
int data_split(const struct images *images, int validation, int subset, uint64_t seed, struct view *train,
               struct view *validate, struct error *error);
/* How many images validate unless a person says it: the set's own, else a sixth, at most 5,000. */
int data_validation(const struct images *images);
/* All images in file order, normalised as `like` is; with NULL by their own mean and std. */
void view_all(const struct images *images, const struct view *like, struct view *view);
/* Normalise like this; the view then loads the same floats as the one that `pixels` is of. */
void view_normalise(struct view *view, const struct normalisation *pixels);
void view_done(struct view *view);

/* How one image is augmented: the crop of the zero-padded image starts at (dx, dy), each in -AUGMENT_PAD…AUGMENT_PAD; then
   it may be flipped horizontally. */
struct augment {
    int8_t dx, dy;
    bool flip;
};
enum { AUGMENT_PAD = 4 };

/* A batch of images for a network's input.  All pointers are borrowed. */
struct batch {
    const struct view *view;
    const int32_t *index;          /* `count` image numbers of view->images */
    const struct augment *augment; /* `count`, or NULL: not augmented */
    int count;
    const float *targets;          /* training: count × classes, what each image's probabilities should be, with a sum of
                                      1; NULL: its label's */
};

#endif
