/*
 * test_overlay.c - overlays: help in any width, questions, the prompt, and the grow dialogs.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "screen_session.h"
#include "tui/overlay.h"

struct bed {
    struct model model;
    struct canvas canvas;
    struct text text, words;
    struct overlay *overlay;
};

static void fold(void *model, const struct event *event)
{
    model_apply(model, event);
}

static void open_bed(struct bed *bed, enum model_mode mode, struct overlay *overlay)
{
    *bed = (struct bed){.overlay = overlay};
    model_init(&bed->model, mode, "fashion-7");
    screen_session_play(SCREEN_SESSION_MIDDLE, fold, &bed->model);
    canvas_init(&bed->canvas, 80, 24, true);
}

static void close_bed(struct bed *bed)
{
    if (bed->overlay)
        overlay_free(bed->overlay);
    model_done(&bed->model);
    canvas_done(&bed->canvas);
    text_done(&bed->text);
    text_done(&bed->words);
}

/* The overlay on a screen of this size, as text. */
static const char *shown(struct bed *bed, int width, int height)
{
    canvas_reset(&bed->canvas, width, height);
    overlay_draw(bed->overlay, &bed->model, &bed->canvas);
    text_clear(&bed->text);
    canvas_print(&bed->canvas, &bed->text);
    return text_string(&bed->text);
}

static void press(struct bed *bed, int key)
{
    assert_int_equal(overlay_key(bed->overlay, &bed->model, key, &bed->words), OVERLAY_OPEN);
}

static void type(struct bed *bed, const char *text)
{
    for (; *text; text++)
        press(bed, *text);
}

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

/* In a recording the dialog shows what growing costs and offers nothing; its keys are there on every screen. */
static void growing(void **state)
{
    struct bed bed;
    (void)state;
    for (int replay = 0; replay < 2; replay++) {
        open_bed(&bed, replay ? MODE_REPLAY : MODE_LIVE, NULL);
        bed.overlay = overlay_widen(&bed.model, 37);
        assert_non_null(bed.overlay);
        assert_int_equal(strstr(shown(&bed, 80, 24), "Enter queue") == NULL, replay);
        assert_int_equal(strstr(shown(&bed, 40, 8), "Enter queue") == NULL, replay);
        close_bed(&bed);
    }
}

static void set_option(struct bed *bed, const char *option)
{
    struct event_texts *options = &bed->model.state->facts.options;
    size_t name = strcspn(option, "=") + 1;
    for (int i = 0; i < options->count; i++)
        if (!strncmp(options->items[i], option, name)) {
            free(options->items[i]);
            options->items[i] = strdup(option);
            return;
        }
    event_texts_add(options, option);
}

/* A network over a limit is refused while it is chosen: by how much, and what the most is; Enter doesn't queue it. */
static void limits(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, NULL);
    bed.overlay = overlay_widen(&bed.model, 1);
    assert_non_null(strstr(shown(&bed, 80, 24), "limits       within"));
    overlay_free(bed.overlay);
    char limit[64];
    snprintf(limit, sizeof limit, "limit-params=%lld", (long long)session_node(bed.model.state, 1)->facts.parameters + 60);
    set_option(&bed, limit);
    bed.overlay = overlay_widen(&bed.model, 1);
    press(&bed, KEY_CODE_UP);
    press(&bed, KEY_CODE_UP);
    press(&bed, KEY_CODE_UP);
    assert_non_null(strstr(shown(&bed, 80, 24), "over the limit of"));
    assert_non_null(strstr(text_string(&bed.text), "most is 5"));
    assert_null(strstr(text_string(&bed.text), "…"));
    press(&bed, KEY_CODE_ENTER);
    assert_non_null(strstr(bed.model.message, "not queued: "));
    assert_non_null(strstr(bed.model.message, "over the limit of"));
    press(&bed, 'm');
    assert_non_null(strstr(shown(&bed, 80, 24), "[ 5 ]"));
    assert_non_null(strstr(text_string(&bed.text), "limits       within"));
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
    close_bed(&bed);
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

