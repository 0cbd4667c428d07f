/*
 * compare_from_scratch.c - the worth of inherited weights: each network's architecture is trained again from fresh
 * weights.
 *
 * It gets the compute of the grown network's lineage, which is its own training and that of all its ancestors.  By
 * FLOPs (the default) it trains as many epochs as cost that much.  By epochs it trains as many as the lineage, which is
 * more work because the ancestors were smaller.  Data, split and options are the search's, with its learning rate from
 * scratch.
 *
 * With --out each result is in the file before the next training begins.  A network that the file has is not trained
 * again; it is known by the checksum of its weights.
 */
#include "cli/commands/compare_from_scratch.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_device.h"
#include "cli/cli_network.h"
#include "cli/report.h"
#include "cli/score.h"
#include "compare/statistics.h"
#include "export/csv.h"
#include "search/engine.h"
#include "sessions/log.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/print.h"
#include "util/round.h"

enum { RESULTS_FILE_MAX = 1 << 26 };
/* Added to a node's number: random streams that no network of a search has. */
static const uint32_t scratch_stream = 0x80000000u;

enum choice { CHOICE_NAMED, CHOICE_BEST, CHOICE_SPREAD };

/* One call of the command. */
struct scratch_comparison {
    const struct cli_arguments *arguments;
    enum choice choice;
    int64_t wanted;    /* networks of each session; CHOICE_NAMED: 1 */
    const char *equal; /* "flops" or "epochs" */
    const char *out;   /* or NULL */
    struct text lines; /* the file's lines */
    int count;
    double *grown, *scratch; /* `count` accuracies each */
};

/* A session, and the images and device that its architectures are trained with. */
struct setting {
    struct cli_network network;
    struct cli_device device;
    struct view train, validate;
};

/* `word` names a session or one of its networks. */
static int open_setting(const struct scratch_comparison *work, const char *word, struct setting *setting,
                        struct error *error)
{
    struct cli_network *network = &setting->network;
    struct text name = TEXT_EMPTY;
    text_add(&name, "%s%s", word, strchr(word, ':') || strchr(word, '(') ? "" : ":best");
    int failed = cli_network_find(text_string(&name), network, error);
    text_done(&name);
    if (failed)
        return -1;
    if (!network->state)
        return error_set(error, "%s: is not a session's; give SESSION or SESSION:NODE", word);
    if (cli_set_options(work->arguments, &network->options)) /* --precision, which read_options() has checked */
        return -1;
    if (cli_device_open(cli_value(work->arguments, "device"), network->options.precision, &setting->device, error) ||
        cli_network_open_images(network, network->options.data, ALL_CLASSES, error))
        return -1;
    if (!network->session_split)
        return error_set(error, "%s: is not what %s was trained on: the files have changed since", network->data,
                         network->session);
    return cli_network_training_views(network, &setting->train, &setting->validate, error);
}

static void close_setting(struct setting *setting)
{
    cli_device_close(&setting->device);
    view_done(&setting->train);
    view_done(&setting->validate);
    cli_network_done(&setting->network);
    free(setting);
}

static bool has_result(const struct session_node *node)
{
    return node->status == NODE_DONE && node->weights_hash;
}

/* The grown networks with a result, best first; free() the list. */
static const struct session_node **rank(const struct session_state *state, int64_t *count)
{
    int64_t trained;
    const struct session_node **ranked = report_ranked(state, &trained);
    *count = 0;
    for (int64_t i = 0; i < trained; i++)
        if (has_result(ranked[i]) && node_inherits(ranked[i]))
            ranked[(*count)++] = ranked[i];
    return ranked;
}

/* The rank of the `i`th of `wanted` networks: the best ones, or evenly from the best to the worst. */
static int64_t place_of(enum choice choice, int64_t i, int64_t wanted, int64_t count)
{
    return choice == CHOICE_SPREAD && wanted > 1 ? llround((double)i * (double)(count - 1) / (double)(wanted - 1)) : i;
}

struct lineage {
    int64_t epochs;
    double flops, seconds; /* FLOPs of all epochs together for one image */
};

static struct lineage lineage_of(const struct session_state *state, const struct session_node *node)
{
    struct lineage lineage = {0};
    for (; node; node = session_node(state, node_inherits(node))) {
        lineage.epochs += node->curve_count;
        lineage.flops += 3.0 * (double)node->facts.flops * node->curve_count;
        lineage.seconds += node->seconds;
    }
    return lineage;
}

struct result {
    int epochs; /* from scratch */
    double grown, scratch;
};

