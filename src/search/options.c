/*
 * options.c - the table of options; reads an option from text, and prints it as text.
 *
 * A row of the table is the only place that knows an option's field, range, default and help.  A value is checked when
 * it is set, so that the message can name its source.  Conditions on several options are checked by options_settle().
 */
#include "search/options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/images.h"
#include "policy/manual.h"
#include "util/bug.h"

static int valid_data(const char *value, struct error *error)
{
    struct data_spec spec;
    return data_spec_parse(value, &spec, error);
}

static int valid_background(const char *value, struct error *error)
{
    uint8_t background[3];
    return picture_background_parse(value, background, error);
}

static int valid_widths(const char *value, struct error *error)
{
    const struct space *space = space_find(value);
    if (space && !space->modern)
        return 0;
    error_set(error, "must be");
    for (int i = 0; (space = space_at(i)) && !space->modern; i++) {
        struct error before = *error;
        error_set(error, "%s%s %s", before.text, i ? " or" : "", space->name);
    }
    return -1;
}

static int valid_policy(const char *value, struct error *error)
{
    if (policy_find(value))
        return 0;
    error_set(error, "must be");
    for (int i = 0; policy_at(i); i++) {
        struct error before = *error;
        error_set(error, "%s%s %s", before.text, !i ? "" : policy_at(i + 1) ? "," : " or", policy_at(i)->name);
    }
    return -1;
}

/* An architecture, SESSION:NODE or a file (looked up when the search starts), `auto` or "". */
static int valid_start(const char *value, struct error *error)
{
    const char *colon = strrchr(value, ':');
    if (!*value || !strcmp(value, OPTIONS_START_AUTO) || !strcmp(value, OPTIONS_START_SMALLEST) ||
        options_start_is_file(value) || (colon && colon > value && colon[1]))
        return 0;
    struct arch arch;
    if (strchr(value, '('))
        return arch_parse(&arch, value, error);
    return error_set(error, "is neither an architecture (\"C(16,3,1) A(4,4) SM(10)\"), SESSION:NODE (run-1:best), "
                            "FILE.safetensors, auto nor smallest");
}

/* Ascending epochs, separated by commas, or "". */
static int valid_rungs(const char *value, struct error *error)
{
    for (long long before = 0; *value;) {
        char *end;
        long long rung = isdigit((unsigned char)*value) ? strtoll(value, &end, 10) : 0;
        if (rung <= before || rung > 100000 || (*end && (*end != ',' || !end[1])))
            return error_set(error, "must be epochs in ascending order, as in 2,5");
        before = rung;
        value = *end ? end + 1 : end;
    }
    return 0;
}

#define FIELD(field)                                                                                                   \
    .offset = offsetof(struct search_options, field), .size = sizeof(((struct search_options *)0)->field)
#define COUNT_MAX  1e9
#define FLOPS_MAX  1e24
#define NUMBER_MAX 1e18 /* below 2^63; a double is close enough to it, and exact up to 2^53 */

/* With the defaults a search can be watched from beginning to end.  The limit of FLOPs, which follows from the budget,
   keeps it short.  The rate of grown networks is the middle of three that did equally well in searches by tournament,
   without rounds: the best of 12 networks of the preset quick, over three seeds, had 87.8 % with 0.05, 87.9 % with 0.1
   and 88.1 % with 0.15.  The paper's 0.02, for 20 epochs, is in the preset eas-small. */
