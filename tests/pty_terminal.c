/*
 * pty_terminal.c - the pseudo-terminal's master side, a libvterm screen, and one poll().
 *
 * pump() is the only place that reads: it takes what has come, feeds libvterm, and sends libvterm's own answers back.
 * The slave side stays open here, so that its modes can be read after the program's end. The end is seen through a
 * descriptor of the process, polled beside the master.
 */
#include "config.h"

#include "pty_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>
#include <vterm.h>

#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

struct pty_terminal {
    int master, slave; /* -1 after a hang-up */
    struct termios modes_at_first;
    pid_t process;
    int process_ended; /* its pidfd: readable when it has ended */
    bool ended;        /* it was waited for */
    int status;
    VTerm *emulator;
    VTermScreen *screen;
    bool alternate, cursor;
    struct text bytes;
    double heard; /* monotonic: when the last byte came */
    bool deaf;
    bool answered; /* bytes came since the last pty_send() */
};

/* --- the screen --- */

static int on_property(VTermProp property, VTermValue *value, void *context)
{
    struct pty_terminal *terminal = context;
    if (property == VTERM_PROP_ALTSCREEN)
        terminal->alternate = value->boolean;
    if (property == VTERM_PROP_CURSORVISIBLE)
        terminal->cursor = value->boolean;
    return 1;
}

static void on_answer(const char *bytes, size_t length, void *context)
{
    pty_send_bytes(context, bytes, length);
}

static void open_screen(struct pty_terminal *terminal, const struct pty_setup *setup)
{
    static const VTermScreenCallbacks callbacks = {.settermprop = on_property};
    terminal->cursor = true;
    terminal->emulator = vterm_new(setup->height, setup->width);
    vterm_set_utf8(terminal->emulator, 1);
    vterm_output_set_callback(terminal->emulator, on_answer, terminal);
    terminal->screen = vterm_obtain_screen(terminal->emulator);
    vterm_screen_set_callbacks(terminal->screen, &callbacks, terminal);
    vterm_screen_enable_altscreen(terminal->screen, 1);
    vterm_screen_reset(terminal->screen, 1);
}

struct pty_cell pty_cell(struct pty_terminal *terminal, int row, int column)
{
    VTermScreenCell cell;
    if (!vterm_screen_get_cell(terminal->screen, (VTermPos){.row = row, .col = column}, &cell))
        return (struct pty_cell){0};
    return (struct pty_cell){
        .glyph = cell.chars[0] == (uint32_t)-1 ? 0 : cell.chars[0],
        .bold = cell.attrs.bold,
        .underline = cell.attrs.underline,
        .reverse = cell.attrs.reverse,
        .coloured = !VTERM_COLOR_IS_DEFAULT_FG(&cell.fg) || !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg),
    };
}

static void add_glyph(struct text *text, uint32_t glyph)
{
    char bytes[5] = {0};
    if (glyph < 0x80) {
        bytes[0] = (char)glyph;
    } else if (glyph < 0x800) {
        bytes[0] = (char)(0xc0 | glyph >> 6);
        bytes[1] = (char)(0x80 | (glyph & 0x3f));
    } else if (glyph < 0x10000) {
        bytes[0] = (char)(0xe0 | glyph >> 12);
        bytes[1] = (char)(0x80 | (glyph >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (glyph & 0x3f));
    } else {
        bytes[0] = (char)(0xf0 | glyph >> 18);
        bytes[1] = (char)(0x80 | (glyph >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (glyph >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (glyph & 0x3f));
    }
    text_add(text, "%s", bytes);
}

void pty_print_row(struct pty_terminal *terminal, int row, struct text *text)
{
    int width, height, blanks = 0;
    pty_size(terminal, &width, &height);
    for (int column = 0; column < width; column++) {
        VTermScreenCell cell;
        vterm_screen_get_cell(terminal->screen, (VTermPos){.row = row, .col = column}, &cell);
        if (cell.chars[0] == (uint32_t)-1)
            continue; /* the right half of a wide glyph */
        if (!cell.chars[0] || cell.chars[0] == ' ') {
            blanks++;
            continue;
        }
        text_add(text, "%*s", blanks, "");
        blanks = 0;
        for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i]; i++)
            add_glyph(text, cell.chars[i]);
    }
}

void pty_print_screen(struct pty_terminal *terminal, struct text *text)
{
    int width, height;
    pty_size(terminal, &width, &height);
    for (int row = 0; row < height; row++) {
        pty_print_row(terminal, row, text);
        text_add(text, "\n");
    }
}

bool pty_has_text(struct pty_terminal *terminal, int row, const char *text)
{
    struct text have = TEXT_EMPTY;
    if (row < 0)
        pty_print_screen(terminal, &have);
    else
        pty_print_row(terminal, row, &have);
    bool found = strstr(text_string(&have), text);
    text_done(&have);
    return found;
}

void pty_size(const struct pty_terminal *terminal, int *width, int *height)
{
    vterm_get_size(terminal->emulator, height, width);
}

bool pty_is_alternate(const struct pty_terminal *terminal)
{
    return terminal->alternate;
}

bool pty_shows_cursor(const struct pty_terminal *terminal)
{
    return terminal->cursor;
}

const char *pty_bytes(const struct pty_terminal *terminal, size_t *length)
{
    *length = terminal->bytes.length;
    return text_string(&terminal->bytes);
}

void pty_forget(struct pty_terminal *terminal)
{
    text_clear(&terminal->bytes);
}

/* --- the program --- */

static void keep_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
}

