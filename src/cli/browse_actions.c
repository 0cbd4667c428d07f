/*
 * browse_actions.c - what a person asks of the list of sessions: which command of this program does it, or which
 * function of sessions/manage.h.
 *
 * A session is named by its folder's path, which is absolute and so never taken for an option.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/browse_internal.h"
#include "cli/cli.h"
#include "search/options.h"
#include "sessions/manage.h"
#include "tui/node.h"
#include "util/bug.h"

enum { WORDS = 48, COMPARED_MOST = 32 };

static const struct session_summary *selected(const struct browse *browse)
{
    return browse->browser.selected ? &browse->browser.selected->summary : NULL;
}

/* --- forms --- */

static const char *const fields_of_run[] = {"data",         "validation",  "networks", "seconds", "flops",
                                            "limit-params", "limit-flops", "policy",   "start",   "epochs"};
static const char *const fields_of_resume[] = {"networks", "seconds", "flops", "episodes"};

/* `own`: the default is what the session has. */
static struct browser_field field_of(const char *name, bool own)
{
    const struct search_option *option = option_find(name);
    ASSERT(option);
    bool zero = option->zero && !strcmp(option->fallback, "0");
    return (struct browser_field){name, option->help, own ? "the session's" : zero ? option->zero : option->fallback};
}

static void open_form(struct browse *browse, enum browser_answer purpose)
{
    static struct browser_field fields[BROWSER_FIELDS]; /* the form borrows them; only one is open */
    bool resumes = purpose == BROWSER_RESUME;
    const char *const *names = resumes ? fields_of_resume : fields_of_run;
    int count = resumes ? COUNT_OF(fields_of_resume) : COUNT_OF(fields_of_run);
    char title[LINE_MAX];
    for (int i = 0; i < count; i++)
        fields[i] = field_of(names[i], resumes);
    snprintf(title, sizeof title, resumes ? "Resume %s" : "New search", resumes ? selected(browse)->name : "");
    browser_open_form(&browse->browser, purpose, title, fields, count, !resumes);
}

/* Add an option for each value that is filled in.  The text is in `names` as long as the words are used. */
static void add_values(const struct browser_form *form, const char **words, int count, char names[][LINE_MAX])
{
    for (int i = 0; i < form->count; i++) {
        if (!*form->values[i].text)
            continue;
        snprintf(names[i], LINE_MAX, "--%s", form->fields[i].name);
        words[count++] = names[i];
        words[count++] = form->values[i].text;
    }
    words[count] = NULL;
}

void browse_dry_run(struct browse *browse)
{
    const char *words[WORDS] = {"run", "--dry-run"};
    char names[BROWSER_FIELDS][LINE_MAX];
    add_values(&browse->browser.form, words, 2, names);
    browse_start_job(browse, JOB_DRY_RUN, words);
}

static void start(struct browse *browse)
{
    const struct browser_form *form = &browse->browser.form;
    const char *words[WORDS] = {"run"};
    char names[BROWSER_FIELDS][LINE_MAX];
    int count = 1;
    browse_stop_job(browse);
    if (form->purpose == BROWSER_RESUME) {
        if (!selected(browse))
            return;
        words[0] = "resume";
        words[count++] = selected(browse)->folder;
    }
    add_values(form, words, count, names);
    browse_run(browse, words, true);
}

/* --- comparisons --- */

static void compare(struct browse *browse)
{
    const struct browser_row *rows[COMPARED_MOST];
    const char *words[WORDS] = {"compare", "--plot"};
    int count = 2;
    size_t marked = browser_marked(&browse->browser, rows, COMPARED_MOST);
    for (size_t i = 0; i < marked; i++)
        words[count++] = rows[i]->summary.folder;
    words[count] = NULL;
    browser_open_page(&browse->browser, "Comparison", "The sessions are being read…");
    browse_start_job(browse, JOB_COMPARE, words);
}

void browse_show_job(struct browse *browse, enum browse_job job, const char *printed)
{
    if (job == JOB_COMPARE)
        browser_open_page(&browse->browser, "Comparison", printed);
    else
        browser_set_preview(&browse->browser, printed);
}

/* --- the session itself --- */

static void show(struct browse *browse, const char *command, const char *option, const char *value)
{
    const char *words[] = {command, selected(browse)->folder, option, value, NULL};
    browse_run(browse, words, false);
}

