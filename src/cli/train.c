/*
 * train.c - `espalier train`: the long training at the end of a search (EAS, section 5), then the test error.
 *
 * By default all training images train and none validate.  Pixels are normalised by all training images, whatever
 * --validation says, so that `espalier eval FILE` needs to know nothing of this run but the data, which a note in the
 * file names.
 *
 * Two files are written at the first epoch's end and then at most every half minute, and when training is stopped: the
 * weights, and a checkpoint to go on from, which is removed when all is done.  Each is whole at every moment.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bar.h"
#include "cli/checkpoint.h"
#include "cli/score.h"
#include "cli/subject.h"
#include "cli/workplace.h"
#include "export/safetensors.h"
#include "nn/trainer.h"
#include "search/engine.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

static const double seconds_between_bars = 0.2, seconds_between_files = 30;

struct run {
    struct subject subject;
    bool scratch, resume;
    int64_t validation;
    struct training training;
    enum precision precision;
    struct workplace workplace;
    struct view train, validate;
    struct weights *weights;
    char *out, *settings;
    struct checkpoint checkpoint;
    bool bar, unicode;
    volatile sig_atomic_t stopped;
    double began, drawn, written; /* on the monotonic clock; written 0: nothing is yet */
    struct error unwritten;       /* why the last file could not be written, or "" */
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

/* With what it takes to evaluate them, and to know how they came about; `test` may be NULL. */
static int write_weights(const struct run *run, const char *test, struct error *error)
{
    const struct safetensors_note notes[] = {
        {"data", run->subject.data}, {"training", run->settings}, {test ? "test" : NULL, test}, {0}};
    return safetensors_write(run->out, run->weights, notes, error);
}

/* A failure to write does not end hours of training: the next epoch tries again. */
static int write_both(struct run *run)
{
    run->written = clock_monotonic();
    run->unwritten = (struct error){{0}};
    return write_weights(run, NULL, &run->unwritten) || checkpoint_write(&run->checkpoint, &run->unwritten);
}

static double seconds_left(const struct run *run, double epochs)
{
    double here = epochs - run->training.epochs_done; /* of them in this process */
    return (clock_monotonic() - run->began) / here * (run->training.epochs - epochs);
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
             text_duration(left, seconds_left(run, done)), report->loss, text_count(rate, report->images_per_second));
    bar_draw(stdout, done / run->training.epochs, run->unicode, text_string(&text));
    text_done(&text);
}

static void on_epoch(void *context, const struct epoch_report *report)
{
    struct run *run = context;
    char left[TEXT_SHORT], rate[TEXT_SHORT], seconds[TEXT_SHORT];
    checkpoint_keep(&run->checkpoint, run->weights, report);
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
    bool due = !run->written || clock_monotonic() - run->written >= seconds_between_files;
    if (!last && due && write_both(run))
        cli_warn(&run->unwritten);
}

/* --- before and after --- */

static int training_of_session(const struct session_state *state, struct training *training, struct error *error)
{
    struct search_options options;
    if (engine_options_of(state, &options, error))
        return -1;
    *training = options_training(&options);
    return 0;
}

