/*
 * test_layout.c - at every size the panes are inside the screen and overlap only by the line that neighbours share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tui/layout.h"

enum { WIDEST = 250, HIGHEST = 100 };

enum { FRAME = 200 };

static bool is_framed(int number)
{
    return number <= PANE_COUNT;
}

/* Every cell inside an area gets its number, and those of a pane's frame FRAME; a frame may lie on a frame, and nothing
   else on anything. */
static void cover(unsigned char *cells, int width, int height, struct area area, int number)
{
    if (!area.width || !area.height)
        return;
    if (area.x < 0 || area.y < 0 || area.width < 0 || area.height < 0 || area.x + area.width > width ||
        area.y + area.height > height)
        fail_msg("area %d: %d,%d %dx%d leaves the screen of %dx%d", number, area.x, area.y, area.width, area.height,
                 width, height);
    for (int y = 0; y < area.height; y++)
        for (int x = 0; x < area.width; x++) {
            bool frame = is_framed(number) && (!x || !y || x == area.width - 1 || y == area.height - 1);
            unsigned char *cell = &cells[(area.y + y) * width + area.x + x];
            if (*cell && !(frame && *cell == FRAME))
                fail_msg("area %d lies over area %d at %d,%d of %dx%d", number, *cell, area.x + x, area.y + y, width,
                         height);
            *cell = (unsigned char)(frame ? FRAME : number);
        }
}

static int overlap(int a, int a_length, int b, int b_length)
{
    int begin = a > b ? a : b, end = a + a_length < b + b_length ? a + a_length : b + b_length;
    return end - begin;
}

/* Neighbours share a line: no two frames stand side by side. */
static void check_neighbours(const struct layout *layout)
{
    for (int i = 0; i < PANE_COUNT; i++)
        for (int j = 0; j < i; j++) {
            struct area a = layout->panes[i], b = layout->panes[j];
            int across = overlap(a.x, a.width, b.x, b.width), down = overlap(a.y, a.height, b.y, b.height);
            if (a.width && b.width && ((across == 0 && down > 1) || (down == 0 && across > 1)))
                fail_msg("panes %d and %d have a frame each between them", i, j);
        }
}

static void check(int width, int height, int devices, enum pane focus, bool zoomed, bool replay)
{
    static unsigned char cells[WIDEST * HIGHEST];
    struct layout layout;
    memset(cells, 0, (size_t)(width * height));
    layout_compute(width, height, devices, focus, zoomed, replay, &layout);
    cover(cells, width, height, layout.header, 101);
    cover(cells, width, height, layout.replay_bar, 102);
    cover(cells, width, height, layout.keys, 103);
    for (int pane = 0; pane < PANE_COUNT; pane++)
        cover(cells, width, height, layout.panes[pane], pane + 1);
    check_neighbours(&layout);
    /* Every cell is used, except on the smallest screens, which have one line. */
    if (layout.header.width)
        for (int i = 0; i < width * height; i++)
            if (!cells[i])
                fail_msg("%d,%d of %dx%d belongs to nobody", i % width, i / width, width, height);
    if (layout.header.width && (zoomed || width < 80 || height < 24))
        assert_true(layout.panes[focus].width > 0);
}

static void every_size(void **state)
{
    (void)state;
    for (int height = 1; height <= HIGHEST; height++)
        for (int width = 1; width <= WIDEST; width++)
            check(width, height, (width * 7 + height * 3) % 65, (enum pane)((width + height) % PANE_COUNT),
                  width % 5 == 0, height % 3 == 0);
}

/* The sizes around every border between two arrangements, with everything else in all its values. */
static void every_mode_at_the_borders(void **state)
{
    (void)state;
    static const int widths[] = {1, 2, 29, 30, 31, 79, 80, 81, 109, 110, 120, 159, 160, 200, 250};
    static const int heights[] = {1, 2, 3, 7, 8, 9, 11, 12, 23, 24, 25, 33, 34, 40, 49, 50, 60, 100};
    static const int devices[] = {0, 1, 2, 3, 4, 7, 8, 16, 63, 64};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t h = 0; h < sizeof heights / sizeof *heights; h++)
            for (size_t d = 0; d < sizeof devices / sizeof *devices; d++)
                for (int focus = 0; focus < PANE_COUNT; focus++)
                    for (int mode = 0; mode < 4; mode++)
                        check(widths[w], heights[h], devices[d], (enum pane)focus, mode & 1, mode & 2);
}

/* What the three sizes of the sketches show. */
static void panes_of_the_usual_sizes(void **state)
{
    (void)state;
    struct layout layout;
    layout_compute(80, 24, 8, PANE_TREE, false, false, &layout);
    assert_int_equal(layout.header.height, 2);
    assert_true(layout.panes[PANE_TREE].width && layout.panes[PANE_NETWORK].width && layout.panes[PANE_CURVES].width);
    assert_true(layout.panes[PANE_DEVICES].width && layout.panes[PANE_LOG].width);
    assert_int_equal(layout.panes[PANE_CONTROLLER].width, 0);
    layout_compute(120, 40, 8, PANE_TREE, false, false, &layout);
    assert_true(layout.panes[PANE_CONTROLLER].width);
    assert_int_equal(layout.panes[PANE_TRADE].width, 0);
    layout_compute(200, 60, 8, PANE_TREE, false, true, &layout);
    for (int pane = 0; pane < PANE_COUNT; pane++)
        assert_true(layout.panes[pane].width && layout.panes[pane].height);
    assert_int_equal(layout.replay_bar.height, 1);
    layout_compute(29, 24, 8, PANE_TREE, false, false, &layout);
    assert_int_equal(layout.header.width, 0);
    assert_int_equal(layout.keys.height, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),
        cmocka_unit_test(every_mode_at_the_borders),
        cmocka_unit_test(panes_of_the_usual_sizes),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
