/* training_run.c - the settings of a training as text. */
#include "cli/commands/training_run.h"

#include "search/picture_rules.h"
#include "util/memory.h"
#include "util/print.h"

static void add_schedule(const struct training *training, struct text *text)
{
    if (training->steady > 0)
        text_add(text, ", steady %g", (double)training->steady);
    if (training->average > 0)
        text_add(text, ", average %g", (double)training->average);
    if (training->mixup > 0)
        text_add(text, ", mixup %g", (double)training->mixup);
}

void training_describe(struct training_run *run)
{
    const struct training *training = &run->training;
    char images[HASH_TEXT], weights[HASH_TEXT];
    struct text text = TEXT_EMPTY;
    hash_print(run->network.images.hash, images);
    hash_print(hash_of(run->weights->values, (size_t)run->weights->layout.total * sizeof(float)), weights);
    text_add(&text, "%d epoch%s, batch %d, rate %g, weight decay %g, dropout %g %g", training->epochs, training->epochs == 1 ? "" : "s", training->batch,
             (double)training->rate, (double)training->weight_decay, (double)training->drop_pool,
             (double)training->drop_fc);
    if (training->drop_dense > 0) /* so that checkpoints from before this option still match */
        text_add(&text, " %g", (double)training->drop_dense);
    add_schedule(training, &text);
    text_add(&text, ", seed %llu, %d images of %.8s%s, from %.8s%s", (unsigned long long)training->seed,
             run->train.count, images, training->augment ? " augmented" : "", weights,
             run->precision == PRECISION_BF16 ? ", bf16" : "");
    if (run->split_seed != training->seed && run->train.count < run->network.images.count)
        text_add(&text, ", split by seed %llu", (unsigned long long)run->split_seed);
    if (run->subset)
        text_add(&text, ", %d for validation", run->validation);
    if (training->teacher) {
        const struct weights *teacher = training->teacher;
        hash_print(hash_of(teacher->values, (size_t)teacher->layout.total * sizeof(float)), weights);
        text_add(&text, ", teacher %.8s", weights);
    }
    run->settings = text_take(&text);
}

void training_print_plan(const char *network, const struct training_run *run)
{
    const struct training *training = &run->training;
    struct arch_cost cost = arch_cost(&run->network.arch, run->network.input);
    char parameters[TEXT_SHORT], flops[TEXT_SHORT];
    struct text text = TEXT_EMPTY, name = TEXT_EMPTY;
    arch_print(&run->network.arch, &text);
    cli_network_name(&run->network, network, &name);
    print_to(stdout, "network  %s\n         %s parameters, %s FLOPs an image\n", text_string(&text),
             text_count(parameters, (double)cost.parameters), text_count(flops, (double)cost.flops));
    print_to(stdout, "weights  %s%s, to %s\n", run->scratch ? "from scratch" : "of ",
             run->scratch ? "" : text_string(&name), run->out);
    print_to(stdout, "data     %d training images of %s%s, %d for validation", run->train.count, run->network.spec.name,
             run->training.augment ? " with augmentation" : "", run->validate.count);
    if (run->validate.count && run->split_seed != training->seed)
        print_to(stdout, " (of the network's own split, seed %llu)", (unsigned long long)run->split_seed);
    print_to(stdout, "\n");
    text_clear(&text);
    if (run->network.images.summary)
        print_to(stdout, "         read %s\n", run->network.images.summary);
    print_to(stdout, "plan     %d epoch%s, batch %d, rate %g, weight decay %g", training->epochs,
             training->epochs == 1 ? "" : "s", training->batch, (double)training->rate, (double)training->weight_decay);
    if (training->drop_pool > 0 || training->drop_fc > 0)
        print_to(stdout, ", dropout %g after pools, %g after FC", (double)training->drop_pool,
                 (double)training->drop_fc);
    if (training->drop_dense > 0)
        print_to(stdout, ", dropout %g in dense layers", (double)training->drop_dense);
    add_schedule(training, &text);
    print_to(stdout, "%s, on %s\n", text_string(&text), run->device.id);
    struct team *team = cli_device_team(&run->device);
    if (team)
        print_to(stdout, "threads  %d, one a core; the result is the same with any number\n", team_members_most(team));
    if (training->teacher) {
        struct arch_cost teacher = arch_cost(&run->teacher.arch, run->teacher.input);
        print_to(stdout, "teacher  %s: %s parameters, %s FLOPs an image\n", run->teacher_name,
                 text_count(parameters, (double)teacher.parameters), text_count(flops, (double)teacher.flops));
    }
    if (run->resume)
        print_to(stdout, "         goes on after epoch %d\n", training->epochs_done);
    print_to(stdout, "\n");
    fflush(stdout);
    text_done(&text);
    text_done(&name);
}
