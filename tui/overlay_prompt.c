/*
 * overlay_prompt.c - one line to edit, in the key bar's place: commands, what to find, a note.
 *
 * Above a command's line stand the commands that begin like it, with their keys; Tab completes, ↑ and ↓ go through the
 * commands given before (of this run of the program).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "tui/overlay_kind.h"
#include "util/bug.h"
#include "util/memory.h"

enum { PROMPT_MAX = 200, HISTORY_MAX = 50 };

struct prompt {
    struct overlay overlay;
    enum prompt_kind kind;
    int64_t node;
    char text[PROMPT_MAX];
    int length, cursor;
    int recalled; /* how far back in the history; 0: the line being written */
};

static struct {
    char *lines[HISTORY_MAX]; /* the oldest first */
    int count;
} history;

/* The words of search/engine.h; and the one that a recording understands. */
static const struct {
    const char *word, *arguments;
    enum request requests[2]; /* that have keys for it */
    const char *help;
    bool replay;
} commands[] = {
    {"pause", "", {REQUEST_PAUSE}, "hold all training", false},
    {"continue", "", {REQUEST_PAUSE}, "go on", false},
    {"pin", "N", {REQUEST_PIN}, "grow from pinned networks only", false},
    {"unpin", "N", {REQUEST_PIN}, "let go of a pinned network", false},
    {"prune", "N", {REQUEST_PRUNE}, "give up a network and all that grew from it", false},
    {"grow", "N ACTION…", {REQUEST_WIDEN, REQUEST_DEEPEN}, "widen:conv2:48 deepen:conv1:3 deepen:fc1", false},
    {"undo", "", {REQUEST_UNDO}, "take back your last action that has not started", false},
    {"note", "N TEXT", {REQUEST_NOTE}, "write a note on a network", false},
    {"budget",
     "networks|episodes|seconds VALUE",
     {REQUEST_MORE, REQUEST_FEWER},
     "in all, or +N, -N; 0 is no limit",
     false},
    {"rate", "X", {REQUEST_RATE}, "learning rate of networks that start from now on", false},
    {"epochs", "N", {REQUEST_EPOCHS}, "epochs of networks that start from now on", false},
    {"goto", "N% or 1h02m", {REQUEST_NONE}, "go to a place of the recording", true},
    {"stop", "", {REQUEST_QUIT}, "end the search in good order", false},
};

/* Is it one that can be meant: understood here, and beginning like the line? */
static bool begins(const struct prompt *prompt, const struct model *model, size_t command)
{
    size_t word = strcspn(prompt->text, " ");
    bool whole = prompt->text[word] == ' ';
    return commands[command].replay == (model->mode == MODE_REPLAY) &&
           strncmp(commands[command].word, prompt->text, word) == 0 && (!whole || !commands[command].word[word]);
}

/* Is it a byte within a character, not its first? */
static bool is_inside(const struct prompt *prompt, int place)
{
    return ((unsigned char)prompt->text[place] & 0xc0) == 0x80;
}

static void draw_commands(const struct prompt *prompt, const struct model *model, struct canvas *canvas)
{
    int count = 0, row = 0;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        count += begins(prompt, model, i);
    if (!count || canvas->height < count + 3)
        return;
    struct area area = {0, canvas->height - 1 - count - 2, canvas->width < 78 ? canvas->width : 78, count + 2};
    canvas_fill(canvas, area, ' ', STYLE_DIALOG);
    struct area inside = canvas_box(canvas, area, " Commands ─ Tab completes ", STYLE_FOCUS);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!begins(prompt, model, i))
            continue;
        int x = canvas_text(canvas, inside, 1, row, STYLE_KEY, "%s", commands[i].word);
        x = canvas_text(canvas, inside, x + 1, row, STYLE_DIM, "%s", commands[i].arguments);
        x = canvas_text(canvas, inside, x + 2 < 20 ? 20 : x + 2, row, STYLE_NORMAL, "%s", commands[i].help);
        char keys[2][16] = {"", ""};
        for (int j = 0; j < 2; j++)
            if (commands[i].requests[j])
                request_key(commands[i].requests[j], keys[j]);
        canvas_text_right(canvas, inside, 1, x + 1, row, STYLE_DIM, "%s%s%s", keys[0], *keys[1] ? " " : "", keys[1]);
        row++;
    }
}

