/* filter.c - words about networks: see filter.h.  One table has the keys that are numbers, one those with a colon. */
#include "tui/filter.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/action.h"
#include "tui/node.h"
#include "util/bug.h"

static bool contains(const char *text, const char *what)
{
    return text && strcasestr(text, what) != NULL;
}

/* --- numbers: NaN where the network has none --- */

static double accuracy_of(const struct session_state *state, const struct session_node *node)
{
    return node->curve_count || node->status == NODE_DONE ? 100 * node->accuracy : NAN;
}

static double gain_of(const struct session_state *state, const struct session_node *node)
{
    double gain;
    int64_t over;
    return node->status == NODE_DONE && node_gain(state, node, &gain, &over) ? 100 * gain : NAN;
}

static double loss_of(const struct session_state *state, const struct session_node *node)
{
    return node->status == NODE_DONE ? node->loss : NAN;
}

static double parameters_of(const struct session_state *state, const struct session_node *node)
{
    return (double)node->facts.parameters;
}

static double flops_of(const struct session_state *state, const struct session_node *node)
{
    return (double)node->facts.flops;
}

static double epochs_of(const struct session_state *state, const struct session_node *node)
{
    return node->curve_count;
}

static double seconds_of(const struct session_state *state, const struct session_node *node)
{
    return node->seconds > 0 ? node->seconds : NAN;
}

static double speed_of(const struct session_state *state, const struct session_node *node)
{
    return node->images_per_second > 0 ? node->images_per_second : NAN;
}

static double number_of(const struct session_state *state, const struct session_node *node)
{
    return (double)node->facts.node;
}

static double children_of(const struct session_state *state, const struct session_node *node)
{
    return node->child_count;
}

static const struct {
    const char *name;
    double (*value)(const struct session_state *state, const struct session_node *node);
} numbers[] = {
    {"acc", accuracy_of}, {"gain", gain_of},         {"loss", loss_of},       {"params", parameters_of},
    {"flops", flops_of},  {"epochs", epochs_of},     {"seconds", seconds_of}, {"speed", speed_of},
    {"n", number_of},     {"children", children_of},
};

/* --- names --- */

static bool is_by(const struct session_state *state, const struct session_node *node, const char *who)
{
    if (!strcasecmp(who, "you"))
        return node_is_users(node);
    if (!strcasecmp(who, "policy"))
        return node->facts.by.value == AUTHOR_POLICY;
    return !strcasecmp(author_name(&node->facts.by), who);
}

/* One of its actions was at that layer, which is "conv3", or at one of that kind, "conv". */
static bool is_at_layer(const struct session_state *state, const struct session_node *node, const char *layer)
{
    size_t length = strlen(layer);
    bool whole = length && isdigit((unsigned char)layer[length - 1]);
    for (int i = 0; i < node->facts.actions.count; i++) {
        const char *colon = strchr(node->facts.actions.items[i], ':'), *name = colon ? colon + 1 : "";
        if (!strncasecmp(name, layer, length) && (!whole || !name[length] || name[length] == ':'))
            return true;
    }
    return false;
}

static bool is_in_state(const struct session_state *state, const struct session_node *node, const char *word)
{
    return !strcasecmp(word, node_word(node->status)) || (node->pinned && !strcasecmp(word, "pinned")) ||
           (node->pruned && !strcasecmp(word, "pruned")) || (node->stopped && !strcasecmp(word, "stopped")) ||
           (node->note && *node->note && !strcasecmp(word, "noted")) ||
           (node->facts.node == state->best && !strcasecmp(word, "best"));
}

static bool has_arch(const struct session_state *state, const struct session_node *node, const char *text)
{
    return contains(node->facts.arch, text);
}

static bool has_note(const struct session_state *state, const struct session_node *node, const char *text)
{
    return contains(node->note, text);
}

/* It grew from that network, directly or not. */
static bool is_from(const struct session_state *state, const struct session_node *node, const char *text)
{
    int64_t wanted = atoll(text + (*text == 'n'));
    while ((node = session_node(state, node->facts.parent)))
        if (node->facts.node == wanted)
            return true;
    return false;
}

/* Is it one of "you, policy, …"? */
static bool has_item(const char *list, const char *item)
{
    size_t length = strlen(item);
    for (const char *at = list; (at = strcasestr(at, item)); at++)
        if ((at == list || at[-1] == ' ') && (!at[length] || at[length] == ','))
            return true;
    return false;
}

