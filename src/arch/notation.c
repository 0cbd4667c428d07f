/*
 * notation.c - an architecture to and from text, its names, and the rules of a well-formed list of layers.
 *
 * One table row a kind of layer says how it is written, what its numbers are and how large they may be; reading,
 * printing and checking all follow the table.  A list in brackets is one layer for each of its numbers.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/arch_internal.h"
#include "util/bug.h"

enum { VALUES_MAX = 3 };

/* One number in a layer's parentheses: where it lies in struct layer, and its range. */
struct value {
    const char *what;
    size_t offset;
    int minimum, maximum;
    enum { ANY, ODD, HUNDREDTHS, LIST } form; /* HUNDREDTHS: 50 is written 0.5 */
};

struct notation {
    const char *symbol; /* as written */
    const char *name;   /* as in layer_name() */
    const char *form;   /* for messages */
    int value_count;
    struct value values[VALUES_MAX];
};

#define UNITS(what, minimum)                                                                                           \
    {                                                                                                                  \
        what, offsetof(struct layer, units), minimum, ARCH_UNITS_MAX, ANY                                              \
    }
#define KERNEL                                                                                                         \
    {                                                                                                                  \
        "kernel", offsetof(struct layer, kernel), 1, ARCH_KERNEL_MAX, ODD                                              \
    }
#define WINDOW                                                                                                         \
    {                                                                                                                  \
        "pool size", offsetof(struct layer, kernel), 1, ARCH_SIDE_MAX, ANY                                             \
    }
#define STRIDE                                                                                                         \
    {                                                                                                                  \
        "stride", offsetof(struct layer, stride), 1, ARCH_SIDE_MAX, ANY                                                \
    }
#define BOTTLENECK                                                                                                     \
    {                                                                                                                  \
        "bottleneck", offsetof(struct layer, bottleneck), 0, ARCH_BOTTLENECK_MAX, ANY                                  \
    }
#define GROWTH                                                                                                         \
    {                                                                                                                  \
        "growth rate", offsetof(struct layer, units), 1, ARCH_GROWTH_MAX, LIST                                         \
    }
#define REDUCTION                                                                                                      \
    {                                                                                                                  \
        "reduction", offsetof(struct layer, percent), 1, 100, HUNDREDTHS                                               \
    }

static const struct notation notations[] = {
    [LAYER_CONV] = {"C", "conv", "C(filters,kernel,stride)", 3, {UNITS("filters", 1), KERNEL, STRIDE}},
    [LAYER_MAX_POOL] = {"P", "pool", "P(size,stride)", 2, {WINDOW, STRIDE}},
    [LAYER_AVERAGE_POOL] = {"A", "average", "A(size,stride)", 2, {WINDOW, STRIDE}},
    [LAYER_FC] = {"FC", "fc", "FC(units)", 1, {UNITS("units", 1)}},
    [LAYER_SOFTMAX] = {"SM", "classifier", "SM(classes)", 1, {UNITS("classes", 2)}},
    [LAYER_DENSE] = {"D", "dense", "D(bottleneck,[growth,...])", 2, {BOTTLENECK, GROWTH}},
    [LAYER_TRANSITION] = {"T", "transition", "T(reduction) with at most two decimals", 1, {REDUCTION}},
};

static int *value_of(struct layer *layer, const struct value *value)
{
    return (int *)((char *)layer + value->offset);
}

static int number_of(const struct layer *layer, const struct value *value)
{
    struct layer copy = *layer;
    return *value_of(&copy, value);
}

static void add_hundredths(int hundredths, struct text *text)
{
    text_add(text, "%d", hundredths / 100);
    if (hundredths % 100)
        text_add(text, hundredths % 10 ? ".%02d" : ".%d", hundredths % 10 ? hundredths % 100 : hundredths % 100 / 10);
}

/* `count` layers that stand in one pair of parentheses: they differ in the numbers of the list alone. */
static void print_together(const struct layer *layers, int count, struct text *text)
{
    const struct notation *notation = &notations[layers->kind];
    text_add(text, "%s", notation->symbol);
    for (int i = 0; i < notation->value_count; i++) {
        const struct value *value = &notation->values[i];
        text_add(text, i ? "," : "(");
        if (value->form == HUNDREDTHS)
            add_hundredths(number_of(layers, value), text);
        else if (value->form != LIST)
            text_add(text, "%d", number_of(layers, value));
        for (int k = 0; k < count && value->form == LIST; k++)
            text_add(text, "%s%d%s", k ? "," : "[", number_of(&layers[k], value), k + 1 < count ? "" : "]");
    }
    text_add(text, ")");
}

