/*
 * export.c - `espalier export`: writes a trained network for other programs.
 *
 * A file normalises pixels itself, and names the classes.  The network knows both, so that no images are needed; one
 * from before that was recorded needs its images.
 *
 *     onnx     the network, with all BN folded: ONNX Runtime and others run it
 *     pytorch  a Python file (--out), and the weights in a safetensors file beside it
 *     json     the architecture, for whoever wants to build it otherwise; also of a network without weights
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/cli_network.h"
#include "cli/commands/export_curves.h"
#include "export/arch_json.h"
#include "export/notes.h"
#include "export/onnx.h"
#include "export/pytorch.h"
#include "search/picture_rules.h"
#include "util/file.h"
#include "util/print.h"

struct exporting {
    struct cli_network network;
    struct notes notes;
    int64_t opset;
    char *path;
    size_t length; /* of the file that was written */
};

/* What trained it, and how its pictures are read. */
static void add_data(struct exporting *work)
{
    const struct cli_network *network = &work->network;
    struct text text = TEXT_EMPTY;
    notes_add_data(&work->notes, &network->facts);
    if (network->has_data)
        picture_rules_print(&network->options, network->options.data, &text);
    notes_add(&work->notes, PICTURE_RULES_NOTE, text_string(&text));
    text_done(&text);
}

static int write_onnx(struct exporting *work, struct error *error)
{
    struct text arch = TEXT_EMPTY;
    arch_print(&work->network.arch, &arch);
    notes_add(&work->notes, "arch", text_string(&arch));
    add_data(work);
    text_done(&arch);
    const struct images shape = {.shape = work->network.input};
    struct view view = {.images = &shape};
    view_normalise(&view, &work->network.facts.pixels);
    void *bytes =
        onnx_encode(work->network.weights, view.scale, view.shift, (int)work->opset, work->notes.list, &work->length);
    int failed = file_write(work->path, bytes, work->length, error);
    free(bytes);
    return failed;
}

static int write_text(struct exporting *work, const struct text *text, struct error *error)
{
    work->length = text->length;
    return file_write(work->path, text->bytes, text->length, error);
}

