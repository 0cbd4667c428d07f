/*
 * browse.c - the loop of the list of sessions, and what its answers mean.
 *
 * Summaries come from a thread (gather.h), so that no frame waits for a log.  A session is shown, resumed or begun by
 * this program once more, which gets the terminal; when that ends, the list is back.  A comparison and a dry run are
 * also started so, without the terminal, and what they print is shown when they have ended.
 */
#include "cli/browse.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/browse_internal.h"
#include "cli/screens.h"
#include "tui/tui.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/print.h"

static const double frame_seconds = 0.1, idle_seconds = 1, settled_seconds = 0.3;

/* --- the terminal --- */

static int open_terminal(struct browse *browse, struct error *error)
{
    struct tui_options options = screens_options("dark");
    if (terminal_open(options.theme, options.mono, &browse->terminal, error))
        return -1;
    if (browse->mouse)
        terminal_use_mouse(browse->terminal, true);
    browse->canvas.unicode = !options.ascii;
    browse->canvas.mono = !terminal_has_colours(browse->terminal);
    browse->asked = true;
    return 0;
}

static void close_terminal(struct browse *browse)
{
    if (browse->terminal)
        terminal_close(browse->terminal);
    browse->terminal = NULL;
}

static void leave(struct browse *browse, int status)
{
    browse->leave = true;
    browse->status = status;
}

static void draw(struct browse *browse)
{
    int width, height;
    terminal_size(browse->terminal, &width, &height);
    browse->browser.now = time(NULL);
    canvas_reset(&browse->canvas, width, height);
    browser_draw(&browse->browser, &browse->canvas);
    terminal_show(browse->terminal, &browse->canvas);
    browse->dirty = browse->asked = false;
    browse->drawn = clock_monotonic();
}

static void save_screen(struct browse *browse)
{
    struct text text = TEXT_EMPTY;
    struct error error = {{0}};
    canvas_print(&browse->canvas, &text);
    if (file_write("espalier-screen.txt", text_string(&text), text.length, &error))
        browser_say(&browse->browser, "%s", error.text);
    else
        browser_say(&browse->browser, "saved as espalier-screen.txt");
    text_done(&text);
}

/* --- this program once more, on the terminal --- */

/* What it printed stays to be read.  Signals are answered by the loop. */
static void wait_for_enter(const struct browse *browse)
{
    struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = browse->signals, .events = POLLIN}};
    char line[256];
    print_to(stdout, "\nEnter goes back to the sessions ");
    fflush(stdout);
    poll(wait, 2, -1);
    if (wait[0].revents & POLLIN) {
        ssize_t got = read(STDIN_FILENO, line, sizeof line);
        (void)got; /* any line does */
    }
}

/* The last line of what a child has said, without the program's name. */
static void say_last_line(struct browse *browse, struct text *messages)
{
    static const char name[] = "espalier: ";
    while (messages->length && messages->bytes[messages->length - 1] == '\n')
        messages->bytes[--messages->length] = '\0';
    const char *text = text_string(messages), *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    browser_say(&browse->browser, "%s", line + (strncmp(line, name, strlen(name)) ? 0 : strlen(name)));
}

/* `stays`: what it prints is for the person to read, on the terminal. */
void browse_run(struct browse *browse, const char *const *words, bool stays)
{
    struct error error;
    struct text messages = TEXT_EMPTY;
    int status = 0;
    gather_hold(browse->gather, true);
    close_terminal(browse);
    int failed = child_on_terminal(words, &browse->mask, stays ? NULL : &messages, &status, &error);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &browse->modes); /* it may have been killed */
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    bool ends_all = !failed && (code == 128 + SIGHUP || code == 128 + SIGTERM);
    if (stays && !failed && !ends_all)
        wait_for_enter(browse);
    gather_hold(browse->gather, false);
    if (failed)
        browser_say(&browse->browser, "%s", error.text);
    else if (messages.length)
        say_last_line(browse, &messages);
    else if (WIFSIGNALED(status))
        browser_say(&browse->browser, "it was ended by signal %d", WTERMSIG(status));
    text_done(&messages);
    if (ends_all)
        leave(browse, code);
    else if (open_terminal(browse, &error))
        leave(browse, cli_fail(&error));
}

