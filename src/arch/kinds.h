/*
 * kinds.h - the kinds of layers: one row of traits each, and the parts that each is made of.
 *
 * What the program knows of a kind stands here once: how it is written, what its numbers are, how it may grow, what the
 * screens call it, and what it computes.  Shapes, cost, the layout of weights, lowering, transformations and the tests'
 * reference all walk the parts.  Pure, any thread.
 */
#ifndef ESPALIER_ARCH_KINDS_H
#define ESPALIER_ARCH_KINDS_H

#include <stddef.h>

#include "arch/arch.h"

/* --- parts --- */

enum part_kind {
    PART_CONV,    /* no bias; zero padding kernel / 2 */
    PART_LINEAR,  /* of all values of its input */
    PART_BN_RELU, /* batch normalisation, then ReLU or hard-swish */
    PART_BN,      /* batch normalisation of a convolution, then PART_ADD */
    PART_MAX_POOL,
    PART_AVERAGE_POOL,
    PART_SQUEEZE, /* average over the whole map, linear with bias, ReLU; then PART_EXCITE */
    PART_EXCITE,  /* linear with bias, gates (arch.h), and the input of the PART_SQUEEZE before it times these */
    PART_CONCAT, /* the layer's input, then the channels that the part before it made */
    PART_ADD     /* the layer's input plus what the part before it made, which has the same shape */
};

/* The weights of a layer, in the order in which they lie (weights.h).  A convolution or linear part and the BN behind
   it share one; a BN with no weight before it has one of its own.  WEIGHTS_BOTTLENECK is the convolution inside of a
   layer that makes its bottleneck (D) or its hidden channels (R, M). */
enum weights_part {
    WEIGHTS_NORM,
    WEIGHTS_BOTTLENECK,
    WEIGHTS_DEPTHWISE,
    WEIGHTS_SQUEEZE,
    WEIGHTS_EXCITE,
    WEIGHTS_MAIN,
    WEIGHTS_PARTS
};

/* "dense1.norm", "dense1.bottleneck", "mobile1.hidden", "mobile1.depthwise", "mobile1.squeeze", "mobile1.excite";
   "dense1" of WEIGHTS_MAIN. */
enum { WEIGHTS_NAME_MAX = 2 * LAYER_NAME_MAX };
char *weights_part_name(const struct arch *arch, int layer, enum weights_part part, char name[WEIGHTS_NAME_MAX]);

enum part_dropout { DROPOUT_NONE, DROPOUT_POOL, DROPOUT_FC, DROPOUT_DENSE };

struct part {
    enum part_kind kind;
    struct shape in, out;      /* one image */
    int kernel, stride;        /* convolutions and pools */
    bool depthwise;            /* a convolution whose output channel c reads input channel c alone */
    bool hard_swish;           /* PART_BN_RELU: in place of the ReLU */
    enum weights_part weights; /* what has weights */
    bool bias;                 /* linear parts, PART_SQUEEZE and PART_EXCITE */
    enum part_dropout dropout; /* the option whose dropout acts on its output */
};

enum { LAYER_PARTS_MAX = 9 };

struct layer_parts {
    struct shape in; /* the layer's input */
    int count;
    struct part parts[LAYER_PARTS_MAX];
};

/* The parts of layer number `layer` for an input of shape `in`, in the order in which they run.  Sizes are not checked:
   a pool may be larger than its map (arch_shapes). */
void layer_parts_of(const struct arch *arch, int layer, struct shape in, struct layer_parts *parts);

/* Whether the part and the one behind it are computed in one pass, and what lies between them isn't stored: a linear
   part and its BN, a BN and its pool or its addition, the two of se. */
bool part_joins(const struct part *part, const struct part *next);
bool part_has_weights(const struct part *part);
bool part_is_linear(const struct part *part); /* a convolution or linear */
bool part_is_bn(const struct part *part);
bool part_is_pool(const struct part *part);
/* The input channels that one output of a convolution reads. */
int part_channels_read(const struct part *part);

/* --- traits --- */

/* How a number is written: ARGUMENT_HUNDREDTHS writes 50 as 0.5, ARGUMENT_LIST has one layer for each number in
   brackets. */
enum argument_form { ARGUMENT_ANY, ARGUMENT_ODD, ARGUMENT_HUNDREDTHS, ARGUMENT_LIST };

/* One number in a layer's parentheses: where it lies in struct layer, and its range. */
struct layer_argument {
    const char *what;
    size_t offset;
    int minimum, maximum;
    enum argument_form form;
};

enum { LAYER_ARGUMENTS_MAX = 3 };

/* A network is maps, then vectors, then the classifier. */
enum layer_section { SECTION_MAPS, SECTION_VECTORS, SECTION_CLASSIFIER };

/* Which list of a space has the layer's candidate widths (space.h). */
enum width_list { WIDTHS_NONE, WIDTHS_FILTERS, WIDTHS_UNITS, WIDTHS_GROWTHS, WIDTHS_HIDDEN, WIDTH_LISTS };

struct layer_traits {
    const char *symbol; /* as written, and on charts */
    const char *name;   /* as in layer_name() */
    const char *form;   /* for messages */
    /* Add the parts to the empty list `parts`, whose `in` is set.  `raw_input`: the layer before it is raw_output. */
    void (*parts)(const struct layer *layer, bool raw_input, struct layer_parts *parts);
    struct layer_argument arguments[LAYER_ARGUMENTS_MAX + 1]; /* up to the first whose `what` is NULL */
    int features; /* that it may have behind its numbers */
    enum layer_section section;
    const char *noun, *counts; /* "new convolution of 8 filters"; of layers that grow */
    enum width_list widths;    /* WIDTHS_NONE: it can't be widened, and no layer can be inserted behind it */
    bool has_kernel;           /* a layer that is inserted behind it may have any kernel of the space */
    bool widens_to_deepen;     /* a layer that is inserted behind it adds channels to the map (morph/widen.c) */
    bool dense;                /* in dense spaces only, and behind a C */
    bool modern;               /* in modern spaces only, behind a C, and in no network with dense kinds */
    bool raw_output;           /* its output has not been through a BN and a ReLU */
    bool reads_raw;            /* it may follow such a layer, and then begins with a BN and a ReLU */
    int token_place; /* of its words in the controller's vocabulary; those of dense kinds come behind the plain
                        ones, those of modern kinds last */
};

const struct layer_traits *layer_kind_traits(enum layer_kind kind);
const struct layer_traits *layer_traits(const struct layer *layer);
int *layer_argument(struct layer *layer, const struct layer_argument *argument);
/* The most that `units` may be. */
int layer_units_max(const struct layer *layer);
/* How a feature is written ("se"), from number 0 on, and its bit in `feature`; NULL past the last. */
const char *layer_feature_word(int number, int *feature);
/* The symbols of the kinds that `chosen` picks, or of all: "C, P and A". */
enum { LAYER_SYMBOLS_MAX = 64 };
char *layer_symbols(bool (*chosen)(const struct layer_traits *traits), const char *last, char text[LAYER_SYMBOLS_MAX]);

/* Everything that holds without knowing the input: numbers in range, order of the kinds, a C and an SM. */
int arch_check(const struct arch *arch, struct error *error);
/* "layer 3, P(2,2): WHAT".  Returns -1. */
int layer_error(const struct arch *arch, int layer, struct error *error, const char *what);

#endif
