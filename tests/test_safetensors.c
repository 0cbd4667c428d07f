/*
 * test_safetensors.c - weights to a file and back, and what is refused.
 *
 * That others read these files is checked two ways: a file written by the format's own library lies in the tree and is
 * read here (tests/reference/safetensors_fixture.py made it), and the bytes of a small file are pinned.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/safetensors.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/random.h"

static struct weights *random_weights(const char *notation, struct shape input)
{
    struct arch arch;
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    assert_int_equal(arch_parse(&arch, notation, NULL), 0);
    struct weights *weights = weights_new(&arch, input);
    for (int64_t i = 0; i < weights->layout.total; i++)
        weights->values[i] = random_normal(&stream);
    return weights;
}

static void assert_same(const struct weights *a, const struct weights *b)
{
    assert_true(arch_equal(&a->arch, &b->arch));
    assert_memory_equal(&a->input, &b->input, sizeof a->input);
    assert_int_equal(a->layout.total, b->layout.total);
    assert_memory_equal(a->values, b->values, (size_t)a->layout.total * sizeof(float));
    assert_int_equal(a->raw != NULL, b->raw != NULL);
    if (a->raw)
        assert_memory_equal(a->raw, b->raw, (size_t)a->layout.total * sizeof(float));
}

static void a_network_comes_back_as_it_was(void **state)
{
    struct weights *weights = random_weights("C(3,3,1) P(2,2) C(4,5,2) A(2,1) FC(5) SM(3)", (struct shape){2, 9, 8}),
                   *again;
    void *bytes;
    size_t length;
    struct hash hash;
    struct error error;
    safetensors_encode(weights, NULL, &bytes, &length, &hash);
    assert_true(hash_equal(hash, hash_of(bytes, length)));
    if (safetensors_decode(bytes, length, &again, &error) < 0)
        fail_msg("%s", error.text);
    assert_same(weights, again);
    free(bytes);
    weights_free(again);

    struct weights *trained = weights_copy(weights); /* those above are their average */
    weights->raw = trained->values;
    trained->values = NULL;
    weights_free(trained);
    weights->raw[7] = 0.25f;
    safetensors_encode(weights, NULL, &bytes, &length, &hash);
    if (safetensors_decode(bytes, length, &again, &error) < 0)
        fail_msg("%s", error.text);
    assert_same(weights, again);
    weights_use_raw(again);
    assert_null(again->raw);
    assert_true(again->values[7] == 0.25f);
    assert_memory_equal(again->values, weights->raw, (size_t)weights->layout.total * sizeof(float));
    weights_free(weights);
    weights_free(again);
    free(bytes);
}

/* The most tensors that a file can have: layers with three convolutions each, and the raw ones. */
static void the_longest_list_fits(void **state)
{
    struct text notation = TEXT_EMPTY;
    text_add(&notation, "C(1,1,1)");
    for (int i = 0; i < ARCH_LAYERS_MAX - 3; i++)
        text_add(&notation, " M(1,1)");
    text_add(&notation, " A(1,1) SM(2)");
    struct weights *weights = random_weights(text_string(&notation), (struct shape){1, 1, 1}), *again;
    text_done(&notation);
    weights->raw = memory_new_aligned((size_t)weights->layout.total * sizeof(float));
    void *bytes;
    size_t length;
    struct hash hash;
    struct error error;
    safetensors_encode(weights, NULL, &bytes, &length, &hash);
    if (safetensors_decode(bytes, length, &again, &error) < 0)
        fail_msg("%s", error.text);
    assert_same(weights, again);
    weights_free(weights);
    weights_free(again);
    free(bytes);
}

/* Header and data to the byte: length, JSON in order of the list, blanks up to a multiple of 64. */
static void the_format_is_fixed(void **state)
{
    float ones[2] = {1, 1}, half = 0.5f;
    struct named_tensor tensors[] = {{"a.ones", 2, {1, 2}, ones}, {"half", 0, {0}, &half}};
    static const char expected[] = "\x78\0\0\0\0\0\0\0"
                                   "{\"a.ones\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                                   "\"half\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}"
                                   "   "
                                   "\0\0\x80\x3f\0\0\x80\x3f\0\0\0\x3f";
    void *bytes;
    size_t length;
    safetensors_encode_list(tensors, 2, NULL, &bytes, &length);
    assert_int_equal(length, sizeof expected - 1);
    assert_memory_equal(bytes, expected, length);
    free(bytes);
}

