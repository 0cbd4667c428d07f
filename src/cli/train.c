/*
 * train.c - `espalier train`: the long training at the end of a search (EAS, section 5), then the test error.
 *
 * By default all training images train and none validate.  Pixels are normalised by all training images, whatever
 * --validation says, so that `espalier eval FILE` needs to know nothing of this run.  The weights are written at most
 * every half minute, at an epoch's end, and when training ends or is stopped; the file is whole at every moment.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bar.h"
#include "cli/score.h"
#include "cli/subject.h"
#include "device/device.h"
#include "export/safetensors.h"
#include "nn/trainer.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

static const double seconds_between_bars = 0.2, seconds_between_files = 30;

struct run {
    struct subject subject;
    bool scratch;
    int64_t validation;
    struct training training;
    struct view train, validate;
    struct weights *weights;
    char *out;
    bool bar, unicode;
    volatile sig_atomic_t stopped;
    double began, drawn, written; /* on the monotonic clock */
    int epochs_done;
    struct error unwritten; /* why the last file could not be written, or "" */
};

/* --- what the trainer asks and tells --- */

static void stop(void *context)
{
    ((struct run *)context)->stopped = 1;
}

static bool proceed(void *context)
{
    return !((struct run *)context)->stopped;
}

/* A failure to write does not end hours of training: the next epoch tries again. */
static int write_weights(struct run *run)
{
    struct hash hash;
    run->written = clock_monotonic();
    run->unwritten = (struct error){{0}};
    return safetensors_write(run->out, run->weights, &hash, &run->unwritten);
}

static double seconds_left(const struct run *run, double epochs_done)
{
    return (clock_monotonic() - run->began) * ((double)run->training.epochs / epochs_done - 1);
}

static void on_step(void *context, const struct step_report *report)
{
    struct run *run = context;
    double now = clock_monotonic();
    if (!run->bar || now - run->drawn < seconds_between_bars)
        return;
    run->drawn = now;
    struct text text = TEXT_EMPTY;
    char left[TEXT_SHORT], rate[TEXT_SHORT];
    double done = report->epoch - 1 + (double)report->step / report->steps;
    text_add(&text, "epoch %d of %d  eta %s  loss %.4f  %s images/s", report->epoch, run->training.epochs,
             done > 0 ? text_duration(left, seconds_left(run, done)) : "?", report->loss,
             text_count(rate, report->images_per_second));
    bar_draw(stdout, done / run->training.epochs, run->unicode, text_string(&text));
    text_done(&text);
}

static void on_epoch(void *context, const struct epoch_report *report)
{
    struct run *run = context;
    char left[TEXT_SHORT], rate[TEXT_SHORT], seconds[TEXT_SHORT];
    run->epochs_done = report->epoch;
    if (run->bar)
        bar_clear(stdout);
    printf("epoch %*d/%d  rate %.5f  train %6.2f %% loss %.4f", report->epochs > 99 ? 3 : 2, report->epoch,
           report->epochs, report->rate, 100 * report->train_accuracy, report->train_loss);
    if (run->validate.count)
        printf("  validation %6.2f %% loss %.4f", 100 * report->validation_accuracy, report->validation_loss);
    printf("  %s  %s images/s  eta %s\n", text_duration(seconds, report->seconds),
           text_count(rate, report->images_per_second), text_duration(left, seconds_left(run, report->epoch)));
    fflush(stdout);
    bool last = report->epoch == report->epochs; /* written when training returns */
    if (!last && clock_monotonic() - run->written >= seconds_between_files && write_weights(run))
        cli_warn(&run->unwritten);
}

/* --- before and after --- */

