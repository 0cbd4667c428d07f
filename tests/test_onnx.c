/*
 * test_onnx.c - networks as ONNX files are, to the byte, those that ONNX Runtime has run with PyTorch's results.
 *
 * The networks are PyTorch's fixtures.  reference/onnx_runs.py lets this program write them (ESPALIER_ONNX_FOLDER),
 * runs them, and notes the hash of each that gave the fixture's probabilities: reference/onnx_runs.txt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/onnx.h"
#include "torch_fixture.h"
#include "util/file.h"
#include "util/memory.h"

/* "NAME HASH" among the lines. */
static void assert_ran(const char *name, struct hash hash)
{
    const char *source = getenv("top_srcdir");
    char path[4096], line[128], text[HASH_TEXT];
    void *runs;
    size_t length;
    struct error error;
    snprintf(path, sizeof path, "%s/tests/reference/onnx_runs.txt", source ? source : "..");
    if (file_read(path, 1 << 16, &runs, &length, &error))
        fail_msg("%s", error.text);
    snprintf(line, sizeof line, "\n%s %s\n", name, hash_print(hash, text));
    if (!strstr(runs, line))
        fail_msg("%s: this file has not been run:%s%s: let tests/reference/onnx_runs.py run it", path, line, name);
    free(runs);
}

/* The graph is the same in all: the files differ in the number of the set and, with it, of the format. */
static void check_operator_sets(const struct weights *weights, const struct view *view,
                                const struct safetensors_note *notes, const char *bytes, size_t length)
{
    for (int opset = ONNX_OPSET_MIN; opset <= ONNX_OPSET_MAX; opset++) {
        size_t other_length, differences = 0, expected = (opset != ONNX_OPSET) + (opset > 18);
        char *other = onnx_encode(weights, view->scale, view->shift, opset, notes, &other_length);
        assert_int_equal(other_length, length);
        for (size_t i = 0; i < length; i++)
            differences += other[i] != bytes[i];
        assert_int_equal(differences, expected);
        free(other);
    }
}

static void is_what_ran(void **state)
{
    const char *name = *state, *folder = getenv("ESPALIER_ONNX_FOLDER");
    const struct safetensors_note notes[] = {{"arch", name}, {0}};
    struct fixture fixture;
    struct error error;
    size_t length;
    fixture_open(&fixture, name);
    struct weights *weights = weights_new(&fixture.arch, fixture.input);
    size_t total = (size_t)weights->layout.total;
    float *values = fixture_floats(&fixture, "weights", total);
    memcpy(weights->values, values, total * sizeof *values);
    void *bytes = onnx_encode(weights, fixture.view.scale, fixture.view.shift, ONNX_OPSET, notes, &length);
    if (folder) {
        char path[4096], hash[HASH_TEXT];
        snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
        if (file_write(path, bytes, length, &error))
            fail_msg("%s", error.text);
        print_message("# %s %s\n", name, hash_print(hash_of(bytes, length), hash));
    } else {
        assert_ran(name, hash_of(bytes, length));
    }
    check_operator_sets(weights, &fixture.view, notes, bytes, length);
    free(bytes);
    free(values);
    weights_free(weights);
    fixture_done(&fixture);
}

int main(void)
{
    static struct CMUnitTest tests[TORCH_FIXTURES];
    for (int i = 0; i < TORCH_FIXTURES; i++)
        tests[i] = (struct CMUnitTest){torch_fixtures[i], is_what_ran, NULL, NULL, (void *)torch_fixtures[i]};
    return _cmocka_run_group_tests("networks as ONNX files", tests, TORCH_FIXTURES, NULL, NULL);
}