/* --- this program once more, for what it prints --- */

void browse_start_job(struct browse *browse, enum browse_job job, const char *const *words)
{
    struct error error;
    browse_stop_job(browse);
    text_clear(&browse->printed);
    if (child_start(&browse->child, words, &browse->mask, &error))
        browse_show_job(browse, job, error.text);
    else
        browse->job = job;
}

void browse_stop_job(struct browse *browse)
{
    child_stop(&browse->child);
    browse->job = JOB_NONE;
}

static void read_job(struct browse *browse)
{
    enum { PRINTED_MOST = 1 << 20 };
    enum browse_job job = browse->job;
    bool wanted = job == JOB_DRY_RUN ? browse->browser.dialog == BROWSER_FORM : browse->browser.dialog == BROWSER_PAGE;
    if (!job)
        return;
    if (!wanted) { /* the person has closed it */
        browse_stop_job(browse);
    } else if (child_read(&browse->child, &browse->printed, PRINTED_MOST)) {
        browse->job = JOB_NONE;
        browse_show_job(browse, job, text_string(&browse->printed));
        browse->dirty = true;
    }
}

static bool needs_dry_run(const struct browse *browse)
{
    const struct browser *browser = &browse->browser;
    return browser->dialog == BROWSER_FORM && browser->form.previews && browse->previewed != browser->form.version;
}

/* A dry run is due when nothing was typed for a moment. */
static void follow_form(struct browse *browse, double now)
{
    const struct browser *browser = &browse->browser;
    if (!needs_dry_run(browse))
        return;
    if (browse->seen != browser->form.version) {
        browse->seen = browser->form.version;
        browse->typed = now;
    }
    if (now - browse->typed < settled_seconds)
        return;
    browse->previewed = browser->form.version;
    browse_dry_run(browse);
}

/* --- keys, signals, news --- */

static void on_answer(struct browse *browse, enum browser_answer answer)
{
    if (answer == BROWSER_QUIT)
        leave(browse, 0);
    else if (answer == BROWSER_SAVE_SCREEN)
        save_screen(browse);
    else if (answer == BROWSER_MOUSE) {
        browse->mouse = !browse->mouse;
        terminal_use_mouse(browse->terminal, browse->mouse);
        browser_say(&browse->browser,
                    browse->mouse ? "mouse on: click, wheel" : "mouse off: the terminal selects text");
    } else
        browse_do(browse, answer);
}

static void on_key(struct browse *browse, int key)
{
    struct mouse mouse = terminal_mouse(browse->terminal);
    enum request request = request_of_key(key);
    bool pasted = terminal_pasted(browse->terminal);
    if (pasted && !browser_takes_text(&browse->browser))
        browser_say(&browse->browser, "text can be pasted only into a line or a form");
    else if (!pasted && key == KEY_CODE_MOUSE)
        on_answer(browse, mouse.drag ? BROWSER_STAY
                                     : browser_mouse(&browse->browser, browse->canvas.width, browse->canvas.height,
                                                     mouse.x, mouse.y, mouse.wheel));
    else if (!pasted && request == REQUEST_REDRAW)
        terminal_redraw(browse->terminal);
    else if (!pasted && request == REQUEST_SUSPEND)
        terminal_suspend(browse->terminal, true);
    else
        on_answer(browse, browser_key(&browse->browser, key));
}

static void read_signals(struct browse *browse)
{
    struct signalfd_siginfo signal;
    while (read(browse->signals, &signal, sizeof signal) == sizeof signal) {
        browse->asked = true;
        if (signal.ssi_signo == SIGWINCH)
            terminal_resized(browse->terminal);
        else if (signal.ssi_signo == SIGTSTP)
            terminal_suspend(browse->terminal, false);
        else if (signal.ssi_signo == SIGCONT)
            terminal_resume(browse->terminal);
        else
            leave(browse, 128 + (int)signal.ssi_signo);
    }
}

