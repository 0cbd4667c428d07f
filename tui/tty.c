/*
 * tty.c - the terminal's modes by termios, and non-blocking output.
 *
 * The terminal is opened a second time for writing, so that it can be non-blocking without changing standard output,
 * which other programs share. Where that is not allowed (another user's terminal, after su) standard output is used and
 * may block.
 *
 * After a crash (SIGSEGV, SIGABRT, …) the signal handler restores the terminal with bytes and modes prepared before,
 * and the process dies of the same signal. The handler has a stack of its own, since the thread's may have overflowed.
 */
#include "tui/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/text.h"

static const double patience = 1;

static struct {
    int descriptor;
    struct termios modes;
    volatile sig_atomic_t raw;
    char restore[256];
    size_t restore_length;
    struct text pending; /* bytes that the terminal has not taken yet */
} tty = {.descriptor = STDOUT_FILENO};

static char crash_stack[1 << 16];
static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};

static void on_crash(int number)
{
    if (tty.raw) {
        tty.raw = 0;
        ssize_t written = write(tty.descriptor, tty.restore, tty.restore_length);
        (void)written; /* nothing can be done about a failure */
        tcsetattr(STDIN_FILENO, TCSANOW, &tty.modes);
    }
    signal(number, SIG_DFL);
    raise(number);
}

void tty_open(const char *restore, size_t length)
{
    int own = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    tty.descriptor = own >= 0 ? own : STDOUT_FILENO;
    tty.restore_length = length < sizeof tty.restore ? length : sizeof tty.restore;
    memcpy(tty.restore, restore, tty.restore_length);
    tcgetattr(STDIN_FILENO, &tty.modes);
    sigaltstack(&(stack_t){.ss_sp = crash_stack, .ss_size = sizeof crash_stack}, NULL);
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        sigaction(crash_signals[i], &action, NULL);
}

void tty_close(void)
{
    tty_give_back();
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        signal(crash_signals[i], SIG_DFL);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    if (tty.descriptor != STDOUT_FILENO)
        close(tty.descriptor);
    tty.descriptor = STDOUT_FILENO;
    text_done(&tty.pending);
}

/* Raw: keys come one by one, are not echoed and raise no signals. */
static void set_raw(bool raw)
{
    struct termios modes = tty.modes;
    if (raw) {
        modes.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
        modes.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
        modes.c_cc[VMIN] = 1;
        modes.c_cc[VTIME] = 0;
    }
    tty.raw = raw;
    tcsetattr(STDIN_FILENO, TCSANOW, &modes);
}

void tty_take(void)
{
    set_raw(true);
}

void tty_give_back(void)
{
    double until = clock_monotonic() + patience, left;
    struct pollfd wait = {.fd = tty.descriptor, .events = POLLOUT};
    while (tty_is_behind() && (left = until - clock_monotonic()) > 0) {
        poll(&wait, 1, (int)(left * 1000) + 1);
        tty_flush();
    }
    set_raw(false);
}

bool tty_size(int *width, int *height)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
        return false;
    *width = size.ws_col;
    *height = size.ws_row;
    return true;
}

/* --- output --- */

/* How many bytes the terminal takes now.  When it is gone, all of them: SIGHUP ends the program. */
static size_t take(const char *bytes, size_t length)
{
    size_t taken = 0;
    while (taken < length) {
        ssize_t written = write(tty.descriptor, bytes + taken, length - taken);
        if (written > 0)
            taken += (size_t)written;
        else if (written == 0 || errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return length;
    }
    return taken;
}

void tty_send(const char *bytes, size_t length)
{
    size_t taken = tty_is_behind() ? 0 : take(bytes, length);
    if (taken < length)
        text_add_bytes(&tty.pending, bytes + taken, length - taken);
}

bool tty_is_behind(void)
{
    return tty.pending.length > 0;
}

void tty_flush(void)
{
    if (!tty_is_behind())
        return;
    size_t taken = take(tty.pending.bytes, tty.pending.length);
    tty.pending.length -= taken;
    memmove(tty.pending.bytes, tty.pending.bytes + taken, tty.pending.length + 1);
}

int tty_descriptor(void)
{
    return tty.descriptor;
}
