/*
 * depthwise.h - the sums of a depthwise convolution over one plane: the convolution, which is also its input gradient,
 * and the weight gradient.
 *
 * Each tap of the kernel multiplies whole vectors of images; a run of pixels is summed in registers, so that a weight
 * is loaded once for all of them.  Code for each kernel, with its taps unrolled, was no faster.
 *
 * Both can ask the memory for a plane that is read later: they compute from the first-level cache, and the memory is
 * idle meanwhile.
 */
#ifndef ESPALIER_BACKEND_CPU_DEPTHWISE_H
#define ESPALIER_BACKEND_CPU_DEPTHWISE_H

#include "backend/cpu/layout.h"

#define slide_run         ISA_SYMBOL(slide_run)
#define outer_product_run ISA_SYMBOL(outer_product_run)

/* out = bias + sum over taps of weight * input. */
struct slide {
    int rows, columns, step; /* taps; input pixels from output to output */
    const float *weights;    /* [rows][columns] */
    float bias;
    int height, width; /* of the output */
    const float *x;    /* what the first tap multiplies for the first output */
    size_t x_pitch;
    float *out;
    size_t out_pitch, out_step; /* from row to row, from pixel to pixel */
    const float *ahead;         /* a plane without border of the output's size that is read later, or NULL */
};

void slide_run(const struct slide *slide);

/* sum of a tap += sum over pixels of gradient * input */
struct outer_product {
    int step, height, width; /* the map is the gradient's */
    const float *x;          /* what the first tap multiplied for the first output */
    size_t x_pitch;
    const float *d; /* the gradient's first pixel */
    size_t d_pitch;
    double *sums;       /* of each tap */
    const float *ahead; /* as in struct slide, of the gradient's size */
};

void outer_product_run(const struct outer_product *outer, int kernel);

#endif
