/*
 * test_devices.c - the GPUs that a list names, on a fake of CUDA with three of them (fake.h).  The order of their PCI
 * addresses is the reverse of the driver's.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/device.h"

#define UUID "GPU-00000000-0000-0000-0000-00000000000"

static int find(const char *list, struct device devices[DEVICES_MAX])
{
    struct error error = {""};
    int count = -1;
    if (devices_find(list, devices, &count, &error))
        fail_msg("%s: %s", list, error.text);
    return count;
}

static void lists_of_gpus(void **state)
{
    static const struct {
        const char *list, *ids; /* of the GPUs among them */
    } rows[] = {
        {"cuda:0", "cuda:0"},
        {"cuda:1", "cuda:1"},
        {"cuda:0,2", "cuda:0 cuda:2"},
        {"cuda:2,0", "cuda:2 cuda:0"},
        {"cuda:" UUID "0", "cuda:2"},
        {"cuda:gpu-00000000-0000-0000-0000-000000000002", "cuda:0"},
        {"cuda:1," UUID "2," UUID "0x2", "cuda:1 cuda:0 cuda:2 cuda:2.1"},
        {"cuda:1x3", "cuda:1 cuda:1.1 cuda:1.2"},
        {"cudax2", "cuda:0 cuda:0.1 cuda:1 cuda:1.1 cuda:2 cuda:2.1"},
        {"cuda", "cuda:0 cuda:1 cuda:2"}, /* each has one gibibyte: room for one trainer */
        {"cpu:1,cuda:0,2x2,cpu:1", "cuda:0 cuda:2 cuda:2.1"},
    };
    static struct device devices[DEVICES_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int count = find(rows[i].list, devices);
        struct text ids = TEXT_EMPTY;
        for (int d = 0; d < count; d++)
            if (devices[d].cuda)
                text_add(&ids, "%s%s", ids.length ? " " : "", devices[d].id);
        assert_string_equal(text_string(&ids), rows[i].ids);
        text_done(&ids);
    }
}

static void a_gpu_says_which_it_is(void **state)
{
    static struct device devices[DEVICES_MAX];
    find("cuda:0x2", devices);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(devices[i].name, "Fake GPU 2, 0000:3e:00.0, " UUID "2");
        assert_string_equal(devices[i].bus, "0000:3e:00.0");
        assert_string_equal(devices[i].uuid, UUID "2");
        assert_int_equal(devices[i].gpu, 0);
        assert_ptr_equal(devices[i].cuda, devices[0].cuda);
    }
}

static void every_message(void **state)
{
    static const char *const rows[][2] = {
        {"cuda:3", "\"3\" is no GPU; there are 3, from cuda:0 on"},
        {"cuda:0,7", "\"7\" is no GPU; there are 3, from cuda:0 on"},
        {"cuda:1.1", "\"1.1\" is no GPU; there are 3, from cuda:0 on"},
        {"cuda:", "no GPU's UUID begins with \"\"; espalier devices --explain has them"},
        {"cuda:GPU-1", "no GPU's UUID begins with \"GPU-1\"; espalier devices --explain has them"},
        {"cuda:GPU-0", "the UUIDs of 3 GPUs begin with \"GPU-0\"; give more of it"},
        {"cuda:0,0", "names cuda:0 twice; cuda:0x2 is two trainers on it"},
        {"cuda,cuda:1", "names cuda:1 twice; cuda:1x2 is two trainers on it"},
        {"cuda:0x0", "\"0\" is not 1 to 16 trainers on a GPU; write for example cuda:0x2"},
        {"cuda:0x17", "\"17\" is not 1 to 16 trainers on a GPU; write for example cuda:0x2"},
        {"cudax", "\"\" is not 1 to 16 trainers on a GPU; write for example cuda:0x2"},
        {"cuda:0x2x3", "\"2x3\" is not 1 to 16 trainers on a GPU; write for example cuda:0x2"},
        {"cpu:1,2", "\"2\" is no device; use auto, cpu, cpu:N for N trainers, cuda or cuda:N"},
        {"cpu:250,cudax3", "more than 256 devices; ask for fewer"},
    };
    static struct device devices[DEVICES_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = {""};
        int count = 77;
        assert_int_equal(devices_find(rows[i][0], devices, &count, &error), -1);
        assert_string_equal(error.text, rows[i][1]);
        assert_int_equal(count, 77);
    }
}

int main(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/fakecuda/espalier-cuda.so", getenv("top_builddir"));
    setenv("ESPALIER_CUDA_MODULE", path, 1);
    setenv("FAKE_CUDA_DEVICES", "3", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_gpus),
        cmocka_unit_test(a_gpu_says_which_it_is),
        cmocka_unit_test(every_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
