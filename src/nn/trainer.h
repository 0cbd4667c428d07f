/*
 * trainer.h - the training protocol (EAS, section 5): SGD with Nesterov momentum, a schedule of the rate, epochs.
 *
 * The paper's rate falls along a cosine over the whole training.  With `steady` it holds for a share of the training
 * first ("warm-up, stable, decay": Hu et al. 2024, section 4).  With 1 it never falls, and the moving average of the
 * weights says what the network has learned.
 *
 * Runs on the caller's thread and touches only what it is handed.
 */
#ifndef ESPALIER_NN_TRAINER_H
#define ESPALIER_NN_TRAINER_H

#include "nn/average.h"
#include "nn/health.h"
#include "util/random.h"

struct training {
    int epochs, batch;
    float rate;          /* initial */
    float steady;        /* share of the steps before the rate falls; over the rest it falls to 0 along a cosine */
    float average;       /* decay a step of the moving average of the weights (average.h); 0: none.  With it the
                            average is what is evaluated, and what the weights are in the end */
    bool from_scratch;   /* the weights are fresh ones: the average forgets them sooner */
    float momentum, weight_decay;
    float bn_decay;      /* 0.9 */
    float drop_pool, drop_fc, drop_dense; /* as plan_options has them */
    bool augment;
    float mixup;         /* share of the batches whose images are mixed in pairs (data/mixup.h) */
    const struct weights *teacher; /* borrowed; NULL: the labels say what is right.  Else its probabilities do, on the
                            images as they are cropped and mixed (distillation: Hinton et al. 2015; Beyer et al. 2022) */
    uint64_t seed;
    uint32_t node;       /* names the random streams: order, augmentation, dropout */
    const int *units_before; /* borrowed; as network_health() has them, for the hook `health` alone; or NULL */
    /* A training that goes on: the weights are those that it had after so many epochs, and this is the velocity that
       the report of the last one had (borrowed).  It then ends with the weights of one that was never cut short. */
    int epochs_done;
    const float *velocity; /* NULL: zeros */
    const struct average *average_so_far; /* likewise the average; NULL: it starts as the weights */
    /* The same inside an epoch: so many of its steps are done, with these sums in that time. */
    int steps_done;
    struct step_result sum_so_far;
    double seconds_so_far;
};

/* A training between two steps, beside its weights: what it goes on from.  The pointers are valid in the call alone. */
struct training_state {
    int epochs, steps;      /* whole epochs done, and steps of the next one */
    struct step_result sum; /* of these steps */
    double seconds;         /* that they took */
    const float *velocity;
    const struct average *average; /* or NULL */
};
/* The paper's: 20 epochs, batch 64, rate 0.02 (0.1 from scratch), cosine, momentum 0.9, weight decay 1e-4. */
extern const struct training training_paper;

struct epoch_report {
    int epoch, epochs;   /* from 1 */
    double rate;         /* at the epoch's last step */
    double train_loss, train_accuracy; /* running means over the epoch, as trained */
    double validation_loss, validation_accuracy;
    double seconds;      /* of this epoch, evaluation included, time inside `proceed` not */
    double images_per_second; /* of training alone */
    const float *velocity;    /* one for each trained weight; valid in this report alone */
    const struct average *average; /* of the weights so far, or NULL: there is none; valid in this report alone */
};

struct step_report {
    int epoch, step, steps; /* of this epoch */
    double loss;            /* mean of this batch; on a device, of those that it has finished since the last report */
    double images_per_second;
};

/* What the trainer asks and tells while it runs; each may be NULL. */
struct trainer_hooks {
    void *context;
    /* Before every batch, of training and of evaluation.  False: stop.  May block while paused. */
    bool (*proceed)(void *context);
    void (*step)(void *context, const struct step_report *report);   /* after every batch */
    void (*epoch)(void *context, const struct epoch_report *report);
    struct team *team; /* who may help (network_share) */
    /* Is it time to keep the state?  Asked before every step. */
    bool (*is_due)(void *context);
    /* The state when it is, and when the training is stopped.  On a device only between epochs, since its results of
       single steps come late. */
    void (*keep)(void *context, const struct weights *weights, const struct training_state *state);
    /* At the end, unless training has failed or was stopped inside of an epoch: the health of each layer, as the weights
       then are.  Not on a device. */
    void (*health)(void *context, const struct layer_health *health);
};

enum training_outcome {
    TRAINING_DONE,
    TRAINING_STOPPED,
    TRAINING_DIVERGED,
    TRAINING_NO_MEMORY,
    TRAINING_REFUSED,    /* the device can't run this network */
    TRAINING_DEVICE_LOST /* it will train nothing more in this process; another may */
};

/* What a trouble of the device means for what was done with it; DEVICE_FINE: TRAINING_DONE. */
enum training_outcome training_outcome_of(enum device_trouble trouble);

/* Bytes that train() takes for the networks: the one that is trained, and on a device the one that evaluates `validated`
   images (0: there is none), whose workspaces are beside them (train_workspaces). */
int64_t train_bytes(const struct backend *backend, const struct arch *arch, struct shape input,
                    const struct training *training, int validated);
/* The most bytes that may be taken beside the networks: backend_device.workspace_most for each. */
int64_t train_workspaces(const struct backend *backend);

/* Train in place; do nothing when all epochs are done.  While hooks are called, `weights` holds what is trained, not
   the average.  Where there is an average it is what `weights` has in the end, also when the training was stopped, and what
   was trained is in weights->raw.  `validate` may be NULL (the reports then have 0 there), and so may `hooks`.  TRAINING_DIVERGED: the
   loss or, at the end of an epoch, a weight or statistic is not finite; `error` says at which step. */
enum training_outcome train(const struct backend *backend, struct weights *weights, const struct view *view,
                            const struct view *validate, const struct training *training,
                            const struct trainer_hooks *hooks, struct error *error);

/* He initialisation (2015): every convolution, FC and SM normal with std sqrt(2 / fan_in); the rest as weights_new has it. */
void weights_initialise(struct weights *weights, struct random_stream *stream);

#endif
