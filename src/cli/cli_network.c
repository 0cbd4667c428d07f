/*
 * cli_network.c - finds a network by what a person typed, and checks that images fit it.
 *
 * An architecture has a parenthesis.  A name that ends in .safetensors, or that an existing file has, is a file.
 * Everything else is SESSION:NODE.
 */
#include "cli/cli_network.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "export/notes.h"
#include "search/engine.h"
#include "search/picture_rules.h"
#include "sessions/log.h"
#include "sessions/summary.h"
#include "util/file.h"
#include "util/memory.h"

/* --- the network --- */

static int parse_input(const char *text, struct shape *input)
{
    return sscanf(text, "%d,%d,%d", &input->channels, &input->height, &input->width) == 3 ? 0 : -1;
}

static int classes_of(const struct cli_network *network)
{
    return network->arch.layers[network->arch.layer_count - 1].units;
}

static void check_facts(struct cli_network *network)
{
    data_facts_check(&network->facts, network->input.channels, classes_of(network));
}

/* A session from before its first event had them may have files of weights that do. */
static void read_facts(const char *path, struct cli_network *network)
{
    void *bytes;
    size_t length;
    if (network->facts.classes || file_read(path, SAFETENSORS_FILE_MAX, &bytes, &length, NULL))
        return;
    data_facts_of_file(bytes, length, &network->facts);
    check_facts(network);
    free(bytes);
}

/* A missing file is no failure yet: not every command needs it. */
static int read_node_weights(const struct session_node *node, struct cli_network *network, struct error *error)
{
    char *path;
    struct error missing;
    if (!node->weights)
        return 0;
    if (session_weights_path(network->session, node, &path, &missing)) {
        network->weights_missing = memory_copy_text(missing.text);
        return 0;
    }
    struct hash recorded = hash_scan(node->weights_hash);
    int failed = safetensors_read(path, &recorded, &network->weights, error);
    if (!failed)
        read_facts(path, network);
    free(path);
    return failed;
}

int cli_network_check_weights(const struct cli_network *network, struct error *error)
{
    return network->weights_missing ? error_set(error, "%s", network->weights_missing) : 0;
}

int cli_network_need_weights(const struct cli_network *network, const char *text, struct error *error)
{
    if (network->weights || cli_network_check_weights(network, error))
        return network->weights ? 0 : -1;
    return error_set(error, "%s: has no weights: it is not trained; name another, or train it: espalier train '%s'",
                     text, text);
}

bool cli_is_session(const char *name)
{
    char *folder = NULL;
    bool found = !session_find(name, &folder, NULL);
    free(folder);
    return found;
}

/* Fold the log of `network->session`. */
static int load_session(struct cli_network *network, struct error *warning, struct error *error)
{
    if (session_load(network->session, &network->state, warning, error) ||
        options_of_session(network->state, &network->options, error))
        return -1;
    network->has_data = true;
    if (parse_input(network->state->facts.input, &network->input))
        return error_set(error, "%s: the first event has no image size; espalier fsck %s", network->session,
                         network->session);
    network->trained = image_split_of(&network->options, hash_scan(network->state->facts.data_hash));
    return 0;
}

/* The network that is called so in the session. */
static int take_node(const char *name, struct cli_network *network, struct error *error)
{
    if (!(network->node = session_find_node(network->state, name, error)))
        return -1;
    const struct session_node *node = session_node(network->state, network->node);
    if (arch_parse(&network->arch, node->facts.arch, error))
        return error_prefix(error, "%s: n%lld", network->session, (long long)network->node);
    data_facts_of_session(&network->state->facts, &network->facts);
    check_facts(network);
    return read_node_weights(node, network, error);
}

static int find_in_session(const char *text, struct cli_network *network, struct error *error)
{
    const char *colon = strrchr(text, ':');
    struct error warning = {{0}};
    if (!colon || colon == text || !colon[1])
        return error_set(error,
                         "%s: names no network; give SESSION:NODE (run-1:best), a FILE.safetensors, or an "
                         "architecture (\"C(16,3,1) A(4,4) SM(10)\")",
                         text);
    char *name = memory_copy_text(text);
    name[colon - text] = '\0';
    int failed = session_find(name, &network->session, error) || load_session(network, &warning, error);
    free(name);
    cli_warn(&warning);
    return failed ? -1 : take_node(colon + 1, network, error);
}

int cli_network_of_node(const char *folder, int64_t node, struct cli_network *network, struct error *error)
{
    struct error warning = {{0}}; /* that the log's end is torn: the screens show the session all the same */
    char name[24];
    snprintf(name, sizeof name, "n%lld", (long long)node);
    *network = (struct cli_network){.text = folder, .session = memory_copy_text(folder), .quiet = true};
    options_default(&network->options);
    return load_session(network, &warning, error) || take_node(name, network, error) ? -1 : 0;
}

