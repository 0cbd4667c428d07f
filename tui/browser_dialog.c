/*
 * browser_dialog.c - what opens over the list of sessions: the line for a filter or a name, a question, a page of text,
 * and the help.
 *
 * A question is answered by a letter, never by Enter.  The form is in browser_form.c.
 */
#include <stdio.h>
#include <string.h>

#include "tui/browser.h"
#include "tui/browser_form.h"
#include "tui/overlay_kind.h"
#include "tui/view.h"
#include "util/bug.h"

enum { WIDTH = 78, QUESTION_WIDTH = 64 };

/* --- lines of text --- */

/* Take the first line off a text; false at its end. */
bool browser_next_line(const char **text, char line[BROWSER_LINE])
{
    size_t length = strcspn(*text, "\n");
    if (!**text)
        return false;
    snprintf(line, BROWSER_LINE, "%.*s", (int)length, *text);
    *text += length + ((*text)[length] == '\n');
    return true;
}

/* Draw the lines from row `y` down, wrapped; returns the row after the last. */
static int draw_lines(const char *text, struct canvas *canvas, struct area area, int y)
{
    char line[BROWSER_LINE];
    for (bool first = true; browser_next_line(&text, line); first = false)
        y = *line ? canvas_words(canvas, area, y, first ? STYLE_NORMAL : STYLE_KEY, line) : y + 1;
    return y;
}

/* --- a question --- */

void browser_ask(struct browser *browser, enum browser_answer yes, const char *title, const char *lines)
{
    browser->dialog = BROWSER_QUESTION;
    browser->asked = yes;
    snprintf(browser->title, sizeof browser->title, " %s ", title);
    text_clear(&browser->text);
    text_add(&browser->text, "%s", lines);
}

static void draw_question(const struct browser *browser, struct canvas *canvas)
{
    int width = (QUESTION_WIDTH < canvas->width ? QUESTION_WIDTH : canvas->width) - 4;
    const char *lines = browser->text.bytes;
    int height = draw_lines(lines, canvas, (struct area){.width = width}, 0);
    struct area inside = overlay_box(canvas, QUESTION_WIDTH, height + 2, browser->title);
    draw_lines(lines, canvas, inside.width > width ? area_part(inside, 1, 0, width, inside.height) : inside, 0);
}

static enum browser_answer key_question(struct browser *browser, int key)
{
    if (key == 'y' || key == KEY_CODE_ESCAPE || key == KEY_CODE_INTERRUPT || key == 'n' || key == 'q' || key == 'c')
        browser->dialog = BROWSER_LIST;
    return key == 'y' ? browser->asked : BROWSER_STAY;
}

/* --- a page of text, which isn't wrapped: it may be a table --- */

void browser_open_page(struct browser *browser, const char *title, const char *lines)
{
    if (browser->dialog != BROWSER_PAGE)
        browser->page_top = browser->page_left = 0;
    browser->dialog = BROWSER_PAGE;
    snprintf(browser->title, sizeof browser->title, " %s ─ ↑↓←→ scroll, Escape closes ", title);
    text_clear(&browser->text);
    text_add(&browser->text, "%s", lines);
}

/* Without its first `count` characters. */
static const char *skip(const char *line, int count)
{
    while (*line && (count > 0 || ((unsigned char)*line & 0xc0) == 0x80))
        count -= ((unsigned char)*line++ & 0xc0) != 0x80;
    return line;
}

static void draw_page(struct browser *browser, struct canvas *canvas)
{
    const char *left = text_string(&browser->text);
    char line[BROWSER_LINE];
    int lines = 0;
    struct area inside = overlay_box(canvas, canvas->width, canvas->height, browser->title);
    for (const char *at = left; browser_next_line(&at, line);)
        lines++;
    browser->page_height = inside.height;
    scroll_settle(&browser->page_top, lines - inside.height);
    for (int y = -browser->page_top; browser_next_line(&left, line); y++)
        canvas_text(canvas, inside, 0, y, STYLE_NORMAL, "%s", skip(line, browser->page_left));
}

static enum browser_answer key_page(struct browser *browser, int key)
{
    enum { STEP = 8, LEFT_MOST = 400 };
    enum request request = request_of_key(key);
    bool sideways = browser->dialog == BROWSER_PAGE && (request == REQUEST_LEFT || request == REQUEST_RIGHT);
    if (sideways)
        browser->page_left += request == REQUEST_LEFT ? -STEP : STEP;
    browser->page_left = browser->page_left < 0 ? 0 : browser->page_left > LEFT_MOST ? LEFT_MOST : browser->page_left;
    if (!sideways && !scroll_request(&browser->page_top, request, browser->page_height))
        browser->dialog = BROWSER_LIST;
    return BROWSER_STAY;
}

/* --- help --- */

