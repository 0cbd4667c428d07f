/*
 * safetensors.c - named float32 tensors in one file, and a network's weights as such a file.
 *
 * A file is the header's length (u64, little endian), the header (one JSON object, padded with blanks) and the
 * data.  The header has an entry for each tensor, and may have free texts:
 *     {"__metadata__": {"arch": "C(4,3,1) …"}, "conv1.weight": {"dtype": "F32", "shape": [4,3,3,3],
 *      "data_offsets": [0, 432]}, …}
 * Offsets count from the start of the data.
 *
 * A file is taken only when all of this holds, checked before anything is allocated by its numbers:
 *   1. The header lies inside the file, starts with '{', is valid JSON and names nothing twice.
 *   2. Its tensors are exactly those of the list, each F32 with the list's shape.
 *   3. Their byte ranges have the shape's size and tile the data: no gap, no overlap, nothing behind the last.
 *
 * Messages quote only names from the list, never text from the file: it may hold anything.
 */
#include "export/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/json.h"
#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4, "the file holds the host's floats");

enum {
    LENGTH_BYTES = 8,
    DATA_ALIGNMENT = 64,    /* of the data in the file: a mapped file can be used in place */
    HEADER_MAX = 100000000, /* the format's own limit */
    TENSORS_PER_LAYER = 15, /* of M: three convolutions with a BN's four each */
    TENSORS_MAX = 2 * ARCH_LAYERS_MAX * TENSORS_PER_LAYER, /* with the raw ones */
    ENTRY_KEYS = 3                                         /* dtype, shape, data_offsets */
};

#define METADATA "__metadata__"
#define RAW      "raw." /* in front of the names of raw tensors */

/* A parsed header and the data behind it. */
struct container {
    json_t *header;
    const char *data;
    size_t data_length;
};

struct range {
    int64_t begin, end;
};

static int64_t tensor_bytes(const struct named_tensor *tensor)
{
    int64_t bytes = sizeof(float);
    for (int i = 0; i < tensor->rank; i++) {
        ASSERT(tensor->shape[i] > 0 && bytes <= INT64_MAX / tensor->shape[i]);
        bytes *= tensor->shape[i];
    }
    return bytes;
}