static int read_training(const struct cli_arguments *arguments, struct run *run)
{
    const struct target *target = &run->subject.target;
    const char *drop_pool = target->state ? session_option(target->state, "drop-pool") : NULL;
    const char *drop_fc = target->state ? session_option(target->state, "drop-fc") : NULL;
    int64_t epochs, batch, seed;
    double rate, pool, fc;
    run->scratch = cli_value(arguments, "scratch") || !target->weights;
    run->training = training_paper;
    if (cli_integer(arguments, "epochs", 300, 1, 100000, &epochs) ||
        cli_integer(arguments, "batch", run->training.batch, 1, 65536, &batch) ||
        cli_integer(arguments, "seed", 1, 0, INT64_MAX, &seed) ||
        cli_integer(arguments, "validation", 0, 0, INT32_MAX, &run->validation) ||
        cli_real(arguments, "rate", run->scratch ? 0.1 : 0.02, 1e-9, 1e6, &rate) ||
        cli_real(arguments, "drop-pool", drop_pool ? atof(drop_pool) : 0, 0, 0.99, &pool) ||
        cli_real(arguments, "drop-fc", drop_fc ? atof(drop_fc) : 0, 0, 0.99, &fc))
        return 2;
    run->training.epochs = (int)epochs;
    run->training.batch = (int)batch;
    run->training.seed = (uint64_t)seed;
    run->training.rate = (float)rate;
    run->training.drop_pool = (float)pool;
    run->training.drop_fc = (float)fc;
    run->training.node = (uint32_t)target->node;
    return 0;
}

/* --out, or a name after the network that is still free, so that nothing is overwritten that was not named. */
static int choose_file(const struct cli_arguments *arguments, struct run *run, struct error *error)
{
    const struct target *target = &run->subject.target;
    const char *out = cli_value(arguments, "out");
    struct text text = TEXT_EMPTY;
    if (out) {
        text_add(&text, "%s", out);
    } else if (target->node) {
        const char *slash = strrchr(target->session, '/'), *name = slash ? slash + 1 : target->session;
        size_t length = strlen(name);
        if (length > 4 && !strcmp(name + length - 4, ".esp"))
            length -= 4;
        text_add(&text, "%.*s-n%lld.safetensors", (int)length, name, (long long)target->node);
    } else {
        text_add(&text, "network.safetensors");
    }
    run->out = text_take(&text);
    if (!out && file_exists(run->out))
        return error_set(error, "%s: exists already; name the file to write by --out", run->out);
    struct stat status;
    if (!*run->out)
        return error_set(error, "--out: names no file");
    if (!stat(run->out, &status) && S_ISDIR(status.st_mode))
        return error_set(error, "%s: is a folder; name a file in it by --out", run->out);
    char *folder = memory_copy_text(run->out), *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int failed = access(slash ? folder : ".", W_OK);
    free(folder);
    return failed ? error_set(error, "%s: can't be written in its folder; name another file by --out", run->out) : 0;
}

static int open_views(struct run *run, struct error *error)
{
    struct view all;
    if (data_split(&run->subject.images, (int)run->validation, 0, run->training.seed, &run->train, &run->validate,
                   error))
        return -1;
    view_all(&run->subject.images, NULL, &all);
    memcpy(run->train.scale, all.scale, sizeof all.scale);
    memcpy(run->train.shift, all.shift, sizeof all.shift);
    memcpy(run->validate.scale, all.scale, sizeof all.scale);
    memcpy(run->validate.shift, all.shift, sizeof all.shift);
    view_done(&all);
    return 0;
}

static void prepare_weights(struct run *run)
{
    const struct target *target = &run->subject.target;
    if (!run->scratch) {
        run->weights = weights_copy(target->weights);
        return;
    }
    struct random_stream stream = random_stream_new(run->training.seed, RANDOM_INITIALISE, run->training.node, 0);
    run->weights = weights_new(&target->arch, target->input);
    weights_initialise(run->weights, &stream);
}

static void print_plan(const struct cli_arguments *arguments, const struct run *run, const struct device *device)
{
    const struct target *target = &run->subject.target;
    struct arch_cost cost = arch_cost(&target->arch, target->input);
    char parameters[TEXT_SHORT], flops[TEXT_SHORT];
    struct text text = TEXT_EMPTY, name = TEXT_EMPTY;
    arch_print(&target->arch, &text);
    subject_name(&run->subject, arguments->words[0], &name);
    printf("network  %s\n         %s parameters, %s FLOPs an image\n", text_string(&text),
           text_count(parameters, (double)cost.parameters), text_count(flops, (double)cost.flops));
    printf("weights  %s%s, to %s\n", run->scratch ? "from scratch" : "of ", run->scratch ? "" : text_string(&name),
           run->out);
    printf("data     %d training images of %s%s, %d for validation\n", run->train.count, run->subject.spec.name,
           run->training.augment ? " with augmentation" : "", run->validate.count);
    printf("plan     %d epoch%s, batch %d, rate %g, on %s\n\n", run->training.epochs,
           run->training.epochs == 1 ? "" : "s", run->training.batch, (double)run->training.rate, device->id);
    fflush(stdout);
    text_done(&text);
    text_done(&name);
}

