/* lineage.c - replay an edge's actions on the parent's architecture, to name them or to see what they change. */
#include "arch/lineage.h"

#include <string.h>

int lineage_follow(struct lineage *lineage, struct arch *arch, const struct action *action)
{
    int units = arch->layers[action->layer].units, place = action->layer + 1;
    size_t after = (size_t)(arch->layer_count - place);
    enum layer_change *change = lineage->change;
    int *before = lineage->before;
    if (action_apply(arch, action, arch, NULL))
        return -1;
    if (action->units && action->kind != ACTION_DEEPEN && change[action->layer] == LAYER_CHANGE_NONE) {
        change[action->layer] = action->units > units ? LAYER_CHANGE_WIDER : LAYER_CHANGE_NARROWER;
        before[action->layer] = units;
    }
    if (action->kind == ACTION_DEEPEN) {
        memmove(change + place + 1, change + place, sizeof *change * after);
        memmove(before + place + 1, before + place, sizeof *before * after);
        change[place] = LAYER_CHANGE_NEW;
        before[place] = 0;
    }
    if (action->kind == ACTION_REMOVE) {
        memmove(change + place - 1, change + place, sizeof *change * after);
        memmove(before + place - 1, before + place, sizeof *before * after);
    }
    return 0;
}

void lineage_show(const char *parent_arch, char *const *actions, int count, bool unicode, struct text *text)
{
    struct arch arch;
    bool readable = arch_parse(&arch, parent_arch, NULL) == 0;
    for (int i = 0; i < count; i++) {
        struct action action;
        if (i)
            text_add(text, ", ");
        readable = readable && action_parse(&arch, actions[i], &action, NULL) == 0;
        if (!readable) {
            text_add(text, "%s", actions[i]);
            continue;
        }
        action_show(&arch, &action, unicode, text);
        readable = action_apply(&arch, &action, &arch, NULL) == 0;
    }
}
