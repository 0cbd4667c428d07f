/*
 * test_overlay.c - overlays: help in any width, questions, the history, the palette and the prompt.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "overlay_bed.h"
#include "tui/history.h"
#include "util/bug.h"
#include "util/random.h"
#include "tui/overlay.h"

/* Nothing is cut, the last line is the page's end, and no further. */
static void help(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, overlay_help());
    for (int width = 36; width <= 120; width += 7) {
        press(&bed, KEY_CODE_HOME);
        assert_non_null(strstr(shown(&bed, width, 24), "show the keys"));
        for (int page = 0; page < 16; page++) {
            assert_null(strstr(strchr(shown(&bed, width, 24), '\n'), "…"));
            press(&bed, KEY_CODE_PAGE_DOWN);
        }
        assert_non_null(strstr(shown(&bed, width, 24), "v pictures"));
        press(&bed, KEY_CODE_END);
        assert_non_null(strstr(shown(&bed, width, 24), "v pictures"));
        char *end = strdup(text_string(&bed.text));
        press(&bed, KEY_CODE_DOWN);
        assert_string_equal(shown(&bed, width, 24), end);
        press(&bed, KEY_CODE_UP);
        assert_string_not_equal(shown(&bed, width, 24), end);
        press(&bed, KEY_CODE_DOWN);
        assert_string_equal(shown(&bed, width, 24), end);
        free(end);
    }
    for (int height = 1; height < 10; height++)
        shown(&bed, height, height);
    close_bed(&bed);
}

/* The first page of a small screen has the keys that steer, and the pane at hand has its words; a recording's keys come
   first there. */
static void help_first_page(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, overlay_help());
    assert_non_null(strstr(shown(&bed, 80, 24), "hold all training"));
    assert_non_null(strstr(text_string(&bed.text), "grow the selected network"));
    assert_non_null(strstr(text_string(&bed.text), "take back your last step"));
    assert_non_null(strstr(shown(&bed, 80, 60), "In this pane: Tree"));
    assert_non_null(strstr(text_string(&bed.text), "accuracy on the validation images, in %"));
    bed.model.focus = PANE_CONTROLLER;
    assert_non_null(strstr(shown(&bed, 80, 60), "how undecided it is"));
    close_bed(&bed);
    open_bed(&bed, MODE_REPLAY, overlay_help());
    assert_non_null(strstr(shown(&bed, 80, 24), "half the speed"));
    close_bed(&bed);
}

static void questions(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, NULL);
    bed.overlay = overlay_prune(&bed.model, 7);
    assert_non_null(strstr(shown(&bed, 80, 24), "the 1 network that grew from it: nothing grows there"));
    assert_non_null(strstr(text_string(&bed.text), "u takes it back"));
    shown(&bed, 30, 10);
    assert_null(strstr(text_string(&bed.text), "…"));
    assert_non_null(strstr(text_string(&bed.text), "y prune"));
    assert_non_null(strstr(text_string(&bed.text), "Escape keep"));
    assert_non_null(strstr(shown(&bed, 30, 1), "It and the "));
    press(&bed, KEY_CODE_ENTER); /* a letter answers */
    assert_int_equal(overlay_key(bed.overlay, &bed.model, 'y', &bed.words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&bed.words), "prune 7");
    assert_null(overlay_prune(&bed.model, 1)); /* what the search refuses isn't asked about */
    assert_non_null(strstr(bed.model.message, "start network"));
    ((struct session_node *)session_node(bed.model.state, 7))->pruned = true;
    assert_null(overlay_prune(&bed.model, 7));
    assert_string_equal(bed.model.message, "n7 is pruned");
    close_bed(&bed);
}