static const struct search_option table[] = {
    {"data", OPTION_TEXT, FIELD(data), .valid = valid_data, .argument = "SPEC", .fallback = "fashion-mnist",
     .help = "images: fashion-mnist, cifar10:DIR, images:DIR, npz:FILE and so on (man espalier, DATA); NAME+ augments"},
    {"space", OPTION_WORD, FIELD(space), .words = "plain|dense|modern|auto", .argument = "NAME", .fallback = "auto",
     .help = "plain networks, or dense ones (DenseNet-BC) too, or modern ones (residual and separable layers) too; auto: "
             "as --start is, else modern where --limit-flops or --limit-params is given"},
    {"widths", OPTION_TEXT, FIELD(widths), .valid = valid_widths, .argument = "NAME", .fallback = "small",
     .help = "candidate widths: small (filters 4 to 40, growth rates 4 to 48) or paper (16 to 640, 40 to 64); modern "
             "networks have their own (8 to 128)"},
    {"start", OPTION_TEXT, FIELD(start), .valid = valid_start, .argument = "ARCH|SESSION:NODE|FILE",
     .fallback = OPTIONS_START_AUTO,
     .help = "start network; auto: a plain or modern one as large as the limits allow; smallest: the smallest of the "
             "space, which is "
             "auto for dense networks too"},
    {"policy", OPTION_TEXT, FIELD(policy), .valid = valid_policy, .argument = "NAME", .fallback = "reinforce",
     .help = "who proposes: one of the policies below"},
    {"match", OPTION_TEXT, FIELD(match), .argument = "SESSION", .fallback = "",
     .help = "for random-flops: network k gets about the FLOPs of network k of that session"},
    {"parent", OPTION_WORD, FIELD(parent), .words = "start|best|tournament|aging|race", .argument = "CHOICE",
     .fallback = "race",
     .help =
         "which network grows: start, best, the best of a few drawn (tournament) or of the youngest (aging), or the "
         "winner of the round before (race)"},
    {"tournament", OPTION_INTEGER, FIELD(tournament), 1, 1000, .argument = "N", .fallback = "4",
     .help = "networks drawn for a tournament"},
    {"population", OPTION_INTEGER, FIELD(population), 1, COUNT_MAX, .argument = "N", .fallback = "20",
     .help = "youngest networks that --parent aging draws from"},
    {"episodes", OPTION_INTEGER, FIELD(episodes), 0, COUNT_MAX, "no limit", .argument = "N", .fallback = "0",
     .help = "budget: episodes"},
    {"networks", OPTION_INTEGER, FIELD(networks), 0, COUNT_MAX, "no limit", .argument = "N", .fallback = "31",
     .help = "budget: trained networks, with the start network"},
    {"seconds", OPTION_REAL, FIELD(seconds), 0, COUNT_MAX, "no limit", .argument = "SECONDS", .fallback = "0",
     .help = "budget: time; networks in training then go back to the queue"},
    {"flops", OPTION_REAL, FIELD(flops), 0, FLOPS_MAX, "no limit", .argument = "N", .fallback = "0",
     .help = "budget: FLOPs of training, over all networks (3 passes for each image)"},
    {"finish", OPTION_REAL, FIELD(finish), 0, 0.99, "none", .argument = "SHARE", .fallback = "0.6",
     .help = "share of the budget for the final training of the winner, with a falling rate"},
    {"baseline", OPTION_WORD, FIELD(baseline), .words = "no|yes|retrain", .argument = "WHICH", .fallback = "yes",
     .help = "for --parent race: before the finish, train the template of the limits from scratch, unless the search "
             "began with it; retrain: the winner's architecture too; the best is finished"},
    {"target", OPTION_REAL, FIELD(target), 0, 1, "none", .argument = "ACCURACY", .fallback = "0",
     .help = "stop growing when a network reaches this accuracy, from 0 to 1"},
    {"patience", OPTION_INTEGER, FIELD(patience), 0, COUNT_MAX, "no limit", .argument = "N", .fallback = "3",
     .help = "for --parent race: stop growing when the control has won that many rounds in a row"},
    {"episode-networks", OPTION_INTEGER, FIELD(episode_networks), 1, 10000, .argument = "N", .fallback = "4",
     .help = "proposals an episode; the policy learns after each episode; of a race: a control and the children"},
    {"wider", OPTION_INTEGER, FIELD(wider), 0, 16, .argument = "N", .fallback = "1",
     .help = "wider decisions a network"},
    {"deeper", OPTION_INTEGER, FIELD(deeper), 0, 16, .argument = "N", .fallback = "1",
     .help = "deeper decisions a network"},
    {"trades", OPTION_WORD, FIELD(trades), .words = "no|yes", .argument = "WHICH", .fallback = "yes",
     .help = "at the limits, make something smaller to let something else grow: no or yes"},
    {"epochs", OPTION_INTEGER, FIELD(epochs), 1, 100000, .argument = "N", .fallback = "2",
     .help = "epochs a grown network trains"},
    {"start-epochs", OPTION_INTEGER, FIELD(start_epochs), 0, 100000, .argument = "N", .fallback = "5",
     .help = "epochs the start network trains; 0 only with --start SESSION:NODE"},
    {"rungs", OPTION_TEXT, FIELD(rungs), .valid = valid_rungs, .argument = "EPOCHS", .fallback = "",
     .help = "at these epochs (as 2,5), stop a network that is not among the best that reached them"},
    {"rung-keep", OPTION_REAL, FIELD(rung_keep), 0.01, 1, .argument = "SHARE", .fallback = "0.5",
     .help = "share of the networks at a rung that go on"},
    {"stop-hopeless", OPTION_REAL, FIELD(stop_hopeless), 0, 0.5, "never", .argument = "P", .fallback = "0",
     .help = "stop a network when its curve predicts a chance below P to beat the best"},
    {"batch", OPTION_INTEGER, FIELD(batch), 1, 65536, .argument = "N", .fallback = "64", .help = "images a step"},
    {"rate", OPTION_REAL, FIELD(rate), 0, 1e6, .argument = "X", .fallback = "0.1",
     .help = "initial learning rate of grown networks"},
    {"start-rate", OPTION_REAL, FIELD(start_rate), 0, 1e6, .argument = "X", .fallback = "0.1",
     .help = "initial learning rate from scratch"},
    {"steady", OPTION_WORD, FIELD(steady), .words = "no|yes", .argument = "WHICH", .fallback = "yes",
     .help = "before the finish, the rate doesn't fall: no or yes"},
    {"average", OPTION_REAL, FIELD(average), 0, 0.99999, "none", .argument = "X", .fallback = "0.996",
     .help = "before the finish, judge and keep a moving average of the weights: its decay a step"},
    {"mixup", OPTION_REAL, FIELD(mixup), 0, 1, "none", .automatic = true, .argument = "SHARE", .fallback = "auto",
     .help = "share of the finish's batches whose images are mixed; auto: 0.5 if it has 100 epochs and few images"},
    {"momentum", OPTION_REAL, FIELD(momentum), 0, 0.9999, .argument = "X", .fallback = "0.9", .help = "Nesterov momentum"},
    {"weight-decay", OPTION_REAL, FIELD(weight_decay), 0, 1, .argument = "X", .fallback = "0.0005",
     .help = "weight decay"},
    {"drop-pool", OPTION_REAL, FIELD(drop_pool), 0, 0.99, .argument = "P", .fallback = "0",
     .help = "dropout after max pools"},
    {"drop-fc", OPTION_REAL, FIELD(drop_fc), 0, 0.99, .argument = "P", .fallback = "0",
     .help = "dropout after FC layers"},
    {"drop-dense", OPTION_REAL, FIELD(drop_dense), 0, 0.99, .argument = "P", .fallback = "0",
     .help = "dropout after the convolutions of dense layers and transitions"},
    {"train-subset", OPTION_INTEGER, FIELD(train_subset), 0, COUNT_MAX, "all", .argument = "N", .fallback = "0",
     .help = "train on that many images, drawn by seed"},
    {"validation", OPTION_INTEGER, FIELD(validation), 0, COUNT_MAX, .automatic = true, .argument = "N",
     .fallback = "auto", .help = "training images held out to judge networks; auto: a sixth, at most 5000"},
    {"background", OPTION_TEXT, FIELD(background), .valid = valid_background, .argument = "COLOUR", .fallback = "black",
     .help = "under transparent pixels of pictures: black, white or #rrggbb"},
    {"no-orientation", OPTION_WORD, FIELD(no_orientation), .words = "no|yes", .fallback = "no",
     .help = "don't turn pictures as their EXIF data say"},
    {"skip-bad", OPTION_WORD, FIELD(skip_bad), .words = "no|yes", .fallback = "no",
     .help = "leave out pictures that can't be read"},
    {"picture-rules", OPTION_INTEGER, FIELD(picture_rules), 1, 2, .argument = "N", .fallback = "2",
     .help = "how image folders are read and split; 1: as the first sessions did"},
    {"seed", OPTION_INTEGER, FIELD(seed), 0, NUMBER_MAX, .argument = "N", .fallback = "1",
     .help = "seed of every random draw"},
    {"devices", OPTION_TEXT, FIELD(devices), .argument = "LIST", .fallback = "auto",
     .help =
         "where to train: auto, cpu, cpu:N (N trainers), cuda (all GPUs), cuda:0,2, cuda:UUID, cuda:0x3 (3 trainers)"},
    {"precision", OPTION_WORD, FIELD(precision), .words = "f32|bf16|auto", .argument = "WORD", .fallback = "auto",
     .help = "what convolutions multiply: f32, bf16 where the device has it; auto: bf16 on a GPU that has it, else f32"},
    {"limit-depth", OPTION_INTEGER, FIELD(limit_depth), 0, ARCH_LAYERS_MAX, "no limit", .argument = "N",
     .fallback = "0", .help = "layers with weights a network may have"},
    {"limit-params", OPTION_INTEGER, FIELD(limit_parameters), 0, NUMBER_MAX, "no limit", .argument = "N",
     .fallback = "0", .help = "parameters a network may have"},
    {"limit-flops", OPTION_INTEGER, FIELD(limit_flops), 0, NUMBER_MAX, "no limit", .automatic = true, .argument = "N",
     .fallback = "auto",
     .help = "FLOPs a network may take for one image, forward; auto: what the budget can train to the end"},
    {"limit-memory", OPTION_SIZE, FIELD(limit_memory), 0, NUMBER_MAX, "no limit", .argument = "SIZE", .fallback = "0",
     .help = "memory a batch's activations may take: 512M, 2G"},
    {"widen-noise", OPTION_REAL, FIELD(widen_noise), 0, 10, .argument = "X", .fallback = "0.01",
     .help = "noise on copies, in units of the weights' own deviation; 0: exact"},
    {"deepen-noise", OPTION_REAL, FIELD(deepen_noise), 0, 10, .argument = "X", .fallback = "0.001",
     .help = "noise on a new layer's identity; 0: exact"},
    {"split", OPTION_WORD, FIELD(split), .words = "equal|unequal|fresh", .argument = "HOW", .fallback = "fresh",
     .help =
         "a widening adds copies, which share the outgoing weights equally (the paper) or unequally, or fresh units"},
    {"policy-rate", OPTION_REAL, FIELD(policy_rate), 0, 10, .argument = "X", .fallback = "0.002",
     .help = "the controller's learning rate (Adam)"},
    {"entropy-bonus", OPTION_REAL, FIELD(entropy_bonus), 0, 10, .argument = "X", .fallback = "1e-05",
     .help = "the controller's entropy bonus"},
    {"baseline-decay", OPTION_REAL, FIELD(baseline_decay), 0, 1, .argument = "X", .fallback = "0.95",
     .help = "decay of the moving average of rewards"},
    {"reward-baseline", OPTION_WORD, FIELD(baseline_released), .words = "paper|released", .argument = "WHICH",
     .fallback = "paper", .help = "reward baseline: as the paper says, or as its published code does"},
    {"asynchronous", OPTION_WORD, FIELD(asynchronous), .words = "no|yes|auto", .argument = "WHICH", .fallback = "auto",
     .help = "trainers never wait for the controller to learn from an episode; auto: not when there are more than 4"},
    {"imitate", OPTION_INTEGER, FIELD(imitate), 0, 1000, "none", .argument = "K", .fallback = "0",
     .help = "the controller also imitates its K best proposals so far"},
    {"imitate-weight", OPTION_REAL, FIELD(imitate_weight), 0, 1000, .argument = "X", .fallback = "0.1",
     .help = "weight of the imitated proposals' mean log-likelihood in its objective"},
    {"learn-from-user", OPTION_WORD, FIELD(learn_from_user), .words = "no|yes", .argument = "WHICH", .fallback = "no",
     .help = "the controller also learns from networks that a person grew: no or yes"},
    {"network-seconds", OPTION_REAL, FIELD(network_seconds), 0, COUNT_MAX, "no limit", .argument = "SECONDS",
     .fallback = "0", .help = "time a grown network may train; it ends with the last epoch that fits into it"},
    {"keep", OPTION_WORD, FIELD(keep), .words = "all|best", .argument = "WHICH", .fallback = "all",
     .help = "weights that stay on disk: all, or best: of those that are best or may still grow"},
    {"attempts", OPTION_INTEGER, FIELD(attempts), 1, 100, .argument = "N", .fallback = "2",
     .help = "tries before a network that fails is given up"},
    {"actions", OPTION_TEXT, FIELD(actions), .argument = "LIST", .fallback = "",
     .help = "for --policy manual: \"widen:conv1 deepen:conv2:3; widen:fc1\" (; next network)"},
};

