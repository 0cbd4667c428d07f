/*
 * monitor.c - how busy the devices are: processors from /proc and /sys, GPUs by nvml.c.
 *
 * Utilisation and power are differences between two readings of a counter.  The monitor keeps the last reading, and
 * takes the first when it is made.  A counter that has not moved (two samples within one tick) gives the value of the
 * sample before.  Memory, temperature and power are those of the whole machine, the same for every processor.  Trainers
 * on one GPU share its sample.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device_internal.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

enum { SENSORS_MAX = 8, SENSOR_PATH = 64 };

/* A processor: its ticks at the last sample, and the utilisation that they gave. */
struct load {
    int core; /* -1: all of them together */
    double busy, total;
    bool has_ticks, has_utilisation;
    double utilisation;
};

/* The energy counter of a processor package: microjoules, which wrap at `range`. */
struct energy {
    char path[SENSOR_PATH];
    double range, last;
};

struct device_monitor {
    char *root;
    int count;
    struct device *devices;
    struct load *loads;
    int thermometer_count, energy_count;
    char thermometers[SENSORS_MAX][SENSOR_PATH];
    struct energy energies[SENSORS_MAX];
    double time; /* of the last reading of the energies */
    double power;
    bool has_power;
};

static void find_thermometers(struct device_monitor *monitor)
{
    static const char *const drivers[] = {"coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal"};
    struct text names = TEXT_EMPTY, driver = TEXT_EMPTY;
    int count;
    proc_list(monitor->root, "/sys/class/hwmon", &names, &count);
    const char *name = text_string(&names);
    for (int i = 0; i < count && monitor->thermometer_count < SENSORS_MAX; i++, name += strlen(name) + 1) {
        char *path = monitor->thermometers[monitor->thermometer_count];
        double value;
        snprintf(path, SENSOR_PATH, "/sys/class/hwmon/%.20s/temp1_input", name);
        bool of_processor = false;
        if (proc_read(monitor->root, &driver, "/sys/class/hwmon/%s/name", name))
            for (size_t d = 0; d < COUNT_OF(drivers); d++)
                of_processor |= !strncmp(text_string(&driver), drivers[d], strlen(drivers[d]));
        if (of_processor && proc_number(monitor->root, &value, "%s", path))
            monitor->thermometer_count++;
    }
    text_done(&names);
    text_done(&driver);
}

/* Packages are intel-rapl:0, intel-rapl:1, … (AMD's too); intel-rapl:0:0 is a part of one.  On most machines only root
 * may read them. */
static void find_energies(struct device_monitor *monitor)
{
    for (int package = 0; package < SENSORS_MAX; package++) {
        struct energy *energy = &monitor->energies[monitor->energy_count];
        snprintf(energy->path, sizeof(energy->path), "/sys/class/powercap/intel-rapl:%d/energy_uj", package);
        if (proc_number(monitor->root, &energy->last, "%s", energy->path) &&
            proc_number(monitor->root, &energy->range, "/sys/class/powercap/intel-rapl:%d/max_energy_range_uj",
                        package))
            monitor->energy_count++;
    }
}

