/*
 * actors.h - the head on the encoder that says where and with which kernel to deepen (EAS, section 3.3).  The other
 * head, which says what to widen, is one linear layer (controller.h).
 *
 * It gives logits and takes logits' gradients; masks and probabilities are the controller's.
 */
#ifndef ESPALIER_POLICY_ACTORS_H
#define ESPALIER_POLICY_ACTORS_H

#include "policy/decisions.h"
#include "policy/encoder.h"

/* An LSTM that starts in the encoder's last state.  At each level its input is an embedding (at the first level always the
   same, then that of the choice at the level above), and a linear layer of that level gives the logits. */
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

void deeper_actor_init(struct deeper_actor *actor, struct parameters *parameters, struct random_stream *stream,
                       const struct space *space);
/* The logits of one level; the levels above it are in `trace`. */
void deeper_actor_forward(const struct deeper_actor *actor, const struct encoding *encoding, enum deeper_level level,
                          int previous, struct deeper_trace *trace, double logits[LEVEL_CHOICES_MAX]);
/* Of the first `level_count` levels. */
void deeper_actor_backward(const struct deeper_actor *actor, const struct deeper_trace *trace, int level_count,
                           double logit_gradients[DEEPER_LEVELS][LEVEL_CHOICES_MAX], struct encoding *gradient);

#endif