_Static_assert(sizeof(enum parent_choice) == sizeof(int) && sizeof(enum morph_split) == sizeof(int) &&
                   sizeof(enum precision) == sizeof(int) && sizeof(enum network_space) == sizeof(int) &&
                   sizeof(enum weights_kept) == sizeof(int),
               "OPTION_WORD stores an int where the field is not a bool");

const struct search_option *option_at(int index)
{
    return index >= 0 && index < (int)COUNT_OF(table) ? &table[index] : NULL;
}

const struct search_option *option_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

static int out_of_range(const struct search_option *option, const char *value, struct error *error)
{
    char zero[32] = "";
    if (option->zero)
        snprintf(zero, sizeof zero, " (0: %s)", option->zero);
    if (option->type == OPTION_SIZE)
        return error_set(error, "--%s %s: must be a size such as 512M or 2G%s", option->name, value, zero);
    return error_set(error, "--%s %s: must be %sa %s from %.15g to %.15g%s", option->name, value,
                     option->automatic ? "auto or " : "", option->type == OPTION_REAL ? "number" : "whole number",
                     option->minimum, option->maximum, zero);
}

/* The index of `value` in "a|b|c", or -1. */
static int word_index(const char *words, const char *value)
{
    size_t length = strlen(value);
    for (int index = 0;; index++) {
        size_t word = strcspn(words, "|");
        if (word == length && !strncmp(words, value, length))
            return index;
        if (!words[word])
            return -1;
        words += word + 1;
    }
}

