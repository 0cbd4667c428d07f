/*
 * browser.c - the rows of the list of sessions, and what keys and the mouse do to it.
 *
 * Rows come in any order while they are read.  What is shown is made from them when it is needed next: those that the
 * filter lets through, sorted, with the selected one in its place.
 */
#include "tui/browser.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/node.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/memory.h"

static const struct {
    const char *word;
    bool ascending;
} columns[BROWSER_COLUMN_COUNT] = {
#define BROWSER_ROW(name, word, heading, width, ascending) [BROWSER_##name] = {word, ascending},
    BROWSER_COLUMNS(BROWSER_ROW)
#undef BROWSER_ROW
};

const char *browser_column_word(enum browser_column column)
{
    return columns[column].word;
}

void browser_init(struct browser *browser)
{
    *browser = (struct browser){.column = BROWSER_WRITTEN, .reading = true, .page_height = 10};
}

static void free_row(struct browser_row *row)
{
    session_summary_done(&row->summary);
    free(row);
}

void browser_done(struct browser *browser)
{
    for (size_t i = 0; i < browser->count; i++)
        free_row(browser->rows[i]);
    free(browser->rows);
    free(browser->shown);
    text_done(&browser->text);
    text_done(&browser->form.preview);
}

void browser_say(struct browser *browser, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(browser->message, sizeof browser->message, format, list);
    va_end(list);
}

/* --- rows --- */

static size_t find(const struct browser *browser, const char *folder)
{
    size_t i = 0;
    while (i < browser->count && strcmp(browser->rows[i]->summary.folder, folder))
        i++;
    return i;
}

void browser_update(struct browser *browser, struct session_summary *summary)
{
    size_t i = find(browser, summary->folder);
    if (i == browser->count) {
        browser->rows = memory_grow(browser->rows, browser->count, &browser->capacity, sizeof *browser->rows);
        browser->rows[browser->count++] = memory_new(1, sizeof **browser->rows);
    }
    session_summary_done(&browser->rows[i]->summary);
    browser->rows[i]->summary = *summary;
    browser->stale = true;
}

static size_t shown_index(const struct browser *browser, const struct browser_row *row)
{
    size_t i = 0;
    while (i < browser->shown_count && browser->shown[i] != row)
        i++;
    return i;
}

/* Is something open that is about the selected session, which then must stay the selected one? */
static bool is_asked_about(const struct browser *browser)
{
    return browser->dialog == BROWSER_QUESTION || browser->dialog == BROWSER_NAME_LINE ||
           (browser->dialog == BROWSER_FORM && browser->form.purpose == BROWSER_RESUME);
}

/* The one behind it, or before it, becomes the selected one. */
void browser_remove(struct browser *browser, const char *folder)
{
    size_t i = find(browser, folder);
    if (i == browser->count)
        return;
    struct browser_row *row = browser->rows[i];
    if (row == browser->selected && is_asked_about(browser)) {
        browser->dialog = BROWSER_LIST;
        browser_say(browser, "%s is gone", row->summary.name);
    }
    if (row == browser->selected) {
        browser_settle(browser);
        size_t at = shown_index(browser, row);
        browser->selected = at + 1 < browser->shown_count         ? browser->shown[at + 1]
                            : at > 0 && at < browser->shown_count ? browser->shown[at - 1]
                                                                  : NULL;
    }
    browser->rows[i] = browser->rows[--browser->count];
    free_row(row);
    browser->stale = true;
    browser_settle(browser);
}

void browser_rename(struct browser *browser, const char *folder, char *renamed)
{
    size_t i = find(browser, folder);
    if (i == browser->count) {
        free(renamed);
        return;
    }
    struct session_summary *summary = &browser->rows[i]->summary;
    free(summary->folder);
    free(summary->name);
    summary->folder = renamed;
    summary->name = session_short_name(renamed);
    browser->stale = true;
}

void browser_select(struct browser *browser, const char *folder)
{
    size_t i = find(browser, folder);
    if (i < browser->count)
        browser->selected = browser->rows[i];
    browser->stale = true;
}

/* Does each word of the filter stand in the row's texts? */
static bool matches(const struct browser *browser, const struct browser_row *row)
{
    const struct session_summary *summary = &row->summary;
    char word[LINE_MAX], texts[BROWSER_CELL];
    snprintf(texts, sizeof texts, "%s %s %s %s %s", summary->name, session_summary_word(summary->status),
             summary->data ? summary->data : "", summary->policy ? summary->policy : "", summary->user);
    for (const char *left = browser->filter; *(left += strspn(left, " "));) {
        size_t length = strcspn(left, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, left);
        if (!strcasestr(texts, word))
            return false;
        left += length;
    }
    return true;
}

