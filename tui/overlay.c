/*
 * overlay.c - what all overlays share, and the two questions.
 */
#include "tui/overlay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "tui/overlay_kind.h"
#include "tui/view.h"
#include "util/memory.h"

void overlay_draw(struct overlay *overlay, const struct model *model, struct canvas *canvas)
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
    return width < 3 || height < 3 ? area : canvas_box(canvas, area, title, STYLE_FOCUS);
}

enum overlay_answer overlay_click(struct overlay *overlay, struct model *model, int x, int y, struct text *words)
{
    return overlay->kind->click ? overlay->kind->click(overlay, model, x, y, words) : OVERLAY_OPEN;
}

/* --- lists --- */

void overlay_list_settle(struct overlay_list *list, int count, struct area area)
{
    list->area = area;
    list->chosen = list->chosen >= count ? count - 1 : list->chosen;
    list->chosen = list->chosen < 0 ? 0 : list->chosen;
    if (list->top > list->chosen)
        list->top = list->chosen;
    if (list->top + area.height <= list->chosen)
        list->top = list->chosen - area.height + 1;
    scroll_settle(&list->top, count - area.height);
}

bool overlay_list_key(struct overlay_list *list, int key, int count, bool letters)
{
    bool letter = key > 0 && key < KEY_CODE_UP && key >= ' ';
    if ((letter && !letters) || !scroll_request(&list->chosen, request_of_key(key), list->area.height))
        return false;
    scroll_settle(&list->chosen, count - 1);
    return true;
}

int overlay_list_at(const struct overlay_list *list, int count, int x, int y)
{
    struct area area = list->area;
    bool inside = x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height;
    return inside && list->top + y - area.y < count ? list->top + y - area.y : -1;
}

/* --- questions: a letter answers, never Enter --- */

enum { QUESTION_LINES = 4 };

struct question {
    struct overlay overlay;
    char title[64];
    const char *lines[QUESTION_LINES];
    char prunes_what[160], forks_what[2][80];
    bool prunes, detaches, forks;
    int64_t node; /* forks: 0 where no network can be the start */
};

/* Draw the lines from row `y` down; returns the row after the last. */
static int draw_lines(const struct question *question, struct canvas *canvas, struct area area, int y)
{
    for (int i = 0; i < QUESTION_LINES && question->lines[i]; i++)
        y = canvas_words(canvas, area, y, i == 0 ? STYLE_NORMAL : STYLE_KEY, question->lines[i]);
    return y;
}

static void draw_question(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    enum { WIDTH = 64, AROUND = 4 }; /* a frame, and a blank at each side */
    const struct question *question = (const struct question *)overlay;
    int width = (WIDTH < canvas->width ? WIDTH : canvas->width) - AROUND;
    int height = draw_lines(question, canvas, (struct area){.width = width}, 0);
    struct area inside = overlay_box(canvas, WIDTH, height + 2, question->title);
    draw_lines(question, canvas, inside.width > width ? area_part(inside, 1, 0, width, inside.height) : inside, 0);
}

/* A second Ctrl-C confirms. */
static enum overlay_answer key_question(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    const struct question *question = (const struct question *)overlay;
    if (question->prunes && key == 'y') {
        text_add(words, "prune %lld", (long long)question->node);
        return OVERLAY_COMMAND;
    }
    if (question->forks && (key == 'm' || (key == 'n' && question->node))) {
        text_add(words, key == 'm' ? "fork" : "fork %lld", (long long)question->node);
        return OVERLAY_COMMAND;
    }
    if (!question->prunes && !question->forks && (key == 's' || key == 'y' || key == KEY_CODE_INTERRUPT))
        return OVERLAY_STOP;
    if (question->detaches && key == 'd')
        return OVERLAY_DETACH;
    bool closes = key == KEY_CODE_ESCAPE || key == KEY_CODE_INTERRUPT || (key == 'n' && !question->forks) ||
                  key == 'q' || key == 'c';
    return closes ? OVERLAY_CLOSED : OVERLAY_OPEN;
}

