/*
 * steps.h - private to src/morph: the transformations behind morph_apply, and what they share.
 *
 * They fill a child that weights_new() made.  action_apply() has checked the action.
 */
#ifndef ESPALIER_MORPH_STEPS_H
#define ESPALIER_MORPH_STEPS_H

#include "morph/channels.h"

/* Widening, and deepening after a dense layer; of a narrowing the part that leaves units out. */
void morph_widen(const struct weights *parent, const struct action *action, const struct morph_options *options,
                 struct random_stream *stream, struct weights *child);
/* Deepening after a convolution or an FC layer.  -1: `measure` failed, or gave a value that is no mean or variance. */
int morph_deepen(const struct weights *parent, int layer, const struct morph_options *options,
                 const struct morph_measure *measure, struct random_stream *stream, struct weights *child,
                 struct error *error);

/* An R or M behind `layer`, whose output is its input: the BN in front of its addition has gamma and beta 0. */
void morph_insert_block(const struct weights *parent, int layer, struct random_stream *stream, struct weights *child);

/* The child has the parent's layers, and squeeze-and-excitation in one whose gates are 1: its second linear layer is 0.
 */
void morph_squeeze(const struct weights *parent, int layer, struct random_stream *stream, struct weights *child);

void morph_narrow(const struct weights *parent, const struct action *action, const struct morph_options *options,
                  struct random_stream *stream, struct weights *child);
/* The child has all layers of the parent but this one. */
void morph_remove(const struct weights *parent, int layer, struct weights *child);
/* The child has the parent's layers, with other kernels. */
void morph_resize_kernel(const struct weights *parent, struct weights *child);

/* All parts of a layer into one with the same inputs and outputs, which may have more parts; the kernel may differ. */
void morph_copy_layer(const struct weights *from, int from_layer, struct weights *to, int to_layer);
/* Does a layer hand on the channels that it reads, its own behind them or added to them? */
bool morph_hands_on(const struct weights *weights, int layer);
/* The `count` units of a part that matter most to the layers that read it (importance.c). */
void morph_most_important(const struct weights *weights, int layer, enum weights_part part, int count,
                          struct channels *kept);
int64_t morph_weight_count(const struct weights_layer *layer);
/* Population standard deviation. */
float morph_deviation(const float *values, int64_t count);
void morph_add_noise(float *values, int64_t count, float deviation, struct random_stream *stream);

#endif
