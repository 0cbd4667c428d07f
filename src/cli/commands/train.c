/*
 * train.c - `espalier train`: the long training at the end of a search (EAS, section 5), then the test error.
 *
 * By default all training images train and none validate; with --validation a network that goes on is never judged by
 * images that trained it (cli_network_check_validation).  Pixels are normalised by all training images, also with
 * --validation; a file, and a network on other images than its session's, go on with their own normalisation.
 *
 * Two files are written at the end of the first epoch, then at most every half minute, and when training is stopped:
 * the weights, and a checkpoint to go on from, which is removed at the end.  Each file is complete at every moment.
 * With --average the file of weights holds their average.
 *
 * With --teacher the network learns another one's probabilities (nn/targets.h).  Fresh weights then take that one's
 * normalisation; others must have nearly the same.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_device.h"
#include "cli/cli_network.h"
#include "cli/commands/teacher.h"
#include "cli/commands/training_run.h"
#include "cli/progress_bar.h"
#include "cli/score.h"
#include "export/notes.h"
#include "nn/trainer.h"
#include "search/checkpoint.h"
#include "search/engine.h"
#include "search/picture_rules.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/print.h"

static const double seconds_between_bars = 0.2, seconds_between_files = 30;


/* --- the trainer's hooks --- */

static void stop(void *context)
{
    ((struct training_run *)context)->stopped = 1;
}

static bool proceed(void *context)
{
    return !((struct training_run *)context)->stopped;
}

/* The notes say how the weights were trained, and on what; `test` may be NULL. */
static int write_weights(const struct training_run *run, const struct weights *weights, const char *test,
                         struct error *error)
{
    struct image_split split = {.images = run->network.images.hash,
                                .seed = (int64_t)run->split_seed,
                                .validation = run->validation,
                                .subset = run->subset};
    struct text trained = TEXT_EMPTY;
    image_split_print(&split, &trained);
    struct notes notes = {0};
    notes_add_data(&notes, &run->facts);
    notes_add(&notes, "training", run->settings);
    notes_add(&notes, IMAGE_SPLIT_NOTE, text_string(&trained));
    text_clear(&trained);
    picture_rules_print(&run->network.options, run->network.data, &trained);
    notes_add(&notes, PICTURE_RULES_NOTE, text_string(&trained));
    notes_add(&notes, "test", test);
    int failed = safetensors_write(run->out, weights, notes.list, error);
    notes_done(&notes);
    text_done(&trained);
    return failed;
}

/* Write what the network has learned so far: where there is an average, that of the checkpoint. */
static int write_learned(const struct training_run *run, struct error *error)
{
    const struct average *average = &run->checkpoint.average;
    struct weights *learned = weights_copy(run->weights);
    if (average->count && run->checkpoint.epochs)
        memcpy(learned->values, average->values, (size_t)average->count * sizeof(float));
    int failed = write_weights(run, learned, NULL, error);
    weights_free(learned);
    return failed;
}

/* A failed write does not end the training: the next epoch tries again. */
static int write_both(struct training_run *run)
{
    run->written = clock_monotonic();
    run->unwritten = (struct error){{0}};
    return write_learned(run, &run->unwritten) || checkpoint_write(&run->checkpoint, &run->unwritten);
}

static double seconds_left(const struct training_run *run, double epochs)
{
    double here = epochs - run->training.epochs_done; /* of them in this process */
    return (clock_monotonic() - run->began) / here * (run->training.epochs - epochs);
}

static void on_step(void *context, const struct step_report *report)
{
    struct training_run *run = context;
    double now = clock_monotonic();
    if (!run->bar || now - run->drawn < seconds_between_bars)
        return;
    run->drawn = now;
    struct text text = TEXT_EMPTY;
    char left[TEXT_SHORT], rate[TEXT_SHORT];
    double done = report->epoch - 1 + (double)report->step / report->steps;
    text_add(&text, "epoch %d of %d  eta %s  loss %.4f  %s images/s", report->epoch, run->training.epochs,
             text_duration(left, seconds_left(run, done)), report->loss, text_count(rate, report->images_per_second));
    progress_bar_draw(stdout, done / run->training.epochs, run->unicode, text_string(&text));
    text_done(&text);
}

