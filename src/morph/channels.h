/*
 * channels.h - private to src/morph: which channel of the parent each channel of the child is a copy of.
 *
 * A layer that reads a copy has the parent's weight times `share`.  The shares of all copies of a channel sum to 1, so
 * that the layer computes the same value as before.  A plain value; the counts are within ARCH_UNITS_MAX.
 */
#ifndef ESPALIER_MORPH_CHANNELS_H
#define ESPALIER_MORPH_CHANNELS_H

#include "morph/morph.h"

struct channels {
    int old_count, new_count;
    bool same; /* every channel is itself, with share 1 */
    int32_t from[ARCH_UNITS_MAX];
    double share[ARCH_UNITS_MAX];
};

void channels_same(struct channels *channels, int count);
/* Draw the map and the shares of a widening. */
void channels_widen(struct channels *channels, int old_count, int new_count, enum morph_split split,
                    struct random_stream *stream);
/* Keep the `new_count` most important channels, in their order; of equals the earlier ones. */
void channels_narrow(struct channels *channels, int old_count, int new_count, const double *importance);
/* Append the channels of a layer that writes behind these. */
void channels_append(struct channels *channels, const struct channels *added);

/* Fill a part of the child's layer from that of the parent's: rows by `outputs`, columns by `inputs`.  An input may
   stand for a block of values (a convolution's window, or a whole map in front of an FC).  `inputs` is NULL where
   there is no weight, and for a depthwise convolution, whose rows are copied whole.  Columns that the child has beyond
   the parent's stay zero.  Outputs with share 0 copy nothing, and stay as weights_new() made them. */
void channels_copy_part(const struct weights *parent, int parent_layer, struct weights *child, int child_layer,
                        enum weights_part part, const struct channels *inputs, const struct channels *outputs);

#endif
