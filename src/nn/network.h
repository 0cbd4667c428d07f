/*
 * network.h - a plan with its memory: one arena on one backend, forward and backward.
 *
 * One thread at a time.  The network borrows the flat weight buffer it is given and trains it in place; on a backend
 * with a device it trains a copy there, and the buffer is as network_fetch() left it.  Images must have the plan's
 * input shape and labels below its classes (asserted): who opens a data set checks that.
 *
 * A device computes later than it is called.  So a walk returns the results that have arrived since the last call (on
 * the host: those of this batch), network_finish() returns the rest, and network_trouble() says whether they are valid.
 */
#ifndef ESPALIER_NN_NETWORK_H
#define ESPALIER_NN_NETWORK_H

#include "nn/backend.h"

enum network_mode { NETWORK_INFERENCE, NETWORK_TRAINING };

struct network;

/* Bytes that network_open takes, planned from the shapes: one arena; on a device, also what it keeps beside it there.
 */
int64_t network_bytes(const struct backend *backend, const struct plan *plan, int batch, enum network_mode mode);

/* Fails when memory for the arena can't be had (a trial that is too large fails alone), or the device is lost:
   `trouble`, unless it is NULL, says which. */
struct network *network_open(const struct backend *backend, const struct plan *plan, int batch, enum network_mode mode,
                             struct weights *weights, enum device_trouble *trouble, struct error *error);
void network_free(struct network *network);
/* Let the helpers of a team take part from now on until network_free(); results stay the same to the bit.  Once at
   most. Takes memory for their scratch: when that can't be had, the network goes on alone. */
void network_share(struct network *network, struct team *team);
/* The most images of a batch. */
int network_batch(const struct network *network);

/* One step of training: load, forward, backward, update. */
struct step_result network_train(struct network *network, const struct batch *batch, const struct sgd *sgd,
                                 float bn_decay, uint64_t dropout_key);
/* On a device: the next steps of training are these, so that they can be sent at once.  Returns how many it took; call
   it again when those are done.  Each is then made by network_train() with the same batch and values. */
int network_announce(struct network *network, const struct step *steps, int count);
/* The velocity of SGD with momentum: one value for each trained weight, zeros at first.  It is the network's own, valid
   until the next call. */
const float *network_velocity(struct network *network);
void network_set_velocity(struct network *network, const float *velocity);
/* On a device: keep the average of the weights there, which begins as `values` (average.h) ... */
void network_set_average(struct network *network, const float *values);
/* ... and bring it back.  The steps that network_announce() gets say what share of it the weights get. */
void network_fetch_average(struct network *network, float *values);
/* Forward in inference mode.  `logits` count × classes, or NULL. */
struct step_result network_infer(struct network *network, const struct batch *batch, float *logits);
/* Forward and backward without the update, for gradient checks: the flat gradient (trained values), the
   network's own, valid until the next call. */
const float *network_gradient(struct network *network, const struct batch *batch, uint64_t dropout_key,
                              struct step_result *result);

/* Who looks at a walk: the output of each operation but the classifier, from the last to the first, and the gradient of
   the loss by it (NULL: nothing needs it), as plain [image][channel][y][x] floats that are valid in the call alone. */
struct network_watcher {
    void *context;
    void (*see)(void *context, const struct op *op, const struct tensor *tensor, int count, const float *output,
                const float *gradient);
};
/* network_gradient() before the eyes of a watcher.  On the host alone (asserted).  The running statistics stay the same
   to the bit. */
const float *network_watch(struct network *network, const struct batch *batch, uint64_t dropout_key,
                           const struct network_watcher *watcher);

/* Forward in inference mode up to operation `op`, and that one as in training with BN decay 0: its running
   statistics become those of this batch alone.  The network is in training mode. */
void network_probe(struct network *network, const struct batch *batch, int op);

/* Wait for all walks, and return the results that they have not returned yet. */
struct step_result network_finish(struct network *network);
/* Bring the weights that were trained into the buffer that network_open borrowed. */
void network_fetch(struct network *network);
/* The other way: the buffer's weights become those that are trained. */
void network_store(struct network *network);
/* DEVICE_FINE, or what went wrong since the network was made; results since then are NaN. */
enum device_trouble network_trouble(struct network *network, struct error *error);

/* Loss (mean) and accuracy over a whole view, in inference mode, `batch` images at a time. */
struct evaluation {
    double loss, accuracy;
    int count;
};
/* Evaluate a network that exists already, of either mode.  `proceed` (or NULL) is asked before every batch; false: it
   said no, and `evaluation` covers the images so far.  The loss is NaN when the device was in trouble. */
bool network_evaluate_view(struct network *network, const struct view *view, bool (*proceed)(void *context),
                           void *context, struct evaluation *evaluation);
/* Images that an evaluation of `count` images takes at a time, where training takes `batch`.  On a device they are
   more, since a step costs it the same and nothing is kept for a backward pass: EVALUATION_BATCH, unless so many take
   more than EVALUATION_BYTES. */
enum { EVALUATION_BATCH = 1024, EVALUATION_BYTES = 1 << 30 };
int network_evaluation_batch(const struct backend *backend, const struct plan *plan, int batch, int count);
/* Open a network for evaluations of `count` images, with the batch that network_evaluation_batch() says, or a smaller
   one, not below `batch`, where memory is short.  NULL with the trouble and its reason. */
struct network *network_open_to_evaluate(const struct backend *backend, struct weights *weights, int batch, int count,
                                         enum device_trouble *trouble, struct error *error);
/* With a network of its own, from network_open_to_evaluate().  DEVICE_FINE, or what went wrong. */
enum device_trouble network_evaluate(const struct backend *backend, struct weights *weights, const struct view *view,
                                     int batch, struct evaluation *evaluation, struct error *error);

/* Mean and variance per channel of what layer `layer` (C or FC) computes before its BN: over `batches` batches of
   the view, without repeats as long as it has images, drawn by the stream RANDOM_MEASURE of (seed, node, action).
   Every layer uses the statistics of the batch, as in training, since the running ones of new units say nothing yet.
   Neither weights nor statistics change. */
int network_measure(const struct backend *backend, const struct weights *weights, int layer, const struct view *view,
                    int batches, int batch, uint64_t seed, uint32_t node, uint32_t action, float *mean, float *variance,
                    struct error *error);

#endif