/* A line of /proc/stat: user nice system idle iowait irq softirq steal; the fields after them are counted in user. */
static bool read_ticks(const char *statistics, int core, double *busy, double *total)
{
    char key[16];
    snprintf(key, sizeof(key), core < 0 ? "cpu " : "cpu%d ", core);
    for (const char *line = statistics; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        double ticks[8] = {0};
        int found = sscanf(line + strlen(key), "%lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2],
                           &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
        if (found < 4)
            return false;
        double idle = ticks[3] + ticks[4];
        *busy = *total = 0;
        for (int i = 0; i < 8; i++)
            *total += ticks[i];
        *busy = *total - idle;
        return true;
    }
    return false;
}

static void update_load(struct load *load, const char *statistics)
{
    double busy, total;
    if (!read_ticks(statistics, load->core, &busy, &total)) {
        load->has_ticks = load->has_utilisation = false;
        return;
    }
    if (load->has_ticks && total > load->total) {
        double share = (busy - load->busy) / (total - load->total);
        load->utilisation = share < 0 ? 0 : share > 1 ? 1 : share; /* the kernel's idle ticks may step back */
        load->has_utilisation = true;
    }
    if (!load->has_ticks || total > load->total) {
        load->busy = busy;
        load->total = total;
        load->has_ticks = true;
    }
}

static void update_loads(struct device_monitor *monitor)
{
    struct text statistics = TEXT_EMPTY;
    proc_read(monitor->root, &statistics, "/proc/stat");
    for (int i = 0; i < monitor->count; i++)
        update_load(&monitor->loads[i], text_string(&statistics));
    text_done(&statistics);
}

static void update_power(struct device_monitor *monitor, double now)
{
    if (!monitor->energy_count || now <= monitor->time)
        return;
    double microjoules = 0;
    bool complete = true;
    for (int i = 0; i < monitor->energy_count; i++) {
        struct energy *energy = &monitor->energies[i];
        double value;
        if (!proc_number(monitor->root, &value, "%s", energy->path)) {
            complete = false;
            continue;
        }
        microjoules += value - energy->last + (value < energy->last ? energy->range : 0);
        energy->last = value;
    }
    monitor->has_power = complete;
    monitor->power = microjoules * 1e-6 / (now - monitor->time);
    monitor->time = now;
}

struct device_monitor *device_monitor_new_under(const char *root, const struct device *devices, int count, double now)
{
    struct device_monitor *monitor = memory_new(1, sizeof(*monitor));
    monitor->root = memory_copy_text(root);
    monitor->count = count;
    monitor->devices = memory_new((size_t)count, sizeof(*monitor->devices));
    memcpy(monitor->devices, devices, (size_t)count * sizeof(*devices));
    monitor->loads = memory_new((size_t)count, sizeof(*monitor->loads));
    for (int i = 0; i < count; i++)
        monitor->loads[i].core = devices[i].core;
    monitor->time = now;
    find_thermometers(monitor);
    find_energies(monitor);
    update_loads(monitor);
    return monitor;
}

struct device_monitor *device_monitor_new(const struct device *devices, int count)
{
    return device_monitor_new_under("", devices, count, clock_monotonic());
}

/* The machine's memory, or the smallest limit of a control group on it. */
struct memory {
    const char *root;
    double total, left; /* bytes */
};

static void apply_memory_limit(void *context, const char *folder)
{
    struct memory *memory = context;
    double limit, used;
    bool limited = (proc_number(memory->root, &limit, "%s/memory.max", folder) &&
                    proc_number(memory->root, &used, "%s/memory.current", folder)) ||
                   (proc_number(memory->root, &limit, "%s/memory.limit_in_bytes", folder) &&
                    proc_number(memory->root, &used, "%s/memory.usage_in_bytes", folder));
    if (!limited)
        return;
    struct text text = TEXT_EMPTY; /* the cached files in it are given up when memory is needed */
    proc_read(memory->root, &text, "%s/memory.stat", folder);
    const char *cached = strstr(text_string(&text), "inactive_file ");
    used -= cached ? strtod(strchr(cached, ' '), NULL) : 0;
    text_done(&text);
    if (limit - used >= memory->left)
        return;
    memory->total = limit;
    memory->left = limit > used ? limit - used : 0;
}

static void sample_memory(const char *root, struct device_sample *sample)
{
    struct text text = TEXT_EMPTY;
    char total[32], available[32];
    if (proc_read(root, &text, "/proc/meminfo") && proc_field(text_string(&text), "MemTotal", total, sizeof(total)) &&
        proc_field(text_string(&text), "MemAvailable", available, sizeof(available))) {
        struct memory memory = {root, strtod(total, NULL) * 1024, strtod(available, NULL) * 1024};
        control_group_each(root, "memory", apply_memory_limit, &memory);
        sample->memory_total = memory.total;
        sample->memory_used = memory.total - memory.left;
        sample->valid |= DEVICE_MEMORY;
    }
    text_done(&text);
}

static void sample_temperature(const struct device_monitor *monitor, struct device_sample *sample)
{
    for (int i = 0; i < monitor->thermometer_count; i++) {
        double millidegrees;
        if (!proc_number(monitor->root, &millidegrees, "%s", monitor->thermometers[i]))
            continue;
        if (!(sample->valid & DEVICE_TEMPERATURE) || millidegrees / 1000 > sample->temperature)
            sample->temperature = millidegrees / 1000;
        sample->valid |= DEVICE_TEMPERATURE;
    }
}

void device_monitor_sample_at(struct device_monitor *monitor, struct device_sample *samples, double now)
{
    struct device_sample machine = {0};
    sample_memory(monitor->root, &machine);
    sample_temperature(monitor, &machine);
    update_power(monitor, now);
    if (monitor->has_power) {
        machine.power = monitor->power;
        machine.valid |= DEVICE_POWER;
    }
    update_loads(monitor);
    for (int i = 0; i < monitor->count; i++) {
        const struct load *load = &monitor->loads[i];
        double kilohertz;
        samples[i] = machine;
        const struct device *device = &monitor->devices[i];
        if (device->cuda) {
            if (i && device[-1].cuda && device[-1].gpu == device->gpu)
                samples[i] = samples[i - 1];
            else
                nvml_sample(device->bus, device->uuid, &samples[i]);
            continue;
        }
        if (load->has_utilisation) {
            samples[i].utilisation = load->utilisation;
            samples[i].valid |= DEVICE_UTILISATION;
        }
        if (load->core >= 0 && proc_number(monitor->root, &kilohertz,
                                           "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", load->core)) {
            samples[i].clock = kilohertz * 1000;
            samples[i].valid |= DEVICE_CLOCK;
        }
    }
}

void device_monitor_sample(struct device_monitor *monitor, struct device_sample *samples)
{
    device_monitor_sample_at(monitor, samples, clock_monotonic());
}

void device_monitor_free(struct device_monitor *monitor)
{
    if (!monitor)
        return;
    free(monitor->loads);
    free(monitor->devices);
    free(monitor->root);
    free(monitor);
}
