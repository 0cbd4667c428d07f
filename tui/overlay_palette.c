/*
 * overlay_palette.c - one line that finds everything: each key's request, each command, each network.
 *
 * Every word of the line has to be in an entry. A word that begins the entry's name counts more than one inside it,
 * that more than one in the help, and last come words whose letters stand in the name in their order ("nxp" finds
 * "next-pane"). Networks are found by number, note and actions. The entries that were chosen last come first
 * (history.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "sessions/command.h"
#include "tui/history.h"
#include "tui/node.h"
#include "tui/overlay_kind.h"
#include "util/bug.h"
#include "util/memory.h"

enum entry_kind { ENTRY_REQUEST, ENTRY_COMMAND, ENTRY_NETWORK };
enum { WIDTH = 78, ROWS = 15, FOUND_MAX = 100, NO_MATCH = 1 << 20, RECENT = 1000 };

struct entry {
    enum entry_kind kind;
    int64_t index; /* an enum request, an enum command_kind, or a node */
    int score;     /* the smallest first */
};

struct palette {
    struct overlay overlay;
    struct overlay_list list;
    char text[PROMPT_MAX];
    struct entry found[FOUND_MAX + 1];
    int count;
    int64_t nodes; /* networks when `found` was made */
};

/* --- matching --- */

static bool has_letters(const char *name, const char *word)
{
    for (; *word && *name; name++)
        word += *name == *word;
    return !*word;
}

static int score_word(const char *name, const char *help, const char *word)
{
    const char *at = strcasestr(name, word);
    if (at)
        return at == name ? 0 : at[-1] == '-' || at[-1] == ' ' || at[-1] == ':' ? 1 : 2;
    if (help && strcasestr(help, word))
        return 4;
    return has_letters(name, word) ? 8 : NO_MATCH;
}

static int score(const char *name, const char *help, const char *line)
{
    char words[PROMPT_MAX], *rest = NULL;
    int sum = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word && sum < NO_MATCH; word = strtok_r(NULL, " ", &rest))
        sum += score_word(name, help, word);
    return sum;
}

/* What an entry is called, here and in the history. */
static void name_of(const struct entry *entry, char name[REQUEST_NAME])
{
    if (entry->kind == ENTRY_REQUEST)
        request_name((enum request)entry->index, name);
    else if (entry->kind == ENTRY_COMMAND)
        snprintf(name, REQUEST_NAME, ":%s", command_row((enum command_kind)entry->index)->name);
    else
        snprintf(name, REQUEST_NAME, "n%lld", (long long)entry->index);
}

/* Keep the best ones in their order; of equals the one that came first. */
static void add(struct palette *palette, struct entry entry)
{
    if (entry.score >= NO_MATCH || (palette->count == FOUND_MAX && entry.score >= palette->found[FOUND_MAX - 1].score))
        return;
    int at = palette->count;
    for (; at > 0 && palette->found[at - 1].score > entry.score; at--)
        palette->found[at] = palette->found[at - 1];
    palette->found[at] = entry;
    palette->count += palette->count < FOUND_MAX;
}

static int recent_score(const struct entry *entry)
{
    char name[REQUEST_NAME];
    name_of(entry, name);
    for (int back = 1; back <= history_count() && back < RECENT; back++)
        if (!strcmp(history_line(back), name))
            return back - RECENT;
    return 0;
}

static void add_request(struct palette *palette, enum request request)
{
    struct entry entry = {.kind = ENTRY_REQUEST, .index = request};
    char name[REQUEST_NAME];
    name_of(&entry, name);
    entry.score = score(name, request_row(request)->help, palette->text);
    if (!*palette->text)
        entry.score = recent_score(&entry) - (request >= REQUEST_PAUSE && request <= REQUEST_PALETTE); /* what steers */
    add(palette, entry);
}

static void add_command(struct palette *palette, enum command_kind kind)
{
    struct entry entry = {.kind = ENTRY_COMMAND, .index = kind};
    entry.score = score(command_row(kind)->name, command_row(kind)->help,
                        palette->text + (*palette->text == ':')); /* as it is typed at the `:` line */
    if (!*palette->text)
        entry.score = recent_score(&entry);
    add(palette, entry);
}

/* "n37 widen:conv1:12 deepen:conv2:3", and its note; without a line only those that were chosen before, and the best.
 */
static void add_network(struct palette *palette, const struct session_state *state, int64_t number, struct text *text)
{
    const struct session_node *node = session_node(state, number);
    struct entry entry = {.kind = ENTRY_NETWORK, .index = number};
    if (!*palette->text) {
        entry.score = recent_score(&entry);
        if (entry.score || number == state->best)
            add(palette, entry);
        return;
    }
    text_clear(text);
    text_add(text, "n%lld", (long long)number);
    for (int i = 0; i < node->facts.actions.count; i++) {
        text_add_bytes(text, " ", 1);
        text_add_bytes(text, node->facts.actions.items[i], strlen(node->facts.actions.items[i]));
    }
    entry.score = score(text_string(text), node->note, palette->text);
    if (entry.score < 8 * 2) /* letters that are somewhere in a long text say nothing */
        add(palette, entry);
}

static void find(struct palette *palette, const struct model *model)
{
    struct text text = TEXT_EMPTY;
    palette->count = 0;
    palette->nodes = model->state->node_count;
    for (enum request request = REQUEST_NONE + 1; request < REQUEST_SCREENS; request++) /* not the session list's */
        add_request(palette, request);
    for (enum command_kind kind = 0; kind < COMMAND_COUNT && model->mode != MODE_REPLAY; kind++)
        add_command(palette, kind);
    for (int64_t number = 1; number <= palette->nodes; number++)
        add_network(palette, model->state, number, &text);
    text_done(&text);
}

