/*
 * farm_status.c - what `espalier farm status` prints: a table of the searches and their workers by host, then what is
 * missing and what to do, one line for each thing.  Slurm is asked for jobs that it holds, where it is installed.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/farm.h"
#include "cli/commands/farm_server_internal.h"
#include "util/bug.h"
#include "util/print.h"

enum { CONNECTIONS_SPARE = 10, HOSTS_MANY = 16 };

static long long number(const json_t *object, const char *name)
{
    return (long long)json_number_value(json_object_get(object, name));
}

static const char *word(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static bool is(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

/* --- the table --- */

static const char *state_of(const json_t *search)
{
    return is(search, "ended")      ? "ended"
           : !is(search, "running") ? "not running"
           : is(search, "paused")   ? "paused"
                                    : "running";
}

static const char *plural(long long count)
{
    return count == 1 ? "" : "s";
}

static void print_names(const json_t *names)
{
    const json_t *name;
    size_t i;
    json_array_foreach(names, i, name) print_to(stdout, "%s%s", i ? ", " : "  ", json_string_value(name));
    print_to(stdout, "\n");
}

/* One line of the table: a host, or several that are alike. */
struct line {
    const char *first, *last;
    long long hosts, workers, lanes, training, silent, lost;
    double speed;
    const json_t *names;
};

static void print_line(const struct line *line)
{
    struct text name = TEXT_EMPTY;
    char speed[TEXT_SHORT];
    text_add(&name, line->hosts > 1 ? "%s..%s (%lld)" : "%s", line->first, line->last, line->hosts);
    print_to(stdout, "  %-20s %7lld %7lld %9lld %9s", text_string(&name), line->workers, line->lanes, line->training,
             text_count(speed, line->speed));
    if (line->silent)
        print_to(stdout, "  %lld silent", line->silent);
    if (line->lost)
        print_to(stdout, "  %lld lost", line->lost);
    print_names(line->names);
    text_done(&name);
}

/* Of many hosts those are folded that follow each other, have the same devices, and of which nothing is to be said. */
static bool is_folded(const struct line *line, const json_t *host)
{
    return line->hosts && !line->silent && !line->lost && !number(host, "silent") && !number(host, "lanes_lost") &&
           json_equal(line->names, json_object_get(host, "lanes_on"));
}

static void add_host(struct line *line, const json_t *host)
{
    if (!line->hosts++) {
        line->first = word(host, "host");
        line->names = json_object_get(host, "lanes_on");
    }
    line->last = word(host, "host");
    line->workers += number(host, "workers");
    line->lanes += number(host, "lanes");
    line->training += number(host, "training");
    line->silent += number(host, "silent");
    line->lost += number(host, "lanes_lost");
    line->speed += json_number_value(json_object_get(host, "images_per_second"));
}

static bool is_shown(const json_t *host)
{
    return number(host, "workers") || number(host, "silent");
}

static void print_hosts(const json_t *hosts)
{
    const json_t *host;
    struct line line = {0};
    size_t i, shown = 0;
    json_array_foreach(hosts, i, host) shown += is_shown(host);
    if (shown)
        print_to(stdout, "  %-20s %7s %7s %9s %9s  %s\n", "host", "workers", "lanes", "training", "images/s", "on");
    json_array_foreach(hosts, i, host)
    {
        if (!is_shown(host))
            continue;
        if (line.hosts && (shown <= HOSTS_MANY || !is_folded(&line, host))) {
            print_line(&line);
            line = (struct line){0};
        }
        add_host(&line, host);
    }
    if (line.hosts)
        print_line(&line);
}

