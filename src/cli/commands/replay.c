/* replay.c - `espalier replay`: plays a recorded session on the screens, or into a file. */
#include "sessions/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/fork.h"
#include "cli/screens.h"
#include "sessions/summary.h"
#include "tui/record.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/print.h"

/* The screens that a file may have. */
enum { NARROWEST = 20, WIDEST = 500, LOWEST = 5, HIGHEST = 200 };

static bool is_recorded(const struct cli_arguments *arguments)
{
    return cli_value(arguments, "cast") || cli_value(arguments, "png");
}

/* Options that are for files, or for the other kind of file.  0, or 2 after a message. */
static int check_options(const struct cli_arguments *arguments)
{
    static const char *const of_files[] = {"size", "pane"}, *const of_play[] = {"speed", "compress"};
    const char *png = cli_value(arguments, "png");
    if (cli_value(arguments, "cast") && png)
        return cli_usage(arguments, "--cast and --png: name one of them");
    for (size_t i = 0; i < COUNT_OF(of_files); i++)
        if (cli_value(arguments, of_files[i]) && !is_recorded(arguments))
            return cli_usage(arguments, "--%s needs --cast or --png", of_files[i]);
    for (size_t i = 0; i < COUNT_OF(of_play); i++)
        if (cli_value(arguments, of_play[i]) && png)
            return cli_usage(arguments, "--%s: a picture does not play; --at says which moment it shows", of_play[i]);
    if (cli_value(arguments, "font") && !png)
        return cli_usage(arguments, "--font needs --png");
    return 0;
}

/* --size, --pane, --font and --theme.  0, or 2 after a message. */
static int record_options_set(const struct cli_arguments *arguments, struct record_options *options)
{
    const char *size = cli_value(arguments, "size");
    int64_t pane = 0;
    char rest;
    *options = (struct record_options){.width = 120, .height = 40, .font = cli_value(arguments, "font")};
    options->look.theme = cli_value(arguments, "theme");
    if (size &&
        (sscanf(size, "%4dx%4d%c", &options->width, &options->height, &rest) != 2 || options->width < NARROWEST ||
         options->width > WIDEST || options->height < LOWEST || options->height > HIGHEST))
        return cli_usage(arguments, "--size %s: must be columns and rows as 120x40, from %dx%d to %dx%d", size,
                         NARROWEST, LOWEST, WIDEST, HIGHEST);
    if (cli_integer(arguments, "pane", 0, 1, PANE_COUNT, &pane))
        return 2;
    options->pane = (int)pane - 1;
    return 0;
}

/* Is it such a file, which may be replaced, or empty? */
static bool is_recording(const char *path)
{
    static const char *const begins[] = {"{\"version\"", "\211PNG\r\n\032\n"};
    char bytes[16] = "";
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(bytes, 1, sizeof bytes - 1, file) : 1;
    if (file)
        fclose(file);
    bool known = !length;
    for (size_t i = 0; i < COUNT_OF(begins); i++)
        known |= !strncmp(bytes, begins[i], strlen(begins[i]));
    return known;
}

/* The session in whose folder the file lies, or would lie, at any depth; the caller's to free().  NULL: in none. */
static char *session_around(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct text folder = TEXT_EMPTY;
    text_add(&folder, "%.*s.", slash ? (int)(slash + 1 - path) : 0, path);
    char *real = realpath(path, NULL), *end;
    bool exists = real != NULL;
    if (!exists)
        real = realpath(text_string(&folder), NULL);
    text_done(&folder);
    if (exists && (end = strrchr(real, '/')))
        *end = '\0';
    while (real && *real) {
        char *log = file_join(real, "events.log");
        bool found = file_exists(log);
        free(log);
        if (found)
            return real;
        if ((end = strrchr(real, '/')))
            *end = '\0';
    }
    free(real);
    return NULL;
}

/* May the recording be written there?  Asked before the work is done. */
static int check_target(const char *path, struct error *error)
{
    struct stat status;
    if (file_may_write(path, error))
        return -1;
    char *session = session_around(path);
    if (session)
        error_set(error, "%s: lies in the session %s, which has no files but its own; name a file elsewhere", path,
                  session);
    else if (!stat(path, &status) && S_ISREG(status.st_mode) && !is_recording(path))
        error_set(error, "%s: is there, and is neither an asciicast nor a PNG; remove it, or name another file", path);
    else
        return 0;
    free(session);
    return -1;
}