/* --- drawing --- */

static void draw_network(const struct model *model, int64_t number, struct canvas *canvas, struct area line)
{
    enum { EDGE = 28, NUMBER = 20 };
    const struct session_node *node = session_node(model->state, number);
    struct text edge = TEXT_EMPTY;
    char name[REQUEST_NAME];
    snprintf(name, sizeof name, "n%lld", (long long)number);
    canvas_text(canvas, line, 0, 0, STYLE_KEY, "%s", name);
    if (node->status == NODE_DONE)
        canvas_text(canvas, line, NUMBER, 0, STYLE_NORMAL, "%.2f%%", 100 * node->accuracy);
    else
        canvas_text(canvas, line, NUMBER, 0, node_style(node->status), "%s", node_word(node->status));
    node_edge(model->state, node, canvas->unicode, line.width - EDGE - 6, &edge);
    canvas_text(canvas, line, EDGE + 6, 0, node_edge_style(node), "%s", text_string(&edge));
    text_done(&edge);
}

static void draw_entry(const struct model *model, const struct entry *entry, struct canvas *canvas, struct area line)
{
    enum { HELP = 20 };
    char name[REQUEST_NAME], key[16] = "";
    if (entry->kind == ENTRY_NETWORK) {
        draw_network(model, entry->index, canvas, line);
        return;
    }
    const char *help = entry->kind == ENTRY_REQUEST ? request_row((enum request)entry->index)->help
                                                    : command_row((enum command_kind)entry->index)->help;
    name_of(entry, name);
    if (entry->kind == ENTRY_REQUEST)
        request_key((enum request)entry->index, key);
    canvas_text(canvas, area_part(line, 0, 0, HELP - 1, 1), 0, 0, STYLE_KEY, "%s", name);
    canvas_text(canvas, area_part(line, HELP, 0, line.width - HELP - 10, 1), 0, 0, STYLE_NORMAL, "%s", help);
    canvas_text_right(canvas, line, 0, HELP, 0, STYLE_DIM, "%s", key);
}

static void draw_palette(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    struct palette *palette = (struct palette *)overlay;
    struct area inside = overlay_box(canvas, WIDTH, ROWS + 5, " Palette: keys, commands, networks ");
    struct area line = area_part(inside, 1, 0, inside.width - 2, 1);
    if (palette->nodes != model->state->node_count)
        find(palette, model);
    int x = canvas_text(canvas, line, 0, 0, STYLE_NORMAL, "> %s", palette->text);
    canvas_glyph(canvas, line, x, 0, ' ', STYLE_SELECTED);
    struct area area = area_part(inside, 1, 1, inside.width - 2, inside.height - 3);
    overlay_list_settle(&palette->list, palette->count, area);
    for (int row = 0; row < area.height && palette->list.top + row < palette->count; row++)
        draw_entry(model, &palette->found[palette->list.top + row], canvas, area_part(area, 0, row, area.width, 1));
    if (palette->count)
        canvas_restyle(canvas, area, palette->list.chosen - palette->list.top, STYLE_SELECTED);
    else
        canvas_text(canvas, area, 0, 0, STYLE_DIM, "nothing has all these words");
    canvas_text(canvas, inside, 1, inside.height - 1, STYLE_KEY, "Enter do it   ↑↓ choose   Escape close");
}

/* --- keys --- */

static enum overlay_answer choose(const struct palette *palette, struct text *words)
{
    char name[REQUEST_NAME];
    if (!palette->count)
        return OVERLAY_OPEN;
    name_of(&palette->found[palette->list.chosen], name);
    history_add(name);
    text_add(words, "%s", name);
    return OVERLAY_PALETTE;
}

static void erase_last(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && ((unsigned char)text[--length] & 0xc0) == 0x80)
        ;
    text[length] = '\0';
}

static void insert(struct palette *palette, int key)
{
    size_t length = strlen(palette->text);
    struct text bytes = TEXT_EMPTY;
    text_add(&bytes, "%lc", (wint_t)key);
    if (length + bytes.length < sizeof palette->text)
        memcpy(palette->text + length, bytes.bytes, bytes.length + 1);
    text_done(&bytes);
}

static enum overlay_answer key_palette(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    enum { CONTROL_P = 16, CONTROL_U = 21 };
    struct palette *palette = (struct palette *)overlay;
    if (key == KEY_CODE_ENTER)
        return choose(palette, words);
    if (key == KEY_CODE_ESCAPE || key == CONTROL_P || (key == KEY_CODE_BACKSPACE && !*palette->text))
        return OVERLAY_CLOSED;
    if (overlay_list_key(&palette->list, key, palette->count, false))
        return OVERLAY_OPEN;
    if (key == KEY_CODE_BACKSPACE)
        erase_last(palette->text);
    else if (key == CONTROL_U)
        palette->text[0] = '\0';
    else if (key >= ' ' && key < KEY_CODE_UP)
        insert(palette, key);
    palette->list.chosen = 0;
    find(palette, model);
    return OVERLAY_OPEN;
}

/* A click chooses, and does it. */
static enum overlay_answer click_palette(struct overlay *overlay, struct model *model, int x, int y, struct text *words)
{
    struct palette *palette = (struct palette *)overlay;
    int row = overlay_list_at(&palette->list, palette->count, x, y);
    if (row < 0)
        return OVERLAY_OPEN;
    palette->list.chosen = row;
    return choose(palette, words);
}

struct overlay *overlay_palette(const struct model *model)
{
    static const struct overlay_kind kind = {
        .draw = draw_palette, .key = key_palette, .click = click_palette, .takes_text = true};
    struct palette *palette = memory_new(1, sizeof *palette);
    palette->overlay.kind = &kind;
    find(palette, model);
    return &palette->overlay;
}
