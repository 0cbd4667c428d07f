/*
 * picture_rules.h - how the pictures of a network's data were read, from options to files of weights and back: a
 * network is used on pictures that are read as those that trained it.
 *
 * Functions are pure, any thread.
 */
#ifndef ESPALIER_SEARCH_PICTURE_RULES_H
#define ESPALIER_SEARCH_PICTURE_RULES_H

#include "data/images.h"
#include "search/options.h"

/* What the options say.  The first rules hold only for networks that a folder of pictures trained. */
struct picture_rules picture_rules_of(const struct search_options *options);
/* The same, and whether bad pictures are left out, for images_open(). */
void picture_rules_set(const struct search_options *options, struct data_spec *spec);

/* As weights files note it under this name: "rules 2, background black, orientation yes"; nothing for data that are no
   folder of pictures. */
#define PICTURE_RULES_NOTE "pictures"
void picture_rules_print(const struct search_options *options, const char *data, struct text *text);
/* NULL or another text: the rules of files from before this was noted. */
void picture_rules_parse(const char *text, struct search_options *options);

#endif
