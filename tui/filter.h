/*
 * filter.h - which networks are meant by words: "acc>92 params<15k by:you layer:conv3".
 *
 * For `/` on the screens and `espalier show --filter`.  A network has to satisfy every word.  Words with a sign compare
 * numbers, words with a colon name something; what else stands there is one text that is looked for in a network's
 * number, state, actions, note and reason of failure, and with a parenthesis or comma in its architecture.  Pure.
 */
#ifndef ESPALIER_TUI_FILTER_H
#define ESPALIER_TUI_FILTER_H

#include "sessions/state.h"

enum { FILTER_TEXT = 96, FILTER_WORDS_MAX = 8 };

struct filter_word {
    int key;   /* of the table in filter.c */
    char sign; /* '<', '>', '=', '{' (<=), '}' (>=); ':' where `text` is the value */
    double value;
    char text[FILTER_TEXT];
};

struct filter {
    int count; /* 0 and no text: every network */
    struct filter_word words[FILTER_WORDS_MAX];
    char text[FILTER_TEXT];        /* "" : none */
    char action[FILTER_TEXT + 16]; /* the text in an action's notation: "W conv2" becomes "widen:conv2" */
    int64_t number;                /* the text is "12" or "n12": only that network; else 0 */
    bool notation;                 /* "FC(64)": also search in architectures, where a plain "FC" would match all */
    bool status[NODE_STATUS_COUNT], pinned, users;
};

/* -1: a word can't be read; `error` says which, and what there is.  `state` names its policy, for "by:". */
int filter_parse(const char *what, const struct session_state *state, struct filter *filter, struct error *error);
bool filter_matches(const struct filter *filter, const struct session_state *state, const struct session_node *node);
/* "acc, gain, …": the numbers, and the words before a colon, for messages and help. */
void filter_add_keys(struct text *text);

#endif
