/* emulator.c - the control sequences of xterm for title and clipboard, as other terminals have taken them over. */
#include "tui/emulator.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/print.h"

/* Others, the console first, show such sequences as text. */
static bool is_known(void)
{
    static const char *const names[] = {"xterm",   "tmux",      "screen", "rxvt",    "vte",  "gnome",
                                        "konsole", "alacritty", "kitty",  "ghostty", "foot", "wezterm",
                                        "contour", "iterm",     "st-",    "rio"};
    const char *name = getenv("TERM");
    for (size_t i = 0; name && i < COUNT_OF(names); i++)
        if (!strncmp(name, names[i], strlen(names[i])))
            return true;
    return false;
}

void emulator_keep_title(struct text *bytes)
{
    if (is_known())
        text_add(bytes, "\033[22;2t");
}

void emulator_restore_title(struct text *bytes)
{
    if (is_known())
        text_add(bytes, "\033[23;2t");
}

void emulator_title(const char *title, struct text *bytes)
{
    if (!is_known())
        return;
    text_add(bytes, "\033]2;");
    print_add(bytes, title);
    text_add(bytes, "\a");
}

static void add_base64(const char *text, struct text *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += 3) {
        uint32_t word = 0;
        char out[5] = "====";
        for (size_t j = 0; j < 3; j++)
            word = word << 8 | (i + j < length ? (unsigned char)text[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            if (j <= length - i)
                out[j] = digits[word >> (18 - 6 * j) & 63];
        text_add(bytes, "%s", out);
    }
}

void emulator_copy(const char *text, struct text *bytes)
{
    const char *name = getenv("TERM"), *tmux = getenv("TMUX");
    if (!is_known())
        return;
    text_add(bytes, "\033]52;c;"); /* tmux takes it itself with `set-clipboard on` */
    add_base64(text, bytes);
    text_add(bytes, "\a");
    bool wrapped = (tmux && *tmux) || (name && !strncmp(name, "screen", 6));
    if (!wrapped)
        return;
    /* tmux passes it on with `allow-passthrough on`; an escape inside is written twice there. */
    text_add(bytes, "%s", tmux && *tmux ? "\033Ptmux;\033\033]52;c;" : "\033P\033]52;c;");
    add_base64(text, bytes);
    text_add(bytes, "\a\033\\");
}

void emulator_bell(struct text *bytes)
{
    text_add(bytes, "\a");
}
