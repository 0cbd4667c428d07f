/*
 * test_grow.c - the dialog that grows a network by hand: widths, kernels and limits, several actions, any keys.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/action.h"
#include "overlay_bed.h"
#include "util/random.h"

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
    snprintf(limit, sizeof limit, "limit-params=%lld",
             (long long)session_node(bed.model.state, 1)->facts.parameters + 60);
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
    press(&bed, 'u');
    assert_non_null(strstr(shown(&bed, 80, 24), "s se   u take off"));
    press(&bed, 's');
    assert_non_null(strstr(shown(&bed, 80, 24), "Squeeze-and-excitation in n1"));
    assert_non_null(strstr(text_string(&bed.text), "width  24   se"));
    assert_non_null(strstr(text_string(&bed.text), "kept: the child starts near"));
    assert_null(strstr(text_string(&bed.text), "s se   u take off"));
    text_clear(&bed.words);
    assert_int_equal(overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words), OVERLAY_COMMAND);
    assert_string_equal(text_string(&bed.words), "grow 1 squeeze:mobile1");
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

static const char *queued(struct bed *bed)
{
    text_clear(&bed->words);
    assert_int_equal(overlay_key(bed->overlay, &bed->model, KEY_CODE_ENTER, &bed->words), OVERLAY_COMMAND);
    return text_string(&bed->words);
}

/* Several actions for one child: what a key has changed stays when the cursor goes on, and is changed again there. */
static void several_actions(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, NULL);
    bed.overlay = overlay_widen(&bed.model, 1);
    press(&bed, KEY_CODE_RIGHT); /* the action to begin with goes along */
    press(&bed, KEY_CODE_UP);
    press(&bed, KEY_CODE_RIGHT);
    assert_non_null(strstr(shown(&bed, 80, 24), "width  4 "));
    type(&bed, "10");
    assert_non_null(strstr(shown(&bed, 80, 24), "width  4 → [ 10 ]"));
    type(&bed, "i");
    press(&bed, KEY_CODE_UP);
    assert_non_null(strstr(shown(&bed, 80, 24), "new convolution  [ 5×5 ]"));
    assert_non_null(strstr(text_string(&bed.text), " Grow n1 "));
    assert_non_null(strstr(text_string(&bed.text), "W conv2 4→12  W conv3 4→10  D conv3 +5×5"));
    assert_string_equal(queued(&bed), "grow 1 widen:conv2:12 widen:conv3:10 deepen:conv3:5");
    press(&bed, KEY_CODE_LEFT);
    press(&bed, KEY_CODE_LEFT); /* conv2: its action is changed, and no second one is added */
    press(&bed, KEY_CODE_UP);
    assert_string_equal(queued(&bed), "grow 1 widen:conv2:16 widen:conv3:10 deepen:conv3:5");
    type(&bed, "4"); /* as it was: no action is left */
    assert_string_equal(queued(&bed), "grow 1 widen:conv3:10 deepen:conv3:5");
    type(&bed, "u");
    assert_string_equal(queued(&bed), "grow 1 widen:conv3:10");
    type(&bed, "ix");
    assert_string_equal(queued(&bed), "grow 1 widen:conv3:10");
    type(&bed, "3");
    assert_non_null(strstr(shown(&bed, 80, 24), "N conv3 4→3 !"));
    assert_non_null(strstr(text_string(&bed.text), "changed: the child starts below"));
    type(&bed, "u");
    assert_non_null(strstr(shown(&bed, 80, 24), "none yet"));
    press(&bed, KEY_CODE_ENTER);
    assert_non_null(strstr(bed.model.message, "no action is chosen"));
    type(&bed, "u0");
    press(&bed, KEY_CODE_HOME);
    close_bed(&bed);
}

/* A click on a layer of the chart goes there. */
static void layers_by_mouse(void **state)
{
    struct bed bed;
    (void)state;
    open_bed(&bed, MODE_LIVE, NULL);
    bed.overlay = overlay_widen(&bed.model, 1);
    int found = 0;
    for (int x = 0; x < 80; x++) {
        shown(&bed, 80, 24);
        assert_int_equal(overlay_click(bed.overlay, &bed.model, x, 6, &bed.words), OVERLAY_OPEN);
        found += strstr(shown(&bed, 80, 24), "◂ conv3 ▸") != NULL;
    }
    assert_true(found > 0 && found < 80);
    close_bed(&bed);
}

/* Whatever keys come, the words that are left are those of actions that can be applied in their order. */
static void actions_of_any_keys(void **state)
{
    static const char keys[] = "hljk+-w][idxmu0123456789";
    struct random_stream stream = random_stream_new(7, RANDOM_TEST, 0, 0);
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct bed bed;
        open_bed(&bed, MODE_LIVE, NULL);
        bed.overlay = round % 2 ? overlay_widen(&bed.model, 37) : overlay_deepen(&bed.model, 25);
        for (int i = 0; i < 60; i++)
            press(&bed, keys[random_below(&stream, sizeof keys - 1)]);
        shown(&bed, 80, 24);
        if (overlay_key(bed.overlay, &bed.model, KEY_CODE_ENTER, &bed.words) == OVERLAY_COMMAND) {
            struct arch arch;
            struct action action;
            struct error error;
            long long node;
            char *rest = NULL, *word = strtok_r(bed.words.bytes, " ", &rest);
            assert_string_equal(word, "grow");
            node = atoll(strtok_r(NULL, " ", &rest));
            assert_int_equal(arch_parse(&arch, session_node(bed.model.state, node)->facts.arch, &error), 0);
            while ((word = strtok_r(NULL, " ", &rest)))
                if (action_parse(&arch, word, &action, &error) || action_apply(&arch, &action, &arch, &error))
                    fail_msg("%s", error.text);
        }
        close_bed(&bed);
    }
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_actions), cmocka_unit_test(layers_by_mouse),     cmocka_unit_test(actions_of_any_keys),
        cmocka_unit_test(growing),         cmocka_unit_test(widths_of_the_space), cmocka_unit_test(blocks_of_the_space),
        cmocka_unit_test(limits),          cmocka_unit_test(narrower_widths),
    };
    return cmocka_run_group_tests_name("grow", tests, NULL, NULL);
}
