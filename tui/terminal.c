/*
 * terminal.c - the only file that calls curses.
 *
 * curses writes into a memory file instead of the terminal. After each frame tty.c sends its bytes to the terminal in
 * one write, bracketed as a synchronised update. So the terminal's modes are set by tty.c and not by curses, which has
 * no terminal at its output; and the signal handlers that curses installs are removed again.
 */
#include "tui/terminal.h"

#include <curses.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

#include "tui/request.h"
#include "tui/theme.h"
#include "tui/tty.h"
#include "util/clock.h"
#include "util/memory.h"

struct terminal {
    SCREEN *screen;
    WINDOW *keys; /* a pad that is never shown: reading keys from stdscr would refresh it */
    FILE *output; /* the memory file */
    int width, height;
    attr_t attributes[STYLE_COUNT];
    short pairs[STYLE_COUNT];
    struct mouse mouse;
    bool colours;
    bool reports;   /* the mouse is in use */
    bool modes_due; /* set_modes() is due with the next frame */
    bool pasted;    /* keys belong to pasted text */
    double escaped; /* monotonic time of the last Escape that came alone; 0: other keys came since */
    bool late;      /* the rest of an escape sequence is being dropped */
};

/* How long curses waits for the rest of an escape sequence, in milliseconds; how long a rest that comes later is still
   known as one, in seconds.  Nobody types Escape and a bracket so fast. */
enum { ESCAPE_WAIT = 50 };
static const double late_seconds = 0.5;

enum { PASTE_BEGINS = 0x7001, PASTE_ENDS }; /* codes that curses doesn't use */

/* Send what curses has written since the last call. */
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
        tty_send(bytes, sizeof begin - 1 + (size_t)got + sizeof end - 1);
    }
    free(bytes);
    if (lseek(descriptor, 0, SEEK_SET) == 0 && ftruncate(descriptor, 0))
        return; /* if it can't be truncated, the next frame overwrites it */
}

static void read_size(struct terminal *terminal)
{
    if (!tty_size(&terminal->width, &terminal->height)) {
        terminal->width = COLS > 0 ? COLS : 80;
        terminal->height = LINES > 0 ? LINES : 24;
    }
}

static void prepare_styles(struct terminal *terminal, const struct theme_style *styles, bool mono)
{
    static const struct {
        unsigned ours;
        attr_t theirs;
    } bits[] = {{THEME_BOLD, A_BOLD}, {THEME_DIM, A_DIM}, {THEME_REVERSE, A_REVERSE}, {THEME_UNDERLINE, A_UNDERLINE}};
    bool colours = !mono && has_colors() && start_color() == OK;
    terminal->colours = colours;
    if (colours)
        use_default_colors();
    for (int style = 0; style < STYLE_COUNT; style++) {
        unsigned wanted = colours ? styles[style].attributes : styles[style].plain;
        short colour = COLORS >= 256 ? styles[style].colour_256 : styles[style].colour_8;
        for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
            if (wanted & bits[i].ours)
                terminal->attributes[style] |= bits[i].theirs;
        if (colours && colour >= 0 && init_pair((short)(style + 1), colour, -1) == OK)
            terminal->pairs[style] = (short)(style + 1);
    }
}

static struct text capability_bytes; /* for add_byte(): tputs() passes no context */

static int add_byte(int byte)
{
    text_add_bytes(&capability_bytes, &(char){(char)byte}, 1);
    return byte;
}

/* Modes that curses doesn't know: reports of the mouse while a button is held, and marks around pasted text. They are
   written after what curses has written, because its own mouse mode would replace this one. */
static void set_modes(struct terminal *terminal, bool on)
{
    const char *mouse = tigetstr("kmous");
    if (terminal->reports && mouse && mouse != (char *)-1)
        fputs(on ? "\033[?1002h" : "\033[?1002l", terminal->output);
    fputs(on ? "\033[?2004h" : "\033[?2004l", terminal->output);
}

static void leave_screen(struct terminal *terminal)
{
    set_modes(terminal, false);
    endwin();
    flush_output(terminal);
}

/* The bytes for a crash: leave the alternate screen, show the cursor, reset attributes and modes. */
static void open_tty(void)
{
    static const char *const names[] = {"rmkx", "sgr0", "cnorm", "rmcup"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *bytes = tigetstr((char *)names[i]);
        if (bytes && bytes != (char *)-1)
            tputs(bytes, 1, add_byte); /* which leaves out padding like "$<2>" */
    }
    const char *mouse = tigetstr("kmous");
    if (mouse && mouse != (char *)-1)
        text_add(&capability_bytes, "\033[?1000l\033[?1002l\033[?1006l");
    text_add(&capability_bytes, "\033[?2004l");
    tty_open(text_string(&capability_bytes), capability_bytes.length);
    text_done(&capability_bytes);
}

