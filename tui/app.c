/*
 * app.c - the terminal's main loop.
 *
 * It waits in one poll() for the keyboard, signals and the source of events. Events are folded as they come. A frame is
 * drawn at once after a key and otherwise at most ten times a second. A key goes to the overlay if one is open, else to
 * the view with the focus; a request that the view doesn't handle goes to app_request.c.
 */
#include "tui/app.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "sessions/command.h"
#include "tui/emulator.h"
#include "tui/replay_bar.h"
#include "tui/view.h"
#include "util/clock.h"
#include "util/memory.h"

static const double frame_seconds = 0.1, idle_seconds = 1;
enum { EVENTS_PER_LOOP = 4096 };

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

void app_emit(struct app *app, struct text *bytes)
{
    if (bytes->length)
        terminal_emit(app->terminal, bytes->bytes, bytes->length);
    text_done(bytes);
}

/* "night ★ 91.85%": what a task bar shows of a search that is left alone. */
static void show_title(struct app *app)
{
    const struct session_state *state = app->model.state;
    const struct session_node *best = session_node(state, state->best);
    struct text title = TEXT_EMPTY, bytes = TEXT_EMPTY;
    text_add(&title, "%s%s", app->model.session_name, app->model.ended ? " ended" : state->paused ? " paused" : "");
    if (best)
        text_add(&title, " %.2f%% n%lld", 100 * best->accuracy, (long long)state->best);
    if (!app->title || strcmp(app->title, text_string(&title))) {
        emulator_title(text_string(&title), &bytes);
        app_emit(app, &bytes);
        free(app->title);
        app->title = text_take(&title);
    }
    text_done(&title);
}

/* At a new best, and at the end. */
static void ring(struct app *app)
{
    struct text bytes = TEXT_EMPTY;
    bool news = app->model.state->best != app->rung_best || app->model.ended != app->rung_end;
    if (news && app->bell && app->model.caught_up)
        emulator_bell(&bytes);
    app_emit(app, &bytes);
    app->rung_best = app->model.state->best;
    app->rung_end = app->model.ended;
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
    show_title(app);
    app->dirty = app->asked = false;
    app->drawn = clock_monotonic();
}

static void on_request(struct app *app, enum request request)
{
    if (request && !screen_request(&app->model, request, app->canvas.width, app->canvas.height))
        app_answer(app, request);
}

/* A command that was chosen in the palette: with arguments it is typed on. `stop` is asked about as the key is; of
   another process's search, which that key only leaves, Enter has to confirm it. */
static void on_palette_command(struct app *app, enum command_kind kind)
{
    const struct command_row *command = command_row(kind);
    bool needs_arguments = *command->arguments && *command->arguments != '[';
    struct text line = TEXT_EMPTY;
    text_add(&line, needs_arguments ? "%s " : "%s", command->name);
    if (kind == COMMAND_STOP && app->model.mode == MODE_LIVE && !app->model.ended)
        app_ask_quit(app);
    else if (needs_arguments || (kind == COMMAND_STOP && !app->model.ended))
        app->overlay = overlay_prompt(PROMPT_COMMAND, 0, text_string(&line));
    else
        app_send(app, text_string(&line));
    text_done(&line);
}

/* What was chosen in the palette: a request, a command, a network. */
static void on_palette(struct app *app, const char *chosen)
{
    char name[REQUEST_NAME];
    int64_t node;
    if (*chosen == ':') {
        on_palette_command(app, command_find(chosen + 1));
        return;
    }
    if (*chosen == 'n' && !text_to_integer(chosen + 1, 1, app->model.state->node_count, &node)) {
        tree_select(&app->model, node);
        return;
    }
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_SCREENS; request++)
        if (!strcmp(chosen, request_name(request, name))) {
            on_request(app, request);
            return;
        }
}

static void on_overlay_answer(struct app *app, enum overlay_answer answered, struct text *words, bool typed)
{
    if (answered != OVERLAY_OPEN)
        app_close_overlay(app);
    if (answered == OVERLAY_COMMAND && !(typed && app_ask_prune(app, text_string(words))))
        app_send(app, text_string(words));
    if (answered == OVERLAY_FIND)
        tree_find(&app->model, text_string(words));
    if (answered == OVERLAY_PALETTE)
        on_palette(app, text_string(words));
    if (answered == OVERLAY_STOP || answered == OVERLAY_DETACH)
        app_leave(app, answered == OVERLAY_DETACH ? TUI_DETACH : TUI_QUIT);
    text_done(words);
}

static void on_overlay_key(struct app *app, int key)
{
    struct text words = TEXT_EMPTY;
    bool typed = overlay_takes_text(app->overlay);
    on_overlay_answer(app, overlay_key(app->overlay, &app->model, key, &words), &words, typed);
}

static void on_overlay_click(struct app *app, int x, int y)
{
    struct text words = TEXT_EMPTY;
    bool typed = overlay_takes_text(app->overlay);
    on_overlay_answer(app, overlay_click(app->overlay, &app->model, x, y, &words), &words, typed);
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
    else if (app->overlay && !mouse.drag)
        on_overlay_click(app, mouse.x, mouse.y);
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
        app_answer(app, request_of_key(key)); /* even when an overlay is open */
    } else if (app->overlay) {
        on_overlay_key(app, key);
    } else if (key >= '1' && key < '1' + PANE_COUNT) {
        app_focus(app, (enum pane)(key - '1'));
    } else if (key == KEY_CODE_INTERRUPT) {
        app_ask_quit(app);
    } else {
        on_request(app, request_of_key(key));
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
            app_leave(app, TUI_SIGNAL + signal.ssi_signo);
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
        {.fd = app->source->replay || app->model.ended ? -1 : app->source->descriptor(app->source->context), .events = POLLIN},
        {.fd = behind ? terminal_output(app->terminal) : -1, .events = POLLOUT},
    };
    poll(wait, 4, milliseconds_to_wait(app));
    int key;
    if (wait[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
        app_leave(app, TUI_SIGNAL + SIGHUP); /* the terminal is gone */
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
    if (app->model.mode != MODE_REPLAY)
        ring(app);
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
    struct text bytes = TEXT_EMPTY;
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
    emulator_keep_title(&bytes);
    app_emit(app, &bytes);
    while (!app->leave)
        loop_once(app);
    *outcome = app->outcome;
    emulator_restore_title(&bytes);
    app_emit(app, &bytes);
    free(app->title);
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