static bool is_printable(const char *text)
{
    while (*text && (unsigned char)*text >= ' ' && *text != 127)
        text++;
    return !*text;
}

/* A file that this program wrote says what images it was trained on. */
static int read_file(const char *path, struct cli_network *network, struct error *error)
{
    void *bytes;
    size_t length;
    if (file_read(path, SAFETENSORS_FILE_MAX, &bytes, &length, error))
        return -1;
    int failed = safetensors_decode(bytes, length, &network->weights, error);
    char *data = safetensors_note(bytes, length, "data"), *split = safetensors_note(bytes, length, IMAGE_SPLIT_NOTE);
    char *pictures = safetensors_note(bytes, length, PICTURE_RULES_NOTE);
    network->has_data = data && *data && is_printable(data); /* messages quote it */
    if (network->has_data)
        snprintf(network->options.data, sizeof network->options.data, "%s", data);
    network->trained = image_split_parse(split);
    picture_rules_parse(pictures, &network->options);
    free(pictures);
    free(split);
    free(data);
    if (failed) {
        free(bytes);
        return error_prefix(error, "%s", path);
    }
    network->arch = network->weights->arch;
    network->input = network->weights->input;
    data_facts_of_file(bytes, length, &network->facts);
    check_facts(network);
    free(bytes);
    return 0;
}

static bool is_file(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode);
}

int cli_network_find(const char *text, struct cli_network *network, struct error *error)
{
    *network = (struct cli_network){.text = text};
    options_default(&network->options);
    if (options_start_is_file(text) || is_file(text))
        return read_file(text, network, error);
    if (strchr(text, '('))
        return arch_parse(&network->arch, text, error);
    return find_in_session(text, network, error);
}

void cli_network_done(struct cli_network *network)
{
    images_done(&network->images);
    data_facts_done(&network->facts);
    weights_free(network->weights);
    free(network->session);
    free(network->weights_missing);
    if (network->state)
        session_state_free(network->state);
    *network = (struct cli_network){0};
}

/* --- its images --- */

/* Images that didn't train the network get its classes, by their names. */
static int check_images(const struct cli_network *network, struct images *images, const char *name,
                        enum classes_needed needed, struct error *error)
{
    const struct shape *have = &images->shape, *want = &network->input;
    if (have->channels != want->channels || have->height != want->height || have->width != want->width)
        return error_set(error, "%s: images of %d,%d,%d do not fit the network, which takes %d,%d,%d; name other data",
                         name, have->channels, have->height, have->width, want->channels, want->height, want->width);
    if (network->facts.classes && !network->own_images)
        return data_facts_relabel(&network->facts, name, needed == ALL_CLASSES, images, error);
    int classes = classes_of(network);
    if (images->classes != classes)
        return error_set(error, "%s: has %d classes, the network's classifier SM(%d); name other data or change SM",
                         name, images->classes, classes);
    return 0;
}

/* A session's data are its own where they have its checksum, and so are a file's. */
static int recognise_images(struct cli_network *network, const char *data, struct error *error)
{
    char hash[HASH_TEXT];
    hash_print(network->images.hash, hash);
    network->session_split = network->state && !strcmp(hash, network->state->facts.data_hash);
    network->own_images = network->session_split || hash_equal(network->images.hash, network->facts.hash) ||
                          hash_equal(network->images.hash, network->trained.images);
    if (network->state && !data && !network->session_split)
        return error_set(error,
                         "%s: is not what %s was trained on: the files have changed since; name the data by "
                         "--data to use it all the same",
                         network->data, network->session);
    return 0;
}

/* Say what is assumed of a network that doesn't know its images, and wasn't trained on these. */
static void warn_of_assumptions(const struct cli_network *network)
{
    struct error warning;
    if (network->quiet || !network->weights || network->facts.classes || network->own_images)
        return;
    error_set(&warning,
              "%s: doesn't say how its classes are called and its pixels normalised, as files from before this was "
              "recorded: classes are matched by number, and pixels normalised by %s",
              network->text, network->data);
    cli_warn(&warning);
}

int cli_network_open_images(struct cli_network *network, const char *data, enum classes_needed needed,
                            struct error *error)
{
    if (!data && network->input.channels && !network->has_data) /* else it is a mere architecture */
        return error_set(error, "%s: doesn't say what images trained it; name them by --data", network->text);
    const char *name = network->data = data ? data : network->options.data;
    if (data_spec_parse(name, &network->spec, error))
        return error_prefix(error, "--data %s", name);
    picture_rules_set(&network->options, &network->spec);
    network->spec.cancelled = network->cancelled;
    if (images_open(&network->spec, DATA_TRAIN, &network->images, error))
        return -1;
    if (!network->quiet)
        cli_warn_of_images(&network->images);
    if (!network->input.channels)
        network->input = network->images.shape;
    if (recognise_images(network, data, error) || check_images(network, &network->images, name, needed, error))
        return -1;
    warn_of_assumptions(network);
    struct shape shapes[ARCH_LAYERS_MAX];
    return arch_shapes(&network->arch, network->input, shapes, error);
}

