/* start.c - see start.h. */
#include "config.h"

#include "search/start.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/template.h"
#include "export/safetensors.h"
#include "search/budget.h"
#include "search/image_split.h"
#include "sessions/log.h"
#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/memory.h"

/* The same folder or file may give other images than before: they are read in another way now, or have changed.  Then
   nothing is known of which trained and which validate. */
static int check_place(const struct search_options *own, const struct search_data *data, const char *theirs,
                       struct hash trained, struct error *error)
{
    const char *here = strchr(own->data, ':'), *there = theirs ? strchr(theirs, ':') : NULL;
    if (!here || !there || strcmp(here, there) || hash_equal(trained, data->hash))
        return 0;
    return error_set(error, "it was trained on the images of %.500s, which were others or were read in another way then: "
                            "some of them may validate here; give its architecture alone", there + 1);
}

/* Were the networks of a session trained on images that validate here? */
static int check_session(const struct search_options *own, const struct search_data *data,
                         const struct session_state *state, struct error *error)
{
    struct search_options theirs;
    if (options_of_session(state, &theirs, error))
        return -1;
    struct image_split trained = image_split_of(&theirs, hash_scan(state->facts.data_hash)),
                       split = image_split_of(own, data->hash);
    split.fixed = data->own_validation;
    return check_place(own, data, theirs.data, trained.images, error) || image_split_check(&trained, &split, error) ? -1
                                                                                                                    : 0;
}

int session_weights_path(const char *folder, const struct session_node *node, char **path, struct error *error)
{
    struct text text = TEXT_EMPTY;
    *path = NULL;
    if (node->dropped)
        return error_set(error,
                         "%s: the weights of n%lld were not kept (--keep best, or removed); begin from the "
                         "architecture: \"%s\"",
                         folder, (long long)node->facts.node, node->facts.arch);
    text_add(&text, "%s/weights/%s", folder, node->weights);
    *path = text_take(&text);
    int status = session_file_check(*path, IN_PLACE, error);
    if (!status && session_file_exists(*path, IN_PLACE))
        return 0;
    if (!status)
        error_set(error,
                  "%s: is not there; a recorded search may come without weights: begin from the architecture: \"%s\"",
                  *path, node->facts.arch);
    free(*path);
    *path = NULL;
    return status ? -1 : 1;
}

/* `*number`: of the network. */
static int start_of_session(const struct search_options *options, const struct search_data *data, const char *folder,
                            const char *node_text, int64_t *number, struct start_network *start, struct error *error)
{
    struct session_state *state;
    struct error warning;
    if (session_load(folder, &state, &warning, error))
        return -1;
    *number = session_find_node(state, node_text, error);
    const struct session_node *node = session_node(state, *number);
    char input[RECORD_INPUT];
    int status = 0;
    if (!node)
        status = error_prefix(error, "%s", folder);
    else if (node->status != NODE_DONE)
        status = error_set(error, "%s: network %s has no weights yet; choose one that is trained", folder, node_text);
    else if (strcmp(state->facts.input, record_input(data->input, input)))
        status = error_set(error,
                           "%s: its networks take images of %s, the data has %s; give the architecture alone to "
                           "begin with fresh weights",
                           folder, state->facts.input, input);
    else if (check_session(options, data, state, error))
        status = error_prefix(error, "%s", folder);
    else if (!(status = arch_parse(&start->arch, node->facts.arch, error)) &&
             !(status = session_weights_path(folder, node, &start->weights, error) ? -1 : 0))
        start->hash = hash_scan(node->weights_hash);
    session_state_free(state);
    return status;
}

/* The folder becomes absolute in the options, since a resume may come from elsewhere, and the network a number: another
   may be the best by then. */
static int start_of_other(struct search_options *options, const struct search_data *data, struct start_network *start,
                          struct error *error)
{
    char name[sizeof options->start], *folder;
    strcpy(name, options->start);
    char *colon = strrchr(name, ':');
    *colon = '\0';
    if (session_find(name, &folder, error))
        return -1;
    char *path = realpath(folder, NULL);
    free(folder);
    if (!path)
        return error_set(error, "%s: the session can't be found any more", name);
    int64_t number = 0;
    int status = start_of_session(options, data, path, colon + 1, &number, start, error);
    struct text text = TEXT_EMPTY;
    text_add(&text, "%s:%" PRId64, path, number);
    if (!status && text.length >= sizeof options->start)
        status = error_set(error, "%s: the path is too long", path);
    if (!status)
        strcpy(options->start, text_string(&text));
    text_done(&text);
    free(path);
    return status;
}