static int set_word(const struct search_option *option, const char *value, void *field, struct error *error)
{
    int index = word_index(option->words, value);
    if (index < 0)
        return error_set(error, "--%s %s: must be one of %s", option->name, value, option->words);
    if (option->size == sizeof(bool))
        *(bool *)field = index;
    else
        *(int *)field = index;
    return 0;
}

static int set_text(const struct search_option *option, const char *value, char *field, struct error *error)
{
    if (strlen(value) >= option->size)
        return error_set(error, "--%s: %zu bytes are too long, at most %zu fit", option->name, strlen(value),
                         option->size - 1);
    if (option->valid && option->valid(value, error))
        return error_prefix(error, "--%s %s", option->name, value);
    memcpy(field, value, strlen(value) + 1);
    return 0;
}

int options_set(struct search_options *options, const char *name, const char *value, struct error *error)
{
    const struct search_option *option = option_find(name);
    if (!option)
        return error_set(error, "--%s: there is no such option", name);
    void *field = (char *)options + option->offset;
    int64_t integer;
    double real;
    switch (option->type) {
    case OPTION_INTEGER:
        if (option->automatic && !strcmp(value, "auto"))
            integer = OPTION_AUTO;
        else if (text_to_whole_count(value, (int64_t)option->minimum, (int64_t)option->maximum, &integer))
            return out_of_range(option, value, error);
        *(int64_t *)field = integer;
        return 0;
    case OPTION_REAL:
        if (option->automatic && !strcmp(value, "auto"))
            real = OPTION_AUTO;
        else if (text_to_count(value, option->minimum, option->maximum, &real))
            return out_of_range(option, value, error);
        *(double *)field = real;
        return 0;
    case OPTION_SIZE:
        if (text_to_size(value, &integer) || integer < 0)
            return out_of_range(option, value, error);
        *(int64_t *)field = integer;
        return 0;
    case OPTION_WORD:
        return set_word(option, value, field, error);
    case OPTION_TEXT:
        return set_text(option, value, field, error);
    }
    BUG("an option's type");
}

