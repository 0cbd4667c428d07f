/*
 * compare.c - `espalier compare`: sessions side by side; and growing against training from scratch.
 *
 * --scratch asks whether growing was worth it. The network's lineage was trained for E epochs in all (the start
 * network's and each step's after it). Two others get the same E epochs from fresh weights, on the same split, with
 * the rate for training from scratch: the start architecture, and the network's own.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "search/engine.h"
#include "sessions/log.h"
#include "util/memory.h"

struct setting {
    struct search_options options;
    const struct backend *backend;
    struct images images;
    struct view train, validate;
};

/* The session's precision, or --precision's. */
static int find_backend(const struct cli_arguments *arguments, struct setting *setting, struct error *error)
{
    static struct device devices[DEVICES_MAX];
    const char *precision = cli_value(arguments, "precision");
    int count;
    if ((precision && options_set(&setting->options, "precision", precision, error)) ||
        devices_find("cpu:1", devices, &count, error))
        return -1;
    setting->backend = device_backend(&devices[0], setting->options.precision, error);
    return setting->backend ? 0 : -1;
}

static int open_setting(const struct cli_arguments *arguments, const struct target *target, struct setting *setting,
                        struct error *error)
{
    struct data_spec spec;
    if (engine_options_of(target->state, &setting->options, error) || find_backend(arguments, setting, error) ||
        data_spec_parse(setting->options.data, &spec, error) || images_open(&spec, DATA_TRAIN, &setting->images, error))
        return -1;
    char hash[HASH_TEXT];
    if (strcmp(hash_print(setting->images.hash, hash), target->state->facts.data_hash))
        return error_set(error, "%s: is not what %s was trained on: the files have changed since",
                         setting->options.data, target->session);
    return data_split(&setting->images, (int)setting->options.validation, (int)setting->options.train_subset,
                      (uint64_t)setting->options.seed, &setting->train, &setting->validate, error);
}

static void close_setting(struct setting *setting)
{
    view_done(&setting->train);
    view_done(&setting->validate);
    images_done(&setting->images);
    free(setting);
}

/* Epochs along the lineage. */
static int lineage_epochs(const struct session_state *state, const struct session_node *node)
{
    int epochs = 0;
    for (; node; node = session_node(state, node->facts.parent))
        epochs += node->curve_count;
    return epochs;
}

static void print_row(const char *what, double accuracy, double loss, int epochs, double seconds, int64_t parameters)
{
    char count[TEXT_SHORT], time[TEXT_SHORT];
    printf("%-34s %8.2f %% %8.4f %7d %8s %8s\n", what, 100 * accuracy, loss, epochs, text_duration(time, seconds),
           text_count(count, (double)parameters));
    fflush(stdout);
}

static void on_epoch(void *context, const struct epoch_report *report)
{
    *(double *)context += report->seconds;
    if (cli_is_terminal(stderr))
        fprintf(stderr, "\r  epoch %d of %d: %.2f %%\033[K%s", report->epoch, report->epochs,
                100 * report->validation_accuracy, report->epoch == report->epochs ? "\r\033[K" : "");
}

/* Train `arch` from scratch for `epochs` and print its row.  `run` names the random streams. */
static int train_scratch(const char *what, const struct arch *arch, const struct setting *setting, int epochs,
                         uint32_t run, double *accuracy, struct error *error)
{
    const struct search_options *options = &setting->options;
    struct weights *weights = weights_new(arch, setting->images.shape);
    struct random_stream stream = random_stream_new((uint64_t)options->seed, RANDOM_INITIALISE, run, 0);
    struct evaluation evaluation;
    double seconds = 0;
    struct training training = options_training(options);
    training.epochs = epochs;
    training.rate = (float)options->start_rate;
    training.node = run;
    weights_initialise(weights, &stream);
    struct trainer_hooks hooks = {.context = &seconds, .epoch = on_epoch};
    int failed = train(setting->backend, weights, &setting->train, &setting->validate, &training, &hooks, error) !=
                     TRAINING_DONE ||
                 network_evaluate(setting->backend, weights, &setting->validate, training.batch, &evaluation, error);
    if (!failed) {
        *accuracy = evaluation.accuracy;
        print_row(what, evaluation.accuracy, evaluation.loss, epochs, seconds,
                  arch_cost(arch, setting->images.shape).parameters);
    }
    weights_free(weights);
    return failed ? -1 : 0;
}

