/*
 * policy_map.c - one pass over the proposals, in which each action is looked up by its name up to the second colon.
 *
 * The map holds indices, so that a drawing of any width counts them anew in a pass over bytes.  Gains come late, and
 * change when a control is trained; so they are summed anew over all proposals.
 */
#include "sessions/policy_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

/* The length of "widen:conv2" in "widen:conv2:48". */
static size_t choice_length(const char *action)
{
    size_t kind = strcspn(action, ":");
    return action[kind] ? kind + 1 + strcspn(action + kind + 1, ":") : kind;
}

/* Its index; -1: there is no place for it. */
static int find_choice(struct policy_map *map, const char *action)
{
    size_t length = choice_length(action);
    if (length >= POLICY_CHOICE_NAME)
        return -1;
    for (int i = 0; i < map->choice_count; i++)
        if (!strncmp(map->choices[i].name, action, length) && !map->choices[i].name[length])
            return i;
    if (map->choice_count == POLICY_CHOICES_MAX)
        return -1;
    memcpy(map->choices[map->choice_count].name, action, length);
    return map->choice_count++;
}

/* One of the last columns, or -1: proposals of an episode may come late, but not much. */
static int recent_column(const struct policy_map *map, int64_t episode)
{
    enum { BACK = 32 };
    for (int i = map->column_count - 1; i >= 0 && i >= map->column_count - BACK; i--)
        if (map->columns[i].episode == episode)
            return i;
    return -1;
}

static int find_column(struct policy_map *map, int64_t episode)
{
    int column = recent_column(map, episode);
    if (column >= 0)
        return column;
    map->columns = memory_grow(map->columns, (size_t)map->column_count, &map->column_capacity, sizeof *map->columns);
    map->columns[map->column_count] = (struct policy_column){.episode = episode, .entropy = NAN};
    return map->column_count++;
}

static bool is_of_policy(const struct proposal_record *record)
{
    return record->facts.by.value == AUTHOR_POLICY && record->facts.episode > 0;
}

static void add_proposal(struct policy_map *map, const struct proposal_record *record)
{
    bool has[POLICY_CHOICES_MAX] = {false};
    struct policy_map_proposal proposal = {.column = find_column(map, record->facts.episode)};
    proposal.node = record->answer == EVENT_NODE ? record->facts.node : 0;
    for (int i = 0; i < record->facts.actions.count; i++) {
        int choice = find_choice(map, record->facts.actions.items[i]);
        map->left_out += choice < 0;
        if (choice < 0 || has[choice])
            continue;
        has[choice] = true;
        map->choices[choice].proposals++;
        map->chosen = memory_grow(map->chosen, map->chosen_count, &map->chosen_capacity, sizeof *map->chosen);
        map->chosen[map->chosen_count++] = (uint8_t)choice;
    }
    proposal.end = map->chosen_count;
    map->columns[proposal.column].proposals++;
    map->proposals = memory_grow(map->proposals, (size_t)map->count, &map->proposal_capacity, sizeof *map->proposals);
    map->proposals[map->count++] = proposal;
}

bool policy_has_learned(const struct event_policy *policy)
{
    bool empty = policy->entropy == 0 && policy->loss == 0 && policy->gradient_norm == 0;
    return (policy->networks || policy->asked.count) && !empty;
}

static void add_update(struct policy_map *map, const struct event_policy *policy)
{
    int column = policy_has_learned(policy) ? recent_column(map, policy->episode) : -1;
    if (column >= 0)
        map->columns[column].entropy = policy->entropy;
}

static void sum_gains(struct policy_map *map, const struct session_state *state)
{
    size_t first = 0;
    for (int i = 0; i < map->choice_count; i++)
        map->choices[i].networks = 0, map->choices[i].gain = 0;
    for (int64_t i = 0; i < map->count; first = map->proposals[i++].end) {
        double gain;
        int64_t over;
        if (!map->proposals[i].node || !session_gain(state, map->proposals[i].node, &gain, &over) || !isfinite(gain))
            continue;
        for (size_t j = first; j < map->proposals[i].end; j++) {
            map->choices[map->chosen[j]].networks++;
            map->choices[map->chosen[j]].gain += gain;
        }
    }
    for (int i = 0; i < map->choice_count; i++)
        if (map->choices[i].networks)
            map->choices[i].gain /= (double)map->choices[i].networks;
}

void policy_map_update(struct policy_map *map, const struct session_state *state)
{
    for (; map->proposals_read < state->proposal_count; map->proposals_read++)
        if (is_of_policy(state->proposals[map->proposals_read]))
            add_proposal(map, state->proposals[map->proposals_read]);
    for (; map->policies_read < state->policy_count; map->policies_read++)
        add_update(map, &state->policies[map->policies_read]->facts);
    sum_gains(map, state);
}

void policy_map_done(struct policy_map *map)
{
    free(map->columns);
    free(map->proposals);
    free(map->chosen);
    *map = (struct policy_map){0};
}

/* --- collapse --- */

/* The entropy of a binary choice that is made 98 times of 100. */
static const double entropy_least = 0.1;

static bool is_certain(const struct session_state *state, struct text *words)
{
    const struct event_policy *first = NULL, *last = NULL;
    int updates = 0;
    for (int64_t i = state->policy_count; i-- > 0;) {
        const struct event_policy *policy = &state->policies[i]->facts;
        if (!policy_has_learned(policy))
            continue;
        if (!(policy->entropy < entropy_least))
            break;
        first = policy;
        last = last ? last : policy;
        updates++;
    }
    if (updates < 2) /* one may be a small batch */
        return false;
    text_add(words, "collapsed in episode %lld: entropy %.2f, it hardly chooses", (long long)first->episode,
             last->entropy);
    return true;
}

/* The choices of a proposal, in their order. */
static void add_signature(const struct proposal_record *record, struct text *text)
{
    for (int i = 0; i < record->facts.actions.count; i++) {
        const char *action = record->facts.actions.items[i];
        text_add(text, "%s%.*s", i ? " " : "", (int)choice_length(action), action);
    }
}

static bool is_repeating(const struct session_state *state, struct text *words)
{
    enum { LAST = 20, LEAST = 10, TIMES = 5 }; /* four of five */
    struct text signatures[LAST] = {TEXT_EMPTY};
    int count = 0, most = 0, commonest = 0;
    for (int64_t i = state->proposal_count; i-- > 0 && count < LAST;)
        if (is_of_policy(state->proposals[i]))
            add_signature(state->proposals[i], &signatures[count++]);
    for (int i = 0; i < count; i++) {
        int same = 0;
        for (int j = 0; j < count; j++)
            same += !strcmp(text_string(&signatures[i]), text_string(&signatures[j]));
        commonest = same > most ? i : commonest;
        most = same > most ? same : most;
    }
    bool repeats = count >= LEAST && TIMES * most >= (TIMES - 1) * count;
    if (repeats && signatures[commonest].length)
        text_add(words, "collapsed: %d of its last %d proposals are alike: %s", most, count,
                 text_string(&signatures[commonest]));
    else if (repeats)
        text_add(words, "collapsed: %d of its last %d proposals are empty", most, count);
    for (int i = 0; i < count; i++)
        text_done(&signatures[i]);
    return repeats;
}

bool policy_has_collapsed(const struct session_state *state, struct text *words)
{
    return state->policy_count && (is_certain(state, words) || is_repeating(state, words));
}
