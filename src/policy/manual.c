/* manual.c - the person decides: proposal k is the k-th network of --actions. */
#include "policy/manual.h"

#include <stdio.h>
#include <string.h>

#include "policy/kinds.h"
#include "util/bug.h"

enum { WORD_MAX = 64 };

/* The next word of a network's actions and what is behind it; NULL at its end. */
static const char *next_word(const char *place, char word[WORD_MAX])
{
    place += strspn(place, " ");
    size_t length = strcspn(place, " ;");
    if (!length)
        return NULL;
    snprintf(word, WORD_MAX, "%.*s", (int)length, place);
    return place + length;
}

/* Where the actions of network `number` begin; NULL when it has none.  Between two semicolons that follow one another
   is no network. */
static const char *find(const char *list, int64_t number)
{
    list += strspn(list, " ;");
    while (*list && --number > 0) {
        list += strcspn(list, ";");
        list += strspn(list, " ;");
    }
    return *list ? list : NULL;
}

int manual_check(const char *list, struct error *error)
{
    char word[WORD_MAX];
    while (*list) {
        const char *next = next_word(list, word);
        if (next && (action_kind_of(word) < 0 || !strchr(word, ':')))
            return error_set(error,
                             "\"%s\" is no action; write widen:LAYER[:WIDTH], deepen:LAYER[:KERNEL], "
                             "narrow:LAYER[:WIDTH], remove:LAYER or kernel:LAYER[:KERNEL]",
                             word);
        list = next ? next : list + 1;
    }
    return 0;
}

int64_t manual_count(const char *list)
{
    int64_t count = 0;
    while (find(list, count + 1))
        count++;
    return count;
}

static bool ends_before(const struct policy *policy, int64_t proposal, int64_t network, struct error *reason)
{
    if (find(policy->options.actions, proposal))
        return false;
    error_set(reason, "all networks of --actions are made");
    return true;
}

static int propose(struct policy *policy, const struct proposal_request *request, struct proposal *proposal,
                   struct error *error)
{
    char word[WORD_MAX];
    const char *place = find(policy->options.actions, request->proposal);
    ASSERT(place);
    *proposal = (struct proposal){0};
    while ((place = next_word(place, word)))
        if (proposal_add_text(request->parent, policy->options.space, word, proposal, error))
            return -1;
    return 0;
}

const struct policy_kind policy_manual = {
    .name = "manual",
    .summary = "only the actions that a person gives",
    .takes_actions = true,
    .ends_before = ends_before,
    .propose = propose,
};
