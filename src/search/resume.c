/* resume.c - see resume.h. */
#include "search/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/rounds.h"
#include "util/bug.h"

/* `name`: as --data has it. */
static int check_data(const struct event_session *facts, const char *name, const struct search_data *data,
                      struct error *error)
{
    char hash[HASH_TEXT], input[RECORD_INPUT];
    record_input(data->input, input);
    if (strcmp(facts->data_hash, hash_print(data->hash, hash)))
        return error_set(error, "the images of %s are not those that the session began with (checksum %.8s, was %.8s)",
                         name, hash, facts->data_hash);
    if (strcmp(facts->input, input) || facts->classes != data->classes)
        return error_set(error, "the session's images are %s of %" PRId64 " classes, these are %s of %d", facts->input,
                         facts->classes, input, data->classes);
    for (int i = 0; data->facts && i < facts->class_names.count && i < data->classes; i++)
        if (strcmp(facts->class_names.items[i], data->facts->class_names[i]))
            return error_set(error,
                             "class %d of %s was called %s when the session began, and is now called %s; rename it", i,
                             name, facts->class_names.items[i], data->facts->class_names[i]);
    return 0;
}

/* Can the recorded proposal be made again from its parent? */
static int check_proposal(const struct session_state *state, const struct proposal_record *record, struct error *error)
{
    const struct event_proposal *facts = &record->facts;
    if (record->answer == EVENT_REFUSED)
        return 0;
    struct arch parent;
    struct proposal proposal;
    const struct session_node *node = session_node(state, facts->parent);
    if (!node || arch_parse(&parent, node->facts.arch, error) || recorded_proposal(&parent, facts, &proposal, error))
        return error_prefix(error, "proposal %" PRId64, facts->proposal);
    return 0;
}

/* An update learns from proposals that no other has learned from: else the next would wait for some that never come. */
static int check_update(const struct session_state *state, const struct event_policy *facts, struct error *error)
{
    if (facts->proposals.count <= state->proposal_count)
        return 0;
    return error_set(error, "update %" PRId64 " learns from %d proposals, but only %" PRId64 " were made", facts->update,
                     facts->proposals.count, state->proposal_count);
}

/* What it reached: policies are taught by it. */
static int check_result(const struct session_node *node, struct error *error)
{
    const double values[] = {node->accuracy, node->stopped ? node->predicted : 0};
    for (size_t i = 0; i < COUNT_OF(values) && node->status == NODE_DONE; i++)
        if (!(values[i] >= 0 && values[i] <= 1))
            return error_set(error, "an accuracy of %g is none", values[i]);
    return 0;
}

/* Can it be made again from its parent? */
static int check_origin(const struct session_node *node, const struct session_node *parent, const struct arch *arch,
                        struct error *error)
{
    struct arch parent_arch, made;
    struct proposal proposal;
    if (arch_parse(&parent_arch, parent->facts.arch, error) ||
        recorded_proposal(&parent_arch, &node->facts, &proposal, error) ||
        proposal_apply(&parent_arch, &proposal, &made, error))
        return -1;
    return arch_equal(&made, arch) ? 0 : error_set(error, "its actions make another network than it is");
}

/* Node `number` into the index, and into the queue when it waits for training. */
static int resume_network(struct proposals *proposals, const struct search_data *data, int64_t number,
                          struct error *error)
{
    const struct session_state *state = proposals->journal->state;
    const struct session_node *node = session_node(state, number), *parent = session_node(state, node->facts.parent);
    struct arch arch;
    if (arch_parse(&arch, node->facts.arch, error) || start_check_arch(proposals->options, data, &arch, error) ||
        check_result(node, error))
        return -1;
    bool waits = node_is_pending(node) && !node->pruned;
    if (parent && waits && parent->status != NODE_DONE)
        return error_set(error, "its parent %" PRId64 " was never trained", node->facts.parent);
    if (parent && check_origin(node, parent, &arch, error))
        return -1;
    if (waits)
        trials_enqueue(proposals->trials, number); /* the OPENED event takes running ones back to the queue */
    if (!proposals_indexes(&node->facts.by))
        return 0;
    struct hash hash = arch_hash(&arch);
    int64_t twin = arch_index_find(&proposals->known, hash);
    if (twin && !node_has_no_result(session_node(state, twin))) {
        if (!node_has_no_result(node))
            return error_set(error, "it is the same network as %" PRId64, twin);
        return 0; /* stands in for one that was lost: sessions/placeholder.c */
    }
    arch_index_put(&proposals->known, hash, number);
    return 0;
}

