/*
 * test_cudnn.c - real cuDNN, without a device: it has a plan for every convolution of the recorded searches and of the
 * benchmark's networks, on GPUs that are described to it.
 *
 * The test shows that cuDNN accepts the descriptors that the backend makes (the module's own convolution.c and
 * layout.c), that its heuristics propose a suitable engine, and that a plan within the bound of workspace is finalised.
 * It doesn't show that the plan runs, or what it computes.  Nothing here calls the driver.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/layout.h"
#include "sessions/log.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/text.h"

enum { BATCH = 64, NETWORKS_MAX = 512, DESCRIPTION_MAX = 1024 };

/* Values of the runtime's device attributes. */
static const struct described {
    const char *name;
    int version, processors, clock, memory_clock, threads_per_processor, blocks_per_processor;
    int64_t shared, shared_reserved, cache, memory;
} devices[] = {
    {"NVIDIA A100-SXM4-40GB", 800, 108, 1410000, 1215000, 2048, 32, 166912, 1024, 41943040, 42298834944},
    {"NVIDIA H100 80GB HBM3", 900, 132, 1980000, 2619000, 2048, 32, 232448, 1024, 52428800, 84942979072},
    {"Tesla T4", 750, 40, 1590000, 5001000, 1024, 16, 65536, 0, 4194304, 15655829504},
};

/* The names are cuDNN's; it needs all of them. */
static void describe(const struct described *device, char text[DESCRIPTION_MAX])
{
    snprintf(text, DESCRIPTION_MAX,
             "{\"deviceName\": \"%s\", \"deviceVer\": %d, \"driverVer\": 13000, \"cudaDeviceId\": 0, "
             "\"multiProcessorCount\": %d, \"smClockRateKHz\": %d, \"memClockRateKHz\": %d, \"maxThreadsPerSM\": %d, "
             "\"maxCtasPerSM\": %d, \"maxSharedMemoryPerBlockOptin\": %lld, \"reservedSharedMemoryPerBlock\": %lld, "
             "\"l2CacheSize\": %lld, \"totalGlobalMem\": %lld, \"maxGridSize\": [2147483647, 65535, 65535], "
             "\"maxBlockSize\": [1024, 1024, 64], \"maxThreadsPerBlock\": 1024, \"regsPerBlock\": 65536, "
             "\"maxRegistersPerSM\": 65536, \"maxSharedMemoryPerBlock\": 49152, \"warpSize\": 32, \"pciDeviceId\": 0, "
             "\"isTccDriver\": 0, \"supportCoopLaunch\": 1}",
             device->name, device->version, device->processors, device->clock, device->memory_clock,
             device->threads_per_processor, device->blocks_per_processor, (long long)device->shared,
             (long long)device->shared_reserved, (long long)device->cache, (long long)device->memory);
}

static struct conv_device *target_of(const struct described *device)
{
    char text[DESCRIPTION_MAX], why[512];
    cudnnStatus_t status;
    describe(device, text);
    struct conv_device *target = conv_device_new(NULL, text, &status);
    cudnnGetLastErrorString(why, sizeof why);
    if (!target)
        fail_msg("cuDNN can't be told of %s: %s (%s)", device->name, cudnnGetErrorString(status), why);
    return target;
}

/* --- networks --- */

static struct networks {
    struct plan *plans[NETWORKS_MAX];
    int count, recorded;
} networks;

static void add_network(const char *notation, struct shape input)
{
    struct arch arch;
    struct error error;
    struct plan_options options = {0};
    if (arch_parse(&arch, notation, &error))
        fail_msg("%s", error.text);
    assert_true(networks.count < NETWORKS_MAX);
    struct plan *plan = networks.plans[networks.count++] = memory_new(1, sizeof *plan);
    plan_lower(&arch, input, &options, plan);
}

