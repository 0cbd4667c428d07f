/*
 * app_request.c - what the application does on a request that no view handled, and on what a dialog leaves.
 *
 * A request changes the model, opens a dialog, or sends words to the search. Here stands what has to be said instead
 * when no search takes them: its process is gone, it has ended, it is a recording.
 */
#include "tui/app.h"

#include <stdio.h>
#include <string.h>

#include "tui/emulator.h"
#include "tui/replay_bar.h"
#include "tui/view.h"
#include "util/file.h"

void app_leave(struct app *app, enum tui_outcome outcome)
{
    app->leave = true;
    app->outcome = outcome;
}

/* The search takes no commands any more. */
static bool has_ended(const struct app *app)
{
    return app->model.ended && app->model.mode != MODE_REPLAY;
}

/* `fork`, or `fork N`: leave, so that a new search begins. False: it is another command. */
static bool fork_here(struct app *app, const char *words)
{
    const struct session_state *state = app->model.state;
    bool network = !strncmp(words, "fork ", 5);
    int64_t node;
    if (!app->source->fork || (!network && strcmp(words, "fork")))
        return false;
    if (network && text_to_integer(words + 5 + (words[5] == 'n'), 1, state->node_count, &node)) {
        model_say(&app->model, "%s: there is no such network at this place", words);
        return true;
    }
    if (network && session_node(state, node)->dropped) {
        model_say(&app->model, "the weights of n%lld were not kept (--keep best): a search can't start with it",
                  (long long)node);
        return true;
    }
    if (network && session_node(state, node)->status != NODE_DONE) {
        model_say(&app->model, "n%lld has no weights at this place: a search can't start with it", (long long)node);
        return true;
    }
    *app->source->fork = network ? node : state->last_number;
    app_leave(app, network ? TUI_FORK_NETWORK : TUI_FORK_MOMENT);
    return true;
}

void app_send(struct app *app, const char *words)
{
    if (model_has_died(&app->model))
        model_say(&app->model, "its process is gone: `espalier resume %s` goes on", app->model.session_name);
    else if (has_ended(app))
        model_say(&app->model, "the search has ended: `espalier resume %s --networks N` continues it",
                  app->model.session_name);
    else if (app->source->command) {
        model_sent(&app->model, words);
        app->source->command(app->source->context, words);
    } else if (app->model.mode == MODE_REPLAY && fork_here(app, words)) {
        return;
    } else if (app->model.mode != MODE_REPLAY || !replay_bar_command(app->source, &app->model, words))
        model_say(&app->model, "a recording takes no commands: `espalier resume` continues a session");
}

/* --- requests that no view handled --- */

static void save_screen(struct app *app)
{
    struct text text = TEXT_EMPTY;
    struct error error = {{0}};
    canvas_print(&app->canvas, &text);
    if (file_write("espalier-screen.txt", text_string(&text), text.length, &error))
        model_say(&app->model, "%s", error.text);
    else
        model_say(&app->model, "saved as espalier-screen.txt");
    text_done(&text);
}

/* The selected network's architecture into the clipboard, as `--start` takes it. */
static void copy_arch(struct app *app)
{
    const struct session_node *node = session_node(app->model.state, app->model.selected);
    struct text bytes = TEXT_EMPTY;
    if (!node)
        return;
    emulator_copy(node->facts.arch, &bytes);
    if (bytes.length)
        model_say(&app->model, "to the clipboard, if the terminal allows it (OSC 52): n%lld %s",
                  (long long)node->facts.node, node->facts.arch);
    else
        model_say(&app->model, "this terminal has no clipboard: n%lld %s", (long long)node->facts.node,
                  node->facts.arch);
    app_emit(app, &bytes);
}

void app_focus(struct app *app, enum pane pane)
{
    screen_focus(&app->model, pane, app->canvas.width, app->canvas.height);
}

static void next_pane(struct app *app, int direction)
{
    app_focus(app, screen_next_pane(&app->model, direction, app->canvas.width, app->canvas.height));
}

void app_ask_quit(struct app *app)
{
    bool running = app->model.mode == MODE_LIVE && !app->model.ended;
    if (running)
        app->overlay = overlay_quit(&app->model, app->source->can_detach);
    else
        app_leave(app, TUI_QUIT);
}

static void send_node(struct app *app, const char *word)
{
    struct text words = TEXT_EMPTY;
    if (app->model.selected)
        text_add(&words, "%s %lld", word, (long long)app->model.selected);
    if (words.length)
        app_send(app, text_string(&words));
    text_done(&words);
}

static const struct session_node *selected(const struct app *app)
{
    return session_node(app->model.state, app->model.selected);
}

/* Requests that send a command to the search, or open the dialog for one. */
static bool request_command(struct app *app, enum request request)
{
    struct model *model = &app->model;
    switch (request) {
    case REQUEST_PAUSE:
        app_send(app, model->state->paused ? "continue" : "pause");
        return true;
    case REQUEST_PIN:
        if (selected(app))
            send_node(app, selected(app)->pinned ? "unpin" : "pin");
        return true;
    case REQUEST_WIDEN:
        app->overlay = model->selected ? overlay_widen(model, model->selected) : NULL;
        return true;
    case REQUEST_DEEPEN:
        app->overlay = model->selected ? overlay_deepen(model, model->selected) : NULL;
        return true;
    case REQUEST_PRUNE:
        app->overlay = model->selected ? overlay_prune(model, model->selected) : NULL;
        return true;
    case REQUEST_NOTE:
        app->overlay = selected(app) ? overlay_prompt(PROMPT_NOTE, model->selected, selected(app)->note) : NULL;
        return true;
    case REQUEST_UNDO:
        app_send(app, "undo");
        return true;
    case REQUEST_MORE:
        app_send(app, "budget networks +10");
        return true;
    case REQUEST_FEWER:
        app_send(app, "budget networks -10");
        return true;
    case REQUEST_RATE:
        app->overlay = overlay_prompt(PROMPT_COMMAND, 0, "rate ");
        return true;
    case REQUEST_EPOCHS:
        app->overlay = overlay_prompt(PROMPT_COMMAND, 0, "epochs ");
        return true;
    default:
        return false;
    }
}