static const struct {
    enum request request;
    const char *meaning; /* NULL: as the table says */
} help[] = {
    {REQUEST_OPEN, "show the session as it is, read-only; a second click does the same"},
    {REQUEST_SESSION_ATTACH, NULL},
    {REQUEST_SESSION_RESUME, NULL},
    {REQUEST_SESSION_REPLAY, NULL},
    {REQUEST_SESSION_NEW, NULL},
    {REQUEST_MARK, "mark the session"},
    {REQUEST_COMPARE, "compare the marked sessions, as `espalier compare` does"},
    {REQUEST_SESSION_RENAME, NULL},
    {REQUEST_SESSION_WEIGHTS, NULL},
    {REQUEST_SESSION_DELETE, NULL},
    {REQUEST_FIND, "show only what has these words: name, state, data, policy, user"},
    {REQUEST_CANCEL, "show all again"},
    {REQUEST_SORT, "order by the next column; a click on a heading does it too"},
    {REQUEST_REVERSE, "the other direction"},
    {REQUEST_UP, NULL},
    {REQUEST_DOWN, NULL},
    {REQUEST_PAGE_UP, NULL},
    {REQUEST_PAGE_DOWN, NULL},
    {REQUEST_FIRST, NULL},
    {REQUEST_LAST, NULL},
    {REQUEST_MOUSE, NULL},
    {REQUEST_SAVE_SCREEN, NULL},
    {REQUEST_REDRAW, NULL},
    {REQUEST_SUSPEND, NULL},
    {REQUEST_HELP, NULL},
    {REQUEST_QUIT, "leave; searches that run go on"},
};

static const struct {
    const char *sign, *meaning;
} signs[] = {
    {"* running", "a process runs it; ‖ paused: it holds all training"},
    {"✓ finished", "it came to its end"},
    {"~ stopped", "a person or a signal ended it before"},
    {"✗ died", "its process is gone, without an end"},
    {"✗ failed", "an error ended it"},
    {"! damaged", "its log can't be read; `espalier fsck` may repair it"},
    {"◆", "marked for comparison"},
};

static int draw_entry(struct canvas *canvas, struct area area, int y, const char *sign, const char *meaning)
{
    enum { SIGN = 13 };
    canvas_text(canvas, area_part(area, 1, 0, SIGN, area.height), 0, y, STYLE_KEY, "%s", sign);
    int below = canvas_words(canvas, area_part(area, SIGN + 2, 0, area.width - SIGN - 2, area.height), y, STYLE_NORMAL,
                             meaning);
    return below > y ? below : y + 1;
}

static int draw_help_lines(struct canvas *canvas, struct area area, int y)
{
    for (size_t i = 0; i < COUNT_OF(help); i++) {
        const char *meaning = help[i].meaning ? help[i].meaning : request_row(help[i].request)->help;
        bool named = !strncmp(meaning, "sessions: ", strlen("sessions: "));
        y = draw_entry(canvas, area, y, request_keys(help[i].request), meaning + (named ? strlen("sessions: ") : 0));
    }
    canvas_text(canvas, area, 1, y + 1, STYLE_TITLE, "States");
    y += 2;
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        y = draw_entry(canvas, area, y, signs[i].sign, signs[i].meaning);
    return y;
}

static void draw_help(struct browser *browser, struct canvas *canvas)
{
    int width = (WIDTH < canvas->width ? WIDTH : canvas->width) - 2;
    int lines = draw_help_lines(canvas, (struct area){.width = width}, 0);
    struct area inside =
        overlay_box(canvas, WIDTH, lines + 2, " Keys of the list of sessions ─ ↑↓ scroll, Escape closes ");
    browser->page_height = inside.height;
    scroll_settle(&browser->page_top, lines - inside.height);
    draw_help_lines(canvas, inside, -browser->page_top);
}

/* --- a line in the place of the keys --- */

static void draw_line(const struct browser *browser, struct canvas *canvas)
{
    struct area line = {0, canvas->height - 1, canvas->width, 1};
    canvas_fill(canvas, line, ' ', STYLE_NORMAL);
    int x = canvas_text(canvas, line, 0, 0, STYLE_KEY, browser->dialog == BROWSER_FILTER ? "/" : "new name: ");
    line_draw(&browser->line, canvas, line, x, 0, line.width - x, true);
}

static enum browser_answer key_line(struct browser *browser, int key)
{
    bool filters = browser->dialog == BROWSER_FILTER;
    if (key == KEY_CODE_ENTER || key == KEY_CODE_ESCAPE || key == KEY_CODE_INTERRUPT)
        browser->dialog = BROWSER_LIST;
    else
        line_key(&browser->line, key);
    if (!filters)
        return key == KEY_CODE_ENTER ? BROWSER_RENAME : BROWSER_STAY;
    bool cancelled = browser->dialog == BROWSER_LIST && key != KEY_CODE_ENTER;
    snprintf(browser->filter, sizeof browser->filter, "%s", cancelled ? browser->before : browser->line.text);
    browser->stale = true;
    return BROWSER_STAY;
}

/* --- all of them --- */

void browser_draw_dialog(struct browser *browser, struct canvas *canvas)
{
    switch (browser->dialog) {
    case BROWSER_LIST:
        break;
    case BROWSER_FILTER:
    case BROWSER_NAME_LINE:
        draw_line(browser, canvas);
        break;
    case BROWSER_QUESTION:
        draw_question(browser, canvas);
        break;
    case BROWSER_FORM:
        browser_form_draw(browser, canvas);
        break;
    case BROWSER_PAGE:
        draw_page(browser, canvas);
        break;
    case BROWSER_HELP:
        draw_help(browser, canvas);
        break;
    }
}

enum browser_answer browser_dialog_key(struct browser *browser, int key)
{
    switch (browser->dialog) {
    case BROWSER_QUESTION:
        return key_question(browser, key);
    case BROWSER_FORM:
        return browser_form_key(browser, key);
    case BROWSER_PAGE:
    case BROWSER_HELP:
        return key_page(browser, key);
    default:
        return key_line(browser, key);
    }
}
