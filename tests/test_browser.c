/*
 * test_browser.c - the list of sessions: its screens, compared with those in tests/screens/; what keys and the mouse do
 * and answer; screens of any size after any keys.
 */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "screen_fixture.h"
#include "tui/browser.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

enum { NOW = 1800000000 };

static struct session_summary summary_of(const char *name, enum summary_status status, const char *data, int networks,
                                         double accuracy, int age)
{
    char folder[300];
    bool runs = status == SUMMARY_RUNNING || status == SUMMARY_PAUSED;
    snprintf(folder, sizeof folder, "/home/ann/.local/state/espalier/%s.esp", name);
    struct session_summary summary = {
        .folder = memory_copy_text(folder),
        .name = memory_copy_text(name),
        .status = status,
        .written = NOW - age,
        .bytes = 40000.0 * (networks + 1),
        .process = runs ? 4711 : 0,
        .here = true,
    };
    if (runs) {
        strcpy(summary.host, "hazel");
        strcpy(summary.user, "ann");
    }
    if (status == SUMMARY_DAMAGED) {
        snprintf(summary.error.text, sizeof summary.error.text,
                 "%s/events.log: bad frame at byte 8, and good ones behind it", folder);
        return summary;
    }
    summary.readable = true;
    summary.data = memory_copy_text(data);
    summary.policy = memory_copy_text("reinforce");
    summary.networks = networks;
    summary.pending = runs ? 2 : 0;
    summary.seconds = 97.0 * networks;
    if (networks) {
        summary.best = (networks + 1) / 2;
        summary.parameters = 1200 + 900 * networks;
        summary.accuracy = accuracy;
        summary.curve_count = networks < SUMMARY_CURVE ? networks : SUMMARY_CURVE;
        for (int i = 0; i < summary.curve_count; i++)
            summary.curve[i] = accuracy - 0.1 / (i + 1);
    }
    return summary;
}

static void add(struct browser *browser, struct session_summary summary)
{
    browser_update(browser, &summary);
}

static void open_browser(struct browser *browser)
{
    browser_init(browser);
    browser->now = NOW;
    add(browser, summary_of("night", SUMMARY_RUNNING, "cifar10+:/data/cifar-10", 214, 0.9341, 3));
    add(browser, summary_of("fashion-mnist-7", SUMMARY_FINISHED, "fashion-mnist", 31, 0.9248, 86400 * 3));
    add(browser,
        summary_of("a name as long as a folder's name may well be, and longer", SUMMARY_STOPPED, "mnist", 3, 1, 4000));
    add(browser, summary_of("held", SUMMARY_PAUSED, "svhn:/data", 12, 0.881, 50));
    add(browser, summary_of("killed", SUMMARY_DIED, "idx:set", 0, 0, 86400 * 30));
    add(browser, summary_of("no-space", SUMMARY_FAILED, "images@48:/home/ann/leaves", 9, 0.7719, 7200));
    add(browser, summary_of("torn", SUMMARY_DAMAGED, "", 0, 0, 86400 * 400));
    browser->reading = false;
}

static void check_screen(struct browser *browser, int width, int height, bool unicode, const char *name)
{
    struct canvas canvas;
    canvas_init(&canvas, width, height, unicode);
    browser_draw(browser, &canvas);
    screen_compare(&canvas, name);
    canvas_done(&canvas);
}

static enum browser_answer type(struct browser *browser, const char *keys)
{
    enum browser_answer answer = BROWSER_STAY;
    for (; *keys; keys++)
        answer = browser_key(browser, *keys == '\r'   ? KEY_CODE_ENTER
                                      : *keys == 27   ? KEY_CODE_ESCAPE
                                      : *keys == '\t' ? KEY_CODE_TAB
                                                      : *keys);
    return answer;
}

static const char *selected(struct browser *browser)
{
    browser_settle(browser);
    return browser->selected ? browser->selected->summary.name : "";
}