/* May the dialog open? Not when no search could do it; but a recording still shows what growing costs. */
static bool may_open(const struct app *app, enum request request)
{
    if (app->model.mode == MODE_REPLAY)
        return request == REQUEST_WIDEN || request == REQUEST_DEEPEN;
    return !has_ended(app);
}

void app_close_overlay(struct app *app)
{
    overlay_free(app->overlay);
    app->overlay = NULL;
}

static void refuse(struct app *app)
{
    app_close_overlay(app);
    app_send(app, "");
}

/* Requests for the selected network that change something, or open a dialog for that. */
static bool is_for_selected(enum request request)
{
    return request == REQUEST_PIN || request == REQUEST_WIDEN || request == REQUEST_DEEPEN ||
           request == REQUEST_PRUNE || request == REQUEST_NOTE;
}

void app_answer(struct app *app, enum request request)
{
    struct model *model = &app->model;
    char key[16];
    if (model->mode != MODE_REPLAY && !model->ended && is_for_selected(request) && !model_may_act(model))
        return;
    if (model->mode == MODE_REPLAY && replay_bar_request(app->source, model, request))
        return;
    if (request == REQUEST_PRUNE && !may_open(app, request)) {
        refuse(app); /* the end is said before what can't be pruned */
        return;
    }
    if (request_command(app, request)) {
        if (app->overlay && !may_open(app, request))
            refuse(app);
        return;
    }
    switch (request) {
    case REQUEST_HELP:
        app->overlay = overlay_help();
        break;
    case REQUEST_FORK:
        if (app->source->fork)
            app->overlay = overlay_fork(model);
        else
            model_say(model, "only a recording has places to fork from: `espalier replay`, or `espalier copy --until`");
        break;
    case REQUEST_COPY:
        copy_arch(app);
        break;
    case REQUEST_BELL:
        app->bell = !app->bell;
        model_say(model, app->bell ? "bell on: it rings at a new best network, and at the end" : "bell off");
        break;
    case REQUEST_PALETTE:
        app->overlay = overlay_palette(model);
        break;
    case REQUEST_HISTORY:
        app->overlay = overlay_history();
        break;
    case REQUEST_QUIT:
        app_ask_quit(app);
        break;
    case REQUEST_NEXT_PANE:
        next_pane(app, 1);
        break;
    case REQUEST_PREVIOUS_PANE:
        next_pane(app, -1);
        break;
    case REQUEST_ZOOM:
        model->zoomed = !model->zoomed;
        break;
    case REQUEST_OPEN:
        if (model->focus == PANE_LOG && !model->detail.open)
            app->overlay = overlay_log();
        else
            model->detail.open = model->selected != 0;
        break;
    case REQUEST_CANCEL:
        if (model->detail.open || model->comparing)
            model->detail.open = model->comparing = false;
        else if (model->tree.filter[0])
            tree_find(model, "");
        else
            model->zoomed = false;
        break;
    case REQUEST_BEST:
        if (model->state->best)
            tree_select(model, model->state->best);
        break;
    case REQUEST_FOLLOW:
        model->follow = !model->follow;
        model_say(model, model->follow ? "following the newest network" : "no longer following");
        break;
    case REQUEST_HEAT_MAP: /* back only from where it is seen */
        model->heat.open = !(model->heat.open && model->focus == PANE_CONTROLLER);
        app_focus(app, PANE_CONTROLLER);
        break;
    case REQUEST_SCALE:
        model->curves.error_scale = !model->curves.error_scale;
        break;
    case REQUEST_COMPARE:
        if (model->marked[0] && model->marked[1])
            model->comparing = true;
        else
            model_say(model, "mark two networks with %s first", request_key(REQUEST_MARK, key));
        break;
    case REQUEST_FIND:
        app->overlay = overlay_find(model);
        break;
    case REQUEST_COMMAND:
        app->overlay = overlay_prompt(PROMPT_COMMAND, 0, "");
        break;
    case REQUEST_BOARD:
        board_toggle(model);
        break;
    case REQUEST_FREEZE:
        model->frozen = !model->frozen;
        break;
    case REQUEST_REDRAW:
        terminal_redraw(app->terminal);
        break;
    case REQUEST_MOUSE:
        app->mouse = !app->mouse;
        terminal_use_mouse(app->terminal, app->mouse);
        model_say(model,
                  app->mouse ? "mouse on: click, wheel, drag on the bar" : "mouse off: the terminal selects text");
        break;
    case REQUEST_SAVE_SCREEN:
        save_screen(app);
        break;
    case REQUEST_SUSPEND:
        terminal_suspend(app->terminal, true);
        break;
    default:
        break;
    }
}

/* `prune N` that was typed is asked about as the key is.  False: it is another command, or no search takes it. */
bool app_ask_prune(struct app *app, const char *words)
{
    int64_t node;
    if (strncmp(words, "prune ", 6) || !may_open(app, REQUEST_PRUNE) ||
        text_to_integer(words + 6 + (words[6] == 'n'), 1, app->model.state->node_count, &node))
        return false;
    app->overlay = overlay_prune(&app->model, node);
    return true;
}