/* The chosen step is taken back by its number; one that can't be is not, with the reason; a click chooses too. */
static void history_of_persons(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, overlay_history());
    assert_non_null(strstr(shown(&bed, 80, 24), "note 16 best with eight layers"));
    assert_null(strstr(text_string(&bed.text), "refused"));
    assert_null(strstr(text_string(&bed.text), "widen:conv99"));
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
    char last[16];
    snprintf(last, sizeof last, "undo %d", (int)bed.model.state->step_count);
    assert_string_equal(text_string(&bed.words), last);
    text_clear(&bed.words);
    press(&bed, KEY_CODE_END);
    assert_non_null(strstr(shown(&bed, 80, 24), "came after it")); /* `pin 10`, and then `unpin 10` */
    press(&bed, KEY_CODE_ENTER);
    assert_non_null(strstr(bed.model.message, "came after it"));
    for (int y = 0; y < 24; y++) /* the second from the top */
        if (strstr(shown(&bed, 80, 24), " What persons did ") && overlay_click(bed.overlay, &bed.model, 40, y, &bed.words) ==
                                                                     OVERLAY_COMMAND)
            fail_msg("one click chooses, and takes nothing back");
    press(&bed, KEY_CODE_HOME);
    for (int height = 1; height < 12; height++)
        shown(&bed, 3 * height, height);
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ESCAPE, &bed.words), OVERLAY_CLOSED);
    close_bed(&bed);
}

static const char *chosen_by(struct bed *bed, const char *words)
{
    if (bed->overlay)
        overlay_free(bed->overlay);
    bed->overlay = overlay_palette(&bed->model);
    type(bed, words);
    shown(bed, 80, 24);
    text_clear(&bed->words);
    enum overlay_answer answer = overlay_key(bed->overlay, &bed->model, KEY_CODE_ENTER, &bed->words);
    return answer == OVERLAY_PALETTE ? text_string(&bed->words) : "nothing";
}

/* The best match of all words comes first; what was chosen last comes first without words, also in the next process. */
static void palette(void **state)
{
    static const char *const cases[][2] = {
        {"zoom", "zoom"}, {"n37", "n37"}, {"budg", ":budget"}, {":bud", ":budget"}, {"leaderboard", "board"},
        {"nxp", "next-pane"}, {"best with eight", "n16"}, {"qqq", "nothing"}, {"n25 conv", "n25"}, {"session-", "nothing"},
        {"pau", "pause"},
    };
    struct bed bed;
    char path[] = "/tmp/espalier-history-XXXXXX";
    (void)state;
    open_bed(&bed, MODE_LIVE, NULL);
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, "n12\nbad\x1b[2J\n:pin 3\n\xff\n", 22) == 22);
    close(file);
    history_open(path);
    assert_int_equal(history_count(), 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(chosen_by(&bed, cases[i][0]), cases[i][1]);
    assert_string_equal(chosen_by(&bed, ""), "pause");
    history_clear();
    history_open(path);
    assert_string_equal(chosen_by(&bed, ""), "pause");
    assert_string_equal(history_line(history_count()), "n12");
    press(&bed, KEY_CODE_DOWN);
    for (int height = 1; height < 12; height++)
        shown(&bed, 4 * height, height);
    assert_int_equal(overlay_click(bed.overlay, &bed.model, 0, 0, &bed.words), OVERLAY_OPEN);
    overlay_free(bed.overlay); /* the `:` line goes back through the commands that were typed */
    bed.overlay = overlay_prompt(PROMPT_COMMAND, 0, "");
    press(&bed, KEY_CODE_UP);
    press(&bed, KEY_CODE_UP);
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
    assert_non_null(strstr(text_string(&bed.words), "pin 3"));
    history_clear();
    unlink(path);
    close_bed(&bed);
}

