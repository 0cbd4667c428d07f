/*
 * list.c - `espalier list`: the sessions of this folder and of the state folder, the last written first.
 *
 * What a session holds comes from the fold of its log; whether a process runs it from the text in its lock, which a
 * process that was killed leaves behind, and from that process.
 */
#include <ftw.h>
#include <jansson.h>
#include <math.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "sessions/log.h"
#include "sessions/session_file.h"
#include "tui/node.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/print.h"

enum { CURVE = 8 };

struct row {
    char *folder, *name;
    struct session_state *state; /* NULL: it can't be read, and `error` says why */
    struct error error;
    const char *word; /* running, died, finished, stopped, failed, damaged */
    long process;     /* that runs it; 0: none does */
    char host[256], user[64];
    time_t written;
    double bytes;
};

/* --- what is known of a session --- */

static double counted_bytes; /* nftw() passes no context */

static int count_file(const char *path, const struct stat *status, int type, struct FTW *where)
{
    counted_bytes += type == FTW_F ? (double)status->st_blocks * 512 : 0;
    return 0;
}

static double bytes_of(const char *folder)
{
    enum { DESCRIPTORS = 8 };
    counted_bytes = 0;
    nftw(folder, count_file, DESCRIPTORS, FTW_PHYS);
    return counted_bytes;
}

/* Is it a process of this program?  Whoever reads this may not signal it. */
static bool is_alive(struct row *row)
{
    char path[64], host[256] = "", name[16] = "";
    struct stat status;
    gethostname(host, sizeof host - 1);
    if (strcmp(host, row->host))
        return true; /* another machine's, which shares the folder: believe the lock */
    snprintf(path, sizeof path, "/proc/%ld/comm", row->process);
    FILE *file = fopen(path, "r");
    bool named = file && fscanf(file, "%15s", name) == 1 && strstr(name, "espalier");
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%ld", row->process);
    if (!named || stat(path, &status))
        return false;
    const struct passwd *user = getpwuid(status.st_uid);
    if (user)
        snprintf(row->user, sizeof row->user, "%s", user->pw_name);
    return true;
}

/* Who has the session, as its lock says. */
static void read_lock(struct row *row)
{
    enum { LOCK_MAX = 512 };
    void *bytes;
    size_t length;
    char *path = file_join(row->folder, "lock");
    if (!session_file_read(path, IN_SESSION, LOCK_MAX, &bytes, &length, NULL)) {
        if (sscanf(bytes, "%ld %255s", &row->process, row->host) != 2 || !is_alive(row))
            row->process = 0;
        free(bytes);
    }
    free(path);
}

static const char *word_of(const struct row *row)
{
    if (!row->state)
        return "damaged";
    if (row->process)
        return row->state->paused ? "paused" : "running";
    if (!row->state->finished)
        return "died";
    return row->state->finish_reason.value == FINISH_ERROR         ? "failed"
           : row->state->finish_reason.value == FINISH_INTERRUPTED ? "stopped"
                                                                   : "finished";
}

static void read_row(struct row *row, char *folder)
{
    struct error warning;
    struct stat status;
    char *log = file_join(folder, "events.log");
    *row = (struct row){.folder = folder, .name = report_short_name(folder), .error = {{0}}};
    row->written = stat(log, &status) ? 0 : status.st_mtime;
    row->bytes = bytes_of(folder);
    if (session_load(folder, &row->state, &warning, &row->error))
        row->state = NULL;
    read_lock(row);
    row->word = word_of(row);
    free(log);
}

/* The best accuracy so far at `CURVE` places of the search; the number of places. */
static int curve_of(const struct session_state *state, double curve[CURVE])
{
    double *best = memory_new((size_t)state->node_count + 1, sizeof *best);
    int count = 0, places;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status != NODE_DONE)
            continue;
        best[count] = count ? fmax(best[count - 1], node->accuracy) : node->accuracy;
        count++;
    }
    places = count < CURVE ? count : CURVE;
    for (int i = 0; i < places; i++)
        curve[i] = best[places > 1 ? i * (count - 1) / (places - 1) : 0];
    free(best);
    return places;
}

/* --- lines --- */

