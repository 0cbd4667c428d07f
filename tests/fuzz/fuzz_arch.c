/*
 * fuzz_arch.c - the notation of architectures and actions, as typed on a command line or read from a log.
 *
 * The input is text: an architecture, and after the first newline an action on it.  What is accepted must print
 * and parse to itself, have the numbers that the text has, and be buildable or refused for an input of 3 × 32 × 32.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/action.h"
#include "arch/kinds.h"
#include "arch/weights.h"
#include "util/bug.h"
#include "util/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_round_trip(const struct arch *arch)
{
    struct text text = TEXT_EMPTY;
    struct arch again;
    arch_print(arch, &text);
    ASSERT(arch_parse(&again, text_string(&text), NULL) == 0);
    ASSERT(arch_equal(arch, &again) && hash_equal(arch_hash(arch), arch_hash(&again)));
    text_done(&text);
    for (int i = 0; i < arch->layer_count; i++) {
        char name[LAYER_NAME_MAX];
        layer_name(arch, i, name);
        ASSERT(layer_find(arch, name) == i);
    }
}

/* The next number of the text, as the C library reads it; what the notation doesn't allow was refused before. */
static double next_number(const char **text)
{
    char *end;
    *text += strcspn(*text, "0123456789");
    double number = strtod(*text, &end);
    *text = end;
    return number;
}

/* A list has one bottleneck, and a layer for each number in its brackets. */
static void check_numbers(const struct arch *arch, const char *text)
{
    for (int i = 0; i < arch->layer_count; i++) {
        struct layer layer = arch->layers[i];
        const struct layer_argument *argument = layer_traits(&layer)->arguments;
        for (; argument->what && argument->form != ARGUMENT_LIST; argument++)
            ASSERT(lround(next_number(&text) * (argument->form == ARGUMENT_HUNDREDTHS ? 100 : 1)) ==
                   *layer_argument(&layer, argument));
        if (!argument->what)
            continue;
        const char *end = strchr(text, ']');
        ASSERT(next_number(&text) == layer.units);
        while (strcspn(text, "0123456789") < (size_t)(end - text))
            ASSERT(next_number(&text) == arch->layers[++i].units);
    }
}

static void check_cost(const struct arch *arch)
{
    const struct shape input = {3, 32, 32};
    struct shape shapes[ARCH_LAYERS_MAX];
    struct error error = {""};
    if (arch_shapes(arch, input, shapes, &error)) {
        ASSERT(error.text[0]);
        return;
    }
    struct weights_layout layout;
    struct arch_cost cost = arch_cost(arch, input);
    weights_layout_of(arch, input, &layout);
    ASSERT(cost.parameters == layout.trained && cost.parameters > 0 && cost.flops > 0);
}

static void check_action(const struct arch *arch, const char *line)
{
    struct action action, same;
    struct error error = {""};
    if (action_parse(arch, line, &action, &error)) {
        ASSERT(error.text[0]);
        return;
    }
    struct text text = TEXT_EMPTY;
    action_print(arch, &action, &text);
    ASSERT(action_parse(arch, text_string(&text), &same, NULL) == 0);
    ASSERT(same.kind == action.kind && same.layer == action.layer && same.units == action.units &&
           same.kernel == action.kernel && same.block == action.block && same.features == action.features);
    text_done(&text);
    struct arch child;
    if (action_apply(arch, &action, &child, &error) == 0)
        check_round_trip(&child);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = memory_new(length + 1, 1), *line;
    if (length)
        memcpy(text, bytes, length);
    if ((line = strchr(text, '\n')))
        *line++ = 0;
    struct arch arch;
    struct error error = {""};
    if (arch_parse(&arch, text, &error) == 0) {
        check_round_trip(&arch);
        check_numbers(&arch, text);
        check_cost(&arch);
        if (line)
            check_action(&arch, line);
    } else {
        ASSERT(error.text[0]);
    }
    free(text);
    return 0;
}
