/*
 * svhn.c - SVHN's cropped digits: MATLAB files, read by libmatio.
 *
 * A file has X, uint8 of 32 × 32 × 3 × count (y, x, channel, image: the first index runs fastest), and y, one label an
 * image, 1 to 10, where 10 is the digit 0.  The training part of `svhn-extra` is train and extra, in that order.
 *
 * libmatio loads thirty other libraries, among them those of HDF5, curl and LDAP, and it is not made for files of
 * strangers. So it is opened only in a child process (sandbox.h), which sends pixels and labels through a pipe.  Before
 * that the header must be that of level 5; in the child the sizes of the variables are checked before their values are
 * read.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/formats.h"
#include "data/sandbox.h"
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

static int check_pixels(const matvar_t *x, struct error *error)
{
    if (x->class_type != MAT_C_UINT8 || x->isComplex || x->rank < 3 || x->rank > 4 || x->dims[0] != SIDE ||
        x->dims[1] != SIDE || x->dims[2] != CHANNELS || !x->data)
        return error_set(error, "X is not uint8 of 32 × 32 × 3 × count; take the cropped digits (format 2)");
    size_t count = count_of(x);
    if (count < 1 || x->nbytes != count * PIXELS)
        return error_set(error, "X is damaged or empty; copy the file again");
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

/* Copy the images to `pixels`, and their labels. */
static int take(const matvar_t *x, const matvar_t *y, uint8_t *pixels, uint16_t *labels, struct error *error)
{
    size_t count = count_of(x);
    const uint8_t *from = x->data;
    for (size_t i = 0; i < count; i++, from += PIXELS) {
        double label = y->class_type == MAT_C_UINT8 ? ((const uint8_t *)y->data)[i] : ((const double *)y->data)[i];
        if (!(label >= 1 && label <= ZERO && label == (int)label))
            return error_set(error, "label %zu of y is not a whole number from 1 to 10; copy the file again", i + 1);
        labels[i] = (uint16_t)((int)label % ZERO);
        for (int channel = 0; channel < CHANNELS; channel++)
            for (int row = 0; row < SIDE; row++)
                for (int column = 0; column < SIDE; column++)
                    *pixels++ = from[row + SIDE * (column + SIDE * channel)];
    }
    return 0;
}

/* --- in the child process --- */

#define FUNCTIONS(F) F(Mat_LogInitFunc) F(Mat_Open) F(Mat_VarReadInfo) F(Mat_VarRead) F(Mat_VarFree) F(Mat_Close)

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

/* What a child says first: then come the pixels and the labels of `count` images. */
struct reply {
    int failed;
    uint32_t count;
    struct error error;
};

/* A variable's head is read before its values: has it more of them than `most`? */
static int check_size(const struct matio *matio, mat_t *file, const char *name, size_t most, struct error *error)
{
    matvar_t *head = matio->Mat_VarReadInfo(file, name);
    double values = 1;
    for (int i = 0; head && i < head->rank; i++)
        values *= (double)head->dims[i];
    matio->Mat_VarFree(head);
    if (!head)
        return error_set(error, "has no variable %s, or it can't be read; copy the file again", name);
    return values > (double)most
               ? error_set(error, "%s has %.0f values, more than the file can hold; copy it again", name, values)
               : 0;
}

/* Ends the child's work: sends the reply. */
static void send_images(const matvar_t *x, const matvar_t *y, int out, struct reply *reply)
{
    size_t count = 0;
    reply->failed = !x || !y ? error_set(&reply->error, "has no variable %s, or it can't be read; copy the file again",
                                         x ? "y" : "X")
                             : check_pixels(x, &reply->error) || check_labels(y, count_of(x), &reply->error);
    if (!reply->failed)
        count = count_of(x);
    uint8_t *pixels = memory_new(count, PIXELS);
    uint16_t *labels = memory_new(count, sizeof *labels);
    reply->failed = reply->failed || take(x, y, pixels, labels, &reply->error);
    reply->count = (uint32_t)count;
    if (!sandbox_send(out, reply, sizeof *reply) && !reply->failed && !sandbox_send(out, pixels, count * PIXELS))
        sandbox_send(out, labels, count * sizeof *labels);
}

