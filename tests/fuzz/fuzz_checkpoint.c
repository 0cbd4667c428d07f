/*
 * fuzz_checkpoint.c - any bytes as the checkpoint of a training: what is accepted is written again as it was read.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../session_folder.h"
#include "search/checkpoint.h"
#include "util/bug.h"
#include "util/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static char *folder, *out;

static void remove_folder(void)
{
    folder_remove(folder);
    free(folder);
    free(out);
}

static void check(const uint8_t *bytes, size_t length, const struct weights *weights, double decay)
{
    struct checkpoint checkpoint;
    struct error error = {""};
    checkpoint_init(&checkpoint, out, weights, decay, "epochs 3");
    FILE *file = fopen(checkpoint.path, "wb");
    ASSERT(file && fwrite(bytes, 1, length, file) == length && !fclose(file));
    if (checkpoint_read(&checkpoint, &error)) {
        ASSERT(error.text[0]);
    } else {
        ASSERT((checkpoint.epochs > 0 || checkpoint.steps > 0) &&
               (!checkpoint.average.count || checkpoint.average.steps > 0));
        int epochs = checkpoint.epochs, steps = checkpoint.steps;
        ASSERT(!checkpoint_write(&checkpoint, &error) && !checkpoint_read(&checkpoint, &error));
        ASSERT(checkpoint.epochs == epochs && checkpoint.steps == steps);
    }
    checkpoint_done(&checkpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arch arch;
    struct error error = {""};
    if (!folder) {
        folder = folder_new();
        out = file_join(folder, "any.safetensors");
        atexit(remove_folder);
    }
    ASSERT(!arch_parse(&arch, "C(1,1,1) A(2,2) SM(2)", &error));
    struct weights *weights = weights_new(&arch, (struct shape){1, 2, 2});
    check(bytes, length, weights, 0);
    check(bytes, length, weights, 0.9);
    weights_free(weights);
    return 0;
}
