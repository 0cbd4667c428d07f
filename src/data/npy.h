/*
 * npy.h - reads an array as NumPy saves it (.npy, versions 1 and 2).
 *
 * The header is parsed as the one form that NumPy writes, and never evaluated.  Python objects (pickles), which can run
 * code, and structured arrays are refused.  Pure; the array's values stay where they are.  Messages say what is wrong;
 * the caller puts the array's name before them.
 */
#ifndef ESPALIER_DATA_NPY_H
#define ESPALIER_DATA_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "util/text.h"

enum { NPY_DIMENSIONS_MAX = 4 };

struct npy {
    char kind; /* 'u' and 'i': integers without and with sign, 'f': floats, 'b': truth values, 'S' and 'U': texts of
                  bytes and of characters, and others */
    int bytes; /* of one value */
    bool big_endian;
    int dimensions;
    size_t sizes[NPY_DIMENSIONS_MAX];
    size_t strides[NPY_DIMENSIONS_MAX]; /* in values, between neighbours along a dimension */
    const uint8_t *values;              /* borrowed */
};

int npy_parse(const uint8_t *bytes, size_t length, struct npy *npy, struct error *error);
/* "float32", "bool"; "(100, 28, 28)". */
char *npy_type_name(const struct npy *npy, char text[24]);
char *npy_shape_name(const struct npy *npy, char text[100]);
/* An integer of kind 'u' or 'i', by its place in memory; beyond int64_t it is INT64_MAX. */
int64_t npy_integer(const struct npy *npy, size_t place);
/* Add a text of kind 'S' or 'U', by its place in memory, as UTF-8 to an empty text.  -1: it is empty, isn't UTF-8 or
   has invisible characters. */
int npy_text(const struct npy *npy, size_t place, struct text *text);

#endif