/* A clean environment: what a test needs to be the same everywhere, and what the sanitisers are told. */
static void set_environment(const struct pty_setup *setup)
{
    static const char *const kept[] = {"PATH",          "TMPDIR",       "ASAN_OPTIONS",
                                       "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"};
    const char *values[COUNT_OF(kept)];
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        values[i] = getenv(kept[i]) ? memory_copy_text(getenv(kept[i])) : NULL;
    clearenv();
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        keep_variable(kept[i], values[i]);
    keep_variable("TERM", setup->terminal);
    keep_variable("HOME", setup->folder);
    keep_variable("LC_ALL", "C.UTF-8");
    for (const char *const *more = setup->environment; more && *more; more++)
        putenv(memory_copy_text(*more));
}

static void run_program(int slave, const struct pty_setup *setup, const char *const *arguments)
{
    struct rlimit no_core = {0, 0};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++) /* nohup's ignored SIGHUP would be inherited */
        signal(number, SIG_DFL);
    setrlimit(RLIMIT_CORE, &no_core);
    set_environment(setup);
    if (!login_tty(slave) && (!setup->folder || !chdir(setup->folder)))
        execvp(arguments[0], (char *const *)arguments);
    dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

struct pty_terminal *pty_start(const struct pty_setup *setup, const char *const *arguments)
{
    struct winsize size = {.ws_row = (unsigned short)setup->height, .ws_col = (unsigned short)setup->width};
    struct pty_terminal *terminal = memory_new(1, sizeof *terminal);
    if (openpty(&terminal->master, &terminal->slave, NULL, NULL, &size)) {
        free(terminal);
        return NULL;
    }
    ASSERT(!tcgetattr(terminal->slave, &terminal->modes_at_first));
    fcntl(terminal->master, F_SETFD, FD_CLOEXEC);
    fcntl(terminal->slave, F_SETFD, FD_CLOEXEC);
    fcntl(terminal->master, F_SETFL, O_RDWR | O_NONBLOCK);
    terminal->process = fork();
    ASSERT(terminal->process >= 0);
    if (!terminal->process)
        run_program(terminal->slave, setup, arguments);
    terminal->process_ended = pidfd_open(terminal->process, 0);
    ASSERT(terminal->process_ended >= 0);
    terminal->heard = clock_monotonic();
    open_screen(terminal, setup);
    return terminal;
}

static void close_terminal(struct pty_terminal *terminal)
{
    if (terminal->master >= 0)
        close(terminal->master);
    if (terminal->slave >= 0)
        close(terminal->slave);
    terminal->master = terminal->slave = -1;
}

void pty_free(struct pty_terminal *terminal)
{
    if (!terminal->ended) {
        kill(terminal->process, SIGKILL);
        waitpid(terminal->process, NULL, 0);
    }
    close_terminal(terminal);
    close(terminal->process_ended);
    vterm_free(terminal->emulator);
    text_done(&terminal->bytes);
    free(terminal);
}

void pty_hang_up(struct pty_terminal *terminal)
{
    close_terminal(terminal);
}

void pty_set_deaf(struct pty_terminal *terminal, bool deaf)
{
    terminal->deaf = deaf;
}

pid_t pty_foreground(const struct pty_terminal *terminal)
{
    return tcgetpgrp(terminal->master);
}

pid_t pty_process(const struct pty_terminal *terminal)
{
    return terminal->process;
}

void pty_modes(const struct pty_terminal *terminal, struct termios *modes)
{
    *modes = (struct termios){0};
    ASSERT(!tcgetattr(terminal->slave, modes));
}

void pty_modes_at_first(const struct pty_terminal *terminal, struct termios *modes)
{
    *modes = terminal->modes_at_first;
}

void pty_resize(struct pty_terminal *terminal, int width, int height)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};
    vterm_set_size(terminal->emulator, height, width);
    ioctl(terminal->master, TIOCSWINSZ, &size);
}

/* --- bytes both ways --- */

/* Take what has come; true when there was any.  Not more than 16 pieces: a program may write faster than the emulator
   reads, and a wait must end all the same. */
static bool take(struct pty_terminal *terminal)
{
    char bytes[65536];
    bool any = false;
    ssize_t count;
    for (int i = 0; i < 16 && terminal->master >= 0 && !terminal->deaf &&
                    (count = read(terminal->master, bytes, sizeof bytes)) > 0;
         i++, any = true) {
        text_add_bytes(&terminal->bytes, bytes, (size_t)count);
        vterm_input_write(terminal->emulator, bytes, (size_t)count);
        terminal->heard = clock_monotonic();
        terminal->answered = true;
    }
    return any;
}