static void on_epoch(void *context, const struct epoch_report *report)
{
    struct training_run *run = context;
    char left[TEXT_SHORT], rate[TEXT_SHORT], seconds[TEXT_SHORT];
    checkpoint_copy(
        &run->checkpoint, run->weights,
        &(struct training_state){.epochs = report->epoch, .velocity = report->velocity, .average = report->average});
    if (run->bar)
        progress_bar_clear(stdout);
    print_to(stdout, "epoch %*d/%d  rate %.5f  train %6.2f %% loss %.4f", report->epochs > 99 ? 3 : 2, report->epoch,
             report->epochs, report->rate, 100 * report->train_accuracy, report->train_loss);
    if (run->validate.count)
        print_to(stdout, "  validation %6.2f %% loss %.4f", 100 * report->validation_accuracy, report->validation_loss);
    print_to(stdout, "  %s  %s images/s  eta %s\n", text_duration(seconds, report->seconds),
             text_count(rate, report->images_per_second), text_duration(left, seconds_left(run, report->epoch)));
    fflush(stdout);
    bool last = report->epoch == report->epochs; /* written when training returns */
    bool due = !run->written || clock_monotonic() - run->written >= seconds_between_files;
    if (!last && due && write_both(run))
        cli_warn(&run->unwritten);
}

/* --- before and after --- */

/* Those that mean the same here as in a search. */
static int set_search_options(const struct cli_arguments *arguments, struct search_options *options)
{
    struct cli_arguments shared = *arguments;
    for (int i = 0; i < shared.value_count; i++)
        if (!strcmp(shared.values[i].name, "steady") || !strcmp(shared.values[i].name, "average") ||
            !strcmp(shared.values[i].name, "mixup"))
            shared.values[i].value = NULL;
    return cli_set_options(&shared, options);
}

/* A network goes on with the settings of its session; how long, from which rate and on which split is this command's.
   0, or the exit status. */
static int read_training(const struct cli_arguments *arguments, struct training_run *run, struct error *error)
{
    struct cli_network *network = &run->network;
    struct search_options options = network->options;
    run->resume = cli_value(arguments, "resume");
    run->scratch = cli_value(arguments, "scratch") || !network->weights;
    if (!cli_value(arguments, "scratch") && cli_network_check_weights(network, error))
        return cli_fail(error);
    if (run->scratch) { /* fresh weights have seen no images */
        data_facts_done(&network->facts);
        weights_free(network->weights);
        network->weights = NULL;
    }
    options.epochs = 300;
    options.rate = run->scratch ? 0.1 : 0.02;
    options.seed = 1;
    options.validation = options.train_subset = 0;
    options.precision = PRECISION_AUTO;
    double steady, average, mixup;
    if (cli_real(arguments, "steady", 0, 0, 1, &steady) || cli_real(arguments, "mixup", 0, 0, 1, &mixup) ||
        cli_real(arguments, "average", 0, 0, 0.999999, &average) ||
        set_search_options(arguments, &options))
        return 2;
    memcpy(network->options.background, options.background, sizeof options.background);
    network->options.no_orientation = options.no_orientation;
    network->options.skip_bad = options.skip_bad;
    network->options.picture_rules = options.picture_rules;
    if (run->scratch) /* pictures are read by these rules whatever trained the network before */
        memcpy(network->options.data, options.data, sizeof options.data);
    run->training = options_training(&options);
    run->training.node = (uint32_t)network->node;
    run->training.steady = (float)steady;
    run->training.average = (float)average;
    run->training.mixup = (float)mixup;
    run->teacher_name = cli_value(arguments, "teacher");
    run->training.from_scratch = run->scratch;
    run->validation = (int)options.validation;
    run->subset = (int)options.train_subset;
    run->split_seed = run->training.seed;
    run->precision = options.precision;
    return 0;
}

/* Call it when the views are open. */
static int find_teacher(struct training_run *run, bool goes_on, struct error *error)
{
    struct cli_network *teacher = &run->teacher;
    if (!run->teacher_name)
        return 0;
    if (teacher_find(run->teacher_name, &run->network, run->validation, run->split_seed, teacher, error))
        return -1;
    if (!goes_on) {
        view_normalise(&run->train, &teacher->facts.pixels);
        view_normalise(&run->validate, &teacher->facts.pixels);
    } else if (!teacher_sees(teacher, &run->train.pixels))
        return error_set(error, "--teacher %s: it and this network normalise pixels differently; add --scratch",
                         run->teacher_name);
    run->training.teacher = teacher->weights;
    return 0;
}

