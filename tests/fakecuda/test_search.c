/*
 * test_search.c - whole searches on four GPUs of the fake (fake.h): accuracies are those of the CPU backend, and no
 * network is lost when a call of CUDA, cuDNN or cuBLAS fails.
 *
 * Each search runs in a process of its own: it finds its devices anew, and a crash or a hang ends only that search.
 * Parents and proposals depend on the seed alone (policy random, parent start), so that all searches of one size have
 * the same networks.
 *
 * Each function of the three libraries fails in its first, a middle and its last call of a small search.  With
 * ESPALIER_TEST_LONG every call fails in turn, with errors of every kind by turns, from ESPALIER_TEST_SEED on; a value
 * above 1 is the number of networks.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bed.h"
#include "tests/engine_bed.h"
#include "tests/pictures.h"
#include "util/bug.h"
#include "util/file.h"

enum { CLASSES = 3, TRAIN = 24, VALIDATION = 16, BATCH = 8, NETWORKS = 20, FEW_NETWORKS = 4, HANGS_AFTER = 120 };
static const struct shape input = {1, 6, 6};
static const char each_gpu[] = "cuda", twice_two[] = "cuda:0x2,1x2";

/* How the process of a search ends. */
enum ending {
    ENDED,
    NOT_REACHED, /* as ENDED, but the call that was to fail was never made */
    REFUSED,     /* no device was found; the reason is on standard error */
    LEFT_BEHIND, /* objects are left on the devices */
    WENT_WRONG
};

struct failure {
    const char *list;     /* of devices */
    const char *function; /* NULL: any */
    int64_t call;         /* 0: none fails */
    int status;
};

static struct {
    struct images images;
    struct view train, validate;
} data;

static int draw_data(void **state)
{
    setenv("FAKE_CUDA_DEVICES", "4", 1);
    setenv("FAKE_CUDA_WORKSPACE", "10000", 1);
    pictures_draw(input, CLASSES, TRAIN + VALIDATION, 80, 5, &data.images, &data.train);
    data.validate = data.train;
    data.train.count = TRAIN;
    data.validate.count = VALIDATION;
    data.validate.index += TRAIN;
    return 0;
}

static int drop_data(void **state)
{
    pictures_done(&data.images, &data.train);
    return 0;
}

static struct search_options options_for(int networks)
{
    struct search_options options = bed_options();
    strcpy(options.start, "C(4,3,1) P(2,2) A(3,3) FC(8) SM(3)");
    options.parent = PARENT_START;
    options.networks = networks;
    options.epochs = options.start_epochs = 1;
    options.batch = BATCH;
    options.wider = 2; /* with 1 there are too few actions */
    options.limit_flops = 1000000;
    return options;
}

/* --- one search, in its own process --- */

static int search(const char *path, const char *list, int networks)
{
    static struct device devices[DEVICES_MAX];
    struct search_options options = options_for(networks);
    struct search_data facts = {input, CLASSES, TRAIN, VALIDATION, data.images.hash, .speed = 0};
    struct engine *engine;
    struct error error;
    int count;
    if (devices_find(list, devices, &count, &error)) {
        fprintf(stderr, "# %s\n", error.text);
        return REFUSED;
    }
    struct evaluator *evaluator = evaluator_local_new(devices, count, PRECISION_F32, &data.train, &data.validate, NULL);
    int failed = engine_create(&options, path, &facts, evaluator, &engine, &error);
    if (!failed) {
        failed = engine_run(engine, &error);
        engine_free(engine);
    }
    evaluator->kind->free(evaluator);
    if (failed)
        fprintf(stderr, "# %s\n", error.text);
    return failed ? WENT_WRONG : ENDED;
}

static int search_on_gpus(const char *path, const char *list, int networks, const struct failure *failure,
                          const char *tally)
{
    const struct fake_cuda *fake;
    if (!bed_module(&fake) || !fake)
        return WENT_WRONG;
    fake->fail_function(failure->function, failure->call, failure->status);
    int ending = search(path, list, networks);
    if (tally) {
        struct fake_function functions[FAKE_FUNCTIONS_MAX];
        int count = fake->functions(functions);
        struct text text = TEXT_EMPTY;
        for (int i = 0; i < count; i++)
            text_add(&text, "%s %lld\n", functions[i].name, (long long)functions[i].calls);
        FILE *file = fopen(tally, "w");
        fputs(text_string(&text), file);
        fclose(file);
        text_done(&text);
    }
    if (ending == ENDED && failure->call && !fake->failures())
        ending = NOT_REACHED;
    fake->heal();
    fake->drop_idle();
    struct fake_counts alive, none = {0};
    fake->counts(&alive);
    if (memcmp(&alive, &none, sizeof none) == 0)
        return ending;
    fprintf(
        stderr, "# alive: %d allocations, %d pinned, %d streams, %d events, %d graphs, %d handles, %d descriptors\n",
        alive.allocations, alive.pinned, alive.streams, alive.events, alive.graphs, alive.handles, alive.descriptors);
    return LEFT_BEHIND;
}

