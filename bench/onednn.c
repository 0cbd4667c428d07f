/*
 * onednn.c - is a convolution of oneDNN faster than ours?  Each convolution of the bench's networks, by both.
 *
 * Three passes a layer: forward, input gradient (not of a network's first layer), weight gradient; the convolution by
 * itself, batch 64, one thread.  Ours is the backend's OP_CONV.  Its backward pass computes both gradients: the time of
 * the input gradient is the difference to a pass without it; that of the weight gradient includes a copy of the
 * output's gradient, which convolutions with a BN behind them don't make.  oneDNN is tried with both algorithms
 * (direct, minimal filtering), all its implementations, and four pairs of formats: its own choice, plain, channels
 * last, blocks of 8 channels.  A result that differs from ours is an error.  In a step that otherwise keeps our layout
 * its tensors would have to be reordered; oneDNN does that itself, from a descriptor of our layout.  The fastest of
 * each pass is reported without reorders and with them.
 *
 * All take turns; times are the 10th percentile, in CPU time (times.h).
 */
#include "config.h"

#include <dnnl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/layout.h" /* the same for any VECTOR_WIDTH */
#include "nn/backend.h"
#include "times.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/random.h"

enum { BATCH = 64, KERNEL = 3, HUGE_PAGE = 1 << 21 };

static const struct shape_case {
    const char *networks;
    int inputs, outputs, side;
} cases[] = {
    {"TINY", 3, 4, 32},    {"TINY", 4, 4, 16},   {"TINY", 4, 4, 8},     {"TINY", 4, 4, 4},    {"SMALL", 3, 16, 32},
    {"SMALL", 16, 32, 16}, {"SMALL", 32, 64, 8}, {"SMALL", 64, 128, 4}, {"MID", 3, 32, 32},   {"MID", 32, 32, 32},
    {"MID", 32, 64, 16},   {"MID", 64, 64, 16},  {"MID", 64, 128, 8},   {"MID", 128, 128, 8}, {"MID", 128, 192, 4},
    {"MID", 192, 192, 4},  {"BIG", 3, 64, 32},   {"BIG", 64, 64, 32},   {"BIG", 64, 128, 16}, {"BIG", 128, 128, 16},
    {"BIG", 128, 256, 8},  {"BIG", 256, 256, 8}, {"BIG", 256, 256, 4},
};

enum pass_kind { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, PASSES };
static const char *const pass_names[PASSES] = {"forward", "input gradient", "weight gradient"};

static void *new_buffer(size_t bytes)
{
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *buffer = aligned_alloc(HUGE_PAGE, bytes);
    ASSERT(buffer);
    madvise(buffer, bytes, MADV_HUGEPAGE);
    return memset(buffer, 0, bytes);
}

/* --- ours --- */

/* Tensors of one layer in our layout; an output has a second buffer for the result of oneDNN. */
enum tensor_kind { X, Y, DY, DX, W, DW, TENSORS };
struct conv_layer {
    const struct shape_case *shape;
    struct plan plan;
    size_t bytes[TENSORS];
    float *values[TENSORS], *theirs[TENSORS];
    void *scratch;
};

/* The plan's tensor that a map belongs to. */
static const struct tensor *tensor_of(const struct conv_layer *layer, enum tensor_kind kind)
{
    return &layer->plan.tensors[kind == Y || kind == DY];
}

/* INPUT_GRADIENT computes the weight gradient too. */
static void run_ours(const struct conv_layer *layer, enum pass_kind pass)
{
    float *const *v = layer->values;
    struct op_run run = {
        .plan = &layer->plan,
        .op = &layer->plan.ops[0],
        .count = BATCH,
        .training = true,
        .values = v[W],
        .gradients = v[DW],
        .x = v[X],
        .y = v[Y],
        .dy = v[DY],
        .dx = pass == INPUT_GRADIENT ? v[DX] : NULL,
        .scratch = layer->scratch,
        .members = 1,
    };
    (pass == FORWARD ? backend_cpu()->forward : backend_cpu()->backward)[OP_CONV](&run);
}

