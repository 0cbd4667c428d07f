/*
 * test_exactness.c - the law of morph.h where it counts: on trained weights, real images and the backends that a
 * search runs on.
 *
 * A few small networks learn Fashion-MNIST for an epoch.  Then each chain grows one of them by 20 random actions,
 * measuring statistics for deepened layers as a search does, and compares logits on images that it never learned from.
 * The backend that a search would choose takes all chains, the others a tenth of them; networks of all families alike.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends.h"
#include "morph/morph.h"
#include "nn/trainer.h"
#include "random_action.h"
#include "repeats.h"
#include "util/bug.h"
#include "util/memory.h"

enum { CHAINS = REPEATS(200), CHAIN_ACTIONS = 20, UNITS_MAX = 9, SUBSET = 2000, IMAGES = 16, CLASSES = 10, SEED = 5 };

static const char *const notations[] = {
    "P(2,2) C(4,3,1) P(2,2) C(6,3,1) A(7,7) FC(8) SM(10)",
    "C(4,5,2) C(4,3,2) A(2,2) FC(6) FC(6) SM(10)",
    "P(2,2) C(5,3,2) P(2,2) SM(10)",
    "C(6,3,2) D(2,[3,3]) T(0.5) D(2,[3,3]) A(7,7) SM(10)",
    "P(2,2) C(4,3,1) P(2,2) D(0,[3,2]) P(2,2) FC(8) SM(10)",
    "C(6,3,2) M(8,3) S(6,3,2) R(4,3) A(7,7) SM(10)",
};
/* Of each family, where its networks begin. */
static const struct {
    const char *name;
    int first, count;
} families[] = {{"plain", 0, 3}, {"dense", 3, 2}, {"modern", 5, 1}};

/* Trained once, read by every test. */
static struct {
    struct images images;
    struct view train, validate;
    struct weights *networks[COUNT_OF(notations)];
    bool found;
} shared;

static int set_up(void **state)
{
    struct data_spec spec;
    struct error error;
    if (data_spec_parse("fashion-mnist", &spec, &error) < 0)
        fail_msg("%s", error.text);
    if (access(spec.folder, R_OK)) {
        print_message("# skipped: %s is not there; apt-get install dataset-fashion-mnist\n", spec.folder);
        return 0;
    }
    if (images_open(&spec, DATA_TRAIN, &shared.images, &error) < 0 ||
        data_split(&shared.images, IMAGES, SUBSET, SEED, &shared.train, &shared.validate, &error) < 0)
        fail_msg("%s", error.text);

    struct training training = training_paper;
    training.epochs = 1;
    training.batch = 16;
    training.rate = 0.05f;
    for (size_t i = 0; i < COUNT_OF(notations); i++) {
        struct arch arch;
        struct random_stream stream = random_stream_new(SEED, RANDOM_INITIALISE, (uint32_t)i, 0);
        assert_int_equal(arch_parse(&arch, notations[i], NULL), 0);
        struct weights *weights = weights_new(&arch, shared.images.shape);
        weights_initialise(weights, &stream);
        if (train(backend_cpu(), weights, &shared.train, NULL, &training, NULL, &error) != TRAINING_DONE)
            fail_msg("%s: %s", notations[i], error.text);
        shared.networks[i] = weights;
    }
    shared.found = true;
    return 0;
}

static int tear_down(void **state)
{
    if (!shared.found)
        return 0;
    for (size_t i = 0; i < COUNT_OF(notations); i++)
        weights_free(shared.networks[i]);
    view_done(&shared.train);
    view_done(&shared.validate);
    images_done(&shared.images);
    return 0;
}

/* How a trial measures: which backend, and how often it did. */
struct measuring {
    const struct backend *backend;
    uint32_t chain, calls;
};

static int measure_on_images(void *context, const struct weights *network, int layer, float *mean, float *variance,
                             struct error *error)
{
    struct measuring *measuring = context;
    return network_measure(measuring->backend, network, layer, &shared.train, 1, IMAGES, SEED, measuring->chain,
                           measuring->calls++, mean, variance, error);
}

