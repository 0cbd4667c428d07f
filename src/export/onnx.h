/*
 * onnx.h - a trained network as an ONNX file, which other programs run: float32, in any of several operator sets.
 *
 * Its input is `image`, N × channels × height × width floats, pixels from 0 to 255; its output `probabilities`, N ×
 * classes, the softmax.  The graph contains the normalisation of pixels.  Each BN is folded into the convolution or FC
 * before it, so outputs differ from the network's in the last digits.
 */
#ifndef ESPALIER_EXPORT_ONNX_H
#define ESPALIER_EXPORT_ONNX_H

#include "export/safetensors.h"

/* Of them all, the operators of the graph mean the same. */
enum { ONNX_OPSET_MIN = 9, ONNX_OPSET = 13, ONNX_OPSET_MAX = 22 };

/* The file's bytes, `*length` of them; free() it.  A pixel of channel c is normalised to pixel * scale[c] + shift[c].
 */
void *onnx_encode(const struct weights *weights, const float *scale, const float *shift, int opset,
                  const struct safetensors_note *notes, size_t *length);

#endif