/* The fewest digits that are read back as the same number. */
static void print_real(double value, struct text *text)
{
    char digits[32];
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    text_add(text, "%s", digits);
}

static void print_word(const struct search_option *option, int index, struct text *text)
{
    const char *word = option->words;
    while (index--)
        word += strcspn(word, "|") + 1;
    text_add_bytes(text, word, strcspn(word, "|"));
}

void options_get(const struct search_options *options, const struct search_option *option, struct text *text)
{
    const void *field = (const char *)options + option->offset;
    switch (option->type) {
    case OPTION_INTEGER:
    case OPTION_SIZE:
        if (option->automatic && *(const int64_t *)field == OPTION_AUTO)
            text_add(text, "auto");
        else
            text_add(text, "%" PRId64, *(const int64_t *)field);
        break;
    case OPTION_REAL:
        if (option->automatic && *(const double *)field < 0)
            text_add(text, "auto");
        else
            print_real(*(const double *)field, text);
        break;
    case OPTION_WORD:
        print_word(option, option->size == sizeof(bool) ? *(const bool *)field : *(const int *)field, text);
        break;
    case OPTION_TEXT:
        text_add(text, "%s", (const char *)field);
        break;
    }
}

void options_default(struct search_options *options)
{
    memset(options, 0, sizeof *options);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct error error;
        if (options_set(options, table[i].name, table[i].fallback, &error))
            BUG(error.text);
    }
}

