/*
 * view_log.c - what happened, the newest line at the bottom. Scrolled back, it stays where it is while lines come.
 */
#include "tui/node.h"
#include "tui/view.h"

static void draw_log(const struct model *model, struct canvas *canvas, struct area inside)
{
    char clock[TEXT_SHORT];
    int end = model->log_count - model->log_top;
    for (int y = inside.height - 1, i = end - 1; y >= 0 && i >= 0; y--, i--) {
        const struct log_line *line = &model->log[i];
        /* Few lines stand at the top. */
        int row = end < inside.height ? i : y;
        int x = canvas_text(canvas, inside, 0, row, STYLE_DIM, "%s", clock_text(clock, line->time));
        canvas_text(canvas, inside, x + 1, row, line->style, "%s", line->word);
        canvas_text(canvas, inside, x + 9, row, line->style == STYLE_DIM ? STYLE_DIM : STYLE_NORMAL, "%s", line->text);
    }
}

static void title_log(const struct model *model, struct text *text)
{
    if (model->log_top)
        text_add(text, "%d newer below", model->log_top);
}

static void settle_log(struct model *model, struct area inside)
{
    int most = model->log_count - inside.height;
    if (model->log_top > most)
        model->log_top = most;
    if (model->log_top < 0)
        model->log_top = 0;
}

static bool request_log(struct model *model, enum request request, struct area inside)
{
    int page = inside.height > 2 ? inside.height - 1 : 1;
    switch (request) {
    case REQUEST_UP:
        model->log_top++;
        break;
    case REQUEST_DOWN:
        model->log_top--;
        break;
    case REQUEST_PAGE_UP:
        model->log_top += page;
        break;
    case REQUEST_PAGE_DOWN:
        model->log_top -= page;
        break;
    case REQUEST_FIRST:
        model->log_top = model->log_count;
        break;
    case REQUEST_LAST:
        model->log_top = 0;
        break;
    default:
        return tree_request(model, request, inside);
    }
    settle_log(model, inside);
    return true;
}

static bool mouse_log(struct model *model, struct area inside, int x, int y, int wheel)
{
    (void)x;
    (void)y;
    model->log_top -= 3 * wheel;
    settle_log(model, inside);
    return true;
}

const struct view view_log = {
    .draw = draw_log,
    .title = title_log,
    .settle = settle_log,
    .request = request_log,
    .mouse = mouse_log,
};
