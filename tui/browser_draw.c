/*
 * browser_draw.c - draws the list of sessions: a header, the rows, what there is to know of the selected one, the keys.
 *
 * On a narrow screen the least important columns are left out, on a low one what is below the rows; below 30×8 one
 * status line is all.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/browser.h"
#include "tui/node.h"
#include "tui/view.h"
#include "util/bug.h"

enum { MARK = 2, NAME_LEAST = 16, NAME_MOST = 40, ABOUT = 7 };

static const struct {
    const char *heading;
    int width;
} columns[BROWSER_COLUMN_COUNT] = {
#define BROWSER_ROW(name, word, heading, width, ascending) [BROWSER_##name] = {heading, width},
    BROWSER_COLUMNS(BROWSER_ROW)
#undef BROWSER_ROW
};

/* Which columns a narrow screen has: these, as far as they fit. */
static const enum browser_column importance[] = {
    BROWSER_STATE, BROWSER_BEST, BROWSER_PARAMETERS, BROWSER_NETWORKS, BROWSER_WRITTEN, BROWSER_CURVE,
    BROWSER_DATA,  BROWSER_DISK, BROWSER_WHERE,      BROWSER_SECONDS,  BROWSER_POLICY,
};

struct columns_shown {
    int at[BROWSER_COLUMN_COUNT], width[BROWSER_COLUMN_COUNT]; /* width 0: not shown */
};

/* --- where things are --- */

struct screen_areas {
    struct area header, list, about, keys; /* with their frames; height 0: not there */
};

static struct screen_areas areas_of(int width, int height)
{
    struct screen_areas areas = {.keys = {0, height - 1, width, 1}};
    if (width < 30 || height < 8)
        return areas;
    int about = height >= 20 ? ABOUT : 0;
    areas.header = (struct area){0, 0, width, 1};
    areas.list = (struct area){0, 1, width, height - 2 - about + (about > 0)};
    if (about)
        areas.about = (struct area){0, height - 1 - about, width, about};
    return areas;
}

/* The inside of a frame. */
static struct area inside_of(struct area frame)
{
    return area_part(frame, 1, 1, frame.width - 2, frame.height - 2);
}

struct area browser_rows_area(int width, int height)
{
    struct area inside = inside_of(areas_of(width, height).list);
    return area_part(inside, 0, 1, inside.width, inside.height - 1);
}

/* In the order of the columns; the names take what is left, as far as they need it. */
static struct columns_shown choose_columns(const struct browser *browser, int width)
{
    struct columns_shown shown = {{0}, {0}};
    int left = width - MARK - NAME_LEAST, longest = NAME_LEAST, x = MARK;
    for (size_t i = 0; i < COUNT_OF(importance); i++) {
        int wanted = columns[importance[i]].width;
        if (left < wanted + 1)
            continue;
        shown.width[importance[i]] = wanted;
        left -= wanted + 1;
    }
    for (size_t i = 0; i < browser->shown_count; i++) {
        int name = canvas_columns(browser->shown[i]->summary.name);
        longest = name > longest ? name : longest;
    }
    longest = longest > NAME_MOST ? NAME_MOST : longest;
    left = left < 0 ? 0 : left;
    shown.width[BROWSER_NAME] = longest > NAME_LEAST + left ? NAME_LEAST + left : longest;
    for (int i = 0; i < BROWSER_COLUMN_COUNT; i++) {
        shown.at[i] = x;
        x += shown.width[i] ? shown.width[i] + 1 : 0;
    }
    return shown;
}

enum browser_column browser_heading_at(const struct browser *browser, int width, int height, int x, int y)
{
    struct area inside = inside_of(areas_of(width, height).list);
    struct columns_shown shown = choose_columns(browser, inside.width);
    for (int i = 0; i < BROWSER_COLUMN_COUNT; i++)
        if (shown.width[i] && y == inside.y && x - inside.x >= shown.at[i] &&
            x - inside.x <= shown.at[i] + shown.width[i])
            return (enum browser_column)i;
    return BROWSER_COLUMN_COUNT;
}

/* --- rows --- */

static uint32_t glyph_of(enum summary_status status)
{
    static const uint32_t glyphs[SUMMARY_STATUS_COUNT] = {
        [SUMMARY_RUNNING] = '*', [SUMMARY_PAUSED] = L'‖',   [SUMMARY_DIED] = L'✗',  [SUMMARY_STOPPED] = '~',
        [SUMMARY_FAILED] = L'✗', [SUMMARY_FINISHED] = L'✓', [SUMMARY_DAMAGED] = '!'};
    return glyphs[status];
}

