/*
 * overlay_prompt.c - one line to edit, in the place of the key bar: a command, a text to find, or a note.
 *
 * The commands that begin like the line are listed above it with their keys (sessions/command.h).  Tab completes; up
 * and down go through the commands that were given before in this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "arch/action.h"
#include "sessions/command.h"
#include "tui/filter.h"
#include "tui/history.h"
#include "tui/overlay_kind.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/memory.h"

struct prompt {
    struct overlay overlay;
    enum prompt_kind kind;
    int64_t node;
    char text[PROMPT_MAX];
    int length, cursor;
    int recalled; /* how far back in the history; 0: the line being written */
    char filter[PROMPT_MAX]; /* PROMPT_FIND: what was in force before; `node` was selected */
    bool follow;
};

/* Requests whose keys give the same command. */
static const enum request requests_of[COMMAND_COUNT][2] = {
    [COMMAND_PAUSE] = {REQUEST_PAUSE},   [COMMAND_CONTINUE] = {REQUEST_PAUSE},
    [COMMAND_PIN] = {REQUEST_PIN},       [COMMAND_UNPIN] = {REQUEST_PIN},
    [COMMAND_PRUNE] = {REQUEST_PRUNE},   [COMMAND_GROW] = {REQUEST_WIDEN, REQUEST_DEEPEN},
    [COMMAND_UNDO] = {REQUEST_UNDO},     [COMMAND_NOTE] = {REQUEST_NOTE},
    [COMMAND_RATE] = {REQUEST_RATE},     [COMMAND_BUDGET] = {REQUEST_MORE, REQUEST_FEWER},
    [COMMAND_EPOCHS] = {REQUEST_EPOCHS}, [COMMAND_STOP] = {REQUEST_QUIT},
};

/* The commands of a search, or the one of a recording; NULL past the last. */
static const struct command_row *command_at(const struct model *model, int index)
{
    static const struct command_row of_replay[] = {
        {"goto", "N% or 1h02m", "go to a place of the recording"},
        {"fork", "[N]", "begin a new search from this moment, or with a network"}};
    if (model->mode == MODE_REPLAY)
        return index < (int)COUNT_OF(of_replay) ? &of_replay[index] : NULL;
    return index < COMMAND_COUNT ? command_row((enum command_kind)index) : NULL;
}

/* Does the command's name begin like the line's first word?  Where a blank follows the word, it is the whole name. */
static bool matches(const struct prompt *prompt, const struct command_row *command)
{
    size_t length = strcspn(prompt->text, " ");
    return !strncmp(command->name, prompt->text, length) && (!prompt->text[length] || !command->name[length]);
}

/* Is it a byte of a character, but not its first? */
static bool is_inside(const struct prompt *prompt, int place)
{
    return ((unsigned char)prompt->text[place] & 0xc0) == 0x80;
}

static void draw_command(const struct model *model, int index, struct canvas *canvas, struct area inside, int row)
{
    const struct command_row *command = command_at(model, index);
    char keys[2][16] = {"", ""};
    for (int i = 0; i < 2 && model->mode != MODE_REPLAY; i++)
        if (requests_of[index][i])
            request_key(requests_of[index][i], keys[i]);
    int x = canvas_text(canvas, inside, 1, row, STYLE_KEY, "%s", command->name);
    x = canvas_text(canvas, inside, x + 1, row, STYLE_DIM, "%s", command->arguments);
    x = canvas_text(canvas, inside, x + 2 < 20 ? 20 : x + 2, row, STYLE_NORMAL, "%s", command->help);
    canvas_text_right(canvas, inside, 1, x + 1, row, STYLE_DIM, "%s%s%s", keys[0], *keys[1] ? " " : "", keys[1]);
}

static void draw_commands(const struct prompt *prompt, const struct model *model, struct canvas *canvas)
{
    const struct command_row *command;
    int count = 0, row = 0;
    for (int i = 0; (command = command_at(model, i)); i++)
        count += matches(prompt, command);
    if (!count || canvas->height < count + 3)
        return;
    struct area area = {0, canvas->height - 1 - count - 2, canvas->width < 78 ? canvas->width : 78, count + 2};
    canvas_fill(canvas, area, ' ', STYLE_DIALOG);
    struct area inside = canvas_box(canvas, area, " Commands ─ Tab completes ", STYLE_FOCUS);
    for (int i = 0; (command = command_at(model, i)); i++)
        if (matches(prompt, command))
            draw_command(model, i, canvas, inside, row++);
}

/* Columns from a byte of the line to the cursor. */
static int columns_before(const struct prompt *prompt, int from)
{
    char text[PROMPT_MAX];
    snprintf(text, sizeof text, "%.*s", prompt->cursor - from, prompt->text + from);
    return canvas_columns(text);
}