static void list_screens(void **state)
{
    struct browser browser;
    open_browser(&browser);
    check_screen(&browser, 80, 24, true, "sessions-80x24");
    check_screen(&browser, 80, 24, false, "sessions-80x24-ascii");
    check_screen(&browser, 120, 40, true, "sessions-120x40");
    check_screen(&browser, 200, 60, true, "sessions-200x60");
    browser_select(&browser, "/home/ann/.local/state/espalier/torn.esp");
    browser.rows[1]->marked = browser.rows[3]->marked = true;
    type(&browser, "o");
    check_screen(&browser, 60, 16, true, "sessions-60x16");
    check_screen(&browser, 29, 7, true, "sessions-29x7");
    browser_done(&browser);
    browser_init(&browser);
    check_screen(&browser, 80, 24, true, "sessions-reading-80x24");
    browser.reading = false;
    check_screen(&browser, 80, 24, true, "sessions-none-80x24");
    browser_done(&browser);
}

static const struct browser_field fields[] = {
    {"data", "images: fashion-mnist, mnist, idx:DIR, cifar10:DIR; NAME+ augments", "fashion-mnist"},
    {"networks", "networks in all", "31"},
    {"seconds", "time of the search", "no limit"},
    {"policy", "who proposes", "reinforce"},
    {"start", "the network that the search begins with", "auto"},
};

static void dialog_screens(void **state)
{
    struct browser browser;
    open_browser(&browser);
    type(&browser, "?");
    check_screen(&browser, 80, 24, true, "sessions-help-80x24");
    check_screen(&browser, 120, 40, true, "sessions-help-120x40");
    type(&browser, "\033/fin");
    check_screen(&browser, 80, 24, true, "sessions-filter-80x24");
    type(&browser, "\r");
    browser_ask(&browser, BROWSER_DELETE, "Delete fashion-mnist-7",
                "31 trained networks, 50m of search and 1.2 MiB are lost for ever: log, weights and all.\ny "
                "delete\nEscape keep");
    check_screen(&browser, 80, 24, true, "sessions-delete-80x24");
    type(&browser, "\033");
    browser_open_form(&browser, BROWSER_NEW, "New search", fields, COUNT_OF(fields), true);
    type(&browser, "mnist\t20\t\trandom");
    check_screen(&browser, 80, 24, true, "sessions-form-80x24");
    browser_set_preview(&browser, "limit     2.2M FLOPs an image; --limit-flops sets another\n"
                                  "search    30 grown networks of 2 epochs, about 57.1T FLOPs, about 1h21m\n");
    check_screen(&browser, 120, 40, true, "sessions-form-120x40");
    check_screen(&browser, 50, 12, true, "sessions-form-50x12");
    browser_done(&browser);
}

/* What each key answers in each state of a session, and why it is refused. */
static void keys_answer(void **state)
{
    struct browser browser;
    open_browser(&browser);
    assert_string_equal(selected(&browser), "night");
    assert_int_equal(type(&browser, "\r"), BROWSER_OPEN);
    assert_int_equal(type(&browser, "a"), BROWSER_ATTACH);
    static const char refused[] = "rewx";
    for (const char *key = refused; *key; key++) {
        assert_int_equal(browser_key(&browser, *key), BROWSER_STAY);
        assert_int_equal(browser.dialog, BROWSER_LIST);
        assert_non_null(strstr(browser.message, "night: it runs"));
    }
    browser.rows[0]->summary.here = false;
    assert_int_equal(type(&browser, "a"), BROWSER_STAY);
    assert_non_null(strstr(browser.message, "another machine"));
    browser_select(&browser, "/home/ann/.local/state/espalier/fashion-mnist-7.esp");
    assert_int_equal(type(&browser, "a"), BROWSER_STAY);
    assert_non_null(strstr(browser.message, "no process runs it"));
    assert_int_equal(type(&browser, "p"), BROWSER_REPLAY);
    assert_int_equal(type(&browser, "r"), BROWSER_RESUME);
    assert_int_equal(type(&browser, "w"), BROWSER_ASK_WEIGHTS);
    assert_int_equal(type(&browser, "x"), BROWSER_ASK_DELETE);
    assert_int_equal(type(&browser, "n"), BROWSER_NEW);
    assert_int_equal(type(&browser, "e"), BROWSER_STAY);
    assert_int_equal(type(&browser, "-x\r"), BROWSER_RENAME);
    assert_string_equal(browser.line.text, "fashion-mnist-7-x");
    browser_select(&browser, "/home/ann/.local/state/espalier/torn.esp");
    assert_int_equal(type(&browser, "\r"), BROWSER_STAY);
    assert_non_null(strstr(browser.message, "bad frame"));
    assert_int_equal(type(&browser, "x"), BROWSER_ASK_DELETE);
    assert_int_equal(type(&browser, "q"), BROWSER_QUIT);
    assert_int_equal(browser_key(&browser, KEY_CODE_INTERRUPT), BROWSER_QUIT);
    browser_done(&browser);
}