static enum style style_of(enum summary_status status)
{
    return status == SUMMARY_RUNNING                                 ? STYLE_RUNNING
           : status == SUMMARY_PAUSED                                ? STYLE_WARNING
           : status == SUMMARY_FINISHED || status == SUMMARY_STOPPED ? STYLE_DONE
                                                                     : STYLE_FAILED;
}

/* In six columns. */
static void print_age(char text[TEXT_SHORT], double seconds)
{
    const double day = 86400;
    if (seconds < 10 * day)
        node_age(text, seconds);
    else
        snprintf(text, TEXT_SHORT, "%.0fd", floor(seconds / day));
}

const char *browser_cell(const struct browser *browser, const struct browser_row *row, enum browser_column column,
                         char buffer[BROWSER_CELL])
{
    const struct session_summary *summary = &row->summary;
    char number[TEXT_SHORT] = "";
    snprintf(buffer, BROWSER_CELL, "%s", column == BROWSER_NAME ? summary->name : "");
    if (column == BROWSER_WRITTEN)
        print_age(number, difftime(browser->now, summary->written));
    else if (column == BROWSER_DISK)
        text_bytes(number, summary->bytes);
    else if (column == BROWSER_WHERE && summary->process)
        snprintf(buffer, BROWSER_CELL, "%s%s%s", summary->host, *summary->user ? " by " : "", summary->user);
    else if (!summary->readable)
        return buffer;
    else if (column == BROWSER_BEST && summary->best)
        snprintf(number, sizeof number, summary->accuracy < 0.99995 ? "%.2f" : "%.1f", 100 * summary->accuracy);
    else if (column == BROWSER_PARAMETERS && summary->best)
        text_count(number, (double)summary->parameters);
    else if (column == BROWSER_NETWORKS)
        snprintf(number, sizeof number, "%lld", (long long)summary->networks);
    else if (column == BROWSER_SECONDS)
        print_age(number, summary->seconds);
    else if (column == BROWSER_DATA && summary->data) /* without the folder of the images */
        snprintf(buffer, BROWSER_CELL, "%.*s", (int)strcspn(summary->data, ":"), summary->data);
    else if (column == BROWSER_POLICY && summary->policy)
        snprintf(buffer, BROWSER_CELL, "%s", summary->policy);
    if (*number)
        snprintf(buffer, BROWSER_CELL, "%*s", columns[column].width, number);
    return buffer;
}

static void draw_cell(const struct browser *browser, const struct browser_row *row, enum browser_column column,
                      struct canvas *canvas, struct area place)
{
    const struct session_summary *summary = &row->summary;
    char text[BROWSER_CELL];
    enum style style = column == BROWSER_NAME ? STYLE_BOLD : column == BROWSER_BEST ? STYLE_NORMAL : STYLE_DIM;
    if (column == BROWSER_STATE) {
        style = style_of(summary->status);
        canvas_glyph(canvas, place, 0, 0, glyph_of(summary->status), style);
        canvas_text(canvas, place, 2, 0, style, "%s", session_summary_word(summary->status));
    } else if (column == BROWSER_CURVE) {
        int count = summary->curve_count;
        if (count)
            canvas_spark(canvas, place, 0, 0, place.width, summary->curve, count, summary->curve[0],
                         summary->curve[count - 1], STYLE_CURVE_A);
    } else {
        canvas_text(canvas, place, 0, 0, style, "%s", browser_cell(browser, row, column, text));
    }
}

static void draw_row(const struct browser *browser, const struct browser_row *row, const struct columns_shown *shown,
                     struct canvas *canvas, struct area rows, int y)
{
    if (row->marked)
        canvas_glyph(canvas, rows, 0, y, L'◆', STYLE_PINNED);
    for (int i = 0; i < BROWSER_COLUMN_COUNT; i++)
        if (shown->width[i])
            draw_cell(browser, row, (enum browser_column)i, canvas,
                      area_part(rows, shown->at[i], y, shown->width[i], 1));
    if (row == browser->selected)
        canvas_restyle(canvas, rows, y, STYLE_SELECTED);
}

