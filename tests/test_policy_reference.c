/*
 * test_policy_reference.c - the controller against PyTorch's LSTM, distributions and autograd: reference/policy.txt,
 * which reference/policy.py made from weights by the same formula.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/controller.h"

enum { LINE = 512 };
static const double advantage = 0.75, bonus = 0.25, tolerance = 1e-10;

static double formula(int number, int64_t element, double scale)
{
    return scale * ((double)((element * 7919 + number * INT64_C(104729)) % 2003) / 2003 - 0.5);
}

static int64_t size_of(const struct parameter *parameter)
{
    return (int64_t)parameter->rows * parameter->columns;
}

static void pour_weights(struct parameters *parameters)
{
    for (int i = 0; i < parameters->count; i++)
        for (int64_t j = 0; j < size_of(&parameters->items[i]); j++)
            parameters->items[i].values[j] = formula(i, j, 0.8);
}

static void read_line(FILE *file, char line[LINE])
{
    assert_non_null(fgets(line, LINE, file));
    line[strcspn(line, "\n")] = 0;
}

static void read_wider(const char *letters, struct decision *decision)
{
    assert_int_equal(strlen(letters), decision->arch.layer_count);
    for (int i = 0; letters[i]; i++) {
        decision->offered[i] = letters[i] != '-';
        decision->chosen[i] = letters[i] == '1';
    }
}

static void read_deeper(char *letters, struct decision *decision)
{
    decision->deeper = true;
    for (char *word = strtok(letters, " "); word; word = strtok(NULL, " ")) {
        assert_true(decision->level_count < DEEPER_LEVELS);
        struct level_choice *choice = &decision->levels[decision->level_count++];
        choice->count = (int)strlen(word);
        for (int i = 0; i < choice->count; i++)
            choice->offered[i] = word[i] != '-';
        choice->choice = (int)(strchr(word, '1') - word);
    }
}

static void check_near(const char *name, double value, double expected)
{
    if (fabs(value - expected) > tolerance * (1 + fabs(expected)))
        fail_msg("%s is %.15g, by PyTorch %.15g", name, value, expected);
}

static void check_gradient(int number, const struct parameter *parameter, const char *line)
{
    char name[64];
    double expected[5], norm = 0, product = 0;
    assert_int_equal(sscanf(line, "%63s %lf %lf %lf %lf %lf", name, &expected[0], &expected[1], &expected[2],
                            &expected[3], &expected[4]),
                     6);
    assert_string_equal(parameter->name, name);
    const double *gradients = parameter->gradients;
    int64_t size = size_of(parameter);
    for (int64_t i = 0; i < size; i++) {
        norm += gradients[i] * gradients[i];
        product += gradients[i] * formula(100 + number, i, 1);
    }
    check_near(name, sqrt(norm), expected[0]);
    check_near(name, product, expected[1]);
    check_near(name, gradients[0], expected[2]);
    check_near(name, gradients[size / 3], expected[3]);
    check_near(name, gradients[size - 1], expected[4]);
}

/* `line` is the case's first. */
static void check_case(struct controller *controller, FILE *file, char line[LINE])
{
    struct decision decision = {0};
    struct error error;
    struct parameters *parameters = &controller->parameters;
    char *text = strchr(line, ' ');
    bool deeper = strncmp(line, "deeper ", 7) == 0;
    double log_probability, entropy;
    if (arch_parse(&decision.arch, text, &error) != 0)
        fail_msg("%s", error.text);
    read_line(file, line);
    if (deeper)
        read_deeper(line, &decision);
    else
        read_wider(line, &decision);
    read_line(file, line);
    assert_int_equal(sscanf(line, "%lf %lf", &log_probability, &entropy), 2);

    struct decision_score score = controller_score(controller, &decision);
    check_near("log probability", score.log_probability, log_probability);
    check_near("entropy", score.entropy, entropy);
    parameters_clear_gradients(parameters);
    controller_learn(controller, &decision, advantage, bonus);
    for (int i = 0; i < parameters->count; i++) {
        read_line(file, line);
        check_gradient(i, &parameters->items[i], line);
    }
}

static FILE *open_reference(void)
{
    char path[4096];
    const char *source = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/tests/reference/policy.txt", source ? source : "..");
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can't be read; run from a build folder below the sources, or set top_srcdir", path);
    return file;
}

static void test_decisions(void **unused)
{
    struct controller *controller = controller_new(space_find("small"), false, 1);
    FILE *file = open_reference();
    char line[LINE];
    int cases = 0;
    pour_weights(&controller->parameters);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "wider ", 6) == 0 || strncmp(line, "deeper ", 7) == 0) {
            check_case(controller, file, line);
            cases++;
        }
    }
    assert_int_equal(cases, 5);
    fclose(file);
    controller_free(controller);
}

static void test_adam(void **unused)
{
    enum { VALUES = 4, STEPS = 5 };
    struct parameters parameters = {0};
    struct parameter *parameter = parameters_add(&parameters, "values", 1, VALUES);
    FILE *file = open_reference();
    char line[LINE] = "";
    double expected[VALUES];
    while (strncmp(line, "adam ", 5) != 0)
        read_line(file, line);
    assert_int_equal(sscanf(line, "adam %lf %lf %lf %lf", &expected[0], &expected[1], &expected[2], &expected[3]),
                     VALUES);
    pour_weights(&parameters);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < VALUES; i++)
            parameter->gradients[i] = formula(200 + step, i, 1);
        parameters_adam_step(&parameters, 2e-3);
    }
    for (int i = 0; i < VALUES; i++)
        assert_true(fabs(parameter->values[i] - expected[i]) < 5e-7); /* kept as float32 between steps */
    fclose(file);
    parameters_done(&parameters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decisions), cmocka_unit_test(test_adam)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
