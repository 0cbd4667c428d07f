/*
 * action.c - actions to and from text, and what they do to an architecture (morph/ does the same to weights).
 *
 * The one check of an action is check(): parsing leaves out only what the space completes.
 */
#include "arch/action.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "arch/kinds.h"
#include "util/bug.h"
#include "util/memory.h"

enum number { NUMBER_NONE, NUMBER_WIDTH, NUMBER_KERNEL };

static const struct kind_traits {
    const char *word;
    enum number number;
} traits_of[ACTION_KINDS] = {
    [ACTION_WIDEN] = {"widen", NUMBER_WIDTH},    [ACTION_DEEPEN] = {"deepen", NUMBER_KERNEL},
    [ACTION_NARROW] = {"narrow", NUMBER_WIDTH},  [ACTION_REMOVE] = {"remove", NUMBER_NONE},
    [ACTION_KERNEL] = {"kernel", NUMBER_KERNEL}, [ACTION_SQUEEZE] = {"squeeze", NUMBER_NONE},
};

const char *action_kind_word(enum action_kind kind)
{
    return traits_of[kind].word;
}

int action_kind_of(const char *text)
{
    size_t length = strcspn(text, ":");
    for (int kind = 0; kind < ACTION_KINDS; kind++)
        if (strlen(traits_of[kind].word) == length && !strncmp(traits_of[kind].word, text, length))
            return kind;
    return -1;
}

/* Read a block to insert: R or M, alone or with its numbers.  False: the text doesn't begin as one. */
static bool parse_block(const char *text, struct action *action)
{
    struct layer block = {.kind = LAYER_RESIDUAL};
    bool alone = text[0] && !text[1];
    if (alone && toupper((unsigned char)text[0]) == 'M')
        block.kind = LAYER_MOBILE;
    else if (!(alone && toupper((unsigned char)text[0]) == 'R') && layer_parse(text, &block))
        return false;
    if (block.kind != LAYER_RESIDUAL && block.kind != LAYER_MOBILE)
        return false;
    action->block = block.kind;
    action->units = block.units;
    action->kernel = block.kernel;
    action->features = block.features;
    return true;
}

/* Read the width or the kernel of an action whose kind and layer are known. */
static int parse_number(const struct arch *arch, const char *name, const char *text, struct action *action,
                        struct error *error)
{
    const struct kind_traits *traits = &traits_of[action->kind];
    bool width = traits->number == NUMBER_WIDTH;
    int most = width ? ARCH_UNITS_MAX : ARCH_KERNEL_MAX;
    int64_t number;
    if (traits->number == NUMBER_NONE)
        return error_set(error, "%s takes no number; write %s:%s",
                         action->kind == ACTION_REMOVE ? "a removal" : "squeeze-and-excitation", traits->word, name);
    if (action->kind == ACTION_DEEPEN && parse_block(text, action))
        return 0;
    if (action->kind == ACTION_DEEPEN && isalpha((unsigned char)*text) && strchr(text, '('))
        return error_set(error, "\"%s\" is not a block; write R(hidden,kernel) or M(hidden,kernel)", text);
    if (action->kind == ACTION_DEEPEN && !layer_traits(&arch->layers[action->layer])->has_kernel)
        return error_set(error, "only a convolution's kernel can be chosen; write deepen:%s", name);
    if (text_to_integer(text, 1, most, &number))
        return error_set(error, "\"%s\" is not a %s; write a whole number from 1 to %d", text,
                         width ? "width" : "kernel", most);
    *(width ? &action->units : &action->kernel) = (int)number;
    return 0;
}

/* Can actions of this kind change the layer? */
static int check_layer(const struct layer *layer, const char *name, const struct action *action, struct error *error)
{
    if (action->kind == ACTION_DEEPEN && action->block && layer_is_flat(layer))
        return error_set(error, "no block can follow %s; blocks stand behind layers of maps", name);
    if (!layer_grows(layer) && !(action->kind == ACTION_DEEPEN && action->block))
        return error_set(error, "%s can't be changed; only convolutions, residual, dense and FC layers can", name);
    return 0;
}

/* `words`: kind, name and, if there is one, number; NULL for what isn't there. */
static int parse_words(const struct arch *arch, char *const words[3], struct action *action, struct error *error)
{
    int kind = action_kind_of(words[0]);
    *action = (struct action){0};
    if (kind < 0)
        return error_set(error, "\"%s\" is not a kind of action; use widen, deepen, narrow, remove, kernel or squeeze",
                         words[0]);
    action->kind = (enum action_kind)kind;
    if (!words[1])
        return error_set(error, "the layer is missing; write for example %s:conv1", words[0]);
    action->layer = layer_find(arch, words[1]);
    if (action->layer < 0)
        return error_set(error,
                         "there is no layer \"%s\"; layers are named conv1, conv2, …, dense1, …, mobile1, …, fc1, …",
                         words[1]);
    const struct layer *layer = &arch->layers[action->layer];
    if (words[2] && layer_grows(layer) && parse_number(arch, words[1], words[2], action, error))
        return -1;
    if (words[2] && !layer_grows(layer) && action->kind == ACTION_DEEPEN)
        parse_block(words[2], action);
    if (action->kind == ACTION_DEEPEN && !action->block && layer_traits(layer)->modern)
        action->block = LAYER_MOBILE;
    if (action->block && !action->units)
        action->features = layer->features;
    return check_layer(layer, words[1], action, error);
}

