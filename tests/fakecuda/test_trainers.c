/*
 * test_trainers.c - searches whose networks train side by side on GPUs that they share, on a fake of CUDA (fake.h).
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bed.h"
#include "sessions/log.h"
#include "tests/engine_bed.h"
#include "tests/pictures.h"

enum { CLASSES = 3, TRAIN = 24, VALIDATE = 8, NETWORKS = 6 };

static const struct fake_cuda *fake;

static int open_module(void **state)
{
    bed_module(&fake);
    return fake ? 0 : -1;
}

static struct evaluator *trainers(const char *list, const struct view *train, const struct view *validate)
{
    static struct device devices[DEVICES_MAX];
    struct error error;
    int count;
    if (devices_find(list, devices, &count, &error))
        fail_msg("%s", error.text);
    return evaluator_local_new(devices, count, PRECISION_F32, train, validate, NULL);
}

/* Small random networks, NETWORKS of them or for some seconds; the state of the finished session, folded from its
   log. */
static struct session_state *search(const char *devices, double seconds)
{
    struct images images;
    struct view all;
    const struct shape input = {1, 6, 6};
    pictures_draw(input, CLASSES, TRAIN + VALIDATE, 80, 3, &images, &all);
    struct view train = all, validate = all;
    train.count = TRAIN;
    validate.count = VALIDATE;
    validate.index = all.index + TRAIN;
    struct search_options options = bed_options();
    struct error error, warning = {""};
    options.networks = seconds > 0 ? 0 : NETWORKS;
    options.seconds = seconds;
    options.epochs = options.start_epochs = 1;
    options.batch = 8;
    options.deeper = 1;
    assert_int_equal(options_set(&options, "start", "C(4,3,1) A(2,2) SM(3)", &error), 0);
    struct search_data data = {
        .input = input, .classes = CLASSES, .train_images = TRAIN, .validation_images = VALIDATE, .hash = images.hash};
    struct evaluator *evaluator = trainers(devices, &train, &validate);
    struct engine *engine;
    char *folder = scratch_new(), *path = bed_path(folder, "a");
    if (engine_create(&options, path, &data, evaluator, &engine, &error) || engine_run(engine, &error))
        fail_msg("%s", error.text);
    engine_free(engine);
    evaluator->kind->free(evaluator);
    struct session_state *session;
    assert_int_equal(session_load(path, &session, &warning, &error), 0);
    scratch_remove(folder);
    free(folder);
    free(path);
    pictures_done(&images, &all);
    if (!(seconds > 0))
        assert_int_equal(session->status_count[NODE_DONE], NETWORKS);
    return session;
}

static void a_gpu_prefers_bf16(void **state)
{
    struct device devices[DEVICES_MAX];
    struct error error;
    int count;
    assert_int_equal(devices_find("cuda:0x1,cpu:1", devices, &count, &error), 0);
    assert_string_equal(device_backend(&devices[0], PRECISION_AUTO, &error)->name, "cuda bf16");
    assert_string_equal(device_backend(&devices[0], PRECISION_F32, &error)->name, "cuda f32");
    assert_int_equal(device_backend(&devices[1], PRECISION_AUTO, &error)->precision, PRECISION_F32);
}

static int streams(void)
{
    struct fake_counts counts;
    fake->counts(&counts);
    return counts.streams;
}

/* A trial reserves 2 × 264 MiB of workspace, and memory for its network: there is room for one trial. */
static void one_after_the_other_where_memory_is_short(void **state)
{
    fake->set_memory(500 << 20);
    int before = streams();
    struct session_state *session = search("cuda:1x3", 0);
    assert_int_equal(session->failure_count, 0);
    assert_int_equal(session->device_count, 3);
    /* Of a network in training and of the one that evaluates it, used by one trial after the other. */
    assert_int_equal(streams(), before + 2);
    session_state_free(session);
}

static void side_by_side_where_there_is_room(void **state)
{
    fake->set_memory((size_t)2 << 30);
    struct session_state *session = search("cuda:0x3", 0);
    int used = 0;
    assert_int_equal(session->failure_count, 0);
    for (int d = 0; d < session->device_count; d++)
        for (int64_t i = 0; i < session->node_count; i++)
            if (!strcmp(session->nodes[i]->device, session->devices[d].id)) {
                used++;
                break;
            }
    assert_in_range(used, 2, 3);
    session_state_free(session);
}

/* A second trainer of a GPU gets a network only when every GPU has one. */
static void another_gpu_before_a_place_beside(void **state)
{
    fake->set_memory((size_t)2 << 30);
    struct session_state *session = search("cuda:0x3,1x3", 0);
    assert_string_equal(session->nodes[1]->device, "cuda:0");
    assert_string_equal(session->nodes[2]->device, "cuda:1");
    assert_string_equal(session->nodes[3]->device, "cuda:0.1");
    session_state_free(session);
}

/* The time is up while one trainer trains and two wait for memory: all of them stop. */
static void who_waits_can_be_stopped(void **state)
{
    fake->set_memory(500 << 20);
    struct session_state *session = search("cuda:1x3", 0.5);
    assert_int_equal(session->finish_reason.value, FINISH_BUDGET);
    assert_int_equal(session->status_count[NODE_RUNNING], 0);
    assert_int_equal(session->status_count[NODE_FAILED], 0);
    session_state_free(session);
}

/* --- lost devices, each in a process of its own --- */

enum { LAUNCH_FAILED = 719 };

static void in_a_child(int (*test)(void))
{
    pid_t child = fork();
    if (!child)
        _exit(test());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int lose_one_of_two(void)
{
    fake->fail_at(fake->calls() + 300, LAUNCH_FAILED);
    struct session_state *session = search("cuda:0x2,1", 0);
    if (!fake->failures() || !session->failure_count)
        return 1;
    const struct session_device *devices = session->devices;
    if (session->device_count != 3 || devices[0].lost != devices[1].lost || devices[0].lost == devices[2].lost)
        return 2; /* one GPU is lost with all its trainers, and the CPU isn't used */
    return 0;
}

static void what_one_gpu_loses_another_trains(void **state)
{
    in_a_child(lose_one_of_two);
}

static int lose_the_only_one(void)
{
    fake->fail_at(fake->calls() + 300, LAUNCH_FAILED);
    struct session_state *session = search("cuda:1x2", 0);
    bool processor = false;
    if (!fake->failures())
        return 1;
    for (int64_t i = 0; i < session->node_count; i++)
        processor |= strstr(session->nodes[i]->device, "cpu(cuda:1") != NULL;
    if (!processor || !session->devices[0].lost || !session->devices[1].lost)
        return 2;
    return 0;
}

static void the_processor_when_none_is_left(void **state)
{
    in_a_child(lose_the_only_one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpu_prefers_bf16),
        cmocka_unit_test(one_after_the_other_where_memory_is_short),
        cmocka_unit_test(side_by_side_where_there_is_room),
        cmocka_unit_test(another_gpu_before_a_place_beside),
        cmocka_unit_test(who_waits_can_be_stopped),
        cmocka_unit_test(what_one_gpu_loses_another_trains),
        cmocka_unit_test(the_processor_when_none_is_left),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
