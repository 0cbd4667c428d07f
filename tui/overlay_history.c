/*
 * overlay_history.c - what persons did, the newest first, and what takes each step back.
 *
 * The steps are the state's (sessions/steps.h), so a recording shows those up to its present place. Enter leaves the
 * words `undo N`: the search checks them again, since another terminal may have been faster.
 */
#include <stdio.h>

#include "sessions/steps.h"
#include "tui/node.h"
#include "tui/overlay_kind.h"
#include "util/memory.h"

struct history {
    struct overlay overlay;
    struct overlay_list list;
    int64_t seen; /* steps when it was drawn last: new ones push the chosen one down */
};

enum { WIDTH = 100, ABOVE = 1, BELOW = 4 };

static int64_t step_of(const struct model *model, int row)
{
    return model->state->step_count - row;
}

static const char *who(const struct model *model, const struct session_step *step)
{
    return step->by == AUTHOR_RESUME ? "resume" : model_asked(model, step->number) ? "you" : "person";
}

static void draw_step(const struct model *model, int64_t number, struct canvas *canvas, struct area area, int row)
{
    const struct session_step *step = session_step(model->state, number);
    enum style style = step->undone_by ? STYLE_DIM : STYLE_NORMAL;
    char clock[TEXT_SHORT];
    canvas_text(canvas, area, 0, row, STYLE_DIM, "%4lld  %s", (long long)number, clock_text(clock, step->time));
    canvas_text(canvas, area, 16, row, step->undone_by ? STYLE_DIM : STYLE_USER, "%s", who(model, step));
    int end = step->undone_by ? area.width - 12 : area.width;
    canvas_text(canvas, area_part(area, 0, 0, end, area.height), 24, row, style, "%s", step->words);
    if (step->undone_by)
        canvas_text(canvas, area, area.width - 11, row, STYLE_DIM, "taken back");
}

/* The chosen step in full, and what takes it back. */
static void draw_chosen(const struct model *model, int64_t number, struct canvas *canvas, struct area area)
{
    struct text back = TEXT_EMPTY;
    session_step_describe(model->state, number, &back);
    if (!back.length)
        text_add(&back, "nothing is there to take back");
    int y = canvas_words(canvas, area, 0, STYLE_NORMAL, session_step(model->state, number)->words);
    canvas_words(canvas, area, y < area.height - 2 ? y : area.height - 2, STYLE_DIM, text_string(&back));
    text_done(&back);
}

static void draw_keys(const struct model *model, struct canvas *canvas, struct area inside)
{
    struct area line = area_part(inside, 0, inside.height - 1, inside.width, 1);
    bool live = model->mode != MODE_REPLAY && !model->ended;
    canvas_fill(canvas, line, ' ', STYLE_DIALOG);
    canvas_text(canvas, line, 1, 0, STYLE_KEY, "%s↑↓ choose   Escape close", live ? "Enter take back   " : "");
}

static void draw_history(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    struct history *history = (struct history *)overlay;
    int64_t count = model->state->step_count;
    int rows = count < canvas->height ? (int)count : canvas->height;
    struct area inside = overlay_box(canvas, WIDTH, rows + ABOVE + BELOW + 3, " What persons did ");
    struct area area = area_part(inside, 1, ABOVE, inside.width - 2, inside.height - ABOVE - BELOW);
    if (!count) {
        canvas_words(canvas, area_part(inside, 1, 0, inside.width - 2, inside.height), 0, STYLE_DIM,
                     "Nobody has changed anything yet.");
    } else {
        canvas_text(canvas, inside, 1, 0, STYLE_DIM, "step  when      who     what");
        if (history->list.chosen)
            history->list.chosen += (int)(count - history->seen);
        history->seen = count;
        overlay_list_settle(&history->list, (int)count, area);
        for (int row = 0; row < area.height && history->list.top + row < count; row++)
            draw_step(model, step_of(model, history->list.top + row), canvas, area, row);
        canvas_restyle(canvas, area, history->list.chosen - history->list.top, STYLE_SELECTED);
        draw_chosen(model, step_of(model, history->list.chosen), canvas,
                    area_part(inside, 1, inside.height - BELOW, inside.width - 2, BELOW - 1));
    }
    draw_keys(model, canvas, inside);
}

/* Leave the command that takes the chosen step back, or say why there is none. */
static enum overlay_answer take_back(const struct history *history, struct model *model, struct text *words)
{
    struct text back = TEXT_EMPTY;
    struct error error;
    int64_t number = step_of(model, history->list.chosen);
    int refused = session_step_reverse(model->state, number, &back, &error);
    text_done(&back);
    if (refused || model->mode == MODE_REPLAY) {
        model_say(model, "%s", refused ? error.text : "a recording takes no commands");
        return OVERLAY_OPEN;
    }
    text_add(words, "undo %lld", (long long)number);
    return OVERLAY_COMMAND;
}

static enum overlay_answer key_history(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct history *history = (struct history *)overlay;
    if (overlay_list_key(&history->list, key, (int)model->state->step_count, true))
        return OVERLAY_OPEN;
    if ((key == KEY_CODE_ENTER || key == 'u') && model->state->step_count)
        return take_back(history, model, words);
    return key == KEY_CODE_ESCAPE || key == 'q' || key == 'U' || key == KEY_CODE_ENTER ? OVERLAY_CLOSED : OVERLAY_OPEN;
}

/* A click chooses; a click on the chosen one takes it back. */
static enum overlay_answer click_history(struct overlay *overlay, struct model *model, int x, int y, struct text *words)
{
    struct history *history = (struct history *)overlay;
    int row = overlay_list_at(&history->list, (int)model->state->step_count, x, y);
    if (row >= 0 && row == history->list.chosen)
        return take_back(history, model, words);
    history->list.chosen = row >= 0 ? row : history->list.chosen;
    return OVERLAY_OPEN;
}

struct overlay *overlay_history(void)
{
    static const struct overlay_kind kind = {.draw = draw_history, .key = key_history, .click = click_history};
    struct history *history = memory_new(1, sizeof *history);
    history->overlay.kind = &kind;
    return &history->overlay;
}
