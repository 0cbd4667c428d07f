/*
 * fuzz_mat.c - any bytes as a MATLAB file of SVHN: a set whose labels are in range, or a message; the library may crash
 * in its child process, and this one goes on.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../session_folder.h"
#include "data/images.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static char *folder, *path;
static struct text spec_text;

static void remove_folder(void)
{
    folder_remove(folder);
    free(folder);
    free(path);
    text_done(&spec_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct data_spec spec;
    struct images images;
    struct error error = {""};
    if (!folder) {
        folder = folder_new();
        path = file_join(folder, "test_32x32.mat");
        text_add(&spec_text, "svhn:%s", folder);
        atexit(remove_folder);
    }
    FILE *file = fopen(path, "wb");
    ASSERT(file && fwrite(bytes, 1, length, file) == length && !fclose(file));
    ASSERT(!data_spec_parse(text_string(&spec_text), &spec, &error));
    if (images_open(&spec, DATA_TEST, &images, &error)) {
        ASSERT(error.text[0]);
        return 0;
    }
    for (int i = 0; i < images.count; i++)
        ASSERT(images.labels[i] < 10);
    images_done(&images);
    return 0;
}