static void notes_come_back(void **state)
{
    static const struct safetensors_note notes[] = {
        {"data", "cifar10+:a \"b\" \303\244"}, {"broken", "\377"}, {"empty", ""}, {0}};
    float one = 1, back = 0;
    struct named_tensor tensor = {"one", 0, {0}, &one};
    struct error error;
    void *bytes;
    size_t length;
    safetensors_encode_list(&tensor, 1, notes, &bytes, &length);
    char *data = safetensors_note(bytes, length, "data"), *empty = safetensors_note(bytes, length, "empty");
    assert_string_equal(data, notes[0].text);
    assert_string_equal(empty, "");
    assert_null(safetensors_note(bytes, length, "broken"));
    assert_null(safetensors_note(bytes, length, "other"));
    assert_null(safetensors_note(bytes, 7, "data"));
    tensor.values = &back;
    assert_int_equal(safetensors_decode_list(bytes, length, &tensor, 1, &error), 0);
    assert_true(back == one);
    free(data);
    free(empty);
    free(bytes);
}

static void a_file_of_the_formats_own_library_is_read(void **state)
{
    char path[1024];
    const char *source = getenv("top_srcdir");
    struct weights *weights;
    struct error error;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/fuzz_safetensors/library", source ? source : ".");
    if (safetensors_read(path, NULL, &weights, &error) < 0)
        fail_msg("%s", error.text);
    struct text arch = TEXT_EMPTY;
    arch_print(&weights->arch, &arch);
    assert_string_equal(text_string(&arch), "C(2,3,1) P(2,2) FC(3) SM(2)");
    text_done(&arch);
    /* The script numbers all values, in order of layers and of tensors within a layer as here. */
    float next = 0;
    for (int i = 0; i < weights->arch.layer_count; i++) {
        const struct weights_layer *place = &weights->layout.layers[i];
        int count = place->outputs * place->inputs * place->kernel * place->kernel;
        for (int v = 0; place->weight >= 0 && v < count; v++)
            assert_true(weights->values[place->weight + v] == next++);
        const int64_t vectors[] = {place->bias, place->gamma, place->beta, place->mean, place->variance};
        for (size_t p = 0; p < COUNT_OF(vectors); p++)
            for (int v = 0; vectors[p] >= 0 && v < place->outputs; v++)
                assert_true(weights->values[vectors[p] + v] == next++);
    }
    assert_int_equal((int64_t)next, weights->layout.total);
    weights_free(weights);
}

static void every_cut_and_every_longer_file_is_refused(void **state)
{
    struct weights *weights = random_weights("C(1,1,1) SM(2)", (struct shape){1, 1, 1}), *again;
    void *bytes;
    size_t length;
    struct hash hash;
    safetensors_encode(weights, NULL, &bytes, &length, &hash);
    for (size_t cut = 0; cut < length; cut++) {
        void *part = memcpy(memory_new(cut, 1), bytes, cut);
        struct error error = {""};
        assert_int_equal(safetensors_decode(part, cut, &again, &error), -1);
        assert_null(again);
        assert_true(error.text[0]);
        free(part);
    }
    char *longer = memcpy(memory_new(length + 4, 1), bytes, length);
    assert_int_equal(safetensors_decode(longer, length + 4, &again, NULL), -1);
    assert_int_equal(safetensors_decode(longer, length + 1, &again, NULL), -1);
    free(longer);
    free(bytes);
    weights_free(weights);
}

/* A file of this header and so many bytes of data. */
static char *file_of(const char *header, uint64_t header_length, size_t data_length, size_t *length)
{
    size_t text_length = strlen(header);
    *length = 8 + text_length + data_length;
    char *bytes = memory_new(*length, 1);
    memcpy(bytes, &header_length, 8);
    memcpy(bytes + 8, header, text_length);
    return bytes;
}

static int decode_pair(const char *header, uint64_t header_length, size_t data_length, struct error *error)
{
    float a[3] = {7, 7, 7}, b[2] = {7, 7};
    struct named_tensor tensors[] = {{"a", 1, {3}, a}, {"b", 2, {2, 1}, b}};
    size_t length;
    char *bytes = file_of(header, header_length, data_length, &length);
    int status = safetensors_decode_list(bytes, length, tensors, 2, error);
    for (int i = 0; i < 3; i++)
        assert_true(a[i] == (status ? 7 : 0)); /* filled, or left alone */
    free(bytes);
    return status;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}"