static double number_of(const struct session_summary *summary, enum browser_column column)
{
    switch (column) {
    case BROWSER_STATE:
        return summary->status;
    case BROWSER_BEST:
        return summary->accuracy;
    case BROWSER_PARAMETERS:
        return (double)summary->parameters;
    case BROWSER_NETWORKS:
        return (double)summary->networks;
    case BROWSER_WRITTEN:
        return -(double)summary->written; /* its age */
    case BROWSER_DISK:
        return summary->bytes;
    case BROWSER_SECONDS:
        return summary->seconds;
    default:
        return 0;
    }
}

static const char *text_of(const struct session_summary *summary, enum browser_column column)
{
    const char *text = column == BROWSER_NAME     ? summary->name
                       : column == BROWSER_DATA   ? summary->data
                       : column == BROWSER_POLICY ? summary->policy
                       : column == BROWSER_WHERE  ? summary->host
                                                  : NULL;
    return text ? text : "";
}

/* Is nothing known of it?  Such rows come last in either direction. */
static bool is_unknown(const struct session_summary *summary, enum browser_column column)
{
    return column == BROWSER_WHERE                                  ? !summary->process
           : column == BROWSER_BEST || column == BROWSER_PARAMETERS ? !summary->best
                                                                    : false;
}

static int compare(const void *left, const void *right, void *context)
{
    const struct browser *browser = context;
    const struct session_summary *a = &(*(struct browser_row *const *)left)->summary,
                                 *b = &(*(struct browser_row *const *)right)->summary;
    enum browser_column column = browser->column;
    double first = number_of(a, column), second = number_of(b, column);
    int order = first < second ? -1 : first > second ? 1 : strcasecmp(text_of(a, column), text_of(b, column));
    if (is_unknown(a, column) != is_unknown(b, column))
        return is_unknown(a, column) ? 1 : -1;
    if (order)
        return browser->descending ? -order : order;
    return strcmp(a->folder, b->folder);
}

void browser_settle(struct browser *browser)
{
    if (!browser->stale)
        return;
    size_t before = shown_index(browser, browser->selected);
    bool was_shown = before < browser->shown_count;
    browser->shown = memory_resize(browser->shown, browser->count + 1, sizeof *browser->shown);
    browser->shown_count = 0;
    for (size_t i = 0; i < browser->count; i++)
        if (matches(browser, browser->rows[i]))
            browser->shown[browser->shown_count++] = browser->rows[i];
    qsort_r(browser->shown, browser->shown_count, sizeof *browser->shown, compare, browser);
    size_t after = shown_index(browser, browser->selected);
    if (after == browser->shown_count && !is_asked_about(browser)) {
        browser->selected = browser->shown_count ? browser->shown[0] : NULL;
    } else if (after < browser->shown_count && was_shown && browser->top > 0) {
        browser->top += (int)after - (int)before; /* it stays in its place on the screen */
    }
    browser->stale = false;
}

size_t browser_marked(struct browser *browser, const struct browser_row **rows, size_t most)
{
    size_t count = 0;
    browser_settle(browser);
    for (size_t i = 0; i < browser->shown_count && count < most; i++)
        if (browser->shown[i]->marked)
            rows[count++] = browser->shown[i];
    return count;
}

void browser_sort(struct browser *browser, enum browser_column column)
{
    browser->descending = column == browser->column ? !browser->descending : !columns[column].ascending;
    browser->column = column;
    browser->stale = true;
    browser->top = 0;
    browser_say(browser, "by %s", columns[column].word);
}

/* A curve's order would be that of the accuracy. */
static enum browser_column next_column(const struct browser *browser)
{
    enum browser_column next = (browser->column + 1) % BROWSER_COLUMN_COUNT;
    return next == BROWSER_CURVE ? next + 1 : next;
}

/* --- keys --- */

static void select_at(struct browser *browser, int index)
{
    int last = (int)browser->shown_count - 1;
    index = index > last ? last : index;
    if (last >= 0)
        browser->selected = browser->shown[index < 0 ? 0 : index];
}

static enum browser_answer refuse(struct browser *browser, const char *reason)
{
    browser_say(browser, "%s: %s", browser->selected->summary.name, reason);
    return BROWSER_STAY;
}

