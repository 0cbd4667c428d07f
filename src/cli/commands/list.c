/* list.c - `espalier list`: the sessions of this folder and of the state folder, the last written first. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "sessions/log.h"
#include "sessions/summary.h"
#include "tui/node.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

/* --- lines --- */

/* The name of a folder may be anything. */
static const char *plain(char *text)
{
    for (char *c = text; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 127 ? '?' : *c;
    return text;
}

static void print_curve(const struct session_summary *row, bool unicode)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char plain_blocks[] = "_.--=+*#";
    int count = row->curve_count;
    double span = count ? row->curve[count - 1] - row->curve[0] : 0;
    for (int i = 0; i < SUMMARY_CURVE; i++) {
        int level = i >= count ? -1 : span > 0 ? (int)lround((row->curve[i] - row->curve[0]) / span * 7) : 7;
        if (level < 0)
            print_to(stdout, " ");
        else if (unicode)
            print_to(stdout, "%s", blocks[level]);
        else
            print_to(stdout, "%c", plain_blocks[level]);
    }
}

static void print_row(const struct session_summary *row, int width, bool unicode)
{
    char age[TEXT_SHORT], bytes[TEXT_SHORT], parameters[TEXT_SHORT] = "", accuracy[TEXT_SHORT] = "", data[64] = "";
    if (row->data) /* without the folder of the images */
        snprintf(data, sizeof data, "%.*s", (int)strcspn(row->data, ":"), row->data);
    if (row->best) {
        snprintf(accuracy, sizeof accuracy, "%.2f %%", 100 * row->accuracy);
        text_count(parameters, (double)row->parameters);
    }
    print_to(stdout, "%-*s  %-8s  %-14.14s %8s %6s %5lld  ", width, row->name, session_summary_word(row->status),
             plain(data), accuracy, parameters, (long long)row->networks);
    print_curve(row, unicode);
    print_to(stdout, "  %7s %9s", node_age(age, difftime(time(NULL), row->written)), text_bytes(bytes, row->bytes));
    if (row->process)
        print_to(stdout, "  process %ld on %s%s%s", row->process, row->host, *row->user ? " by " : "", row->user);
    print_to(stdout, "\n");
}

static void print_rows(struct session_summary *rows, size_t count)
{
    int width = (int)strlen("session");
    bool unicode = cli_is_unicode();
    for (size_t i = 0; i < count; i++)
        width = canvas_columns(plain(rows[i].name)) > width ? canvas_columns(rows[i].name) : width;
    if (!count) {
        print_to(stdout, "no session is here or in the state folder; `espalier run --networks 5` makes one\n");
        return;
    }
    print_to(stdout, "%-*s  %-8s  %-14s %8s %6s %5s  %-8s  %7s %9s\n", width, "session", "state", "data", "best",
             "params", "nets", "curve", "written", "disk");
    for (size_t i = 0; i < count; i++)
        print_row(&rows[i], width, unicode);
}

/* --- JSON --- */

static json_t *text_of(const char *text)
{
    json_t *value = text ? json_string(text) : NULL; /* NULL of what is not UTF-8 */
    return value ? value : json_null();
}

static void add_state(json_t *object, const struct session_summary *row)
{
    json_t *curve = json_array();
    for (int i = 0; i < row->curve_count; i++)
        json_array_append_new(curve, json_real(row->curve[i]));
    json_object_set_new(object, "data", text_of(row->data));
    json_object_set_new(object, "best", row->best ? json_integer(row->best) : json_null());
    json_object_set_new(object, "accuracy", row->best ? json_real(row->accuracy) : json_null());
    json_object_set_new(object, "parameters", row->best ? json_integer(row->parameters) : json_null());
    json_object_set_new(object, "networks", json_integer(row->networks));
    json_object_set_new(object, "seconds", json_real(row->seconds));
    json_object_set_new(object, "created", json_real(row->created));
    json_object_set_new(object, "curve", curve);
}

static json_t *object_of(const struct session_summary *row)
{
    json_t *object = json_object();
    json_object_set_new(object, "session", text_of(row->name));
    json_object_set_new(object, "folder", text_of(row->folder));
    json_object_set_new(object, "state", json_string(session_summary_word(row->status)));
    json_object_set_new(object, "error", row->readable ? json_null() : text_of(row->error.text));
    json_object_set_new(object, "process", row->process ? json_integer(row->process) : json_null());
    json_object_set_new(object, "host", row->process ? text_of(row->host) : json_null());
    json_object_set_new(object, "user", row->process && *row->user ? text_of(row->user) : json_null());
    json_object_set_new(object, "written", json_integer((json_int_t)row->written));
    json_object_set_new(object, "bytes", json_integer((json_int_t)row->bytes));
    if (row->readable)
        add_state(object, row);
    return object;
}

static void print_json(const struct session_summary *rows, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, object_of(&rows[i]));
    char *text = json_dumps(list, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    ASSERT(text);
    print_document(stdout, text);
    print_to(stdout, "\n");
    free(text);
    json_decref(list);
}

/* --- the subcommand --- */

static int last_written_first(const void *left, const void *right)
{
    const struct session_summary *a = left, *b = right;
    if (a->written != b->written)
        return a->written < b->written ? 1 : -1;
    return strcmp(a->folder, b->folder);
}

static int run(const struct cli_arguments *arguments)
{
    size_t count;
    char **folders = session_list(&count);
    struct session_summary *rows = memory_new(count + 1, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        session_summary_read(&rows[i], folders[i]);
    qsort(rows, count, sizeof *rows, last_written_first);
    if (cli_value(arguments, "json"))
        print_json(rows, count);
    else
        print_rows(rows, count);
    for (size_t i = 0; i < count; i++)
        session_summary_done(&rows[i]);
    free(rows);
    free(folders);
    return 0;
}

static const struct cli_option options_of_list[] = {
    {"json", NULL, "one JSON array, an object for each session", NULL},
    {0},
};

const struct cli_command command_list = {
    .name = "list",
    .synopsis = "",
    .summary = "list the sessions of this folder and of the state folder",
    .details =
        "The last written first: state, data, best accuracy and its parameters, networks, the best so far as a curve, "
        "age and disk use, and the process that runs it. Sessions that were begun elsewhere are found by the links in "
        "the state folder.",
    .options = options_of_list,
    .run = run,
};
