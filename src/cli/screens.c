/* screens.c - see screens.h. */
#include "cli/screens.h"

#include <stdlib.h>
#include <string.h>

#include "cli/judge.h"
#include "cli/report.h"
#include "sessions/log.h"
#include "sessions/summary.h"
#include "tui/history.h"
#include "tui/keys.h"
#include "tui/theme.h"
#include "util/bug.h"
#include "util/file.h"

/* Has the terminal's font braille and eighths of a block?  The console's and those of old terminals have not. */
static bool has_blocks(void)
{
    static const char *const plain[] = {"linux", "vt", "ansi", "cons", "console", "sun"};
    const char *name = getenv("TERM");
    for (size_t i = 0; name && i < COUNT_OF(plain); i++)
        if (!strncmp(name, plain[i], strlen(plain[i])) && strncmp(name, "vte", 3))
            return false;
    return true;
}

bool screens_wanted(const struct cli_arguments *arguments)
{
    static const char *const other[] = {"headless", "json", "detach", "dry-run", "cast", "png"};
    for (size_t i = 0; i < COUNT_OF(other); i++)
        if (cli_value(arguments, other[i]))
            return false;
    return cli_is_terminal(stdin) && cli_is_terminal(stdout);
}

int screens_read_keys(void)
{
    struct error error;
    if (!keys_read(&error))
        return 0;
    cli_fail(&error);
    return 2;
}

int screens_prepare(const struct cli_arguments *arguments)
{
    const char *theme = cli_value(arguments, "theme");
    struct error error;
    if (theme && !theme_find(theme))
        return cli_usage(arguments, "--theme %s: must be one of " THEME_NAMES, theme);
    if (!screens_wanted(arguments))
        return 0;
    if (tui_check(theme, &error))
        return cli_fail(&error);
    int status = screens_read_keys();
    if (!status)
        tui_block_signals();
    return status;
}

struct tui_options screens_options(const char *theme)
{
    const char *colourless = getenv("NO_COLOR");
    return (struct tui_options){
        .ascii = !cli_is_unicode() || !has_blocks(), .mono = colourless && *colourless, .theme = theme};
}

/* What a person typed and chose stays for the next time. */
static void open_history(void)
{
    char *folder = session_state_folder();
    char *path = folder && !file_make_folder(folder, NULL) ? file_join(folder, "history") : NULL;
    history_open(path);
    free(path);
    free(folder);
}

static const struct mistakes *mistakes_of(void *judge, const struct session_state *state, int64_t node)
{
    return judge_ask(judge, state, node);
}

int screens_run(struct tui_source *source, const struct cli_arguments *arguments, const char *folder,
                enum tui_outcome *outcome, struct error *error)
{
    struct tui_options options = screens_options(cli_value(arguments, "theme"));
    char *name = session_short_name(folder);
    struct judge *judge = judge_new(folder);
    source->session_name = name;
    source->judge = judge;
    source->mistakes = mistakes_of;
    open_history();
    int status = tui_run(source, &options, outcome, error);
    history_clear();
    judge_free(judge);
    free(name);
    return status;
}