static void read_in_child(int descriptor, size_t most, int out)
{
    struct matio matio = {0};
    struct reply reply = {.failed = -1};
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    mat_t *file = NULL;
    if (!matio_open(&matio, &reply.error)) {
        matio.Mat_LogInitFunc("espalier", stay_silent); /* the errors are reported here */
        file = matio.Mat_Open(path, MAT_ACC_RDONLY);
        error_set(&reply.error, "can't be opened as a MATLAB file; copy it again");
    }
    sandbox_seal();
    if (file && !check_size(&matio, file, "X", most, &reply.error) &&
        !check_size(&matio, file, "y", most, &reply.error))
        send_images(matio.Mat_VarRead(file, "X"), matio.Mat_VarRead(file, "y"), out, &reply);
    else
        sandbox_send(out, &reply, sizeof reply);
    sandbox_leave();
}

/* --- in the program itself --- */

/* Level 5 alone: version 4 has no header, and version 7.3 is HDF5, a much larger reader. */
static int check_header(int descriptor, struct error *error)
{
    unsigned char head[128];
    bool whole = pread(descriptor, head, sizeof head, 0) == sizeof head;
    bool little = whole && !memcmp(head + 124, "\0\1IM", 4), big = whole && !memcmp(head + 124, "\1\0MI", 4);
    return little || big ? 0
                         : error_set(error, "is no MATLAB file of level 5 (-v6 or -v7), which alone is read; copy the "
                                            "file again, or save it with -v7");
}

/* Add what the child sends; it is trusted no more than the file. */
static int receive(int in, size_t most, struct images *images, struct error *error)
{
    struct reply reply;
    if (sandbox_receive(in, &reply, sizeof reply))
        return error_set(error, "can't be read; copy the file again");
    reply.error.text[sizeof reply.error.text - 1] = '\0';
    if (reply.failed)
        return error_set(error, "%s", reply.error.text);
    size_t before = (size_t)images->count, all = before + reply.count;
    if (reply.count < 1 || reply.count > most / PIXELS)
        return error_set(error, "X is damaged or empty; copy the file again");
    if (all > IMAGES_BYTES_MAX / PIXELS)
        return error_set(error, "makes the set larger than %d images; leave the extra images out",
                         IMAGES_BYTES_MAX / PIXELS);
    images->shape = (struct shape){.channels = CHANNELS, .height = SIDE, .width = SIDE};
    images->pixels = memory_resize(images->pixels, all, PIXELS);
    images->labels = memory_resize(images->labels, all, sizeof *images->labels);
    images->count = (int)all;
    if (sandbox_receive(in, images->pixels + before * PIXELS, reply.count * (size_t)PIXELS) ||
        sandbox_receive(in, images->labels + before, reply.count * sizeof *images->labels))
        return error_set(error, "can't be read to its end; copy the file again");
    for (size_t i = before; i < all; i++)
        if (images->labels[i] >= ZERO)
            return error_set(error, "label %zu of y is not a whole number from 1 to 10; copy the file again", i + 1);
    return 0;
}

/* Unpacked, the variables have at most as many bytes as those of a gzip file; the child holds them twice, and the
 * library. */
static int read_open(int descriptor, size_t size, struct images *images, struct error *error)
{
    enum { LIBRARIES = 256 << 20, SECONDS = 10, BYTES_A_SECOND = 4 << 20 };
    size_t most = FILE_GZIP_FLOOR + FILE_GZIP_RATIO * size;
    most = most < IMAGES_BYTES_MAX ? most : IMAGES_BYTES_MAX;
    int pipe;
    pid_t child =
        sandbox_fork(LIBRARIES + 3 * most, (unsigned)(SECONDS + size / BYTES_A_SECOND), descriptor, &pipe, error);
    if (!child)
        read_in_child(descriptor, most, pipe);
    if (child < 0)
        return -1;
    struct error ending;
    int failed = receive(pipe, most, images, error), ended = sandbox_end(child, pipe, &ending);
    return ended && !failed ? error_set(error, "%s", ending.text) : failed;
}

static int read_file(const char *path, struct images *images, struct error *error)
{
    size_t size;
    int descriptor = file_open(path, &size, error);
    if (descriptor < 0)
        return -1;
    int failed = check_header(descriptor, error) || read_open(descriptor, size, images, error);
    close(descriptor);
    return failed ? error_prefix(error, "%s", path) : 0;
}

static int read_named(const struct data_spec *spec, const struct data_format *format, const char *name,
                      struct images *images, struct error *error)
{
    char *path = file_join(spec->folder, name);
    int result = file_exists(path) ? read_file(path, images, error) : data_refuse_missing(spec, format, name, error);
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
