/* test_action.c - actions: their text both ways, what they do, what they refuse, and the spaces they move in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "arch/action.h"
#include "arch/lineage.h"
#include "arch/space.h"
#include "tests/random_arch.h"

#define PARENT "C(16,3,2) P(2,2) C(32,5,1) A(2,2) FC(64) SM(10)"

static struct arch parsed(const char *text)
{
    struct arch arch;
    assert_int_equal(arch_parse(&arch, text, NULL), 0);
    return arch;
}

static void check_arch(const struct arch *arch, const char *expected)
{
    struct text text = TEXT_EMPTY;
    arch_print(arch, &text);
    assert_string_equal(text_string(&text), expected);
    text_done(&text);
}

static void texts_both_ways(void **state)
{
    static const struct {
        const char *text, *shown, *shown_ascii;
        struct action action;
    } rows[] = {
        {"widen:conv2:48", "W conv2 32→48", "W conv2 32>48", {ACTION_WIDEN, 2, 48, 0, 0, 0}},
        {"widen:fc1:4096", "W fc1 64→4096", "W fc1 64>4096", {ACTION_WIDEN, 4, 4096, 0, 0, 0}},
        {"widen:conv1", NULL, NULL, {ACTION_WIDEN, 0, 0, 0, 0, 0}},
        {"deepen:conv2:5", "D conv2 +5×5", "D conv2 +5x5", {ACTION_DEEPEN, 2, 0, 5, 0, 0}},
        {"deepen:conv1", NULL, NULL, {ACTION_DEEPEN, 0, 0, 0, 0, 0}},
        {"deepen:fc1", "D fc1 +fc", "D fc1 +fc", {ACTION_DEEPEN, 4, 0, 0, 0, 0}},
        {"narrow:conv2:24", "N conv2 32→24", "N conv2 32>24", {ACTION_NARROW, 2, 24, 0, 0, 0}},
        {"narrow:fc1", NULL, NULL, {ACTION_NARROW, 4, 0, 0, 0, 0}},
        {"remove:conv2", "R conv2", "R conv2", {ACTION_REMOVE, 2, 0, 0, 0, 0}},
        {"kernel:conv2:3", "K conv2 5→3", "K conv2 5>3", {ACTION_KERNEL, 2, 0, 3, 0, 0}},
        {"kernel:conv1", NULL, NULL, {ACTION_KERNEL, 0, 0, 0, 0, 0}},
    };
    const struct arch arch = parsed(PARENT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct action action;
        struct text text = TEXT_EMPTY;
        assert_int_equal(action_parse(&arch, rows[i].text, &action, NULL), 0);
        assert_memory_equal(&action, &rows[i].action, sizeof(action));
        action_print(&arch, &action, &text);
        assert_string_equal(text_string(&text), rows[i].text);
        if (rows[i].shown) {
            text_clear(&text);
            action_show(&arch, &action, true, &text);
            assert_string_equal(text_string(&text), rows[i].shown);
            text_clear(&text);
            action_show(&arch, &action, false, &text);
            assert_string_equal(text_string(&text), rows[i].shown_ascii);
        }
        text_done(&text);
    }
}

static void every_message_of_parsing(void **state)
{
    static const char *const rows[][2] = {
        {"", "action \"\": \"\" is not a kind of action; use widen, deepen, narrow, remove, kernel or squeeze"},
        {"grow:conv1", "action \"grow:conv1\": \"grow\" is not a kind of action; use widen, deepen, narrow, remove, "
                       "kernel or squeeze"},
        {"widen", "action \"widen\": the layer is missing; write for example widen:conv1"},
        {"deepen:",
         "action \"deepen:\": there is no layer \"\"; layers are named conv1, conv2, …, dense1, …, mobile1, …, fc1, …"},
        {"widen:conv3:4", "action \"widen:conv3:4\": there is no layer \"conv3\"; layers are named conv1, conv2, …, "
                          "dense1, …, mobile1, …, fc1, …"},
        {"widen:pool1:4",
         "action \"widen:pool1:4\": pool1 can't be changed; only convolutions, residual, dense and FC layers can"},
        {"deepen:average1",
         "action \"deepen:average1\": average1 can't be changed; only convolutions, residual, dense and FC layers can"},
        {"deepen:classifier", "action \"deepen:classifier\": classifier can't be changed; only convolutions, residual, "
                              "dense and FC layers can"},
        {"deepen:fc1:3", "action \"deepen:fc1:3\": only a convolution's kernel can be chosen; write deepen:fc1"},
        {"widen:conv1:", "action \"widen:conv1:\": \"\" is not a width; write a whole number from 1 to 4096"},
        {"widen:conv1:0", "action \"widen:conv1:0\": \"0\" is not a width; write a whole number from 1 to 4096"},
        {"widen:conv1:5000",
         "action \"widen:conv1:5000\": \"5000\" is not a width; write a whole number from 1 to 4096"},
        {"widen:conv1:4:5", "action \"widen:conv1:4:5\": \"4:5\" is not a width; write a whole number from 1 to 4096"},
        {"deepen:conv1:13", "action \"deepen:conv1:13\": \"13\" is not a kernel; write a whole number from 1 to 11"},
        {"widening:conv1",
         "action \"widening:conv1\": \"widening\" is not a kind of action; use widen, deepen, narrow, "
         "remove, kernel or squeeze"},
        {"remove:conv2:1", "action \"remove:conv2:1\": a removal takes no number; write remove:conv2"},
        {"squeeze:conv2:1", "action \"squeeze:conv2:1\": squeeze-and-excitation takes no number; write squeeze:conv2"},
        {"narrow:conv1:0", "action \"narrow:conv1:0\": \"0\" is not a width; write a whole number from 1 to 4096"},
        {"kernel:conv1:13", "action \"kernel:conv1:13\": \"13\" is not a kernel; write a whole number from 1 to 11"},
        {"deepen:conv1:x", "action \"deepen:conv1:x\": \"x\" is not a kernel; write a whole number from 1 to 11"},
    };
    const struct arch arch = parsed(PARENT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct action action;
        struct error error = {""};
        assert_int_equal(action_parse(&arch, rows[i][0], &action, &error), -1);
        assert_string_equal(error.text, rows[i][1]);
    }
}

static void actions_make_children(void **state)
{
    static const char *const rows[][2] = {
        {"widen:conv1:20", "C(20,3,2) P(2,2) C(32,5,1) A(2,2) FC(64) SM(10)"},
        {"widen:conv2:33", "C(16,3,2) P(2,2) C(33,5,1) A(2,2) FC(64) SM(10)"},
        {"widen:fc1:4096", "C(16,3,2) P(2,2) C(32,5,1) A(2,2) FC(4096) SM(10)"},
        {"widen:fc1:128", "C(16,3,2) P(2,2) C(32,5,1) A(2,2) FC(128) SM(10)"},
        {"deepen:conv1:1", "C(16,3,2) C(16,1,1) P(2,2) C(32,5,1) A(2,2) FC(64) SM(10)"},
        {"deepen:conv2:3", "C(16,3,2) P(2,2) C(32,5,1) C(32,3,1) A(2,2) FC(64) SM(10)"},
        {"deepen:fc1", "C(16,3,2) P(2,2) C(32,5,1) A(2,2) FC(64) FC(64) SM(10)"},
        {"narrow:conv2:1", "C(16,3,2) P(2,2) C(1,5,1) A(2,2) FC(64) SM(10)"},
        {"narrow:fc1:63", "C(16,3,2) P(2,2) C(32,5,1) A(2,2) FC(63) SM(10)"},
        {"kernel:conv1:5", "C(16,5,2) P(2,2) C(32,5,1) A(2,2) FC(64) SM(10)"},
        {"kernel:conv2:1", "C(16,3,2) P(2,2) C(32,1,1) A(2,2) FC(64) SM(10)"},
    };
    const struct arch parent = parsed(PARENT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct action action;
        struct arch child, same = parent;
        struct error error = {""};
        assert_int_equal(action_parse(&parent, rows[i][0], &action, &error), 0);
        assert_int_equal(action_apply(&parent, &action, &child, &error), 0);
        check_arch(&child, rows[i][1]);
        assert_int_equal(action_apply(&same, &action, &same, &error), 0);
        assert_true(arch_equal(&child, &same));
        check_arch(&parent, PARENT);
    }
}

static void check_refused(const struct arch *arch, struct action action, const char *message)
{
    struct arch child;
    struct error error = {""};
    assert_int_equal(action_apply(arch, &action, &child, &error), -1);
    assert_string_equal(error.text, message);
}

static void every_message_of_applying(void **state)
{
    struct arch arch = parsed(PARENT);
    check_refused(&arch, (struct action){ACTION_WIDEN, 6, 8, 0, 0, 0}, "there is no layer 7; the network has 6");
    check_refused(&arch, (struct action){ACTION_WIDEN, -1, 8, 0, 0, 0}, "there is no layer 0; the network has 6");
    check_refused(&arch, (struct action){ACTION_WIDEN, 1, 8, 0, 0, 0},
                  "pool1 can't be changed; only convolutions, residual, dense and FC layers can");
    check_refused(&arch, (struct action){ACTION_DEEPEN, 5, 0, 0, 0, 0},
                  "classifier can't be changed; only convolutions, residual, dense and FC layers can");
    check_refused(&arch, (struct action){ACTION_WIDEN, 2, 32, 0, 0, 0},
                  "conv2 can't be widened from 32 to 32; choose more than it has");
    check_refused(&arch, (struct action){ACTION_WIDEN, 4, 5000, 0, 0, 0},
                  "fc1 can't be widened to 5000; it can have at most 4096");
    check_refused(&arch, (struct action){ACTION_DEEPEN, 0, 0, 4, 0, 0},
                  "no layer with kernel 4 can follow conv1; kernels are odd, from 1 to 11");
    check_refused(&arch, (struct action){ACTION_DEEPEN, 0, 0, 0, 0, 0},
                  "no layer with kernel 0 can follow conv1; kernels are odd, from 1 to 11");
    check_refused(&arch, (struct action){ACTION_DEEPEN, 0, 0, 13, 0, 0},
                  "no layer with kernel 13 can follow conv1; kernels are odd, from 1 to 11");
    check_refused(&arch, (struct action){ACTION_NARROW, 2, 32, 0, 0, 0},
                  "conv2 can't be narrowed from 32 to 32; choose less than it has");
    check_refused(&arch, (struct action){ACTION_NARROW, 2, 0, 0, 0, 0},
                  "conv2 can't be narrowed to 0; a layer has at least 1");
    check_refused(&arch, (struct action){ACTION_NARROW, 1, 1, 0, 0, 0},
                  "pool1 can't be changed; only convolutions, residual, dense and FC layers can");
    check_refused(&arch, (struct action){ACTION_KERNEL, 4, 0, 3, 0, 0},
                  "fc1 has no kernel; only convolutions have one");
    check_refused(&arch, (struct action){ACTION_KERNEL, 0, 0, 3, 0, 0}, "conv1 has kernel 3 already; choose another");
    check_refused(&arch, (struct action){ACTION_KERNEL, 0, 0, 4, 0, 0},
                  "conv1 can't have kernel 4; kernels are odd, from 1 to 11");
    check_refused(&arch, (struct action){ACTION_KERNEL, 0, 0, 13, 0, 0},
                  "conv1 can't have kernel 13; kernels are odd, from 1 to 11");
    const struct action deepen = {ACTION_DEEPEN, 0, 0, 1, 0, 0};
    while (arch.layer_count < ARCH_LAYERS_MAX)
        assert_int_equal(action_apply(&arch, &deepen, &arch, NULL), 0);
    check_refused(&arch, deepen, "no layer can follow conv1; the network has 128 already, the most there can be");
}

/* A layer can go where the next one can read what it read. */
static void removals(void **state)
{
    const struct arch plain = parsed("P(2,2) C(8,3,1) C(8,3,2) C(8,5,1) C(16,3,1) A(2,2) FC(32) FC(32) FC(8) SM(10)");
    const struct arch dense = parsed("C(4,3,1) D(2,[4,4]) T(0.5) P(2,2) C(6,3,1) A(2,2) SM(10)");
    struct arch child;
    static const struct {
        int layer;
        const char *message;
    } refused[] = {
        {1, "conv1 can't be removed; it is the first convolution"},
        {2, "conv2 can't be removed; with a stride of 2 it makes the map smaller"},
        {4, "conv4 can't be removed; it makes 16 channels of 8, and the layers behind it need them"},
        {6, "fc1 can't be removed; it is the first FC layer"},
        {8, "fc3 can't be removed; it makes 8 values of 32, and the layers behind it need them"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        check_refused(&plain, (struct action){ACTION_REMOVE, refused[i].layer, 0, 0, 0, 0}, refused[i].message);
    check_refused(&dense, (struct action){ACTION_REMOVE, 1, 0, 0, 0, 0},
                  "dense1 can't be removed; only convolutions, residual blocks and FC layers can");
    assert_int_equal(action_apply(&plain, &(struct action){ACTION_REMOVE, 3, 0, 0, 0, 0}, &child, NULL), 0);
    check_arch(&child, "P(2,2) C(8,3,1) C(8,3,2) C(16,3,1) A(2,2) FC(32) FC(32) FC(8) SM(10)");
    assert_int_equal(action_apply(&child, &(struct action){ACTION_REMOVE, 6, 0, 0, 0, 0}, &child, NULL), 0);
    check_arch(&child, "P(2,2) C(8,3,1) C(8,3,2) C(16,3,1) A(2,2) FC(32) FC(8) SM(10)");
    assert_int_equal(action_apply(&dense, &(struct action){ACTION_REMOVE, 5, 0, 0, 0, 0}, &child, NULL),
                     0); /* (4+4+4)/2 */
    check_arch(&child, "C(4,3,1) D(2,[4,4]) T(0.5) P(2,2) A(2,2) SM(10)");
}

static void which_are_exact(void **state)
{
    static const struct {
        struct action action;
        bool exact;
    } rows[] = {
        {{ACTION_WIDEN, 0, 20, 0, 0, 0}, true},  {{ACTION_DEEPEN, 0, 0, 3, 0, 0}, true},
        {{ACTION_KERNEL, 0, 0, 5, 0, 0}, true},  {{ACTION_NARROW, 0, 12, 0, 0, 0}, false},
        {{ACTION_REMOVE, 2, 0, 0, 0, 0}, false}, {{ACTION_KERNEL, 0, 0, 1, 0, 0}, false},
    };
    const struct arch arch = parsed(PARENT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(action_is_exact(&arch, &rows[i].action), rows[i].exact);
}

/* Any chain of completed actions stays well-formed, keeps the output shape and costs more at each step. */
static void random_chains_stay_well_formed(void **state)
{
    struct random_stream stream = random_stream_new(2, RANDOM_TEST, 0, 0);
    const struct space *space = space_find("small");
    int applied = 0;
    for (int i = 0; i < 200; i++) {
        struct shape input = random_input(&stream), shapes[ARCH_LAYERS_MAX];
        struct arch arch = random_arch(&stream, input);
        int64_t parameters = arch_cost(&arch, input).parameters;
        for (int step = 0; step < 20; step++) {
            struct action action = {random_below(&stream, 2) ? ACTION_WIDEN : ACTION_DEEPEN,
                                    random_between(&stream, 0, arch.layer_count - 1),
                                    0,
                                    0,
                                    0,
                                    0};
            struct text text = TEXT_EMPTY;
            struct action same;
            struct error error = {""};
            bool changes = layer_grows(&arch.layers[action.layer]);
            if (space_complete(space, &arch, &action, &error) ||
                action_apply(&arch, &action, &(struct arch){0}, NULL)) {
                assert_true(!changes || action.kind == ACTION_WIDEN); /* only the widest refuse */
                continue;
            }
            action_print(&arch, &action, &text);
            assert_int_equal(action_parse(&arch, text_string(&text), &same, &error), 0);
            assert_memory_equal(&action, &same, sizeof(action));
            text_done(&text);
            assert_int_equal(action_apply(&arch, &action, &arch, &error), 0);
            assert_int_equal(arch_shapes(&arch, input, shapes, &error), 0);
            assert_true(arch_cost(&arch, input).parameters > parameters);
            parameters = arch_cost(&arch, input).parameters;
            applied++;
        }
    }
    assert_true(applied > 1000);
}

static void spaces_are_ascending_lists(void **state)
{
    int count = 0;
    for (const struct space *space; (space = space_at(count)); count++) {
        assert_ptr_equal(space_find(space->name), space);
        for (int list = WIDTHS_NONE + 1; list < WIDTH_LISTS; list++) {
            const struct space_widths *widths = &space->widths[list];
            assert_true(widths->count > 1);
            for (int i = 1; i < widths->count; i++)
                assert_true(widths->values[i] > widths->values[i - 1]);
            assert_int_equal(widths->values[widths->count], 0);
        }
        assert_int_equal(space->kernel_count, 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(space->kernels[i], 2 * i + (space->modern ? 3 : 1));
    }
    assert_int_equal(count, 3);
    assert_null(space_at(-1));
    assert_null(space_find("large"));
    const struct space *paper = space_find("paper");
    assert_int_equal(paper->widths[WIDTHS_FILTERS].count, 13);
    assert_int_equal(paper->widths[WIDTHS_FILTERS].values[12], 640);
    assert_int_equal(paper->widths[WIDTHS_UNITS].count, 11);
    assert_int_equal(paper->widths[WIDTHS_UNITS].values[10], 1280);
}

static void widths_step_through_the_space(void **state)
{
    const struct space *space = space_find("small");
    struct layer layer = {.kind = LAYER_CONV, .units = 1, .kernel = 3, .stride = 1};
    int width = 4;
    for (; (layer.units = space_wider(space, &layer)); width += 4)
        assert_int_equal(layer.units, width);
    assert_int_equal(width, 44);
    layer.units = 37;
    assert_int_equal(space_wider(space, &layer), 40);
    layer = (struct layer){.kind = LAYER_FC, .units = 40, .kernel = 0, .stride = 0};
    assert_int_equal(space_wider(space, &layer), 48);
    layer.units = 80;
    assert_int_equal(space_wider(space, &layer), 0);
    layer = (struct layer){.kind = LAYER_SOFTMAX, .units = 10, .kernel = 0, .stride = 0};
    assert_int_equal(space_wider(space, &layer), 0);
    assert_false(layer_grows(&layer));
    layer = (struct layer){.kind = LAYER_MAX_POOL, .units = 0, .kernel = 2, .stride = 2};
    assert_int_equal(space_wider(space, &layer), 0);
    assert_false(layer_grows(&layer));
}

static void check_completed(const char *text, const char *expected)
{
    const struct arch arch = parsed("C(16,3,1) C(40,3,1) C(3,5,1) FC(64) SM(10)");
    struct action action;
    struct error error = {""};
    struct text completed = TEXT_EMPTY;
    assert_int_equal(action_parse(&arch, text, &action, NULL), 0);
    if (space_complete(space_find("small"), &arch, &action, &error))
        text_add(&completed, "%s", error.text);
    else
        action_print(&arch, &action, &completed);
    assert_string_equal(text_string(&completed), expected);
    text_done(&completed);
}

static void what_is_left_out_is_completed(void **state)
{
    check_completed("widen:conv1", "widen:conv1:20");
    check_completed("widen:conv1:17", "widen:conv1:17");
    check_completed("widen:fc1", "widen:fc1:72");
    check_completed("deepen:conv1", "deepen:conv1:3");
    check_completed("deepen:conv1:5", "deepen:conv1:5");
    check_completed("deepen:fc1", "deepen:fc1");
    check_completed("widen:conv2:41", "widen:conv2:41");
    check_completed("narrow:conv1", "narrow:conv1:12");
    check_completed("narrow:conv1:15", "narrow:conv1:15");
    check_completed("narrow:fc1", "narrow:fc1:56");
    check_completed("kernel:conv1", "kernel:conv1:5");
    check_completed("kernel:conv1:1", "kernel:conv1:1");
    check_completed("remove:conv2", "remove:conv2");
    check_completed("narrow:conv3",
                    "conv3 has 3, and the small space has nothing narrower; name a width to go below it");
    check_completed("kernel:conv3", "conv3 has kernel 5 already, the largest of the small space; name a kernel");
    check_completed("widen:conv2", "conv2 has 40 already, the widest of the small space; name a width to go past it");
}

static void check_start(const char *space, struct shape input, const char *expected)
{
    struct arch arch;
    struct shape shapes[ARCH_LAYERS_MAX];
    space_start(space_find(space), input, 10, &arch);
    check_arch(&arch, expected);
    struct arch same = parsed(expected);
    assert_true(arch_equal(&arch, &same)); /* also in what is not printed */
    assert_int_equal(arch_shapes(&arch, input, shapes, NULL), 0);
}

static void start_networks(void **state)
{
    check_start("small", (struct shape){3, 32, 32},
                "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(10)");
    check_start("paper", (struct shape){1, 28, 28},
                "C(16,3,1) P(2,2) C(16,3,1) P(2,2) C(16,3,1) P(2,2) C(16,3,1) A(3,3) FC(64) SM(10)");
    check_start("small", (struct shape){3, 16, 40},
                "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(2,1) FC(8) SM(10)");
    check_start("small", (struct shape){1, 15, 15}, "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(3,3) FC(8) SM(10)");
    check_start("small", (struct shape){1, 8, 8}, "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(2,2) FC(8) SM(10)");
    struct shape shapes[ARCH_LAYERS_MAX];
    for (int height = 1; height < 70; height++)
        for (int width = 1; width < 70; width += 3) {
            struct arch arch;
            space_start(space_find("small"), (struct shape){3, height, width}, 2, &arch);
            assert_int_equal(arch_shapes(&arch, (struct shape){3, height, width}, shapes, NULL), 0);
        }
}

static void check_dense_start(const char *space, struct shape input, const char *expected)
{
    struct arch arch;
    struct shape shapes[ARCH_LAYERS_MAX];
    space_start_dense(space_find(space), input, 10, &arch);
    check_arch(&arch, expected);
    struct arch same = parsed(expected);
    assert_true(arch_equal(&arch, &same)); /* also in what is not printed */
    assert_int_equal(arch_shapes(&arch, input, shapes, NULL), 0);
}

static void dense_start_networks(void **state)
{
    check_dense_start("small", (struct shape){1, 28, 28},
                      "C(8,3,1) P(2,2) D(4,[4]) T(0.5) D(4,[4]) T(0.5) D(4,[4]) A(3,3) SM(10)");
    check_dense_start("paper", (struct shape){3, 32, 32},
                      "C(80,3,1) P(2,2) D(4,[40]) T(0.5) D(4,[40]) T(0.5) D(4,[40]) A(4,4) SM(10)");
    check_dense_start("small", (struct shape){3, 9, 40}, "C(8,3,1) P(2,2) D(4,[4]) T(0.5) D(4,[4]) A(2,2) SM(10)");
    check_dense_start("small", (struct shape){3, 3, 3}, "C(8,3,1) D(4,[4]) A(3,3) SM(10)");
    struct shape shapes[ARCH_LAYERS_MAX];
    for (int height = 1; height < 70; height++)
        for (int width = 1; width < 70; width += 3) {
            struct arch arch;
            space_start_dense(space_find("small"), (struct shape){3, height, width}, 2, &arch);
            assert_int_equal(arch_shapes(&arch, (struct shape){3, height, width}, shapes, NULL), 0);
        }
}

static void modern_start_networks(void **state)
{
    struct arch arch;
    struct shape shapes[ARCH_LAYERS_MAX];
    space_start_modern(space_find("modern"), (struct shape){3, 32, 32}, 10, &arch);
    check_arch(&arch, "C(8,3,1) M(24,3) S(8,3,2) M(24,3) S(8,3,2) M(24,3) A(8,8) SM(10)");
    for (int height = 1; height < 70; height++)
        for (int width = 1; width < 70; width += 3) {
            space_start_modern(space_find("modern"), (struct shape){3, height, width}, 2, &arch);
            assert_int_equal(arch_shapes(&arch, (struct shape){3, height, width}, shapes, NULL), 0);
        }
}

static void check_dense(const char *text, const char *expected, const char *shown)
{
    const struct arch parent = parsed("C(8,3,1) D(4,[4,6]) T(0.5) D(0,[48]) A(2,2) SM(10)");
    struct arch child;
    struct action action;
    struct error error = {""};
    struct text screen = TEXT_EMPTY;
    if (action_parse(&parent, text, &action, &error) || space_complete(space_find("small"), &parent, &action, &error) ||
        action_apply(&parent, &action, &child, &error)) {
        assert_string_equal(error.text, expected);
        return;
    }
    check_arch(&child, expected);
    action_show(&parent, &action, true, &screen);
    assert_string_equal(text_string(&screen), shown);
    text_done(&screen);
}

static void dense_layers_grow(void **state)
{
    check_dense("widen:dense1", "C(8,3,1) D(4,[6,6]) T(0.5) D(0,[48]) A(2,2) SM(10)", "W dense1 4→6");
    check_dense("widen:dense3:49", "C(8,3,1) D(4,[4,6]) T(0.5) D(0,[49]) A(2,2) SM(10)", "W dense3 48→49");
    check_dense("deepen:dense2", "C(8,3,1) D(4,[4,6,6]) T(0.5) D(0,[48]) A(2,2) SM(10)", "D dense2 +dense");
    check_dense("deepen:dense3", "C(8,3,1) D(4,[4,6]) T(0.5) D(0,[48,48]) A(2,2) SM(10)", "D dense3 +dense");
    check_dense("deepen:conv1", "C(8,3,1) C(8,3,1) D(4,[4,6]) T(0.5) D(0,[48]) A(2,2) SM(10)", "D conv1 +3×3");
    check_dense("widen:dense3", "dense3 has 48 already, the widest of the small space; name a width to go past it", "");
    check_dense("widen:dense1:257", "dense1 can't be widened to 257; it can have at most 256", "");
    check_dense("deepen:dense1:3",
                "action \"deepen:dense1:3\": only a convolution's kernel can be chosen; write deepen:dense1", "");
    check_dense("widen:transition1:4",
                "action \"widen:transition1:4\": transition1 can't be changed; only convolutions, residual, dense and "
                "FC layers can",
                "");
}

static void check_modern(const char *space, const char *text, const char *expected, const char *shown)
{
    const struct arch parent = parsed("C(8,3,1) M(24,3) R(16,5) P(2,2) S(12,3,2) S(12,3,1) A(2,2) FC(64) SM(10)");
    struct arch child;
    struct action action, same;
    struct error error = {""};
    struct text screen = TEXT_EMPTY;
    if (action_parse(&parent, text, &action, &error) || space_complete(space_find(space), &parent, &action, &error) ||
        action_apply(&parent, &action, &child, &error)) {
        assert_string_equal(error.text, expected);
        return;
    }
    check_arch(&child, expected);
    action_show(&parent, &action, true, &screen);
    assert_string_equal(text_string(&screen), shown);
    text_clear(&screen);
    action_print(&parent, &action, &screen);
    assert_int_equal(action_parse(&parent, text_string(&screen), &same, &error), 0);
    assert_memory_equal(&action, &same, sizeof action);
    text_done(&screen);
}

#define MODERN_END "S(12,3,2) S(12,3,1) A(2,2) FC(64) SM(10)"

/* What a text left out before there were blocks, or named, means the same still. */
static void blocks_are_inserted_and_grow(void **state)
{
    check_modern("small", "deepen:conv1:5", "C(8,3,1) C(8,5,1) M(24,3) R(16,5) P(2,2) " MODERN_END, "D conv1 +5×5");
    check_modern("small", "deepen:conv1", "C(8,3,1) C(8,3,1) M(24,3) R(16,5) P(2,2) " MODERN_END, "D conv1 +3×3");
    check_modern("modern", "deepen:conv1:5", "C(8,3,1) C(8,5,1) M(24,3) R(16,5) P(2,2) " MODERN_END, "D conv1 +5×5");
    check_modern("modern", "deepen:conv1", "C(8,3,1) M(24,3) M(24,3) R(16,5) P(2,2) " MODERN_END, "D conv1 +M(24,3)");
    check_modern("modern", "deepen:mobile1:5", "C(8,3,1) M(24,3) M(24,5) R(16,5) P(2,2) " MODERN_END,
                 "D mobile1 +M(24,5)");
    check_modern("small", "deepen:residual1", "C(8,3,1) M(24,3) R(16,5) M(24,3) P(2,2) " MODERN_END,
                 "D residual1 +M(24,3)");
    check_modern("small", "deepen:conv1:r", "C(8,3,1) R(24,3) M(24,3) R(16,5) P(2,2) " MODERN_END, "D conv1 +R(24,3)");
    check_modern("small", "deepen:pool1:r(9,7)", "C(8,3,1) M(24,3) R(16,5) P(2,2) R(9,7) " MODERN_END,
                 "D pool1 +R(9,7)");
    check_modern("modern", "deepen:separable1",
                 "C(8,3,1) M(24,3) R(16,5) P(2,2) S(12,3,2) M(32,3) S(12,3,1) A(2,2) FC(64) SM(10)",
                 "D separable1 +M(32,3)");
    check_modern("modern", "deepen:fc1",
                 "C(8,3,1) M(24,3) R(16,5) P(2,2) S(12,3,2) S(12,3,1) A(2,2) FC(64) FC(64) SM(10)", "D fc1 +fc");
    check_modern("modern", "widen:mobile1", "C(8,3,1) M(32,3) R(16,5) P(2,2) " MODERN_END, "W mobile1 24→32");
    check_modern("modern", "narrow:residual1", "C(8,3,1) M(24,3) R(8,5) P(2,2) " MODERN_END, "N residual1 16→8");
    check_modern("modern", "widen:separable1",
                 "C(8,3,1) M(24,3) R(16,5) P(2,2) S(16,3,2) S(12,3,1) A(2,2) FC(64) SM(10)", "W separable1 12→16");
    check_modern("modern", "kernel:mobile1", "C(8,3,1) M(24,5) R(16,5) P(2,2) " MODERN_END, "K mobile1 3→5");
    check_modern("modern", "remove:mobile1", "C(8,3,1) R(16,5) P(2,2) " MODERN_END, "R mobile1");
    check_modern("modern", "remove:separable2", "C(8,3,1) M(24,3) R(16,5) P(2,2) S(12,3,2) A(2,2) FC(64) SM(10)",
                 "R separable2");
    check_modern("modern", "remove:separable1",
                 "separable1 can't be removed; with a stride of 2 it makes the map smaller", "");
    check_modern(
        "modern", "deepen:pool1",
        "action \"deepen:pool1\": pool1 can't be changed; only convolutions, residual, dense and FC layers can", "");
    check_modern("modern", "deepen:fc1:M",
                 "action \"deepen:fc1:M\": no block can follow fc1; blocks stand behind layers of maps", "");
    check_modern("modern", "deepen:conv1:S(8,3,1)",
                 "action \"deepen:conv1:S(8,3,1)\": \"S(8,3,1)\" is not a block; write R(hidden,kernel) or "
                 "M(hidden,kernel)",
                 "");
    check_modern("modern", "deepen:conv1:M(8,4)",
                 "action \"deepen:conv1:M(8,4)\": \"M(8,4)\" is not a block; write R(hidden,kernel) or "
                 "M(hidden,kernel)",
                 "");
    const struct arch dense = parsed("C(8,3,1) D(4,[4]) A(2,2) SM(10)");
    const struct arch late = parsed("P(2,2) C(8,3,1) SM(10)");
    check_refused(&dense, (struct action){ACTION_DEEPEN, 0, 8, 3, LAYER_MOBILE, 0},
                  "no block can follow conv1; R and M don't stand in a network with D or T");
    check_refused(&late, (struct action){ACTION_DEEPEN, 0, 8, 3, LAYER_RESIDUAL, 0},
                  "no block can follow pool1; a convolution must come before it");
    check_refused(&late, (struct action){ACTION_DEEPEN, 1, 0, 3, LAYER_RESIDUAL, 0},
                  "no block of 0 hidden channels can follow conv1; it can have 1 to 4096");
    check_refused(&late, (struct action){ACTION_DEEPEN, 1, 8, 2, LAYER_RESIDUAL, 0},
                  "no block with kernel 2 can follow conv1; kernels are odd, from 1 to 11");
}

static void check_lineage(char *const *actions, int count, bool unicode, const char *expected)
{
    struct text text = TEXT_EMPTY;
    lineage_show(PARENT, actions, count, unicode, &text);
    assert_string_equal(text_string(&text), expected);
    text_done(&text);
}

/* Each name is that of the network so far: the second conv2 is the new layer. */
static void lineage_names_each_step(void **state)
{
    char *actions[] = {"deepen:conv1:3", "widen:conv2:20", "widen:conv3:40"};
    check_lineage(actions, 3, true, "D conv1 +3×3, W conv2 16→20, W conv3 32→40");
    check_lineage(actions, 1, false, "D conv1 +3x3");
    check_lineage(actions, 0, true, "");
    char *trade[] = {"remove:conv2", "kernel:conv1:5", "narrow:fc1:56"};
    struct text text = TEXT_EMPTY;
    lineage_show("C(8,3,1) C(8,3,1) FC(64) SM(10)", trade, 3, true, &text);
    assert_string_equal(text_string(&text), "R conv2, K conv1 3→5, N fc1 64→56");
    text_done(&text);
    char *unknown[] = {"widen:conv1:20", "prune:conv1", "widen:conv1:24"};
    check_lineage(unknown, 3, true, "W conv1 16→20, prune:conv1, widen:conv1:24");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_both_ways),
        cmocka_unit_test(every_message_of_parsing),
        cmocka_unit_test(actions_make_children),
        cmocka_unit_test(every_message_of_applying),
        cmocka_unit_test(removals),
        cmocka_unit_test(which_are_exact),
        cmocka_unit_test(random_chains_stay_well_formed),
        cmocka_unit_test(spaces_are_ascending_lists),
        cmocka_unit_test(widths_step_through_the_space),
        cmocka_unit_test(what_is_left_out_is_completed),
        cmocka_unit_test(start_networks),
        cmocka_unit_test(dense_start_networks),
        cmocka_unit_test(modern_start_networks),
        cmocka_unit_test(dense_layers_grow),
        cmocka_unit_test(blocks_are_inserted_and_grow),
        cmocka_unit_test(lineage_names_each_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