int action_parse(const struct arch *arch, const char *text, struct action *action, struct error *error)
{
    char *copy = memory_copy_text(text), *words[3] = {copy};
    int count = 1, result;
    for (char *colon = copy; count < 3 && (colon = strchr(colon, ':')); words[count++] = colon)
        *colon++ = 0;
    result = parse_words(arch, words, action, error);
    free(copy);
    return result ? error_prefix(error, "action \"%.80s\"", text) : 0;
}

static struct layer block_of(const struct action *action)
{
    return (struct layer){
        .kind = action->block, .units = action->units, .kernel = action->kernel, .features = action->features};
}

static void print_block(const struct action *action, struct text *text)
{
    struct layer block = block_of(action);
    layer_print(&block, text);
}

void action_print(const struct arch *arch, const struct action *action, struct text *text)
{
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    text_add(text, "%s:%s", traits_of[action->kind].word, name);
    int number = traits_of[action->kind].number == NUMBER_WIDTH ? action->units : action->kernel;
    if (action->block && action->units) {
        text_add(text, ":");
        print_block(action, text);
    } else if (action->block && !action->kernel)
        text_add(text, ":%s", layer_kind_traits(action->block)->symbol);
    else if (number)
        text_add(text, ":%d", number);
}

void action_show(const struct arch *arch, const struct action *action, bool unicode, struct text *text)
{
    const struct layer *layer = &arch->layers[action->layer];
    const char *arrow = unicode ? "→" : ">", *times = unicode ? "×" : "x";
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    text_add(text, "%c %s", toupper((unsigned char)traits_of[action->kind].word[0]), name);
    switch (action->kind) {
    case ACTION_WIDEN:
    case ACTION_NARROW:
        text_add(text, " %d%s%d", layer->units, arrow, action->units);
        break;
    case ACTION_KERNEL:
        text_add(text, " %d%s%d", layer->kernel, arrow, action->kernel);
        break;
    case ACTION_DEEPEN:
        if (action->block) {
            text_add(text, " +");
            print_block(action, text);
        } else if (action->kernel)
            text_add(text, " +%d%s%d", action->kernel, times, action->kernel);
        else
            text_add(text, " +%s", layer_traits(layer)->name);
        break;
    case ACTION_SQUEEZE:
        text_add(text, " +se");
        break;
    case ACTION_REMOVE:
    case ACTION_KINDS:
        break;
    }
}

/* --- checks --- */

static int check_width(const struct layer *layer, const struct action *action, const char *name, struct error *error)
{
    int most = layer_units_max(layer);
    bool widen = action->kind == ACTION_WIDEN;
    if (widen ? action->units <= layer->units : action->units >= layer->units)
        return error_set(error, "%s can't be %s from %d to %d; choose %s than it has", name,
                         widen ? "widened" : "narrowed", layer->units, action->units, widen ? "more" : "less");
    if (action->units > most)
        return error_set(error, "%s can't be widened to %d; it can have at most %d", name, action->units, most);
    if (action->units < 1)
        return error_set(error, "%s can't be narrowed to %d; a layer has at least 1", name, action->units);
    return 0;
}

static int check_kernel(const struct layer *layer, const struct action *action, const char *name, struct error *error)
{
    bool deepen = action->kind == ACTION_DEEPEN, valid = action->kernel % 2 == 1 && action->kernel <= ARCH_KERNEL_MAX;
    if (!deepen && !layer_traits(layer)->has_kernel)
        return error_set(error, "%s has no kernel; only convolutions have one", name);
    if (layer_traits(layer)->has_kernel && !valid && deepen)
        return error_set(error, "no layer with kernel %d can follow %s; kernels are odd, from 1 to %d", action->kernel,
                         name, ARCH_KERNEL_MAX);
    if (!deepen && !valid)
        return error_set(error, "%s can't have kernel %d; kernels are odd, from 1 to %d", name, action->kernel,
                         ARCH_KERNEL_MAX);
    if (!deepen && action->kernel == layer->kernel)
        return error_set(error, "%s has kernel %d already; choose another", name, action->kernel);
    return 0;
}

/* The channels or values that a layer reads; 0 where they depend on the images. */
static int width_read(const struct arch *arch, int layer)
{
    if (layer_is_flat(&arch->layers[layer]))
        return layer_is_flat(&arch->layers[layer - 1]) ? arch->layers[layer - 1].units : 0;
    return layer ? arch_channels(arch, layer - 1) : 0;
}