/* The bytes (whole characters) to leave out at the left of a long line, so that the cursor is visible in `width`. */
static int skipped(const struct prompt *prompt, int width)
{
    int skip = 0;
    while (skip < prompt->cursor && columns_before(prompt, skip) > width)
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

/* The history has what the palette chose too; commands begin with a colon. */
static const char *typed_before(int back)
{
    int count = 0;
    for (int i = 1; i <= history_count(); i++)
        if (*history_line(i) == ':' && ++count == back)
            return history_line(i) + 1;
    return NULL;
}

static void recall(struct prompt *prompt, int step)
{
    int wanted = prompt->recalled + step;
    if (prompt->kind != PROMPT_COMMAND || wanted < 0 || (wanted && !typed_before(wanted)))
        return;
    prompt->recalled = wanted;
    set_text(prompt, wanted ? typed_before(wanted) : "");
}

static void remember(const char *line)
{
    char colon[PROMPT_MAX + 2];
    snprintf(colon, sizeof colon, ":%s", line);
    history_add(colon);
}

/* Complete the kind of an action, the last word of `grow N ACTION...`. */
static void complete_action(struct prompt *prompt)
{
    const char *word = strrchr(prompt->text, ' ') + 1, *found = NULL;
    size_t length = strlen(word);
    for (int kind = 0; kind < ACTION_KINDS && length; kind++)
        if (!strncmp(action_kind_word((enum action_kind)kind), word, length))
            found = action_kind_word((enum action_kind)kind);
    char text[PROMPT_MAX];
    if (found) {
        snprintf(text, sizeof text, "%.*s%s:", (int)(word - prompt->text), prompt->text, found);
        set_text(prompt, text);
    }
}

/* Complete the name of the only command that begins like the line; when there are more, the list shows them. */
static void complete(struct prompt *prompt, const struct model *model)
{
    const struct command_row *command, *found = NULL;
    if (prompt->kind == PROMPT_COMMAND && !strncmp(prompt->text, "grow ", 5))
        complete_action(prompt);
    if (prompt->kind != PROMPT_COMMAND || strchr(prompt->text, ' '))
        return;
    for (int i = 0; (command = command_at(model, i)); i++) {
        if (!matches(prompt, command))
            continue;
        if (found)
            return;
        found = command;
    }
    char text[PROMPT_MAX];
    if (found) {
        snprintf(text, sizeof text, "%s%s", found->name, *found->arguments ? " " : "");
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

/* Complete the first argument where it is one of several words: "networks|seconds VALUE". */
static void complete_argument(struct prompt *prompt, const struct model *model)
{
    const char *typed = strchr(prompt->text, ' '), *found = NULL;
    const struct command_row *command = command_at(model, 0);
    for (int i = 1; command && !(typed && matches(prompt, command)); i++)
        command = command_at(model, i);
    if (prompt->kind != PROMPT_COMMAND || !command || strchr(++typed, ' '))
        return;
    size_t length = strlen(typed), most = strcspn(command->arguments, " "), size = 0;
    for (const char *word = command->arguments; word < command->arguments + most; word += strcspn(word, "| ") + 1)
        if (!strncmp(word, typed, length) && length <= strcspn(word, "| ")) {
            if (found)
                return;
            found = word;
            size = strcspn(word, "| ");
        }
    char text[PROMPT_MAX];
    if (found && memchr(command->arguments, '|', most)) {
        snprintf(text, sizeof text, "%s %.*s ", command->name, (int)size, found);
        set_text(prompt, text);
    }
}

/* Erase the word before the cursor, and the blanks after it. */
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

/* The filter follows what is typed, where that can be read. */
static void find_while_typing(const struct prompt *prompt, struct model *model)
{
    struct filter filter;
    if (prompt->kind == PROMPT_FIND && prompt->length &&
        !filter_parse(prompt->text, model->state, &filter, NULL))
        tree_find(model, prompt->text);
}

/* As it was before the prompt. */
static void stop_finding(const struct prompt *prompt, struct model *model)
{
    if (prompt->kind != PROMPT_FIND)
        return;
    tree_find(model, prompt->filter);
    tree_select(model, prompt->node);
    model->follow = prompt->follow;
}

static enum overlay_answer edit(struct prompt *prompt, struct model *model, int key, struct text *words)
{
    switch (key) {
    case KEY_CODE_ESCAPE:
        stop_finding(prompt, model);
        return OVERLAY_CLOSED;
    case KEY_CODE_ENTER:
        return finish(prompt, words);
    case KEY_CODE_BACKSPACE:
        if (!prompt->length) {
            stop_finding(prompt, model);
            return OVERLAY_CLOSED;
        }
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
        if (prompt->kind == PROMPT_FIND)
            set_text(prompt, prompt->filter);
        recall(prompt, 1);
        break;
    case KEY_CODE_DOWN:
        recall(prompt, -1);
        break;
    case KEY_CODE_TAB:
        complete(prompt, model);
        complete_argument(prompt, model);
        break;
    default:
        if (key >= ' ' && key < KEY_CODE_UP)
            insert(prompt, key);
    }
    return OVERLAY_OPEN;
}

static enum overlay_answer key_prompt(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct prompt *prompt = (struct prompt *)overlay;
    enum overlay_answer answer = edit(prompt, model, key, words);
    if (answer == OVERLAY_OPEN)
        find_while_typing(prompt, model);
    return answer;
}

struct overlay *overlay_find(const struct model *model)
{
    struct overlay *overlay = overlay_prompt(PROMPT_FIND, model->selected, "");
    struct prompt *prompt = (struct prompt *)overlay;
    snprintf(prompt->filter, sizeof prompt->filter, "%s", model->tree.filter);
    prompt->follow = model->follow;
    return overlay;
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