/* Is the folder of the open images, which may have changed since, the one that trained the network? */
static bool is_own_folder(const struct cli_network *network)
{
    struct data_spec own;
    if (data_spec_parse(network->options.data, &own, NULL))
        return false;
    char *path = realpath(network->spec.folder, NULL), *own_path = realpath(own.folder, NULL);
    bool same = path && own_path && !strcmp(path, own_path);
    free(path);
    free(own_path);
    return same;
}

enum data_part cli_network_unseen_part(const struct cli_network *network)
{
    bool unseen = network->has_data && !network->own_images && !is_own_folder(network);
    return unseen ? DATA_ALL : DATA_TEST;
}

int cli_network_open_test(const struct cli_network *network, enum data_part part, struct images *test,
                          struct error *error)
{
    if (images_open(&network->spec, part, test, error))
        return -1;
    if (!check_images(network, test, network->spec.name, SOME_CLASSES, error))
        return 0;
    images_done(test);
    return -1;
}

int cli_network_training_views(const struct cli_network *network, struct view *train, struct view *validate,
                               struct error *error)
{
    const struct search_options *options = &network->options;
    *train = *validate = (struct view){0};
    if (!network->session_split)
        view_all(&network->images, NULL, train);
    else if (data_split(&network->images, (int)options->validation, (int)options->train_subset, (uint64_t)options->seed,
                        train, validate, error))
        return -1;
    if (network->facts.classes)
        view_normalise(train, &network->facts.pixels);
    if (network->facts.classes && network->session_split)
        view_normalise(validate, &network->facts.pixels);
    return 0;
}

int cli_network_need_facts(struct cli_network *network, const char *data, struct error *error)
{
    struct view train, validate;
    struct error warning;
    if (network->facts.classes && data) {
        error_set(&warning, "--data %s: is not read: %s knows its classes and normalisation", data, network->text);
        cli_warn(&warning);
    }
    if (network->facts.classes)
        return 0;
    if (cli_network_open_images(network, data, ALL_CLASSES, error) ||
        cli_network_training_views(network, &train, &validate, error))
        return network->has_data && !data ? error_prefix(error,
                                                         "%s: doesn't know its classes and normalisation, so that "
                                                         "its images are needed",
                                                         network->text)
                                          : -1;
    data_facts_of(network->data, &network->images, &train, &network->facts);
    view_done(&train);
    view_done(&validate);
    return 0;
}

int cli_network_check_validation(const struct cli_network *network, const char *text, int64_t validation, bool fresh,
                                 uint64_t *seed, struct error *error)
{
    const struct image_split *trained = &network->trained;
    if (hash_equal(trained->images, network->images.hash)) {
        *seed = (uint64_t)trained->seed;
        if (fresh || validation <= trained->validation)
            return 0;
        return error_set(error,
                         "%s: --validation %lld: its weights were trained on some of these images; its training kept "
                         "%lld out (by seed %lld): use at most --validation %lld, or --scratch",
                         text, (long long)validation, (long long)trained->validation, (long long)trained->seed,
                         (long long)trained->validation);
    }
    if (fresh || !validation)
        return 0;
    if (image_split_is_known(trained)) {
        struct error warning;
        error_set(&warning, "%s was trained on other images: whether some of them validate here is not known", text);
        cli_warn(&warning);
        return 0;
    }
    return error_set(error,
                     "%s: --validation %lld: the file doesn't say which images trained its weights, and these may be "
                     "among them: leave --validation out, or use --scratch",
                     text, (long long)validation);
}

/* --- its names --- */

static char *default_file(const struct cli_network *network, const char *ending)
{
    struct text text = TEXT_EMPTY;
    if (!network->node) {
        text_add(&text, "network%s", ending);
        return text_take(&text);
    }
    char *name = session_short_name(network->session);
    text_add(&text, "%s-n%lld%s", name, (long long)network->node, ending);
    free(name);
    return text_take(&text);
}

int cli_network_choose_file(const struct cli_network *network, const char *out, const char *ending, bool replace,
                            char **path, struct error *error)
{
    *path = out ? memory_copy_text(out) : default_file(network, ending);
    if (!out && !replace && file_exists(*path))
        return error_set(error, "%s: exists already; name the file to write by --out", *path);
    return file_may_write(*path, error) ? error_prefix(error, "--out") : 0;
}

void cli_network_name(const struct cli_network *network, const char *text, struct text *name)
{
    if (network->node)
        text_add(name, "%s, network n%lld", network->session, (long long)network->node);
    else
        text_add(name, "%s", network->weights ? text : "the architecture");
}