static int check_removal(const struct arch *arch, int layer, const char *name, struct error *error)
{
    const struct layer *at = &arch->layers[layer];
    int width = width_read(arch, layer);
    bool conv = at->kind == LAYER_CONV || at->kind == LAYER_SEPARABLE;
    if (at->kind == LAYER_RESIDUAL || at->kind == LAYER_MOBILE)
        return 0;
    if (!conv && at->kind != LAYER_FC)
        return error_set(error, "%s can't be removed; only convolutions, residual blocks and FC layers can", name);
    if (conv && at->stride != 1)
        return error_set(error, "%s can't be removed; with a stride of %d it makes the map smaller", name, at->stride);
    if (!width)
        return error_set(error, "%s can't be removed; it is the first %s", name, conv ? "convolution" : "FC layer");
    if (width != at->units)
        return error_set(error, "%s can't be removed; it makes %d %s of %d, and the layers behind it need them", name,
                         at->units, conv ? "channels" : "values", width);
    return 0;
}

static int check_block(const struct arch *arch, const struct action *action, const char *name, struct error *error)
{
    ASSERT(action->block == LAYER_RESIDUAL || action->block == LAYER_MOBILE);
    if (arch_is_dense(arch))
        return error_set(error, "no block can follow %s; R and M don't stand in a network with D or T", name);
    if (!arch_channels(arch, action->layer))
        return error_set(error, "no block can follow %s; a convolution must come before it", name);
    if (action->kernel % 2 == 0 || action->kernel > ARCH_KERNEL_MAX)
        return error_set(error, "no block with kernel %d can follow %s; kernels are odd, from 1 to %d", action->kernel,
                         name, ARCH_KERNEL_MAX);
    if (action->units < 1 || action->units > ARCH_UNITS_MAX)
        return error_set(error, "no block of %d hidden channels can follow %s; it can have 1 to %d", action->units,
                         name, ARCH_UNITS_MAX);
    return 0;
}

static int check_squeeze(const struct layer *layer, const char *name, struct error *error)
{
    if (!(layer_traits(layer)->features & LAYER_SQUEEZE))
        return error_set(error, "%s can't have squeeze-and-excitation; only R, M and S can", name);
    if (layer->features & LAYER_SQUEEZE)
        return error_set(error, "%s has squeeze-and-excitation already; choose another layer", name);
    return 0;
}

static int check(const struct arch *arch, const struct action *action, struct error *error)
{
    if (action->layer < 0 || action->layer >= arch->layer_count)
        return error_set(error, "there is no layer %d; the network has %d", action->layer + 1, arch->layer_count);
    const struct layer *layer = &arch->layers[action->layer];
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    if (check_layer(layer, name, action, error))
        return -1;
    switch (action->kind) {
    case ACTION_WIDEN:
    case ACTION_NARROW:
        return check_width(layer, action, name, error);
    case ACTION_DEEPEN:
        if (action->block ? check_block(arch, action, name, error) : check_kernel(layer, action, name, error))
            return -1;
        if (arch->layer_count == ARCH_LAYERS_MAX)
            return error_set(error, "no layer can follow %s; the network has %d already, the most there can be", name,
                             ARCH_LAYERS_MAX);
        return 0;
    case ACTION_REMOVE:
        return check_removal(arch, action->layer, name, error);
    case ACTION_KERNEL:
        return check_kernel(layer, action, name, error);
    case ACTION_SQUEEZE:
        return check_squeeze(layer, name, error);
    case ACTION_KINDS:
        break;
    }
    BUG("an action's kind");
}

/* --- what they do --- */

static void insert(struct arch *arch, const struct action *action)
{
    struct layer *at = &arch->layers[action->layer];
    memmove(at + 2, at + 1, (size_t)(arch->layer_count - action->layer - 1) * sizeof *at);
    at[1] = at[0]; /* the same filters, units or growth rate */
    if (action->block)
        at[1] = block_of(action);
    else if (layer_traits(at)->has_kernel) {
        at[1].kernel = action->kernel;
        at[1].stride = 1;
    }
    arch->layer_count++;
}

static void take_out(struct arch *arch, int layer)
{
    struct layer *at = &arch->layers[layer];
    memmove(at, at + 1, (size_t)(arch->layer_count - layer - 1) * sizeof *at);
    arch->layer_count--;
    arch->layers[arch->layer_count] = (struct layer){0};
}

int action_apply(const struct arch *parent, const struct action *action, struct arch *child, struct error *error)
{
    if (check(parent, action, error))
        return -1;
    if (child != parent)
        *child = *parent;
    switch (action->kind) {
    case ACTION_WIDEN:
    case ACTION_NARROW:
        child->layers[action->layer].units = action->units;
        break;
    case ACTION_DEEPEN:
        insert(child, action);
        break;
    case ACTION_REMOVE:
        take_out(child, action->layer);
        break;
    case ACTION_KERNEL:
        child->layers[action->layer].kernel = action->kernel;
        break;
    case ACTION_SQUEEZE:
        child->layers[action->layer].features |= LAYER_SQUEEZE;
        break;
    case ACTION_KINDS:
        break;
    }
    return 0;
}

bool action_is_exact(const struct arch *parent, const struct action *action)
{
    return action->kind == ACTION_WIDEN || action->kind == ACTION_DEEPEN || action->kind == ACTION_SQUEEZE ||
           (action->kind == ACTION_KERNEL && action->kernel > parent->layers[action->layer].kernel);
}
