/* space.h - which architectures a search may reach: candidate widths and kernels (EAS, section 5). */
#ifndef ESPALIER_ARCH_SPACE_H
#define ESPALIER_ARCH_SPACE_H

#include "arch/action.h"
#include "arch/kinds.h"

enum { SPACE_WIDTHS_MAX = 32, SPACE_KERNELS_MAX = 4 };

struct space {
    const char *name;
    struct space_widths {
        int count, values[SPACE_WIDTHS_MAX]; /* ascending */
    } widths[WIDTH_LISTS];                   /* by kind of layer (kinds.h); WIDTHS_NONE is empty */
    int kernel_count, kernels[SPACE_KERNELS_MAX];
    bool modern; /* what it inserts behind a map is an M */
};

/* `small`: filters 4,8,…,40, FC 8,16,…,80 (the published demonstration), growth rates 4,6,…,48; `paper`: filters
   16,32,64,96,128,192,256,320,384,448,512,576,640, FC 64,128,256,384,512,640,…,1280, growth rates 40,44,…,64.
   Kernels 1,3,5.  `modern`: filters 8,12,…,128; kernels 3,5,7.  Hidden channels 8,16,…,384 in all.  NULL when
   unknown. */
const struct space *space_find(const char *name);
/* The row number `index`, or NULL past the end: for --help. */
const struct space *space_at(int index);

/* The candidate widths of a layer like this one. */
const struct space_widths *space_widths(const struct space *space, const struct layer *layer);
/* The next candidate width above the layer's, or 0 when it can't grow (also for pools, T and SM). */
int space_wider(const struct space *space, const struct layer *layer);
/* The next candidate width below the layer's, or 0 when there is none. */
int space_narrower(const struct space *space, const struct layer *layer);
/* The next candidate kernel above the layer's, or 0 when there is none (also for layers without a kernel). */
int space_larger_kernel(const struct space *space, const struct layer *layer);
/* The action that inserts a layer behind `layer` with this kernel, which layers without a kernel ignore.  In a modern
   space an M, which has about three times the channels that it reads, and the features of the block before it; else a
   layer like the one before. */
struct action space_deepen(const struct space *space, const struct arch *arch, int layer, int kernel);
/* Fill in a width or kernel left out of an action's text: the next wider or narrower, a new layer's kernel 3, a larger
   kernel. */
int space_complete(const struct space *space, const struct arch *arch, struct action *action, struct error *error);

/* The start network of a search when none is named: four blocks of one 3×3 convolution, max pool 2 between,
   average pool over what is left, one FC, classifier; every width the space's smallest.  Fewer blocks for
   images under 16 pixels.  For 32×32 pixels it is the network of the published demonstration. */
void space_start(const struct space *space, struct shape map, int classes, struct arch *arch);
/* The same for dense networks: a 3×3 convolution of twice the smallest growth rate, max pool 2, then three blocks of
   one layer with that growth rate and a bottleneck of 4, transitions of reduction 0.5 between, average pool over what
   is left, classifier.  Fewer blocks likewise. */
void space_start_dense(const struct space *space, struct shape map, int classes, struct arch *arch);
/* The same for modern networks: three stages of one M with a kernel of 3 and three times the smallest width as hidden
   channels, the first behind a 3×3 convolution, the others behind an S with a stride of 2, average pool over what is
   left, classifier.  Fewer stages likewise. */
void space_start_modern(const struct space *space, struct shape map, int classes, struct arch *arch);

#endif