int resume_networks(struct proposals *proposals, const struct search_data *data, struct error *error)
{
    const struct session_state *state = proposals->journal->state;
    const struct session_node *start = session_node(state, 1);
    if (start && start->facts.by.value == AUTHOR_REPAIR)
        return error_set(error, "the event of its start network was lost, so it can't go on; begin a new search with "
                                "another of its networks: --start SESSION:best");
    for (int64_t number = 1; number <= state->node_count; number++)
        if (resume_network(proposals, data, number, error))
            return error_prefix(error, "network %" PRId64, number);
    for (int64_t i = 0; i < state->proposal_count; i++)
        if (check_proposal(state, state->proposals[i], error))
            return -1;
    for (int64_t i = 0; i < state->policy_count; i++)
        if (check_update(state, &state->policies[i]->facts, error))
            return -1;
    if (start && node_has_no_result(start))
        return error_set(error, "its start network failed (%s): begin a new search %s",
                         start->failure ? start->failure : "cancelled",
                         start->failure_reason.value == FAILURE_DEVICE ? "when its devices work"
                                                                       : "with another --start or --start-rate");
    return start && start->pruned ? error_set(error, "its start network is pruned: nothing can grow") : 0;
}

/* --- changed options --- */

static const struct {
    const char *name, *reason;
} fixed_options[] = {
    {"space", "its networks are of one space"},
    {"widths", "its networks are of one space"},
    {"start", "all its networks grew from the start network"},
    {"start-epochs", "all its networks grew from the start network"},
    {"seed", "all that is random follows from it"},
    {"train-subset", "its networks are compared on one split of the images"},
    {"validation", "its networks are compared on one split of the images"},
    {"episode-networks", "its proposals are counted by it"},
    {"background", "its images were read by it"},
    {"no-orientation", "its images were read by it"},
    {"picture-rules", "its images were read by it"},
    {"skip-bad", "its images were read by it"},
    {"match", "it holds from the first network on"},
    {"actions", "they hold from the first network on"},
};

const char *resume_fixed(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(fixed_options); i++)
        if (!strcmp(fixed_options[i].name, name))
            return fixed_options[i].reason;
    return NULL;
}

/* Has it an event of its own, or is it each process's own? */
static bool is_recorded_elsewhere(const char *name)
{
    static const char *const names[] = {"episodes", "networks", "seconds", "flops", "epochs", "rate", "devices"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static int check_change(const struct search_options *before, const struct search_options *options, const char *name,
                        struct error *error)
{
    const struct policy_kind *kind = policy_find(options->policy);
    const char *reason = resume_fixed(name);
    if (reason)
        return error_set(error, "--%s: can't change in a session: %s; begin a new search", name, reason);
    if (!strcmp(name, "parent") && (before->parent == PARENT_RACE) != (options->parent == PARENT_RACE))
        return error_set(error, "--%s: a session can't change %s a race, since its proposals are counted in rounds; "
                                "begin a new search", kind->parent ? "policy" : "parent",
                         before->parent == PARENT_RACE ? "from" : "to");
    return 0;
}

/* Every option that isn't as it was. */
static int find_changes(const struct search_options *before, const struct search_options *options,
                        struct event_texts *changes, struct error *error)
{
    const struct search_option *option;
    int status = 0;
    for (int i = 0; !status && (option = option_at(i)); i++) {
        struct text old = TEXT_EMPTY, new = TEXT_EMPTY, item = TEXT_EMPTY;
        options_get(before, option, &old);
        options_get(options, option, &new);
        text_add(&item, "%s=%s", option->name, text_string(&new));
        bool changed = strcmp(text_string(&old), text_string(&new)) != 0 && !is_recorded_elsewhere(option->name);
        if (changed && !(status = check_change(before, options, option->name, error)))
            event_texts_add(changes, text_string(&item));
        text_done(&old);
        text_done(&new);
        text_done(&item);
    }
    return status;
}

int resume_options(const struct session_state *state, const struct search_data *data,
                   const struct search_options *wanted, struct search_options *options, struct event_texts *changes,
                   struct error *error)
{
    struct search_options before;
    if (options_of_session(state, options, error) || options_settle(options, error))
        return -1;
    before = *options;
    if (wanted) {
        *options = *wanted;
        if (options->limit_flops == OPTION_AUTO) /* what it led to at the beginning */
            options->limit_flops = before.limit_flops;
    }
    const struct policy_kind *kind = policy_find(options->policy);
    if (strcmp(before.policy, options->policy) != 0 && (kind->takes_actions || kind->takes_match))
        return error_set(error, "--policy %s: a session can't change to it: it counts networks from the first one; "
                                "begin a new search", kind->name);
    if (options_settle(options, error) || find_changes(&before, options, changes, error) ||
        check_data(&state->facts, options->data, data, error))
        return -1;
    return 0;
}

/* The network that the search goes on from must be within the limits, or nothing could grow any more. */
int resume_check_limits(const struct proposals *proposals, const struct event_texts *changes, struct error *error)
{
    const struct session_state *state = proposals->journal->state;
    bool race = proposals->options->parent == PARENT_RACE;
    int64_t number = race && state->node_count ? rounds_parent(state, proposals->options->episode_networks) : 1;
    struct arch arch;
    bool limited = false;
    for (int i = 0; i < changes->count; i++)
        limited |= !strncmp(changes->items[i], "limit-", strlen("limit-"));
    if (!limited || !session_node(state, number))
        return 0;
    journal_arch(proposals->journal, number, &arch);
    if (!arch_within(&arch, proposals->input, &proposals->learner->policy->options.limits, error))
        return 0;
    return error_prefix(error, "n%" PRId64 ", from which networks grow", number);
}