static void print_search(const json_t *search)
{
    char speed[TEXT_SHORT], hourly[TEXT_SHORT];
    double an_hour = json_number_value(json_object_get(search, "results_an_hour"));
    text_count(speed, json_number_value(json_object_get(search, "images_per_second")));
    print_to(stdout, "\n%s: %s, process %lld on %s, %s, %lld result%s", word(search, "session"), state_of(search),
             number(search, "process"), word(search, "host"), word(search, "data"), number(search, "results"),
             plural(number(search, "results")));
    if (an_hour > 0 && is(search, "running"))
        print_to(stdout, ", %s an hour", text_count(hourly, an_hour));
    print_to(stdout, "\n");
    if (is(search, "ended"))
        return;
    print_to(stdout, "  %lld lane%s, %lld training, %lld offered, %lld reported, %s images/s\n",
             number(search, "lanes"), plural(number(search, "lanes")), number(search, "training"),
             number(search, "offered"), number(search, "reported"), speed);
    print_hosts(json_object_get(search, "hosts"));
}

/* --- what is missing --- */

/* The workers of which nothing is heard, of all hosts. */
static void advise_silent(const char *session, const json_t *hosts)
{
    const json_t *host;
    const char *first = NULL;
    long long count = 0, others = -1;
    size_t i;
    json_array_foreach(hosts, i, host) if (number(host, "silent"))
    {
        first = first ? first : word(host, "host");
        count += number(host, "silent");
        others++;
    }
    if (!first)
        return;
    print_to(stdout, "%s: %lld worker%s on %s", session, count, plural(count), first);
    if (others)
        print_to(stdout, " and %lld other host%s", others, plural(others));
    print_to(stdout, ": silent: killed, or cut off. What they trained goes to others\n");
}

static void advise_search(const char *word_of_search, const char *word_of_worker, const json_t *search)
{
    const json_t *hosts = json_object_get(search, "hosts"), *host, *reason;
    const char *session = word(search, "session");
    size_t i, j;
    if (is(search, "ended"))
        return;
    if (!is(search, "running"))
        print_to(stdout, "%s: nobody runs it; on %s: espalier resume %s --farm %s\n", session, word(search, "host"),
                 session, word_of_search);
    else if (!number(search, "lanes"))
        print_to(stdout, "%s: no worker trains for it; start some: espalier worker %s\n", session, word_of_worker);
    advise_silent(session, hosts);
    json_array_foreach(hosts, i, host) json_array_foreach(json_object_get(host, "refused"), j, reason) print_to(
        stdout, "%s: a worker on %s can't train for it: %s\n", session, word(host, "host"), json_string_value(reason));
}

/* Jobs of this user that wait in Slurm: their number, name and reason.  Without Slurm timeout(1) fails. */
static void advise_slurm(void)
{
    static const char *const squeue[] = {"/usr/bin/timeout", "5", "squeue", "--me", "-h", "-t", "PD", "-o",
                                         "job %i (%j): %r",  NULL};
    struct text printed = TEXT_EMPTY;
    if (!farm_run_program(squeue, -1, &printed, NULL))
        for (const char *line = text_string(&printed); *line; line += strcspn(line, "\n"), line += *line == '\n')
            print_to(stdout, "Slurm holds %.*s\n", (int)strcspn(line, "\n"), line);
    text_done(&printed);
}

void farm_print_status(const char *place, const json_t *status)
{
    const json_t *searches = json_object_get(status, "searches"), *search;
    char bytes[TEXT_SHORT], *farm = farm_search_word(place), *worker = farm_worker_word(place);
    size_t i;
    print_to(stdout, "PostgreSQL %s, %s, %lld of %lld connections\n", word(status, "postgresql"),
             text_bytes(bytes, (double)number(status, "bytes")), number(status, "connections"),
             number(status, "connections_max"));
    json_array_foreach(searches, i, search) print_search(search);
    print_to(stdout, "\n");
    if (!json_array_size(searches))
        print_to(stdout, "no search is here; begin one: espalier run --farm %s\n", farm);
    json_array_foreach(searches, i, search) advise_search(farm, worker, search);
    free(farm);
    free(worker);
    if (number(status, "connections") + CONNECTIONS_SPARE > number(status, "connections_max"))
        print_to(stdout,
                 "the server has hardly a connection left; raise its max_connections, or put pgbouncer before it\n");
    advise_slurm();
}
