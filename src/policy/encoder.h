/* encoder.h - reads an architecture: tokens, embeddings, and an LSTM in each direction (EAS, section 3.2). */
#ifndef ESPALIER_POLICY_ENCODER_H
#define ESPALIER_POLICY_ENCODER_H

#include "policy/lstm.h"
#include "policy/tokens.h"

enum { EMBEDDING = 16, ENCODER_SIDE = 50, ENCODER_UNITS = 2 * ENCODER_SIDE };

struct encoder {
    const struct space *space;
    struct parameter *embedding; /* a row a token */
    struct lstm forwards, backwards;
};

/* What the actors read of an architecture: also the gradients of this. */
struct encoding {
    double outputs[ARCH_LAYERS_MAX][ENCODER_UNITS]; /* of each layer: forwards, then backwards */
    struct lstm_state last;                         /* both sides' state after their last layer, likewise */
};

struct encoder_trace {
    int count;
    int tokens[ARCH_LAYERS_MAX];
    struct lstm_trace forwards[ARCH_LAYERS_MAX], backwards[ARCH_LAYERS_MAX];
};

void encoder_init(struct encoder *encoder, struct parameters *parameters, struct random_stream *stream,
                  const struct space *space, bool dense);
void encoder_forward(const struct encoder *encoder, const struct arch *arch, struct encoding *encoding,
                     struct encoder_trace *trace);
/* Adds to the gradients of the parameters. */
void encoder_backward(const struct encoder *encoder, const struct encoder_trace *trace,
                      const struct encoding *gradient);

#endif
