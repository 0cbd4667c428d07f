/*
 * torch_fixture.h - a file of reference/torch_fixtures.py: a network, some images, and what PyTorch computed.
 */
#ifndef ESPALIER_TESTS_TORCH_FIXTURE_H
#define ESPALIER_TESTS_TORCH_FIXTURE_H

#include "nn/backend.h"

struct fixture {
    char *bytes;
    size_t length;
    struct arch arch;
    struct shape input;
    int classes, batch, steps;
    struct sgd sgd;
    struct images images;
    struct view view;
    const char *blocks; /* the first block's line */
};

/* The names of all. */
enum { TORCH_FIXTURES = 7 };
extern const char *const torch_fixtures[TORCH_FIXTURES];

/* Fails the test when it can't be read. */
void fixture_open(struct fixture *fixture, const char *name);
void fixture_done(struct fixture *fixture);
/* A copy of a block of floats, which must have `expected` numbers; free() it. */
float *fixture_floats(const struct fixture *fixture, const char *name, size_t expected);

#endif