#define B "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[12,20]}"
#define A_WITH(type, shape, offsets)                                                                                   \
    "{\"a\":{\"dtype\":" type ",\"shape\":" shape ",\"data_offsets\":" offsets "}," B "}"

static void tensors_are_taken_in_any_order(void **state)
{
    static const char *const headers[] = {
        "{" A "," B "}",
        "{" B "," A "}   ",
        "{\"__metadata__\":{\"any\":\"text\"}," B "," A "}",
        "{\"b\":{\"shape\":[2,1],\"data_offsets\":[0,8],\"dtype\":\"F32\"},"
        "\"a\":{\"dtype\":\"F32\",\"data_offsets\":[8,20],\"shape\":[3]}}",
    };
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct error error;
        if (decode_pair(headers[i], strlen(headers[i]), 20, &error) < 0)
            fail_msg("header %zu: %s", i, error.text);
    }
}

static void malformed_headers_are_refused(void **state)
{
    static const struct {
        const char *header, *message;
        size_t data_length;
    } cases[] = {
        {"", "does not start", 20},
        {" {" A "," B "}", "does not start", 20},
        {"[" A "]", "does not start", 20},
        {"{" A "," B, "not valid JSON", 20},
        {"{" A "," B "}}", "not valid JSON", 20},
        {"{" A "," B "," A "}", "names something twice", 20},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}," B "}", "twice", 20},
        {"{" A "}", "b is missing", 12},
        {"{" A "," B ",\"c\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[20,20]}}", "3 tensors where 2", 20},
        {"{\"a\":7," B "}", "a: the header wants", 20},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3]}," B "}", "a: the header wants", 20},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12],\"x\":1}," B "}", "a: the header wants", 20},
        {A_WITH("\"F64\"", "[3]", "[0,12]"), "a: the header wants", 20},
        {A_WITH("\"I32\"", "[3]", "[0,12]"), "a: the header wants", 20},
        {A_WITH("32", "[3]", "[0,12]"), "a: the header wants", 20},
        {A_WITH("\"F32\"", "[4]", "[0,12]"), "a does not have the shape", 20},
        {A_WITH("\"F32\"", "[3,1]", "[0,12]"), "a does not have the shape", 20},
        {A_WITH("\"F32\"", "3", "[0,12]"), "a does not have the shape", 20},
        {A_WITH("\"F32\"", "[3.0]", "[0,12]"), "a does not have the shape", 20},
        {A_WITH("\"F32\"", "[\"3\"]", "[0,12]"), "a does not have the shape", 20},
        {A_WITH("\"F32\"", "[99999999999999999999]", "[0,12]"), "not valid JSON", 20},
        {A_WITH("\"F32\"", "[3]", "[0]"), "not two whole numbers", 20},
        {A_WITH("\"F32\"", "[3]", "[0,12,20]"), "not two whole numbers", 20},
        {A_WITH("\"F32\"", "[3]", "[0,12.0]"), "not two whole numbers", 20},
        {A_WITH("\"F32\"", "[3]", "{}"), "not two whole numbers", 20},
        {A_WITH("\"F32\"", "[3]", "[-4,8]"), "not inside", 20},
        {A_WITH("\"F32\"", "[3]", "[12,0]"), "not inside", 20},
        {A_WITH("\"F32\"", "[3]", "[12,24]"), "not inside", 20},
        {A_WITH("\"F32\"", "[3]", "[-9223372036854775808,9223372036854775807]"), "not inside", 20},
        {A_WITH("\"F32\"", "[3]", "[9223372036854775795,9223372036854775807]"), "not inside", 20},
        {A_WITH("\"F32\"", "[3]", "[0,11]"), "11 bytes where its shape needs 12", 20},
        {A_WITH("\"F32\"", "[3]", "[4,16]"), "overlap or leave a gap", 20},
        {A_WITH("\"F32\"", "[3]", "[8,20]"), "overlap or leave a gap", 20},
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[16,24]}}", "gap at byte 12", 24},
        {"{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}}", "gap", 20},
        {"{" A "," B "}", "20 bytes of tensors in 21", 21},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {""};
        assert_int_equal(decode_pair(cases[i].header, strlen(cases[i].header), cases[i].data_length, &error), -1);
        if (!strstr(error.text, cases[i].message))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.text, cases[i].message);
    }
    static const uint64_t lengths[] = {0, 1, 1000, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        assert_int_equal(decode_pair("{" A "," B "}", lengths[i], 20, NULL), -1);
}

