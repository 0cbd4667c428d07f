/*
 * subject.h - the network that `morph`, `train` or `eval` works on, with the images that belong to it.
 */
#ifndef ESPALIER_CLI_SUBJECT_H
#define ESPALIER_CLI_SUBJECT_H

#include "cli/cli.h"

struct subject {
    struct target target;
    const char *data;      /* what the images were named by; borrowed from the target or the caller */
    struct data_spec spec; /* of that */
    struct images images;  /* the training part; count 0 until subject_open_images() */
    bool session_split;    /* these images are the session's: its split holds for them */
};

/* Find what `text` names; no images yet.  subject_done() it, also after a failure. */
int subject_find(const char *text, struct subject *subject, struct error *error);
/* Open the training images of `data`, or where it is NULL the network's own, or `fallback`'s, and check that the
   network takes them: shape, classes, and that every window fits.  Sets target.input where it was unknown.  A session's
   data that changed since is refused unless `data` names it. */
int subject_open_images(struct subject *subject, const char *data, const char *fallback, struct error *error);
/* The test part of the same set, checked likewise; images_done() it. */
int subject_open_test(const struct subject *subject, struct images *test, struct error *error);
/* The images that normalise pixels for this network, as they did in its training: for one of a session those of its
   split, whose validation images come too, else all training images.  view_done() both. */
int subject_training_views(const struct subject *subject, struct view *train, struct view *validate,
                           struct error *error);
/* Where to write what becomes of the network: `out`, or where it is NULL SESSION-nNODE or "network" and `ending` in the
   current folder, which must be free unless `replace`.  `*path` is the caller's, also after a failure. */
int subject_choose_file(const struct subject *subject, const char *out, const char *ending, bool replace, char **path,
                        struct error *error);
/* "fashion-mnist-1:n5", FILE, or "the architecture". */
void subject_name(const struct subject *subject, const char *text, struct text *name);
void subject_done(struct subject *subject);

#endif
