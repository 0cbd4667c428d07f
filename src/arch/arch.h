/*
 * arch.h - an architecture as a plain value: a list of layers, its notation, shapes and cost.
 *
 * Pure: values in, values out, no I/O, any thread.  kinds.h has what the program knows of each kind of layer.  The
 * notation is the paper's (EAS, section 4):
 *
 *     C(16,3,1) P(2,2) C(32,3,1) A(4,4) FC(256) SM(10)
 *     C(24,3,1) D(4,[12,12,12]) T(0.5) D(4,[12,12,12]) A(14,14) SM(10)
 *
 *     C(filters,kernel,stride)   convolution - BN - ReLU; zero padding kernel/2; output side (side-1)/stride + 1
 *     P(size,stride)             max pool without padding; output side (side-size)/stride + 1
 *     A(size,stride)             average pool, likewise
 *     FC(units)                  linear - BN - ReLU
 *     SM(classes)                linear with bias, softmax
 *
 * Neither C nor FC has a bias, since the BN's beta is one.
 *
 * D and T make a DenseNet (Huang, Liu, van der Maaten, Weinberger, CVPR 2017).  Each growth rate in the brackets of
 * D(bottleneck,[growth,...]) is one layer, which adds that many channels to the map that it reads:
 *     BN - ReLU - 1x1 conv to bottleneck * growth channels - BN - ReLU - 3x3 conv to growth channels,
 * or BN - ReLU - 3x3 conv where the bottleneck is 0.  A run of them is a block.  T(reduction) is a transition: BN -
 * ReLU - average pool 2, stride 2 - 1x1 conv to reduction * channels, rounded down, at least one.  (The paper pools
 * last.  The result is the same, and in this order the convolution costs a quarter.)  The output of D and T has not
 * been through a BN and a ReLU; the next layer begins with them.  So only D, T or a pool may follow D or T, and such a
 * pool is BN - ReLU - pool: the network's last BN belongs to its average pool.
 *
 * R, M and S make a residual or a separable network.  R is the basic block of ResNet (He, Zhang, Ren, Sun, CVPR 2016),
 * M the inverted bottleneck of MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov, Chen, CVPR 2018), and S the separable
 * convolution of MobileNet (Howard et al. 2017).  Of their input x they compute
 *
 *     R(hidden,kernel)           convolution to `hidden` channels - BN - ReLU - convolution back - BN; plus x
 *     M(hidden,kernel)           1x1 convolution to `hidden` channels - BN - ReLU - depthwise convolution - BN - ReLU -
 *                                1x1 convolution back - BN; plus x
 *     S(filters,kernel,stride)   depthwise convolution - BN - ReLU - 1x1 convolution to `filters` channels - BN - ReLU
 *
 * Behind the numbers of R, M and S may stand
 *
 *     se    squeeze-and-excitation (Hu, Shen, Sun, CVPR 2018) of the c channels that the layer's last convolution
 *           reads: each is multiplied by a gate, 2 * hard sigmoid(s) = min(max(1 + s / 3, 0), 2); the values s are a
 *           linear layer with bias of max(c / 4, 1) values, those a linear layer with bias - ReLU of the channels'
 *           averages over the map (as in MobileNetV3, Howard et al., ICCV 2019)
 *     hs    hard-swish (MobileNetV3), x * min(max(x + 3, 0), 6) / 6, in place of each ReLU
 *
 * in this order, as in M(48,5,se,hs).  The 2 lets a gate be 1 where s is 0: with zeros in the second linear layer se is
 * the identity, and has a gradient.  (A hard sigmoid that gives 1 has none.)  The BN behind the next convolution makes
 * up for the factor.
 *
 * R and M have a stride of 1 and as many channels as x, so that layers in front of them decide the width of this
 * stream.  Nothing follows the addition, also where ResNet has a ReLU (He, Zhang, Ren, Sun, Identity Mappings, ECCV
 * 2016): a block whose last BN has gamma 0 and beta 0 is the identity, wherever it stands.
 *
 * Order: first C, P, A, D, T, R, M and S, at least one C, the first D, T, R, M or S behind a C, and no R, M or S in a
 * network with D or T; then any number of FC; then one SM of 2 classes or more.
 */
#ifndef ESPALIER_ARCH_ARCH_H
#define ESPALIER_ARCH_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"
#include "util/hash.h"
#include "util/text.h"

enum layer_kind {
    LAYER_CONV,
    LAYER_MAX_POOL,
    LAYER_AVERAGE_POOL,
    LAYER_DENSE, /* one layer of a D */
    LAYER_TRANSITION,
    LAYER_RESIDUAL,
    LAYER_MOBILE, /* an inverted bottleneck */
    LAYER_SEPARABLE,
    LAYER_FC,
    LAYER_SOFTMAX,
    LAYER_KINDS
};

/* What a block may have beside its convolutions. */
enum layer_feature { LAYER_SQUEEZE = 1, LAYER_HARD_SWISH = 2 };

