/*
 * request.h - a command while it is carried out: its words, what they say, and the answer.
 */
#ifndef ESPALIER_SEARCH_REQUEST_H
#define ESPALIER_SEARCH_REQUEST_H

#include <string.h>

#include "search/engine_parts.h"
#include "sessions/command.h"

struct request {
    enum command_kind kind;
    enum event_author by;
    char *rest; /* the words that request_word() has not read yet */
    int64_t node;
    double value;
    const char *what;            /* budget: the name of the option */
    struct candidate *candidate; /* grow */
    struct text reverse;         /* undo: the command that it stands for */
    int64_t undoes;              /* the number of the command that this takes back, and its words */
    const char *undone;
    struct error answer;         /* what will happen, or "" */
};

/* The next word, cut out of `rest`; NULL when there is none. */
static inline char *request_word(struct request *request)
{
    char *word = request->rest + strspn(request->rest, " ");
    size_t length = strcspn(word, " ");
    if (!length)
        return NULL;
    request->rest = word + length + (word[length] != '\0');
    word[length] = '\0';
    return word;
}

/* Is no word left? */
static inline int request_end(struct request *request, struct error *error)
{
    const char *word = request_word(request);
    return word ? error_set(error, "\"%s\" is one word too many", word) : 0;
}

#endif