static void add_session(const char *name)
{
    struct session_state *session;
    struct error error, warning;
    struct shape input;
    char *folder;
    if (session_find(name, &folder, &error) || session_load(folder, &session, &warning, &error))
        fail_msg("%s", error.text);
    assert_int_equal(sscanf(session->facts.input, "%d,%d,%d", &input.channels, &input.height, &input.width), 3);
    for (int64_t i = 0; i < session->node_count; i++)
        add_network(session->nodes[i]->facts.arch, input);
    session_state_free(session);
    free(folder);
}

/* The recorded searches; TINY to BIG, MOBILE and RES of bench/train.c; the dense start network of the paper; strides, kernels of 5 and
   widths that no benchmark has. */
static int collect_networks(void **state)
{
    add_session("fashion-mnist");
    add_session("cifar10");
    add_session("cifar10-dense");
    networks.recorded = networks.count;
    static const struct shape cifar = {3, 32, 32};
    static const char *const more[] = {
        "C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) P(2,2) C(4,3,1) A(4,4) FC(8) SM(10)",
        "C(16,3,1) P(2,2) C(32,3,1) P(2,2) C(64,3,1) P(2,2) C(128,3,1) A(4,4) FC(256) SM(10)",
        "C(32,3,1) C(32,3,1) P(2,2) C(64,3,1) C(64,3,1) P(2,2) C(128,3,1) C(128,3,1) P(2,2) C(192,3,1) C(192,3,1) "
        "A(4,4) FC(256) SM(10)",
        "C(64,3,1) C(64,3,1) C(64,3,1) C(64,3,1) P(2,2) C(128,3,1) C(128,3,1) C(128,3,1) C(128,3,1) P(2,2) "
        "C(256,3,1) C(256,3,1) C(256,3,1) C(256,3,1) P(2,2) C(256,3,1) C(256,3,1) C(256,3,1) A(4,4) FC(512) SM(10)",
        "C(80,3,1) D(4,[40,40,40,40,40,40]) T(0.5) D(4,[40,40,40,40,40,40]) T(0.5) D(4,[40,40,40,40,40,40]) A(8,8) "
        "SM(10)",
        "C(8,3,1) D(4,[4,4,4,4]) T(0.5) D(4,[4,12,4,4]) A(16,16) SM(10)",
        "C(5,5,2) C(13,1,1) C(40,5,1) P(2,2) C(640,3,1) C(7,3,2) A(2,2) FC(80) SM(10)",
        "C(16,3,1) M(48,3) S(32,3,2) M(96,3) S(64,3,2) M(192,3) S(96,3,1) M(288,3) A(8,8) SM(10)",
        "C(16,3,1) R(16,3) C(32,3,2) R(32,3) C(64,3,2) R(64,3) A(8,8) SM(10)",
    };
    for (size_t i = 0; i < COUNT_OF(more); i++)
        add_network(more[i], cifar);
    return 0;
}

static int drop_networks(void **state)
{
    for (int i = 0; i < networks.count; i++)
        free(networks.plans[i]);
    return 0;
}

/* --- plans --- */

static const char *const directions[CONV_DIRECTIONS] = {"forward", "data gradient", "filter gradient"};
static const char *const types[STORAGES] = {"float32", "bfloat16", "float16"};

static void fail_for(const struct described *device, const struct conv_shape *shape, enum conv_direction direction,
                     cudnnStatus_t status)
{
    char why[512];
    cudnnGetLastErrorString(why, sizeof why);
    fail_msg("%s, %s of %s: %d × %d × %d, %d filters of %d by %d: %s (%s)", device->name, directions[direction],
             types[shape->storage], shape->inputs, shape->height, shape->width, shape->outputs, shape->kernel,
             shape->stride, cudnnGetErrorString(status), why);
}