/* A network without weights can't be the start of another search. */
static void forks(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_REPLAY, NULL);
    bed.model.selected = 40; /* in training */
    bed.overlay = overlay_fork(&bed.model);
    assert_non_null(strstr(shown(&bed, 80, 24), "m go on from this moment, with its 42 networks"));
    press(&bed, 'n');
    assert_int_equal(overlay_key(bed.overlay, &bed.model, 'm', &bed.words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&bed.words), "fork");
    overlay_free(bed.overlay);
    text_clear(&bed.words);
    bed.model.selected = 37;
    bed.overlay = overlay_fork(&bed.model);
    assert_non_null(strstr(shown(&bed, 80, 24), "n start a new tree with n37 and its weights"));
    assert_int_equal(overlay_key(bed.overlay, &bed.model, 'n', &bed.words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&bed.words), "fork 37");
    overlay_free(bed.overlay);
    bed.model.state->nodes[36]->dropped = true; /* as by --keep best */
    bed.overlay = overlay_fork(&bed.model);
    assert_null(strstr(shown(&bed, 80, 24), "n start a new tree"));
    close_bed(&bed);
}

/* Only a search that could go on without its terminal offers that. */
static void leaving(void **state)
{
    (void)state;
    for (int can_detach = 0; can_detach < 2; can_detach++) {
        struct bed bed;
        open_bed(&bed, MODE_LIVE, NULL);
        bed.overlay = overlay_quit(&bed.model, can_detach);
        assert_int_equal(strstr(shown(&bed, 80, 24), "d detach: it goes on") != NULL, can_detach);
        assert_non_null(strstr(text_string(&bed.text), "goes back to the queue"));
        assert_non_null(strstr(text_string(&bed.text), "Escape stay"));
        press(&bed, KEY_CODE_ENTER);
        assert_int_equal(overlay_key(bed.overlay, &bed.model, 'd', &bed.words),
                         can_detach ? OVERLAY_DETACH : OVERLAY_OPEN);
        assert_int_equal(overlay_key(bed.overlay, &bed.model, 's', &bed.words), OVERLAY_STOP);
        close_bed(&bed);
    }
}

/* Where the cursor is; -1: nowhere. */
static int cursor(const struct bed *bed)
{
    const struct cell *line = &bed->canvas.cells[(bed->canvas.height - 1) * bed->canvas.width];
    for (int x = 0; x < bed->canvas.width; x++)
        if (line[x].style == STYLE_SELECTED)
            return x;
    return -1;
}

/* The cursor stands on its character, however many bytes and columns those before it have. */
static void line_to_edit(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, overlay_prompt(PROMPT_NOTE, 5, "größe 日本 ok"));
    assert_string_equal(strrchr(shown(&bed, 80, 2), ':'), ": größe 日本 ok\n");
    int begin = canvas_columns("note on n5: ");
    assert_int_equal(cursor(&bed), begin + 13);
    press(&bed, KEY_CODE_LEFT);
    press(&bed, KEY_CODE_LEFT);
    press(&bed, KEY_CODE_LEFT);
    press(&bed, KEY_CODE_LEFT);
    shown(&bed, 80, 2);
    assert_int_equal(cursor(&bed), begin + 8);
    press(&bed, 23); /* C-w: the word before the cursor */
    assert_string_equal(strrchr(shown(&bed, 80, 2), ':'), ": größe 本 ok\n");
    press(&bed, KEY_CODE_END);
    press(&bed, 23);
    press(&bed, 23);
    assert_string_equal(strrchr(shown(&bed, 80, 2), ':'), ": größe\n");
    type(&bed, " and a line that is longer than its screen");
    for (int width = 14; width < 60; width++) { /* whole characters are left out, and the cursor is seen */
        assert_null(strchr(shown(&bed, width, 1), '?'));
        assert_int_equal(cursor(&bed), width - 1 < begin + 48 ? width - 1 : begin + 48);
    }
    close_bed(&bed);
}

/* Each source offers what it understands. */
static void commands(void **state)
{
    struct bed bed;
    (void)state;
    for (int replay = 0; replay < 2; replay++) {
        open_bed(&bed, replay ? MODE_REPLAY : MODE_LIVE, overlay_prompt(PROMPT_COMMAND, 0, ""));
        shown(&bed, 80, 24);
        assert_int_equal(strstr(text_string(&bed.text), "│ goto") != NULL, replay);
        assert_int_equal(strstr(text_string(&bed.text), "│ prune") == NULL, replay);
        type(&bed, "g");
        press(&bed, KEY_CODE_TAB);
        type(&bed, "1");
        assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
        assert_string_equal(text_string(&bed.words), replay ? "goto 1" : "grow 1");
        close_bed(&bed);
    }
}