static int64_t count_of(const struct conv_layer *layer, enum tensor_kind kind)
{
    const struct tensor *tensor = tensor_of(layer, kind);
    return kind >= W ? layer->plan.total : (int64_t)BATCH * tensor->channels * tensor->height * tensor->width;
}

/* The values in plain order; the caller frees them. */
static float *read_tensor(const struct conv_layer *layer, enum tensor_kind kind, const float *values)
{
    float *plain = memory_new((size_t)count_of(layer, kind), sizeof *plain);
    if (kind >= W)
        memcpy(plain, values, layer->bytes[kind]);
    else
        backend_cpu()->tensor_read(tensor_of(layer, kind), BATCH, values, plain);
    return plain;
}

static void fill(struct conv_layer *layer, enum tensor_kind kind)
{
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, (uint32_t)kind, 0);
    int64_t count = count_of(layer, kind);
    float *plain = memory_new((size_t)count, sizeof *plain);
    for (int64_t i = 0; i < count; i++)
        plain[i] = random_normal(&stream);
    if (kind == W)
        memcpy(layer->values[W], plain, layer->bytes[W]);
    else
        backend_cpu()->tensor_write(tensor_of(layer, kind), BATCH, plain, layer->values[kind]);
    free(plain);
}

static struct conv_layer *new_layer(const struct shape_case *shape)
{
    struct conv_layer *layer = memory_new(1, sizeof *layer);
    struct plan *plan = &layer->plan;
    layer->shape = shape;
    plan->op_count = 1;
    plan->tensor_count = 2;
    plan->trained = plan->total = (int64_t)shape->inputs * shape->outputs * KERNEL * KERNEL;
    plan->tensors[0] =
        (struct tensor){.channels = shape->inputs, .height = shape->side, .width = shape->side, .border = KERNEL / 2};
    plan->tensors[1] =
        (struct tensor){.channels = shape->outputs, .height = shape->side, .width = shape->side, .buffer = 1};
    plan->ops[0] = (struct op){
        .kind = OP_CONV,
        .output = 1,
        .kernel = KERNEL,
        .stride = 1,
        .channels = shape->outputs,
        .height = shape->side,
        .width = shape->side,
        .needs_input_gradient = {true},
        .weights = {.bias = -1,
                    .gamma = -1,
                    .beta = -1,
                    .mean = -1,
                    .variance = -1,
                    .inputs = shape->inputs,
                    .outputs = shape->outputs,
                    .kernel = KERNEL},
    };
    layer->scratch = new_buffer(backend_cpu()->scratch_bytes(backend_cpu(), plan, &plan->ops[0], BATCH, 1));
    for (int i = 0; i < TENSORS; i++) {
        layer->bytes[i] =
            i >= W ? (size_t)plan->total * sizeof(float) : backend_cpu()->tensor_bytes(tensor_of(layer, i), BATCH);
        layer->values[i] = new_buffer(layer->bytes[i]);
        layer->theirs[i] = new_buffer(layer->bytes[i]);
    }
    fill(layer, X);
    fill(layer, DY);
    fill(layer, W);
    return layer;
}

static void free_layer(struct conv_layer *layer)
{
    for (int i = 0; i < TENSORS; i++) {
        free(layer->values[i]);
        free(layer->theirs[i]);
    }
    free(layer->scratch);
    free(layer);
}

/* --- oneDNN --- */

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t status)
{
    ASSERT(status == dnnl_success);
}

/* One tensor of a pass: in our layout, in oneDNN's, and the reorder between them. */
struct operand {
    enum tensor_kind kind;
    int argument; /* oneDNN's name of it */
    bool output;
    dnnl_memory_t ours, theirs;
    void *buffer;
    dnnl_primitive_t reorder;
    struct times times;
};

enum { OPERANDS = 3, CANDIDATES_MAX = 64 };
struct candidate {
    char name[96];
    dnnl_primitive_t primitive;
    struct operand operands[OPERANDS];
    struct times times;
};