void layer_print(const struct layer *layer, struct text *text)
{
    print_together(layer, 1, text);
}

/* How many layers from this one on are written as one: 1, or those of a D. */
static int written_together(const struct arch *arch, int layer)
{
    const struct layer *first = &arch->layers[layer];
    int count = 1;
    while (first->kind == LAYER_DENSE && layer + count < arch->layer_count && first[count].kind == LAYER_DENSE &&
           first[count].bottleneck == first->bottleneck)
        count++;
    return count;
}

void arch_print(const struct arch *arch, struct text *text)
{
    for (int i = 0, count; i < arch->layer_count; i += count) {
        count = written_together(arch, i);
        if (i)
            text_add(text, " ");
        print_together(&arch->layers[i], count, text);
    }
}

int layer_error(const struct arch *arch, int layer, struct error *error, const char *what)
{
    struct text text = TEXT_EMPTY;
    layer_print(&arch->layers[layer], &text);
    error_set(error, "layer %d, %s: %s", layer + 1, text_string(&text), what);
    text_done(&text);
    return -1;
}

static int check_values(const struct arch *arch, int layer, struct error *error)
{
    const struct notation *notation = &notations[arch->layers[layer].kind];
    for (int i = 0; i < notation->value_count; i++) {
        const struct value *value = &notation->values[i];
        int number = number_of(&arch->layers[layer], value);
        char what[80];
        if (number < value->minimum || number > value->maximum) {
            if (value->form == HUNDREDTHS)
                snprintf(what, sizeof(what), "%s must lie in %.2f to %.2f", value->what, value->minimum / 100.0,
                         value->maximum / 100.0);
            else
                snprintf(what, sizeof(what), "%s must lie in %d to %d", value->what, value->minimum, value->maximum);
            return layer_error(arch, layer, error, what);
        }
        if (value->form == ODD && number % 2 == 0) {
            snprintf(what, sizeof(what), "%s must be odd", value->what);
            return layer_error(arch, layer, error, what);
        }
    }
    return 0;
}

/* C, P, A, D, T come first, then FC, then SM: the kinds' ranks never fall. */
static int rank_of(enum layer_kind kind)
{
    return kind == LAYER_SOFTMAX ? 2 : kind == LAYER_FC ? 1 : 0;
}

int arch_check(const struct arch *arch, struct error *error)
{
    int convolutions = 0;
    if (arch->layer_count == 0)
        return error_set(error, "there is no layer; write for example C(16,3,1) P(2,2) C(32,3,1) A(4,4) FC(64) SM(10)");
    for (int i = 0; i < arch->layer_count; i++) {
        enum layer_kind kind = arch->layers[i].kind;
        if (check_values(arch, i, error))
            return -1;
        if (i && arch->layers[i - 1].kind == LAYER_SOFTMAX)
            return layer_error(arch, i, error, "nothing may follow SM, the classifier");
        if (i && rank_of(kind) < rank_of(arch->layers[i - 1].kind))
            return layer_error(arch, i, error, "C, P, A, D and T must come before FC");
        if (i && layer_is_dense(&arch->layers[i - 1]) && !layer_is_dense(&arch->layers[i]) &&
            !layer_is_pool(&arch->layers[i]))
            return layer_error(arch, i, error,
                               "only D, T, P or A may follow D and T: they begin with the BN that is due");
        if (layer_is_dense(&arch->layers[i]) && !convolutions)
            return layer_error(arch, i, error, "a C must come before D and T");
        convolutions += kind == LAYER_CONV;
    }
    if (arch->layers[arch->layer_count - 1].kind != LAYER_SOFTMAX)
        return error_set(error, "the last layer must be the classifier; add SM(classes)");
    if (!convolutions)
        return error_set(error, "at least one convolution is needed; add C(filters,kernel,stride)");
    return 0;
}