/* Run a search in a new process.  Returns how it ended, or -1 with a line when it was killed. */
static int in_process(const char *path, const char *list, int networks, const struct failure *failure,
                      const char *tally)
{
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        alarm(HANGS_AFTER);
        exit(strncmp(list, "cuda", 4) == 0 ? search_on_gpus(path, list, networks, failure, tally)
                                           : search(path, list, networks));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "# the search was ended by signal %d%s\n", WTERMSIG(status),
            WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    return -1;
}

/* --- what came of it --- */

static struct session_state *load(const char *path)
{
    struct session_state *session;
    struct error error, warning;
    if (session_load(path, &session, &warning, &error))
        fail_msg("%s", error.text);
    return session;
}

/* NULL when the networks are the same, all are trained, and their results agree, up to one image. */
static const char *differs(const struct session_state *expected, const struct session_state *got)
{
    static char text[256];
    if (!got->finished || got->node_count != expected->node_count)
        return "it has other networks, or no end";
    for (int64_t i = 0; i < got->node_count; i++) {
        const struct session_node *a = expected->nodes[i], *b = got->nodes[i];
        const char *what = strcmp(a->facts.arch, b->facts.arch)                       ? "is another one"
                           : b->status != NODE_DONE                                   ? "has no result"
                           : !(fabs(a->loss - b->loss) <= 1e-3 * a->loss)             ? "has another loss"
                           : !(fabs(a->accuracy - b->accuracy) <= 1.001 / VALIDATION) ? "has another accuracy"
                                                                                      : NULL;
        if (what) {
            snprintf(text, sizeof text, "network %lld %s: %g, %g and not %g, %g %s", (long long)i + 1, what, b->loss,
                     b->accuracy, a->loss, a->accuracy, b->failure ? b->failure : "");
            return text;
        }
    }
    return NULL;
}

static bool used_devices(const struct session_state *session, int wanted)
{
    bool used[4] = {false};
    for (int64_t i = 0; i < session->node_count; i++) {
        int number;
        if (session->nodes[i]->device && sscanf(session->nodes[i]->device, "cuda:%d", &number) == 1 && number < 4)
            used[number] = true;
    }
    return used[0] + used[1] + used[2] + used[3] == wanted;
}

/* --- tests --- */

/* The search on the CPU, which all others are compared with. */
static struct session_state *reference(const char *folder, int networks)
{
    char *path = bed_path(folder, "processor");
    assert_int_equal(in_process(path, "cpu:1", networks, NULL, NULL), ENDED);
    struct session_state *session = load(path);
    assert_int_equal(session->status_count[NODE_DONE], networks);
    free(path);
    return session;
}

static void accuracies_are_the_processors(void **state)
{
    char *folder = scratch_new(), *path = bed_path(folder, "gpus");
    struct session_state *expected = reference(folder, NETWORKS);
    static const struct failure none[] = {{.list = each_gpu}, {.list = twice_two}};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        assert_int_equal(in_process(path, none[i].list, NETWORKS, &none[i], NULL), ENDED);
        struct session_state *got = load(path);
        const char *difference = differs(expected, got);
        if (difference)
            fail_msg("%s: %s", none[i].list, difference);
        assert_int_equal(got->failure_count, 0);
        assert_true(used_devices(got, i ? 2 : 4));
        session_state_free(got);
        scratch_remove(path);
    }
    session_state_free(expected);
    scratch_remove(folder);
    free(folder);
    free(path);
}

/* When one of these calls fails, which look for devices, a device that was asked for may not be found. */
static bool may_refuse(const struct failure *failure)
{
    if (!failure->function)
        return failure->call <= 5;
    return strcmp(failure->function, "cudaGetDeviceCount") == 0 ||
           strcmp(failure->function, "cudaGetDeviceProperties") == 0;
}

