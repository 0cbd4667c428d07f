/*
 * svhn.c - SVHN's cropped digits: MATLAB files, read by libmatio.
 *
 * A file has X, uint8 of 32 × 32 × 3 × count (y, x, channel, image: the first index runs fastest), and y, one label an
 * image, 1 to 10, where 10 is the digit 0.  The training part of `svhn-extra` is train and extra, in that order.
 *
 * libmatio loads thirty other libraries, among them those of HDF5, curl and LDAP.  So it is opened only when such a
 * file is read, and then stays open.
 */
#include "config.h"

#include <stdlib.h>

#include "data/formats.h"
#include "util/file.h"
#include "util/memory.h"

#ifdef HAVE_MATIO

#include <dlfcn.h>
#include <matio.h>

enum { SIDE = 32, CHANNELS = 3, PIXELS = CHANNELS * SIDE * SIDE, ZERO = 10 };

static void stay_silent(int level, char *message)
{
}

static size_t count_of(const matvar_t *x)
{
    return x->rank > 3 ? x->dims[3] : 1; /* MATLAB drops a last dimension of 1 */
}

static int check_pixels(const matvar_t *x, int count_before, struct error *error)
{
    if (x->class_type != MAT_C_UINT8 || x->isComplex || x->rank < 3 || x->rank > 4 || x->dims[0] != SIDE ||
        x->dims[1] != SIDE || x->dims[2] != CHANNELS || !x->data)
        return error_set(error, "X is not uint8 of 32 × 32 × 3 × count; take the cropped digits (format 2)");
    size_t count = count_of(x);
    if (count < 1 || x->nbytes != count * PIXELS)
        return error_set(error, "X is damaged or empty; copy the file again");
    if (count > IMAGES_BYTES_MAX / PIXELS - (size_t)count_before)
        return error_set(error, "makes the set larger than %d images; leave the extra images out",
                         IMAGES_BYTES_MAX / PIXELS);
    return 0;
}

static int check_labels(const matvar_t *y, size_t count, struct error *error)
{
    bool has_class = y->class_type == MAT_C_UINT8 || y->class_type == MAT_C_DOUBLE;
    size_t size = y->class_type == MAT_C_UINT8 ? 1 : sizeof(double);
    if (!has_class || y->isComplex || y->rank != 2 || !y->data)
        return error_set(error, "y is not one column of labels (uint8 or double); copy the file again");
    if (y->nbytes / size != count || y->nbytes % size)
        return error_set(error, "X has %zu images, and y %zu labels; copy the file again", count, y->nbytes / size);
    return 0;
}

static int take(const matvar_t *x, const matvar_t *y, struct images *images, struct error *error)
{
    if (!x || !y)
        return error_set(error, "has no variable %s, or it can't be read; copy the file again", x ? "y" : "X");
    if (check_pixels(x, images->count, error) || check_labels(y, count_of(x), error))
        return -1;
    size_t before = (size_t)images->count, count = count_of(x), all = before + count;
    images->shape = (struct shape){.channels = CHANNELS, .height = SIDE, .width = SIDE};
    images->pixels = memory_resize(images->pixels, all, PIXELS);
    images->labels = memory_resize(images->labels, all, sizeof *images->labels);
    const uint8_t *from = x->data;
    uint8_t *to = images->pixels + before * PIXELS;
    for (size_t i = 0; i < count; i++, from += PIXELS) {
        double label = y->class_type == MAT_C_UINT8 ? ((const uint8_t *)y->data)[i] : ((const double *)y->data)[i];
        if (!(label >= 1 && label <= ZERO && label == (int)label))
            return error_set(error, "label %zu of y is not a whole number from 1 to 10; copy the file again", i + 1);
        images->labels[before + i] = (uint16_t)((int)label % ZERO);
        for (int channel = 0; channel < CHANNELS; channel++)
            for (int row = 0; row < SIDE; row++)
                for (int column = 0; column < SIDE; column++)
                    *to++ = from[row + SIDE * (column + SIDE * channel)];
    }
    images->count = (int)all;
    return 0;
}

#define FUNCTIONS(F) F(Mat_LogInitFunc) F(Mat_Open) F(Mat_VarRead) F(Mat_VarFree) F(Mat_Close)

struct matio {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
};

static int matio_open(struct matio *matio, struct error *error)
{
    void *library = dlopen(MATIO_SONAME, RTLD_NOW | RTLD_LOCAL);
#define LOOK_UP(name) (matio->name = (__typeof__(matio->name))dlsym(library, #name)) &&
    if (library && FUNCTIONS(LOOK_UP) true)
        return 0;
    return error_set(error, "libmatio, which reads SVHN's files, can't be loaded (%s); install it again", dlerror());
}

static int read_file(const char *path, struct images *images, struct error *error)
{
    struct matio matio = {0};
    if (matio_open(&matio, error))
        return -1;
    matio.Mat_LogInitFunc("espalier", stay_silent); /* the errors are reported here */
    mat_t *file = matio.Mat_Open(path, MAT_ACC_RDONLY);
    if (!file)
        return error_set(error, "%s: can't be opened as a MATLAB file; copy it again", path);
    matvar_t *x = matio.Mat_VarRead(file, "X"), *y = matio.Mat_VarRead(file, "y");
    int failed = take(x, y, images, error);
    matio.Mat_VarFree(x);
    matio.Mat_VarFree(y);
    matio.Mat_Close(file);
    return failed ? error_prefix(error, "%s", path) : 0;
}

static int read_named(const struct data_spec *spec, const struct data_format *format, const char *name,
                      struct images *images, struct error *error)
{
    char *path = file_join(spec->folder, name);
    int result = file_exists(path) ? read_file(path, images, error)
                                   : error_set(error, "%s: %s is missing; %s", spec->folder, name, format->advice);
    free(path);
    return result;
}

#else

static int read_named(const struct data_spec *spec, const struct data_format *format, const char *name,
                      struct images *images, struct error *error)
{
    return error_set(error,
                     "%s: this program was built without libmatio, which reads SVHN's files; install "
                     "libmatio-dev, then configure and build again",
                     format->name);
}

#endif

int svhn_read(const struct data_spec *spec, const struct data_format *format, enum data_part part,
              struct images *images, struct error *error)
{
    if (read_named(spec, format, part == DATA_TRAIN ? "train_32x32.mat" : "test_32x32.mat", images, error))
        return -1;
    return part == DATA_TRAIN && format->extra ? read_named(spec, format, "extra_32x32.mat", images, error) : 0;
}