#define META(arch, input) "{\"__metadata__\":{\"arch\":" arch ",\"input\":" input "}}"

static void metadata_that_is_no_network_is_refused(void **state)
{
    static const struct {
        const char *header, *message;
    } cases[] = {
        {"{}", "lacks"},
        {"{\"__metadata__\":7}", "lacks"},
        {"{\"__metadata__\":{\"arch\":\"C(1,1,1) SM(2)\"}}", "lacks"},
        {META("7", "\"1,1,1\""), "lacks"},
        {META("\"C(1,1,1) \\u001b[2J SM(2)\"", "\"1,1,1\""), "not plain text"},
        {META("\"C(1,1,1) SM(2)\"", "\"1,1\""), "channels,height,width"},
        {META("\"C(1,1,1) SM(2)\"", "\"1,1,1,1\""), "channels,height,width"},
        {META("\"C(1,1,1) SM(2)\"", "\" 1,1,1\""), "channels,height,width"},
        {META("\"C(1,1,1) SM(2)\"", "\"1,1,99999999999999999999\""), "channels,height,width"},
        {META("\"C(1,1,1) SM(2)\"", "\"0,1,1\""), "__metadata__"},
        {META("\"C(1,1,1)\"", "\"1,1,1\""), "__metadata__"},
        {META("\"C(1,1,1) P(2,2) SM(2)\"", "\"1,1,1\""), "__metadata__"},
        /* 600 MB of weights in no bytes: refused before there is room for them */
        {META("\"C(4096,3,1) FC(4096) SM(2)\"", "\"1,3,3\""), "bytes of data where"},
        {META("\"C(4096,3,1) FC(4096) SM(2)\"", "\"1,32,32\""), "the most there can be"},
        {META("\"C(1,1,1) SM(2)\"", "\"1,1,1\""), "0 bytes of data where the architecture needs"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct weights *weights;
        struct error error = {""};
        size_t length;
        char *bytes = file_of(cases[i].header, strlen(cases[i].header), 0, &length);
        assert_int_equal(safetensors_decode(bytes, length, &weights, &error), -1);
        assert_null(weights);
        if (!strstr(error.text, cases[i].message))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.text, cases[i].message);
        free(bytes);
    }
}

static void files_are_checked_against_their_hash(void **state)
{
    char folder[] = "/tmp/espalier-safetensors-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = file_join(folder, "weights.safetensors");
    struct weights *weights = random_weights("C(2,3,1) SM(2)", (struct shape){1, 4, 4}), *again;
    struct hash hash, other;
    struct error error = {""};
    void *bytes;
    size_t length;
    safetensors_encode(weights, NULL, &bytes, &length, &hash);
    free(bytes);
    if (safetensors_write(path, weights, NULL, &error) < 0 || safetensors_read(path, &hash, &again, &error) < 0)
        fail_msg("%s", error.text);
    assert_same(weights, again);
    weights_free(again);

    other = hash;
    other.low ^= 1;
    assert_int_equal(safetensors_read(path, &other, &again, &error), -1);
    assert_null(again);
    assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
    assert_non_null(strstr(error.text, "hash"));

    assert_int_equal(file_write(path, "{}", 2, &error), 0);
    assert_int_equal(safetensors_read(path, NULL, &again, &error), -1);
    assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
    remove(path);
    assert_int_equal(safetensors_read(path, NULL, &again, &error), -1);
    remove(folder);
    free(path);
    weights_free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_comes_back_as_it_was),
        cmocka_unit_test(the_longest_list_fits),
        cmocka_unit_test(the_format_is_fixed),
        cmocka_unit_test(notes_come_back),
        cmocka_unit_test(a_file_of_the_formats_own_library_is_read),
        cmocka_unit_test(every_cut_and_every_longer_file_is_refused),
        cmocka_unit_test(tensors_are_taken_in_any_order),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(metadata_that_is_no_network_is_refused),
        cmocka_unit_test(files_are_checked_against_their_hash),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
