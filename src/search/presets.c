/*
 * presets.c - reads options from an ini file: a person's own, or a preset that comes with the program.
 *
 * A name with a slash, or one that ends in ".ini", is a path.  Any other name is the preset NAME.ini in
 * $ESPALIER_PRESETS, in the installed data folder, or in the source tree that this program was built from.
 */
#include "search/options.h"

#include <glob.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

enum { PRESET_BYTES_MAX = 1 << 16 };

struct ini_reader {
    struct search_options *options;
    struct error error; /* the first */
    bool failed;
};

static int handle(void *context, const char *section, const char *name, const char *value)
{
    struct ini_reader *reader = context;
    if (reader->failed)
        return 0;
    if (*section && strcmp(section, "search"))
        error_set(&reader->error, "[%s]: the only section is [search]", section);
    else if (!options_set(reader->options, name, value, &reader->error))
        return 1;
    reader->failed = true;
    return 0;
}

/* Refuse a line that is longer than inih's buffer: it would be read as two. */
static int check_lines(const char *text, struct error *error)
{
    int line = 1;
    for (const char *start = text; *start; line++) {
        size_t length = strcspn(start, "\n");
        if (length > (size_t)ini_max_line - 3)
            return error_set(error, "line %d: is longer than %d bytes", line, ini_max_line - 3);
        start += length + (start[length] == '\n');
    }
    return 0;
}

/* Remove indentation: inih reads an indented line as a continuation of the one before. */
static void unindent(char *text)
{
    char *to = text;
    bool begins = true;
    for (const char *from = text; *from; from++) {
        if (begins && (*from == ' ' || *from == '\t'))
            continue;
        begins = *from == '\n';
        *to++ = *from;
    }
    *to = '\0';
}

static int read_file(struct search_options *options, const char *path, struct error *error)
{
    void *bytes;
    size_t length;
    if (file_read(path, PRESET_BYTES_MAX, &bytes, &length, error))
        return -1;
    char *text = memory_resize(bytes, length + 1, 1);
    text[length] = '\0';

    struct search_options changed = *options;
    struct ini_reader reader = {.options = &changed};
    int status = check_lines(text, &reader.error);
    unindent(text);
    if (!status) {
        int line = ini_parse_string(text, handle, &reader);
        if (line && !reader.failed)
            error_set(&reader.error, "must be `name = value`");
        if (line)
            status = error_prefix(&reader.error, "line %d", line);
    }
    free(text);
    if (status) {
        if (error)
            *error = reader.error;
        return error_prefix(error, "%s", path);
    }
    *options = changed;
    return 0;
}

static char *preset_path(const char *folder, const char *name)
{
    struct text file = TEXT_EMPTY;
    text_add(&file, "%s.ini", name);
    char *path = file_join(folder, text_string(&file));
    text_done(&file);
    return path;
}

/* Add the names of a folder's presets. */
static void add_names(const char *folder, struct text *names)
{
    char *pattern = file_join(folder, "*.ini");
    glob_t found;
    if (!glob(pattern, 0, NULL, &found)) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            const char *name = strrchr(found.gl_pathv[i], '/') + 1;
            text_add(names, "%s%.*s", names->length ? ", " : "", (int)(strlen(name) - 4), name);
        }
        globfree(&found);
    }
    free(pattern);
}

int options_read(struct search_options *options, const char *preset, struct error *error)
{
    size_t length = strlen(preset);
    if (strchr(preset, '/') || (length > 4 && !strcmp(preset + length - 4, ".ini")))
        return read_file(options, preset, error);

    const char *folders[] = {getenv("ESPALIER_PRESETS"), ESPALIER_DATA "/presets", ESPALIER_SOURCE "/presets"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (!folders[i] || !*folders[i])
            continue;
        char *path = preset_path(folders[i], preset);
        if (file_exists(path)) {
            int status = read_file(options, path, error);
            free(path);
            return status;
        }
        free(path);
    }
    struct text names = TEXT_EMPTY;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (folders[i] && *folders[i] && (i < 2 || !names.length)) /* the source tree's are those of the program */
            add_names(folders[i], &names);
    error_set(error, "--preset %s: there is no such preset; there are %s; a file needs a path, as ./%s.ini", preset,
              names.length ? text_string(&names) : "none", preset);
    text_done(&names);
    return -1;
}