/* What each pass reads and writes, and what oneDNN calls it. */
static const struct operand pass_operands[PASSES][OPERANDS] = {
    [FORWARD] = {{X, DNNL_ARG_SRC, false}, {W, DNNL_ARG_WEIGHTS, false}, {Y, DNNL_ARG_DST, true}},
    [INPUT_GRADIENT] = {{DY, DNNL_ARG_DIFF_DST, false}, {W, DNNL_ARG_WEIGHTS, false}, {DX, DNNL_ARG_DIFF_SRC, true}},
    [WEIGHT_GRADIENT] = {{X, DNNL_ARG_SRC, false}, {DY, DNNL_ARG_DIFF_DST, false}, {DW, DNNL_ARG_DIFF_WEIGHTS, true}},
};

/* Our layout as oneDNN's descriptors have it: 16 images innermost, borders and padding as strides and an offset. */
static dnnl_memory_desc_t our_layout(const struct conv_layer *layer, enum tensor_kind kind)
{
    dnnl_memory_desc_t desc;
    if (kind == W || kind == DW) {
        dnnl_dims_t dims = {layer->shape->outputs, layer->shape->inputs, KERNEL, KERNEL};
        must(dnnl_memory_desc_init_by_tag(&desc, 4, dims, dnnl_f32, dnnl_oihw));
        return desc;
    }
    struct map map = map_of(tensor_of(layer, kind));
    dnnl_dims_t dims = {BATCH, map.channels, map.height, map.width};
    must(dnnl_memory_desc_init_by_tag(&desc, 4, dims, dnnl_f32, dnnl_Abcd16a));
    dnnl_dims_t strides = {(dnnl_dim_t)map.block_stride, (dnnl_dim_t)map.plane, (dnnl_dim_t)map.pitch, BLOCK};
    memcpy(desc.format_desc.blocking.strides, strides, sizeof strides);
    desc.offset0 = (dnnl_dim_t)map_at(&map, 0, 0, 0);
    return desc;
}

struct formats {
    const char *name;
    dnnl_format_tag_t maps, weights;
};
static const struct formats all_formats[] = {
    {"its choice", dnnl_format_tag_any, dnnl_format_tag_any},
    {"nchw", dnnl_nchw, dnnl_format_tag_any},
    {"nhwc", dnnl_nhwc, dnnl_format_tag_any},
    {"nChw8c", dnnl_nChw8c, dnnl_format_tag_any},
};
static const dnnl_alg_kind_t algorithms[] = {dnnl_convolution_direct, dnnl_convolution_winograd};

/* The operation's descriptor; false when oneDNN doesn't support it. */
static bool describe(const struct conv_layer *layer, enum pass_kind pass, const struct formats *formats,
                     dnnl_alg_kind_t algorithm, dnnl_convolution_desc_t *convolution)
{
    const struct shape_case *shape = layer->shape;
    dnnl_dims_t in_dims = {BATCH, shape->inputs, shape->side, shape->side},
                out_dims = {BATCH, shape->outputs, shape->side, shape->side},
                weight_dims = {shape->outputs, shape->inputs, KERNEL, KERNEL}, strides = {1, 1}, pad = {1, 1};
    dnnl_memory_desc_t in, out, weights;
    must(dnnl_memory_desc_init_by_tag(&in, 4, in_dims, dnnl_f32, formats->maps));
    must(dnnl_memory_desc_init_by_tag(&out, 4, out_dims, dnnl_f32, formats->maps));
    must(dnnl_memory_desc_init_by_tag(&weights, 4, weight_dims, dnnl_f32, formats->weights));
    dnnl_status_t status;
    switch (pass) {
    case FORWARD:
        status = dnnl_convolution_forward_desc_init(convolution, dnnl_forward_training, algorithm, &in, &weights, NULL,
                                                    &out, strides, pad, pad);
        break;
    case INPUT_GRADIENT:
        status =
            dnnl_convolution_backward_data_desc_init(convolution, algorithm, &in, &weights, &out, strides, pad, pad);
        break;
    default:
        status = dnnl_convolution_backward_weights_desc_init(convolution, algorithm, &in, &weights, NULL, &out, strides,
                                                             pad, pad);
    }
    return status == dnnl_success;
}