static void on_epoch(void *context, const struct epoch_report *report)
{
    if (!cli_is_terminal(stderr))
        return;
    print_to(stderr, "\r  %s: epoch %d of %d: training %.2f %%\033[K", (const char *)context, report->epoch,
             report->epochs, 100 * report->train_accuracy);
    if (report->epoch == report->epochs)
        print_to(stderr, "\r\033[K");
}

static int train_scratch(const struct setting *setting, const struct session_node *node, struct result *result,
                         struct error *error)
{
    struct arch arch;
    struct score score;
    char name[32];
    if (arch_parse(&arch, node->facts.arch, error))
        return error_prefix(error, "%s: n%lld", setting->network.session, (long long)node->facts.node);
    snprintf(name, sizeof name, "n%lld", (long long)node->facts.node);
    struct training training = options_training(&setting->network.options);
    training.epochs = result->epochs;
    training.rate = (float)setting->network.options.start_rate;
    training.node = scratch_stream | (uint32_t)node->facts.node;
    struct weights *weights = weights_new(&arch, setting->network.input);
    struct random_stream stream = random_stream_new(training.seed, RANDOM_INITIALISE, training.node, 0);
    weights_initialise(weights, &stream);
    const struct backend *backend = setting->device.backend;
    struct team *team = cli_device_team(&setting->device);
    struct trainer_hooks hooks = {.context = name, .epoch = on_epoch, .team = team};
    int failed = train(backend, weights, &setting->train, NULL, &training, &hooks, error) != TRAINING_DONE ||
                 score_network(backend, team, weights, &setting->validate, &score, error);
    weights_free(weights);
    if (failed)
        return -1;
    result->scratch = (double)score.correct / score.count;
    score_done(&score);
    return 0;
}

static const char heading[] = "weights,equal,epochs,grown,scratch,node,session\n";

static int read_results(struct scratch_comparison *work, struct error *error)
{
    void *bytes;
    size_t length;
    if (work->out && file_may_write(work->out, error))
        return error_prefix(error, "--out");
    if (!work->out || !file_exists(work->out)) {
        text_add(&work->lines, "%s", heading);
        return 0;
    }
    if (file_read(work->out, RESULTS_FILE_MAX, &bytes, &length, error))
        return -1;
    text_add_bytes(&work->lines, bytes, length);
    free(bytes);
    return strncmp(text_string(&work->lines), heading, strlen(heading))
               ? error_set(error, "%s: holds no results of compare --scratch; name another file by --out", work->out)
               : 0;
}

/* Has the file this network with as many epochs? */
static bool find_result(const struct scratch_comparison *work, const struct session_node *node, struct result *result)
{
    struct text key = TEXT_EMPTY;
    text_add(&key, "\n%s,%s,%d,", node->weights_hash, work->equal, result->epochs);
    const char *line = strstr(text_string(&work->lines), text_string(&key));
    bool found = line && sscanf(line + key.length, "%*f,%lf", &result->scratch) == 1;
    text_done(&key);
    return found;
}

static int keep_result(struct scratch_comparison *work, const struct setting *setting, const struct session_node *node,
                       const struct result *result, struct error *error)
{
    csv_string(&work->lines, node->weights_hash);
    csv_string(&work->lines, work->equal);
    csv_integer(&work->lines, result->epochs);
    csv_real(&work->lines, result->grown);
    csv_real(&work->lines, result->scratch);
    csv_integer(&work->lines, node->facts.node);
    csv_string(&work->lines, setting->network.session);
    text_add(&work->lines, "\n");
    return work->out ? file_write(work->out, work->lines.bytes, work->lines.length, error) : 0;
}

static void print_result(const struct setting *setting, const struct session_node *node, const struct lineage *lineage,
                         const struct result *result)
{
    char flops[TEXT_SHORT], parameters[TEXT_SHORT];
    struct text name = TEXT_EMPTY;
    const char *slash = strrchr(setting->network.session, '/');
    text_add(&name, "%s:n%lld", slash && slash[1] ? slash + 1 : setting->network.session, (long long)node->facts.node);
    print_to(stdout, "%-28s %7s %7.2f %% %7.2f %% %+7.2f %7lld %8d %8s\n", text_string(&name),
             text_count(parameters, (double)node->facts.parameters), 100 * result->grown, 100 * result->scratch,
             100 * (result->grown - result->scratch), (long long)lineage->epochs, result->epochs,
             text_count(flops, lineage->flops * setting->train.count));
    fflush(stdout);
    text_done(&name);
}