int start_check_arch(const struct search_options *options, const struct search_data *data, const struct arch *arch,
                     struct error *error)
{
    const struct shape input = data->input;
    struct shape shapes[ARCH_LAYERS_MAX];
    if (arch_shapes(arch, input, shapes, error))
        return error_prefix(error, "on images of %dx%dx%d", input.channels, input.height, input.width);
    int classes = arch->layers[arch->layer_count - 1].units;
    if (classes != data->classes)
        return error_set(error, "the classifier SM(%d) has %d classes, the data has %d: use SM(%d)", classes, classes,
                         data->classes, data->classes);
    if (arch_is_dense(arch) && options->space != SPACE_DENSE)
        return error_set(error, "a dense network needs --space dense");
    if (arch_is_modern(arch) && options->space != SPACE_MODERN)
        return error_set(error, "a network with R, M or S needs --space modern");
    return 0;
}

static bool is_named(const struct search_options *options)
{
    return !options_start_is_smallest(options) && strcmp(options->start, OPTIONS_START_AUTO) != 0;
}

/* Can a search with these options begin with this network: does it fit, and is it within the limits? */
static int check_start(const struct search_options *options, const struct search_data *data, const struct arch *arch,
                       struct error *error)
{
    struct arch_limits limits = options_policy(options, data->input).limits;
    if (start_check_arch(options, data, arch, error) || arch_within(arch, data->input, &limits, error))
        return error_prefix(error, is_named(options) ? "--start" : "the start network");
    return 0;
}

/* --- the limit that is `auto` --- */

/* With a budget of FLOPs or seconds: what can be finished in it, that is trained for so many epochs in the end. */
static const double finish_epochs = 20;
/* A budget of networks or episodes says nothing about time: then all images take so many FLOPs in one pass.  The search
   with the default budget takes less than ten minutes on two cores, whatever the data: 2.2M FLOPs on Fashion-MNIST. */
static const double flops_of_all_images = 1.2e11;

/* At least twice what the start network needs, or where it isn't named yet (NULL) the narrowest template or the
   smallest of the space. */
static void settle_limits(struct search_options *options, const struct search_data *data, const struct arch *start)
{
    if (options->limit_flops != OPTION_AUTO)
        return;
    double images = (double)data->train_images, budget = budget_flops(options, data->speed), least;
    double share = options->finish > 0 ? options->finish : 1;
    double limit =
        budget > 0 ? budget * share / (3 * images * finish_epochs) : fmin(flops_of_all_images / images, TEMPLATE_FLOPS);
    struct arch smallest;
    if (!start &&
        (options_start_is_smallest(options) ||
         arch_template_narrowest(data->input, data->classes, options->space == SPACE_MODERN, &smallest, NULL)))
        options_start(options, data->input, data->classes, &smallest);
    least = 2.0 * (double)arch_cost(start ? start : &smallest, data->input).flops;
    limit = fmax(limit, least);
    double digit = pow(10, floor(log10(limit)) - 1); /* two digits, as a person would type them */
    options->limit_flops = (int64_t)(ceil(limit / digit) * digit);
}

/* --- what else is `auto` --- */

static bool names_modern(const char *start)
{
    struct arch arch;
    return !arch_parse(&arch, start, NULL) && arch_is_modern(&arch);
}

/* Is there a limit of size, and a modern network within it? */
static bool is_small(const struct search_options *options, const struct search_data *data)
{
    struct arch_limits limits = options_policy(options, data->input).limits;
    struct arch arch;
    return (options->limit_flops > 0 || options->limit_parameters > 0) &&
           !arch_template(data->input, data->classes, true, &limits, &arch, NULL);
}

void start_settle_space(struct search_options *options, const struct search_data *data)
{
    if (options->space != SPACE_AUTO)
        return;
    bool automatic = !strcmp(options->start, OPTIONS_START_AUTO);
    bool modern = automatic ? is_small(options, data) : names_modern(options->start);
    options->space = modern ? SPACE_MODERN : SPACE_PLAIN;
}

