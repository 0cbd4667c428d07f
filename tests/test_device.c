/*
 * test_device.c - devices and their figures, on made-up machines in a folder and on the one that runs the test.
 *
 * A made-up machine is a folder with the few files of /proc and /sys that matter; a new one for each test.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/device_internal.h"
#include "util/file.h"

static char root[64];

static int make_machine(void **state)
{
    snprintf(root, sizeof(root), "/tmp/espalier-test-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_machine(void **state)
{
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void put(const char *name, const char *content)
{
    char path[512];
    int length = snprintf(path, sizeof(path), "%s%s", root, name);
    assert_true(length > 0 && (size_t)length < sizeof(path));
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_int_equal(file_make_folder(path, NULL), 0);
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void take_away(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", root, name);
    assert_int_equal(unlink(path), 0);
}

/* `count` processors, allowed all, `threads` of them a core: 0 and 0 + cores share the first one. */
static void put_processors(int count, int threads)
{
    char name[96], content[96];
    int cores = count / threads;
    put("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Made-up 9000\nflags\t\t: fpu sse2 fma avx avx2 avx2x\n\n"
                         "processor\t: 1\nmodel name\t: Other\nflags\t\t: avx512f\n");
    snprintf(content, sizeof(content), "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-%d\n", count - 1);
    put("/proc/self/status", content);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i);
        snprintf(content, sizeof(content), threads == 1 ? "%d\n" : "%d,%d\n", i % cores, i % cores + cores);
        put(name, content);
    }
}

static int find(const char *list, struct device devices[DEVICES_MAX])
{
    struct error error = {""};
    int count = -1;
    if (devices_find_under(root, list, devices, &count, &error))
        fail_msg("%s: %s", list, error.text);
    return count;
}

static void one_trainer_a_core(void **state)
{
    struct device devices[DEVICES_MAX];
    put_processors(4, 1);
    assert_int_equal(find("auto", devices), 4);
    assert_string_equal(devices[0].id, "cpu:0");
    assert_string_equal(devices[3].id, "cpu:3");
    assert_string_equal(devices[3].name, "Made-up 9000, core 3, avx2");
    for (int i = 0; i < 4; i++)
        assert_int_equal(devices[i].core, i);
    assert_int_equal(find("cpu", devices), 4);
}