static int compare_network(struct scratch_comparison *work, const struct setting *setting,
                           const struct session_node *node, struct error *error)
{
    struct lineage lineage = lineage_of(setting->network.state, node);
    double own = 3.0 * (double)node->facts.flops;
    struct result result = {.grown = node->accuracy};
    bool by_epochs = !strcmp(work->equal, "epochs");
    result.epochs = round_within(by_epochs ? (double)lineage.epochs : lineage.flops / own, by_epochs ? 0 : 1, INT_MAX);
    if (!find_result(work, node, &result) &&
        (train_scratch(setting, node, &result, error) || keep_result(work, setting, node, &result, error)))
        return -1;
    print_result(setting, node, &lineage, &result);
    work->grown = memory_resize(work->grown, (size_t)work->count + 1, sizeof *work->grown);
    work->scratch = memory_resize(work->scratch, (size_t)work->count + 1, sizeof *work->scratch);
    work->grown[work->count] = result.grown;
    work->scratch[work->count++] = result.scratch;
    return 0;
}

/* Refuse a bad word before the first training begins. */
static int check_word(const struct scratch_comparison *work, const char *word, struct error *error)
{
    struct setting *setting = memory_new(1, sizeof *setting);
    int failed = open_setting(work, word, setting, error);
    if (!failed && work->choice == CHOICE_NAMED) {
        if (!has_result(session_node(setting->network.state, setting->network.node)))
            failed = error_set(error, "%s: has no result to compare; choose a trained network", word);
    }
    close_setting(setting);
    return failed;
}

static int compare_word(struct scratch_comparison *work, const char *word, struct error *error)
{
    struct setting *setting = memory_new(1, sizeof *setting);
    int failed = open_setting(work, word, setting, error);
    if (!failed && work->choice == CHOICE_NAMED) {
        failed = compare_network(work, setting, session_node(setting->network.state, setting->network.node), error);
    } else if (!failed) {
        int64_t count, wanted = work->wanted;
        const struct session_node **ranked = rank(setting->network.state, &count);
        wanted = wanted < count ? wanted : count;
        for (int64_t i = 0; !failed && i < wanted; i++)
            failed = compare_network(work, setting, ranked[place_of(work->choice, i, wanted, count)], error);
        free(ranked);
    }
    close_setting(setting);
    return failed ? -1 : 0;
}

static void print_mean(const struct scratch_comparison *work)
{
    struct permutation_test test = permutation_test_paired(work->scratch, work->grown, work->count);
    if (work->count < 2)
        return;
    print_to(stdout, "%d networks, grown against from scratch: %+.2f points, standard error %.2f", work->count,
             100 * test.difference, 100 * test.standard_error);
    if (!isnan(test.p))
        print_to(stdout, ", p %.3f", test.p);
    print_to(stdout, "\n");
}

/* 0, or the exit status of wrong usage. */
static int read_options(const struct cli_arguments *arguments, struct scratch_comparison *work)
{
    const char *best = cli_value(arguments, "best"), *spread = cli_value(arguments, "spread");
    if (best && spread)
        return cli_usage(arguments, "--best and --spread exclude each other");
    work->choice = best ? CHOICE_BEST : spread ? CHOICE_SPREAD : CHOICE_NAMED;
    for (int i = 0; work->choice != CHOICE_NAMED && i < arguments->word_count; i++)
        if (strchr(arguments->words[i], ':'))
            return cli_usage(arguments, "--%s chooses the networks: leave out which in %s", best ? "best" : "spread",
                             arguments->words[i]);
    struct search_options given;
    options_default(&given);
    if (cli_integer(arguments, best ? "best" : "spread", 1, 1, 1000000, &work->wanted) ||
        cli_set_options(arguments, &given))
        return 2;
    const char *equal = cli_value(arguments, "equal");
    work->equal = equal ? equal : "flops";
    if (strcmp(work->equal, "flops") && strcmp(work->equal, "epochs"))
        return cli_usage(arguments, "--equal %s: must be flops or epochs", equal);
    work->out = cli_value(arguments, "out");
    return 0;
}

int compare_from_scratch(const struct cli_arguments *arguments)
{
    struct scratch_comparison work = {.arguments = arguments};
    struct error error = {{0}};
    int status = read_options(arguments, &work);
    if (status)
        return status;
    int failed = read_results(&work, &error);
    for (int i = 0; !failed && i < arguments->word_count; i++)
        failed = check_word(&work, arguments->words[i], &error);
    if (!failed)
        print_to(stdout, "%-28s %7s %9s %9s %7s %7s %8s %8s\n", "network", "params", "grown", "scratch", "gain",
                 "epochs", "scratch", "FLOPs");
    for (int i = 0; !failed && i < arguments->word_count; i++)
        failed = compare_word(&work, arguments->words[i], &error);
    if (!failed)
        print_mean(&work);
    free(work.grown);
    free(work.scratch);
    text_done(&work.lines);
    return failed ? cli_fail(&error) : 0;
}
