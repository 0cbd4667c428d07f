/*
 * commands.c - carries out the commands of sessions/command.h.
 *
 * A command's check reads the arguments and checks them against the state.  The COMMAND event then says what was asked
 * and answered.  If it was not refused, the command's act has its effect, an event of its own.  Budgets and settings
 * are in changes.c.
 */
#include "search/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "search/changes.h"
#include "sessions/steps.h"
#include "util/bug.h"

/* "12" or "n12", a network of the tree. */
static int read_node(const struct engine *engine, struct request *request, struct error *error)
{
    const char *word = request_word(request);
    if (!word)
        return error_set(error, "which network? give its number");
    if (text_to_integer(word + (*word == 'n'), 1, engine->journal.state->node_count, &request->node))
        return error_set(error, "there is no network %s", word);
    return 0;
}

/* A request for one network that is not pruned. */
static int read_living_node(const struct engine *engine, struct request *request, struct error *error)
{
    if (read_node(engine, request, error))
        return -1;
    if (session_node(engine->journal.state, request->node)->pruned)
        return error_set(error, "n%" PRId64 " is pruned", request->node);
    return 0;
}

/* Nothing grows from a network without weights. */
static int check_kept(const struct engine *engine, const struct request *request, struct error *error)
{
    if (!session_node(engine->journal.state, request->node)->dropped)
        return 0;
    return error_set(error,
                     "the weights of n%" PRId64 " were not kept (--keep best, or removed): nothing can grow from it",
                     request->node);
}

/* --- stop, pause, continue --- */

static int check_stop(struct engine *engine, struct request *request, struct error *error)
{
    error_set(&request->answer, "what is in training goes back to the queue");
    return request_end(request, error);
}

static void stop(struct engine *engine, struct request *request)
{
    atomic_store(&engine->stop, true);
}

static int check_paused(struct engine *engine, struct request *request, struct error *error)
{
    bool pause = request->kind == COMMAND_PAUSE;
    if (engine->journal.state->paused == pause)
        return error_set(error, pause ? "the search is paused already" : "the search isn't paused");
    return request_end(request, error);
}

static void set_paused(struct engine *engine, struct request *request)
{
    struct event event = {.kind = EVENT_PAUSED};
    event.as.paused.paused = request->kind == COMMAND_PAUSE;
    event.as.paused.by.value = (int)request->by;
    if (!journal_emit(&engine->journal, &event))
        engine->evaluator->kind->pause(engine->evaluator, request->kind == COMMAND_PAUSE);
}

/* --- pin, unpin, prune, note --- */

static int check_pin(struct engine *engine, struct request *request, struct error *error)
{
    if (read_living_node(engine, request, error))
        return -1;
    if (session_node(engine->journal.state, request->node)->pinned)
        return error_set(error, "n%" PRId64 " is pinned already", request->node);
    if (check_kept(engine, request, error))
        return -1;
    error_set(&request->answer, "networks grow from pinned ones only");
    return request_end(request, error);
}

static int check_unpin(struct engine *engine, struct request *request, struct error *error)
{
    if (read_node(engine, request, error))
        return -1;
    if (!session_node(engine->journal.state, request->node)->pinned)
        return error_set(error, "n%" PRId64 " isn't pinned", request->node);
    return request_end(request, error);
}

static void set_pinned(struct engine *engine, struct request *request)
{
    struct event event = {.kind = EVENT_PINNED};
    event.as.pinned.node = request->node;
    event.as.pinned.pinned = request->kind == COMMAND_PIN;
    event.as.pinned.by.value = (int)request->by;
    journal_emit(&engine->journal, &event);
}

static int check_prune(struct engine *engine, struct request *request, struct error *error)
{
    if (read_living_node(engine, request, error))
        return -1;
    if (request->node == 1)
        return error_set(error, "n1 is the start network: everything grows from it");
    const struct session_node *node = session_node(engine->journal.state, request->node);
    bool is_gone = node->status != NODE_DONE && !node->child_count; /* it is cancelled, and stays so */
    error_set(&request->answer, "n%" PRId64 "%s", request->node,
              is_gone ? " is not trained" : " and all that grew from it; `undo` takes that back");
    return request_end(request, error);
}

static int emit_pruned(struct engine *engine, struct request *request, bool back)
{
    struct event event = {.kind = EVENT_PRUNED};
    event.as.pruned.node = request->node;
    event.as.pruned.by.value = (int)request->by;
    event.as.pruned.back = back;
    return journal_emit(&engine->journal, &event);
}