/* A network that goes on keeps its normalisation, but for one of a session on the session's images. */
static int open_views(struct training_run *run, const char *name, struct error *error)
{
    struct view all;
    const struct cli_network *network = &run->network;
    if (cli_network_check_validation(network, name, run->validation, run->scratch, &run->split_seed, error) ||
        data_split(&network->images, run->validation, run->subset, run->split_seed, &run->train, &run->validate, error))
        return -1;
    if (network->images.validation)
        run->validation = run->validate.count;
    view_all(&network->images, NULL, &all);
    bool goes_on = network->facts.classes && !network->session_split;
    const struct normalisation *pixels = goes_on ? &network->facts.pixels : &all.pixels;
    view_normalise(&run->train, pixels);
    view_normalise(&run->validate, pixels);
    view_done(&all);
    if (find_teacher(run, goes_on, error))
        return -1;
    data_facts_of(network->data, &network->images, &run->train, &run->facts);
    return 0;
}

static void prepare_weights(struct training_run *run)
{
    if (!run->scratch) {
        run->weights = weights_copy(run->network.weights);
        weights_use_raw(run->weights);
        return;
    }
    struct random_stream stream = random_stream_new(run->training.seed, RANDOM_INITIALISE, run->training.node, 0);
    run->weights = weights_new(&run->network.arch, run->network.input);
    weights_initialise(run->weights, &stream);
}

/* Call it after prepare_weights(): the settings name the initial weights. */
static int prepare_checkpoint(struct training_run *run, struct error *error)
{
    checkpoint_init(&run->checkpoint, run->out, run->weights, (double)run->training.average, run->settings);
    if (!run->resume)
        return 0;
    if (checkpoint_read(&run->checkpoint, error))
        return -1;
    checkpoint_restore(&run->checkpoint, run->weights, &run->training); /* train() copies it at its beginning */
    return 0;
}


/* Evaluate the test images, and add the result to `line`. */
static int test(const struct training_run *run, struct text *line, struct error *error)
{
    struct images test_images;
    struct view view;
    struct score score;
    if (cli_network_open_test(&run->network, DATA_TEST, &test_images, error))
        return -1;
    view_all(&test_images, &run->train, &view);
    int failed = score_network(run->device.backend, cli_device_team(&run->device), run->weights, &view, &score, error);
    if (!failed) {
        score_print(&score, line);
        score_done(&score);
    }
    view_done(&view);
    images_done(&test_images);
    return failed;
}

/* Write the weights before the test images are read, which may fail. */
static int finish(struct training_run *run, struct error *error)
{
    struct text line = TEXT_EMPTY;
    int failed = write_weights(run, run->weights, NULL, error);
    if (!failed) {
        checkpoint_remove(&run->checkpoint);
        failed = test(run, &line, error) || write_weights(run, run->weights, text_string(&line), error);
    }
    if (!failed)
        print_to(stdout, "\ntest     %s\nweights  %s\n", text_string(&line), run->out);
    text_done(&line);
    return failed ? cli_fail(error) : 0;
}

static int stopped(struct training_run *run)
{
    const struct checkpoint *checkpoint = &run->checkpoint;
    if (write_both(run))
        return cli_fail(&run->unwritten);
    print_to(stdout, "stopped after %d of %d epochs; weights: %s\n", checkpoint->epochs, run->training.epochs,
             run->out);
    if (checkpoint->epochs)
        print_to(stdout, "the same command with --resume%s goes on\n", run->resume ? "" : " added");
    return 0;
}

/* Train, write and test.  Return the exit status. */
static int train_and_test(struct training_run *run, struct error *error)
{
    struct trainer_hooks hooks = {
        .context = run, .proceed = proceed, .step = on_step, .epoch = on_epoch, .team = cli_device_team(&run->device)};
    cli_catch_signals(stop, run);
    run->began = clock_monotonic();
    enum training_outcome outcome = train(run->device.backend, run->weights, &run->train,
                                          run->validate.count ? &run->validate : NULL, &run->training, &hooks, error);
    if (run->bar)
        progress_bar_clear(stdout);
    weights_drop_raw(run->weights);
    if (outcome == TRAINING_DONE)
        return finish(run, error);
    return outcome == TRAINING_STOPPED ? stopped(run) : cli_fail(error);
}

/* Warn before the training when there are no test images; the weights are useful without them. */
static void warn_of_test(const struct training_run *run)
{
    struct images images;
    struct error error;
    if (!cli_network_open_test(&run->network, DATA_TEST, &images, &error)) {
        cli_warn_of_images(&images);
        images_done(&images);
        return;
    }
    error_prefix(&error, "there will be no test error");
    cli_warn(&error);
}