static int record(const struct cli_arguments *arguments, struct tui_source *source, const char *folder)
{
    const char *cast = cli_value(arguments, "cast"), *png = cli_value(arguments, "png");
    struct error error = {{0}};
    struct record_options options;
    char *name = session_short_name(folder), length[TEXT_SHORT];
    double seconds;
    int status = record_options_set(arguments, &options);
    source->session_name = name;
    bool failed =
        !status &&
        (check_target(png ? png : cast, &error) ||
         (png ? record_png(source, &options, png, &error) : record_cast(source, &options, cast, &seconds, &error)));
    if (failed)
        status = cli_fail(&error);
    else if (!status && cast)
        print_to(stdout, "%s: %s at %dx%d\n", cast, text_duration(length, seconds), options.width, options.height);
    free(name);
    return status;
}

static int play(const struct cli_arguments *arguments, struct replay *replay, const char *folder)
{
    struct error error = {{0}};
    enum tui_outcome outcome;
    int64_t fork = 0;
    struct tui_source source = {.mode = MODE_REPLAY, .replay = replay, .fork = &fork};
    const char *from = cli_value(arguments, "at");
    if (!from && cli_value(arguments, "png"))
        from = "100%";
    if (cli_real(arguments, "speed", 8, 0.25, 1000, &source.speed))
        return 2;
    if (cli_real(arguments, "compress", 0, 0, 1e6, &source.compress))
        return 2;
    if (from && text_to_place(from, replay_time(replay, replay_count(replay)), &source.from))
        return cli_usage(arguments, "--at %s: must be a share (50%%) or a time (90, 1h02m)", from);
    if (is_recorded(arguments))
        return record(arguments, &source, folder);
    if (screens_run(&source, arguments, folder, &outcome, &error))
        return cli_fail(&error);
    if (outcome == TUI_FORK_MOMENT || outcome == TUI_FORK_NETWORK)
        return fork_search(arguments, folder, outcome, fork);
    return outcome > TUI_SIGNAL ? (int)outcome : 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}}, warning = {{0}};
    struct replay *replay = NULL;
    char *folder = NULL;
    int status = check_options(arguments);
    if (!status)
        status = screens_prepare(arguments);
    if (!status && is_recorded(arguments))
        status = screens_read_keys();
    if (status)
        return status;
    if (!is_recorded(arguments) && !screens_wanted(arguments)) {
        error_set(&error,
                  "replay needs a terminal with a cursor (TERM) as standard input and output; "
                  "`espalier show %s` prints a session, and --cast or --png FILE records its screens",
                  arguments->words[0]);
        return cli_fail(&error);
    }
    if (session_find(arguments->words[0], &folder, &error) || replay_open(folder, &replay, &warning, &error)) {
        status = cli_fail(&error);
    } else {
        cli_warn(&warning);
        status = play(arguments, replay, folder);
    }
    if (replay)
        replay_free(replay);
    free(folder);
    return status;
}

static const struct cli_option options_of_replay[] = {
    {"speed", "X", "0.25 to 1000 times as fast as it was", "8"},
    {"at", "PLACE", "begin at this place: 50% or 1h02m", "0"},
    {"compress", "SECONDS", "shorten longer waits to this time", "0: none"},
    {.name = "theme"},
    {"cast", "FILE", "write the replay as an asciicast, which `asciinema play FILE` shows", NULL},
    {"png", "FILE", "draw one screen as a picture, of the end or of --at", NULL},
    {"size", "WxH", "the columns and rows of the file's screens", "120x40"},
    {"pane", "N", "show one pane alone in the file, by its number key", "all"},
    {"font", "FILE", "the monospaced font of the picture", "DejaVu Sans Mono"},
    {0},
};

const struct cli_command command_replay = {
    .name = "replay",
    .synopsis = "SESSION",
    .summary = "play a recorded session on the screens",
    .details =
        "Space plays and stops, < and > change the speed, . and , go by events, ] and [ to the next and the previous "
        "new best. F begins a new search from that moment, or with the selected network. With --cast or --png nothing "
        "is shown, and no terminal is needed. The session is only read.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_replay,
    .run = run,
};