/* "net.py": "net.safetensors". */
static char *weights_path(const char *path)
{
    struct text text = TEXT_EMPTY;
    size_t length = strlen(path);
    if (length > 3 && !strcmp(path + length - 3, ".py"))
        length -= 3;
    text_add(&text, "%.*s.safetensors", (int)length, path);
    return text_take(&text);
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat one, other;
    return !stat(a, &one) && !stat(b, &other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* What a person has there may be the work of days: only the same bytes are written again. */
static int write_weights(const struct exporting *work, const char *path, struct error *error)
{
    void *bytes, *there = NULL;
    size_t length, there_length;
    struct hash hash;
    weights_drop_raw(work->network.weights);
    safetensors_encode(work->network.weights, work->notes.list, &bytes, &length, &hash);
    bool exists = file_exists(path);
    int failed = exists ? file_read(path, SAFETENSORS_FILE_MAX, &there, &there_length, error)
                        : file_write(path, bytes, length, error);
    if (!failed && exists && !hash_equal(hash, hash_of(there, there_length)))
        failed = error_set(error, "%s: exists already, with other weights; name another file by --out", path);
    free(bytes);
    free(there);
    return failed;
}

/* The module has its weights in a file beside it, and must not take that file's name. */
static int check_module_path(const char *path, struct error *error)
{
    static const char ending[] = ".safetensors";
    struct stat there;
    size_t length = strlen(path);
    if (length >= strlen(ending) && !strcmp(path + length - strlen(ending), ending))
        return error_set(error, "%s: is a name for weights; name the module FILE.py", path);
    if (!stat(path, &there) && !S_ISREG(there.st_mode))
        return error_set(error, "%s: is no regular file; the module needs a folder for its weights", path);
    return 0;
}

static int write_pytorch(struct exporting *work, struct error *error)
{
    if (check_module_path(work->path, error))
        return -1;
    const struct cli_network *network = &work->network;
    struct text text = TEXT_EMPTY, split = TEXT_EMPTY;
    char *weights = weights_path(work->path), *slash = strrchr(weights, '/');
    export_pytorch(&network->arch, network->input, &network->facts, slash ? slash + 1 : weights, &text);
    add_data(work);
    image_split_print(&network->trained, &split);
    if (image_split_is_known(&network->trained))
        notes_add(&work->notes, IMAGE_SPLIT_NOTE, text_string(&split));
    bool beside = is_same_file(weights, network->text); /* the very file that is exported */
    int failed = !beside && write_weights(work, weights, error);
    failed = failed || write_text(work, &text, error);
    text_done(&text);
    text_done(&split);
    free(weights);
    return failed ? -1 : 0;
}

static int write_json(struct exporting *work, struct error *error)
{
    struct text text = TEXT_EMPTY;
    export_arch_json(&work->network.arch, work->network.input, &work->network.facts, &text);
    int failed = write_text(work, &text, error);
    text_done(&text);
    return failed;
}

static const struct export_format {
    const char *name, *ending;
    bool weights; /* it needs the network's weights */
    int (*write)(struct exporting *work, struct error *error);
    const char *input, *output;
} formats[] = {
    {"onnx", ".onnx", true, write_onnx, "image: N,%d,%d,%d float32, pixels from 0 to 255\n",
     "probabilities: N,%d float32\n"},
    {"pytorch", ".py", true, write_pytorch, "N,%d,%d,%d, pixels from 0 to 255\n", "N,%d logits\n"},
    {"json", ".json", false, write_json, "%d,%d,%d\n", "%d classes\n"},
};

static void print(const struct exporting *work, const struct export_format *format)
{
    const struct cli_network *network = &work->network;
    const struct shape *input = &network->input;
    struct text name = TEXT_EMPTY;
    cli_network_name(network, network->text, &name);
    print_to(stdout, "network  %s\ninput    ", text_string(&name));
    print_to(stdout, format->input, input->channels, input->height, input->width);
    print_to(stdout, "output   ");
    print_to(stdout, format->output, network->arch.layers[network->arch.layer_count - 1].units);
    print_to(stdout, "file     %s, %zu bytes\n", work->path, work->length);
    if (format->write == write_pytorch) {
        char *weights = weights_path(work->path);
        print_to(stdout, "weights  %s\n", weights);
        free(weights);
    }
    text_done(&name);
}

/* The architecture alone needs no facts, but for a size of its input. */
static int find_network(const struct cli_arguments *arguments, struct exporting *work,
                        const struct export_format *format, struct error *error)
{
    const char *name = arguments->words[0], *data = cli_value(arguments, "data");
    struct cli_network *network = &work->network;
    if (cli_network_find(name, network, error) || (format->weights && cli_network_need_weights(network, name, error)))
        return -1;
    if (!format->weights && !data && network->input.channels)
        return 0;
    if (!format->weights && !data)
        return error_set(error, "%s: an architecture alone has no input; name its images by --data", name);
    return cli_network_need_facts(network, data, error);
}

static int export(const struct cli_arguments *arguments, struct exporting *work, const struct export_format *format,
                  struct error *error)
{
    if (find_network(arguments, work, format, error) ||
        cli_network_choose_file(&work->network, cli_value(arguments, "out"), format->ending, false, &work->path,
                                error) ||
        format->write(work, error))
        return -1;
    print(work, format);
    return 0;
}

static const struct export_format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!name || !strcmp(name, formats[i].name))
            return &formats[i];
    return NULL;
}

static int run(const struct cli_arguments *arguments)
{
    if (cli_value(arguments, "curves"))
        return export_curves(arguments);
    struct exporting work = {.length = 0};
    struct error error = {{0}};
    const struct export_format *format = find_format(cli_value(arguments, "format"));
    if (!format)
        return cli_usage(arguments, "--format %s: must be one of onnx|pytorch|json", cli_value(arguments, "format"));
    if (cli_integer(arguments, "opset", ONNX_OPSET, ONNX_OPSET_MIN, ONNX_OPSET_MAX, &work.opset))
        return 2;
    if (cli_value(arguments, "opset") && format->write != write_onnx)
        return cli_usage(arguments, "--opset is for --format onnx");
    int failed = export(arguments, &work, format, &error);
    free(work.path);
    notes_done(&work.notes);
    cli_network_done(&work.network);
    return failed ? cli_fail(&error) : 0;
}

static const struct cli_option options_of_export[] = {
    {"format", "WORD", "onnx; pytorch, a module in a Python file, with the weights beside it; json, the architecture",
     "onnx"},
    {"curves", "WORD", "of a SESSION: the curves of all networks: csv, a table; tensorboard, a folder of event files",
     NULL},
    {"opset", "N", "ONNX's operator set, 9 to 22", "13"},
    {"data", "SPEC", "the images that trained a network which doesn't know its classes and normalisation",
     "the network's"},
    {"out", "FILE", "the file to write; with --curves tensorboard a new folder",
     "SESSION-nNODE.onnx, .py or .json; SESSION-curves"},
    {0},
};

const struct cli_command command_export = {
    .name = "export",
    .synopsis = "SESSION:NODE|FILE|ARCH|SESSION",
    .summary = "write a trained network, or curves, for other programs",
    .details =
        "The file takes pixels from 0 to 255, normalises them, and names the classes. No images are needed, but for"
        " a network that was trained before its classes and normalisation were recorded.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_export,
    .run = run,
};