static void make_operand(const struct conv_layer *layer, const_dnnl_primitive_desc_t primitive, struct operand *operand)
{
    dnnl_memory_desc_t ours = our_layout(layer, operand->kind);
    const dnnl_memory_desc_t *theirs =
        dnnl_primitive_desc_query_md(primitive, dnnl_query_exec_arg_md, operand->argument);
    operand->buffer = new_buffer(dnnl_memory_desc_get_size(theirs));
    float *values = operand->output ? layer->theirs[operand->kind] : layer->values[operand->kind];
    must(dnnl_memory_create(&operand->ours, &ours, engine, values));
    must(dnnl_memory_create(&operand->theirs, theirs, engine, operand->buffer));
    dnnl_primitive_desc_t reorder;
    const dnnl_memory_desc_t *from = operand->output ? theirs : &ours, *to = operand->output ? &ours : theirs;
    must(dnnl_reorder_primitive_desc_create(&reorder, from, engine, to, engine, NULL));
    must(dnnl_primitive_create(&operand->reorder, reorder));
    dnnl_primitive_desc_destroy(reorder);
}

static void run_reorder(const struct operand *operand)
{
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, operand->output ? operand->theirs : operand->ours},
                                   {DNNL_ARG_TO, operand->output ? operand->ours : operand->theirs}};
    must(dnnl_primitive_execute(operand->reorder, stream, 2, arguments));
}

static void run_convolution(const struct candidate *candidate)
{
    dnnl_exec_arg_t arguments[OPERANDS];
    for (int i = 0; i < OPERANDS; i++)
        arguments[i] = (dnnl_exec_arg_t){candidate->operands[i].argument, candidate->operands[i].theirs};
    must(dnnl_primitive_execute(candidate->primitive, stream, OPERANDS, arguments));
}

static void free_candidate(struct candidate *candidate)
{
    for (int i = 0; i < OPERANDS; i++) {
        must(dnnl_memory_destroy(candidate->operands[i].ours));
        must(dnnl_memory_destroy(candidate->operands[i].theirs));
        must(dnnl_primitive_destroy(candidate->operands[i].reorder));
        free(candidate->operands[i].buffer);
    }
    must(dnnl_primitive_destroy(candidate->primitive));
    free(candidate);
}

static struct candidate *new_candidate(const struct conv_layer *layer, enum pass_kind pass,
                                       const struct formats *formats, const_dnnl_primitive_desc_t description)
{
    struct candidate *candidate = memory_new(1, sizeof *candidate);
    const char *name;
    must(dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name));
    snprintf(candidate->name, sizeof candidate->name, "%s, %s", name, formats->name);
    must(dnnl_primitive_create(&candidate->primitive, description));
    memcpy(candidate->operands, pass_operands[pass], sizeof candidate->operands);
    for (int i = 0; i < OPERANDS; i++)
        make_operand(layer, description, &candidate->operands[i]);
    return candidate;
}

/* All but its reference code. */
static bool is_fast(const_dnnl_primitive_desc_t description)
{
    const char *name;
    must(dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name));
    return !strstr(name, "ref:any");
}

/* Every implementation for these formats and this algorithm. */
static int find_implementations(const struct conv_layer *layer, enum pass_kind pass, const struct formats *formats,
                                dnnl_alg_kind_t algorithm, struct candidate **candidates, int count)
{
    dnnl_convolution_desc_t wanted, hint_wanted;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_primitive_desc_iterator_t iterator;
    if (!describe(layer, pass, formats, algorithm, &wanted))
        return count;
    if (pass != FORWARD && (!describe(layer, FORWARD, formats, dnnl_convolution_direct, &hint_wanted) ||
                            dnnl_primitive_desc_create(&hint, &hint_wanted, NULL, engine, NULL) != dnnl_success))
        return count;
    if (dnnl_primitive_desc_iterator_create(&iterator, &wanted, NULL, engine, hint) == dnnl_success) {
        do {
            dnnl_primitive_desc_t description = dnnl_primitive_desc_iterator_fetch(iterator);
            if (count < CANDIDATES_MAX && is_fast(description))
                candidates[count++] = new_candidate(layer, pass, formats, description);
            dnnl_primitive_desc_destroy(description);
        } while (dnnl_primitive_desc_iterator_next(iterator) == dnnl_success);
        dnnl_primitive_desc_iterator_destroy(iterator);
    }
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    return count;
}