static int compare_scratch(const struct cli_arguments *arguments, const struct target *target, struct error *error)
{
    const struct session_node *node = session_node(target->state, target->node);
    const struct session_node *start = session_node(target->state, 1);
    struct setting *setting = memory_new(1, sizeof *setting);
    struct arch start_arch;
    char what[64];
    double seconds = 0, start_accuracy = 0, own_accuracy = 0;
    int epochs = lineage_epochs(target->state, node), failed = -1;
    for (const struct session_node *step = node; step; step = session_node(target->state, step->facts.parent))
        seconds += step->seconds;
    if (node->status != NODE_DONE) {
        error_set(error, "n%lld has no result to compare; choose a trained network", (long long)target->node);
    } else if (!open_setting(arguments, target, setting, error) && !arch_parse(&start_arch, start->facts.arch, error)) {
        printf("%-34s %10s %8s %7s %8s %8s\n", "", "validation", "loss", "epochs", "time", "params");
        snprintf(what, sizeof what, "n%lld, grown", (long long)target->node);
        print_row(what, node->accuracy, node->loss, epochs, seconds, node->facts.parameters);
        failed = train_scratch("start network, from scratch", &start_arch, setting, epochs, 0x80000001u,
                               &start_accuracy, error) ||
                 train_scratch("its own architecture, from scratch", &target->arch, setting, epochs, 0x80000002u,
                               &own_accuracy, error);
    }
    if (!failed)
        printf("grown against the start network: %+.2f points; against its own architecture: %+.2f points\n",
               100 * (node->accuracy - start_accuracy), 100 * (node->accuracy - own_accuracy));
    close_setting(setting);
    return failed ? -1 : 0;
}

/* --- sessions side by side --- */

static int print_session(const char *name, struct error *error)
{
    struct session_state *state = NULL;
    struct error warning = {{0}};
    char *folder = NULL;
    if (session_find(name, &folder, error) || session_load(folder, &state, &warning, error)) {
        free(folder);
        return -1;
    }
    double sum = 0, flops = 0;
    for (int64_t i = 1; i <= state->node_count; i++)
        if (session_node(state, i)->status == NODE_DONE) {
            sum += session_node(state, i)->accuracy;
            flops += (double)session_node(state, i)->facts.flops * 3 * session_node(state, i)->curve_count *
                     (double)state->facts.train_images;
        }
    const struct session_node *best = session_node(state, state->best);
    int64_t done = state->status_count[NODE_DONE];
    char duration[TEXT_SHORT], work[TEXT_SHORT], parameters[TEXT_SHORT] = "";
    printf("%-24s %-10s %5lld %8.2f %% %8.2f %% %8s %8s %8s\n", name,
           session_option(state, "policy") ? session_option(state, "policy") : "", (long long)done,
           done ? 100 * sum / (double)done : 0, best ? 100 * best->accuracy : 0,
           best ? text_count(parameters, (double)best->facts.parameters) : "", text_count(work, flops),
           text_duration(duration, state->time));
    session_state_free(state);
    free(folder);
    return 0;
}

static int compare_sessions(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    printf("%-24s %-10s %5s %10s %10s %8s %8s %8s\n", "session", "policy", "nets", "mean", "best", "params", "FLOPs",
           "time");
    for (int i = 0; i < arguments->word_count; i++)
        if (print_session(arguments->words[i], &error))
            return cli_fail(&error);
    return 0;
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct target target;
    if (!cli_value(arguments, "scratch"))
        return compare_sessions(arguments);
    if (arguments->word_count != 1)
        return cli_usage(arguments, "--scratch takes one SESSION or SESSION:NODE");
    struct text name = TEXT_EMPTY;
    text_add(&name, "%s%s", arguments->words[0], strchr(arguments->words[0], ':') ? "" : ":best");
    int status = 0;
    if (target_find(text_string(&name), &target, &error)) {
        status = cli_fail(&error);
    } else {
        if (!target.state)
            status = cli_usage(arguments, "%s is not a network of a session", arguments->words[0]);
        else if (compare_scratch(arguments, &target, &error))
            status = cli_fail(&error);
        target_done(&target);
    }
    text_done(&name);
    return status;
}

static const struct cli_option options_of_compare[] = {
    {"scratch", NULL, "train from scratch for the same epochs in all, and set beside the grown network"},
    {"precision", "WORD", "for --scratch: f32, or bf16 where this machine has it [the session's]"},
    {0},
};

const struct cli_command command_compare = {
    .name = "compare",
    .synopsis = "SESSION…",
    .summary = "set sessions side by side, or growing against training from scratch",
    .details =
        "With --scratch and one SESSION[:NODE] (default: its best): the start architecture and the network's own\n"
        "are trained from fresh weights for as many epochs as the network's whole lineage was.",
    .words_minimum = 1,
    .words_maximum = -1,
    .options = options_of_compare,
    .run = run,
};
