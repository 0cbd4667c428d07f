/*
 * test_policy_gradients.c - the controller's gradients against central differences: the LSTM alone, each actor through
 * the encoder, and the loss of a whole batch.
 *
 * Every element of every parameter is tested, by derivatives along random directions: a wrong element changes
 * almost every direction's sum.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/controller.h"

enum { DIRECTIONS = 4 };
static const double difference = 1e-5, tolerance = 1e-6;

static size_t size_of(const struct parameter *parameter)
{
    return (size_t)parameter->rows * (size_t)parameter->columns;
}

static void move(double *values, const double *direction, size_t count, double distance)
{
    for (size_t i = 0; i < count; i++)
        values[i] += distance * direction[i];
}

static double *random_direction(struct random_stream *stream, size_t count)
{
    double *direction = malloc((count ? count : 1) * sizeof *direction);
    for (size_t i = 0; i < count; i++)
        direction[i] = random_normal(stream);
    return direction;
}

static void check_equal(const char *name, double analytic, double numeric, double scale)
{
    if (fabs(analytic - numeric) > tolerance * (fabs(numeric) + scale))
        fail_msg("%s: the gradient says %.12g, differences say %.12g", name, analytic, numeric);
}

/* The loss as a function of nothing but the values that the test moves. */
typedef double loss_function(void *context);

static void check_values(const char *name, double *values, const double *gradients, size_t count, loss_function *loss,
                         void *context)
{
    struct random_stream stream = random_stream_new(11, RANDOM_TEST, (uint32_t)count, 0);
    for (int k = 0; k < DIRECTIONS; k++) {
        double *direction = random_direction(&stream, count), *kept = malloc(count * sizeof *kept), analytic = 0;
        memcpy(kept, values, count * sizeof *kept);
        for (size_t i = 0; i < count; i++)
            analytic += direction[i] * gradients[i];
        move(values, direction, count, difference);
        double above = loss(context);
        memcpy(values, kept, count * sizeof *kept);
        move(values, direction, count, -difference);
        double below = loss(context);
        memcpy(values, kept, count * sizeof *kept);
        check_equal(name, analytic, (above - below) / (2 * difference), 1e-3);
        free(direction);
        free(kept);
    }
}

static void check_parameters(struct parameters *parameters, loss_function *loss, void *context)
{
    for (int i = 0; i < parameters->count; i++) {
        struct parameter *parameter = &parameters->items[i];
        check_values(parameter->name, parameter->values, parameter->gradients, size_of(parameter), loss, context);
    }
}

/* An LSTM by itself over five steps; the loss weighs every output and the last cell at random. */

enum { STEPS = 5, INPUTS = 7, UNITS = 11 };

struct lstm_case {
    struct parameters parameters;
    struct lstm lstm;
    double inputs[STEPS][INPUTS];
    struct lstm_state first;
    double output_weights[STEPS][UNITS], cell_weights[UNITS];
    struct lstm_trace traces[STEPS];
};

static double lstm_loss(void *context)
{
    struct lstm_case *c = context;
    struct lstm_state state = c->first;
    double loss = 0;
    for (int step = 0; step < STEPS; step++) {
        lstm_forward(&c->lstm, c->inputs[step], &state, &state, &c->traces[step]);
        for (int u = 0; u < UNITS; u++)
            loss += c->output_weights[step][u] * state.output[u];
    }
    for (int u = 0; u < UNITS; u++)
        loss += c->cell_weights[u] * state.cell[u];
    return loss;
}

static void fill_normal(double *values, int count, struct random_stream *stream)
{
    for (int i = 0; i < count; i++)
        values[i] = random_normal(stream);
}