static int print_test(const struct run *run, struct error *error)
{
    struct images test;
    struct view view;
    struct score score;
    if (subject_open_test(&run->subject, &test, error))
        return -1;
    view_all(&test, &run->train, &view);
    int failed = score_network(backend_cpu(), run->weights, &view, &score, error);
    if (!failed) {
        printf("\ntest     ");
        score_print(stdout, &score);
        score_done(&score);
    }
    view_done(&view);
    images_done(&test);
    return failed;
}

/* Train, write, test.  The exit status. */
static int train_and_test(struct run *run, struct error *error)
{
    struct trainer_hooks hooks = {.context = run, .proceed = proceed, .step = on_step, .epoch = on_epoch};
    cli_catch_signals(stop, run);
    run->began = run->written = clock_monotonic();
    enum training_outcome outcome = train(backend_cpu(), run->weights, &run->train,
                                          run->validate.count ? &run->validate : NULL, &run->training, &hooks, error);
    if (run->bar)
        bar_clear(stdout);
    if (outcome == TRAINING_DIVERGED || outcome == TRAINING_NO_MEMORY)
        return cli_fail(error);
    if (write_weights(run))
        return cli_fail(&run->unwritten);
    if (outcome == TRAINING_STOPPED) {
        printf("stopped after %d of %d epochs; weights: %s\n", run->epochs_done, run->training.epochs, run->out);
        return 0;
    }
    if (print_test(run, error))
        return cli_fail(error);
    printf("weights  %s\n", run->out);
    return 0;
}

static int prepare_and_train(const struct cli_arguments *arguments, struct run *run, struct error *error)
{
    static struct device devices[DEVICES_MAX];
    int device_count;
    const char *device = cli_value(arguments, "device");
    if (subject_find(arguments->words[0], &run->subject, error))
        return cli_fail(error);
    int status = read_training(arguments, run);
    if (status)
        return status;
    if (devices_find(device ? device : "cpu:1", devices, &device_count, error) || choose_file(arguments, run, error) ||
        subject_open_images(&run->subject, cli_value(arguments, "data"), "fashion-mnist", error) ||
        open_views(run, error))
        return cli_fail(error);
    run->training.augment = run->subject.spec.augment;
    run->bar = cli_is_terminal(stdout);
    run->unicode = cli_is_unicode();
    prepare_weights(run);
    print_plan(arguments, run, &devices[0]);
    return train_and_test(run, error);
}

static int run_command(const struct cli_arguments *arguments)
{
    struct run *run = memory_new(1, sizeof *run);
    struct error error = {{0}};
    int status = prepare_and_train(arguments, run, &error);
    weights_free(run->weights);
    view_done(&run->train);
    view_done(&run->validate);
    subject_done(&run->subject);
    free(run->out);
    free(run);
    return status;
}

static const struct cli_option options_of_train[] = {
    {"data", "SPEC", "train on these images [the session's, else fashion-mnist]"},
    {"epochs", "N", "how long [300]"},
    {"rate", "X", "initial rate of the cosine schedule [0.02; from scratch 0.1]"},
    {"batch", "N", "images a step [64]"},
    {"seed", "N", "of order, augmentation, dropout, split and fresh weights [1]"},
    {"validation", "N", "keep N training images out, and report their accuracy each epoch [0]"},
    {"scratch", NULL, "start from fresh weights though the network has its own"},
    {"drop-pool", "X", "dropout after max pools [the session's, else 0]"},
    {"drop-fc", "X", "dropout after fully connected layers [the session's, else 0]"},
    {"device", "NAME", "where to train: cpu [cpu]"},
    {"out", "FILE", "weights as safetensors [SESSION-nNODE.safetensors, or network.safetensors]"},
    {0},
};

const struct cli_command command_train = {
    .name = "train",
    .synopsis = "ARCH|SESSION:NODE|FILE",
    .summary = "train one network for long on all training images, then test it",
    .details = "Ctrl-C stops after the running step and writes the weights as they are; a second Ctrl-C ends at once.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_train,
    .run = run_command,
};