/* Terminals that speak as an xterm or as screen do, whose own entry many terminfo databases lack. */
static const char *relative_of(const char *name)
{
    static const struct {
        const char *begins, *like;
    } families[] = {{"xterm", "xterm-256color"},   {"kitty", "xterm-256color"},   {"ghostty", "xterm-256color"},
                    {"alacritty", "xterm-256color"}, {"foot", "xterm-256color"},  {"wezterm", "xterm-256color"},
                    {"konsole", "xterm-256color"}, {"vte", "xterm-256color"},     {"gnome", "xterm-256color"},
                    {"iterm", "xterm-256color"},   {"contour", "xterm-256color"}, {"rio", "xterm-256color"},
                    {"st-", "xterm-256color"},     {"rxvt", "xterm-256color"},    {"tmux", "screen-256color"},
                    {"screen", "screen-256color"}};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strncmp(name, families[i].begins, strlen(families[i].begins)))
            return families[i].like;
    return NULL;
}

/* Load the terminal's entry, or that of a relative; its name, or NULL.  del_curterm() it. */
static const char *load_entry(const char *name)
{
    int found;
    const char *relative = name && *name ? relative_of(name) : NULL;
    if (!name || !*name)
        return NULL;
    if (setupterm(name, STDOUT_FILENO, &found) == OK)
        return name;
    return relative && setupterm(relative, STDOUT_FILENO, &found) == OK ? relative : NULL;
}

/* The name to give to curses. */
static const char *entry_name(void)
{
    const char *name = load_entry(getenv("TERM"));
    if (name)
        del_curterm(cur_term);
    return name;
}

/* newterm() without the signal handlers that it installs: app.c reads signals. */
static SCREEN *new_screen(FILE *output)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
    struct sigaction actions[sizeof numbers / sizeof *numbers];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], NULL, &actions[i]);
    SCREEN *screen = newterm(entry_name(), output, stdin);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &actions[i], NULL);
    return screen;
}