/* The name of a folder may be anything. */
static const char *plain(char *text)
{
    for (char *c = text; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 127 ? '?' : *c;
    return text;
}

static void print_curve(const struct session_state *state, bool unicode)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char plain_blocks[] = "_.--=+*#";
    double curve[CURVE];
    int count = curve_of(state, curve);
    for (int i = 0; i < CURVE; i++) {
        double span = count ? curve[count - 1] - curve[0] : 0;
        int level = i >= count ? -1 : span > 0 ? (int)lround((curve[i] - curve[0]) / span * 7) : 7;
        if (level < 0)
            print_to(stdout, " ");
        else if (unicode)
            print_to(stdout, "%s", blocks[level]);
        else
            print_to(stdout, "%c", plain_blocks[level]);
    }
}

static void print_row(const struct row *row, int width, bool unicode)
{
    char age[TEXT_SHORT], bytes[TEXT_SHORT], parameters[TEXT_SHORT] = "", accuracy[TEXT_SHORT] = "", data[64] = "";
    const struct session_node *best = row->state ? session_node(row->state, row->state->best) : NULL;
    long long networks = row->state ? (long long)row->state->status_count[NODE_DONE] : 0;
    if (row->state) /* without the folder of the images */
        snprintf(data, sizeof data, "%.*s", (int)strcspn(row->state->facts.data ? row->state->facts.data : "", ":"),
                 row->state->facts.data ? row->state->facts.data : "");
    if (best) {
        snprintf(accuracy, sizeof accuracy, "%.2f %%", 100 * best->accuracy);
        text_count(parameters, (double)best->facts.parameters);
    }
    print_to(stdout, "%-*s  %-8s  %-14.14s %8s %6s %5lld  ", width, row->name, row->word, plain(data), accuracy,
             parameters, networks);
    if (row->state)
        print_curve(row->state, unicode);
    else
        print_to(stdout, "%*s", CURVE, "");
    print_to(stdout, "  %7s %9s", node_age(age, difftime(time(NULL), row->written)), text_bytes(bytes, row->bytes));
    if (row->process)
        print_to(stdout, "  process %ld on %s%s%s", row->process, row->host, *row->user ? " by " : "", row->user);
    print_to(stdout, "\n");
}

static void print_rows(struct row *rows, size_t count)
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

static void add_state(json_t *object, const struct session_state *state)
{
    const struct session_node *best = session_node(state, state->best);
    json_t *curve = json_array();
    double values[CURVE];
    int count = curve_of(state, values);
    for (int i = 0; i < count; i++)
        json_array_append_new(curve, json_real(values[i]));
    json_object_set_new(object, "data", text_of(state->facts.data));
    json_object_set_new(object, "best", best ? json_integer(state->best) : json_null());
    json_object_set_new(object, "accuracy", best ? json_real(best->accuracy) : json_null());
    json_object_set_new(object, "parameters", best ? json_integer(best->facts.parameters) : json_null());
    json_object_set_new(object, "networks", json_integer(state->status_count[NODE_DONE]));
    json_object_set_new(object, "seconds", json_real(session_active_seconds(state, state->time)));
    json_object_set_new(object, "created", json_real(state->facts.created));
    json_object_set_new(object, "curve", curve);
}

static json_t *object_of(const struct row *row)
{
    json_t *object = json_object();
    json_object_set_new(object, "session", text_of(row->name));
    json_object_set_new(object, "folder", text_of(row->folder));
    json_object_set_new(object, "state", json_string(row->word));
    json_object_set_new(object, "error", row->state ? json_null() : text_of(row->error.text));
    json_object_set_new(object, "process", row->process ? json_integer(row->process) : json_null());
    json_object_set_new(object, "host", row->process ? text_of(row->host) : json_null());
    json_object_set_new(object, "user", row->process && *row->user ? text_of(row->user) : json_null());
    json_object_set_new(object, "written", json_integer((json_int_t)row->written));
    json_object_set_new(object, "bytes", json_integer((json_int_t)row->bytes));
    if (row->state)
        add_state(object, row->state);
    return object;
}

static void print_json(const struct row *rows, size_t count)
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
    const struct row *a = left, *b = right;
    if (a->written != b->written)
        return a->written < b->written ? 1 : -1;
    return strcmp(a->folder, b->folder);
}

static int run(const struct cli_arguments *arguments)
{
    size_t count;
    char **folders = session_list(&count);
    struct row *rows = memory_new(count + 1, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        read_row(&rows[i], folders[i]);
    qsort(rows, count, sizeof *rows, last_written_first);
    if (cli_value(arguments, "json"))
        print_json(rows, count);
    else
        print_rows(rows, count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].state)
            session_state_free(rows[i].state);
        free(rows[i].folder);
        free(rows[i].name);
    }
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