/* Only `y` says yes; a session that goes away while it is asked about takes the question with it. */
static void questions(void **state)
{
    struct browser browser;
    open_browser(&browser);
    selected(&browser);
    for (const char *no = "\r\033nq x"; *no; no++) {
        browser_ask(&browser, BROWSER_DELETE, "Delete", "all\ny delete\n");
        assert_int_equal(type(&browser, (char[]){*no, 0}), BROWSER_STAY);
    }
    assert_int_equal(type(&browser, "y"), BROWSER_DELETE);
    browser_ask(&browser, BROWSER_DELETE, "Delete", "all\ny delete\n");
    type(&browser, "");
    struct session_summary other = summary_of("newer", SUMMARY_RUNNING, "mnist", 1, 0.5, 0);
    browser_update(&browser, &other);
    assert_string_equal(selected(&browser), "night");
    browser_remove(&browser, "/home/ann/.local/state/espalier/night.esp");
    assert_int_equal(browser.dialog, BROWSER_LIST);
    assert_non_null(strstr(browser.message, "night is gone"));
    assert_string_equal(selected(&browser), "held");
    /* A filter doesn't take the session away that is asked about. */
    type(&browser, "/paused\r");
    browser_ask(&browser, BROWSER_DELETE, "Delete", "all\ny delete\n");
    struct session_summary same = summary_of("held", SUMMARY_STOPPED, "svhn:/data", 12, 0.881, 0);
    browser_update(&browser, &same);
    assert_string_equal(selected(&browser), "held");
    assert_int_equal(type(&browser, "y"), BROWSER_DELETE);
    browser_done(&browser);
}

static void order_and_filter(void **state)
{
    struct browser browser;
    open_browser(&browser);
    type(&browser, "/cifar RUN\r");
    assert_int_equal(browser.shown_count, 1);
    assert_string_equal(selected(&browser), "night");
    type(&browser, "/fin");
    assert_string_equal(selected(&browser), "fashion-mnist-7");
    type(&browser, "\033");
    assert_string_equal(browser.filter, "cifar RUN");
    type(&browser, "\033");
    assert_int_equal(browser.shown_count = (browser_settle(&browser), browser.shown_count), 7);
    browser_sort(&browser, BROWSER_BEST);
    browser_settle(&browser);
    assert_true(browser.shown[0]->summary.accuracy == 1);
    assert_int_equal(browser.shown[6]->summary.best, 0); /* unknown: last in both directions */
    browser_sort(&browser, BROWSER_BEST);
    browser_settle(&browser);
    assert_string_equal(browser.shown[0]->summary.name, "no-space");
    assert_int_equal(browser.shown[6]->summary.best, 0);
    for (int i = 0; i < 2 * BROWSER_COLUMN_COUNT; i++)
        type(&browser, "o");
    type(&browser, "g");
    const char *first = selected(&browser);
    type(&browser, "jk");
    assert_string_equal(selected(&browser), first);
    type(&browser, "m=");
    assert_non_null(strstr(browser.message, "mark the sessions"));
    assert_int_equal(type(&browser, "m="), BROWSER_COMPARE);
    browser_done(&browser);
}

