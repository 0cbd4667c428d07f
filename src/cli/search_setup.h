/*
 * search_setup.h - what `run` and `resume` need for a search in this process: images, devices and trainers.
 */
#ifndef ESPALIER_CLI_SEARCH_SETUP_H
#define ESPALIER_CLI_SEARCH_SETUP_H

#include "cli/cli.h"
#include "search/engine.h"

struct search_setup {
    struct images images, test_images; /* the latter only for a search with a finish, where there are any */
    struct view train, validate, test;
    struct data_facts facts;
    struct device devices[DEVICES_MAX];
    int device_count;
    struct evaluator *evaluator;
    bool is_farm;          /* the evaluator's trainers are on other machines; `devices` is then one of this machine */
    struct engine *engine; /* made by the caller, or NULL */
    struct search_data data;
};

/* Make the folder of the images absolute, because `resume` may be called in another folder.  A missing folder stays as
   it was typed, for the message of images_open(). */
int search_setup_settle_data(struct search_options *options, struct error *error);
/* A copied session may lack the files of its weights.  -1: it has trained networks, and not one of their files. */
int search_setup_weights(const char *folder, const struct session_state *state, struct error *error);
/* Find the devices, open and split the images, start the trainers.  A number of validation images that is `auto` gets its
   number in `options`.  search_setup_close() it, also after a failure; it frees the engine too. */
int search_setup_open(struct search_setup *setup, struct search_options *options, struct error *error);
/* The same for a search whose networks train on other machines, through the farm at `url` (src/farm).  `lease` as
   evaluator_farm_new() has it. */
int search_setup_open_farm(struct search_setup *setup, struct search_options *options, const char *url, double lease,
                           struct error *error);
/* As the options --farm and --farm-lease say. */
int search_setup_open_given(struct search_setup *setup, struct search_options *options,
                            const struct cli_arguments *arguments, struct error *error);
/* Before the engine runs: a search of the farm tells it of its events, and takes the session.  -1: another process has
   it, or a newer copy. */
int search_setup_take(struct search_setup *setup, const char *folder, struct error *error);
void search_setup_close(struct search_setup *setup);
/* Print what was read of a folder of pictures, and how it is split. */
void search_setup_tell(const struct search_setup *setup);
/* Give a limit of FLOPs that is `auto` its number, and say which, unless `quiet`.  With a budget of seconds it is what the
   devices can train in them, and their speed is measured, which takes about a second.  -1: the start network can't be
   found or is refused. */
int search_setup_limit(struct search_setup *setup, struct search_options *options, bool quiet, struct error *error);

/* Run the engine with screens or in lines, as the options say, and print the summary.  Return the exit status. */
int search_setup_run(struct search_setup *setup, const struct cli_arguments *arguments, const char *folder);

#endif
