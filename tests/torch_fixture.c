/*
 * torch_fixture.c - lines of a header, then named blocks of numbers; the script says how they look.
 */
#include "torch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/file.h"
#include "util/memory.h"

const char *const torch_fixtures[TORCH_FIXTURES] = {"odd", "stride", "deep", "dense", "blocks", "residual", "gated"};

/* The text after `key` on its line in the header. */
static const char *value_of(const struct fixture *fixture, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = fixture->bytes; *line != '\n'; line = strchr(line, '\n') + 1)
        if (!strncmp(line, key, length) && line[length] == ' ')
            return line + length + 1;
    fail_msg("the fixture has no key %s", key);
    return NULL;
}

/* The bytes of a block and how many numbers. */
static const void *block_of(const struct fixture *fixture, const char *name, size_t *count)
{
    for (const char *at = fixture->blocks; at < fixture->bytes + fixture->length;) {
        char found[32], type[8];
        assert_int_equal(sscanf(at, "%31s %7s %zu", found, type, count), 3);
        const char *data = strchr(at, '\n') + 1;
        if (!strcmp(found, name))
            return data;
        at = data + *count * (strcmp(type, "u8") ? sizeof(float) : 1);
    }
    fail_msg("the fixture has no block %s", name);
    return NULL;
}

float *fixture_floats(const struct fixture *fixture, const char *name, size_t expected)
{
    size_t count;
    const void *data = block_of(fixture, name, &count);
    assert_int_equal(count, expected);
    return memcpy(memory_new(count, sizeof(float)), data, count * sizeof(float));
}

static void read_images(struct fixture *fixture)
{
    struct images *images = &fixture->images;
    size_t pixels, labels;
    const uint8_t *pixel_bytes = block_of(fixture, "pixels", &pixels);
    const uint8_t *label_bytes = block_of(fixture, "labels", &labels);
    *images = (struct images){.count = (int)labels, .classes = fixture->classes, .shape = fixture->input};
    assert_int_equal(labels, fixture->steps * fixture->batch);
    assert_int_equal(pixels, labels * fixture->input.channels * fixture->input.height * fixture->input.width);
    images->pixels = memcpy(memory_new(pixels, 1), pixel_bytes, pixels);
    images->labels = memory_new(labels, sizeof *images->labels);
    fixture->view = (struct view){.images = images, .count = images->count};
    fixture->view.index = memory_new(labels, sizeof *fixture->view.index);
    for (int i = 0; i < images->count; i++) {
        images->labels[i] = label_bytes[i];
        fixture->view.index[i] = i;
    }
    const char *scale = value_of(fixture, "scale"), *shift = value_of(fixture, "shift");
    for (int c = 0; c < fixture->input.channels; c++) {
        fixture->view.scale[c] = strtof(scale, (char **)&scale);
        fixture->view.shift[c] = strtof(shift, (char **)&shift);
    }
}

void fixture_open(struct fixture *fixture, const char *name)
{
    const char *source = getenv("top_srcdir");
    char path[4096], text[256];
    void *bytes;
    struct error error;
    snprintf(path, sizeof path, "%s/tests/reference/%s.fixture", source ? source : "..", name);
    *fixture = (struct fixture){0};
    if (file_read(path, 1 << 20, &bytes, &fixture->length, &error))
        fail_msg("%s", error.text);
    fixture->bytes = bytes;
    fixture->blocks = strstr(fixture->bytes, "\n\n") + 2;
    assert_int_equal(sscanf(value_of(fixture, "arch"), "%255[^\n]", text), 1);
    if (arch_parse(&fixture->arch, text, &error))
        fail_msg("%s", error.text);
    struct shape *input = &fixture->input;
    sscanf(value_of(fixture, "input"), "%d %d %d", &input->channels, &input->height, &input->width);
    fixture->classes = atoi(value_of(fixture, "classes"));
    fixture->batch = atoi(value_of(fixture, "batch"));
    fixture->steps = atoi(value_of(fixture, "steps"));
    fixture->sgd = (struct sgd){.rate = strtof(value_of(fixture, "rate"), NULL),
                                .momentum = strtof(value_of(fixture, "momentum"), NULL),
                                .weight_decay = strtof(value_of(fixture, "decay"), NULL),
                                .nesterov = true};
    read_images(fixture);
}

void fixture_done(struct fixture *fixture)
{
    free(fixture->bytes);
    free(fixture->images.pixels);
    free(fixture->images.labels);
    free(fixture->view.index);
}