/* --- the start network --- */

static int start_of_file(struct search_options *options, const struct search_data *data, struct start_network *start,
                         struct error *error)
{
    char *path = realpath(options->start, NULL);
    if (!path)
        return error_set(error, "%s: there is no such file", options->start);
    struct weights *weights = NULL;
    void *bytes = NULL;
    size_t length;
    struct image_split own = image_split_of(options, data->hash);
    own.fixed = data->own_validation;
    int status = 0;
    if (strlen(path) >= sizeof options->start)
        status = error_set(error, "the path is too long");
    else if (!(status = session_file_read(path, IN_SESSION, SAFETENSORS_FILE_MAX, &bytes, &length, error)) &&
             !(status = safetensors_decode(bytes, length, &weights, error))) {
        char *note = safetensors_note(bytes, length, IMAGE_SPLIT_NOTE), *place = safetensors_note(bytes, length, "data");
        struct image_split trained = image_split_parse(note);
        if (memcmp(&weights->input, &data->input, sizeof data->input))
            status = error_set(error, "its network takes other images than the data has; give the architecture alone "
                                      "to begin with fresh weights");
        else if (!image_split_is_known(&trained))
            status = error_set(error, "doesn't say which images trained it, and some of them may validate here; give "
                                      "the architecture alone to begin with fresh weights");
        else
            status = check_place(options, data, place, trained.images, error) || image_split_check(&trained, &own, error) ? -1
                                                                                                                          : 0;
        free(note);
        free(place);
        start->arch = weights->arch;
        start->hash = hash_of(bytes, length);
    }
    if (status)
        error_prefix(error, "%s", options->start);
    else
        strcpy(options->start, path);
    start->weights = path;
    weights_free(weights);
    free(bytes);
    return status;
}

/* The template of the limits. */
static int start_automatic(const struct search_options *options, const struct search_data *data, struct arch *arch,
                           struct error *error)
{
    struct arch_limits limits = options_policy(options, data->input).limits;
    return arch_template(data->input, data->classes, options->space == SPACE_MODERN, &limits, arch, error);
}

int start_find(struct search_options *options, const struct search_data *data, struct start_network *start,
               struct error *error)
{
    struct arch *arch = &start->arch;
    const char *name = options->start;
    start_settle_space(options, data);
    bool automatic = !strcmp(name, OPTIONS_START_AUTO) && options->space != SPACE_DENSE; /* no template is dense */
    int status = 0;
    if (automatic || options_start_is_smallest(options)) {
        settle_limits(options, data, NULL);
        if (automatic)
            status = start_automatic(options, data, arch, error);
        else
            options_start(options, data->input, data->classes, arch);
    } else if (!(status = options_start_is_file(name) ? start_of_file(options, data, start, error)
                          : strchr(name, ':')         ? start_of_other(options, data, start, error)
                                                      : arch_parse(arch, name, error)) &&
               !(status = start_check_arch(options, data, arch, error))) {
        settle_limits(options, data, arch);
    }
    if (status)
        return error_prefix(error, is_named(options) ? "--start" : "the start network");
    return check_start(options, data, arch, error);
}

int start_find_match(const struct search_options *options, const struct search_data *data, struct event_integers *match,
                     struct error *error)
{
    struct session_state *state;
    struct error warning;
    char *folder, input[RECORD_INPUT];
    if (!options->match[0])
        return 0;
    int status = session_find(options->match, &folder, error);
    if (!status) {
        status = session_load(folder, &state, &warning, error);
        free(folder);
    }
    if (status)
        return error_prefix(error, "--match");
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *node = session_node(state, i);
        if (node->status == NODE_DONE && node->facts.proposal)
            event_integers_add(match, node->facts.flops);
    }
    if (strcmp(state->facts.input, record_input(data->input, input)))
        status = error_set(error, "--match %s: its images are %s, the data has %s", options->match, state->facts.input,
                           input);
    else if (!match->count)
        status = error_set(error, "--match %s: a policy has grown no network there yet", options->match);
    session_state_free(state);
    return status;
}