/* Find plans for every convolution of a network, as context.c does.  Returns their number. */
static int64_t plan_network(const struct described *device, const struct conv_device *target, struct conv_plans *plans,
                            const struct plan *network, bool training, enum storage storage, int64_t most)
{
    int64_t asked = 0;
    for (int i = 0; i < network->op_count; i++)
        for (enum conv_direction direction = 0; direction < CONV_DIRECTIONS; direction++) {
            if (!conv_is_needed(&network->ops[i], direction, training))
                continue;
            const struct conv_plan *plan = NULL;
            struct conv_shape shape = conv_shape_of(network, &network->ops[i], BATCH, storage);
            cudnnStatus_t status = conv_plans_find(plans, target, &shape, direction, most, &plan);
            if (status != CUDNN_STATUS_SUCCESS)
                fail_for(device, &shape, direction, status);
            assert_true(plan->workspace >= 0 && plan->workspace <= most);
            asked++;
        }
    return asked;
}

/* In float32, and in the type that the device multiplies fast. */
static void every_convolution_has_a_plan(void **state)
{
    const struct described *device = *state;
    struct conv_device *target = target_of(device);
    const enum storage storages[] = {STORAGE_F32, device->version >= 800 ? STORAGE_BF16 : STORAGE_F16};
    for (size_t s = 0; s < COUNT_OF(storages); s++) {
        struct conv_plans plans = {0};
        int64_t asked = 0, workspace = 0, fallbacks = 0;
        for (int i = 0; i < networks.count; i++)
            for (int training = 0; training < 2; training++)
                asked +=
                    plan_network(device, target, &plans, networks.plans[i], training, storages[s], CONV_WORKSPACE_MOST);
        for (size_t i = 0; i < plans.count; i++) {
            workspace = plans.items[i]->workspace > workspace ? plans.items[i]->workspace : workspace;
            fallbacks += plans.items[i]->fallback;
        }
        char size[TEXT_SHORT];
        print_message(
            "# %s, %s: %lld convolutions of %d networks (%d of recorded searches), %zu plans, workspace up to %s, %lld "
            "from the fallback\n",
            device->name, types[storages[s]], (long long)asked, networks.count, networks.recorded, plans.count,
            text_bytes(size, (double)workspace), (long long)fallbacks);
        assert_int_equal(fallbacks, 0); /* the heuristics' list is read to its end */
        assert_true(asked > 3 * networks.recorded && plans.count > 100);
        conv_plans_done(&plans);
    }
    conv_device_free(target);
}

/* Without workspace cuDNN has another plan, or says that it isn't supported; the backend reports that as no memory. */
static void no_workspace_is_a_plan_or_not_supported(void **state)
{
    const struct described *device = &devices[0];
    struct conv_device *target = target_of(device);
    struct conv_plans plans = {0};
    int64_t without = 0, refused = 0;
    for (int n = 0; n < networks.count; n++)
        for (int i = 0; i < networks.plans[n]->op_count; i++)
            for (enum conv_direction direction = 0; direction < CONV_DIRECTIONS; direction++) {
                if (!conv_is_needed(&networks.plans[n]->ops[i], direction, true))
                    continue;
                const struct conv_plan *plan = NULL;
                struct conv_shape shape =
                    conv_shape_of(networks.plans[n], &networks.plans[n]->ops[i], BATCH, STORAGE_F32);
                cudnnStatus_t status = conv_plans_find(&plans, target, &shape, direction, 0, &plan);
                if (status == CUDNN_STATUS_SUCCESS ? plan->workspace != 0
                                                   : CUDNN_STATUS_CATEGORY(status) != CUDNN_STATUS_NOT_SUPPORTED)
                    fail_for(device, &shape, direction, status);
                without += status == CUDNN_STATUS_SUCCESS;
                refused += status != CUDNN_STATUS_SUCCESS;
            }
    print_message("# %s, float32, no workspace at all: %lld convolutions have a plan, %lld don't\n", device->name,
                  (long long)without, (long long)refused);
    conv_plans_done(&plans);
    conv_device_free(target);
}

