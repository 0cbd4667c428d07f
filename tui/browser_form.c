/*
 * browser_form.c - values of options to fill in, with what a dry run says of them beneath.
 *
 * An empty value is the default, which stands dim in its place.  The dry run is the owner's: it runs one when
 * `form.version` has grown, and gives its lines to browser_set_preview().  Until then the old ones are dim.
 */
#include "tui/browser_form.h"

#include <stdio.h>
#include <string.h>

#include "tui/overlay_kind.h"
#include "util/bug.h"

enum { WIDTH = 78, WIDE = 70, LABEL = 14 };

void browser_open_form(struct browser *browser, enum browser_answer purpose, const char *title,
                       const struct browser_field *fields, int count, bool previews)
{
    struct browser_form *form = &browser->form;
    ASSERT(count > 0 && count <= BROWSER_FIELDS);
    text_done(&form->preview);
    *form = (struct browser_form){.purpose = purpose,
                                  .fields = fields,
                                  .count = count,
                                  .previews = previews,
                                  .stale = previews,
                                  .version = form->version + 1};
    snprintf(browser->title, sizeof browser->title, " %s ─ Enter starts, Tab next, Escape closes ", title);
    browser->dialog = BROWSER_FORM;
}

void browser_set_preview(struct browser *browser, const char *lines)
{
    text_clear(&browser->form.preview);
    text_add(&browser->form.preview, "%s", lines);
    browser->form.stale = false;
}

/* Two fields beside each other where there is room. */
static int fields_beside(int width)
{
    return width >= WIDE ? 2 : 1;
}

static void draw_field(const struct browser_form *form, int i, struct canvas *canvas, struct area area)
{
    const struct browser_field *field = &form->fields[i];
    bool focus = i == form->at;
    canvas_text(canvas, area, 0, 0, focus ? STYLE_FOCUS : STYLE_KEY, "%s", field->name);
    struct area value = area_part(area, LABEL, 0, area.width - LABEL - 1, 1);
    canvas_fill(canvas, value, ' ', focus ? STYLE_FIELD : STYLE_NORMAL);
    if (*form->values[i].text || focus)
        line_draw(&form->values[i], canvas, value, 0, 0, value.width, focus);
    if (!*form->values[i].text)
        canvas_text(canvas, value, focus, 0, STYLE_DIM, "%s", field->fallback);
}

static void draw_fields(const struct browser_form *form, struct canvas *canvas, struct area inside)
{
    int beside = fields_beside(inside.width), width = inside.width / beside;
    for (int i = 0; i < form->count; i++)
        draw_field(form, i, canvas, area_part(inside, i % beside * width, i / beside, width, 1));
}

/* Of all its lines those that fit; the last ones are cut off with a sign of it. */
static void draw_preview(const struct browser_form *form, struct canvas *canvas, struct area area)
{
    const char *left = text_string(&form->preview);
    char line[BROWSER_LINE];
    int y = 0;
    while (y < area.height && browser_next_line(&left, line))
        y = *line ? canvas_words(canvas, area, y, form->stale ? STYLE_DIM : STYLE_NORMAL, line) : y + 1;
    if (*left && area.height)
        canvas_text(canvas, area, area.width - 1, area.height - 1, STYLE_DIM, "…");
}

void browser_form_draw(struct browser *browser, struct canvas *canvas)
{
    const struct browser_form *form = &browser->form;
    enum { HELP_LINES = 2, PREVIEW = 16 };
    int width = (WIDTH < canvas->width ? WIDTH : canvas->width) - 2, beside = fields_beside(width);
    int rows = (form->count + beside - 1) / beside, help = rows + 1, preview = help + HELP_LINES + 1;
    struct area inside = overlay_box(canvas, WIDTH, preview + 2 + (form->previews ? PREVIEW : -1), browser->title);
    struct area about = area_part(inside, 1, help, inside.width - 2, HELP_LINES);
    draw_fields(form, canvas, area_part(inside, 1, 0, inside.width - 1, rows));
    canvas_words(canvas, about, 0, STYLE_DIM, form->fields[form->at].help);
    if (!form->previews)
        return;
    canvas_text(canvas, inside, 1, preview - 1, STYLE_TITLE,
                form->stale ? "what would run: estimating…" : "what would run");
    draw_preview(form, canvas, area_part(inside, 1, preview, inside.width - 2, inside.height - preview));
}

static void edit(struct browser_form *form, int key)
{
    struct line *line = &form->values[form->at], before = *line;
    line_key(line, key);
    if (!strcmp(before.text, line->text))
        return;
    form->version++;
    form->stale = form->previews;
}

enum browser_answer browser_form_key(struct browser *browser, int key)
{
    struct browser_form *form = &browser->form;
    if (key == KEY_CODE_ESCAPE || key == KEY_CODE_INTERRUPT || key == KEY_CODE_ENTER)
        browser->dialog = BROWSER_LIST;
    else if (key == KEY_CODE_TAB || key == KEY_CODE_DOWN)
        form->at = (form->at + 1) % form->count;
    else if (key == KEY_CODE_BACK_TAB || key == KEY_CODE_UP)
        form->at = (form->at + form->count - 1) % form->count;
    else
        edit(form, key);
    return key == KEY_CODE_ENTER ? BROWSER_START : BROWSER_STAY;
}