static void draw_headings(const struct browser *browser, const struct columns_shown *shown, struct canvas *canvas,
                          struct area inside)
{
    for (int i = 0; i < BROWSER_COLUMN_COUNT; i++) {
        bool sorted = i == (int)browser->column;
        int width = shown->width[i], length = (int)strlen(columns[i].heading) + sorted;
        bool right = i != BROWSER_NAME && i != BROWSER_STATE && i != BROWSER_CURVE && i != BROWSER_DATA &&
                     i != BROWSER_POLICY && i != BROWSER_WHERE;
        if (width)
            canvas_text(canvas, inside, shown->at[i] + (right && width > length ? width - length : 0), 0,
                        sorted ? STYLE_KEY : STYLE_DIM, "%s%s", columns[i].heading,
                        !sorted               ? ""
                        : browser->descending ? "▾"
                                              : "▴");
    }
}

static void settle_top(struct browser *browser, int height)
{
    int row = 0;
    while (row < (int)browser->shown_count && browser->shown[row] != browser->selected)
        row++;
    if (row >= browser->top + height)
        browser->top = row - height + 1;
    if (row < browser->top)
        browser->top = row;
    scroll_settle(&browser->top, (int)browser->shown_count - height);
    browser->page_height = height;
}

static void draw_list(struct browser *browser, struct canvas *canvas, struct area frame)
{
    struct text title = TEXT_EMPTY;
    text_add(&title, " Sessions ─ by %s, %zu%s%s%s ", browser_column_word(browser->column), browser->shown_count,
             *browser->filter ? " found by /" : "", browser->filter, browser->reading ? ", reading…" : "");
    struct area inside = canvas_box(canvas, frame, text_string(&title), STYLE_BORDER);
    struct area rows = area_part(inside, 0, 1, inside.width, inside.height - 1);
    struct columns_shown shown = choose_columns(browser, inside.width);
    char key[16];
    text_done(&title);
    settle_top(browser, rows.height);
    draw_headings(browser, &shown, canvas, inside);
    for (int y = 0; y < rows.height && browser->top + y < (int)browser->shown_count; y++)
        draw_row(browser, browser->shown[browser->top + y], &shown, canvas, rows, y);
    if (!browser->shown_count && !browser->reading)
        canvas_text(canvas, rows, MARK, 0, STYLE_DIM,
                    *browser->filter ? "nothing matches: Escape shows all"
                                     : "no session is here or in the state folder: %s begins a search",
                    request_key(REQUEST_SESSION_NEW, key));
}

/* --- the selected session --- */

static int draw_state(const struct session_summary *summary, struct canvas *canvas, struct area area, int y)
{
    char line[1024];
    enum style style = style_of(summary->status);
    switch (summary->status) {
    case SUMMARY_RUNNING:
    case SUMMARY_PAUSED:
        snprintf(line, sizeof line, "%s: process %ld on %s%s%s", session_summary_word(summary->status),
                 summary->process, summary->host, *summary->user ? " by " : "", summary->user);
        break;
    case SUMMARY_DIED:
        snprintf(line, sizeof line, "died: its process is gone; nothing that was recorded is lost, and it can go on");
        break;
    case SUMMARY_DAMAGED:
        snprintf(line, sizeof line, "damaged: %.1000s", summary->error.text);
        break;
    default:
        snprintf(line, sizeof line, "%s", session_summary_word(summary->status));
    }
    return canvas_words(canvas, area, y, style, line);
}

static void draw_about(const struct browser *browser, struct canvas *canvas, struct area frame)
{
    const struct session_summary *summary = browser->selected ? &browser->selected->summary : NULL;
    char title[LINE_MAX], count[TEXT_SHORT], age[TEXT_SHORT], bytes[TEXT_SHORT], line[512];
    snprintf(title, sizeof title, " %s ", summary ? summary->name : "");
    struct area inside = canvas_box(canvas, frame, summary ? title : "", STYLE_BORDER);
    inside = area_part(inside, 1, 0, inside.width - 2, inside.height);
    if (!summary)
        return;
    int y = draw_state(summary, canvas, inside, 0);
    if (summary->best) {
        snprintf(line, sizeof line, "best n%lld %.2f %% with %s parameters; %lld network%s trained, %lld waiting",
                 (long long)summary->best, 100 * summary->accuracy, text_count(count, (double)summary->parameters),
                 (long long)summary->networks, summary->networks == 1 ? "" : "s", (long long)summary->pending);
        y = canvas_words(canvas, inside, y, STYLE_BEST, line);
    }
    if (summary->readable) {
        snprintf(line, sizeof line, "%s%s%s%s%s searched", summary->data ? summary->data : "",
                 summary->data ? ", " : "", summary->policy ? summary->policy : "", summary->policy ? ", " : "",
                 node_age(age, summary->seconds));
        y = canvas_words(canvas, inside, y, STYLE_NORMAL, line);
    }
    print_age(age, difftime(browser->now, summary->written));
    canvas_text(canvas, inside, 0, y, STYLE_NORMAL, "%s on the disk, written %s ago", text_bytes(bytes, summary->bytes),
                age);
    canvas_text(canvas, inside, 0, y + 1, STYLE_DIM, "%s", summary->folder);
}

