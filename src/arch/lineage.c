/* lineage.c - replay an edge's actions on the parent's architecture, only to name them. */
#include "arch/lineage.h"

#include "arch/action.h"

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
