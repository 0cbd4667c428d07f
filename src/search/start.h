/*
 * start.h - what the options name in other sessions: the start network, and the networks of --match.
 */
#ifndef ESPALIER_SEARCH_START_H
#define ESPALIER_SEARCH_START_H

#include "search/record.h"

struct start_network {
    struct arch arch;
    char *weights; /* the path of its weights in another session, its own; NULL: it is trained from scratch */
    struct hash hash;
};

/* A space that is `auto` becomes that of the architecture which is named as the start network; another session's network
   or a file grows as a plain one.  Where none is named, it is the modern space if a limit says how small networks have to
   be, and otherwise the plain one: its layers take more FLOPs and parameters, and less time for each. */
void start_settle_space(struct search_options *options, const struct search_data *data);
/* Find the start network.  In the options a space or limit that is `auto` gets its value, SESSION:NODE becomes an
   absolute path and a number, and FILE an absolute path. */
int start_find(struct search_options *options, const struct search_data *data, struct start_network *start,
               struct error *error);
/* FLOPs of the networks of --match; none without it. */
int start_find_match(const struct search_options *options, const struct search_data *data, struct event_integers *match,
                     struct error *error);
/* Does this network fit the search: its images, its classes and its space? */
int start_check_arch(const struct search_options *options, const struct search_data *data, const struct arch *arch,
                     struct error *error);
/* Where the weights of a trained network of a session are, the caller's to free().  Otherwise `*path` is NULL: 1 when the
   file is not there, -1 when it, or the folder that has it, isn't the session's own (session_file.h). */
int session_weights_path(const char *folder, const struct session_node *node, char **path, struct error *error);

#endif
