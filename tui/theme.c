/*
 * theme.c - the themes as tables.  The background is always the terminal's own; a selected row is reversed.  Nothing is
 * shown by colour alone: states have glyphs too.  The best has the colour of its star (BEST) in the curves too (CURVE_C).
 */
#include "tui/theme.h"

#include <stddef.h>
#include <string.h>

#include "util/bug.h"

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE, OWN = -1 };

/* The same in all themes. */
#define COMMON_STYLES \
    [STYLE_NORMAL] = {OWN, OWN, 0, 0}, [STYLE_BOLD] = {OWN, OWN, THEME_BOLD, THEME_BOLD}, \
    [STYLE_SELECTED] = {OWN, OWN, THEME_REVERSE, THEME_REVERSE}, [STYLE_KEY] = {OWN, OWN, THEME_BOLD, THEME_BOLD}, \
    [STYLE_KEY_LABEL] = {OWN, OWN, THEME_REVERSE, THEME_REVERSE}, [STYLE_HEADER] = {OWN, OWN, THEME_BOLD, THEME_BOLD}, \
    [STYLE_FIELD] = {OWN, OWN, THEME_UNDERLINE, THEME_UNDERLINE}, [STYLE_DIALOG] = {OWN, OWN, 0, 0}

static const struct theme_style dark[STYLE_COUNT] = {
    COMMON_STYLES,
    [STYLE_DIM] = {245, WHITE, 0, THEME_DIM},
    [STYLE_TITLE] = {152, CYAN, 0, 0},
    [STYLE_BORDER] = {240, WHITE, 0, THEME_DIM},
    [STYLE_FOCUS] = {114, GREEN, THEME_BOLD, THEME_BOLD},
    [STYLE_QUEUED] = {245, WHITE, 0, THEME_DIM},
    [STYLE_RUNNING] = {81, CYAN, THEME_BOLD, THEME_BOLD},
    [STYLE_DONE] = {OWN, OWN, 0, 0},
    [STYLE_FAILED] = {203, RED, 0, 0},
    [STYLE_PINNED] = {221, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_USER] = {176, MAGENTA, 0, 0},
    [STYLE_BEST] = {221, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_GAIN] = {114, GREEN, 0, 0},
    [STYLE_LOSS] = {174, RED, 0, 0},
    [STYLE_WARNING] = {215, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_CURVE_A] = {81, CYAN, 0, 0},
    [STYLE_CURVE_B] = {114, GREEN, 0, THEME_DIM},
    [STYLE_CURVE_C] = {221, YELLOW, 0, THEME_BOLD},
    [STYLE_CURVE_D] = {176, MAGENTA, 0, THEME_UNDERLINE},
    [STYLE_METER] = {114, GREEN, 0, 0},
    [STYLE_METER_REST] = {238, WHITE, 0, THEME_DIM},
};

static const struct theme_style light[STYLE_COUNT] = {
    COMMON_STYLES,
    [STYLE_DIM] = {243, BLACK, 0, THEME_DIM},
    [STYLE_TITLE] = {24, BLUE, 0, 0},
    [STYLE_BORDER] = {250, BLACK, 0, THEME_DIM},
    [STYLE_FOCUS] = {22, GREEN, THEME_BOLD, THEME_BOLD},
    [STYLE_QUEUED] = {243, BLACK, 0, THEME_DIM},
    [STYLE_RUNNING] = {25, BLUE, THEME_BOLD, THEME_BOLD},
    [STYLE_DONE] = {OWN, OWN, 0, 0},
    [STYLE_FAILED] = {124, RED, 0, 0},
    [STYLE_PINNED] = {94, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_USER] = {90, MAGENTA, 0, 0},
    [STYLE_BEST] = {94, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_GAIN] = {22, GREEN, 0, 0},
    [STYLE_LOSS] = {124, RED, 0, 0},
    [STYLE_WARNING] = {130, RED, THEME_BOLD, THEME_BOLD},
    [STYLE_CURVE_A] = {25, BLUE, 0, 0},
    [STYLE_CURVE_B] = {22, GREEN, 0, THEME_DIM},
    [STYLE_CURVE_C] = {94, YELLOW, 0, THEME_BOLD},
    [STYLE_CURVE_D] = {90, MAGENTA, 0, THEME_UNDERLINE},
    [STYLE_METER] = {22, GREEN, 0, 0},
    [STYLE_METER_REST] = {252, BLACK, 0, THEME_DIM},
};

/* Blue, orange, yellow, pink (Okabe and Ito, 2008): distinct with every common kind of colour blindness. */
static const struct theme_style colour_blind[STYLE_COUNT] = {
    COMMON_STYLES,
    [STYLE_DIM] = {245, WHITE, 0, THEME_DIM},
    [STYLE_TITLE] = {74, CYAN, 0, 0},
    [STYLE_BORDER] = {240, WHITE, 0, THEME_DIM},
    [STYLE_FOCUS] = {74, CYAN, THEME_BOLD, THEME_BOLD},
    [STYLE_QUEUED] = {245, WHITE, 0, THEME_DIM},
    [STYLE_RUNNING] = {74, CYAN, THEME_BOLD, THEME_BOLD},
    [STYLE_DONE] = {OWN, OWN, 0, 0},
    [STYLE_FAILED] = {208, YELLOW, THEME_UNDERLINE, THEME_UNDERLINE},
    [STYLE_PINNED] = {227, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_USER] = {175, MAGENTA, 0, 0},
    [STYLE_BEST] = {227, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_GAIN] = {74, CYAN, 0, 0},
    [STYLE_LOSS] = {208, YELLOW, 0, 0},
    [STYLE_WARNING] = {208, YELLOW, THEME_BOLD, THEME_BOLD},
    [STYLE_CURVE_A] = {74, CYAN, 0, 0},
    [STYLE_CURVE_B] = {208, YELLOW, 0, THEME_DIM},
    [STYLE_CURVE_C] = {227, YELLOW, 0, THEME_BOLD},
    [STYLE_CURVE_D] = {175, MAGENTA, 0, THEME_UNDERLINE},
    [STYLE_METER] = {74, CYAN, 0, 0},
    [STYLE_METER_REST] = {238, WHITE, 0, THEME_DIM},
};

static const struct { const char *name; const struct theme_style *styles; } themes[] = {
    {"dark", dark}, {"light", light}, {"colour-blind", colour_blind}, {"mono", dark},
};

const struct theme_style *theme_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(themes); i++)
        if (!strcmp(themes[i].name, name))
            return themes[i].styles;
    return NULL;
}

struct theme_page theme_page(const char *name)
{
    if (!strcmp(name, "light"))
        return (struct theme_page){{0x24, 0x29, 0x2f}, {0xff, 0xff, 0xff}};
    return (struct theme_page){{0xd4, 0xd7, 0xdd}, {0x16, 0x18, 0x1d}};
}

void theme_rgb(int colour, uint8_t rgb[3])
{
    static const uint8_t steps[] = {0, 95, 135, 175, 215, 255};
    ASSERT(colour >= 16 && colour <= 255);
    int cube = colour - 16, grey = 8 + 10 * (colour - 232);
    for (int i = 2; i >= 0; i--, cube /= 6)
        rgb[i] = colour < 232 ? steps[cube % 6] : (uint8_t)grey;
}
