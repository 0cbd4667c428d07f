/*
 * overlay_log.c - the lines of the log pane in full, wrapped, over all panes.
 *
 * It opens at the newest line.  Long lines are wrapped, so the number of lines depends on the width.
 */
#include "tui/node.h"
#include "tui/overlay_kind.h"
#include "tui/view.h"
#include "util/memory.h"

struct log_page {
    struct overlay overlay;
    int top, height; /* first line shown, number of lines shown when it was drawn last */
};

enum { TEXT_COLUMN = 18 }; /* after the clock and the word */

static int draw_lines(const struct model *model, struct canvas *canvas, struct area area, int y)
{
    char clock[TEXT_SHORT];
    for (int i = 0; i < model->log.count; i++) {
        const struct log_line *line = &model->log.lines[i];
        int x = canvas_text(canvas, area, 0, y, STYLE_DIM, "%s", clock_text(clock, line->time));
        canvas_text(canvas, area, x + 1, y, line->style, "%s", line->word);
        int end = canvas_words(canvas, area_part(area, TEXT_COLUMN, 0, area.width - TEXT_COLUMN, area.height), y,
                               line->style == STYLE_DIM ? STYLE_DIM : STYLE_NORMAL, line->text);
        y = end > y ? end : y + 1;
    }
    return y;
}

static void draw_log_page(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    struct log_page *page = (struct log_page *)overlay;
    int width = canvas->width - 2;
    int lines = draw_lines(model, canvas, (struct area){.width = width}, 0);
    struct area inside = overlay_box(canvas, canvas->width, canvas->height, " Log ─ ↑↓ scroll, Escape closes ");
    page->height = inside.height;
    scroll_settle(&page->top, lines - inside.height);
    draw_lines(model, canvas, inside, -page->top);
}

static enum overlay_answer key_log_page(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct log_page *page = (struct log_page *)overlay;
    return scroll_request(&page->top, request_of_key(key), page->height) ? OVERLAY_OPEN : OVERLAY_CLOSED;
}

struct overlay *overlay_log(void)
{
    enum { END = 1 << 20 }; /* scroll_settle() cuts it */
    static const struct overlay_kind kind = {.draw = draw_log_page, .key = key_log_page};
    struct log_page *page = memory_new(1, sizeof *page);
    *page = (struct log_page){.overlay.kind = &kind, .top = END, .height = 10};
    return &page->overlay;
}
