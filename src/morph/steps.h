/*
 * steps.h - inside the room morph: the two transformations behind morph_apply, and what they share.
 *
 * The child comes in as weights_new() made it and is filled; the action was checked by action_apply.
 */
#ifndef ESPALIER_MORPH_STEPS_H
#define ESPALIER_MORPH_STEPS_H

#include "morph/morph.h"

void morph_widen(const struct weights *parent, int layer, const struct morph_options *options,
                 struct random_stream *stream, struct weights *child);
/* -1 when `measure` failed or what it measured is no statistic. */
int morph_deepen(const struct weights *parent, int layer, const struct morph_options *options,
                 const struct morph_measure *measure, struct random_stream *stream, struct weights *child,
                 struct error *error);

/* Copy what a layer has one of per output (bias, gamma, beta, mean, variance): target i from map[i]; NULL: from i. */
void morph_copy_units(const struct weights *from, int from_layer, const int32_t *map, struct weights *to, int to_layer);
/* Copy all values of a layer into one of the same shape. */
void morph_copy_layer(const struct weights *from, int from_layer, struct weights *to, int to_layer);
int64_t morph_weight_count(const struct weights_layer *layer);
/* Population standard deviation. */
float morph_deviation(const float *values, int64_t count);
void morph_add_noise(float *values, int64_t count, float deviation, struct random_stream *stream);

#endif
