/*
 * terminal.c - the only file that calls curses.
 *
 * curses writes into a memory file instead of the terminal; after each frame its bytes go to the terminal in one write,
 * bracketed as a synchronised update, or not at all when there are none. So the terminal's modes are set here
 * (termios), not by curses, which sees no terminal at its output.
 *
 * A crash (SIGSEGV, SIGABRT, …) restores the terminal in the handler, with bytes and modes prepared before, and dies of
 * the same signal.
 */
#include "tui/terminal.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "tui/request.h"
#include "tui/theme.h"
#include "util/memory.h"

struct terminal {
    SCREEN *screen;
    WINDOW *keys;       /* never shown: reading keys from stdscr would refresh it */
    FILE *output;       /* the memory file */
    int width, height;
    attr_t attributes[STYLE_COUNT];
    short pairs[STYLE_COUNT];
    struct mouse mouse;
};

/* For the crash handler, which has no other way to it. */
static struct {
    volatile sig_atomic_t active;
    struct termios modes;
    char restore[256];
    size_t restore_length;
} crash;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};

static void write_all(const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&wait, 1, 1000);
        } else if (written < 0 && errno != EINTR) {
            return; /* the terminal is gone: the hang-up signal says so */
        }
    }
}

static void on_crash(int number)
{
    if (crash.active) {
        crash.active = 0;
        write_all(crash.restore, crash.restore_length);
        tcsetattr(STDIN_FILENO, TCSANOW, &crash.modes);
    }
    signal(number, SIG_DFL);
    raise(number);
}

/* What curses has written since the last time, to the terminal in one piece. */
static void flush_output(struct terminal *terminal)
{
    static const char begin[] = "\033[?2026h", end[] = "\033[?2026l";
    fflush(terminal->output);
    int descriptor = fileno(terminal->output);
    off_t length = lseek(descriptor, 0, SEEK_CUR);
    if (length <= 0)
        return;
    size_t size = (size_t)length + sizeof begin + sizeof end;
    char *bytes = memory_new(size, 1);
    memcpy(bytes, begin, sizeof begin - 1);
    ssize_t got = pread(descriptor, bytes + sizeof begin - 1, (size_t)length, 0);
    if (got > 0) {
        memcpy(bytes + sizeof begin - 1 + got, end, sizeof end - 1);
        write_all(bytes, sizeof begin - 1 + (size_t)got + sizeof end - 1);
    }
    free(bytes);
    if (lseek(descriptor, 0, SEEK_SET) == 0 && ftruncate(descriptor, 0))
        return; /* a memory file that can't be cut is overwritten by the next frame all the same */
}

static void set_modes(bool raw)
{
    struct termios modes = crash.modes;
    if (raw) {
        modes.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
        modes.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
        modes.c_cc[VMIN] = 1;
        modes.c_cc[VTIME] = 0;
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
}

static void read_size(struct terminal *terminal)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
        terminal->width = size.ws_col;
        terminal->height = size.ws_row;
    } else {
        terminal->width = COLS > 0 ? COLS : 80;
        terminal->height = LINES > 0 ? LINES : 24;
    }
}

static void prepare_styles(struct terminal *terminal, const struct look *looks, bool mono)
{
    static const struct { unsigned ours; attr_t theirs; } bits[] = {
        {LOOK_BOLD, A_BOLD}, {LOOK_DIM, A_DIM}, {LOOK_REVERSE, A_REVERSE}, {LOOK_UNDERLINE, A_UNDERLINE}};
    bool colours = !mono && has_colors() && start_color() == OK;
    if (colours)
        use_default_colors();
    for (int style = 0; style < STYLE_COUNT; style++) {
        unsigned wanted = colours ? looks[style].attributes : looks[style].plain;
        short colour = COLORS >= 256 ? looks[style].colour_256 : looks[style].colour_8;
        for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
            if (wanted & bits[i].ours)
                terminal->attributes[style] |= bits[i].theirs;
        if (colours && colour >= 0 && init_pair((short)(style + 1), colour, -1) == OK)
            terminal->pairs[style] = (short)(style + 1);
    }
}

/* The bytes that leave the alternate screen, show the cursor, and end colours and mouse. */
static void prepare_crash(void)
{
    static const char *const names[] = {"rmkx", "sgr0", "cnorm", "rmcup"};
    crash.restore_length = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *bytes = tigetstr((char *)names[i]);
        size_t length = bytes && bytes != (char *)-1 ? strlen(bytes) : 0;
        if (length && crash.restore_length + length < sizeof crash.restore) {
            memcpy(crash.restore + crash.restore_length, bytes, length);
            crash.restore_length += length;
        }
    }
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        signal(crash_signals[i], on_crash);
    crash.active = 1;
}

static int check_terminal(struct error *error)
{
    int found;
    const char *name = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return error_set(error, "the terminal: standard input and output must both be one; --headless needs none");
    if (!name || !*name || setupterm(name, STDOUT_FILENO, &found) != OK)
        return error_set(error, "TERM=%s: no such terminal is known here; set TERM (xterm, screen, linux) or use --headless",
                         name ? name : "");
    const char *move = tigetstr("cup");
    int usable = move && move != (char *)-1;
    del_curterm(cur_term);
    if (!usable)
        return error_set(error, "TERM=%s: this terminal can't move its cursor; use --headless", name);
    return 0;
}