static void hardware_threads_come_after_the_cores(void **state)
{
    struct device devices[DEVICES_MAX];
    put_processors(8, 2);
    assert_int_equal(find("auto", devices), 4);
    assert_int_equal(find("cpu:8", devices), 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(devices[i].core, i);
    put("/proc/self/status", "Cpus_allowed_list:\t1,4-6\n"); /* the cores of 0, 1 and 2; 1 and 5 share one */
    assert_int_equal(find("auto", devices), 3);
    const int cores[] = {1, 4, 6, 5, -1};
    assert_int_equal(find("cpu:5", devices), 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(devices[i].core, cores[i]);
    assert_string_equal(devices[4].name, "Made-up 9000, any core, avx2");
}

static void fewer_trainers_than_cores_are_not_pinned(void **state)
{
    struct device devices[DEVICES_MAX];
    put_processors(4, 1);
    assert_int_equal(find("cpu:3", devices), 3);
    for (int i = 0; i < 3; i++)
        assert_true(devices[i].core == -1 && devices[i].own_core);
    assert_string_equal(devices[2].name, "Made-up 9000, any core, avx2");
    assert_int_equal(find("cpu:1,cpu:4", devices), 5);
    for (int i = 0; i < 5; i++)
        assert_true(devices[i].core == (i < 4 ? i : -1) && devices[i].own_core == (i < 4));
}

static void lists_are_added_up(void **state)
{
    struct device devices[DEVICES_MAX];
    put_processors(2, 1);
    assert_int_equal(find("cpu:1", devices), 1);
    assert_int_equal(find("cpu:2,cpu:3", devices), 5);
    assert_int_equal(find("auto,cpu:1", devices), 3);
    assert_int_equal(find("cpu:256", devices), 256);
    assert_string_equal(devices[255].id, "cpu:255");
}

static void every_message(void **state)
{
    static const char *const rows[][2] = {
        {"", "\"\" is no device; use auto, cpu, cpu:N for N trainers, cuda or cuda:N"},
        {"gpu", "\"gpu\" is no device; use auto, cpu, cpu:N for N trainers, cuda or cuda:N"},
        {"cpu:2,", "\"\" is no device; use auto, cpu, cpu:N for N trainers, cuda or cuda:N"},
        {"cpu:0", "\"0\" is not a number of trainers; write for example cpu:2"},
        {"cpu:-1", "\"-1\" is not a number of trainers; write for example cpu:2"},
        {"cpu:two", "\"two\" is not a number of trainers; write for example cpu:2"},
        {"cpu:257", "more than 256 devices; ask for fewer"},
        {"cpu:200,cpu:57", "more than 256 devices; ask for fewer"},
        {"cuda", "ESPALIER_CUDA_MODULE is \"no\"; use cpu"},
        {"cpu:1,cuda:0", "ESPALIER_CUDA_MODULE is \"no\"; use cpu"},
    };
    struct device devices[DEVICES_MAX];
    put_processors(2, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error error = {""};
        int count = 77;
        assert_int_equal(devices_find_under(root, rows[i][0], devices, &count, &error), -1);
        assert_string_equal(error.text, rows[i][1]);
        assert_int_equal(count, 77);
    }
}

static double quota(void)
{
    struct processors processors;
    processors_read(root, &processors);
    return processors.quota;
}

static void quota_of_version_2(void **state)
{
    struct device devices[DEVICES_MAX];
    put_processors(8, 1);
    assert_true(quota() == 0);
    put("/proc/self/cgroup", "0::/user.slice/job\n");
    assert_true(quota() == 0);
    put("/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    assert_true(quota() == 0);
    put("/sys/fs/cgroup/user.slice/cpu.max", "350000 100000\n");
    assert_true(quota() == 3.5);
    assert_int_equal(find("auto", devices), 4);
    assert_int_equal(find("cpu:6", devices), 6); /* asked for by name */
    put("/sys/fs/cgroup/user.slice/job/cpu.max", "20000 100000\n");
    assert_true(fabs(quota() - 0.2) < 1e-12);
    assert_int_equal(find("auto", devices), 1);
}

/* A container sees its own group at the root of the mount, under a name that is the host's. */
static void quota_in_a_container(void **state)
{
    put_processors(8, 1);
    put("/proc/self/cgroup", "0::/../kubepods/pod1\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_true(quota() == 2);
}

static void quota_of_version_1(void **state)
{
    put_processors(8, 1);
    put("/proc/self/cgroup", "12:cpuset:/\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n");
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
    assert_true(quota() == 0);
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "150000\n");
    assert_true(quota() == 1.5);
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n");
    assert_true(quota() == 1);
    put("/proc/self/cgroup", "garbage\n4:cpuset\n:::\n");
    assert_true(quota() == 0);
}

static void instruction_sets(void **state)
{
    static const char *const rows[][2] = {
        {"flags : sse2 avx2 fma avx512f avx512bw\n", "avx512"},
        {"flags : sse2 avx2 fma avx512f avx512bw avx512_bf16\n", "avx512bf16"},
        {"flags : sse2 avx2 fma\n", "avx2"},
        {"flags : sse2 avx2\n", "baseline"},
        {"flags : notavx512f avx512fnot\n", "baseline"},
        {"Features\t: fp asimd crc32\n", "neon"},
        {"", "baseline"},
    };
    struct processors processors;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put("/proc/cpuinfo", rows[i][0]);
        processors_read(root, &processors);
        assert_string_equal(processors.instructions, rows[i][1]);
        assert_true(processors.model[0]); /* at least the kind of machine */
    }
}

/* Nothing of /proc and /sys is there: trainers all the same, and no figures. */
static void bare_machine(void **state)
{
    struct device devices[DEVICES_MAX];
    int count = find("auto", devices);
    assert_in_range(count, 1, DEVICES_MAX);
    struct device_monitor *monitor = device_monitor_new_under(root, devices, 1, 0);
    struct device_sample sample = {.valid = 77};
    device_monitor_sample_at(monitor, &sample, 1);
    assert_int_equal(sample.valid, 0);
    device_monitor_free(monitor);
    device_monitor_free(NULL);
}

static void utilisation_is_the_share_of_busy_ticks(void **state)
{
    struct device devices[] = {{.core = 0}, {.core = 1}, {.core = 11}, {.core = -1}};
    struct device_sample samples[4];
    put("/proc/stat", "cpu  200 0 0 200 0 0 0 0 0 0\ncpu0 100 0 0 100 0 0 0 0 0 0\ncpu1 100 0 0 100 0 0 0 0 0 0\n"
                      "cpu11 5 5 5 5\nintr 1 2 3\n");
    struct device_monitor *monitor = device_monitor_new_under(root, devices, 4, 0);
    /* 0: 30 busy (user, nice, system, irq, softirq, steal: 5 each; guest is part of user), 70 idle and waiting.
       1: all idle.  11: has gone. */
    put("/proc/stat", "cpu  230 0 0 370 0 0 0 0 0 0\ncpu0 105 5 5 150 20 5 5 5 99 99\ncpu1 100 0 0 200 0 0 0 0 0 0\n");
    device_monitor_sample_at(monitor, samples, 1);
    assert_int_equal(samples[0].valid, DEVICE_UTILISATION);
    assert_true(fabs(samples[0].utilisation - 0.3) < 1e-12);
    assert_true(samples[1].valid & DEVICE_UTILISATION && samples[1].utilisation == 0);
    assert_int_equal(samples[2].valid, 0);
    assert_true(fabs(samples[3].utilisation - 0.15) < 1e-12);
    /* No tick since: the value stays. */
    device_monitor_sample_at(monitor, samples, 2);
    assert_true(samples[0].valid & DEVICE_UTILISATION && fabs(samples[0].utilisation - 0.3) < 1e-12);
    /* Waiting time that steps back must not give more than all. */
    put("/proc/stat", "cpu0 205 5 5 150 10 5 5 5 0 0\n");
    device_monitor_sample_at(monitor, samples, 3);
    assert_true(samples[0].utilisation == 1);
    assert_int_equal(samples[1].valid, 0);
    /* A processor that comes back starts anew. */
    put("/proc/stat", "cpu1 0 0 0 10\n");
    device_monitor_sample_at(monitor, samples, 4);
    assert_int_equal(samples[1].valid, 0);
    put("/proc/stat", "cpu1 10 0 0 20\n");
    device_monitor_sample_at(monitor, samples, 5);
    assert_true(samples[1].utilisation == 0.5);
    device_monitor_free(monitor);
}

static void memory_is_what_programs_can_not_have(void **state)
{
    struct device device = {.core = 0};
    struct device_sample sample;
    struct device_monitor *monitor = device_monitor_new_under(root, &device, 1, 0);
    put("/proc/meminfo",
        "MemTotalOther: 7 kB\nMemTotal\nMemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:   400 kB\n");
    device_monitor_sample_at(monitor, &sample, 1);
    assert_int_equal(sample.valid, DEVICE_MEMORY);
    assert_true(sample.memory_total == 1024000);
    assert_true(sample.memory_used == 614400);
    put("/proc/meminfo", "MemTotal:       1000 kB\n");
    device_monitor_sample_at(monitor, &sample, 1);
    assert_int_equal(sample.valid, 0);
    device_monitor_free(monitor);
}

static void memory_is_what_the_control_group_leaves(void **state)
{
    struct device device = {.core = 0};
    struct device_sample sample;
    struct device_monitor *monitor = device_monitor_new_under(root, &device, 1, 0);
    put("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 400 kB\n");
    put("/proc/self/cgroup", "0::/slice/job\n");
    put("/sys/fs/cgroup/slice/job/memory.max", "max\n");
    put("/sys/fs/cgroup/slice/job/memory.current", "5000\n");
    put("/sys/fs/cgroup/slice/memory.max", "300000\n");
    put("/sys/fs/cgroup/slice/memory.current", "170000\n");
    put("/sys/fs/cgroup/slice/memory.stat", "file 90000\ninactive_file 70000\nactive_file 20000\n");
    device_monitor_sample_at(monitor, &sample, 1);
    assert_true(sample.memory_total == 300000 && sample.memory_used == 100000);
    put("/sys/fs/cgroup/slice/memory.max", "900000\n"); /* more than the machine has left */
    device_monitor_sample_at(monitor, &sample, 1);
    assert_true(sample.memory_total == 1024000 && sample.memory_used == 614400);
    put("/proc/self/cgroup", "7:memory:/box\n");
    put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "200000\n");
    put("/sys/fs/cgroup/memory/box/memory.usage_in_bytes", "250000\n");
    device_monitor_sample_at(monitor, &sample, 1);
    assert_true(sample.memory_total == 200000 && sample.memory_used == 200000);
    device_monitor_free(monitor);
}

static void temperature_is_the_hottest_processors(void **state)
{
    struct device device = {.core = 0};
    struct device_sample sample;
    put("/sys/class/hwmon/hwmon0/name", "nvme\n");
    put("/sys/class/hwmon/hwmon0/temp1_input", "99000\n");
    put("/sys/class/hwmon/hwmon1/name", "coretemp\n");
    put("/sys/class/hwmon/hwmon1/temp1_input", "45000\n");
    put("/sys/class/hwmon/hwmon2/name", "k10temp\n");
    put("/sys/class/hwmon/hwmon2/temp1_input", "61500\n");
    put("/sys/class/hwmon/hwmon3/name", "coretemp\n"); /* without a reading */
    struct device_monitor *monitor = device_monitor_new_under(root, &device, 1, 0);
    device_monitor_sample_at(monitor, &sample, 1);
    assert_int_equal(sample.valid, DEVICE_TEMPERATURE);
    assert_true(sample.temperature == 61.5);
    take_away("/sys/class/hwmon/hwmon2/temp1_input");
    device_monitor_sample_at(monitor, &sample, 1);
    assert_true(sample.temperature == 45);
    take_away("/sys/class/hwmon/hwmon1/temp1_input");
    device_monitor_sample_at(monitor, &sample, 1);
    assert_int_equal(sample.valid, 0);
    device_monitor_free(monitor);
}

static void clock_is_each_processors_own(void **state)
{
    struct device devices[] = {{.core = 0}, {.core = 3}, {.core = -1}};
    struct device_sample samples[3];
    put("/sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq", "3400000\n");
    struct device_monitor *monitor = device_monitor_new_under(root, devices, 3, 0);
    device_monitor_sample_at(monitor, samples, 1);
    assert_int_equal(samples[0].valid, 0);
    assert_int_equal(samples[1].valid, DEVICE_CLOCK);
    assert_true(samples[1].clock == 3.4e9);
    assert_int_equal(samples[2].valid, 0);
    device_monitor_free(monitor);
}

/* Two packages; one counter wraps.  A part of a package does not count again. */
static void power_is_energy_over_time(void **state)
{
    struct device device = {.core = 0};
    struct device_sample sample;
    put("/sys/class/powercap/intel-rapl:0/energy_uj", "1000000\n");
    put("/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
    put("/sys/class/powercap/intel-rapl:0:0/energy_uj", "500\n");
    put("/sys/class/powercap/intel-rapl:0:0/max_energy_range_uj", "262143328850\n");
    put("/sys/class/powercap/intel-rapl:1/energy_uj", "89000000\n");
    put("/sys/class/powercap/intel-rapl:1/max_energy_range_uj", "90000000\n");
    struct device_monitor *monitor = device_monitor_new_under(root, &device, 1, 10);
    device_monitor_sample_at(monitor, &sample, 10); /* no time has passed */
    assert_int_equal(sample.valid, 0);
    put("/sys/class/powercap/intel-rapl:0/energy_uj", "41000000\n");
    put("/sys/class/powercap/intel-rapl:1/energy_uj", "19000000\n");
    device_monitor_sample_at(monitor, &sample, 12);
    assert_int_equal(sample.valid, DEVICE_POWER);
    assert_true(fabs(sample.power - (40 + 20) / 2.0) < 1e-9);
    take_away("/sys/class/powercap/intel-rapl:1/energy_uj");
    device_monitor_sample_at(monitor, &sample, 13);
    assert_int_equal(sample.valid, 0);
    device_monitor_free(monitor);
}

static void check_says(const struct text *text, const char *expected)
{
    if (!strstr(text_string(text), expected))
        fail_msg("\"%s\" is missing in:\n%s", expected, text_string(text));
}

static void explains_what_it_found(void **state)
{
    struct text text = TEXT_EMPTY;
    put_processors(8, 2);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "250000 100000\n");
    static const char *const caches[][3] = {
        {"1", "Data", "48K"}, {"1", "Instruction", "32K"}, {"2", "Unified", "2048K"}, {"3", "Unified", "32768K"}};
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"level", "type", "size"};
        for (int j = 0; j < 3; j++) {
            char name[96];
            snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, names[j]);
            put(name, caches[i][j]);
        }
    }
    put("/proc/driver/nvidia/version", "NVRM version: 1\n");
    devices_explain(root, &text);
    check_says(&text, "processor     Made-up 9000\n");
    check_says(&text, "instructions  avx2\n");
    check_says(&text, "caches        L1 48.0 KiB, L2 2.0 MiB, L3 32.0 MiB\n");
    check_says(&text, "may use       8 hardware threads of 4 cores, by affinity\n");
    check_says(&text, "quota         2.5 cores' worth of time, by control group\n");
    check_says(&text, "trainers      3 by default, one a core; --devices cpu:8 uses every hardware thread\n");
    check_says(&text, "temperature   not known: no processor sensor in /sys/class/hwmon\n");
    check_says(&text, "an NVIDIA driver is loaded, but networks are trained on the CPU\n");
    text_done(&text);
}