/* The arrows go through the widths of the session's space, and past the widest one by its last step. */
static void widths_of_the_space(void **state)
{
    static const struct {
        const char *space, *first, *second, *last;
        int presses;
    } cases[] = {{"widths=small", "[ 8 ]", "[ 12 ]", "[ 44 ]", 9}, {"widths=paper", "[ 16 ]", "[ 32 ]", "[ 704 ]", 13}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bed bed;
        open_bed(&bed, MODE_LIVE, NULL);
        struct event_texts *options = &bed.model.state->facts.options;
        for (int j = 0; j < options->count; j++)
            if (!strncmp(options->items[j], "widths=", strlen("widths="))) {
                free(options->items[j]);
                options->items[j] = strdup(cases[i].space);
            }
        bed.overlay = overlay_widen(&bed.model, 1);
        assert_non_null(bed.overlay);
        assert_non_null(strstr(shown(&bed, 80, 24), cases[i].first));
        press(&bed, KEY_CODE_DOWN);
        assert_non_null(strstr(shown(&bed, 80, 24), cases[i].first));
        press(&bed, KEY_CODE_UP);
        assert_non_null(strstr(shown(&bed, 80, 24), cases[i].second));
        press(&bed, KEY_CODE_DOWN);
        assert_non_null(strstr(shown(&bed, 80, 24), cases[i].first));
        for (int j = 0; j < cases[i].presses; j++)
            press(&bed, KEY_CODE_UP);
        assert_non_null(strstr(shown(&bed, 80, 24), cases[i].last));
        close_bed(&bed);
    }
}

/* In a modern search a block is what is inserted, and hidden channels are widths too. */
static void blocks_of_the_space(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, NULL);
    struct event_texts *options = &bed.model.state->facts.options;
    for (int j = 0; j < options->count; j++)
        if (!strncmp(options->items[j], "widths=", strlen("widths="))) {
            free(options->items[j]);
            options->items[j] = strdup("space=modern");
        }
    char **arch = &bed.model.state->nodes[0]->facts.arch;
    free(*arch);
    *arch = strdup("C(8,3,1) M(24,3) S(12,3,2) A(2,2) SM(10)");
    bed.overlay = overlay_deepen(&bed.model, 1);
    assert_non_null(bed.overlay);
    assert_non_null(strstr(shown(&bed, 80, 24), "conv1 ▸       new M  [ 3×3 ]  of 24 hidden channels"));
    press(&bed, KEY_CODE_LEFT);
    assert_non_null(strstr(shown(&bed, 80, 24), "separable1 ▸ "));
    assert_non_null(strstr(text_string(&bed.text), "new M  [ 3×3 ]  of 32 hidden channels"));
    press(&bed, KEY_CODE_UP);
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&bed.words), "grow 1 deepen:separable1:M(32,5)");
    overlay_free(bed.overlay);
    text_clear(&bed.words);
    bed.overlay = overlay_widen(&bed.model, 1);
    press(&bed, KEY_CODE_RIGHT);
    assert_non_null(strstr(shown(&bed, 80, 24), "width  24 → [ 32 ]"));
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&bed.words), "grow 1 widen:mobile1:32");
    close_bed(&bed);
}

/* Below the present width the dialog narrows: down to the smallest of the space, and back. */
static void narrower_widths(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, NULL);
    bed.overlay = overlay_widen(&bed.model, 37);
    assert_non_null(bed.overlay);
    assert_non_null(strstr(shown(&bed, 80, 24), "Widen n37"));
    assert_non_null(strstr(text_string(&bed.text), "kept: the child starts near"));
    char *first = strdup(text_string(&bed.text));
    press(&bed, KEY_CODE_DOWN);
    assert_non_null(strstr(shown(&bed, 80, 24), "Narrow n37"));
    assert_non_null(strstr(text_string(&bed.text), "changed: the child starts below"));
    assert_null(strstr(text_string(&bed.text), "+-"));
    press(&bed, KEY_CODE_UP);
    assert_string_equal(shown(&bed, 80, 24), first);
    for (int i = 0; i < 50; i++)
        press(&bed, KEY_CODE_DOWN);
    assert_non_null(strstr(shown(&bed, 80, 24), "[ 4 ]"));
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&bed.words), "grow 37 narrow:conv1:4");
    free(first);
    close_bed(&bed);
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help),     cmocka_unit_test(questions), cmocka_unit_test(leaving), cmocka_unit_test(line_to_edit),
        cmocka_unit_test(commands), cmocka_unit_test(completion), cmocka_unit_test(growing),
        cmocka_unit_test(widths_of_the_space), cmocka_unit_test(blocks_of_the_space),
        cmocka_unit_test(limits), cmocka_unit_test(log_in_full),
        cmocka_unit_test(narrower_widths),
    };
    return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
