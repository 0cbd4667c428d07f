/*
 * session.c - the cost of a big session: opening, drawing and seeking in a million events of 20,000 networks.
 *
 *   bench/session [NETWORKS [frames]]     frames: without opening and seeking
 *
 * The session is synthetic (tests/session_generator.h), in a temporary folder.  Each part runs in a process of its own, to
 * measure its peak memory.  Times are CPU time of the process, so that other work on the machine matters little.  The file
 * has just been written and is in the page cache.
 */
#include "config.h"

#include <locale.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sessions/frame.h"
#include "sessions/replay.h"
#include "tests/session_folder.h"
#include "tui/browser.h"
#include "tui/filter.h"
#include "tui/replay_bar.h"
#include "tui/view.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/random.h"

enum { SEEKS = 100, FRAMES = 51 };

static char *folder;
static int networks = 20000;

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void check(int result, const struct error *error)
{
    if (result >= 0)
        return;
    fprintf(stderr, "session: %s\n", error->text);
    exit(1);
}

static void row(const char *what, const char *format, double value)
{
    char text[40];
    snprintf(text, sizeof text, format, value);
    printf("| %-46s | %14s |\n", what, text);
}

static void row_memory(const char *what)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    row(what, "%.0f MB peak", (double)usage.ru_maxrss * 1024e-6);
}

/* --- the session --- */

static void write_event(void *context, const struct event *event)
{
    unsigned char header[FRAME_HEADER];
    void *payload;
    size_t length;
    event_encode(event, &payload, &length);
    frame_write_header(header, payload, length);
    fwrite(header, sizeof header, 1, context);
    fwrite(payload, length, 1, context);
    free(payload);
}

/* 50 events a network: a search of 6 epochs a network, 5 steps shown of each, on 8 devices. */
static void make_session(void)
{
    struct session_recipe recipe = {.seed = 1,
                                    .networks = networks,
                                    .episode_networks = 10,
                                    .epochs = 6,
                                    .steps = 5,
                                    .devices = 8,
                                    .person = 0.002,
                                    .failures = 0.02,
                                    .crashes = 0.0001,
                                    .sample_seconds = 1,
                                    .finished = true};
    char *path = file_join(folder, LOG_FILE);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(LOG_MAGIC "\1", LOG_HEADER, 1, file) != 1) {
        perror(path);
        exit(1);
    }
    struct session_expectation made = session_generate(&recipe, write_event, file);
    row("events", "%.0f", (double)made.events);
    row("- of them durable", "%.0f", (double)made.durable_events);
    row("networks", "%.0f", (double)made.nodes);
    row("file", "%.0f MB", (double)ftell(file) / 1e6);
    if (fclose(file)) {
        perror(path);
        exit(1);
    }
    free(path);
}

/* --- opening --- */

static struct session_state *load(void)
{
    struct session_state *state;
    struct error warning, error;
    check(session_load(folder, &state, &warning, &error), &error);
    return state;
}