/* --- header and keys --- */

static void draw_header(const struct browser *browser, struct canvas *canvas, struct area area)
{
    int counts[SUMMARY_STATUS_COUNT] = {0};
    char bytes[TEXT_SHORT];
    double all = 0;
    for (size_t i = 0; i < browser->count; i++) {
        counts[browser->rows[i]->summary.status]++;
        all += browser->rows[i]->summary.bytes;
    }
    int x = canvas_text(canvas, area, 1, 0, STYLE_HEADER, "espalier");
    x = canvas_text(canvas, area, x + 2, 0, STYLE_NORMAL, "%zu session%s", browser->count,
                    browser->count == 1 ? "" : "s");
    for (int i = 0; i < SUMMARY_STATUS_COUNT; i++)
        if (counts[i])
            x = canvas_text(canvas, area, x + 2, 0, style_of((enum summary_status)i), "%d %s", counts[i],
                            session_summary_word((enum summary_status)i));
    canvas_text_right(canvas, area, 1, x + 2, 0, STYLE_DIM, "%s", text_bytes(bytes, all));
}

static const struct {
    enum request request;
    const char *label;
} bar[] = {
    {REQUEST_HELP, "Help"},
    {REQUEST_OPEN, "Open"},
    {REQUEST_SESSION_ATTACH, "Attach"},
    {REQUEST_SESSION_RESUME, "Resume"},
    {REQUEST_SESSION_REPLAY, "Play"},
    {REQUEST_SESSION_NEW, "New"},
    {REQUEST_MARK, "Mark"},
    {REQUEST_COMPARE, "Compare"},
    {REQUEST_QUIT, "Quit"},
    {REQUEST_FIND, "Find"},
    {REQUEST_SORT, "Order"},
    {REQUEST_SESSION_RENAME, "Rename"},
    {REQUEST_SESSION_WEIGHTS, "Weights"},
    {REQUEST_SESSION_DELETE, "Delete"},
};

static void draw_keys(const struct browser *browser, struct canvas *canvas, struct area area)
{
    char key[16];
    int x = 0;
    if (*browser->message) {
        int width = area.width - 2 > 0 ? area.width - 2 : area.width;
        int lines = canvas_words(canvas, (struct area){.width = width}, 0, STYLE_WARNING, browser->message);
        lines = lines > canvas->height ? canvas->height : lines;
        struct area over = {area.x, canvas->height - lines, area.width, lines};
        canvas_fill(canvas, over, ' ', STYLE_NORMAL);
        canvas_words(canvas, area_part(over, area.width > 2, 0, width, lines), 0, STYLE_WARNING, browser->message);
        return;
    }
    if (canvas->width < 30 || canvas->height < 8) {
        canvas_text(canvas, area, 0, 0, STYLE_NORMAL, "%s %s", browser->selected ? browser->selected->summary.name : "",
                    browser->selected ? session_summary_word(browser->selected->summary.status) : "no session");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(bar); i++) {
        request_key(bar[i].request, key);
        if (!*key)
            continue;
        if (x + 1 + canvas_columns(key) + canvas_columns(bar[i].label) > area.width)
            return;
        x = canvas_text(canvas, area, x + 1, 0, STYLE_KEY, "%s", key);
        x = canvas_text(canvas, area, x, 0, STYLE_KEY_LABEL, "%s", bar[i].label);
    }
}

void browser_draw(struct browser *browser, struct canvas *canvas)
{
    struct screen_areas areas = areas_of(canvas->width, canvas->height);
    browser_settle(browser);
    if (areas.header.height) {
        draw_header(browser, canvas, areas.header);
        draw_list(browser, canvas, areas.list);
    }
    if (areas.about.height)
        draw_about(browser, canvas, areas.about);
    draw_keys(browser, canvas, areas.keys);
    browser_draw_dialog(browser, canvas);
}