static void test_lstm(void **unused)
{
    struct lstm_case c = {0};
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    lstm_init(&c.lstm, &c.parameters, &stream, "weight", "bias", INPUTS, UNITS);
    fill_normal(c.lstm.gates.bias->values, 4 * UNITS, &stream);
    fill_normal(&c.inputs[0][0], STEPS * INPUTS, &stream);
    fill_normal(c.first.output, UNITS, &stream);
    fill_normal(c.first.cell, UNITS, &stream);
    fill_normal(&c.output_weights[0][0], STEPS * UNITS, &stream);
    fill_normal(c.cell_weights, UNITS, &stream);

    lstm_loss(&c);
    double input_gradients[STEPS][INPUTS] = {{0}};
    struct lstm_state gradient = {0};
    memcpy(gradient.cell, c.cell_weights, sizeof c.cell_weights);
    for (int step = STEPS - 1; step >= 0; step--) {
        for (int u = 0; u < UNITS; u++)
            gradient.output[u] += c.output_weights[step][u];
        lstm_backward(&c.lstm, &c.traces[step], &gradient, input_gradients[step]);
    }
    check_parameters(&c.parameters, lstm_loss, &c);
    check_values("inputs", &c.inputs[0][0], &input_gradients[0][0], STEPS * INPUTS, lstm_loss, &c);
    check_values("first output", c.first.output, gradient.output, UNITS, lstm_loss, &c);
    check_values("first cell", c.first.cell, gradient.cell, UNITS, lstm_loss, &c);
    parameters_done(&c.parameters);
}

/* Decisions of a real proposal, each with an advantage; the entropy's bonus is large enough to be seen. */

enum { DECISIONS_MAX = 2 * PROPOSAL_STEPS_MAX + DECISIONS_OF_PERSON_MAX };

struct decisions_case {
    struct controller *controller;
    int count;
    struct decision *decisions;
    double advantages[DECISIONS_MAX];
    double bonus;
};

static double decisions_loss(void *context)
{
    struct decisions_case *c = context;
    double loss = 0;
    for (int i = 0; i < c->count; i++) {
        struct decision_score score = controller_score(c->controller, &c->decisions[i]);
        loss -= c->advantages[i] * score.log_probability + c->bonus * score.entropy;
    }
    return loss;
}

static void check_decisions(struct decisions_case *c)
{
    parameters_clear_gradients(&c->controller->parameters);
    for (int i = 0; i < c->count; i++) {
        controller_score(c->controller, &c->decisions[i]);
        controller_learn(c->controller, &c->decisions[i], c->advantages[i], c->bonus);
    }
    assert_true(parameters_gradient_norm(&c->controller->parameters) > 0.01);
    check_parameters(&c->controller->parameters, decisions_loss, c);
}

/* Biases that aren't 0, so that no gradient is a special case. */
static void shake(struct controller *controller)
{
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    for (int i = 0; i < controller->parameters.count; i++) {
        struct parameter *parameter = &controller->parameters.items[i];
        for (size_t j = 0; j < size_of(parameter); j++)
            parameter->values[j] += 0.1 * random_normal(&stream);
    }
}

/* Plain, dense, and modern with each combination of features. */
enum networks { PLAIN, DENSE, GATED, NETWORKS };

static void sample_decisions(struct decisions_case *c, enum networks networks, int wider, int deeper, double bonus)
{
    struct policy_options options = {.space = space_find(networks == GATED ? "modern" : "small"),
                                     .dense = networks == DENSE,
                                     .input = {3, 32, 32},
                                     .wider_decisions = wider,
                                     .deeper_decisions = deeper};
    struct random_stream stream = random_stream_new(5, RANDOM_TEST, (uint32_t)wider, (uint32_t)deeper);
    struct arch start;
    struct proposal proposal;
    *c = (struct decisions_case){.controller = controller_new(options.space, options.dense, 7), .bonus = bonus};
    c->decisions = calloc(DECISIONS_MAX, sizeof *c->decisions);
    shake(c->controller);
    (networks == DENSE ? space_start_dense : space_start)(options.space, options.input, 10, &start);
    if (networks == GATED)
        assert_int_equal(
            arch_parse(&start, "C(8,3,1) M(24,3,se) S(8,3,2,hs) M(24,3,se,hs) M(24,3) A(16,16) SM(10)", NULL), 0);
    struct chooser chooser = controller_chooser(c->controller);
    for (int network = 0; network < 2; network++) {
        decisions_sample(&options, &chooser, &start, &stream, &proposal);
        assert_true(decisions_recover(&options, &start, &proposal, c->decisions + c->count));
        for (int i = 0; i < wider + deeper; i++)
            c->advantages[c->count++] = network ? 0.8 : -0.3;
    }
}

