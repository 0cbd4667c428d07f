/*
 * safetensors.h - weights as a safetensors file: opens with the usual libraries of Python and Rust.
 *
 * Tensors are F32, have the shapes of weights.h, and are named after layers: `conv1.weight`, `conv1.gamma`,
 * `conv1.beta`, `conv1.mean`, `conv1.variance`, `classifier.bias`; of dense layers also `dense1.norm.gamma`,
 * `dense1.bottleneck.weight`, …, of residual and mobile ones `mobile1.hidden.weight`, `mobile1.depthwise.weight`, ….  Where the weights are an average, `raw.conv1.weight` and so on are what training had.
 * `__metadata__` holds `arch` and `input` ("3,32,32"), and may hold notes (notes.h).  jansson reads the header, and
 * refuses duplicate keys.
 */
#ifndef ESPALIER_EXPORT_SAFETENSORS_H
#define ESPALIER_EXPORT_SAFETENSORS_H

#include "arch/weights.h"
#include "util/hash.h"

enum { SAFETENSORS_FILE_MAX = 1 << 30 };

/* A text in a file's metadata; an array of them ends with a NULL name, and NULL is none.  A text that is not UTF-8 is
   left out of the file. */
struct safetensors_note {
    const char *name, *text;
};
/* The note of that name in a file that was read, the caller's to free(); NULL: there is none. */
char *safetensors_note(const void *bytes, size_t length, const char *name);

/* The whole file in memory, the caller's to free(), and the hash that names it. */
void safetensors_encode(const struct weights *weights, const struct safetensors_note *notes, void **bytes,
                        size_t *length, struct hash *hash);
/* Every offset, shape and type is checked against the architecture in the metadata. */
int safetensors_decode(const void *bytes, size_t length, struct weights **weights, struct error *error);
/* Read a file; when `expected` is not NULL it is one of a session (session_file.h), and its content must have that
 * hash. */
int safetensors_read(const char *path, const struct hash *expected, struct weights **weights, struct error *error);
int safetensors_write(const char *path, const struct weights *weights, const struct safetensors_note *notes,
                      struct error *error);

/* Any set of float32 tensors: the controller's state.  Names are the caller's; `values` borrowed. */
struct named_tensor {
    char name[48];
    int rank;
    int64_t shape[4];
    float *values;
};
void safetensors_encode_list(const struct named_tensor *tensors, int count, const struct safetensors_note *notes,
                             void **bytes, size_t *length);
/* Fill the values of the named tensors, which must all be there with the same shapes. */
int safetensors_decode_list(const void *bytes, size_t length, struct named_tensor *tensors, int count,
                            struct error *error);

#endif