int terminal_check(const char *theme, struct error *error)
{
    if (!theme_find(theme))
        return error_set(error, "theme %s: unknown; there are " THEME_NAMES, theme);
    const char *name = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return error_set(error, "standard input and output must be a terminal; use --headless without one");
    if (!load_entry(name))
        return error_set(error, "TERM=%s: unknown terminal; set TERM (xterm, screen, linux), or use --headless",
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
    if (terminal_check(theme, error))
        return -1;
    int memory = memfd_create("espalier-frame", MFD_CLOEXEC);
    FILE *output = memory < 0 ? NULL : fdopen(memory, "w+");
    if (!output)
        return error_set(error, "the terminal: no memory file for frames: %s", strerror(errno));
    struct terminal *terminal = memory_new(1, sizeof *terminal);
    terminal->output = output;
    set_escdelay(ESCAPE_WAIT);
    terminal->screen = new_screen(output);
    if (!terminal->screen) {
        fclose(output);
        free(terminal);
        return error_set(error, "TERM=%s: curses can't use this terminal; use --headless", getenv("TERM"));
    }
    open_tty();
    tty_take();
    read_size(terminal);
    resize_term(terminal->height, terminal->width);
    curs_set(0);
    leaveok(stdscr, TRUE);
    terminal->keys = newpad(1, 1);
    keypad(terminal->keys, TRUE);
    define_key("\033[200~", PASTE_BEGINS);
    define_key("\033[201~", PASTE_ENDS);
    terminal->modes_due = true;
    nodelay(terminal->keys, TRUE);
    prepare_styles(terminal, theme_find(theme), mono || !strcmp(theme, "mono"));
    *result = terminal;
    return 0;
}

void terminal_close(struct terminal *terminal)
{
    terminal_use_mouse(terminal, false);
    leave_screen(terminal);
    tty_close();
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

/* A cell of a picture as a half block in two colours. False: the terminal hasn't these colours. */
static bool show_pixels(int y, int x, const struct cell *cell)
{
    cchar_t character;
    int pair = COLORS >= 256 ? alloc_pair(cell->upper, cell->lower) : -1;
    if (pair < 0 || setcchar(&character, L"▀", A_NORMAL, (short)pair, &pair) != OK)
        return false;
    mvadd_wch(y, x, &character);
    return true;
}

void terminal_show(struct terminal *terminal, const struct canvas *canvas)
{
    for (int y = 0; y < canvas->height && y < terminal->height; y++)
        for (int x = 0; x < canvas->width && x < terminal->width; x++) {
            const struct cell *cell = &canvas->cells[y * canvas->width + x];
            wchar_t glyph[2] = {(wchar_t)canvas_shown(canvas, cell), 0};
            cchar_t character;
            if (!glyph[0])
                continue; /* the right half of a wide character */
            if (cell->upper && canvas->unicode && terminal->colours && show_pixels(y, x, cell))
                continue;
            setcchar(&character, glyph, terminal->attributes[cell->style], terminal->pairs[cell->style], NULL);
            mvadd_wch(y, x, &character);
        }
    wnoutrefresh(stdscr);
    doupdate();
    if (terminal->modes_due)
        set_modes(terminal, true);
    terminal->modes_due = false;
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

/* Is this character of the rest of an escape sequence whose beginning was taken for the key Escape?  A slow line tears
   them apart: "[A" would then be two keys. */
static bool is_late(struct terminal *terminal, wint_t key)
{
    bool soon = terminal->escaped > 0 && clock_monotonic() - terminal->escaped < late_seconds;
    if (!terminal->late) {
        terminal->escaped = soon ? terminal->escaped : 0;
        terminal->late = soon && (key == '[' || key == 'O');
        return terminal->late;
    }
    terminal->late = soon && (key < '@' || key > '~'); /* its last character */
    if (!terminal->late)
        terminal->escaped = 0;
    return soon;
}

int terminal_key(struct terminal *terminal)
{
    static const struct {
        wint_t theirs;
        int ours;
    } codes[] = {
        {KEY_UP, KEY_CODE_UP},
        {KEY_DOWN, KEY_CODE_DOWN},
        {KEY_LEFT, KEY_CODE_LEFT},
        {KEY_RIGHT, KEY_CODE_RIGHT},
        {KEY_PPAGE, KEY_CODE_PAGE_UP},
        {KEY_NPAGE, KEY_CODE_PAGE_DOWN},
        {KEY_HOME, KEY_CODE_HOME},
        {KEY_END, KEY_CODE_END},
        {KEY_ENTER, KEY_CODE_ENTER},
        {KEY_BTAB, KEY_CODE_BACK_TAB},
        {KEY_BACKSPACE, KEY_CODE_BACKSPACE},
        {KEY_DC, KEY_CODE_DELETE},
        {KEY_SLEFT, KEY_CODE_SHIFT_LEFT},
        {KEY_SRIGHT, KEY_CODE_SHIFT_RIGHT},
    };
    wint_t key;
    for (;;) {
        int kind = wget_wch(terminal->keys, &key);
        if (kind == ERR)
            return -1;
        if (kind == KEY_CODE_YES) {
            if (key == PASTE_BEGINS || key == PASTE_ENDS)
                terminal->pasted = key == PASTE_BEGINS;
            int mouse = key == KEY_MOUSE ? read_mouse(terminal) : -1;
            if (mouse >= 0)
                return mouse;
            if (key >= KEY_F(1) && key <= KEY_F(10))
                return KEY_CODE_F1 + (int)(key - KEY_F(1));
            for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
                if (codes[i].theirs == key)
                    return codes[i].ours;
            continue; /* a key without a meaning here */
        }
        if (terminal->pasted)
            return key < ' ' || key == 127 ? ' ' : (int)key;
        if (is_late(terminal, key))
            continue;
        terminal->escaped = key == 27 ? clock_monotonic() : 0;
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

bool terminal_pasted(const struct terminal *terminal)
{
    return terminal->pasted;
}

struct mouse terminal_mouse(const struct terminal *terminal)
{
    return terminal->mouse;
}

void terminal_use_mouse(struct terminal *terminal, bool use)
{
    if (terminal->reports && !use)
        set_modes(terminal, false);
    mousemask(use ? BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED | REPORT_MOUSE_POSITION : 0,
              NULL);
    mouseinterval(0);
    terminal->reports = use;
    terminal->modes_due = true;
    flush_output(terminal);
}

void terminal_emit(struct terminal *terminal, const char *bytes, size_t length)
{
    fwrite(bytes, 1, length, terminal->output);
    flush_output(terminal);
}

bool terminal_has_colours(const struct terminal *terminal)
{
    return terminal->colours;
}

int terminal_input(const struct terminal *terminal)
{
    return STDIN_FILENO;
}

void terminal_resized(struct terminal *terminal)
{
    read_size(terminal);
    resize_term(terminal->height, terminal->width); /* resizeterm() would also send KEY_RESIZE */
    clearok(stdscr, TRUE);                          /* a terminal that shrinks may have moved its text */
}

void terminal_suspend(struct terminal *terminal, bool group)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    leave_screen(terminal);
    tty_give_back();
    kill(group ? 0 : getpid(), SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL); /* the process stops here, unless no shell controls it */
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    terminal_resume(terminal);
}

void terminal_resume(struct terminal *terminal)
{
    tty_take();
    terminal_resized(terminal);
    terminal->modes_due = true;
}

bool terminal_is_behind(const struct terminal *terminal)
{
    return tty_is_behind();
}

void terminal_flush(struct terminal *terminal)
{
    tty_flush();
}

int terminal_output(const struct terminal *terminal)
{
    return tty_descriptor();
}