static void prune(struct engine *engine, struct request *request)
{
    if (emit_pruned(engine, request, false))
        return;
    for (int64_t number = request->node; number <= engine->journal.state->node_count; number++) {
        const struct session_node *node = session_node(engine->journal.state, number);
        if (!node->pruned)
            continue;
        trials_dequeue(&engine->trials, number);
        if (node->status == NODE_RUNNING)
            trials_cancel(&engine->trials, number, false);
    }
}

/* Can a network that was pruned itself come back?  Say what does. */
static int check_back(const struct engine *engine, struct request *request, struct error *error)
{
    const struct session_state *state = engine->journal.state;
    const struct session_node *parent = session_node(state, session_node(state, request->node)->facts.parent);
    if (parent && parent->pruned)
        return error_set(error, "n%" PRId64 " grew from n%" PRId64 ", which is pruned: `unprune %" PRId64 "` first",
                         request->node, parent->facts.node, parent->pruned_with);
    if (state->unpruned_count == SESSION_UNPRUNED_MAX)
        return error_set(error, "a session takes back at most %d prunings", SESSION_UNPRUNED_MAX);
    int64_t below = -1, cancelled = 0, dropped = 0;
    char others[64] = "", gone[96] = "";
    for (int64_t number = request->node; number <= state->node_count; number++)
        if (session_node(state, number)->pruned_with == request->node) {
            below++;
            cancelled += session_node(state, number)->status != NODE_DONE;
            dropped += session_node(state, number)->dropped;
        }
    if (below > 0)
        snprintf(others, sizeof others, " and %" PRId64 " that grew from it", below);
    if (dropped)
        snprintf(gone, sizeof gone, ", but for %" PRId64 " whose weights were not kept", dropped);
    if (dropped && dropped + cancelled > below)
        error_set(&request->answer, "n%" PRId64 "%s: nothing can grow again, the weights were not kept", request->node,
                  others);
    else
        error_set(&request->answer, "n%" PRId64 "%s may grow again%s%s", request->node, others, gone,
                  cancelled ? ", but what was cancelled stays so" : "");
    return 0;
}

static int check_unprune(struct engine *engine, struct request *request, struct error *error)
{
    if (read_node(engine, request, error))
        return -1;
    const struct session_node *node = session_node(engine->journal.state, request->node);
    if (!node->pruned)
        return error_set(error, "n%" PRId64 " isn't pruned", request->node);
    if (node->pruned_with != request->node)
        return error_set(error, "it was pruned with n%" PRId64 ": `unprune %" PRId64 "` takes that back",
                         node->pruned_with, node->pruned_with);
    return check_back(engine, request, error) ? -1 : request_end(request, error);
}

static void unprune(struct engine *engine, struct request *request)
{
    emit_pruned(engine, request, true);
}

static int check_note(struct engine *engine, struct request *request, struct error *error)
{
    if (read_node(engine, request, error))
        return -1;
    request->rest += strspn(request->rest, " ");
    return 0;
}

static void write_note(struct engine *engine, struct request *request)
{
    struct event event = {.kind = EVENT_NOTED};
    event.as.noted.node = request->node;
    event.as.noted.note = event_text("%s", request->rest);
    event.as.noted.by.value = (int)request->by;
    journal_emit(&engine->journal, &event);
}

/* --- grow, undo --- */

static int check_grow(struct engine *engine, struct request *request, struct error *error)
{
    struct candidate *candidate = request->candidate;
    if (read_living_node(engine, request, error))
        return -1;
    if (session_node(engine->journal.state, request->node)->status != NODE_DONE)
        return error_set(error, "n%" PRId64 " has no weights yet: wait until it is trained", request->node);
    if (check_kept(engine, request, error))
        return -1;
    candidate->parent = request->node;
    journal_arch(&engine->journal, request->node, &candidate->parent_arch);
    const char *word;
    while ((word = request_word(request)))
        if (proposal_add_text(&candidate->parent_arch, engine->learner.policy->options.space, word,
                              &candidate->proposal, error))
            return -1;
    if (!candidate->proposal.count)
        return error_set(error, "by which actions? for example widen:conv1, deepen:conv2:3 or narrow:fc1");
    enum event_kind kind = proposals_check(&engine->proposals, candidate);
    if (kind == EVENT_REFUSED)
        return error_set(error, "%s", candidate->refusal.text);
    if (kind == EVENT_KNOWN && !node_has_no_result(session_node(engine->journal.state, candidate->known)))
        return error_set(error, "that network is n%" PRId64 " already", candidate->known);
    error_set(&request->answer, "it is n%" PRId64 ", next in the queue", engine->journal.state->node_count + 1);
    return 0;
}

static void grow(struct engine *engine, struct request *request)
{
    proposals_join(&engine->proposals, request->candidate, (struct event_word){.value = (int)request->by});
}

