/* progress_bar.c - a carriage return lets the line be drawn over itself. */
#include "cli/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "util/print.h"
#include "util/round.h"
#include "util/text.h"

enum { CELLS = 20 };

static size_t terminal_columns(FILE *out)
{
    struct winsize size = {0};
    ioctl(fileno(out), TIOCGWINSZ, &size);
    return size.ws_col ? size.ws_col : 80;
}

/* The bytes of `string` that take at most `columns` columns, one for each UTF-8 character. */
static int cut(const char *string, size_t columns)
{
    size_t used = 0;
    int bytes = 0;
    while (string[bytes] && (used < columns || ((unsigned char)string[bytes] & 0xc0) == 0x80))
        used += ((unsigned char)string[bytes++] & 0xc0) != 0x80;
    return bytes;
}

void progress_bar_draw(FILE *out, double share, bool unicode, const char *text)
{
    struct text line = TEXT_EMPTY;
    int full = round_within(share * CELLS, 0, CELLS);
    for (int i = 0; i < CELLS; i++)
        text_add(&line, "%s", unicode ? (i < full ? "█" : "░") : (i < full ? "#" : "."));
    text_add(&line, " %s", text);
    print_to(out, "\r%.*s\033[K", cut(text_string(&line), terminal_columns(out) - 1), text_string(&line));
    fflush(out);
    text_done(&line);
}

void progress_bar_clear(FILE *out)
{
    print_to(out, "\r\033[K");
}