static int find_candidates(const struct conv_layer *layer, enum pass_kind pass, struct candidate **candidates)
{
    int count = 0;
    for (size_t f = 0; f < COUNT_OF(all_formats); f++)
        for (size_t a = 0; a < COUNT_OF(algorithms); a++)
            count = find_implementations(layer, pass, &all_formats[f], algorithms[a], candidates, count);
    return count;
}

/* --- the comparison --- */

/* Ends the program if the results differ.  Ours has run. */
static void check(const struct conv_layer *layer, const struct candidate *candidate)
{
    for (int i = 0; i < OPERANDS - 1; i++)
        run_reorder(&candidate->operands[i]);
    run_convolution(candidate);
    const struct operand *output = &candidate->operands[OPERANDS - 1];
    run_reorder(output);
    float *ours = read_tensor(layer, output->kind, layer->values[output->kind]),
          *theirs = read_tensor(layer, output->kind, layer->theirs[output->kind]);
    double largest = 0, difference = 0;
    for (int64_t i = 0; i < count_of(layer, output->kind); i++) {
        largest = fmax(largest, fabs((double)ours[i]));
        difference = fmax(difference, fabs((double)ours[i] - (double)theirs[i]));
    }
    free(ours);
    free(theirs);
    if (difference > 1e-3 * largest) {
        fprintf(stderr, "onednn: %s differs from ours by %g of %g\n", candidate->name, difference, largest);
        exit(1);
    }
}

/* Adds the seconds of one turn.  Short calls are repeated, so that reading the clock costs nothing. */
#define TIME(times, repeats, call)                                                                                     \
    do {                                                                                                               \
        double began_ = cpu_seconds();                                                                                 \
        for (int i_ = 0; i_ < (repeats); i_++)                                                                         \
            call;                                                                                                      \
        times_add(times, (cpu_seconds() - began_) / (repeats));                                                        \
    } while (0)

static double reorders_best(struct candidate *candidate)
{
    double seconds = 0;
    for (int i = 0; i < OPERANDS; i++)
        seconds += times_best(&candidate->operands[i].times);
    return seconds;
}

/* Best times of one pass. */
struct outcome {
    double ours, bare, reordered; /* seconds: oneDNN without and with reorders */
    char bare_name[96], reordered_name[96];
};

/* Ours: the pass; for INPUT_GRADIENT also the part of it that is the weight gradient. */
struct our_times {
    struct times whole, besides;
};

static double ours_best(struct our_times *ours)
{
    return times_best(&ours->whole) - times_best(&ours->besides);
}

static void take_turn(struct conv_layer *layer, enum pass_kind pass, struct our_times *ours,
                      struct candidate **candidates, int count, int repeats)
{
    TIME(&ours->whole, repeats, run_ours(layer, pass));
    if (pass == INPUT_GRADIENT)
        TIME(&ours->besides, repeats, run_ours(layer, WEIGHT_GRADIENT));
    for (int i = 0; i < count; i++) {
        TIME(&candidates[i]->times, repeats, run_convolution(candidates[i]));
        for (int j = 0; j < OPERANDS; j++)
            TIME(&candidates[i]->operands[j].times, repeats, run_reorder(&candidates[i]->operands[j]));
    }
}

/* Frees those that are clearly slower after a first turn; returns how many are left. */
static int drop_slow(struct candidate **candidates, int count)
{
    double bare = INFINITY, reordered = INFINITY;
    int left = 0;
    for (int i = 0; i < count; i++) {
        bare = fmin(bare, times_best(&candidates[i]->times));
        reordered = fmin(reordered, times_best(&candidates[i]->times) + reorders_best(candidates[i]));
    }
    for (int i = 0; i < count; i++) {
        double seconds = times_best(&candidates[i]->times);
        if (seconds > 1.3 * bare && seconds + reorders_best(candidates[i]) > 1.3 * reordered)
            free_candidate(candidates[i]);
        else
            candidates[left++] = candidates[i];
    }
    return left;
}