/* The step that is given by its place, or the person's last one, becomes the command that takes it back. */
static int check_undo(struct engine *engine, struct request *request, struct error *error)
{
    const struct session_state *state = engine->journal.state;
    const char *word = request_word(request);
    int64_t number = session_step_last(state, request->by);
    if (word && text_to_integer(word, 1, INT64_MAX, &number))
        return error_set(error, "\"%s\" is no step: `undo` takes back the last one, `undo N` the one with that number", word);
    if (!number)
        return error_set(error, "nothing of yours can be taken back");
    if (request_end(request, error))
        return -1;
    if (session_step_reverse(state, number, &request->reverse, error)) {
        const struct session_step *step = session_step(state, number);
        return word ? -1 : error_prefix(error, "your last step was `%s`", step->words);
    }
    request->undoes = session_step(state, number)->number;
    request->undone = session_step(state, number)->words;
    return 0;
}

/* --- all of them --- */

struct handler {
    /* Read the arguments and check that the command can be done: 0 with an answer, or -1 with the reason why not. */
    int (*check)(struct engine *engine, struct request *request, struct error *error);
    void (*act)(struct engine *engine, struct request *request);
};

static struct handler handler_of(enum command_kind kind)
{
    switch (kind) {
    case COMMAND_PAUSE:
    case COMMAND_CONTINUE:
        return (struct handler){check_paused, set_paused};
    case COMMAND_PIN:
        return (struct handler){check_pin, set_pinned};
    case COMMAND_UNPIN:
        return (struct handler){check_unpin, set_pinned};
    case COMMAND_PRUNE:
        return (struct handler){check_prune, prune};
    case COMMAND_UNPRUNE:
        return (struct handler){check_unprune, unprune};
    case COMMAND_GROW:
        return (struct handler){check_grow, grow};
    case COMMAND_UNDO:
        return (struct handler){check_undo, NULL}; /* check_reverse() finds what it does */
    case COMMAND_NOTE:
        return (struct handler){check_note, write_note};
    case COMMAND_BUDGET:
        return (struct handler){changes_check_budget, changes_set_budget};
    case COMMAND_RATE:
    case COMMAND_EPOCHS:
        return (struct handler){changes_check_training, changes_set_training};
    case COMMAND_STOP:
        return (struct handler){check_stop, stop};
    case COMMAND_COUNT:
        break;
    }
    BUG("no such command");
}

static int refuse_unknown(const char *name, struct error *error)
{
    struct text names = TEXT_EMPTY;
    for (enum command_kind kind = 0; kind < COMMAND_COUNT; kind++)
        text_add(&names, "%s%s", !kind ? "" : kind + 1 < COMMAND_COUNT ? ", " : " and ", command_row(kind)->name);
    if (name)
        error_set(error, "that is not a command; there are %s", text_string(&names));
    else
        error_set(error, "no command is given; there are %s", text_string(&names));
    text_done(&names);
    return -1;
}

/* An `undo` becomes the command that takes the step back, with an answer that names the step. */
static int check_reverse(struct engine *engine, struct request *request, struct error *error)
{
    struct error *answer = &request->answer;
    request->rest = request->reverse.bytes;
    request->kind = command_find(request_word(request));
    request->answer = (struct error){{0}};
    if (handler_of(request->kind).check(engine, request, error))
        return error_prefix(error, "`%s` can't be taken back", request->undone);
    struct error effect = *answer;
    return error_set(answer, "`%s` is taken back%s%s", request->undone, *effect.text ? ": " : "", effect.text), 0;
}

static void handle(struct engine *engine, const struct command *command)
{
    struct candidate candidate = {0};
    char *copy = event_text("%s", command->words);
    struct request request = {.by = command->by, .rest = copy, .candidate = &candidate};
    struct error refusal;
    const char *name = request_word(&request);
    request.kind = name ? command_find(name) : COMMAND_COUNT;
    int status = request.kind < COMMAND_COUNT ? handler_of(request.kind).check(engine, &request, &refusal)
                                              : refuse_unknown(name, &refusal);
    if (!status && request.undoes)
        status = check_reverse(engine, &request, &refusal);
    struct event event = {.kind = EVENT_COMMAND};
    event.as.command.by.value = (int)command->by;
    event.as.command.words = event_text("%s", command->words);
    event.as.command.refused = status != 0;
    event.as.command.undoes = status ? 0 : request.undoes;
    event.as.command.answer = event_text("%s", status ? refusal.text : request.answer.text);
    if (!journal_emit(&engine->journal, &event) && !status)
        handler_of(request.kind).act(engine, &request);
    text_done(&request.reverse);
    free(copy);
}

void commands_handle(struct engine *engine)
{
    struct command command;
    while (!engine->journal.broken && queue_take(engine->commands, &command, 0)) {
        handle(engine, &command);
        free(command.words);
    }
}
