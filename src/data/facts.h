/*
 * facts.h - what a network has to know of the images that trained it, so that it can be used without them: the names of
 * its classes, how pixels are normalised, and which images they were.
 *
 * A session and every file of weights record it (search/record.h, export/notes.h).  A plain value that owns its texts;
 * functions are pure, any thread.
 */
#ifndef ESPALIER_DATA_FACTS_H
#define ESPALIER_DATA_FACTS_H

#include "data/images.h"

struct data_facts {
    int classes;        /* 0: nothing is known, and all that follows is 0 */
    char **class_names; /* `classes` of them; a set without names has the numbers "0", "1", … */
    int channels;
    struct normalisation pixels; /* of `channels` channels */
    char *layout;                /* of the input: "NCHW RGB" (images.h) */
    bool mirrors;                /* a mirrored image keeps its class */
    char *data;                  /* what trained it, as --data has it */
    struct hash hash;            /* its checksum */
};

/* The facts of a network that trains on `images` of the set `data`, normalised like `view`.  data_facts_done() them. */
void data_facts_of(const char *data, const struct images *images, const struct view *view, struct data_facts *facts);
void data_facts_done(struct data_facts *facts);

/* Facts that were read may be incomplete or damaged.  Make those unknown that no images of `channels` channels and
   `classes` classes can have. */
void data_facts_check(struct data_facts *facts, int channels, int classes);

/* Give images of the set `name` the network's classes: labels are matched by the names of classes, and names and number
   become the network's.  -1: the set has names that the network doesn't know or, where `all` are needed, lacks some;
   the message lists them. */
int data_facts_relabel(const struct data_facts *facts, const char *name, bool all, struct images *images,
                       struct error *error);

#endif