static void add_item(struct text *list, const char *item)
{
    if (item && *item && !has_item(text_string(list), item))
        text_add(list, "%s%s", list->length ? ", " : "", item);
}

static void add_authors(const struct session_state *state, struct text *list)
{
    text_add(list, "you, policy");
    add_item(list, session_option(state, "policy"));
    for (int author = AUTHOR_POLICY + 1; author <= AUTHOR_FINISH; author++)
        add_item(list, author_name(&(struct event_word){.value = author}));
    for (int64_t i = 1; i <= state->node_count; i++)
        add_item(list, author_name(&session_node(state, i)->facts.by));
}

static void add_states(const struct session_state *state, struct text *list)
{
    for (int status = 0; status < NODE_STATUS_COUNT; status++)
        add_item(list, node_word((enum node_status)status));
    text_add(list, ", pinned, pruned, stopped, noted, best");
}

static const struct {
    const char *name;
    bool (*matches)(const struct session_state *state, const struct session_node *node, const char *text);
    void (*add_values)(const struct session_state *state, struct text *list); /* NULL: any text */
    bool number;                                                              /* of a network */
} names[] = {
    {"by", is_by, add_authors, false}, {"layer", is_at_layer, NULL, false}, {"is", is_in_state, add_states, false},
    {"arch", has_arch, NULL, false},   {"note", has_note, NULL, false},     {"from", is_from, NULL, true},
};

void filter_add_keys(struct text *text)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        text_add(text, "%s%s", i ? ", " : "", numbers[i].name);
    text_add(text, " with <, >, = and a number");
    for (size_t i = 0; i < COUNT_OF(names); i++)
        text_add(text, ", %s:", names[i].name);
}

/* --- reading --- */

/* "15k", "2.5M", "92%" */
static int read_number(const char *text, double *value)
{
    static const char letters[] = "kMGT";
    char *end;
    *value = strtod(text, &end);
    if (end == text || !isfinite(*value))
        return -1;
    const char *letter = *end ? strchr(letters, *end == 'K' ? 'k' : *end) : NULL;
    if (letter) {
        *value *= pow(1000, (double)(letter - letters + 1));
        end++;
    }
    end += *end == '%';
    return *end ? -1 : 0;
}

static int refuse(const char *word, struct error *error)
{
    struct text keys = TEXT_EMPTY;
    filter_add_keys(&keys);
    error_set(error, "\"%s\" can't be read; there are %s", word, text_string(&keys));
    text_done(&keys);
    return -1;
}

static int read_comparison(const char *text, size_t length, struct filter_word *word, struct error *error)
{
    const char *sign = text + length, *value = sign + 1;
    word->sign = *sign;
    if (*value == '=') {
        word->sign = *sign == '<' ? '{' : *sign == '>' ? '}' : *sign;
        value++;
    }
    for (word->key = 0; word->key < (int)COUNT_OF(numbers); word->key++)
        if (strlen(numbers[word->key].name) == length && !strncasecmp(numbers[word->key].name, text, length))
            return read_number(value, &word->value) ? refuse(text, error) : 0;
    return refuse(text, error);
}

/* The value behind a colon. */
static int check_value(const char *text, const struct filter_word *word, const struct session_state *state,
                       struct error *error)
{
    struct text values = TEXT_EMPTY;
    const char *value = word->text;
    int64_t number;
    int status = 0;
    if (!*value)
        return refuse(text, error);
    if (names[word->key].number && text_to_integer(value + (*value == 'n'), 1, INT64_MAX, &number))
        return error_set(error, "\"%s\" can't be read; %s: takes the number of a network", text, names[word->key].name);
    if (names[word->key].add_values) {
        names[word->key].add_values(state, &values);
        if (!has_item(text_string(&values), value))
            status = error_set(error, "\"%s\" can't be read; there are %s", text, text_string(&values));
    }
    text_done(&values);
    return status;
}

static int read_name(const char *text, size_t length, const struct session_state *state, struct filter_word *word,
                     struct error *error)
{
    word->sign = ':';
    snprintf(word->text, sizeof word->text, "%s", text + length + 1);
    for (word->key = 0; word->key < (int)COUNT_OF(names); word->key++)
        if (strlen(names[word->key].name) == length && !strncasecmp(names[word->key].name, text, length))
            return check_value(text, word, state, error);
    return refuse(text, error);
}