static const char *skip_blanks(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* Messages about text that can't be read quote what stands there, as far as the next blank. */
static int syntax_error(int layer, const char *start, struct error *error, const char *what)
{
    size_t length = strcspn(start, ") \t\r\n\v\f");
    if (start[length] == ')')
        length++;
    enum { QUOTED_MAX = 40 };
    bool cut = length > QUOTED_MAX;
    return error_set(error, "layer %d, \"%.*s%s\": %s", layer + 1, (int)(cut ? QUOTED_MAX : length), start,
                     cut ? "..." : "", what);
}

/* Digits, no sign; numbers too large for any range stop growing and are refused by the check that follows. */
static const char *read_digits(const char *at, int *number)
{
    if (!isdigit((unsigned char)*at))
        return NULL;
    for (; isdigit((unsigned char)*at); at++)
        *number = *number < 100000000 ? *number * 10 + (*at - '0') : *number;
    return at;
}

/* NULL when there is none. */
static const char *read_number(const char *at, bool hundredths, int *number)
{
    *number = 0;
    at = read_digits(at, number);
    if (!hundredths || !at)
        return at;
    const char *decimals = at + 1, *end = at;
    if (*at == '.')
        end = read_digits(decimals, number);
    if (!end || end - decimals > 2)
        return NULL;
    for (ptrdiff_t count = end > at ? end - decimals : 0; count < 2; count++)
        *number *= 10;
    return end;
}

static int find_kind(const char *at, size_t length)
{
    for (size_t kind = 0; kind < COUNT_OF(notations); kind++) {
        const char *symbol = notations[kind].symbol;
        if (strlen(symbol) != length)
            continue;
        size_t same = 0;
        while (same < length && toupper((unsigned char)at[same]) == symbol[same])
            same++;
        if (same == length)
            return (int)kind;
    }
    return -1;
}

/* Add a layer like the last one for each further number of a list: behind the first, at the comma or bracket. */
static const char *read_list(const char *at, const struct value *value, struct arch *arch)
{
    for (at = skip_blanks(at); *at == ','; at = skip_blanks(at)) {
        if (arch->layer_count == ARCH_LAYERS_MAX)
            return at; /* not the bracket: told by the caller */
        struct layer *layer = &arch->layers[arch->layer_count];
        *layer = layer[-1];
        at = read_number(skip_blanks(at + 1), false, value_of(layer, value));
        if (!at)
            return NULL;
        arch->layer_count++;
    }
    return at;
}

static int too_many(struct error *error)
{
    return error_set(error, "more than %d layers; the network is too deep", ARCH_LAYERS_MAX);
}

/* Read the layer, or the list of layers, that starts at *at and move *at behind it. */
static int parse_layer(const char **at, struct arch *arch, struct error *error)
{
    const char *start = *at;
    int index = arch->layer_count;
    size_t letters = 0;
    while (isalpha((unsigned char)start[letters]))
        letters++;
    int kind = find_kind(start, letters);
    if (kind < 0)
        return syntax_error(index, start, error, "not a kind of layer; known are C, P, A, D, T, FC and SM");
    if (index == ARCH_LAYERS_MAX)
        return too_many(error);
    const struct notation *notation = &notations[kind];
    char form[64];
    snprintf(form, sizeof(form), "expected %s", notation->form);
    struct layer *layer = &arch->layers[arch->layer_count++];
    *layer = (struct layer){.kind = (enum layer_kind)kind};
    const char *next = start + letters;
    for (int i = 0; i < notation->value_count; i++) {
        const struct value *value = &notation->values[i];
        next = skip_blanks(next);
        if (*next != (i ? ',' : '('))
            return syntax_error(index, start, error, form);
        next = skip_blanks(next + 1);
        if (value->form == LIST && *next != '[')
            return syntax_error(index, start, error, form);
        if (value->form == LIST)
            next = skip_blanks(next + 1);
        next = read_number(next, value->form == HUNDREDTHS, value_of(layer, value));
        if (next && value->form == LIST)
            next = read_list(next, value, arch);
        if (next && value->form == LIST && *next == ',')
            return too_many(error);
        if (!next || (value->form == LIST && *next++ != ']'))
            return syntax_error(index, start, error, form);
    }
    next = skip_blanks(next);
    if (*next != ')')
        return syntax_error(index, start, error, form);
    *at = next + 1;
    return 0;
}

int arch_parse(struct arch *arch, const char *text, struct error *error)
{
    memset(arch, 0, sizeof(*arch));
    for (const char *at = skip_blanks(text); *at; at = skip_blanks(at))
        if (parse_layer(&at, arch, error))
            return -1;
    return arch_check(arch, error);
}

void layer_name(const struct arch *arch, int layer, char name[LAYER_NAME_MAX])
{
    ASSERT(layer >= 0 && layer < arch->layer_count);
    enum layer_kind kind = arch->layers[layer].kind;
    int number = 0;
    for (int i = 0; i <= layer; i++)
        number += arch->layers[i].kind == kind;
    if (kind == LAYER_SOFTMAX)
        snprintf(name, LAYER_NAME_MAX, "%s", notations[kind].name);
    else
        snprintf(name, LAYER_NAME_MAX, "%s%d", notations[kind].name, number);
}

int layer_find(const struct arch *arch, const char *name)
{
    for (int i = 0; i < arch->layer_count; i++) {
        char other[LAYER_NAME_MAX];
        layer_name(arch, i, other);
        if (strcmp(name, other) == 0)
            return i;
    }
    return -1;
}
