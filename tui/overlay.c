/*
 * overlay.c - the overlay's common part, the help page, and the two questions.
 */
#include "tui/overlay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/overlay_kind.h"
#include "util/memory.h"

void overlay_draw(const struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    overlay->kind->draw(overlay, model, canvas);
}

bool overlay_takes_text(const struct overlay *overlay)
{
    return overlay->kind->takes_text;
}

void overlay_free(struct overlay *overlay)
{
    free(overlay);
}

struct area overlay_box(struct canvas *canvas, int width, int height, const char *title)
{
    width = width < canvas->width ? width : canvas->width;
    height = height < canvas->height ? height : canvas->height;
    struct area area = {(canvas->width - width) / 2, (canvas->height - height) / 2, width, height};
    canvas_fill(canvas, area, ' ', STYLE_DIALOG);
    return canvas_box(canvas, area, title, STYLE_FOCUS);
}

/* --- help: the table of requests --- */

struct help {
    struct overlay overlay;
    int top;
};

static void draw_help(const struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    const struct help *help = (const struct help *)overlay;
    struct area inside = overlay_box(canvas, 78, REQUEST_COUNT + 2, " Keys ─ ↑↓ scroll, Escape closes ");
    for (int i = 0; i < inside.height; i++) {
        int request = help->top + i + 1;
        if (request >= REQUEST_COUNT)
            break;
        const struct request_row *row = request_row((enum request)request);
        canvas_text(canvas, area_part(inside, 1, i, 13, 1), 0, 0, STYLE_KEY, "%s", request_keys((enum request)request));
        canvas_text(canvas, inside, 15, i, STYLE_NORMAL, "%s", row->help);
    }
}

static enum overlay_answer key_help(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct help *help = (struct help *)overlay;
    int last = REQUEST_COUNT - 2;
    switch (request_of_key(key)) {
    case REQUEST_UP:
        help->top -= help->top > 0;
        return OVERLAY_OPEN;
    case REQUEST_DOWN:
        help->top += help->top < last;
        return OVERLAY_OPEN;
    case REQUEST_PAGE_UP:
        help->top = help->top > 10 ? help->top - 10 : 0;
        return OVERLAY_OPEN;
    case REQUEST_PAGE_DOWN:
        help->top = help->top + 10 < last ? help->top + 10 : last;
        return OVERLAY_OPEN;
    case REQUEST_FIRST:
        help->top = 0;
        return OVERLAY_OPEN;
    default:
        return OVERLAY_CLOSED;
    }
}

struct overlay *overlay_help(void)
{
    static const struct overlay_kind kind = {.draw = draw_help, .key = key_help};
    struct help *help = memory_new(1, sizeof *help);
    help->overlay.kind = &kind;
    return &help->overlay;
}

/* --- questions: a letter answers, never Enter --- */

struct question {
    struct overlay overlay;
    char title[64], lines[3][72];
    bool can_detach, prunes;
    int64_t node;
};

static void draw_question(const struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    const struct question *question = (const struct question *)overlay;
    struct area inside = overlay_box(canvas, 64, 5, question->title);
    for (int i = 0; i < 3; i++)
        canvas_text(canvas, inside, 1, i, i == 0 ? STYLE_NORMAL : STYLE_KEY, "%s", question->lines[i]);
}

/* Ctrl-C here is said again: it means it. */
static enum overlay_answer key_question(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    const struct question *question = (const struct question *)overlay;
    if (question->prunes && key == 'y') {
        text_add(words, "prune %lld", (long long)question->node);
        return OVERLAY_COMMAND;
    }
    if (!question->prunes && (key == 's' || key == 'y' || key == KEY_CODE_INTERRUPT))
        return OVERLAY_STOP;
    if (question->can_detach && key == 'd')
        return OVERLAY_DETACH;
    return key == KEY_CODE_ESCAPE || key == KEY_CODE_INTERRUPT || key == 'n' || key == 'q' || key == 'c' ? OVERLAY_CLOSED : OVERLAY_OPEN;
}

static struct question *question_new(void)
{
    static const struct overlay_kind kind = {.draw = draw_question, .key = key_question};
    struct question *question = memory_new(1, sizeof *question);
    question->overlay.kind = &kind;
    return question;
}

/* Ctrl-C closes everything but a question, which has its own answer to it. */
enum overlay_answer overlay_key(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    if (key == KEY_CODE_INTERRUPT && overlay->kind->key != key_question)
        key = KEY_CODE_ESCAPE;
    return overlay->kind->key(overlay, model, key, words);
}

struct overlay *overlay_quit(bool can_detach)
{
    struct question *question = question_new();
    question->can_detach = can_detach;
    strcpy(question->title, " The search is running ");
    strcpy(question->lines[0], "What is in training is given up; all results are kept.");
    strcpy(question->lines[1], "s stop and leave (resume goes on later)");
    strcpy(question->lines[2], can_detach ? "d leave it running     Escape stay" : "Escape stay");
    return &question->overlay;
}

struct overlay *overlay_prune(int64_t node)
{
    struct question *question = question_new();
    question->prunes = true;
    question->node = node;
    snprintf(question->title, sizeof question->title, " Prune n%lld ", (long long)node);
    strcpy(question->lines[0], "It and all that grew from it: nothing grows there any more.");
    strcpy(question->lines[1], "y prune");
    strcpy(question->lines[2], "Escape keep");
    return &question->overlay;
}
