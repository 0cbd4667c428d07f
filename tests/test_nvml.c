/*
 * test_nvml.c - readings of GPUs, from a fake of NVIDIA's management library (tests/fakecuda/nvml.c).
 */
#include "config.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/device_internal.h"

/* Later the library is found by its name: it is loaded already. */
static int load_fake(void **state)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/fakecuda/libnvidia-ml.so.1", getenv("top_builddir"));
    setenv("FAKE_NVML", "", 1);
    if (!dlopen(path, RTLD_NOW | RTLD_LOCAL))
        fail_msg("%s", dlerror());
    return 0;
}

static void the_fake_is_found(void **state)
{
    struct error error = {""};
    if (!nvml_open(&error))
        fail_msg("%s", error.text);
}

static void every_reading(void **state)
{
    struct device_sample sample;
    setenv("FAKE_NVML", "0000:40:00.0 7 1 2 30 50 900;0000:3f:00.0 94 11500 81559 61 402.5 1980", 1);
    nvml_sample("0000:3f:00.0", "GPU-1fd0", &sample);
    assert_int_equal(sample.valid,
                     DEVICE_UTILISATION | DEVICE_MEMORY | DEVICE_TEMPERATURE | DEVICE_POWER | DEVICE_CLOCK);
    assert_true(sample.utilisation == 0.94);
    assert_true(sample.memory_used == 11500 * 0x1p20 && sample.memory_total == 81559 * 0x1p20);
    assert_true(sample.temperature == 61 && sample.power == 402.5 && sample.clock == 1980e6);
}

static void what_a_board_does_not_have_is_left_out(void **state)
{
    static const struct {
        const char *text;
        unsigned valid;
    } rows[] = {
        {"b - 1 2 3 4 5", DEVICE_MEMORY | DEVICE_TEMPERATURE | DEVICE_POWER | DEVICE_CLOCK},
        {"b 1 - 2 3 4 5", DEVICE_UTILISATION | DEVICE_TEMPERATURE | DEVICE_POWER | DEVICE_CLOCK},
        {"b 1 1 2 - 4 5", DEVICE_UTILISATION | DEVICE_MEMORY | DEVICE_POWER | DEVICE_CLOCK},
        {"b 1 1 2 3 - 5", DEVICE_UTILISATION | DEVICE_MEMORY | DEVICE_TEMPERATURE | DEVICE_CLOCK},
        {"b 1 1 2 3 4 -", DEVICE_UTILISATION | DEVICE_MEMORY | DEVICE_TEMPERATURE | DEVICE_POWER},
        {"other 1 1 2 3 4 5", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct device_sample sample;
        setenv("FAKE_NVML", rows[i].text, 1);
        nvml_sample("b", "GPU-1fd0", &sample);
        assert_int_equal(sample.valid, rows[i].valid);
    }
}

/* Memory is its own, what is the board's is the board's; a busy board says nothing of it. */
static void a_part_of_a_gpu(void **state)
{
    struct device_sample sample;
    setenv("FAKE_NVML", "b 99 70000 81559 55 300 1200;MIG-12ab - 500 4864 - - -", 1);
    nvml_sample("b", "MIG-12ab", &sample);
    assert_int_equal(sample.valid, DEVICE_MEMORY | DEVICE_TEMPERATURE | DEVICE_POWER | DEVICE_CLOCK);
    assert_true(sample.memory_used == 500 * 0x1p20 && sample.memory_total == 4864 * 0x1p20);
    assert_true(sample.temperature == 55);
    nvml_sample("b", "MIG-unknown", &sample);
    assert_int_equal(sample.valid, DEVICE_TEMPERATURE | DEVICE_POWER | DEVICE_CLOCK);
}

/* Two trainers on one GPU and one on another, beside a processor. */
static void a_monitor_asks_for_each_gpu(void **state)
{
    static const char backend = 0; /* never called here: devices of a GPU have one */
    struct device devices[] = {
        {.id = "cpu:0", .core = 0},
        {.id = "cuda:0", .core = -1, .cuda = (const void *)&backend, .gpu = 0, .bus = "a", .uuid = "GPU-0"},
        {.id = "cuda:0.1", .core = -1, .cuda = (const void *)&backend, .gpu = 0, .bus = "a", .uuid = "GPU-0"},
        {.id = "cuda:1", .core = -1, .cuda = (const void *)&backend, .gpu = 1, .bus = "b", .uuid = "GPU-1"},
    };
    struct device_sample samples[4];
    struct device_monitor *monitor = device_monitor_new(devices, 4);
    setenv("FAKE_NVML", "b 20 1 2 40 60 700;a 10 1 4 30 50 900", 1);
    device_monitor_sample(monitor, samples);
    assert_true(samples[0].memory_total != samples[1].memory_total);
    assert_true(samples[1].utilisation == 0.1 && samples[2].utilisation == 0.1 && samples[3].utilisation == 0.2);
    assert_true(samples[1].memory_total == 4 * 0x1p20);
    setenv("FAKE_NVML", "b 25 1 2 40 60 700", 1); /* a is gone */
    device_monitor_sample(monitor, samples);
    assert_int_equal(samples[1].valid, 0);
    assert_true(samples[3].utilisation == 0.25);
    device_monitor_free(monitor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fake_is_found),
        cmocka_unit_test(every_reading),
        cmocka_unit_test(what_a_board_does_not_have_is_left_out),
        cmocka_unit_test(a_part_of_a_gpu),
        cmocka_unit_test(a_monitor_asks_for_each_gpu),
    };
    return cmocka_run_group_tests(tests, load_fake, NULL);
}
