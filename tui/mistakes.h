/*
 * mistakes.h - what a network gets wrong on the validation images, as the screens show it.  A value; who evaluates it owns
 * it (cli/judge.h).
 */
#ifndef ESPALIER_TUI_MISTAKES_H
#define ESPALIER_TUI_MISTAKES_H

#include <stdbool.h>
#include <stdint.h>

enum mistakes_state {
    MISTAKES_EVALUATING, /* only `done` is set */
    MISTAKES_KNOWN,
    MISTAKES_FAILED /* only `message` is set: it is not trained, or images or weights can't be read */
};

enum { MISTAKES_WORST_MAX = 120, MISTAKES_SAMPLES_MAX = 60, MISTAKES_VARIANTS = 4 };

/* Of a picture, in pixels: at most MISTAKES_SIDE_MAX, which is the largest that is drawn. */
enum { MISTAKES_SIDE_MAX = 32 };
struct mistakes_size {
    int width, height;
};

/* An image as a person sees it; `pixels` are rows of red, green, blue, as many as `size` says. */
struct mistakes_image {
    int label, prediction; /* classes; of a sample both are its label */
    double probability;    /* of the prediction */
    uint8_t *pixels;
};

struct mistakes {
    enum mistakes_state state;
    double done; /* share of the images, 0…1 */
    char message[600];
    int count, correct, classes;
    double loss;
    char **class_names;        /* `classes` of them */
    int *confusion;            /* [class][taken for] */
    struct mistakes_size size; /* of every picture */
    int worst_count;
    struct mistakes_image *worst; /* wrong ones, the one with the largest loss first */
    int sample_count;
    struct mistakes_image *samples; /* of the training images; where training augments, each is followed by
                                       MISTAKES_VARIANTS - 1 variants of it */
    bool augmented;
};

/* The size of a picture of images of this size, which keeps their proportions. */
struct mistakes_size mistakes_fit(int width, int height);
/* The name of a class; "nothing" below 0, which a broken network predicts. */
const char *mistakes_class(const struct mistakes *mistakes, int class);
/* Images of a class. */
int mistakes_in_class(const struct mistakes *mistakes, int class);
void mistakes_done(struct mistakes *mistakes);

#endif