static void logits_of(const struct backend *backend, struct weights *weights, float logits[IMAGES * CLASSES])
{
    struct plan *plan = memory_new(1, sizeof *plan);
    struct error error;
    plan_lower(&weights->arch, weights->input, &(struct plan_options){0}, plan);
    struct network *network = network_open(backend, plan, IMAGES, NETWORK_INFERENCE, weights, NULL, &error);
    if (!network)
        fail_msg("%s", error.text);
    network_infer(network, &(struct batch){&shared.validate, shared.validate.index, NULL, IMAGES, NULL}, logits);
    network_free(network);
    free(plan);
}

static struct weights *grow(const struct weights *start, struct measuring *measuring)
{
    struct random_stream stream = random_stream_new(SEED, RANDOM_TEST, measuring->chain, 0);
    static const enum morph_split splits[] = {MORPH_SPLIT_EQUAL, MORPH_SPLIT_UNEQUAL, MORPH_SPLIT_FRESH};
    struct morph_options options = {splits[measuring->chain % COUNT_OF(splits)], 0, 0};
    struct morph_measure measure = {measure_on_images, measuring};
    struct weights *network = weights_copy(start);
    for (int i = 0; i < CHAIN_ACTIONS; i++) {
        struct action action = random_action(&network->arch, UNITS_MAX, &stream);
        struct weights *child;
        struct error error;
        if (morph_apply(network, &action, &options, &measure, &stream, &child, &error) < 0)
            fail_msg("%s", error.text);
        weights_free(network);
        network = child;
    }
    return network;
}

/* Largest difference of logits after a chain, relative to the largest logit; each family has CHAINS of them. */
static double chain_difference(const struct backend *backend, uint32_t chain)
{
    int first = families[chain / CHAINS].first, count = families[chain / CHAINS].count;
    struct weights *start = shared.networks[first + (int)(chain / 2) % count];
    struct measuring measuring = {backend, chain, 0};
    struct weights *grown = grow(start, &measuring);
    float before[IMAGES * CLASSES], after[IMAGES * CLASSES];
    logits_of(backend, start, before);
    logits_of(backend, grown, after);
    weights_free(grown);
    double apart = 0, largest = 0;
    for (int i = 0; i < IMAGES * CLASSES; i++) {
        apart = fmax(apart, fabs((double)before[i] - after[i]));
        largest = fmax(largest, fabs(before[i]));
    }
    return apart / largest;
}

/* Otherwise the chains would compare noise. */
static void the_networks_have_learned(void **state)
{
    if (!shared.found)
        skip();
    for (size_t i = 0; i < COUNT_OF(notations); i++) {
        struct evaluation evaluation;
        struct error error;
        if (network_evaluate(backend_cpu(), shared.networks[i], &shared.train, 64, &evaluation, &error))
            fail_msg("%s", error.text);
        print_message("# %s: accuracy %.3f\n", notations[i], evaluation.accuracy);
        assert_true(evaluation.accuracy > 0.4);
    }
}

static void chains_keep_the_function(void **state)
{
    if (!shared.found)
        skip();
    const struct backend *backends[BACKENDS_MAX];
    int count = backends_here(backends);
    for (int b = 0; b < count; b++) {
        int chains = backends[b] == backend_cpu() ? CHAINS : CHAINS / 10;
        for (int family = 0; family < (int)COUNT_OF(families); family++) {
            double worst = 0;
            for (int chain = family * CHAINS; chain < family * CHAINS + chains; chain++) {
                double apart = chain_difference(backends[b], (uint32_t)chain);
                if (!(apart <= 1e-4))
                    fail_msg("%s, chain %d: logits differ by %g of the largest", backends[b]->description, chain,
                             apart);
                worst = fmax(worst, apart);
            }
            print_message("# worst of %d %s chains: %.2g of the largest logit (%s)\n", chains, families[family].name,
                          worst, backends[b]->description);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_networks_have_learned),
        cmocka_unit_test(chains_keep_the_function),
    };
    return cmocka_run_group_tests_name("exactness", tests, set_up, tear_down);
}
