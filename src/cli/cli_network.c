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
#include "export/safetensors.h"
#include "search/engine.h"
#include "sessions/log.h"
#include "util/file.h"
#include "util/memory.h"

/* --- the network --- */

static int parse_input(const char *text, struct shape *input)
{
    return sscanf(text, "%d,%d,%d", &input->channels, &input->height, &input->width) == 3 ? 0 : -1;
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

static int open_session(const char *name, struct cli_network *network, struct error *error)
{
    struct error warning = {{0}};
    int failed = session_find(name, &network->session, error) ||
                 session_load(network->session, &network->state, &warning, error) ||
                 options_of_session(network->state, &network->options, error);
    cli_warn(&warning);
    if (failed)
        return -1;
    network->has_data = true;
    if (parse_input(network->state->facts.input, &network->input))
        return error_set(error, "%s: the first event has no image size; espalier fsck %s", network->session,
                         network->session);
    network->trained = image_split_of(&network->options, hash_scan(network->state->facts.data_hash));
    return 0;
}

static int find_in_session(const char *text, struct cli_network *network, struct error *error)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1])
        return error_set(error,
                         "%s: names no network; give SESSION:NODE (run-1:best), a FILE.safetensors, or an "
                         "architecture (\"C(16,3,1) A(4,4) SM(10)\")",
                         text);
    char *name = memory_copy_text(text);
    name[colon - text] = '\0';
    int failed = open_session(name, network, error);
    free(name);
    if (failed || !(network->node = session_find_node(network->state, colon + 1, error)))
        return -1;
    const struct session_node *node = session_node(network->state, network->node);
    if (arch_parse(&network->arch, node->facts.arch, error))
        return error_prefix(error, "%s: n%lld", network->session, (long long)network->node);
    return read_node_weights(node, network, error);
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
    network->has_data = data && *data && is_printable(data); /* messages quote it */
    if (network->has_data)
        snprintf(network->options.data, sizeof network->options.data, "%s", data);
    network->trained = image_split_parse(split);
    free(split);
    free(data);
    free(bytes);
    if (failed)
        return error_prefix(error, "%s", path);
    network->arch = network->weights->arch;
    network->input = network->weights->input;
    return 0;
}

static bool is_file(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode);
}

int cli_network_find(const char *text, struct cli_network *network, struct error *error)
{
    *network = (struct cli_network){0};
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
    weights_free(network->weights);
    free(network->session);
    free(network->weights_missing);
    if (network->state)
        session_state_free(network->state);
    *network = (struct cli_network){0};
}

/* --- its images --- */

static int check_images(const struct cli_network *network, const struct images *images, const char *name,
                        struct error *error)
{
    const struct shape *have = &images->shape, *want = &network->input;
    if (have->channels != want->channels || have->height != want->height || have->width != want->width)
        return error_set(error, "%s: images of %d,%d,%d do not fit the network, which takes %d,%d,%d; name other data",
                         name, have->channels, have->height, have->width, want->channels, want->height, want->width);
    int classes = network->arch.layers[network->arch.layer_count - 1].units;
    if (images->classes != classes)
        return error_set(error, "%s: has %d classes, the network's classifier SM(%d); name other data or change SM",
                         name, images->classes, classes);
    return 0;
}

int cli_network_open_images(struct cli_network *network, const char *data, struct error *error)
{
    const char *name = network->data = data ? data : network->options.data;
    if (data_spec_parse(name, &network->spec, error))
        return error_prefix(error, "--data %s", name);
    if (images_open(&network->spec, DATA_TRAIN, &network->images, error))
        return -1;
    if (!network->input.channels)
        network->input = network->images.shape;
    if (check_images(network, &network->images, name, error))
        return -1;
    if (network->state) {
        char hash[HASH_TEXT];
        network->session_split = !strcmp(hash_print(network->images.hash, hash), network->state->facts.data_hash);
        if (!data && !network->session_split)
            return error_set(error,
                             "%s: is not what %s was trained on: the files have changed since; name the data by "
                             "--data to use it all the same",
                             name, network->session);
    }
    struct shape shapes[ARCH_LAYERS_MAX];
    return arch_shapes(&network->arch, network->input, shapes, error);
}

int cli_network_open_test(const struct cli_network *network, struct images *test, struct error *error)
{
    if (images_open(&network->spec, DATA_TEST, test, error))
        return -1;
    if (!check_images(network, test, network->spec.name, error))
        return 0;
    images_done(test);
    return -1;
}

int cli_network_training_views(const struct cli_network *network, struct view *train, struct view *validate,
                               struct error *error)
{
    const struct search_options *options = &network->options;
    *train = *validate = (struct view){0};
    if (network->session_split)
        return data_split(&network->images, (int)options->validation, (int)options->train_subset,
                          (uint64_t)options->seed, train, validate, error);
    view_all(&network->images, NULL, train);
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
    char *name = report_short_name(network->session);
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