/* Requests for the selected session that not every state allows. */
static enum browser_answer request_for_selected(struct browser *browser, enum request request)
{
    const struct session_summary *summary = browser->selected ? &browser->selected->summary : NULL;
    if (!summary)
        return BROWSER_STAY;
    bool runs = session_summary_is_running(summary);
    switch (request) {
    case REQUEST_OPEN:
    case REQUEST_SESSION_REPLAY:
        if (!summary->readable)
            return refuse(browser, summary->error.text);
        return request == REQUEST_OPEN ? BROWSER_OPEN : BROWSER_REPLAY;
    case REQUEST_SESSION_ATTACH:
        if (!runs)
            return refuse(browser, "no process runs it: there is nothing to attach to");
        return summary->here ? BROWSER_ATTACH : refuse(browser, "it runs on another machine: attach to it there");
    case REQUEST_SESSION_RESUME:
        if (!summary->readable)
            return refuse(browser, summary->error.text);
        return runs ? refuse(browser, "it runs already") : BROWSER_RESUME;
    case REQUEST_SESSION_RENAME:
        if (runs)
            return refuse(browser, "it runs: a session is renamed when its search has ended");
        browser->dialog = BROWSER_NAME_LINE;
        line_set(&browser->line, summary->name);
        return BROWSER_STAY;
    case REQUEST_SESSION_WEIGHTS:
        if (!summary->readable)
            return refuse(browser, summary->error.text);
        return runs ? refuse(browser, "it runs: its networks grow from these weights") : BROWSER_ASK_WEIGHTS;
    case REQUEST_SESSION_DELETE:
        return runs ? refuse(browser, "it runs: stop the search first") : BROWSER_ASK_DELETE;
    default:
        return BROWSER_STAY;
    }
}

static enum browser_answer compare_marked(struct browser *browser)
{
    const struct browser_row *two[2];
    char key[16];
    if (browser_marked(browser, two, 2) == 2)
        return BROWSER_COMPARE;
    browser_say(browser, "mark the sessions to compare with %s first", request_key(REQUEST_MARK, key));
    return BROWSER_STAY;
}

static void set_filter(struct browser *browser, const char *filter)
{
    snprintf(browser->filter, sizeof browser->filter, "%s", filter);
    browser->stale = true;
}

static enum browser_answer list_request(struct browser *browser, enum request request)
{
    int index = (int)shown_index(browser, browser->selected);
    switch (request) {
    case REQUEST_QUIT:
        return BROWSER_QUIT;
    case REQUEST_HELP:
        browser->dialog = BROWSER_HELP;
        browser->page_top = 0;
        return BROWSER_STAY;
    case REQUEST_SORT:
        browser_sort(browser, next_column(browser));
        return BROWSER_STAY;
    case REQUEST_REVERSE:
        browser_sort(browser, browser->column);
        return BROWSER_STAY;
    case REQUEST_FIND:
        browser->dialog = BROWSER_FILTER;
        snprintf(browser->before, sizeof browser->before, "%s", browser->filter);
        line_set(&browser->line, "");
        set_filter(browser, "");
        return BROWSER_STAY;
    case REQUEST_CANCEL:
        set_filter(browser, "");
        return BROWSER_STAY;
    case REQUEST_MARK:
        if (browser->selected)
            browser->selected->marked = !browser->selected->marked;
        select_at(browser, index + 1);
        return BROWSER_STAY;
    case REQUEST_COMPARE:
        return compare_marked(browser);
    case REQUEST_SESSION_NEW:
        return BROWSER_NEW;
    case REQUEST_MOUSE:
        return BROWSER_MOUSE;
    case REQUEST_SAVE_SCREEN:
        return BROWSER_SAVE_SCREEN;
    default:
        return request_for_selected(browser, request);
    }
}

enum browser_answer browser_key(struct browser *browser, int key)
{
    browser->message[0] = '\0'; /* the person has read it */
    browser_settle(browser);
    if (browser->dialog != BROWSER_LIST)
        return browser_dialog_key(browser, key);
    if (key == KEY_CODE_INTERRUPT)
        return BROWSER_QUIT;
    enum request request = request_of_browser_key(key);
    int index = (int)shown_index(browser, browser->selected);
    if (scroll_request(&index, request, browser->page_height)) {
        select_at(browser, index);
        return BROWSER_STAY;
    }
    return list_request(browser, request);
}

bool browser_takes_text(const struct browser *browser)
{
    return browser->dialog == BROWSER_FILTER || browser->dialog == BROWSER_NAME_LINE || browser->dialog == BROWSER_FORM;
}

enum browser_answer browser_mouse(struct browser *browser, int width, int height, int x, int y, int wheel)
{
    browser_settle(browser);
    if (wheel && browser->dialog != BROWSER_LIST)
        return browser_dialog_key(browser, wheel < 0 ? KEY_CODE_UP : KEY_CODE_DOWN);
    if (browser->dialog != BROWSER_LIST)
        return BROWSER_STAY;
    struct area rows = browser_rows_area(width, height);
    int index = browser->top + y - rows.y;
    enum browser_column heading = browser_heading_at(browser, width, height, x, y);
    if (wheel)
        select_at(browser, (int)shown_index(browser, browser->selected) + 3 * wheel);
    else if (heading < BROWSER_COLUMN_COUNT && heading != BROWSER_CURVE)
        browser_sort(browser, heading);
    else if (y >= rows.y && y < rows.y + rows.height && index >= 0 && index < (int)browser->shown_count) {
        bool again = browser->shown[index] == browser->selected;
        browser->selected = browser->shown[index];
        return again ? request_for_selected(browser, REQUEST_OPEN) : BROWSER_STAY;
    }
    return BROWSER_STAY;
}
