/* keys.c - `espalier keys`: prints the keys of the screens. */
#include "cli/cli.h"

#include "cli/screens.h"
#include "tui/keys.h"
#include "util/print.h"

static int run(const struct cli_arguments *arguments)
{
    struct text text = TEXT_EMPTY;
    int status = cli_value(arguments, "default") ? 0 : screens_read_keys();
    if (!status) {
        keys_print(&text);
        print_document(stdout, text_string(&text));
    }
    text_done(&text);
    return status;
}

static const struct cli_option options_of_keys[] = {
    {"default", NULL, "the program's own keys, without those of the file", NULL},
    {0},
};

const struct cli_command command_keys = {
    .name = "keys",
    .synopsis = "",
    .summary = "print the keys of the screens, as the file that changes them",
    .details = "The file is $XDG_CONFIG_HOME/espalier/keys, or ~/.config/espalier/keys: lines `request = key key...`. "
               "`espalier keys >~/.config/espalier/keys` makes one to start from.",
    .options = options_of_keys,
    .run = run,
};
