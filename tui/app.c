/*
 * app.c - the terminal's main loop.
 *
 * It waits in one poll() for the keyboard, signals and the source of events. Events are folded as they come. A frame is
 * drawn at once after a key and otherwise at most ten times a second. A key goes to the overlay if one is open, else to
 * the view with the focus; a request that the view doesn't handle is handled here.
 */
#include "tui/tui.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tui/overlay.h"
#include "tui/replay_bar.h"
#include "tui/terminal.h"
#include "tui/view.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

static const double frame_seconds = 0.1, idle_seconds = 1;
enum { EVENTS_PER_LOOP = 4096 };

struct app {
    const struct tui_source *source;
    struct terminal *terminal;
    struct model model;
    struct canvas canvas;
    struct overlay *overlay;
    int signals;            /* signalfd */
    bool dirty;             /* the model has changed: a frame is due within frame_seconds */
    bool asked;             /* a key came, or the terminal changed: a frame is due at once */
    bool mouse, leave;
    bool dragging;          /* the button went down on replay's bar, which follows it */
    enum tui_outcome outcome;
    double drawn, arrived;  /* monotonic: the last frame, the last event */
};

static sigset_t signals_read(void)
{
    static const int numbers[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&set, numbers[i]);
    return set;
}

void tui_block_signals(void)
{
    sigset_t set = signals_read();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* After the screens are closed Ctrl-C ends the program at once. The other signals stay blocked: a lost connection sends
   SIGHUP more than once. */
static void unblock_interrupt(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void leave(struct app *app, enum tui_outcome outcome)
{
    app->leave = true;
    app->outcome = outcome;
}

/* The search takes no commands any more. */
static bool has_ended(const struct app *app)
{
    return app->model.ended && app->model.mode != MODE_REPLAY;
}

static void send(struct app *app, const char *words)
{
    if (model_has_died(&app->model))
        model_say(&app->model, "its process is gone: `espalier resume %s` goes on", app->model.session_name);
    else if (has_ended(app))
        model_say(&app->model, "the search has ended: `espalier resume %s --networks N` continues it",
                  app->model.session_name);
    else if (app->source->command) {
        model_sent(&app->model, words);
        app->source->command(app->source->context, words);
    } else if (app->model.mode != MODE_REPLAY || !replay_bar_command(app->source, &app->model, words))
        model_say(&app->model, "a recording takes no commands: `espalier resume` continues a session");
}

static void draw(struct app *app)
{
    int width, height;
    terminal_size(app->terminal, &width, &height);
    canvas_reset(&app->canvas, width, height);
    if (app->model.mistakes.open && app->source->mistakes)
        app->model.mistakes.found = app->source->mistakes(app->source->judge, app->model.state, app->model.selected);
    screen_draw(&app->model, &app->canvas);
    if (app->overlay)
        overlay_draw(app->overlay, &app->model, &app->canvas);
    terminal_show(app->terminal, &app->canvas);
    app->dirty = app->asked = false;
    app->drawn = clock_monotonic();
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

static void focus(struct app *app, enum pane pane)
{
    screen_focus(&app->model, pane, app->canvas.width, app->canvas.height);
}

static void next_pane(struct app *app, int direction)
{
    focus(app, screen_next_pane(&app->model, direction, app->canvas.width, app->canvas.height));
}

static void ask_quit(struct app *app)
{
    bool running = app->model.mode == MODE_LIVE && !app->model.ended;
    if (running)
        app->overlay = overlay_quit(&app->model, app->source->can_detach);
    else
        leave(app, TUI_QUIT);
}

static void send_node(struct app *app, const char *word)
{
    struct text words = TEXT_EMPTY;
    if (app->model.selected)
        text_add(&words, "%s %lld", word, (long long)app->model.selected);
    if (words.length)
        send(app, text_string(&words));
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
        send(app, model->state->paused ? "continue" : "pause");
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
        send(app, "undo");
        return true;
    case REQUEST_MORE:
        send(app, "budget networks +10");
        return true;
    case REQUEST_FEWER:
        send(app, "budget networks -10");
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

static void close_overlay(struct app *app)
{
    overlay_free(app->overlay);
    app->overlay = NULL;
}

static void refuse(struct app *app)
{
    close_overlay(app);
    send(app, "");
}

/* Requests for the selected network that change something, or open a dialog for that. */
static bool is_for_selected(enum request request)
{
    return request == REQUEST_PIN || request == REQUEST_WIDEN || request == REQUEST_DEEPEN ||
           request == REQUEST_PRUNE || request == REQUEST_NOTE;
}

static void answer(struct app *app, enum request request)
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
    case REQUEST_QUIT:
        ask_quit(app);
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
        model_say(model, app->mouse ? "mouse on: click, wheel, drag on the bar" : "mouse off: the terminal selects text");
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
static bool ask_prune(struct app *app, const char *words)
{
    int64_t node;
    if (strncmp(words, "prune ", 6) || !may_open(app, REQUEST_PRUNE) ||
        text_to_integer(words + 6 + (words[6] == 'n'), 1, app->model.state->node_count, &node))
        return false;
    app->overlay = overlay_prune(&app->model, node);
    return true;
}

static void on_overlay_key(struct app *app, int key)
{
    struct text words = TEXT_EMPTY;
    bool typed = overlay_takes_text(app->overlay);
    enum overlay_answer answered = overlay_key(app->overlay, &app->model, key, &words);
    if (answered != OVERLAY_OPEN)
        close_overlay(app);
    if (answered == OVERLAY_COMMAND && !(typed && ask_prune(app, text_string(&words))))
        send(app, text_string(&words));
    if (answered == OVERLAY_FIND)
        tree_find(&app->model, text_string(&words));
    if (answered == OVERLAY_STOP || answered == OVERLAY_DETACH)
        leave(app, answered == OVERLAY_DETACH ? TUI_DETACH : TUI_QUIT);
    text_done(&words);
}

/* True: the button was pressed on the replay bar, or is still held, and the replay has moved there. */
static bool move_replay(struct app *app, struct mouse mouse, struct area bar)
{
    if (!mouse.drag)
        app->dragging = !mouse.wheel && bar.width && mouse.y == bar.y;
    if (app->dragging)
        replay_bar_click(app->source, &app->model, bar, mouse.x);
    return app->dragging;
}

static void on_mouse(struct app *app)
{
    int width = app->canvas.width, height = app->canvas.height;
    struct mouse mouse = terminal_mouse(app->terminal);
    if (app->overlay && mouse.wheel) /* as arrow keys; clicks don't reach what lies behind the overlay */
        on_overlay_key(app, mouse.wheel < 0 ? KEY_CODE_UP : KEY_CODE_DOWN);
    else if (!app->overlay && !move_replay(app, mouse, screen_replay_bar(&app->model, width, height)) && !mouse.drag)
        screen_mouse(&app->model, width, height, mouse.x, mouse.y, mouse.wheel);
}

static void on_key(struct app *app, int key)
{
    app->model.message[0] = '\0'; /* the person has read the last answer */
    if (terminal_pasted(app->terminal)) {
        if (app->overlay && overlay_takes_text(app->overlay))
            on_overlay_key(app, key);
        else
            model_say(&app->model, "text can be pasted only after : and / and into a note");
    } else if (key == KEY_CODE_MOUSE) {
        on_mouse(app);
    } else if (request_of_key(key) == REQUEST_REDRAW || request_of_key(key) == REQUEST_SUSPEND) {
        answer(app, request_of_key(key)); /* even when an overlay is open */
    } else if (app->overlay) {
        on_overlay_key(app, key);
    } else if (key >= '1' && key < '1' + PANE_COUNT) {
        focus(app, (enum pane)(key - '1'));
    } else if (key == KEY_CODE_INTERRUPT) {
        ask_quit(app);
    } else {
        enum request request = request_of_key(key);
        if (request && !screen_request(&app->model, request, app->canvas.width, app->canvas.height))
            answer(app, request);
    }
}

static void read_signals(struct app *app)
{
    struct signalfd_siginfo signal;
    while (read(app->signals, &signal, sizeof signal) == sizeof signal) {
        app->asked = true;
        if (signal.ssi_signo == SIGWINCH)
            terminal_resized(app->terminal);
        else if (signal.ssi_signo == SIGTSTP)
            terminal_suspend(app->terminal, false);
        else if (signal.ssi_signo == SIGCONT)
            terminal_resume(app->terminal);
        else
            leave(app, TUI_SIGNAL + signal.ssi_signo);
    }
}

static void read_events(struct app *app)
{
    struct event event;
    struct error error = {{0}};
    if (app->source->replay)
        return;
    int count = 0;
    for (; count < EVENTS_PER_LOOP && app->source->next(app->source->context, &event); count++) {
        model_apply(&app->model, &event);
        event_done(&event);
        app->arrived = clock_monotonic();
        app->dirty = true;
    }
    if (count < EVENTS_PER_LOOP)
        app->model.caught_up = true;
    if (!app->model.ended && app->source->ended(app->source->context, &error)) {
        model_end(&app->model);
        app->dirty = true;
        if (*error.text)
            model_say(&app->model, "%s", error.text);
    }
    if (!app->model.ended)
        app->model.now = app->model.state->time + (clock_monotonic() - app->arrived);
}

static int milliseconds_to_wait(const struct app *app)
{
    double now = clock_monotonic();
    double until = terminal_is_behind(app->terminal) ? now + idle_seconds
                   : app->dirty ? app->drawn + frame_seconds
                   : app->model.replay.playing ? now + 0.05 : app->drawn + idle_seconds;
    double left = until - now;
    return left <= 0 ? 0 : (int)(left * 1000) + 1;
}

static void loop_once(struct app *app)
{
    bool behind = terminal_is_behind(app->terminal);
    struct pollfd wait[4] = {
        {.fd = terminal_input(app->terminal), .events = POLLIN},
        {.fd = app->signals, .events = POLLIN},
        {.fd = app->source->replay ? -1 : app->source->descriptor(app->source->context), .events = POLLIN},
        {.fd = behind ? terminal_output(app->terminal) : -1, .events = POLLOUT},
    };
    poll(wait, 4, milliseconds_to_wait(app));
    int key;
    if (wait[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
        leave(app, TUI_SIGNAL + SIGHUP); /* the terminal is gone */
        return;
    }
    if (wait[3].revents)
        terminal_flush(app->terminal);
    read_signals(app);
    while (!app->leave && (key = terminal_key(app->terminal)) >= 0) {
        on_key(app, key);
        app->asked = true;
    }
    read_events(app);
    if (app->model.mode == MODE_REPLAY && replay_bar_tick(app->source, &app->model, clock_monotonic()))
        app->dirty = true;
    double now = clock_monotonic();
    bool due = (app->dirty && now - app->drawn >= frame_seconds) || now - app->drawn >= idle_seconds;
    if (terminal_is_behind(app->terminal))
        return; /* draw the next frame when the terminal has taken this one */
    if (app->asked || (due && !app->model.frozen))
        draw(app);
    else if (app->model.frozen)
        app->drawn = now; /* events are still folded; they are drawn at the next key */
}

static const char *theme_or_dark(const char *theme)
{
    return theme ? theme : "dark";
}

int tui_check(const char *theme, struct error *error)
{
    return terminal_check(theme_or_dark(theme), error);
}

int tui_run(const struct tui_source *source, const struct tui_options *options, enum tui_outcome *outcome,
            struct error *error)
{
    struct app *app = memory_new(1, sizeof *app);
    sigset_t signals = signals_read();
    tui_block_signals();
    if (terminal_open(theme_or_dark(options->theme), options->mono, &app->terminal, error)) {
        free(app);
        return -1;
    }
    app->source = source;
    app->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    app->arrived = clock_monotonic();
    model_init(&app->model, source->mode, source->session_name);
    canvas_init(&app->canvas, 80, 24, !options->ascii);
    app->canvas.mono = !terminal_has_colours(app->terminal);
    if (source->mode == MODE_REPLAY)
        replay_bar_start(source, &app->model);
    app->dirty = true;
    while (!app->leave)
        loop_once(app);
    *outcome = app->outcome;
    read_signals(app); /* also those that came together with the last one */
    terminal_close(app->terminal);
    close(app->signals);
    unblock_interrupt();
    if (app->overlay)
        overlay_free(app->overlay);
    canvas_done(&app->canvas);
    model_done(&app->model);
    free(app);
    return 0;
}
