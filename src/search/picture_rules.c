/* picture_rules.c - see picture_rules.h. */
#include "search/picture_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/bug.h"

enum { RULES_FIRST = 1, RULES_NOW = 2 };

/* Sets that are not folders of pictures have no side. */
static bool is_folder_of_pictures(const char *data)
{
    struct data_spec spec;
    return !data_spec_parse(data, &spec, NULL) && spec.width > 0;
}

struct picture_rules picture_rules_of(const struct search_options *options)
{
    bool first = options->picture_rules == RULES_FIRST && is_folder_of_pictures(options->data);
    struct picture_rules rules = {.first = first, .no_orientation = options->no_orientation};
    CHECK(!picture_background_parse(options->background, rules.background, NULL));
    return rules;
}

void picture_rules_set(const struct search_options *options, struct data_spec *spec)
{
    spec->pictures = picture_rules_of(options);
    spec->skip_bad = options->skip_bad;
}

void picture_rules_print(const struct search_options *options, const char *data, struct text *text)
{
    if (is_folder_of_pictures(data))
        text_add(text, "rules %" PRId64 ", background %s, orientation %s", options->picture_rules, options->background,
                 options->no_orientation ? "no" : "yes");
}

void picture_rules_parse(const char *text, struct search_options *options)
{
    char background[sizeof options->background], orientation[4];
    int64_t rules;
    struct error error;
    options->picture_rules = RULES_FIRST;
    if (!text || sscanf(text, "rules %1" SCNd64 ", background %15[a-zA-Z0-9#], orientation %3s", &rules, background,
                        orientation) != 3)
        return;
    if (rules != RULES_NOW || options_set(options, "background", background, &error))
        return;
    options->picture_rules = rules;
    options->no_orientation = !strcmp(orientation, "no");
}