/* Tab completes a name or a first argument, where only one begins like it. */
static void completion(void **state)
{
    static const char *const cases[][2] = {
        {"bu", "budget "}, {"p", "p"}, {"budget x", "budget x"}, {"note 3", "note 3"}, {"sto", "stop"}, {"x", "x"},
        {"budget ne", "budget networks "}, {"budget s", "budget seconds "}, {"budget seconds 5", "budget seconds 5"},
        {"budget f", "budget flops "}, {"b", "budget "}, {"grow 3 na", "grow 3 narrow:"},
        {"grow 3 widen:conv1 k", "grow 3 widen:conv1 kernel:"}, {"grow 3 x", "grow 3 x"},
        {"grow 3 narrow:fc1", "grow 3 narrow:fc1"}, {"grow 3 ", "grow 3 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bed bed;
        open_bed(&bed, MODE_LIVE, overlay_prompt(PROMPT_COMMAND, 0, cases[i][0]));
        press(&bed, KEY_CODE_TAB);
        assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
        assert_string_equal(text_string(&bed.words), cases[i][1]);
        close_bed(&bed);
    }
}

/* All of a line of the log, however long. */
static void log_in_full(void **state)
{
    struct bed bed;
    char reason[400];
    (void)state;
    open_bed(&bed, MODE_LIVE, overlay_log());
    memset(reason, 'x', sizeof reason - 1);
    for (size_t i = 9; i < sizeof reason; i += 10)
        reason[i] = ' ';
    strcpy(reason + sizeof reason - 5, "END");
    log_add_text(&bed.model.log, 1, STYLE_WARNING, "you", reason);
    for (int width = 40; width < 200; width += 20) {
        assert_non_null(strstr(shown(&bed, width, 24), "END"));
        assert_null(strstr(text_string(&bed.text), "…"));
    }
    press(&bed, KEY_CODE_HOME);
    assert_null(strstr(shown(&bed, 80, 24), "END"));
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_CLOSED);
    close_bed(&bed);
}

/* Lists stay within themselves, whatever keys and clicks come, on any screen. */
static void lists_of_any_keys(void **state)
{
    static const int keys[] = {KEY_CODE_UP, KEY_CODE_DOWN, KEY_CODE_PAGE_UP, KEY_CODE_PAGE_DOWN, KEY_CODE_HOME,
                               KEY_CODE_END, 'c', 'o', '1', ' ', L'é', 21, KEY_CODE_DELETE};
    struct random_stream stream = random_stream_new(3, RANDOM_TEST, 0, 0);
    (void)state;
    for (int round = 0; round < 40; round++) {
        struct bed bed;
        open_bed(&bed, MODE_LIVE, NULL);
        bed.overlay = round % 2 ? overlay_palette(&bed.model) : overlay_history();
        for (int i = 0; i < 40; i++) {
            press(&bed, keys[random_below(&stream, COUNT_OF(keys))]);
            if (i % 4 == 0)
                shown(&bed, 1 + (int)random_below(&stream, 120), 1 + (int)random_below(&stream, 40));
        }
        int x = (int)random_below(&stream, 80), y = (int)random_below(&stream, 24);
        overlay_click(bed.overlay, &bed.model, x, y, &bed.words);
        close_bed(&bed);
    }
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help),
        cmocka_unit_test(help_first_page),
        cmocka_unit_test(questions),
        cmocka_unit_test(history_of_persons),
        cmocka_unit_test(forks),
        cmocka_unit_test(lists_of_any_keys),
        cmocka_unit_test(palette),
        cmocka_unit_test(leaving),
        cmocka_unit_test(line_to_edit),
        cmocka_unit_test(commands),
        cmocka_unit_test(completion),
        cmocka_unit_test(log_in_full),
    };
    return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
