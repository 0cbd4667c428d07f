/*
 * notation.c - an architecture to and from text, its names, and the rules of a well-formed list of layers.
 *
 * Reading, printing and checking all follow the table of kinds.h.  A list in brackets is one layer for each of its
 * numbers.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "arch/arch.h"
#include "arch/kinds.h"
#include "util/bug.h"

static int number_of(const struct layer *layer, const struct layer_argument *argument)
{
    struct layer copy = *layer;
    return *layer_argument(&copy, argument);
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
    const struct layer_traits *traits = layer_traits(layers);
    text_add(text, "%s", traits->symbol);
    for (int i = 0; traits->arguments[i].what; i++) {
        const struct layer_argument *argument = &traits->arguments[i];
        text_add(text, i ? "," : "(");
        if (argument->form == ARGUMENT_HUNDREDTHS)
            add_hundredths(number_of(layers, argument), text);
        else if (argument->form != ARGUMENT_LIST)
            text_add(text, "%d", number_of(layers, argument));
        for (int k = 0; k < count && argument->form == ARGUMENT_LIST; k++)
            text_add(text, "%s%d%s", k ? "," : "[", number_of(&layers[k], argument), k + 1 < count ? "" : "]");
    }
    const char *word;
    for (int i = 0, feature; (word = layer_feature_word(i, &feature)); i++)
        if (layers->features & feature)
            text_add(text, ",%s", word);
    text_add(text, ")");
}

void layer_print(const struct layer *layer, struct text *text)
{
    print_together(layer, 1, text);
}

/* Are these two layers written as one list?  They are of one kind that has a list, and differ in its numbers alone. */
static bool belong_together(const struct layer *a, const struct layer *b)
{
    const struct layer_traits *traits = layer_traits(a);
    bool list = false;
    if (a->kind != b->kind)
        return false;
    for (int i = 0; traits->arguments[i].what; i++) {
        const struct layer_argument *argument = &traits->arguments[i];
        if (argument->form == ARGUMENT_LIST)
            list = true;
        else if (number_of(a, argument) != number_of(b, argument))
            return false;
    }
    return list;
}