static void mouse(void **state)
{
    struct browser browser;
    open_browser(&browser);
    selected(&browser);
    struct area rows = browser_rows_area(80, 24);
    assert_int_equal(browser_mouse(&browser, 80, 24, 5, rows.y + 1, 0), BROWSER_STAY);
    assert_string_equal(selected(&browser), "held");
    assert_int_equal(browser_mouse(&browser, 80, 24, 5, rows.y + 1, 0), BROWSER_OPEN);
    browser_mouse(&browser, 80, 24, 5, rows.y, 1);
    assert_string_equal(selected(&browser), "fashion-mnist-7");
    browser_mouse(&browser, 80, 24, 5, rows.y - 1, 0);
    assert_int_equal(browser.column, BROWSER_NAME);
    assert_int_equal(browser_mouse(&browser, 80, 24, 5, rows.y + 15, 0), BROWSER_STAY); /* below the last */
    browser_done(&browser);
}

/* A folder may have any name: nothing of it reaches the terminal as a command. */
static void foreign_names(void **state)
{
    struct browser browser;
    struct canvas canvas;
    open_browser(&browser);
    add(&browser, summary_of("\033]2;x\a\xff\xe2\x80\xae\tend", SUMMARY_FINISHED, "\033[2J", 3, 0.5, 1));
    canvas_init(&canvas, 200, 60, true);
    type(&browser, "g");
    browser_draw(&browser, &canvas);
    for (int i = 0; i < canvas.width * canvas.height; i++)
        assert_true(canvas.cells[i].glyph == 0 ||
                    (canvas.cells[i].glyph >= ' ' && canvas.cells[i].glyph != 127 && canvas.cells[i].glyph != 0x202e));
    canvas_done(&canvas);
    browser_done(&browser);
}

static void form(void **state)
{
    struct browser browser;
    open_browser(&browser);
    browser_open_form(&browser, BROWSER_NEW, "New search", fields, COUNT_OF(fields), true);
    unsigned version = browser.form.version;
    assert_true(browser.form.stale);
    browser_set_preview(&browser, "one\n");
    browser_key(&browser, KEY_CODE_TAB);
    browser_key(&browser, KEY_CODE_LEFT);
    assert_int_equal(browser.form.version, version);
    type(&browser, "12");
    browser_key(&browser, KEY_CODE_BACKSPACE);
    assert_string_equal(browser.form.values[1].text, "1");
    assert_int_equal(browser.form.version, version + 3);
    assert_true(browser.form.stale);
    browser_key(&browser, KEY_CODE_UP);
    browser_key(&browser, KEY_CODE_UP);
    assert_int_equal(browser.form.at, COUNT_OF(fields) - 1);
    assert_int_equal(browser_key(&browser, KEY_CODE_ENTER), BROWSER_START);
    assert_int_equal(browser.dialog, BROWSER_LIST);
    browser_done(&browser);
}

static void lines_of_text(void **state)
{
    struct line line = {"", 0};
    line_set(&line, "aé");
    assert_true(line_key(&line, KEY_CODE_LEFT));
    assert_true(line_key(&line, 0x4e16));
    assert_string_equal(line.text, "a世é");
    line_key(&line, KEY_CODE_BACKSPACE);
    line_key(&line, KEY_CODE_DELETE);
    line_key(&line, KEY_CODE_DELETE);
    assert_string_equal(line.text, "a");
    line_key(&line, KEY_CODE_HOME);
    line_key(&line, KEY_CODE_BACKSPACE);
    line_key(&line, KEY_CODE_LEFT);
    assert_int_equal(line.cursor, 0);
    assert_false(line_key(&line, KEY_CODE_UP));
    assert_false(line_key(&line, KEY_CODE_ESCAPE));
    for (int i = 0; i < 300; i++)
        line_key(&line, 0x1f600);
    assert_true(strlen(line.text) < LINE_MAX);
}