/* 0, or the exit status. */
static int read_training(const struct cli_arguments *arguments, struct run *run, struct error *error)
{
    const struct target *target = &run->subject.target;
    struct training *training = &run->training;
    int64_t epochs, batch, seed;
    double rate, decay, pool, fc, dense;
    run->resume = cli_value(arguments, "resume");
    run->scratch = cli_value(arguments, "scratch") || !target->weights;
    *training = training_paper;
    if (!cli_value(arguments, "scratch") && target_check_weights(target, error))
        return cli_fail(error);
    if (target->state && training_of_session(target->state, training, error))
        return cli_fail(error);
    if (cli_integer(arguments, "epochs", 300, 1, 100000, &epochs) ||
        cli_integer(arguments, "batch", training->batch, 1, 65536, &batch) ||
        cli_integer(arguments, "seed", 1, 0, INT64_MAX, &seed) ||
        cli_integer(arguments, "validation", 0, 0, INT32_MAX, &run->validation) ||
        cli_real(arguments, "rate", run->scratch ? 0.1 : 0.02, 1e-9, 1e6, &rate) ||
        cli_real(arguments, "weight-decay", (double)training->weight_decay, 0, 1, &decay) ||
        cli_real(arguments, "drop-pool", (double)training->drop_pool, 0, 0.99, &pool) ||
        cli_real(arguments, "drop-fc", (double)training->drop_fc, 0, 0.99, &fc) ||
        cli_real(arguments, "drop-dense", (double)training->drop_dense, 0, 0.99, &dense) ||
        cli_precision(arguments, PRECISION_F32, &run->precision))
        return 2;
    training->epochs = (int)epochs;
    training->batch = (int)batch;
    training->seed = (uint64_t)seed;
    training->rate = (float)rate;
    training->weight_decay = (float)decay;
    training->drop_pool = (float)pool;
    training->drop_fc = (float)fc;
    training->drop_dense = (float)dense;
    training->node = (uint32_t)target->node;
    return 0;
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

/* What makes this training what it is, for the file and for people. */
static void describe(struct run *run)
{
    const struct training *training = &run->training;
    char images[HASH_TEXT], weights[HASH_TEXT];
    struct text text = TEXT_EMPTY;
    hash_print(run->subject.images.hash, images);
    hash_print(hash_of(run->weights->values, (size_t)run->weights->layout.total * sizeof(float)), weights);
    text_add(&text, "%d epochs, batch %d, rate %g, weight decay %g, dropout %g %g", training->epochs, training->batch,
             (double)training->rate, (double)training->weight_decay, (double)training->drop_pool,
             (double)training->drop_fc);
    if (training->drop_dense > 0) /* checkpoints of before this option go on */
        text_add(&text, " %g", (double)training->drop_dense);
    text_add(&text, ", seed %llu, %d images of %.8s%s, from %.8s%s", (unsigned long long)training->seed,
             run->train.count, images, training->augment ? " augmented" : "", weights,
             run->precision == PRECISION_BF16 ? ", bf16" : "");
    run->settings = text_take(&text);
}

/* After prepare_weights(): the checkpoint is of a training from there. */
static int prepare_checkpoint(struct run *run, struct error *error)
{
    checkpoint_init(&run->checkpoint, run->out, run->weights, run->settings);
    if (!run->resume)
        return 0;
    if (checkpoint_read(&run->checkpoint, error))
        return -1;
    memcpy(run->weights->values, run->checkpoint.values, (size_t)run->checkpoint.total * sizeof(float));
    run->training.epochs_done = run->checkpoint.epochs;
    run->training.velocity = run->checkpoint.velocity; /* copied before the first epoch ends */
    return 0;
}

static void print_plan(const struct cli_arguments *arguments, const struct run *run)
{
    const struct training *training = &run->training;
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
    printf("plan     %d epoch%s, batch %d, rate %g, weight decay %g", training->epochs,
           training->epochs == 1 ? "" : "s", training->batch, (double)training->rate, (double)training->weight_decay);
    if (training->drop_pool > 0 || training->drop_fc > 0)
        printf(", dropout %g after pools, %g after FC", (double)training->drop_pool, (double)training->drop_fc);
    if (training->drop_dense > 0)
        printf(", dropout %g in dense layers", (double)training->drop_dense);
    printf(", on %s\n", run->workplace.id);
    struct team *team = workplace_team(&run->workplace);
    if (team)
        printf("threads  %d, one a core; the result is the same with any number\n", team_members_most(team));
    if (run->resume)
        printf("         goes on after epoch %d\n", training->epochs_done);
    printf("\n");
    fflush(stdout);
    text_done(&text);
    text_done(&name);
}

/* Read the test images and say how well they are classified; `line` is text_done()d by the caller. */
static int test(const struct run *run, struct text *line, struct error *error)
{
    struct images test_images;
    struct view view;
    struct score score;
    if (subject_open_test(&run->subject, &test_images, error))
        return -1;
    view_all(&test_images, &run->train, &view);
    int failed =
        score_network(run->workplace.backend, workplace_team(&run->workplace), run->weights, &view, &score, error);
    if (!failed) {
        score_print(&score, line);
        score_done(&score);
    }
    view_done(&view);
    images_done(&test_images);
    return failed;
}

/* The weights are safe before the test images are looked for. */
static int finish(struct run *run, struct error *error)
{
    struct text line = TEXT_EMPTY;
    int failed = write_weights(run, NULL, error);
    if (!failed) {
        checkpoint_remove(&run->checkpoint);
        failed = test(run, &line, error) || write_weights(run, text_string(&line), error);
    }
    if (!failed)
        printf("\ntest     %s\nweights  %s\n", text_string(&line), run->out);
    text_done(&line);
    return failed ? cli_fail(error) : 0;
}

static int stopped(struct run *run)
{
    const struct checkpoint *checkpoint = &run->checkpoint;
    if (write_both(run))
        return cli_fail(&run->unwritten);
    printf("stopped after %d of %d epochs; weights: %s\n", checkpoint->epochs, run->training.epochs, run->out);
    if (checkpoint->epochs)
        printf("the same command with --resume%s goes on\n", run->resume ? "" : " added");
    return 0;
}

/* Train, write, test.  The exit status. */
static int train_and_test(struct run *run, struct error *error)
{
    struct trainer_hooks hooks = {run, proceed, on_step, on_epoch, workplace_team(&run->workplace)};
    cli_catch_signals(stop, run);
    run->began = clock_monotonic();
    enum training_outcome outcome = train(run->workplace.backend, run->weights, &run->train,
                                          run->validate.count ? &run->validate : NULL, &run->training, &hooks, error);
    if (run->bar)
        bar_clear(stdout);
    if (outcome == TRAINING_DONE)
        return finish(run, error);
    return outcome == TRAINING_STOPPED ? stopped(run) : cli_fail(error);
}

/* Better said now than after three hundred epochs; the weights are worth having all the same. */
static void warn_of_test(const struct run *run)
{
    struct images images;
    struct error error;
    if (!subject_open_test(&run->subject, &images, &error)) {
        images_done(&images);
        return;
    }
    error_prefix(&error, "there will be no test error");
    cli_warn(&error);
}

static int prepare_and_train(const struct cli_arguments *arguments, struct run *run, struct error *error)
{
    if (subject_find(arguments->words[0], &run->subject, error))
        return cli_fail(error);
    int status = read_training(arguments, run, error);
    if (status)
        return status;
    if (workplace_open(cli_value(arguments, "device"), run->precision, &run->workplace, error) ||
        subject_choose_file(&run->subject, cli_value(arguments, "out"), ".safetensors", run->resume, &run->out,
                            error) ||
        subject_open_images(&run->subject, cli_value(arguments, "data"), "fashion-mnist", error) ||
        open_views(run, error))
        return cli_fail(error);
    run->training.augment = run->subject.spec.augment;
    run->bar = cli_is_terminal(stdout);
    run->unicode = cli_is_unicode();
    warn_of_test(run);
    prepare_weights(run);
    describe(run);
    if (prepare_checkpoint(run, error))
        return cli_fail(error);
    print_plan(arguments, run);
    return train_and_test(run, error);
}

static int run_command(const struct cli_arguments *arguments)
{
    struct run *run = memory_new(1, sizeof *run);
    struct error error = {{0}};
    int status = prepare_and_train(arguments, run, &error);
    workplace_close(&run->workplace);
    weights_free(run->weights);
    view_done(&run->train);
    view_done(&run->validate);
    subject_done(&run->subject);
    checkpoint_done(&run->checkpoint);
    free(run->settings);
    free(run->out);
    free(run);
    return status;
}

static const struct cli_option options_of_train[] = {
    {"data", "SPEC", "train on these images [those of the network; none: fashion-mnist]"},
    {"epochs", "N", "how long [300]"},
    {"rate", "X", "initial rate of the cosine schedule [0.02; from scratch 0.1]"},
    {"batch", "N", "images a step [the session's, else 64]"},
    {"seed", "N", "of order, augmentation, dropout, split and fresh weights [1]"},
    {"validation", "N", "keep N training images out, and report their accuracy each epoch [0]"},
    {"scratch", NULL, "start from fresh weights though the network has its own"},
    {"weight-decay", "X", "weight decay [the session's, else 0.0001]"},
    {"drop-pool", "X", "dropout after max pools [the session's, else 0]"},
    {"drop-fc", "X", "dropout after fully connected layers [the session's, else 0]"},
    {"drop-dense", "X", "dropout after the convolutions of dense layers and transitions [the session's, else 0]"},
    {"resume", NULL, "go on where the same command was cut short"},
    {"device", "NAME", "where to train: cpu, all cores, cpu:N, N of them, or cuda:N, a GPU [cpu]"},
    {"precision", "WORD", "what convolutions multiply: f32, or bf16 where the device has it [f32]"},
    {"out", "FILE", "weights as safetensors [SESSION-nNODE.safetensors, or network.safetensors]"},
    {0},
};

const struct cli_command command_train = {
    .name = "train",
    .synopsis = "ARCH|SESSION:NODE|FILE",
    .summary = "train one network for long on all training images, then test it",
    .details = "Ctrl-C stops after the running step and writes the weights as they are; a second Ctrl-C ends at once. "
               "What was stopped or killed goes on with --resume, from the last epoch that was kept.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_train,
    .run = run_command,
};