void arch_print(const struct arch *arch, struct text *text)
{
    for (int i = 0, count; i < arch->layer_count; i += count) {
        count = 1;
        while (i + count < arch->layer_count && belong_together(&arch->layers[i], &arch->layers[i + count]))
            count++;
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
    const struct layer_traits *traits = layer_traits(&arch->layers[layer]);
    for (int i = 0; traits->arguments[i].what; i++) {
        const struct layer_argument *argument = &traits->arguments[i];
        int number = number_of(&arch->layers[layer], argument);
        char what[80];
        if (number < argument->minimum || number > argument->maximum) {
            if (argument->form == ARGUMENT_HUNDREDTHS)
                snprintf(what, sizeof(what), "%s must lie in %.2f to %.2f", argument->what, argument->minimum / 100.0,
                         argument->maximum / 100.0);
            else
                snprintf(what, sizeof(what), "%s must lie in %d to %d", argument->what, argument->minimum,
                         argument->maximum);
            return layer_error(arch, layer, error, what);
        }
        if (argument->form == ARGUMENT_ODD && number % 2 == 0) {
            snprintf(what, sizeof(what), "%s must be odd", argument->what);
            return layer_error(arch, layer, error, what);
        }
    }
    return 0;
}

static bool is_of_maps(const struct layer_traits *traits)
{
    return traits->section == SECTION_MAPS;
}

static bool is_dense(const struct layer_traits *traits)
{
    return traits->dense;
}

static bool hands_on_raw(const struct layer_traits *traits)
{
    return traits->raw_output;
}

static bool reads_raw(const struct layer_traits *traits)
{
    return traits->reads_raw;
}

static bool is_modern(const struct layer_traits *traits)
{
    return traits->modern;
}

/* How many layers come before: C, those of dense kinds, those of modern kinds. */
struct seen {
    int convolutions, dense, modern;
};

/* May `layer` stand where it does? */
static int check_place(const struct arch *arch, int layer, const struct seen *seen, struct error *error)
{
    const struct layer_traits *at = layer_traits(&arch->layers[layer]);
    const struct layer_traits *before = layer ? layer_traits(&arch->layers[layer - 1]) : NULL;
    char what[3 * LAYER_SYMBOLS_MAX], symbols[LAYER_SYMBOLS_MAX], others[LAYER_SYMBOLS_MAX];
    if (before && before->section == SECTION_CLASSIFIER)
        snprintf(what, sizeof(what), "nothing may follow SM, the classifier");
    else if (before && at->section < before->section)
        snprintf(what, sizeof(what), "%s must come before FC", layer_symbols(is_of_maps, " and ", symbols));
    else if (before && before->raw_output && !at->reads_raw)
        snprintf(what, sizeof(what), "only %s may follow %s: they begin with the BN that is due",
                 layer_symbols(reads_raw, " or ", symbols), layer_symbols(hands_on_raw, " and ", others));
    else if ((at->dense || at->modern) && !seen->convolutions)
        snprintf(what, sizeof(what), "a C must come before %s",
                 layer_symbols(at->dense ? is_dense : is_modern, " and ", symbols));
    else if ((at->dense && seen->modern) || (at->modern && seen->dense))
        snprintf(what, sizeof(what), "a network has either %s, or %s; choose one",
                 layer_symbols(is_dense, " and ", symbols), layer_symbols(is_modern, " and ", others));
    else
        return 0;
    return layer_error(arch, layer, error, what);
}

int arch_check(const struct arch *arch, struct error *error)
{
    struct seen seen = {0};
    if (arch->layer_count == 0)
        return error_set(error, "there is no layer; write for example C(16,3,1) P(2,2) C(32,3,1) A(4,4) FC(64) SM(10)");
    for (int i = 0; i < arch->layer_count; i++) {
        if (check_values(arch, i, error) || check_place(arch, i, &seen, error))
            return -1;
        seen.convolutions += arch->layers[i].kind == LAYER_CONV;
        seen.dense += layer_traits(&arch->layers[i])->dense;
        seen.modern += layer_traits(&arch->layers[i])->modern;
    }
    if (arch->layers[arch->layer_count - 1].kind != LAYER_SOFTMAX)
        return error_set(error, "the last layer must be the classifier; add SM(classes)");
    if (!seen.convolutions)
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

/* More than any range has: larger numbers are taken as this one, before they are calculated with, and refused by the check
   that follows. */
enum { NUMBER_MOST = 999999999 };

/* Digits, no sign. */
static const char *read_digits(const char *at, int *number)
{
    if (!isdigit((unsigned char)*at))
        return NULL;
    for (; isdigit((unsigned char)*at); at++)
        *number = *number <= NUMBER_MOST / 10 ? *number * 10 + (*at - '0') : NUMBER_MOST;
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
        *number = *number <= NUMBER_MOST / 10 ? *number * 10 : NUMBER_MOST;
    return end;
}

static int find_kind(const char *at, size_t length)
{
    for (int kind = 0; kind < LAYER_KINDS; kind++) {
        const char *symbol = layer_kind_traits((enum layer_kind)kind)->symbol;
        if (strlen(symbol) != length)
            continue;
        size_t same = 0;
        while (same < length && toupper((unsigned char)at[same]) == symbol[same])
            same++;
        if (same == length)
            return kind;
    }
    return -1;
}

/* Add a layer like the last one for each further number of a list: behind the first, at the comma or bracket. */
static const char *read_list(const char *at, const struct layer_argument *argument, struct arch *arch)
{
    for (at = skip_blanks(at); *at == ','; at = skip_blanks(at)) {
        if (arch->layer_count == ARCH_LAYERS_MAX)
            return at; /* not the bracket: told by the caller */
        struct layer *layer = &arch->layers[arch->layer_count];
        *layer = layer[-1];
        at = read_number(skip_blanks(at + 1), false, layer_argument(layer, argument));
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

/* Read the words behind a layer's numbers, in their order.  NULL: there is something else. */
static const char *read_features(const char *at, struct layer *layer)
{
    const char *word;
    at = skip_blanks(at);
    for (int i = 0, feature; (word = layer_feature_word(i, &feature)); i++) {
        const char *next = *at == ',' ? skip_blanks(at + 1) : at;
        size_t length = strlen(word);
        if (next == at || !(layer_traits(layer)->features & feature) || strncasecmp(next, word, length) != 0)
            continue;
        layer->features |= feature;
        at = skip_blanks(next + length);
    }
    return *at == ')' ? at : NULL;
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
    char known[LAYER_SYMBOLS_MAX], form[2 * LAYER_SYMBOLS_MAX];
    if (kind < 0) {
        snprintf(form, sizeof(form), "not a kind of layer; known are %s", layer_symbols(NULL, " and ", known));
        return syntax_error(index, start, error, form);
    }
    if (index == ARCH_LAYERS_MAX)
        return too_many(error);
    const struct layer_traits *traits = layer_kind_traits((enum layer_kind)kind);
    snprintf(form, sizeof(form), "expected %s", traits->form);
    struct layer *layer = &arch->layers[arch->layer_count++];
    *layer = (struct layer){.kind = (enum layer_kind)kind};
    const char *next = start + letters;
    for (int i = 0; traits->arguments[i].what; i++) {
        const struct layer_argument *argument = &traits->arguments[i];
        next = skip_blanks(next);
        if (*next != (i ? ',' : '('))
            return syntax_error(index, start, error, form);
        next = skip_blanks(next + 1);
        if (argument->form == ARGUMENT_LIST && *next != '[')
            return syntax_error(index, start, error, form);
        if (argument->form == ARGUMENT_LIST)
            next = skip_blanks(next + 1);
        next = read_number(next, argument->form == ARGUMENT_HUNDREDTHS, layer_argument(layer, argument));
        if (next && argument->form == ARGUMENT_LIST)
            next = read_list(next, argument, arch);
        if (next && argument->form == ARGUMENT_LIST && *next == ',')
            return too_many(error);
        if (!next || (argument->form == ARGUMENT_LIST && *next++ != ']'))
            return syntax_error(index, start, error, form);
    }
    next = read_features(next, layer);
    if (!next && traits->features)
        snprintf(form, sizeof(form), "expected %s; behind the numbers may stand se, then hs", traits->form);
    if (!next)
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

int layer_parse(const char *text, struct layer *layer)
{
    struct arch arch = {0};
    const char *at = text;
    if (parse_layer(&at, &arch, NULL) || *at || arch.layer_count != 1 || check_values(&arch, 0, NULL))
        return -1;
    *layer = arch.layers[0];
    return 0;
}

void layer_name(const struct arch *arch, int layer, char name[LAYER_NAME_MAX])
{
    ASSERT(layer >= 0 && layer < arch->layer_count);
    enum layer_kind kind = arch->layers[layer].kind;
    int number = 0;
    for (int i = 0; i <= layer; i++)
        number += arch->layers[i].kind == kind;
    if (layer_kind_traits(kind)->section == SECTION_CLASSIFIER)
        snprintf(name, LAYER_NAME_MAX, "%s", layer_kind_traits(kind)->name);
    else
        snprintf(name, LAYER_NAME_MAX, "%s%d", layer_kind_traits(kind)->name, number);
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
