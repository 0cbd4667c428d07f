/*
 * view_log.c - a line for each event, the newest at the bottom.  When it is scrolled back, new lines don't move it.
 */
#include <stdlib.h>
#include <string.h>

#include "tui/event_line.h"
#include "tui/node.h"
#include "tui/view.h"
#include "util/memory.h"

void log_add_text(struct log_view *log, double time, enum style style, const char *word, const char *text)
{
    if (log->count == LOG_LINES) {
        free(log->lines[0].text);
        memmove(log->lines, log->lines + 1, sizeof *log->lines * (LOG_LINES - 1));
        log->count--;
    }
    log->lines[log->count++] = (struct log_line){time, style, word, memory_copy_text(text)};
    if (log->below)
        log->below++;
}

void log_add(struct log_view *log, const struct session_state *state, const struct event *event)
{
    struct event_line line;
    if (event_line(state, event, &line))
        log_add_text(log, event->time, line.style, line.word, line.text);
}

void log_clear(struct log_view *log)
{
    for (int i = 0; i < log->count; i++)
        free(log->lines[i].text);
    log->count = log->below = 0;
}

static void draw_log(const struct model *model, struct canvas *canvas, struct area inside)
{
    char clock[TEXT_SHORT];
    int end = model->log.count - model->log.below;
    for (int y = inside.height - 1, i = end - 1; y >= 0 && i >= 0; y--, i--) {
        const struct log_line *line = &model->log.lines[i];
        /* A short log begins at the top. */
        int row = end < inside.height ? i : y;
        int x = canvas_text(canvas, inside, 0, row, STYLE_DIM, "%s", clock_text(clock, line->time));
        canvas_text(canvas, inside, x + 1, row, line->style, "%s", line->word);
        canvas_text(canvas, inside, x + 9, row, line->style == STYLE_DIM ? STYLE_DIM : STYLE_NORMAL, "%s", line->text);
    }
}

static void title_log(const struct model *model, struct text *text)
{
    if (model->log.below)
        text_add(text, "%d newer below", model->log.below);
}

/* Lines above the pane when the newest line is in it. */
static int last_top(const struct model *model, struct area inside)
{
    int hidden = model->log.count - inside.height;
    return hidden > 0 ? hidden : 0;
}

static void settle_log(struct model *model, struct area inside)
{
    scroll_settle(&model->log.below, last_top(model, inside));
}

static bool request_log(struct model *model, enum request request, struct area inside)
{
    int last = last_top(model, inside), top = last - model->log.below;
    if (!scroll_request(&top, request, inside.height))
        return tree_request(model, request, inside);
    model->log.below = last - top;
    settle_log(model, inside);
    return true;
}

static bool mouse_log(struct model *model, struct area inside, int x, int y, int wheel)
{
    model->log.below -= 3 * wheel;
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