static void press_any(struct browser *browser, struct random_stream *random)
{
    static const int keys[] = {KEY_CODE_UP,  KEY_CODE_DOWN, KEY_CODE_ENTER, KEY_CODE_ESCAPE, KEY_CODE_TAB,
                               KEY_CODE_END, 0xe9};
    int key =
        random_below(random, 3) ? (int)(' ' + random_below(random, 95)) : keys[random_below(random, COUNT_OF(keys))];
    enum browser_answer answer = browser_key(browser, key);
    if (answer == BROWSER_NEW || answer == BROWSER_RESUME)
        browser_open_form(browser, answer, "Form", fields, COUNT_OF(fields), answer == BROWSER_NEW);
    if (answer == BROWSER_ASK_DELETE)
        browser_ask(browser, BROWSER_DELETE, "Delete", "all\ny delete\n");
    if (answer == BROWSER_COMPARE)
        browser_open_page(browser, "Comparison", "one\ntwo é 世\n\nthree\n");
    if (answer == BROWSER_DELETE && browser->selected)
        browser_remove(browser, browser->selected->summary.folder);
    if (answer == BROWSER_START)
        browser_set_preview(browser, "one\n\ntwo");
}

/* Any size, any keys: nothing is drawn outside, and what is selected is shown or asked about. */
static void anything_at_any_size(void **state)
{
    struct random_stream random = random_stream_new(7, RANDOM_TEST, 1, 0);
    struct browser browser;
    struct canvas canvas;
    open_browser(&browser);
    canvas_init(&canvas, 80, 24, true);
    for (int i = 0; i < 4000; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%u", random_below(&random, 60));
        if (random_below(&random, 4) == 0)
            add(&browser, summary_of(name, (enum summary_status)random_below(&random, SUMMARY_STATUS_COUNT), "mnist",
                                     (int)random_below(&random, 40), 0.5, (int)random_below(&random, 9999)));
        press_any(&browser, &random);
        int width = 1 + (int)random_below(&random, 160), height = 1 + (int)random_below(&random, 50);
        browser_mouse(&browser, width, height, (int)random_below(&random, 160), (int)random_below(&random, 50),
                      (int)random_below(&random, 3) - 1);
        if (i % 4)
            continue;
        canvas.unicode = random_below(&random, 4) != 0;
        canvas_reset(&canvas, width, height);
        browser_draw(&browser, &canvas);
        assert_true(!browser.shown_count || browser.selected);
    }
    canvas_done(&canvas);
    browser_done(&browser);
}

/* 200 sessions, of which one has changed: what a frame takes, apart from the terminal. */
static void two_hundred(void **state)
{
    enum { SESSIONS = 200, FRAMES = 50 };
    struct browser browser;
    struct canvas canvas;
    browser_init(&browser);
    canvas_init(&canvas, 200, 60, true);
    for (int i = 0; i < SESSIONS; i++) {
        char name[32];
        snprintf(name, sizeof name, "session-%d", i);
        add(&browser, summary_of(name, (enum summary_status)(i % SUMMARY_STATUS_COUNT), "mnist", i, 0.001 * i, i));
    }
    clock_t begun = clock();
    for (int i = 0; i < FRAMES; i++) {
        add(&browser, summary_of("session-77", SUMMARY_RUNNING, "mnist", i, 0.5, i));
        type(&browser, "jjj");
        canvas_reset(&canvas, 200, 60);
        browser_draw(&browser, &canvas);
    }
    print_message("# 200 sessions: %.3f ms of the processor a frame\n",
                  1000 * (double)(clock() - begun) / CLOCKS_PER_SEC / FRAMES);
    assert_int_equal(browser.shown_count, SESSIONS);
    canvas_done(&canvas);
    browser_done(&browser);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_screens),         cmocka_unit_test(dialog_screens),
        cmocka_unit_test(keys_answer),          cmocka_unit_test(questions),
        cmocka_unit_test(order_and_filter),     cmocka_unit_test(mouse),
        cmocka_unit_test(foreign_names),        cmocka_unit_test(form),
        cmocka_unit_test(lines_of_text),        cmocka_unit_test(two_hundred),
        cmocka_unit_test(anything_at_any_size),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests_name("browser", tests, NULL, NULL);
}