/* Two trainings of one network would choose the same file. */
static int choose_file(const struct cli_arguments *arguments, struct training_run *run, struct error *error)
{
    const char *out = cli_value(arguments, "out");
    if (cli_network_choose_file(&run->network, out, ".safetensors", run->resume, &run->out, error) ||
        (run->reservation = file_reserve(run->out, error)) == -1)
        return -1;
    if (!out && !run->resume && file_exists(run->out)) /* it has come since */
        return error_set(error, "%s: exists already; name the file to write by --out", run->out);
    return 0;
}

static int prepare_and_train(const struct cli_arguments *arguments, struct training_run *run, struct error *error)
{
    if (cli_network_find(arguments->words[0], &run->network, error))
        return cli_fail(error);
    int status = read_training(arguments, run, error);
    if (status)
        return status;
    if (cli_device_open(cli_value(arguments, "device"), run->precision, &run->device, error) ||
        choose_file(arguments, run, error) ||
        cli_network_open_images(&run->network, cli_value(arguments, "data"), ALL_CLASSES, error) ||
        open_views(run, arguments->words[0], error))
        return cli_fail(error);
    run->training.augment = run->network.spec.augment;
    run->bar = cli_is_terminal(stdout);
    run->unicode = cli_is_unicode();
    warn_of_test(run);
    prepare_weights(run);
    training_describe(run);
    if (prepare_checkpoint(run, error))
        return cli_fail(error);
    training_print_plan(arguments->words[0], run);
    return train_and_test(run, error);
}

static int run_command(const struct cli_arguments *arguments)
{
    struct training_run *run = memory_new(1, sizeof *run);
    struct error error = {{0}};
    run->reservation = -1;
    int status = prepare_and_train(arguments, run, &error);
    cli_device_close(&run->device);
    weights_free(run->weights);
    data_facts_done(&run->facts);
    view_done(&run->train);
    view_done(&run->validate);
    cli_network_done(&run->network);
    if (run->teacher_name)
        cli_network_done(&run->teacher);
    checkpoint_done(&run->checkpoint);
    file_release(run->out, run->reservation);
    free(run->settings);
    free(run->out);
    free(run);
    return status;
}

static const struct cli_option options_of_train[] = {
    {.name = "data", .fallback = "the network's, else fashion-mnist"},
    {"epochs", "N", "epochs to train", "300"},
    {"rate", "X", "initial learning rate, which falls to 0 along a cosine", "0.02; from scratch 0.1"},
    {"steady", "SHARE", "share of the training, 0 to 1, before the rate falls", "0"},
    {"average", "X", "hand over the moving average of the weights, with this decay a step; 0: the weights", "0"},
    {"mixup", "SHARE", "share of the batches whose images are mixed in pairs, 0 to 1; helps long trainings", "0"},
    {"teacher", "SESSION:NODE|FILE", "learn the probabilities of this trained network, not the labels", "none"},
    {.name = "batch", .fallback = "the session's, else"},
    {.name = "seed"},
    {"validation", "N", "keep N training images out, and report their accuracy each epoch",
     "0, or the set's own"},
    {.name = "train-subset", .fallback = "0"},
    {"scratch", NULL, "start from fresh weights, though the network is trained", NULL},
    {.name = "background", .fallback = "the network's, else"},
    {.name = "no-orientation"},
    {.name = "skip-bad"},
    {.name = "picture-rules", .fallback = "the network's, else"},
    {.name = "weight-decay", .fallback = "the session's, else"},
    {.name = "drop-pool", .fallback = "the session's, else"},
    {.name = "drop-fc", .fallback = "the session's, else"},
    {.name = "drop-dense", .fallback = "the session's, else"},
    {"resume", NULL, "go on where the same command was stopped or killed", NULL},
    {.name = "device"},
    {.name = "precision"},
    {"out", "FILE", "weights as safetensors", "SESSION-nNODE.safetensors, or network.safetensors"},
    {0},
};

const struct cli_command command_train = {
    .name = "train",
    .synopsis = "ARCH|SESSION:NODE|FILE",
    .summary = "train one network to the end on all training images, then test it",
    .details = "Ctrl-C stops after the running step and writes the weights as they are; a second Ctrl-C ends at once. "
               "A training that was stopped or killed goes on with --resume, from the last epoch that was written.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_train,
    .run = run_command,
};