static void measure_load(void)
{
    size_t bytes = mallinfo2().uordblks;
    double start = seconds();
    struct session_state *state = load();
    row("open for show, resume", "%.2f s", seconds() - start);
    row("- the state", "%.0f MB", (double)(mallinfo2().uordblks - bytes) / 1e6);
    row_memory("- the process");
    session_state_free(state);
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* To random times, as a click on the bar does: the state there, the log's lines, the devices' histories. */
static void measure_replay(void)
{
    struct replay *replay;
    struct error warning, error;
    double start = seconds(), times[SEEKS];
    check(replay_open(folder, &replay, &warning, &error), &error);
    row("open for replay", "%.2f s", seconds() - start);
    struct tui_source source = {.mode = MODE_REPLAY, .replay = replay, .speed = 1};
    struct model model;
    model_init(&model, MODE_REPLAY, "bench");
    replay_bar_start(&source, &model);
    struct random_stream random = random_stream_new(1, RANDOM_TEST, 0, 0);
    for (int i = 0; i < SEEKS; i++) {
        char words[40];
        snprintf(words, sizeof words, "goto %.3f", model.replay.length * (double)random_uniform(&random));
        start = seconds();
        replay_bar_command(&source, &model, words);
        times[i] = 1000 * (seconds() - start);
    }
    qsort(times, SEEKS, sizeof *times, by_size);
    row("seek, median of 100", "%.1f ms", times[SEEKS / 2]);
    row("- the worst", "%.1f ms", times[SEEKS - 1]);
    row_memory("- the process");
    model_done(&model);
    replay_free(replay);
}

/* --- frames --- */

static void measure_frame(struct model *model, int width, int height, bool stale, const char *what)
{
    char name[64];
    double times[FRAMES];
    struct canvas canvas;
    canvas_init(&canvas, width, height, true);
    screen_draw(model, &canvas);
    for (int i = 0; i < FRAMES; i++) {
        double start = seconds();
        if (stale)
            model_networks_changed(model);
        canvas_reset(&canvas, width, height);
        screen_draw(model, &canvas);
        times[i] = 1000 * (seconds() - start);
    }
    qsort(times, FRAMES, sizeof *times, by_size);
    snprintf(name, sizeof name, "frame %dx%d%s", width, height, what);
    row(name, "%.2f ms", times[FRAMES / 2]);
    canvas_done(&canvas);
}

/* What a person waits for who types a filter: each letter that can be read sets it and draws a frame.  The slowest
   letter, by the median of its times. */
static void measure_typing(struct model *model, int width, int height, const char *words, const char *what)
{
    enum { TIMES = 11 };
    size_t length = strlen(words);
    double all[256][TIMES], worst = 0;
    struct canvas canvas;
    struct filter filter;
    canvas_init(&canvas, width, height, true);
    for (int time = 0; time < TIMES; time++)
        for (size_t letters = 1; letters <= length; letters++) {
            char typed[256];
            snprintf(typed, sizeof typed, "%.*s", (int)letters, words);
            double start = seconds();
            if (!filter_parse(typed, model->state, &filter, NULL))
                tree_find(model, typed);
            canvas_reset(&canvas, width, height);
            screen_draw(model, &canvas);
            all[letters][time] = 1000 * (seconds() - start);
        }
    for (size_t letters = 1; letters <= length; letters++) {
        qsort(all[letters], TIMES, sizeof **all, by_size);
        worst = all[letters][TIMES / 2] > worst ? all[letters][TIMES / 2] : worst;
    }
    row(what, "%.2f ms", worst);
    tree_find(model, "");
    canvas_done(&canvas);
}

static void measure_frames(void)
{
    static const struct {
        int width, height;
    } sizes[] = {{80, 24}, {120, 40}, {200, 60}};
    struct model model;
    model_init(&model, MODE_LIVE, "bench");
    model_replace(&model, load());
    for (int i = 0; i < 3; i++) {
        measure_frame(&model, sizes[i].width, sizes[i].height, false, "");
        measure_frame(&model, sizes[i].width, sizes[i].height, true, ", the tree has changed");
    }
    model.tree.order = ORDER_ACCURACY;
    measure_frame(&model, 200, 60, true, ", sorted by accuracy");
    model.tree.order = ORDER_NUMBER;
    snprintf(model.tree.filter, sizeof model.tree.filter, "conv2");
    measure_frame(&model, 200, 60, true, ", filtered");
    model.tree.filter[0] = '\0';
    board_toggle(&model);
    measure_frame(&model, 200, 60, false, ", leaderboard");
    for (int column = 0; column < BOARD_COLUMNS; column++) {
        char what[32];
        model.board.column = (enum board_column)column;
        snprintf(what, sizeof what, ", changed, by column %d", column);
        measure_frame(&model, 200, 60, true, what);
    }
    snprintf(model.tree.filter, sizeof model.tree.filter, "acc>20 layer:conv3");
    measure_frame(&model, 200, 60, true, ", leaderboard, filtered");
    board_toggle(&model);
    model.tree.filter[0] = '\0';
    static const char words[] = "acc>20 params<900k layer:conv3 W conv2";
    measure_typing(&model, 200, 60, words, "a letter of a filter, tree 200x60");
    board_toggle(&model);
    measure_typing(&model, 200, 60, words, "a letter of a filter, leaderboard 200x60");
    measure_typing(&model, 120, 40, words, "a letter of a filter, leaderboard 120x40");
    board_toggle(&model);
    model.zoomed = true;
    model.focus = PANE_TRADE;
    measure_typing(&model, 200, 60, words, "a letter of a filter, front");
    measure_frame(&model, 200, 60, false, ", front");
    measure_frame(&model, 200, 60, true, ", front, changed");
    model.focus = PANE_PROGRESS;
    measure_frame(&model, 200, 60, false, ", progress");
    measure_frame(&model, 200, 60, true, ", progress, changed");
    model.focus = PANE_CONTROLLER;
    model.heat.open = true;
    measure_frame(&model, 200, 60, false, ", heat map");
    measure_frame(&model, 200, 60, true, ", heat map, changed");
    model_done(&model);
}

/* --- the list of sessions --- */

static void measure_browser(void)
{
    enum { SESSIONS = 200 };
    static const int keys[] = {'/', 's', '1', KEY_CODE_BACKSPACE, KEY_CODE_BACKSPACE, KEY_CODE_ESCAPE, KEY_CODE_DOWN, 'o'};
    struct browser browser;
    struct canvas canvas;
    double slowest = 0, stale = 0;
    browser_init(&browser);
    browser.now = 1800000000;
    canvas_init(&canvas, 200, 60, true);
    for (int i = 0; i < SESSIONS; i++) {
        struct session_summary summary = {.folder = event_text("/tmp/s%d.esp", i * 7919 % SESSIONS),
                                          .name = event_text("s%d", i * 7919 % SESSIONS),
                                          .data = event_text("cifar10+"),
                                          .policy = event_text("reinforce"),
                                          .status = (enum summary_status)(i % SUMMARY_STATUS_COUNT),
                                          .networks = i * 31 % 977};
        browser_update(&browser, &summary);
        double start = seconds(); /* while they are read */
        canvas_reset(&canvas, 200, 60);
        browser_draw(&browser, &canvas);
        stale = fmax(stale, seconds() - start);
    }
    for (int i = 0; i < 40; i++) {
        double start = seconds();
        browser_key(&browser, keys[i % (int)(sizeof keys / sizeof *keys)]);
        canvas_reset(&canvas, 200, 60);
        browser_draw(&browser, &canvas);
        slowest = fmax(slowest, seconds() - start);
    }
    row("list of 200 sessions, a key, the slowest of 40", "%.2f ms", 1000 * slowest);
    row("- a session more, the slowest of 200", "%.2f ms", 1000 * stale);
    canvas_done(&canvas);
    browser_done(&browser);
}

static void in_process(void (*measure)(void))
{
    int status;
    fflush(stdout);
    pid_t process = fork();
    if (!process) {
        measure();
        exit(0);
    }
    if (process < 0 || waitpid(process, &status, 0) < 0 || status)
        exit(1);
}

int main(int count, char **arguments)
{
    int64_t wanted;
    setlocale(LC_ALL, "C.UTF-8");
    if (count > 1 && text_to_integer(arguments[1], 1, 1000000, &wanted)) {
        fprintf(stderr, "session: %s: not a number of networks\n", arguments[1]);
        return 2;
    }
    networks = count > 1 ? (int)wanted : networks;
    folder = folder_new();
    printf("| %-46s | %14s |\n|---|---|\n", "CPU time", "");
    in_process(make_session);
    if (count < 3) {
        in_process(measure_load);
        in_process(measure_replay);
    }
    in_process(measure_frames);
    in_process(measure_browser);
    folder_remove(folder);
    free(folder);
    return 0;
}