/* Columns from a byte of the line to the cursor. */
static int columns_before(const struct prompt *prompt, int from)
{
    char text[PROMPT_MAX];
    snprintf(text, sizeof text, "%.*s", prompt->cursor - from, prompt->text + from);
    return canvas_columns(text);
}

/* Bytes that a line longer than its room leaves out at the left, so that the cursor is seen: whole characters. */
static int skipped(const struct prompt *prompt, int room)
{
    int skip = 0;
    while (skip < prompt->cursor && columns_before(prompt, skip) > room)
        do
            skip++;
        while (is_inside(prompt, skip));
    return skip;
}

static void draw_prompt(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    const struct prompt *prompt = (const struct prompt *)overlay;
    struct area line = {0, canvas->height - 1, canvas->width, 1};
    canvas_fill(canvas, line, ' ', STYLE_NORMAL);
    int x = prompt->kind == PROMPT_NOTE
                ? canvas_text(canvas, line, 0, 0, STYLE_KEY, "note on n%lld: ", (long long)prompt->node)
                : canvas_text(canvas, line, 0, 0, STYLE_KEY, "%s", prompt->kind == PROMPT_FIND ? "/" : ":");
    int skip = skipped(prompt, canvas->width - x - 1);
    canvas_text(canvas, line, x, 0, STYLE_NORMAL, "%s", prompt->text + skip);
    struct cell *cursor = canvas_cell(canvas, x + columns_before(prompt, skip), line.y);
    if (cursor)
        cursor->style = STYLE_SELECTED;
    if (prompt->kind == PROMPT_COMMAND)
        draw_commands(prompt, model, canvas);
}

static void set_text(struct prompt *prompt, const char *text)
{
    snprintf(prompt->text, sizeof prompt->text, "%s", text);
    prompt->length = prompt->cursor = (int)strlen(prompt->text);
}

static void recall(struct prompt *prompt, int step)
{
    int wanted = prompt->recalled + step;
    if (prompt->kind != PROMPT_COMMAND || wanted < 0 || wanted > history.count)
        return;
    prompt->recalled = wanted;
    set_text(prompt, wanted ? history.lines[history.count - wanted] : "");
}

static void remember(const char *text)
{
    if (history.count == HISTORY_MAX) {
        free(history.lines[0]);
        memmove(history.lines, history.lines + 1, sizeof *history.lines * (HISTORY_MAX - 1));
        history.count--;
    }
    history.lines[history.count++] = memory_copy_text(text);
}

static void complete(struct prompt *prompt, const struct model *model)
{
    size_t found = COUNT_OF(commands);
    if (prompt->kind != PROMPT_COMMAND || strchr(prompt->text, ' '))
        return;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!begins(prompt, model, i))
            continue;
        if (found < COUNT_OF(commands))
            return; /* more than one: the list shows them */
        found = i;
    }
    char text[PROMPT_MAX];
    if (found < COUNT_OF(commands)) {
        snprintf(text, sizeof text, "%s%s", commands[found].word, *commands[found].arguments ? " " : "");
        set_text(prompt, text);
    }
}

/* Bytes of the character before (-1) or at (+1) the cursor. */
static int step_of(const struct prompt *prompt, int direction)
{
    int place = prompt->cursor + (direction < 0 ? -1 : 1);
    while (place > 0 && place < prompt->length && is_inside(prompt, place))
        place += direction;
    return place < 0 || place > prompt->length ? 0 : abs(place - prompt->cursor);
}

