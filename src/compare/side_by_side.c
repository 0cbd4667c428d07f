/*
 * side_by_side.c - the actions say which layer of the child comes from which of the parent: deepening inserts a layer
 * after the one that it names, a removal takes one out, and the others keep all places.
 */
#include "compare/side_by_side.h"

#include <string.h>

#include "util/bug.h"
#include "util/print.h"

enum { NEW = -1 };

/* origin[i]: the parent's layer that the child's layer i was, or NEW. */
static void find_origins(const struct arch *parent, const struct proposal *proposal, int origin[ARCH_LAYERS_MAX])
{
    int count = parent->layer_count;
    for (int i = 0; i < count; i++)
        origin[i] = i;
    for (int i = 0; i < proposal->count; i++) {
        const struct action *action = &proposal->actions[i].action;
        int place = action->layer + 1;
        ASSERT(place <= count && count <= ARCH_LAYERS_MAX);
        if (action->kind == ACTION_DEEPEN) {
            memmove(origin + place + 1, origin + place, (size_t)(count++ - place) * sizeof *origin);
            origin[place] = NEW;
        } else if (action->kind == ACTION_REMOVE) {
            memmove(origin + place - 1, origin + place, (size_t)(count-- - place) * sizeof *origin);
        }
    }
}

/* What became of a layer, in the letters of action_show(). */
static const char *change_of(const struct layer *old, const struct layer *new)
{
    if (old->units != new->units)
        return old->units < new->units ? "W" : "N";
    if (old->kernel != new->kernel)
        return "K";
    return old->features != new->features ? "S" : "";
}

/* The text of each layer. */
struct spelling {
    struct text text;
    const char *layer[ARCH_LAYERS_MAX];
    int length[ARCH_LAYERS_MAX];
};

static void spell(const struct arch *arch, struct spelling *spelling)
{
    spelling->text = TEXT_EMPTY;
    for (int i = 0; i < arch->layer_count; i++) {
        layer_print(&arch->layers[i], &spelling->text);
        text_add(&spelling->text, " ");
    }
    const char *at = text_string(&spelling->text);
    for (int i = 0; i < arch->layer_count; i++) {
        spelling->layer[i] = at;
        spelling->length[i] = (int)strcspn(at, " ");
        at += spelling->length[i] + 1;
    }
}

/* A layer that the child doesn't have, under its parent's name. */
static void print_removed(FILE *out, const struct arch *parent, const struct spelling *old, int layer)
{
    char name[LAYER_NAME_MAX];
    layer_name(parent, layer, name);
    print_to(out, "%-12s %-16.*s %-16s R\n", name, old->length[layer], old->layer[layer], "");
}

static void print_layers(FILE *out, const struct arch *parent, const struct arch *child, const int *origin,
                         struct shape input, const char *times)
{
    struct spelling old, new;
    struct shape shapes[ARCH_LAYERS_MAX];
    CHECK(!arch_shapes(child, input, shapes, NULL));
    spell(parent, &old);
    spell(child, &new);
    print_to(out, "%-12s %-16s %-16s %-3s %s\n", "layer", "parent", "child", "", "output");
    for (int i = 0, kept = 0; i < child->layer_count; i++) {
        char name[LAYER_NAME_MAX];
        layer_name(child, i, name);
        int from = origin[i];
        while (from != NEW && kept < from)
            print_removed(out, parent, &old, kept++);
        kept += from != NEW;
        print_to(out, "%-12s %-16.*s %-16.*s %-3s %d%s%d%s%d\n", name, from == NEW ? 0 : old.length[from],
                 from == NEW ? "" : old.layer[from], new.length[i], new.layer[i],
                 from == NEW ? "D" : change_of(&parent->layers[from], &child->layers[i]), shapes[i].channels, times,
                 shapes[i].height, times, shapes[i].width);
    }
    text_done(&old.text);
    text_done(&new.text);
}

typedef char *show_function(char buffer[TEXT_SHORT], double value);

static void print_cost(FILE *out, const char *what, show_function *show, int64_t parent, int64_t child,
                       const char *times)
{
    char old[TEXT_SHORT], new[TEXT_SHORT];
    print_to(out, "%-21s %11s %11s  %s%.2f\n", what, show(old, (double)parent), show(new, (double)child), times,
             (double)child / (double)parent);
}

void side_by_side_print(FILE *out, const struct arch *parent, const struct proposal *proposal, const struct arch *child,
                        struct shape input, bool unicode)
{
    const char *times = unicode ? "×" : "x";
    struct text text = TEXT_EMPTY;
    text_add(&text, "parent   ");
    arch_print(parent, &text);
    text_add(&text, "\nchild    ");
    arch_print(child, &text);
    print_document(out, text_string(&text));
    print_to(out, "\ninput    %d,%d,%d\n\n", input.channels, input.height, input.width);
    text_done(&text);
    int origin[ARCH_LAYERS_MAX];
    find_origins(parent, proposal, origin);
    print_layers(out, parent, child, origin, input, times);
    struct arch_cost old = arch_cost(parent, input), new = arch_cost(child, input);
    print_to(out, "\n%-21s %11s %11s\n", "", "parent", "child");
    print_cost(out, "parameters", text_count, old.parameters, new.parameters, times);
    print_cost(out, "FLOPs an image", text_count, old.flops, new.flops, times);
    print_cost(out, "activations an image", text_bytes, old.activation_bytes, new.activation_bytes, times);
}
