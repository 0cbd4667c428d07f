/*
 * controller.h - the paper's meta-controller (EAS, section 3.3): an encoder and two actors, one that says which layers
 * to widen, one where and with which kernel to deepen; as probabilities of decisions and as gradients of their
 * logarithm.
 *
 * The architecture is encoded anew for each decision: score a decision, learn from it, and only then score the next.
 * A controller has one owner and one thread.
 */
#ifndef ESPALIER_POLICY_CONTROLLER_H
#define ESPALIER_POLICY_CONTROLLER_H

#include "policy/decisions.h"
#include "policy/encoder.h"

/* An LSTM that starts in the encoder's last state.  At each level its input is an embedding (at the first level always
   the same, then that of the choice at the level above), and a linear layer of that level gives the logits. */
struct deeper_actor {
    struct lstm lstm;
    struct parameter *embeddings[DEEPER_LEVELS]; /* a row for each choice of the level above */
    struct linear heads[DEEPER_LEVELS];
};

struct deeper_trace {
    int inputs[DEEPER_LEVELS]; /* rows of the embeddings */
    struct lstm_state states[DEEPER_LEVELS];
    struct lstm_trace steps[DEEPER_LEVELS];
};

struct controller {
    struct parameters parameters;
    struct encoder encoder;
    struct linear
        wider; /* ENCODER_UNITS × 1, from a layer's encoding to the logit of widening it; one for all layers */
    struct deeper_actor deeper;
    /* The decision that was scored last. */
    struct encoding encoding, gradient;
    struct encoder_trace encoder_trace;
    struct deeper_trace deeper_trace;
    double wider_logits[ARCH_LAYERS_MAX];
    double probabilities[DEEPER_LEVELS][LEVEL_CHOICES_MAX], log_sums[DEEPER_LEVELS];
    double level_logits[DEEPER_LEVELS][LEVEL_CHOICES_MAX];
};

struct decision_score {
    double log_probability;
    double entropy; /* mean of the decision's choices, in nats; 0 where it had none */
};

/* `seed` gives the initial weights.  `dense`: it reads dense networks too.  Borrows `space`. */
struct controller *controller_new(const struct space *space, bool dense, uint64_t seed);
void controller_free(struct controller *controller);

/* A chooser with the controller's probabilities.  It borrows the controller. */
struct chooser controller_chooser(struct controller *controller);

struct decision_score controller_score(struct controller *controller, const struct decision *decision);
/* Add the gradients of -(advantage * log_probability + bonus * entropy) of the decision scored just before. */
void controller_learn(struct controller *controller, const struct decision *decision, double advantage, double bonus);

#endif