/* The words without a sign. */
static void read_text(struct filter *filter)
{
    const char *what = filter->text;
    char letter = (char)tolower((unsigned char)what[0]);
    filter->notation = strpbrk(what, "(,)") != NULL;
    filter->pinned = *what && contains("pinned", what);
    filter->users = *what && contains("you", what);
    snprintf(filter->action, sizeof filter->action, "%s", what);
    for (int kind = 0; kind < ACTION_KINDS && letter && what[1] == ' ' && what[2]; kind++) {
        const char *word = action_kind_word((enum action_kind)kind);
        if (word[0] == letter)
            snprintf(filter->action, sizeof filter->action, "%.16s:%s", word, what + 2);
    }
    if (text_to_integer(what + (*what == 'n'), 1, INT64_MAX, &filter->number))
        filter->number = 0;
    for (int status = 0; status < NODE_STATUS_COUNT; status++)
        filter->status[status] = *what && contains(node_word((enum node_status)status), what);
}

static bool is_action(const char *word, size_t length)
{
    for (int kind = 0; kind < ACTION_KINDS; kind++) {
        const char *name = action_kind_word((enum action_kind)kind);
        if (strlen(name) == length && !strncasecmp(name, word, length))
            return true;
    }
    return false;
}

int filter_parse(const char *what, const struct session_state *state, struct filter *filter, struct error *error)
{
    size_t used = 0;
    *filter = (struct filter){0};
    while (*(what += strspn(what, " "))) {
        char word[FILTER_TEXT];
        size_t length = strcspn(what, " ");
        if (length >= sizeof word)
            return error_set(error, "a word of more than %d bytes", FILTER_TEXT - 1);
        snprintf(word, sizeof word, "%.*s", (int)length, what);
        what += length;
        size_t sign = strcspn(word, ":<>=");
        bool action = word[sign] == ':' && is_action(word, sign); /* "widen:conv2" is a text */
        if (!word[sign] || !sign || action) {
            used += (size_t)snprintf(filter->text + used, sizeof filter->text - used, "%s%s", used ? " " : "", word);
            if (used >= sizeof filter->text)
                return error_set(error, "a text of more than %d bytes", FILTER_TEXT - 1);
            continue;
        }
        if (filter->count == FILTER_WORDS_MAX)
            return error_set(error, "more than %d words", FILTER_WORDS_MAX);
        struct filter_word *next = &filter->words[filter->count++];
        if (word[sign] == ':' ? read_name(word, sign, state, next, error) : read_comparison(word, sign, next, error))
            return -1;
    }
    read_text(filter);
    return 0;
}

/* --- matching --- */

static bool matches_word(const struct filter_word *word, const struct session_state *state,
                         const struct session_node *node)
{
    if (word->sign == ':')
        return names[word->key].matches(state, node, word->text);
    double value = numbers[word->key].value(state, node);
    switch (word->sign) {
    case '<':
        return value < word->value;
    case '>':
        return value > word->value;
    case '{':
        return value <= word->value;
    case '}':
        return value >= word->value;
    default:
        return fabs(value - word->value) < 1e-9 * fmax(1, fabs(word->value));
    }
}

static bool matches_text(const struct filter *filter, const struct session_node *node)
{
    if (filter->number)
        return node->facts.node == filter->number;
    if (filter->status[node->status] || (filter->pinned && node->pinned) || (filter->users && node_is_users(node)))
        return true;
    if (node_has_role(node) && contains(author_name(&node->facts.by), filter->text))
        return true;
    for (int i = 0; i < node->facts.actions.count; i++)
        if (contains(node->facts.actions.items[i], filter->action))
            return true;
    return (filter->notation && contains(node->facts.arch, filter->text)) || contains(node->note, filter->text) ||
           contains(node->failure, filter->text);
}

bool filter_matches(const struct filter *filter, const struct session_state *state, const struct session_node *node)
{
    for (int i = 0; i < filter->count; i++)
        if (!matches_word(&filter->words[i], state, node))
            return false;
    return !filter->text[0] || matches_text(filter, node);
}