/* The machine that runs this test: what is true of any. */
static void this_machine(void **state)
{
    struct device devices[DEVICES_MAX];
    struct device_sample samples[DEVICES_MAX];
    struct error error = {""};
    cpu_set_t allowed;
    int count;
    assert_int_equal(devices_find("auto", devices, &count, &error), 0);
    assert_in_range(count, 1, DEVICES_MAX);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
        for (int i = 0; i < count; i++)
            assert_true(devices[i].core < 0 || CPU_ISSET(devices[i].core, &allowed));
    struct device_monitor *monitor = device_monitor_new(devices, count);
    device_monitor_sample(monitor, samples);
    for (int i = 0; i < count; i++) {
        const struct device_sample *sample = &samples[i];
        if (sample->valid & DEVICE_UTILISATION)
            assert_true(sample->utilisation >= 0 && sample->utilisation <= 1);
        if (sample->valid & DEVICE_MEMORY)
            assert_true(sample->memory_used > 0 && sample->memory_used <= sample->memory_total);
        if (sample->valid & DEVICE_TEMPERATURE)
            assert_true(sample->temperature > -50 && sample->temperature < 150);
        if (sample->valid & DEVICE_CLOCK)
            assert_true(sample->clock > 1e7 && sample->clock < 1e11);
        if (sample->valid & DEVICE_POWER)
            assert_true(sample->power >= 0 && sample->power < 1e5);
    }
    device_monitor_free(monitor);
    struct text text = TEXT_EMPTY;
    devices_explain("", &text);
    check_says(&text, "processor     ");
    check_says(&text, "cuda          ");
    text_done(&text);
}

