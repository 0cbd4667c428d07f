/* named_file.c - see named_file.h. */
#include "sessions/named_file.h"

#include <stdlib.h>

#include "sessions/log_internal.h"
#include "sessions/session_file.h"
#include "util/file.h"
#include "util/text.h"

int64_t named_file_count(const struct session_state *state)
{
    return state->node_count + state->policy_count;
}

bool named_file_at(const struct session_state *state, int64_t index, struct named_file *file)
{
    if (index < state->node_count) {
        const struct session_node *node = session_node(state, index + 1);
        *file =
            (struct named_file){"weights", node->dropped ? NULL : node->weights, node->weights_hash, index + 1, false};
    } else {
        int64_t update = index - state->node_count;
        const struct event_policy *facts = &state->policies[update]->facts;
        *file = (struct named_file){"policy", facts->state, facts->state_hash, 0, update == state->policy_count - 1};
    }
    if (!file->hash)
        file->hash = "";
    return file->name && file->name[0];
}

bool named_file_is_of_best(const struct session_state *state, const struct named_file *file)
{
    return file->node ? file->node == 1 || file->node == state->best : file->last;
}

char *named_file_path(const char *folder, const struct named_file *file)
{
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/%s/%s", folder, file->place, file->name);
    return text_take(&path);
}

int session_check_places(const char *folder, const struct session_state *state, struct error *error)
{
    struct named_file file;
    int result = 0;
    for (int64_t i = 0; i < named_file_count(state) && !result; i++) {
        if (!named_file_at(state, i, &file))
            continue;
        char *path = named_file_path(folder, &file);
        result = session_file_check(path, IN_PLACE, error);
        free(path);
    }
    return result;
}