static struct outcome compare(struct conv_layer *layer, enum pass_kind pass, double seconds)
{
    static struct our_times ours;
    struct candidate *candidates[CANDIDATES_MAX];
    struct outcome outcome = {.bare = INFINITY, .reordered = INFINITY};
    run_ours(layer, pass);
    int count = find_candidates(layer, pass, candidates);
    for (int i = 0; i < count; i++)
        check(layer, candidates[i]);
    ours.whole.count = ours.besides.count = 0;
    TIME(&ours.whole, 1, run_ours(layer, pass));
    int repeats = (int)fmax(1, 2e-4 / times_best(&ours.whole));
    take_turn(layer, pass, &ours, candidates, count, repeats);
    count = drop_slow(candidates, count);
    double began = cpu_seconds();
    for (int turn = 0; turn < 5 || cpu_seconds() - began < seconds; turn++)
        take_turn(layer, pass, &ours, candidates, count, repeats);
    outcome.ours = ours_best(&ours);
    for (int i = 0; i < count; i++) {
        double bare = times_best(&candidates[i]->times), reordered = bare + reorders_best(candidates[i]);
        if (bare < outcome.bare) {
            outcome.bare = bare;
            memcpy(outcome.bare_name, candidates[i]->name, sizeof outcome.bare_name);
        }
        if (reordered < outcome.reordered) {
            outcome.reordered = reordered;
            memcpy(outcome.reordered_name, candidates[i]->name, sizeof outcome.reordered_name);
        }
        free_candidate(candidates[i]);
    }
    return outcome;
}

/* OpenMP reads its environment when the program is loaded. */
static void run_on_one_core(char **argv)
{
    if (!getenv("OMP_NUM_THREADS") || strcmp(getenv("OMP_NUM_THREADS"), "1")) {
        setenv("OMP_NUM_THREADS", "1", 1);
        execv("/proc/self/exe", argv);
    }
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)sched_getcpu(), &cores);
    sched_setaffinity(0, sizeof cores, &cores);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;
    if (seconds <= 0) {
        fprintf(stderr, "usage: onednn [SECONDS]    of each pass, in CPU time [0.5]\n");
        return 2;
    }
    run_on_one_core(argv);
    const dnnl_version_t *version = dnnl_version();
    must(dnnl_engine_create(&engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    printf("oneDNN %d.%d.%d, ours by %s; microseconds, 3x3 convolutions, batch %d, one thread\n"
           "%-6s %-14s %-15s %8s %8s %6s %9s %6s  %s\n",
           version->major, version->minor, version->patch, cpu_isa_chosen(), BATCH, "", "convolution", "pass", "ours",
           "oneDNN", "x", "reordered", "x", "oneDNN's fastest, without and with reorders");
    int passes = 0, bare_wins = 0, reordered_wins = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct conv_layer *layer = new_layer(&cases[i]);
        for (enum pass_kind pass = FORWARD; pass < PASSES; pass++) {
            if (pass == INPUT_GRADIENT && cases[i].inputs == 3)
                continue;
            struct outcome o = compare(layer, pass, seconds);
            char name[32];
            snprintf(name, sizeof name, "%d>%d %dx%d", cases[i].inputs, cases[i].outputs, cases[i].side, cases[i].side);
            printf("%-6s %-14s %-15s %8.1f %8.1f %6.2f %9.1f %6.2f  %s%s%s\n", cases[i].networks, name,
                   pass_names[pass], o.ours * 1e6, o.bare * 1e6, o.bare / o.ours, o.reordered * 1e6,
                   o.reordered / o.ours, o.bare_name, strcmp(o.bare_name, o.reordered_name) ? "; " : "",
                   strcmp(o.bare_name, o.reordered_name) ? o.reordered_name : "");
            fflush(stdout);
            passes++;
            bare_wins += o.bare < o.ours;
            reordered_wins += o.reordered < o.ours;
        }
        free_layer(layer);
    }
    printf("of %d passes oneDNN is faster in %d without reorders, in %d with them\n", passes, bare_wins,
           reordered_wins);
    must(dnnl_stream_destroy(stream));
    must(dnnl_engine_destroy(engine));
    return 0;
}