int terminal_open(const char *theme, bool mono, struct terminal **result, struct error *error)
{
    const struct look *looks = theme_find(theme);
    if (!looks)
        return error_set(error, "theme %s: unknown; there are dark, light, colour-blind and mono", theme);
    if (check_terminal(error))
        return -1;
    int memory = memfd_create("espalier-frame", MFD_CLOEXEC);
    FILE *output = memory < 0 ? NULL : fdopen(memory, "w+");
    if (!output)
        return error_set(error, "the terminal: no memory file for frames: %s", strerror(errno));
    struct terminal *terminal = memory_new(1, sizeof *terminal);
    terminal->output = output;
    tcgetattr(STDIN_FILENO, &crash.modes);
    set_escdelay(25);
    terminal->screen = newterm(NULL, output, stdin);
    if (!terminal->screen) {
        fclose(output);
        free(terminal);
        return error_set(error, "TERM=%s: curses can't use this terminal; use --headless", getenv("TERM"));
    }
    prepare_crash();
    set_modes(true);
    read_size(terminal);
    resize_term(terminal->height, terminal->width);
    curs_set(0);
    leaveok(stdscr, TRUE);
    terminal->keys = newpad(1, 1);
    keypad(terminal->keys, TRUE);
    nodelay(terminal->keys, TRUE);
    prepare_styles(terminal, looks, mono || !strcmp(theme, "mono"));
    *result = terminal;
    return 0;
}

void terminal_close(struct terminal *terminal)
{
    terminal_use_mouse(terminal, false);
    endwin();
    flush_output(terminal);
    set_modes(false);
    crash.active = 0;
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        signal(crash_signals[i], SIG_DFL);
    delwin(terminal->keys);
    delscreen(terminal->screen);
    fclose(terminal->output);
    free(terminal);
}

void terminal_size(const struct terminal *terminal, int *width, int *height)
{
    *width = terminal->width;
    *height = terminal->height;
}

void terminal_show(struct terminal *terminal, const struct canvas *canvas)
{
    for (int y = 0; y < canvas->height && y < terminal->height; y++)
        for (int x = 0; x < canvas->width && x < terminal->width; x++) {
            const struct cell *cell = &canvas->cells[y * canvas->width + x];
            wchar_t glyph[2] = {(wchar_t)canvas_shown(canvas, cell), 0};
            cchar_t character;
            if (!glyph[0])
                continue; /* the wide one before has this column */
            setcchar(&character, glyph, terminal->attributes[cell->style], terminal->pairs[cell->style], NULL);
            mvadd_wch(y, x, &character);
        }
    wnoutrefresh(stdscr);
    doupdate();
    flush_output(terminal);
}

void terminal_redraw(struct terminal *terminal)
{
    clearok(stdscr, TRUE);
}

static int read_mouse(struct terminal *terminal)
{
    MEVENT event;
    if (getmouse(&event) != OK)
        return -1;
    terminal->mouse = (struct mouse){.x = event.x, .y = event.y, .drag = (event.bstate & REPORT_MOUSE_POSITION) != 0};
    if (event.bstate & BUTTON4_PRESSED)
        terminal->mouse.wheel = -1;
    else if (event.bstate & BUTTON5_PRESSED)
        terminal->mouse.wheel = 1;
    else if (!(event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED)) && !terminal->mouse.drag)
        return -1;
    return KEY_CODE_MOUSE;
}

int terminal_key(struct terminal *terminal)
{
    static const struct { wint_t theirs; int ours; } codes[] = {
        {KEY_UP, KEY_CODE_UP}, {KEY_DOWN, KEY_CODE_DOWN}, {KEY_LEFT, KEY_CODE_LEFT}, {KEY_RIGHT, KEY_CODE_RIGHT},
        {KEY_PPAGE, KEY_CODE_PAGE_UP}, {KEY_NPAGE, KEY_CODE_PAGE_DOWN}, {KEY_HOME, KEY_CODE_HOME}, {KEY_END, KEY_CODE_END},
        {KEY_ENTER, KEY_CODE_ENTER}, {KEY_BTAB, KEY_CODE_BACK_TAB}, {KEY_BACKSPACE, KEY_CODE_BACKSPACE},
        {KEY_DC, KEY_CODE_DELETE}, {KEY_F(1), KEY_CODE_F1}, {KEY_F(10), KEY_CODE_F10},
        {KEY_SLEFT, KEY_CODE_SHIFT_LEFT}, {KEY_SRIGHT, KEY_CODE_SHIFT_RIGHT},
    };
    wint_t key;
    for (;;) {
        int kind = wget_wch(terminal->keys, &key);
        if (kind == ERR)
            return -1;
        if (kind == KEY_CODE_YES) {
            int mouse = key == KEY_MOUSE ? read_mouse(terminal) : -1;
            if (mouse >= 0)
                return mouse;
            for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
                if (codes[i].theirs == key)
                    return codes[i].ours;
            continue; /* a key that means nothing here */
        }
        switch (key) {
        case '\r':
        case '\n':
            return KEY_CODE_ENTER;
        case '\t':
            return KEY_CODE_TAB;
        case 27:
            return KEY_CODE_ESCAPE;
        case 8:
        case 127:
            return KEY_CODE_BACKSPACE;
        default:
            return (int)key;
        }
    }
}

struct mouse terminal_mouse(const struct terminal *terminal)
{
    return terminal->mouse;
}

void terminal_use_mouse(struct terminal *terminal, bool use)
{
    mousemask(use ? BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED | REPORT_MOUSE_POSITION : 0, NULL);
    mouseinterval(0);
    flush_output(terminal);
}

int terminal_descriptor(const struct terminal *terminal)
{
    return STDIN_FILENO;
}

void terminal_resized(struct terminal *terminal)
{
    read_size(terminal);
    resize_term(terminal->height, terminal->width); /* resizeterm() would also make a key of it */
}

void terminal_suspend(struct terminal *terminal)
{
    endwin();
    flush_output(terminal);
    set_modes(false);
    crash.active = 0;
    kill(0, SIGSTOP);
    crash.active = 1;
    set_modes(true);
    terminal_resized(terminal);
    clearok(stdscr, TRUE);
}
