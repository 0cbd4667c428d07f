/*
 * cli_network.h - the network that a person names on the command line, and the images that belong to it.
 *
 * SESSION:NODE is a network of a session, FILE.safetensors a file with weights, and "C(16,3,1) A(4,4) SM(10)" an
 * architecture.  One thread.
 */
#ifndef ESPALIER_CLI_CLI_NETWORK_H
#define ESPALIER_CLI_CLI_NETWORK_H

#include "arch/weights.h"
#include "data/facts.h"
#include "search/image_split.h"
#include "sessions/state.h"

struct cli_network {
    struct arch arch;
    struct shape input;            /* channels 0: unknown (an architecture, no images yet) */
    struct weights *weights;       /* NULL: only the architecture is known */
    char *weights_missing;         /* why the weights of a trained network are not there, or NULL */
    char *session;                 /* its folder, or NULL */
    struct session_state *state;   /* of that session, or NULL */
    int64_t node;                  /* in that session, or 0 */
    struct search_options options; /* of that session, else the defaults */
    bool has_data;                 /* options.data is what it was trained on */
    struct image_split trained;    /* the images that trained it, where that is known */
    struct data_facts facts;       /* likewise: their classes and normalisation; `classes` 0: not known */
    const char *text;              /* what the person typed; borrowed */
    bool quiet;                    /* no warnings on stderr: screens are up */
    const atomic_bool *cancelled;  /* as in struct data_spec */

    struct images images;  /* the training part; count 0 until cli_network_open_images() */
    struct data_spec spec; /* of the images */
    const char *data;      /* their name, borrowed from `options` or the caller */
    bool own_images;       /* they are those that trained it */
    bool session_split;    /* and the session's: its split holds for them */
};

/* Find what `text` names; no images yet.  NODE is a number, "n12", "best" or "start".  A network without a result has no
   weights.  cli_network_done() it, also after a failure. */
int cli_network_find(const char *text, struct cli_network *network, struct error *error);
/* The same of a network of the session in this folder; prints nothing, and makes it `quiet`. */
int cli_network_of_node(const char *folder, int64_t node, struct cli_network *network, struct error *error);
/* For commands that use weights where there are any: -1 when the file of a trained network is missing. */
int cli_network_check_weights(const struct cli_network *network, struct error *error);
/* For commands that need weights: -1 also when the network, which `text` names, was never trained. */
int cli_network_need_weights(const struct cli_network *network, const char *text, struct error *error);
/* Open the training images of `data`, or where it is NULL the network's own (the default data of a mere architecture),
   and check that the network takes them: shape, classes, and that every window fits.  Images that didn't train it are
   matched by the names of their classes, of which they need all, or some.  Where the network doesn't know its classes, a
   warning says that they are matched by number.  Sets `input` where it was unknown.  A session's data that has changed
   since is refused unless `data` names it. */
enum classes_needed { SOME_CLASSES, ALL_CLASSES };
int cli_network_open_images(struct cli_network *network, const char *data, enum classes_needed needed,
                            struct error *error);
/* A part of the same set, checked likewise: its test images, or what cli_network_unseen_part() says.  images_done() it. */
int cli_network_open_test(const struct cli_network *network, enum data_part part, struct images *test,
                          struct error *error);
/* Which of the open images judge the network: DATA_ALL where none of them trained it, as far as it knows. */
enum data_part cli_network_unseen_part(const struct cli_network *network);
/* The open images, normalised as in the network's training.  For a network of a session `train` are the training images
   of its split, and `validate` gets the validation images; otherwise `train` are all training images.  A network that
   doesn't know its normalisation is normalised by `train`.  view_done() both. */
int cli_network_training_views(const struct cli_network *network, struct view *train, struct view *validate,
                               struct error *error);
/* For commands that need the network's facts and no images: -1 when it doesn't know them, and its images, by which they
   can be found, or those of `data`, can't be opened. */
int cli_network_need_facts(struct cli_network *network, const char *data, struct error *error);
/* The file to write: `out`, or where it is NULL SESSION-nNODE (without a session "network") and `ending` in the current
   folder, where no such file may be unless `replace`.  `*path` is the caller's, also after a failure. */
int cli_network_choose_file(const struct cli_network *network, const char *out, const char *ending, bool replace,
                            char **path, struct error *error);
/* May `validation` images judge a training that goes on with the network's weights (`fresh`: with fresh ones)?  `*seed` is
   the caller's, and becomes that of the split that trained the network, where these are its images: what is validated
   then never trained it.  -1: some of them did, or may have.  Call it when the images are open. */
int cli_network_check_validation(const struct cli_network *network, const char *text, int64_t validation, bool fresh,
                                 uint64_t *seed, struct error *error);
/* "fashion-mnist-1.esp, network n5", FILE, or "the architecture". */
void cli_network_name(const struct cli_network *network, const char *text, struct text *name);
void cli_network_done(struct cli_network *network);

/* Is this, colons and all, the name of a session? */
bool cli_is_session(const char *name);

#endif