static void check_case(int wider, int deeper, double bonus)
{
    for (int networks = 0; networks < NETWORKS; networks++) {
        struct decisions_case c;
        sample_decisions(&c, (enum networks)networks, wider, deeper, bonus);
        check_decisions(&c);
        controller_free(c.controller);
        free(c.decisions);
    }
}

static void test_wider_actor(void **unused)
{
    check_case(3, 0, 0);
    check_case(3, 0, 0.5);
}

static void test_deeper_actor(void **unused)
{
    check_case(0, 4, 0);
    check_case(0, 4, 0.5);
}

static void test_episode(void **unused)
{
    check_case(4, 5, 0.1);
}

/* A person's network as decisions, beside the policy's own. */
static void test_person(void **unused)
{
    static const char *const actions[] = {"widen:conv2:12", "deepen:conv1:5", "deepen:fc1", "widen:fc1:16"};
    struct policy_options options = {.space = space_find("small"), .input = {3, 32, 32}};
    struct decisions_case c;
    struct arch start;
    struct proposal proposal = {0};
    struct error error;
    sample_decisions(&c, PLAIN, 2, 2, 0.1);
    space_start(options.space, options.input, 10, &start);
    for (int i = 0; i < 4; i++)
        assert_int_equal(proposal_add_text(&start, options.space, actions[i], &proposal, &error), 0);
    int count = decisions_of_person(&options, &start, &proposal, c.decisions + c.count);
    assert_int_equal(count, 5); /* conv2 goes from 4 over 8 to 12 */
    while (count--)
        c.advantages[c.count++] = 0.6;
    check_decisions(&c);
    controller_free(c.controller);
    free(c.decisions);
}

/* A state that was written before there were features: they are zero, and everything else is as it was. */
static void test_features_may_be_missing(void **unused)
{
    const struct space *space = space_find("modern");
    struct controller *old = controller_new(space, false, 7), *new = controller_new(space, false, 8);
    struct error error;
    void *bytes;
    size_t length;
    int count = old->parameters.count;
    shake(old);
    for (int i = 0; i < count; i++) /* a file holds what float32 holds */
        for (size_t j = 0; j < size_of(&old->parameters.items[i]); j++)
            old->parameters.items[i].values[j] = (double)(float)old->parameters.items[i].values[j];
    old->parameters.count--;
    parameters_encode(&old->parameters, (double[]){3}, 1, &bytes, &length);
    old->parameters.count++;
    double number;
    assert_int_equal(parameters_decode(&new->parameters, &number, 1, bytes, length, &error), 0);
    assert_true(number == 3);
    for (int i = 0; i < count; i++)
        for (size_t j = 0; j < size_of(&old->parameters.items[i]); j++)
            assert_true(new->parameters.items[i].values[j] == (i + 1 < count ? old->parameters.items[i].values[j] : 0));
    assert_string_equal(old->parameters.items[count - 1].name, "encoder.features");
    assert_int_equal(parameters_decode(&new->parameters, &number, 1, bytes, length - 1, &error), -1);
    free(bytes);
    controller_free(old);
    controller_free(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lstm),         cmocka_unit_test(test_wider_actor),
        cmocka_unit_test(test_deeper_actor), cmocka_unit_test(test_episode),
        cmocka_unit_test(test_person),       cmocka_unit_test(test_features_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