static void read_news(struct browse *browse)
{
    struct gather_news news;
    while (gather_next(browse->gather, &news)) {
        browse->dirty = true;
        if (news.kind == GATHER_SUMMARY) {
            browser_update(&browse->browser, &news.summary);
        } else if (news.kind == GATHER_GONE) {
            browser_remove(&browse->browser, news.summary.folder);
            session_summary_done(&news.summary);
        } else {
            browse->browser.reading = false;
        }
    }
}

/* --- the loop --- */

static int milliseconds_to_wait(const struct browse *browse)
{
    double now = clock_monotonic(), until = browse->drawn + (browse->dirty ? frame_seconds : idle_seconds);
    if (terminal_is_behind(browse->terminal))
        until = now + idle_seconds;
    else if (needs_dry_run(browse) && browse->typed + settled_seconds < until)
        until = browse->typed + settled_seconds;
    return until <= now ? 0 : (int)((until - now) * 1000) + 1;
}

static void loop_once(struct browse *browse)
{
    bool behind = terminal_is_behind(browse->terminal);
    struct pollfd wait[] = {
        {.fd = terminal_input(browse->terminal), .events = POLLIN},
        {.fd = browse->signals, .events = POLLIN},
        {.fd = gather_descriptor(browse->gather), .events = POLLIN},
        {.fd = browse->job ? browse->child.output : -1, .events = POLLIN},
        {.fd = behind ? terminal_output(browse->terminal) : -1, .events = POLLOUT},
    };
    int key;
    poll(wait, sizeof wait / sizeof *wait, milliseconds_to_wait(browse));
    if (wait[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
        leave(browse, 128 + SIGHUP); /* the terminal is gone */
        return;
    }
    if (wait[4].revents)
        terminal_flush(browse->terminal);
    read_signals(browse);
    while (!browse->leave && (key = terminal_key(browse->terminal)) >= 0) {
        browse->asked = true;
        on_key(browse, key);
    }
    if (browse->leave)
        return;
    read_news(browse);
    read_job(browse);
    double now = clock_monotonic();
    follow_form(browse, now);
    bool due = now - browse->drawn >= (browse->dirty ? frame_seconds : idle_seconds);
    if (!terminal_is_behind(browse->terminal) && (browse->asked || due))
        draw(browse);
}

static void close_all(struct browse *browse)
{
    browse_stop_job(browse);
    gather_free(browse->gather);
    text_done(&browse->printed);
    canvas_done(&browse->canvas);
    browser_done(&browse->browser);
}

int browse(void)
{
    struct error error;
    struct browse browse = {.child.output = -1};
    sigset_t interrupt, signals;
    int status = screens_read_keys();
    if (status)
        return status;
    signal(SIGCHLD, SIG_DFL); /* where the parent ignored it, waitpid() would say nothing of a child's end */
    pthread_sigmask(SIG_SETMASK, NULL, &browse.mask);
    tui_block_signals();
    pthread_sigmask(SIG_SETMASK, NULL, &signals);
    tcgetattr(STDIN_FILENO, &browse.modes);
    browser_init(&browse.browser);
    canvas_init(&browse.canvas, 80, 24, true);
    browse.gather = gather_new();
    if (!browse.gather) {
        error_set(&error, "the system has no thread to read the sessions; end other programs, or raise ulimit -u");
        return cli_fail(&error);
    }
    if (open_terminal(&browse, &error)) {
        leave(&browse, cli_fail(&error));
    } else {
        browse.signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
        while (!browse.leave)
            loop_once(&browse);
        close_terminal(&browse);
        close(browse.signals);
    }
    close_all(&browse);
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
    return browse.status;
}
