/*
 * export_curves.c - `espalier export --curves csv|tensorboard`: all curves of a session, for other programs.
 *
 *     csv          one table
 *     tensorboard  a folder, with a folder for each network: TensorBoard then shows each as a run
 *
 * The time of an epoch is that of its event: seconds of the search, which the event OPENED before it ties to a date.
 */
#include "cli/commands/export_curves.h"

#include <stdlib.h>
#include <string.h>

#include "export/csv.h"
#include "export/tensorboard.h"
#include "sessions/log.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/print.h"

/* When each epoch of a network ended, in seconds since 1970. */
struct epoch_times {
    double *times;
    size_t count, capacity;
};

struct curves {
    struct session_state *state;
    struct epoch_times *nodes; /* of node i + 1 */
    size_t node_count, node_capacity;
    double opened; /* date of event time 0, by the last OPENED event */
};

static void keep_time(struct curves *curves, const struct event *event)
{
    if (event->kind == EVENT_OPENED)
        curves->opened = event->as.opened.date - event->time;
    while ((int64_t)curves->node_count < curves->state->node_count) {
        curves->nodes = memory_grow(curves->nodes, curves->node_count, &curves->node_capacity, sizeof *curves->nodes);
        curves->nodes[curves->node_count++] = (struct epoch_times){0};
    }
    if (event->kind != EVENT_EPOCH)
        return;
    struct epoch_times *node = &curves->nodes[event->as.epoch.node - 1];
    size_t place = (size_t)event->as.epoch.epoch - 1;
    while (node->count <= place) {
        node->times = memory_grow(node->times, node->count, &node->capacity, sizeof *node->times);
        node->times[node->count++] = 0;
    }
    node->times[place] = curves->opened + event->time;
}

static int read_session(struct curves *curves, const char *folder, struct error *error)
{
    struct log_reader *reader;
    struct event event;
    int found;
    if (log_read(folder, &reader, error))
        return -1;
    while ((found = log_next(reader, &event, error)) == LOG_EVENT) {
        int refused = session_apply(curves->state, &event, error);
        if (!refused)
            keep_time(curves, &event);
        event_done(&event);
        if (refused) {
            found = -1;
            break;
        }
    }
    log_reader_free(reader);
    return found < 0 ? -1 : 0;
}

static int write_csv(const struct curves *curves, const char *out, struct error *error)
{
    struct text text = TEXT_EMPTY;
    export_csv_curves(curves->state, &text);
    int failed = file_write(out, text.bytes, text.length, error);
    text_done(&text);
    return failed;
}

static int write_network(const struct curves *curves, int64_t number, const char *out, struct error *error)
{
    const struct session_node *node = session_node(curves->state, number);
    struct text path = TEXT_EMPTY, bytes = TEXT_EMPTY;
    text_add(&path, "%s/n%lld", out, (long long)number);
    int failed = file_make_folder(text_string(&path), error);
    text_add(&path, "/events.out.tfevents.%.0f.espalier", curves->nodes[number - 1].times[0]);
    export_tensorboard(node, curves->nodes[number - 1].times, &bytes);
    failed = failed || file_write(text_string(&path), bytes.bytes, bytes.length, error);
    text_done(&path);
    text_done(&bytes);
    return failed ? -1 : 0;
}

static int write_tensorboard(const struct curves *curves, const char *out, struct error *error)
{
    if (file_make_folder(out, error))
        return -1;
    for (int64_t number = 1; number <= curves->state->node_count; number++)
        if (session_node(curves->state, number)->curve_count && write_network(curves, number, out, error))
            return -1;
    return 0;
}

/* SESSION-curves.csv or SESSION-curves, in the current folder. */
static char *choose_out(const struct cli_arguments *arguments, const char *folder, bool table)
{
    const char *out = cli_value(arguments, "out"), *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
    const char *end = strstr(name, ".esp");
    struct text text = TEXT_EMPTY;
    if (out)
        text_add(&text, "%s", out);
    else
        text_add(&text, "%.*s-curves%s", (int)(end ? (size_t)(end - name) : strlen(name)), name, table ? ".csv" : "");
    return text_take(&text);
}

static int write_curves(const struct cli_arguments *arguments, struct curves *curves, bool table, struct error *error)
{
    char *folder = NULL, *out = NULL;
    int64_t epochs = 0, networks = 0;
    int failed = session_find(arguments->words[0], &folder, error) || read_session(curves, folder, error);
    out = failed ? NULL : choose_out(arguments, folder, table);
    if (!failed && file_exists(out))
        failed = error_set(error, "%s: exists already; name another by --out", out);
    failed = failed || (table ? write_csv : write_tensorboard)(curves, out, error);
    for (int64_t i = 0; !failed && i < curves->state->node_count; i++) {
        epochs += curves->state->nodes[i]->curve_count;
        networks += curves->state->nodes[i]->curve_count > 0;
    }
    if (!failed)
        print_to(stdout, "%s: %lld epochs of %lld networks\n", out, (long long)epochs, (long long)networks);
    free(folder);
    free(out);
    return failed ? -1 : 0;
}

int export_curves(const struct cli_arguments *arguments)
{
    static const char *const others[] = {"format", "opset", "data"};
    const char *kind = cli_value(arguments, "curves");
    bool table = !strcmp(kind, "csv");
    if (!table && strcmp(kind, "tensorboard") != 0)
        return cli_usage(arguments, "--curves %s: must be csv or tensorboard", kind);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (cli_value(arguments, others[i]))
            return cli_usage(arguments, "--%s is for a network, not for --curves", others[i]);
    struct curves curves = {.state = session_state_new()};
    struct error error = {{0}};
    int failed = write_curves(arguments, &curves, table, &error);
    for (size_t i = 0; i < curves.node_count; i++)
        free(curves.nodes[i].times);
    free(curves.nodes);
    session_state_free(curves.state);
    return failed ? cli_fail(&error) : 0;
}
