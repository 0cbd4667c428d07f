/* encoder.h - reads an architecture: tokens, embeddings, and an LSTM in each direction (EAS, section 3.2). */
#ifndef ESPALIER_POLICY_ENCODER_H
#define ESPALIER_POLICY_ENCODER_H

#include "arch/space.h"
#include "policy/layers.h"

/* A layer is a word.  There is one word for each pair of filters and kernel of the space, for each FC width, for each
   kind of pool and for the classifier; in a dense space also for the transition and for each growth rate, and in a
   modern one for these and for each pair of hidden channels or filters and kernel of R, M and S.  A width or kernel
   that isn't in the space has the word of the next lower one, or of the lowest.  Strides have no words, as in EAS; nor
   have bottleneck and reduction, which are the same in all networks of a search.  Words are numbered: kinds in the
   order of their token_place, in a kind widths, in a width kernels; `dense`: with those of dense networks, which come
   behind those of plain ones.  The features of R, M and S are no words: a vector for each combination of them is added
   to the embedding of the word.  It is zero at first, so that a controller which knew none reads as before. */
int token_count(const struct space *space, bool dense);
int token_of(const struct space *space, const struct layer *layer);

enum { EMBEDDING = 16, ENCODER_SIDE = 50, ENCODER_UNITS = 2 * ENCODER_SIDE };

struct encoder {
    const struct space *space;
    struct parameter *embedding; /* one row for each token */
    struct parameter *features; /* one row for each combination of features but none; NULL unless the space is modern */
    struct lstm forwards, backwards;
};

/* The encoded architecture, which the actors read; or the gradients of these values. */
struct encoding {
    double outputs[ARCH_LAYERS_MAX][ENCODER_UNITS]; /* of each layer: forwards, then backwards */
    struct lstm_state last;                         /* of both directions after their last layer, in that order */
};

struct encoder_trace {
    int count;
    int tokens[ARCH_LAYERS_MAX], features[ARCH_LAYERS_MAX];
    struct lstm_trace forwards[ARCH_LAYERS_MAX], backwards[ARCH_LAYERS_MAX];
};

void encoder_init(struct encoder *encoder, struct parameters *parameters, struct random_stream *stream,
                  const struct space *space, bool dense);
/* Adds the vectors of features, behind all other parameters. */
void encoder_add_features(struct encoder *encoder, struct parameters *parameters);
void encoder_forward(const struct encoder *encoder, const struct arch *arch, struct encoding *encoding,
                     struct encoder_trace *trace);
/* Adds to the gradients of the parameters. */
void encoder_backward(const struct encoder *encoder, const struct encoder_trace *trace,
                      const struct encoding *gradient);

#endif
