/*
 * action.c - actions to and from text, and what they do to an architecture (morph/ does the same to weights).
 *
 * The one check of an action is check(): parsing leaves out only what the space completes.
 */
#include "arch/action.h"

#include <stdlib.h>
#include <string.h>

#include "arch/kinds.h"
#include "util/bug.h"
#include "util/memory.h"

static const char *const kind_words[] = {[ACTION_WIDEN] = "widen", [ACTION_DEEPEN] = "deepen"};

/* `words`: kind, name and, if there is one, number; NULL for what isn't there. */
static int parse_words(const struct arch *arch, char *const words[3], struct action *action, struct error *error)
{
    *action = (struct action){0};
    if (strcmp(words[0], kind_words[ACTION_WIDEN]) == 0)
        action->kind = ACTION_WIDEN;
    else if (strcmp(words[0], kind_words[ACTION_DEEPEN]) == 0)
        action->kind = ACTION_DEEPEN;
    else
        return error_set(error, "\"%s\" is not a kind of action; use widen or deepen", words[0]);
    if (!words[1])
        return error_set(error, "the layer is missing; write for example %s:conv1", words[0]);
    action->layer = layer_find(arch, words[1]);
    if (action->layer < 0)
        return error_set(error, "there is no layer \"%s\"; layers are named conv1, conv2, …, dense1, …, fc1, …",
                         words[1]);
    const struct layer *layer = &arch->layers[action->layer];
    if (!layer_grows(layer))
        return error_set(error, "%s can't be changed; only convolutions, dense and FC layers can", words[1]);
    if (!words[2])
        return 0;
    if (action->kind == ACTION_DEEPEN && !layer_traits(layer)->has_kernel)
        return error_set(error, "only a convolution's kernel can be chosen; write deepen:%s", words[1]);
    bool widen = action->kind == ACTION_WIDEN;
    int64_t number;
    if (text_to_integer(words[2], 1, widen ? ARCH_UNITS_MAX : ARCH_KERNEL_MAX, &number))
        return error_set(error, "\"%s\" is not a %s; write a whole number from 1 to %d", words[2],
                         widen ? "width" : "kernel", widen ? ARCH_UNITS_MAX : ARCH_KERNEL_MAX);
    if (widen)
        action->units = (int)number;
    else
        action->kernel = (int)number;
    return 0;
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

void action_print(const struct arch *arch, const struct action *action, struct text *text)
{
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    text_add(text, "%s:%s", kind_words[action->kind], name);
    int number = action->kind == ACTION_WIDEN ? action->units : action->kernel;
    if (number)
        text_add(text, ":%d", number);
}

void action_show(const struct arch *arch, const struct action *action, bool unicode, struct text *text)
{
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    if (action->kind == ACTION_WIDEN)
        text_add(text, "W %s %d%s%d", name, arch->layers[action->layer].units, unicode ? "→" : ">", action->units);
    else if (action->kernel)
        text_add(text, "D %s +%d%s%d", name, action->kernel, unicode ? "×" : "x", action->kernel);
    else
        text_add(text, "D %s +%s", name, layer_traits(&arch->layers[action->layer])->name);
}

static int check(const struct arch *arch, const struct action *action, struct error *error)
{
    if (action->layer < 0 || action->layer >= arch->layer_count)
        return error_set(error, "there is no layer %d; the network has %d", action->layer + 1, arch->layer_count);
    const struct layer *layer = &arch->layers[action->layer];
    char name[LAYER_NAME_MAX];
    layer_name(arch, action->layer, name);
    if (!layer_grows(layer))
        return error_set(error, "%s can't be changed; only convolutions, dense and FC layers can", name);
    if (action->kind == ACTION_WIDEN) {
        if (action->units <= layer->units)
            return error_set(error, "%s can't be widened from %d to %d; choose more than it has", name, layer->units,
                             action->units);
        int most = layer_units_max(layer);
        if (action->units > most)
            return error_set(error, "%s can't be widened to %d; it can have at most %d", name, action->units, most);
        return 0;
    }
    if (layer_traits(layer)->has_kernel &&
        (action->kernel < 1 || action->kernel > ARCH_KERNEL_MAX || action->kernel % 2 == 0))
        return error_set(error, "no layer with kernel %d can follow %s; kernels are odd, from 1 to %d", action->kernel,
                         name, ARCH_KERNEL_MAX);
    if (arch->layer_count == ARCH_LAYERS_MAX)
        return error_set(error, "no layer can follow %s; the network has %d already, the most there can be", name,
                         ARCH_LAYERS_MAX);
    return 0;
}

int action_apply(const struct arch *parent, const struct action *action, struct arch *child, struct error *error)
{
    if (check(parent, action, error))
        return -1;
    if (child != parent)
        *child = *parent;
    struct layer *layer = &child->layers[action->layer];
    if (action->kind == ACTION_WIDEN) {
        layer->units = action->units;
        return 0;
    }
    int after = child->layer_count - action->layer - 1;
    memmove(layer + 2, layer + 1, (size_t)after * sizeof(*layer));
    layer[1] = layer[0]; /* the same filters, units or growth rate */
    if (layer_traits(layer)->has_kernel) {
        layer[1].kernel = action->kernel;
        layer[1].stride = 1;
    }
    child->layer_count++;
    return 0;
}