/* Run a search in which one call fails.  True when the call was made. */
static bool fail_once(const char *folder, const struct session_state *expected, const struct failure *failure)
{
    char *path = bed_path(folder, "failing");
    int ending = in_process(path, failure->list, (int)expected->node_count, failure, NULL);
    struct session_state *got = ending == ENDED || ending == NOT_REACHED ? load(path) : NULL;
    const char *difference = got ? differs(expected, got) : NULL;
    if (difference || (!got && !(ending == REFUSED && may_refuse(failure))))
        fail_msg("call %lld of %s fails with %d: the search ended with %d; %s", (long long)failure->call,
                 failure->function ? failure->function : "all", failure->status, ending, difference ? difference : "");
    if (got) /* a lost device may have two trainers */
        assert_true(got->failure_count <= 1 + (failure->list != each_gpu));
    session_state_free(got);
    scratch_remove(path);
    free(path);
    return ending != NOT_REACHED;
}

static int read_tally(const char *tally, struct fake_function functions[FAKE_FUNCTIONS_MAX])
{
    static char names[FAKE_FUNCTIONS_MAX][64];
    FILE *file = fopen(tally, "r");
    long long calls;
    int count = 0;
    assert_non_null(file);
    while (fscanf(file, "%63s %lld", names[count], &calls) == 2) {
        functions[count] = (struct fake_function){names[count], calls};
        count++;
    }
    fclose(file);
    return count;
}

/* The functions that a search calls when nothing fails. */
static int tally_calls(const char *folder, int networks, struct fake_function functions[FAKE_FUNCTIONS_MAX])
{
    char *path = bed_path(folder, "tally"), file[4096];
    static const struct failure none = {.list = each_gpu};
    snprintf(file, sizeof file, "%s/tally", folder);
    assert_int_equal(in_process(path, none.list, networks, &none, file), ENDED);
    free(path);
    return read_tally(file, functions);
}

/* Out of memory; an invalid argument; an illegal address and a failed launch, which lose the device. */
static const int statuses[] = {2, 1, 700, 719};

/* An error at the first and the last call of a function is not sticky; one at the middle call loses the device. */
static int status_for(int function, int place)
{
    return statuses[place == 1 ? 2 + function % 2 : (function + place / 2) % 2];
}

static void no_failing_call_costs_a_network(void **state)
{
    char *folder = scratch_new();
    struct session_state *expected = reference(folder, FEW_NETWORKS);
    struct fake_function functions[FAKE_FUNCTIONS_MAX];
    int count = tally_calls(folder, FEW_NETWORKS, functions), searches = 0, reached = 0;
    for (int i = 0; i < count; i += SANITIZED ? 2 : 1) {
        const int64_t calls[] = {1, functions[i].calls / 2, functions[i].calls};
        for (int place = 0; place < (SANITIZED ? 1 : 3); place++) {
            int c = SANITIZED ? i / 2 % 3 : place;
            if (calls[c] < 1 || (place && calls[c] <= calls[c - 1]))
                continue;
            struct failure failure = {searches / 2 % 2 ? twice_two : each_gpu, functions[i].name, calls[c],
                                      status_for(i, c)};
            bool made = fail_once(folder, expected, &failure);
            assert_true(made || c); /* which network runs on which device varies, and so does the number of calls */
            searches++;
            reached += made;
        }
    }
    print_message("# %d functions, %d searches, in %d of them the call was made and failed\n", count, searches,
                  reached);
    assert_true(reached * 10 >= searches * 8);
    session_state_free(expected);
    scratch_remove(folder);
    free(folder);
}

static void not_even_one_of_all_calls(void **state)
{
    const char *extent = getenv("ESPALIER_TEST_LONG"), *seed = getenv("ESPALIER_TEST_SEED");
    if (!extent)
        skip();
    char *folder = scratch_new();
    struct session_state *expected = reference(folder, atoi(extent) > 1 ? atoi(extent) : FEW_NETWORKS);
    int searches = 0, missed = 0;
    for (int first = seed ? atoi(seed) : 0; missed < 10; searches++) {
        struct failure failure = {each_gpu, NULL, searches + 1, statuses[(first + searches) % (int)COUNT_OF(statuses)]};
        missed += !fail_once(folder, expected, &failure);
        if (failure.call % 500 == 0)
            print_message("# call %lld has failed\n", (long long)failure.call);
    }
    print_message("# each of %d calls of a search of %lld networks failed, one a search\n", searches - missed,
                  (long long)expected->node_count);
    session_state_free(expected);
    scratch_remove(folder);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accuracies_are_the_processors),
        cmocka_unit_test(no_failing_call_costs_a_network),
        cmocka_unit_test(not_even_one_of_all_calls),
    };
    return cmocka_run_group_tests_name("a search on four fake GPUs", tests, draw_data, drop_data);
}