static void erase(struct prompt *prompt, int from, int count)
{
    memmove(prompt->text + from, prompt->text + from + count, (size_t)(prompt->length - from - count + 1));
    prompt->length -= count;
    prompt->cursor = from;
}

/* The word before the cursor, and the blanks behind it. */
static void erase_word(struct prompt *prompt)
{
    int from = prompt->cursor;
    while (from > 0 && prompt->text[from - 1] == ' ')
        from--;
    while (from > 0 && prompt->text[from - 1] != ' ')
        from--;
    erase(prompt, from, prompt->cursor - from);
}

static void insert(struct prompt *prompt, int key)
{
    struct text bytes = TEXT_EMPTY;
    if (key < 0x80)
        text_add(&bytes, "%c", key);
    else
        text_add(&bytes, "%lc", (wint_t)key);
    if (prompt->length + (int)bytes.length < PROMPT_MAX) {
        memmove(prompt->text + prompt->cursor + bytes.length, prompt->text + prompt->cursor,
                (size_t)(prompt->length - prompt->cursor + 1));
        memcpy(prompt->text + prompt->cursor, bytes.bytes, bytes.length);
        prompt->length += (int)bytes.length;
        prompt->cursor += (int)bytes.length;
    }
    text_done(&bytes);
}

static enum overlay_answer finish(struct prompt *prompt, struct text *words)
{
    if (prompt->kind == PROMPT_FIND) {
        text_add(words, "%s", prompt->text);
        return OVERLAY_FIND;
    }
    if (prompt->kind == PROMPT_COMMAND) {
        if (!prompt->length)
            return OVERLAY_CLOSED;
        remember(prompt->text);
        text_add(words, "%s", prompt->text);
    } else {
        text_add(words, "note %lld %s", (long long)prompt->node, prompt->text);
    }
    return OVERLAY_COMMAND;
}

static enum overlay_answer key_prompt(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct prompt *prompt = (struct prompt *)overlay;
    switch (key) {
    case KEY_CODE_ESCAPE:
        return OVERLAY_CLOSED;
    case KEY_CODE_ENTER:
        return finish(prompt, words);
    case KEY_CODE_BACKSPACE:
        if (!prompt->length)
            return OVERLAY_CLOSED;
        erase(prompt, prompt->cursor - step_of(prompt, -1), step_of(prompt, -1));
        break;
    case KEY_CODE_DELETE:
        erase(prompt, prompt->cursor, step_of(prompt, 1));
        break;
    case KEY_CODE_LEFT:
        prompt->cursor -= step_of(prompt, -1);
        break;
    case KEY_CODE_RIGHT:
        prompt->cursor += step_of(prompt, 1);
        break;
    case KEY_CODE_HOME:
    case 1: /* C-a */
        prompt->cursor = 0;
        break;
    case KEY_CODE_END:
    case 5: /* C-e */
        prompt->cursor = prompt->length;
        break;
    case 21: /* C-u */
        set_text(prompt, "");
        break;
    case 23: /* C-w */
        erase_word(prompt);
        break;
    case KEY_CODE_UP:
        recall(prompt, 1);
        break;
    case KEY_CODE_DOWN:
        recall(prompt, -1);
        break;
    case KEY_CODE_TAB:
        complete(prompt, model);
        break;
    default:
        if (key >= ' ' && key < KEY_CODE_UP)
            insert(prompt, key);
    }
    return OVERLAY_OPEN;
}

struct overlay *overlay_prompt(enum prompt_kind kind, int64_t node, const char *start)
{
    static const struct overlay_kind table = {.draw = draw_prompt, .key = key_prompt, .takes_text = true};
    struct prompt *prompt = memory_new(1, sizeof *prompt);
    prompt->overlay.kind = &table;
    prompt->kind = kind;
    prompt->node = node;
    set_text(prompt, start ? start : "");
    return &prompt->overlay;
}