#define ON_A_MACHINE(test) cmocka_unit_test_setup_teardown(test, make_machine, remove_machine)

int main(void)
{
    setenv("ESPALIER_CUDA_MODULE", "no", 1);
    const struct CMUnitTest tests[] = {
        ON_A_MACHINE(one_trainer_a_core),
        ON_A_MACHINE(hardware_threads_come_after_the_cores),
        ON_A_MACHINE(fewer_trainers_than_cores_are_not_pinned),
        ON_A_MACHINE(lists_are_added_up),
        ON_A_MACHINE(every_message),
        ON_A_MACHINE(quota_of_version_2),
        ON_A_MACHINE(quota_in_a_container),
        ON_A_MACHINE(quota_of_version_1),
        ON_A_MACHINE(instruction_sets),
        ON_A_MACHINE(bare_machine),
        ON_A_MACHINE(utilisation_is_the_share_of_busy_ticks),
        ON_A_MACHINE(memory_is_what_programs_can_not_have),
        ON_A_MACHINE(memory_is_what_the_control_group_leaves),
        ON_A_MACHINE(temperature_is_the_hottest_processors),
        ON_A_MACHINE(clock_is_each_processors_own),
        ON_A_MACHINE(power_is_energy_over_time),
        ON_A_MACHINE(explains_what_it_found),
        cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