static struct question *question_new(void)
{
    static const struct overlay_kind kind = {.draw = draw_question, .key = key_question};
    struct question *question = memory_new(1, sizeof *question);
    question->overlay.kind = &kind;
    return question;
}

/* Ctrl-C closes any overlay but a question, which handles it itself. */
enum overlay_answer overlay_key(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    if (key == KEY_CODE_INTERRUPT && overlay->kind->key != key_question)
        key = KEY_CODE_ESCAPE;
    return overlay->kind->key(overlay, model, key, words);
}

struct overlay *overlay_quit(const struct model *model, bool can_detach)
{
    struct question *question = question_new();
    int line = 0;
    strcpy(question->title, " The search is running ");
    question->detaches = can_detach;
    question->lines[line++] = "What is in training goes back to the queue when it stops; all results are kept.";
    if (can_detach)
        question->lines[line++] = model->state->paused ? "d detach: it stays paused, without this terminal"
                                                       : "d detach: it goes on without this terminal";
    question->lines[line++] = "s stop and leave (resume goes on later)";
    question->lines[line++] = "Escape stay";
    return &question->overlay;
}

/* The networks that grew from one, and how many of these or itself wait or train. */
static void count_below(const struct session_state *state, int64_t node, int64_t *below, int64_t *pending)
{
    bool *inside = memory_new((size_t)state->node_count + 1, sizeof *inside);
    *below = *pending = 0;
    for (int64_t i = node; i <= state->node_count; i++) {
        const struct session_node *each = session_node(state, i);
        inside[i] = i == node || inside[each->facts.parent];
        *below += inside[i] && i != node;
        *pending += inside[i] && node_is_pending(each);
    }
    free(inside);
}

/* The engine would refuse it (search/commands.c). */
static bool cannot_prune(struct model *model, int64_t node)
{
    if (node == 1)
        model_say(model, "n1 is the start network: everything grows from it");
    else if (session_node(model->state, node)->pruned)
        model_say(model, "n%lld is pruned", (long long)node);
    else
        return false;
    return true;
}

struct overlay *overlay_prune(struct model *model, int64_t node)
{
    if (cannot_prune(model, node))
        return NULL;
    struct question *question = question_new();
    int64_t below, pending;
    count_below(model->state, node, &below, &pending);
    question->prunes = true;
    question->node = node;
    snprintf(question->title, sizeof question->title, " Prune n%lld ", (long long)node);
    snprintf(question->prunes_what, sizeof question->prunes_what,
             below    ? "It and the %lld network%s that grew from it: nothing grows there any more%s."
             : pending ? "It is not trained."
                      : "Nothing grows from it any more.",
             (long long)below, below == 1 ? "" : "s", pending ? ", and what waits or trains there is cancelled" : "");
    question->lines[0] = question->prunes_what;
    question->lines[1] = pending && !below ? "y prune" : "y prune (u takes it back)";
    question->lines[2] = "Escape keep";
    return &question->overlay;
}

struct overlay *overlay_fork(const struct model *model)
{
    struct question *question = question_new();
    const struct session_node *node = session_node(model->state, model->selected);
    char clock[TEXT_SHORT];
    question->forks = true;
    snprintf(question->title, sizeof question->title, " Fork from %s ", clock_text(clock, model->now));
    question->lines[0] = "A new session begins and is searched at once. This one stays as it is.";
    snprintf(question->forks_what[0], sizeof *question->forks_what, "m go on from this moment, with its %lld network%s",
             (long long)model->state->node_count, model->state->node_count == 1 ? "" : "s");
    question->lines[1] = question->forks_what[0];
    if (node && node->status == NODE_DONE && !node->dropped) {
        question->node = node->facts.node;
        snprintf(question->forks_what[1], sizeof *question->forks_what,
                 "n start a new tree with n%lld and its weights", (long long)question->node);
        question->lines[2] = question->forks_what[1];
    }
    question->lines[question->node ? 3 : 2] = "Escape stay";
    return &question->overlay;
}
