/*
 * steps.h - inside the room morph: the two transformations behind morph_apply, and what they share.
 *
 * They fill a child that weights_new() made.  action_apply() has checked the action.
 */
#ifndef ESPALIER_MORPH_STEPS_H
#define ESPALIER_MORPH_STEPS_H

#include "morph/morph.h"

/* Widening, and deepening after a dense layer. */
void morph_widen(const struct weights *parent, const struct action *action, const struct morph_options *options,
                 struct random_stream *stream, struct weights *child);
/* Deepening after a convolution or an FC layer.  -1: `measure` failed, or gave a value that is no mean or variance. */
int morph_deepen(const struct weights *parent, int layer, const struct morph_options *options,
                 const struct morph_measure *measure, struct random_stream *stream, struct weights *child,
                 struct error *error);

int64_t morph_weight_count(const struct weights_layer *layer);
/* Population standard deviation. */
float morph_deviation(const float *values, int64_t count);
void morph_add_noise(float *values, int64_t count, float deviation, struct random_stream *stream);

#endif
