/*
 * workload.h - what the benches of training measure: six networks, trained on random images of 32 x 32 x 3.
 *
 * A workload borrows the images and the backend.  bench/pytorch.py has the same networks.
 */
#ifndef ESPALIER_BENCH_WORKLOAD_H
#define ESPALIER_BENCH_WORKLOAD_H

#include "nn/network.h"

struct bench_network {
    const char *name, *notation;
};

struct workload {
    struct plan plan;
    struct weights *weights;
    struct network *network;
    const struct view *view;
    const struct augment *augment; /* by image, or NULL */
    int batch, steps;              /* images of a step; steps done */
};

struct view *workload_images(int count);
void workload_images_free(struct view *view);
/* -1 with the reason when the backend can't have the network. */
int workload_start(struct workload *workload, const struct backend *backend, const struct bench_network *network,
                   const struct view *view, int batch, struct error *error);
/* The next batch of images, again and again. */
void workload_step(struct workload *workload);
/* On a device, before so many steps: it gets them at once, as an epoch of a training. */
void workload_announce(const struct workload *workload, int count);
void workload_stop(struct workload *workload);

/* The options that all these benches have. */
struct workload_options {
    const struct bench_network *networks; /* all, or the one of -n */
    int network_count;
    double seconds; /* of each measurement */
    int steps;      /* instead of a time, when not 0 */
};
extern const struct workload_options workload_defaults;
#define WORKLOAD_OPTIONS "n:s:k:"
#define WORKLOAD_USAGE                                                                                                 \
    "  -n  TINY, SMALL, MID, BIG, MOBILE, RES, or a network in notation\n"                                             \
    "  -s  seconds of each measurement   -k  steps instead of a time\n"
/* Takes one option of getopt()'s; false when it isn't one of these.  A network that can't be ends the program. */
bool workload_option(struct workload_options *options, int option, const char *value);

#endif
