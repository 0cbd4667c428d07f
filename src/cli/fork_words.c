/*
 * fork_words.c - prints each row of the table of options as words of a command line.
 *
 * An option without an argument is a flag there: it is given or left out.
 */
#include "cli/fork_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "search/record.h"
#include "util/memory.h"

void words_add(struct words *words, const char *word)
{
    words->items = memory_grow(words->items, words->count + 1, &words->capacity, sizeof *words->items);
    words->items[words->count++] = memory_copy_text(word);
    words->items[words->count] = NULL;
}

static void add_flag(struct words *words, const char *name)
{
    struct text flag = TEXT_EMPTY;
    text_add(&flag, "--%s", name);
    words_add(words, text_string(&flag));
    text_done(&flag);
}

void words_add_option(struct words *words, const char *name, const char *value)
{
    add_flag(words, name);
    words_add(words, value);
}

void words_done(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){0};
}

/* The options of the new search. */
static int new_options(const struct session_state *state, const char *folder, int64_t node,
                       struct search_options *options, struct error *error)
{
    struct text start = TEXT_EMPTY;
    text_add(&start, "%s:%" PRId64, folder, node);
    int status = options_of_session(state, options, error) || options_set(options, "start", text_string(&start), error)
                     ? error_prefix(error, "%s", folder)
                     : 0;
    text_done(&start);
    options->start_epochs = 0; /* it is trained */
    if (state->epochs > 0)
        options->epochs = state->epochs;
    if (state->rate >= 0)
        options->rate = state->rate;
    return status;
}

int fork_words(const struct session_state *state, const char *folder, int64_t node, const char *to, struct words *words,
               struct error *error)
{
    struct search_options options;
    const struct search_option *option;
    if (new_options(state, folder, node, &options, error))
        return -1;
    words_add(words, "run");
    for (int i = 0; (option = option_at(i)); i++) {
        struct text value = TEXT_EMPTY;
        options_get(&options, option, &value);
        if (option->argument)
            words_add_option(words, option->name, text_string(&value));
        else if (!strcmp(text_string(&value), "yes"))
            add_flag(words, option->name);
        text_done(&value);
    }
    words_add_option(words, "out", to);
    return 0;
}