/* Takes the metadata over; NULL: none. */
static void encode(json_t *metadata, const struct named_tensor *tensors, int count, void **bytes, size_t *length)
{
    json_t *header = json_object();
    if (metadata)
        json_set(header, METADATA, metadata);
    int64_t data_length = 0;
    for (int i = 0; i < count; i++) {
        json_int_t begin = data_length, end = begin + tensor_bytes(&tensors[i]);
        json_t *shape = json_array();
        for (int k = 0; k < tensors[i].rank; k++)
            json_array_append_new(shape, json_integer(tensors[i].shape[k]));
        json_set(header, tensors[i].name,
                 json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets", begin, end));
        data_length = end;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    ASSERT(text);
    json_decref(header);
    size_t text_length = strlen(text);
    size_t data_start = (LENGTH_BYTES + text_length + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    uint64_t header_length = data_start - LENGTH_BYTES;
    *length = data_start + (size_t)data_length;
    char *file = memory_new(*length, 1);
    memcpy(file, &header_length, LENGTH_BYTES);
    memcpy(file + LENGTH_BYTES, text, text_length);
    memset(file + LENGTH_BYTES + text_length, ' ', header_length - text_length);
    free(text);
    char *place = file + data_start;
    for (int i = 0; i < count; i++) {
        memcpy(place, tensors[i].values, (size_t)tensor_bytes(&tensors[i]));
        place += tensor_bytes(&tensors[i]);
    }
    *bytes = file;
}

static void add_notes(json_t *metadata, const struct safetensors_note *notes)
{
    for (; notes && notes->name; notes++)
        json_object_set_new(metadata, notes->name, json_string(notes->text)); /* no entry when it is not UTF-8 */
}

void safetensors_encode_list(const struct named_tensor *tensors, int count, const struct safetensors_note *notes,
                             void **bytes, size_t *length)
{
    json_t *metadata = notes ? json_object() : NULL;
    add_notes(metadata, notes);
    encode(metadata, tensors, count, bytes, length);
}

static int container_open(const void *bytes, size_t length, struct container *container, struct error *error)
{
    uint64_t header_length = 0;
    if (length < LENGTH_BYTES)
        return error_set(error, "not a safetensors file: %zu bytes, too short for a header", length);
    memcpy(&header_length, bytes, LENGTH_BYTES);
    if (header_length > length - LENGTH_BYTES || header_length > HEADER_MAX)
        return error_set(error, "not a safetensors file, or cut short: a header of %" PRIu64 " bytes in %zu bytes",
                         header_length, length);
    const char *text = (const char *)bytes + LENGTH_BYTES;
    if (!header_length || *text != '{')
        return error_set(error, "not a safetensors file: the header does not start with '{'");
    json_error_t json_error;
    json_t *header = json_loadb(text, header_length, JSON_REJECT_DUPLICATES, &json_error);
    if (!header)
        return error_set(error, "the header is not valid JSON or names something twice (byte %d)",
                         LENGTH_BYTES + json_error.position);
    container->header = header; /* an object: it starts with '{' */
    container->data = text + header_length;
    container->data_length = length - LENGTH_BYTES - header_length;
    return 0;
}

char *safetensors_note(const void *bytes, size_t length, const char *name)
{
    struct container container;
    if (container_open(bytes, length, &container, NULL) < 0)
        return NULL;
    const char *text = json_string_value(json_object_get(json_object_get(container.header, METADATA), name));
    char *note = text ? memory_copy_text(text) : NULL;
    json_decref(container.header);
    return note;
}

static bool has_shape(const json_t *shape, const struct named_tensor *tensor)
{
    if (!json_is_array(shape) || json_array_size(shape) != (size_t)tensor->rank)
        return false;
    for (int i = 0; i < tensor->rank; i++) {
        const json_t *side = json_array_get(shape, (size_t)i);
        if (!json_is_integer(side) || json_integer_value(side) != tensor->shape[i])
            return false;
    }
    return true;
}

/* Check one tensor's entry and give its place in the data. */
static int entry_read(const struct container *container, const struct named_tensor *tensor, struct range *range,
                      struct error *error)
{
    const json_t *entry = json_object_get(container->header, tensor->name);
    if (!entry)
        return error_set(error, "%s is missing", tensor->name);
    const json_t *type = json_object_get(entry, "dtype");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_object_size(entry) != ENTRY_KEYS || !json_is_string(type) || strcmp(json_string_value(type), "F32"))
        return error_set(error, "%s: the header wants dtype F32, shape and data_offsets, nothing else", tensor->name);
    if (!has_shape(json_object_get(entry, "shape"), tensor))
        return error_set(error, "%s does not have the shape that its network needs", tensor->name);
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return error_set(error, "%s: data_offsets are not two whole numbers", tensor->name);
    *range = (struct range){json_integer_value(begin), json_integer_value(end)};
    if (range->begin < 0 || range->end < range->begin || (uint64_t)range->end > container->data_length)
        return error_set(error, "%s: bytes %" PRId64 " to %" PRId64 " are not inside the data (%zu bytes)",
                         tensor->name, range->begin, range->end, container->data_length);
    if (range->end - range->begin != tensor_bytes(tensor))
        return error_set(error, "%s: %" PRId64 " bytes where its shape needs %" PRId64, tensor->name,
                         range->end - range->begin, tensor_bytes(tensor));
    return 0;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *left = a, *right = b;
    return (left->begin > right->begin) - (left->begin < right->begin);
}

static int check_tiling(const struct range *ranges, int count, size_t data_length, struct error *error)
{
    struct range *sorted = memory_new((size_t)count, sizeof *sorted);
    memcpy(sorted, ranges, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_ranges);
    int64_t end = 0;
    int status = 0;
    for (int i = 0; i < count && !status; i++) {
        if (sorted[i].begin != end)
            status = error_set(error, "the tensors overlap or leave a gap at byte %" PRId64 " of the data", end);
        end = sorted[i].end;
    }
    if (!status && (uint64_t)end != data_length)
        status = error_set(error, "%" PRId64 " bytes of tensors in %zu bytes of data", end, data_length);
    free(sorted);
    return status;
}

/* Fill the tensors' values; nothing is written unless all is well. */
static int container_fill(const struct container *container, struct named_tensor *tensors, int count,
                          struct error *error)
{
    size_t found = json_object_size(container->header) - (json_object_get(container->header, METADATA) ? 1 : 0);
    struct range *ranges = memory_new((size_t)count, sizeof *ranges);
    int status = 0;
    for (int i = 0; i < count && !status; i++)
        status = entry_read(container, &tensors[i], &ranges[i], error);
    if (!status && found != (size_t)count)
        status = error_set(error, "%zu tensors where %d are known", found, count);
    if (!status)
        status = check_tiling(ranges, count, container->data_length, error);
    for (int i = 0; i < count && !status; i++)
        memcpy(tensors[i].values, container->data + ranges[i].begin, (size_t)tensor_bytes(&tensors[i]));
    free(ranges);
    return status;
}

int safetensors_decode_list(const void *bytes, size_t length, struct named_tensor *tensors, int count,
                            struct error *error)
{
    struct container container;
    if (container_open(bytes, length, &container, error) < 0)
        return -1;
    int status = container_fill(&container, tensors, count, error);
    json_decref(container.header);
    return status;
}

/* What a part of a layer has: "dense1.bottleneck.gamma", or "conv1.gamma" of the part that is the layer itself. */
static void add_part(struct named_tensor *tensors, int *count, const struct weights *weights, int layer,
                     enum weights_part part)
{
    const struct weights_layer *place = &weights->layout.parts[part][layer];
    char name[WEIGHTS_NAME_MAX];
    weights_part_name(&weights->arch, layer, part, name);
    int rank = layer_is_flat(&weights->arch.layers[layer]) ? 2 : 4;
    const struct {
        const char *what;
        int64_t offset;
        int rank;
    } pieces[] = {{"weight", place->weight, rank}, {"bias", place->bias, 1}, {"gamma", place->gamma, 1},
                  {"beta", place->beta, 1},        {"mean", place->mean, 1}, {"variance", place->variance, 1}};
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        if (pieces[i].offset >= 0) {
            ASSERT(*count < TENSORS_MAX);
            struct named_tensor *tensor = &tensors[(*count)++];
            *tensor = (struct named_tensor){.rank = pieces[i].rank,
                                            .shape = {place->outputs, place->inputs, place->kernel, place->kernel},
                                            .values = weights->values + pieces[i].offset};
            snprintf(tensor->name, sizeof tensor->name, "%s.%s", name, pieces[i].what);
        }
}

/* All tensors of a network, in order of layers, then its raw ones, if any; in an array from tensors_new(). */
static int tensors_of(const struct weights *weights, struct named_tensor *tensors)
{
    int count = 0;
    for (int i = 0; i < weights->arch.layer_count; i++)
        for (int part = 0; part < WEIGHTS_PARTS; part++)
            add_part(tensors, &count, weights, i, part);
    for (int i = 0, averaged = count; weights->raw && i < averaged; i++) {
        ASSERT(count < TENSORS_MAX);
        struct named_tensor *raw = &tensors[count++];
        *raw = tensors[i];
        raw->values = weights->raw + (tensors[i].values - weights->values);
        snprintf(raw->name, sizeof raw->name, RAW "%.*s", (int)(sizeof raw->name - sizeof RAW), tensors[i].name);
    }
    return count;
}

static struct named_tensor *tensors_new(void)
{
    return memory_new(TENSORS_MAX, sizeof(struct named_tensor));
}

static void input_print(struct shape input, char text[32])
{
    snprintf(text, 32, "%d,%d,%d", input.channels, input.height, input.width);
}

/* One spelling only: what input_print writes. */
static int input_parse(const char *text, struct shape *input)
{
    char again[32];
    if (sscanf(text, "%6d,%6d,%6d", &input->channels, &input->height, &input->width) != 3)
        return -1;
    input_print(*input, again);
    return strcmp(text, again) ? -1 : 0;
}

static void encode_network(const struct weights *weights, const struct safetensors_note *notes, void **bytes,
                           size_t *length)
{
    struct text arch = TEXT_EMPTY;
    char input[32];
    arch_print(&weights->arch, &arch);
    input_print(weights->input, input);
    json_t *metadata = json_pack("{s:s,s:s}", "arch", text_string(&arch), "input", input);
    ASSERT(metadata);
    add_notes(metadata, notes);
    text_done(&arch);
    struct named_tensor *tensors = tensors_new();
    encode(metadata, tensors, tensors_of(weights, tensors), bytes, length);
    free(tensors);
}

void safetensors_encode(const struct weights *weights, const struct safetensors_note *notes, void **bytes,
                        size_t *length, struct hash *hash)
{
    encode_network(weights, notes, bytes, length);
    *hash = hash_of(*bytes, *length);
}

/* The network that the metadata describes, with its layout, and that the data has its size. */
static int read_network(const struct container *container, struct arch *arch, struct shape *input, bool *raw,
                        struct error *error)
{
    const json_t *metadata = json_object_get(container->header, METADATA);
    const char *arch_text = json_string_value(json_object_get(metadata, "arch"));
    const char *input_text = json_string_value(json_object_get(metadata, "input"));
    if (!arch_text || !input_text)
        return error_set(error, "%s lacks `arch` or `input`: not written by this program", METADATA);
    for (const char *c = arch_text; *c; c++)
        if (*c < ' ' || *c > '~')
            return error_set(error, "`arch` in %s is not plain text", METADATA);
    if (input_parse(input_text, input) < 0)
        return error_set(error, "`input` in %s is not channels,height,width", METADATA);
    struct shape shapes[ARCH_LAYERS_MAX];
    if (arch_parse(arch, arch_text, error) < 0 || arch_shapes(arch, *input, shapes, error) < 0)
        return error_prefix(error, "%s", METADATA);
    struct weights_layout layout;
    weights_layout_of(arch, *input, &layout);
    size_t values = container->data_length / sizeof(float), own = (size_t)layout.total;
    *raw = values == 2 * own;
    if ((values != own && !*raw) || container->data_length % sizeof(float))
        return error_set(error, "%zu bytes of data where the architecture needs %" PRId64, container->data_length,
                         layout.total * (int64_t)sizeof(float));
    return 0;
}

int safetensors_decode(const void *bytes, size_t length, struct weights **weights, struct error *error)
{
    struct container container;
    struct arch arch;
    struct shape input;
    *weights = NULL;
    if (container_open(bytes, length, &container, error) < 0)
        return -1;
    bool raw = false;
    int status = read_network(&container, &arch, &input, &raw, error);
    if (!status) {
        struct named_tensor *tensors = tensors_new();
        *weights = weights_new(&arch, input);
        if (raw)
            (*weights)->raw = memory_new_aligned((size_t)(*weights)->layout.total * sizeof(float));
        status = container_fill(&container, tensors, tensors_of(*weights, tensors), error);
        free(tensors);
    }
    if (status) {
        weights_free(*weights);
        *weights = NULL;
    }
    json_decref(container.header);
    return status;
}

int safetensors_read(const char *path, const struct hash *expected, struct weights **weights, struct error *error)
{
    void *bytes;
    size_t length;
    *weights = NULL;
    int failed = expected ? session_file_read(path, IN_PLACE, SAFETENSORS_FILE_MAX, &bytes, &length, error)
                          : file_read(path, SAFETENSORS_FILE_MAX, &bytes, &length, error);
    if (failed)
        return -1;
    int status = 0;
    if (expected && !hash_equal(*expected, hash_of(bytes, length)))
        status = error_set(error,
                           "%s: not the weights that the session recorded (the content's hash differs); "
                           "restore the file from a copy of the session",
                           path);
    else if (safetensors_decode(bytes, length, weights, error) < 0)
        status = error_prefix(error, "%s", path);
    free(bytes);
    return status;
}

int safetensors_write(const char *path, const struct weights *weights, const struct safetensors_note *notes,
                      struct error *error)
{
    void *bytes;
    size_t length;
    encode_network(weights, notes, &bytes, &length);
    int status = length <= SAFETENSORS_FILE_MAX
                     ? file_write(path, bytes, length, error)
                     : error_set(error, "%s: %zu bytes are too many for a file of weights; set a limit on parameters",
                                 path, length);
    free(bytes);
    return status;
}
