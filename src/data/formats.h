/*
 * formats.h - the table of data sets and the parsers of their file formats; for src/data/ and its tests.
 *
 * A parser reads a file that is in memory, and trusts nothing in it.  Its message says what is wrong and where, and the
 * caller puts the path before it.  images_done() frees what a parser stored in `images`, also after a failure.
 */
#ifndef ESPALIER_DATA_FORMATS_H
#define ESPALIER_DATA_FORMATS_H

#include <stddef.h>

#include "data/images.h"

/* Pixels of one part of a data set, all files together. */
enum { IMAGES_BYTES_MAX = INT32_MAX };

struct data_format {
    const char *name;
    const char *folder;             /* where Debian's package puts it; NULL: --data must name the folder */
    const char *prefix;             /* of the names of its IDX files; NULL: they are MNIST's */
    int classes;                    /* 0: the largest training label + 1 */
    const char *const *class_names; /* `classes` of them; NULL: the reader finds them, or there are none */
    int side;           /* of the square that images are scaled to, unless the spec has a size; 0: they aren't scaled */
    int channels;       /* that images are decoded to, where the reader asks: 3 are red, green and blue, 1 is grey */
    int first_label;    /* what the file calls class 0 */
    bool transposed;    /* images are stored column by column */
    bool extra;         /* the training part has the published set's extra images too */
    bool unit_range;    /* pixels are normalised to 0…1 */
    bool mirrors;       /* a mirrored image keeps its class (digits and letters don't) */
    const char *advice; /* where to get the files */
    int (*read)(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                struct images *images, struct error *error);
};

/* NULL when unknown. */
const struct data_format *data_format_find(const char *name);

/* The set lacks a file.  Say so, and what to do: another set may have its files there, or the set may lie there in a
   form that isn't read (an archive, Python's pickles).  Return -1. */
int data_refuse_missing(const struct data_spec *spec, const struct data_format *format, const char *name,
                        struct error *error);
/* Normalise by its own images: to 0…1 where the set says so, else by channel mean and std. */
void view_measure(struct view *view);
/* Of pixels and labels, their number and shape. */
struct hash images_hash(const struct images *images);
/* -1: the name has a control character or is no UTF-8, and can't be printed. */
int class_name_check(const char *name, struct error *error);

/* IDX.  Images have 3 dimensions (count, height, width) or 4 (count, channels, height, width). */
int idx_parse_images(const struct data_format *format, const void *bytes, size_t length, struct images *images,
                     struct error *error);
/* Sets `classes` to the largest label + 1. */
int idx_parse_classes(const struct data_format *format, const void *bytes, size_t length, struct images *images,
                      struct error *error);
/* Call it after the images: their number must agree, and every label must be below `images->classes`. */
int idx_parse_labels(const struct data_format *format, const void *bytes, size_t length, struct images *images,
                     struct error *error);
/* Does a folder have its training labels? */
bool idx_has_files(const struct data_format *format, const char *folder);
int idx_read(const struct data_spec *spec, const struct data_format *format, enum data_part part, struct images *images,
             struct error *error);

/* CIFAR's binary version: records of 1 (CIFAR-10) or 2 label bytes (CIFAR-100: coarse, fine), the last of which
   is the label, and 3 × 32 × 32 pixels.  Appends the records to `images`, whose `classes` is set. */
int cifar_parse(const void *bytes, size_t length, int label_bytes, struct images *images, struct error *error);
int cifar10_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                 struct images *images, struct error *error);
int cifar100_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                  struct images *images, struct error *error);

/* SVHN, format 2 (cropped digits): MATLAB files. */
int svhn_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
              struct images *images, struct error *error);

/* Arrays that NumPy saved in one file. */
int npz_parse(const void *bytes, size_t length, enum data_part part, struct images *images, struct error *error);
int npz_read(const struct data_spec *spec, const struct data_format *format, enum data_part part, struct images *images,
             struct error *error);

/* Pictures, a folder a class (folder.c). */
int folder_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
                struct images *images, struct error *error);

#endif