/* A plan as cuDNN writes it: engine and settings.  Two runs of one search must get the same. */
static char *written_plan(const struct described *device, const struct conv_shape *shape, enum conv_direction direction)
{
    struct conv_device *target = target_of(device);
    struct conv_plan *plan = NULL;
    cudnnStatus_t status = conv_plan_new(target, shape, direction, CONV_WORKSPACE_MOST, &plan);
    if (status != CUDNN_STATUS_SUCCESS)
        fail_for(device, shape, direction, status);
    int64_t length = 0;
    assert_int_equal(cudnnBackendGetAttribute(plan->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                              CUDNN_TYPE_CHAR, 0, &length, NULL),
                     CUDNN_STATUS_SUCCESS);
    char *text = memory_new((size_t)length + 1, 1);
    assert_int_equal(cudnnBackendGetAttribute(plan->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                              CUDNN_TYPE_CHAR, length, &length, text),
                     CUDNN_STATUS_SUCCESS);
    conv_plan_free(plan);
    conv_device_free(target);
    return text;
}

static void same_engine_each_time(void **state)
{
    static const struct conv_shape shape = {BATCH, 16, 32, 16, 16, 16, 16, 3, 1, 16, 32, STORAGE_F32};
    for (enum conv_direction direction = 0; direction < CONV_DIRECTIONS; direction++) {
        char *first = written_plan(&devices[0], &shape, direction),
             *second = written_plan(&devices[0], &shape, direction);
        char *other = written_plan(&devices[2], &shape, direction);
        assert_non_null(strstr(first, "engine"));
        assert_string_equal(first, second);
        assert_string_not_equal(first, other);
        free(first);
        free(second);
        free(other);
    }
}

/* An impossible plan is a status, and the device can be used afterwards: bfloat16 on a T4, which has float16 only; a
   filter that doesn't fit its map; an incomplete description of a device. */
static void refusals_are_a_status(void **state)
{
    struct conv_shape shape = {BATCH, 16, 32, 16, 16, 16, 16, 3, 1, 16, 32, STORAGE_BF16};
    struct conv_device *target = target_of(&devices[2]);
    for (enum conv_direction direction = 0; direction < CONV_DIRECTIONS; direction++) {
        struct conv_plan *plan = NULL;
        assert_int_not_equal(conv_plan_new(target, &shape, direction, CONV_WORKSPACE_MOST, &plan),
                             CUDNN_STATUS_SUCCESS);
        struct conv_shape wrong = shape;
        wrong.storage = STORAGE_F16;
        wrong.out_height = 15;
        assert_int_not_equal(conv_plan_new(target, &wrong, direction, CONV_WORKSPACE_MOST, &plan),
                             CUDNN_STATUS_SUCCESS);
        wrong.out_height = 16;
        assert_null(plan);
        assert_int_equal(conv_plan_new(target, &wrong, direction, CONV_WORKSPACE_MOST, &plan), CUDNN_STATUS_SUCCESS);
        conv_plan_free(plan);
    }
    conv_device_free(target);
    cudnnStatus_t status;
    assert_null(conv_device_new(NULL, "{\"deviceVer\": 800}", &status));
    assert_int_not_equal(status, CUDNN_STATUS_SUCCESS);
}

int main(void)
{
#define ON(test, i)                                                                                                    \
    {                                                                                                                  \
#test " on " #i, test, NULL, NULL, (void *)&devices[i]                                                         \
    }
    const struct CMUnitTest tests[] = {
        ON(every_convolution_has_a_plan, 0),     ON(every_convolution_has_a_plan, 1),
        ON(every_convolution_has_a_plan, 2),     cmocka_unit_test(no_workspace_is_a_plan_or_not_supported),
        cmocka_unit_test(same_engine_each_time), cmocka_unit_test(refusals_are_a_status),
    };
    return cmocka_run_group_tests_name("plans of real cuDNN", tests, collect_networks, drop_networks);
}
