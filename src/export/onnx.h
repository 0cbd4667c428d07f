/*
 * onnx.h - a trained network as an ONNX file, which other programs run: operator set 13, float32.
 *
 * Its input is `image`, N × channels × height × width floats, pixels from 0 to 255; its output `probabilities`, N ×
 * classes, the softmax.  The graph contains the normalisation of pixels.  Each BN is folded into the convolution or FC
 * before it, so outputs differ from the network's in the last digits.
 */
#ifndef ESPALIER_EXPORT_ONNX_H
#define ESPALIER_EXPORT_ONNX_H

#include "arch/weights.h"

/* A text for the file's metadata; an array of them ends with a NULL name, and NULL is none. */
struct onnx_note {
    const char *name, *text;
};

/* The file's bytes, `*length` of them; free() it.  A pixel of channel c is normalised to pixel * scale[c] + shift[c].
 */
void *onnx_encode(const struct weights *weights, const float *scale, const float *shift, const struct onnx_note *notes,
                  size_t *length);

#endif