/* Wait `seconds` at most for a byte or the program's end; false when neither came. */
static bool pump(struct pty_terminal *terminal, double seconds)
{
    struct pollfd wait[2] = {
        {.fd = terminal->deaf ? -1 : terminal->master, .events = POLLIN},
        {.fd = terminal->ended ? -1 : terminal->process_ended, .events = POLLIN},
    };
    if (poll(wait, 2, seconds > 0 ? (int)(seconds * 1000) + 1 : 0) <= 0)
        return false;
    bool any = take(terminal);
    if (wait[1].revents) {
        while (waitpid(terminal->process, &terminal->status, 0) < 0 && errno == EINTR)
            continue;
        terminal->ended = true;
        while (take(terminal))
            continue;
    }
    return any || wait[1].revents;
}

void pty_send_bytes(struct pty_terminal *terminal, const void *bytes, size_t length)
{
    const char *rest = bytes;
    double until = clock_monotonic() + PTY_PATIENCE;
    while (length && terminal->master >= 0 && clock_monotonic() < until) {
        ssize_t written = write(terminal->master, rest, length);
        if (written > 0) {
            rest += written;
            length -= (size_t)written;
        } else {
            struct pollfd wait = {.fd = terminal->master, .events = POLLOUT};
            poll(&wait, 1, 1000);
        }
    }
}

void pty_send(struct pty_terminal *terminal, const char *keys)
{
    take(terminal);
    terminal->answered = false;
    pty_send_bytes(terminal, keys, strlen(keys));
}

/* --- waits --- */

/* Is the program in the middle of a synchronised update?  What is on the screen is then no frame of its. */
static bool frame_is_open(const struct pty_terminal *terminal)
{
    static const char mark[] = "\033[?2026";
    size_t length = sizeof mark - 1;
    for (size_t i = terminal->bytes.length; i > length; i--)
        if (!memcmp(terminal->bytes.bytes + i - length - 1, mark, length))
            return terminal->bytes.bytes[i - 1] == 'h';
    return false;
}

bool pty_wait(struct pty_terminal *terminal, pty_condition *condition, const void *context)
{
    double until = clock_monotonic() + PTY_PATIENCE;
    pump(terminal, 0);
    while (frame_is_open(terminal) || !condition(terminal, context)) {
        double left = until - clock_monotonic();
        if (terminal->ended || left <= 0)
            return false;
        pump(terminal, left);
    }
    return true;
}

struct wanted {
    int row;
    const char *text;
};

static bool has_wanted(struct pty_terminal *terminal, const void *context)
{
    const struct wanted *wanted = context;
    return pty_has_text(terminal, wanted->row, wanted->text);
}

static bool lacks_wanted(struct pty_terminal *terminal, const void *context)
{
    return !has_wanted(terminal, context);
}

bool pty_wait_text(struct pty_terminal *terminal, int row, const char *text)
{
    return pty_wait(terminal, has_wanted, &(struct wanted){row, text});
}

bool pty_wait_no_text(struct pty_terminal *terminal, int row, const char *text)
{
    return pty_wait(terminal, lacks_wanted, &(struct wanted){row, text});
}

static bool has_answered(struct pty_terminal *terminal, const void *context)
{
    return terminal->answered;
}

bool pty_wait_bytes(struct pty_terminal *terminal)
{
    return pty_wait(terminal, has_answered, NULL);
}

bool pty_wait_quiet(struct pty_terminal *terminal, double seconds)
{
    double start = clock_monotonic(), until = start + PTY_PATIENCE;
    pump(terminal, 0);
    for (;;) {
        double now = clock_monotonic(), since = terminal->heard > start ? terminal->heard : start;
        if (terminal->ended || now - since >= seconds)
            return true;
        if (now >= until)
            return false;
        pump(terminal, since + seconds - now);
    }
}

size_t pty_watch(struct pty_terminal *terminal, double seconds)
{
    size_t before = terminal->bytes.length;
    double until = clock_monotonic() + seconds;
    for (double now; !terminal->ended && (now = clock_monotonic()) < until;)
        pump(terminal, until - now);
    return terminal->bytes.length - before;
}

bool pty_wait_full(struct pty_terminal *terminal)
{
    double until = clock_monotonic() + PTY_PATIENCE;
    struct pollfd room = {.fd = terminal->slave, .events = POLLOUT};
    while (poll(&room, 1, 0) > 0) {
        if (terminal->ended || clock_monotonic() >= until)
            return false;
        pump(terminal, 0.01);
    }
    return true;
}

static bool has_ended(struct pty_terminal *terminal, const void *context)
{
    return terminal->ended;
}

bool pty_wait_exit(struct pty_terminal *terminal, int *status)
{
    bool ended = pty_wait(terminal, has_ended, NULL);
    *status = terminal->status;
    return ended;
}
