/*
 * latency.c - the cost of the terminal: the time from a key to its frame while a search trains on all cores; processor
 * time and bytes of a paused replay, of a playing one, and of a search's screen.
 *
 *   bench/latency [PROGRAM]     ./espalier; needs Fashion-MNIST
 *
 * Times run from the key's byte into a pseudo-terminal to the last byte of the frame that shows it, with the work of
 * libvterm. Processor time is that of the terminal's thread.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/pty_terminal.h"
#include "tests/session_folder.h"
#include "util/clock.h"

enum { KEYS = 500 };
static const double watch_seconds = 10;

static char *program, *folder;

static struct pty_terminal *start(const char *const *arguments)
{
    struct pty_setup setup = {.width = 120, .height = 40, .terminal = "screen-256color", .folder = folder};
    struct pty_terminal *terminal = pty_start(&setup, arguments);
    if (!terminal || !pty_wait_text(terminal, 1, "★")) { /* a network is trained */
        fprintf(stderr, "latency: the program draws no screen\n");
        exit(1);
    }
    return terminal;
}

/* --- keys --- */

struct key_pair {
    const char *what, *on, *off; /* what the keys do and undo */
    int row;
    const char *shown; /* there after `on`, not there after `off` */
};

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure_keys(struct pty_terminal *terminal, const struct key_pair *pair)
{
    double times[KEYS];
    for (int i = 0; i < KEYS; i++) {
        bool on = i % 2 == 0;
        pty_wait_quiet(terminal, 0.003 * (i % 7)); /* not in step with the frames */
        double start_time = clock_monotonic();
        pty_send(terminal, on ? pair->on : pair->off);
        bool seen =
            on ? pty_wait_text(terminal, pair->row, pair->shown) : pty_wait_no_text(terminal, pair->row, pair->shown);
        times[i] = 1000 * (clock_monotonic() - start_time);
        if (!seen) {
            fprintf(stderr, "latency: %s: key %d has no answer\n", pair->what, i);
            exit(1);
        }
        pty_forget(terminal);
    }
    qsort(times, KEYS, sizeof *times, by_size);
    printf("| %-44s | %6.2f | %6.2f | %6.2f |\n", pair->what, times[KEYS / 2], times[KEYS * 99 / 100], times[KEYS - 1]);
}

/* --- cost --- */

/* Seconds that the program's first thread was on a processor. */
static double processor_seconds(const struct pty_terminal *terminal)
{
    char path[64];
    unsigned long long nanoseconds = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pty_process(terminal), (int)pty_process(terminal));
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%llu", &nanoseconds) != 1)
        fprintf(stderr, "latency: %s can't be read\n", path);
    if (file)
        fclose(file);
    return 1e-9 * (double)nanoseconds;
}

static int count_frames(struct pty_terminal *terminal)
{
    static const char end[] = "\033[?2026l";
    size_t length;
    int frames = 0;
    const char *bytes = pty_bytes(terminal, &length), *last = bytes + length;
    while ((bytes = memmem(bytes, (size_t)(last - bytes), end, sizeof end - 1))) {
        bytes += sizeof end - 1;
        frames++;
    }
    return frames;
}

static void measure_cost(struct pty_terminal *terminal, const char *what)
{
    pty_wait_quiet(terminal, 0.05);
    pty_forget(terminal);
    double before = processor_seconds(terminal), start_time = clock_monotonic();
    size_t bytes = pty_watch(terminal, watch_seconds);
    double seconds = clock_monotonic() - start_time, used = processor_seconds(terminal) - before;
    printf("| %-44s | %6.2f | %6.1f | %8.0f |\n", what, 100 * used / seconds, count_frames(terminal) / seconds,
           (double)bytes / seconds);
}

/* --- the whole --- */

static void measure_search(void)
{
    static const struct key_pair pairs[] = {
        {"a letter typed, and erased", "a", "\x7f", 39, "/a"},
        {"a pane on the whole screen, and back", "z", "z", 2, "3 Curves"},
    };
    struct pty_terminal *terminal = start((const char *[]){
        program, "run", "--out", "search", "--data", "fashion-mnist", "--networks", "0", "--seed", "1", "--epochs", "2",
        "--start-epochs", "2", "--train-subset", "5000", "--validation", "1000", NULL});
    printf("Key to screen at 120x40 in ms, %d keys each, a search on all cores\n\n", KEYS);
    printf("| %-44s | median |    p99 |    max |\n|---|---|---|---|\n", "");
    pty_send(terminal, "/");
    measure_keys(terminal, &pairs[0]);
    pty_send(terminal, "\033");
    pty_wait_quiet(terminal, 0.05);
    pty_send(terminal, "3");
    measure_keys(terminal, &pairs[1]);
    printf("\nCost of the screens' thread over %.0f s\n\n", watch_seconds);
    printf("| %-44s |  CPU %% | frames/s | bytes/s |\n|---|---|---|---|\n", "");
    measure_cost(terminal, "a search on all cores");
    pty_send(terminal, "qs");
    int status;
    pty_wait_exit(terminal, &status);
    pty_free(terminal);
}

static void measure_replay(void)
{
    struct pty_terminal *terminal = start((const char *[]){program, "replay", "search", "--speed", "2", NULL});
    measure_cost(terminal, "a replay that plays");
    pty_send(terminal, " ");
    pty_wait_quiet(terminal, 0.2);
    measure_cost(terminal, "a replay that stands");
    pty_send(terminal, "q");
    int status;
    pty_wait_exit(terminal, &status);
    pty_free(terminal);
}

int main(int count, char **arguments)
{
    program = realpath(count > 1 ? arguments[1] : "espalier", NULL);
    if (!program) {
        fprintf(stderr, "latency: %s: no such program\n", count > 1 ? arguments[1] : "espalier");
        return 1;
    }
    folder = folder_new();
    measure_search();
    measure_replay();
    folder_remove(folder);
    free(folder);
    free(program);
    return 0;
}