struct layer {
    enum layer_kind kind;
    int units;      /* filters of C and S, hidden channels of R and M, units of FC, classes of SM, growth rate of D; 0
                       for pools and T */
    int kernel;     /* side of the kernel (odd; C, R, M, S) or of the pooling window; 0 otherwise */
    int stride;     /* of C, S and pools; 0 otherwise */
    int bottleneck; /* of D: channels of the bottleneck for each of the growth rate, or 0; 0 otherwise */
    int percent;    /* of T: 100 * reduction, 1 to 100; 0 otherwise */
    int features;   /* of R, M, S: a sum of layer_feature; 0 otherwise */
};

/* Side and stride of the pool in T. */
enum { TRANSITION_POOL = 2 };

/* Channels for each squeezed value of se, as in MobileNetV3. */
enum { SQUEEZE_RATIO = 4 };

enum {
    ARCH_LAYERS_MAX = 128,
    ARCH_UNITS_MAX = 4096,
    ARCH_KERNEL_MAX = 11,
    ARCH_BOTTLENECK_MAX = 16,
    ARCH_GROWTH_MAX = ARCH_UNITS_MAX / ARCH_BOTTLENECK_MAX,
    ARCH_SIDE_MAX = 1024,
    ARCH_VALUES_MAX = 1 << 24,     /* of an image, and of a layer's output for one image */
    ARCH_PARAMETERS_MAX = 1 << 28, /* a gibibyte of weights */
    LAYER_NAME_MAX = 16
};

struct arch {
    int layer_count;
    struct layer layers[ARCH_LAYERS_MAX];
};

/* An image, or a layer's output for one image. */
struct shape {
    int channels, height, width;
};

/* What one network costs.  FLOPs: a multiply and an add count as two, for one image, forward:
   convolutions, FC, BN (2 per value), ReLU (1), hard-swish (4), additions of R and M (1), pooling (1 per window
   element), classifier (with 1 for its bias), se (averages, linear layers, and 1 per value for its product). A layer's
   outputs are those of its parts (kinds.h), but not the values between parts that one pass computes. */
struct arch_cost {
    int64_t parameters; /* trainable values: weights, gamma, beta, the biases of the classifier and of se */
    int64_t flops;
    int64_t activation_bytes; /* float32 outputs of all layers for one image */
    int64_t depth;            /* parts with a weight */
};

/* 0 means no limit. */
struct arch_limits {
    int64_t depth; /* parts with a weight: convolutions, FC and SM */
    int64_t parameters;
    int64_t flops;
    int64_t memory; /* bytes of activations for one batch of `batch` images, kept for the backward pass */
    int batch;
};

/* Read the notation; blanks between layers are free, letters may be lower case.  Checks everything that
   does not need the input's shape.  The message names the layer (by position and text) that is wrong. */
int arch_parse(struct arch *arch, const char *text, struct error *error);
/* The one canonical spelling: single blanks, upper case, no blank inside parentheses, D that follow one another and
   have one bottleneck written as one. */
void arch_print(const struct arch *arch, struct text *text);
void layer_print(const struct layer *layer, struct text *text);
/* Read one layer as it is written in a network.  -1: it isn't one, or more follows. */
int layer_parse(const char *text, struct layer *layer);
bool arch_equal(const struct arch *a, const struct arch *b);
/* Hash of the canonical spelling: the identity of an architecture in a session. */
struct hash arch_hash(const struct arch *arch);

/* Output shape of every layer for this input: shapes[i] of layer i; of D the whole map, old channels first.  Fails with
   the layer and the map's size when a window does not fit, and on sizes that no memory holds; a network that passes can
   be built. */
int arch_shapes(const struct arch *arch, struct shape input, struct shape shapes[ARCH_LAYERS_MAX], struct error *error);
/* Needs a network that arch_shapes accepts (asserted). */
struct arch_cost arch_cost(const struct arch *arch, struct shape input);
/* 0, or -1 with what is over which limit and by how much. */
int arch_within(const struct arch *arch, struct shape input, const struct arch_limits *limits, struct error *error);

/* "conv2", "pool1", "average1", "dense3", "transition1", "residual1", "mobile2", "separable1", "fc1", "classifier":
   kind and number from 1 among its kind. */
void layer_name(const struct arch *arch, int layer, char name[LAYER_NAME_MAX]);
/* Its index, or -1. */
int layer_find(const struct arch *arch, const char *name);
/* C, D, R, M, S and FC: those that actions can widen. */
bool layer_grows(const struct layer *layer);
/* The average pool behind a network's last map: one window over a square map.  Over another map windows of its smaller
   side, as few as cover all of it without a rest. */
struct layer layer_average_of(struct shape map);
/* FC and SM, whose output is a vector. */
bool layer_is_flat(const struct layer *layer);
/* Does it have a D or a T? */
bool arch_is_dense(const struct arch *arch);
/* The channels of the map behind a layer; 0 where they depend on the size or the channels of the images. */
int arch_channels(const struct arch *arch, int layer);
/* Does it have an R, M or S? */
bool arch_is_modern(const struct arch *arch);

#endif
