/* manual.c - see manual.h. */
#include "search/manual.h"

#include <stdio.h>
#include <string.h>

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
        if (next && strncmp(word, "widen:", 6) && strncmp(word, "deepen:", 7))
            return error_set(error, "\"%s\" is no action; write widen:LAYER[:WIDTH] or deepen:LAYER[:KERNEL]", word);
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

int manual_propose(const char *list, int64_t number, const struct arch *parent, const struct space *space,
                   struct proposal *proposal, struct error *error)
{
    char word[WORD_MAX];
    const char *place = find(list, number);
    ASSERT(place);
    memset(proposal, 0, sizeof *proposal);
    while ((place = next_word(place, word)))
        if (proposal_add_text(parent, space, word, proposal, error))
            return -1;
    return 0;
}
