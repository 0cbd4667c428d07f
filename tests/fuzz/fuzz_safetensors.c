/*
 * fuzz_safetensors.c - any bytes as a file of weights.  What is accepted must be written and read again to the same
 * network; what is refused must say why and leave nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/notes.h"
#include "util/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void as_weights(const uint8_t *bytes, size_t length)
{
    struct weights *weights, *again;
    struct error error = {""};
    if (safetensors_decode(bytes, length, &weights, &error) < 0) {
        ASSERT(!weights && error.text[0]);
        return;
    }
    size_t values = (size_t)weights->layout.total * sizeof(float), written;
    void *file;
    struct hash hash;
    ASSERT(values < length);
    safetensors_encode(weights, NULL, &file, &written, &hash);
    ASSERT(safetensors_decode(file, written, &again, &error) == 0);
    ASSERT(arch_equal(&weights->arch, &again->arch) && memcmp(weights->values, again->values, values) == 0);
    free(file);
    weights_free(weights);
    weights_free(again);
}

static void as_list(const uint8_t *bytes, size_t length)
{
    float weight[18], mean[2];
    struct named_tensor tensors[] = {{"conv1.weight", 4, {2, 1, 3, 3}, weight}, {"conv1.mean", 1, {2}, mean}};
    struct error error = {""};
    ASSERT(safetensors_decode_list(bytes, length, tensors, 2, &error) == 0 || error.text[0]);
}

/* What the metadata say of the data, which an export writes into other files. */
static void as_facts(const uint8_t *bytes, size_t length)
{
    struct data_facts facts;
    data_facts_of_file(bytes, length, &facts);
    data_facts_check(&facts, 1, 2);
    ASSERT(!facts.classes || (facts.classes == 2 && facts.class_names[1] && facts.pixels.deviation[0] > 0));
    data_facts_done(&facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    as_weights(bytes, length);
    as_facts(bytes, length);
    as_list(bytes, length);
    free(safetensors_note(bytes, length, "arch"));
    return 0;
}