static void rename_selected(struct browse *browse)
{
    struct error error;
    char *renamed;
    const char *folder = selected(browse)->folder;
    if (session_rename(folder, browse->browser.line.text, &renamed, &error))
        browser_say(&browse->browser, "%s", error.text);
    else
        browser_rename(&browse->browser, folder, renamed);
}

static void ask_delete(struct browse *browse)
{
    const struct session_summary *summary = selected(browse);
    char title[LINE_MAX], lines[1024], bytes[TEXT_SHORT], age[TEXT_SHORT];
    snprintf(title, sizeof title, "Delete %.200s", summary->name);
    text_bytes(bytes, summary->bytes);
    if (summary->readable)
        snprintf(lines, sizeof lines,
                 "%lld trained network%s, %s of search and %s are lost for ever: log, weights and all.\n"
                 "y delete\nEscape keep",
                 (long long)summary->networks, summary->networks == 1 ? "" : "s", node_age(age, summary->seconds),
                 bytes);
    else
        snprintf(
            lines, sizeof lines,
            "Its log can't be read, but `espalier fsck --repair` may; %s are lost for ever.\ny delete\nEscape keep",
            bytes);
    browser_ask(&browse->browser, BROWSER_DELETE, title, lines);
}

static void ask_weights(struct browse *browse)
{
    const struct session_summary *summary = selected(browse);
    struct weights_report report;
    struct error error;
    char title[LINE_MAX], lines[1024], bytes[TEXT_SHORT];
    if (session_remove_weights(summary->folder, true, &report, &error)) {
        browser_say(&browse->browser, "%s", error.text);
        return;
    }
    if (!report.removed) {
        browser_say(&browse->browser, "%s has no weights that it can do without", summary->name);
        return;
    }
    snprintf(title, sizeof title, "Weights of %.200s", summary->name);
    snprintf(lines, sizeof lines,
             "%lld file%s of weights, %s, are lost for ever. The best network's, the start network's and the policy's "
             "last state stay: a resumed search grows only from these.\ny remove\nEscape keep",
             (long long)report.removed, report.removed == 1 ? "" : "s", text_bytes(bytes, report.bytes));
    browser_ask(&browse->browser, BROWSER_WEIGHTS, title, lines);
}

static void delete_selected(struct browse *browse)
{
    struct error error;
    bool others;
    const struct session_summary *summary = selected(browse);
    if (session_remove(summary->folder, &others, &error)) {
        browser_say(&browse->browser, "%s", error.text);
        return;
    }
    if (others)
        browser_say(&browse->browser, "%s: other files are in it, and were kept", summary->folder);
    else
        browser_say(&browse->browser, "%s is deleted", summary->name);
    browser_remove(&browse->browser, summary->folder);
}

static void remove_weights(struct browse *browse)
{
    struct weights_report report;
    struct error error;
    char bytes[TEXT_SHORT];
    struct session_summary *summary = &browse->browser.selected->summary;
    if (session_remove_weights(summary->folder, false, &report, &error))
        browser_say(&browse->browser, "%s", error.text);
    else
        browser_say(&browse->browser, "%lld files, %s, are removed", (long long)report.removed,
                    text_bytes(bytes, report.bytes));
    summary->bytes -= report.bytes; /* the log is as it was, so nobody reads the session again */
}

static void do_with_selected(struct browse *browse, enum browser_answer answer)
{
    switch (answer) {
    case BROWSER_OPEN:
        show(browse, "replay", "--at", "100%");
        break;
    case BROWSER_REPLAY:
        show(browse, "replay", NULL, NULL);
        break;
    case BROWSER_ATTACH:
        show(browse, "attach", NULL, NULL);
        break;
    case BROWSER_RESUME:
        open_form(browse, BROWSER_RESUME);
        break;
    case BROWSER_RENAME:
        rename_selected(browse);
        break;
    case BROWSER_ASK_DELETE:
        ask_delete(browse);
        break;
    case BROWSER_ASK_WEIGHTS:
        ask_weights(browse);
        break;
    case BROWSER_DELETE:
        delete_selected(browse);
        break;
    case BROWSER_WEIGHTS:
        remove_weights(browse);
        break;
    default:
        break;
    }
}

void browse_do(struct browse *browse, enum browser_answer answer)
{
    if (answer == BROWSER_NEW)
        open_form(browse, BROWSER_NEW);
    else if (answer == BROWSER_START)
        start(browse);
    else if (answer == BROWSER_COMPARE)
        compare(browse);
    else if (selected(browse))
        do_with_selected(browse, answer);
}