struct training options_training(const struct search_options *options)
{
    return (struct training){
        .epochs = (int)options->epochs,
        .batch = (int)options->batch,
        .rate = (float)options->rate,
        .momentum = (float)options->momentum,
        .weight_decay = (float)options->weight_decay,
        .bn_decay = training_paper.bn_decay,
        .drop_pool = (float)options->drop_pool,
        .drop_fc = (float)options->drop_fc,
        .drop_dense = (float)options->drop_dense,
        .augment = data_spec_augments(options->data),
        .seed = (uint64_t)options->seed,
    };
}

const struct space *options_space(const struct search_options *options)
{
    return space_find(options->space == SPACE_MODERN ? "modern" : options->widths);
}

struct policy_options options_policy(const struct search_options *options, struct shape input)
{
    return (struct policy_options){
        .space = options_space(options),
        .dense = options->space == SPACE_DENSE,
        .input = input,
        .limits =
            {
                .depth = options->limit_depth,
                .parameters = options->limit_parameters,
                .flops = options->limit_flops == OPTION_AUTO ? 0 : options->limit_flops,
                .memory = options->limit_memory,
                .batch = (int)options->batch,
            },
        .trades = options->trades,
        .wider_decisions = (int)options->wider,
        .deeper_decisions = (int)options->deeper,
        .rate = options->policy_rate,
        .entropy_bonus = options->entropy_bonus,
        .baseline_decay = options->baseline_decay,
        .baseline_released = options->baseline_released,
        .imitate_weight = options->imitate_weight,
        .seed = (uint64_t)options->seed,
        .actions = options->actions,
    };
}

int options_settle(struct search_options *options, struct error *error)
{
    const struct policy_kind *kind = policy_find(options->policy);
    if (kind->parent && options_set(options, "parent", kind->parent, error))
        BUG(error->text);
    if (kind->takes_match && !options->match[0])
        return error_set(error, "--policy %s: needs --match SESSION, whose networks it matches", kind->name);
    if (!kind->takes_match && options->match[0])
        return error_set(error, "--match: is not for --policy %s; policies that match FLOPs take it: random-flops",
                         kind->name);
    bool manual = kind->takes_actions;
    if (manual && !manual_count(options->actions))
        return error_set(error,
                         "--policy manual: needs --actions, for example --actions \"widen:conv1; deepen:conv2\"");
    if (manual && manual_check(options->actions, error))
        return error_prefix(error, "--actions");
    if (!manual && options->actions[0])
        return error_set(error, "--actions: is for --policy manual only, not for %s", options->policy);
    if (!options->validation)
        return error_set(error, "--validation 0: a search judges networks by validation images; it needs at least one");
    if (!manual && options->wider + options->deeper == 0)
        return error_set(error, "--wider 0 --deeper 0: a network needs at least one decision to grow");
    if (!manual && options->wider + options->deeper > PROPOSAL_STEPS_MAX)
        return error_set(error, "--wider %" PRId64 " --deeper %" PRId64 ": at most %d decisions a network",
                         options->wider, options->deeper, PROPOSAL_STEPS_MAX);
    if (options->parent == PARENT_RACE && options->episode_networks < 2)
        return error_set(error, "--episode-networks 1: a round of --parent race has a control and at least one child; "
                                "it needs 2");
    if (options->start_epochs == 0 && !strchr(options->start, ':') && !options_start_is_file(options->start))
        return error_set(error, "--start-epochs 0: only a trained start network (--start SESSION:NODE) needs none");
    return 0;
}

bool options_start_is_smallest(const struct search_options *options)
{
    return !*options->start || !strcmp(options->start, OPTIONS_START_SMALLEST) ||
           (options->space == SPACE_DENSE && !strcmp(options->start, OPTIONS_START_AUTO));
}

bool options_start_is_file(const char *start)
{
    static const char ending[] = ".safetensors";
    size_t length = strlen(start);
    return length >= sizeof ending && !strcmp(start + length - strlen(ending), ending);
}

void options_start(const struct search_options *options, struct shape input, int classes, struct arch *arch)
{
    const struct space *space = options_space(options);
    if (options->space == SPACE_DENSE)
        space_start_dense(space, input, classes, arch);
    else if (options->space == SPACE_MODERN)
        space_start_modern(space, input, classes, arch);
    else
        space_start(space, input, classes, arch);
}
