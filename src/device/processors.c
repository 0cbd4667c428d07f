/*
 * processors.c - which processors this process may use, and how much of their time.
 *
 * The affinity mask (taskset, cpusets; in /proc/self/status) says which.  How much is the smallest quota of the
 * process's control group and of all groups above it.  One training step keeps the arithmetic units of a physical core
 * busy, so trainers get one core each; the other hardware threads come after all cores.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "device/device_internal.h"

/* Read "0-3,8,10-11" as ascending numbers, up to the first character that doesn't fit. */
static int read_list(const char *text, int *numbers, int most)
{
    int count = 0;
    for (const char *at = text;;) {
        char *end;
        long first = strtol(at, &end, 10), last = first;
        if (end == at)
            return count;
        if (*end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
            if (end == at)
                return count;
        }
        for (long number = first; number <= last && count < most; number++)
            numbers[count++] = (int)number;
        if (*end != ',')
            return count;
        at = end + 1;
    }
}

/* The processors of the affinity mask; without /proc all that are online. */
static void read_allowed(const char *root, struct processors *processors)
{
    struct text status = TEXT_EMPTY;
    char list[1024];
    if (proc_read(root, &status, "/proc/self/status") &&
        proc_field(text_string(&status), "Cpus_allowed_list", list, sizeof(list)))
        processors->count = read_list(list, processors->numbers, PROCESSORS_MAX);
    text_done(&status);
    if (processors->count)
        return;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    processors->count = online < 1 ? 1 : online > PROCESSORS_MAX ? PROCESSORS_MAX : (int)online;
    for (int i = 0; i < processors->count; i++)
        processors->numbers[i] = i;
}

/* Put one processor of each physical core first, and keep the order otherwise. */
static void order_by_core(const char *root, struct processors *processors)
{
    int cores[PROCESSORS_MAX], others[PROCESSORS_MAX], other_count = 0;
    processors->cores = 0;
    for (int i = 0; i < processors->count; i++) {
        int number = processors->numbers[i];
        double core = number; /* a core is known by the lowest of its processors */
        proc_number(root, &core, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", number);
        int known = 0;
        while (known < processors->cores && cores[known] != (int)core)
            known++;
        if (known < processors->cores) {
            others[other_count++] = number;
        } else {
            cores[processors->cores] = (int)core;
            processors->numbers[processors->cores++] = number; /* never ahead of i */
        }
    }
    memcpy(processors->numbers + processors->cores, others, (size_t)other_count * sizeof(others[0]));
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == 0 || at[length] == ' '))
            return true;
    return false;
}

static void read_model(const char *root, struct processors *processors)
{
    struct text information = TEXT_EMPTY;
    proc_read(root, &information, "/proc/cpuinfo");
    const char *text = text_string(&information);
    if (!proc_field(text, "model name", processors->model, sizeof(processors->model))) {
        struct utsname machine;
        snprintf(processors->model, sizeof(processors->model), "%.63s", uname(&machine) == 0 ? machine.machine : "CPU");
    }
    char flags[8192] = "";
    if (!proc_field(text, "flags", flags, sizeof(flags)))
        proc_field(text, "Features", flags, sizeof(flags));
    if (has_word(flags, "avx512_bf16"))
        processors->instructions = "avx512bf16";
    else if (has_word(flags, "avx512f"))
        processors->instructions = "avx512";
    else if (has_word(flags, "avx2") && has_word(flags, "fma"))
        processors->instructions = "avx2";
    else if (has_word(flags, "asimd") || has_word(flags, "neon"))
        processors->instructions = "neon";
    else
        processors->instructions = "baseline";
    text_done(&information);
}

/* The smallest quota of the folders.  Version 2 has "QUOTA PERIOD" or "max PERIOD", version 1 two files, where -1 is no
   limit. */
struct quota {
    const char *root;
    double processors; /* 0: no limit yet */
};

static void apply_quota(void *context, const char *folder)
{
    struct quota *quota = context;
    struct text text = TEXT_EMPTY;
    double time = 0, period = 0;
    if (proc_read(quota->root, &text, "%s/cpu.max", folder)) {
        if (sscanf(text_string(&text), "%lf %lf", &time, &period) != 2)
            time = 0;
    } else if (!proc_number(quota->root, &time, "%s/cpu.cfs_quota_us", folder) ||
               !proc_number(quota->root, &period, "%s/cpu.cfs_period_us", folder)) {
        time = 0;
    }
    text_done(&text);
    if (time > 0 && period > 0 && (quota->processors == 0 || time / period < quota->processors))
        quota->processors = time / period;
}

void processors_read(const char *root, struct processors *processors)
{
    memset(processors, 0, sizeof(*processors));
    read_model(root, processors);
    read_allowed(root, processors);
    order_by_core(root, processors);
    struct quota quota = {.root = root};
    control_group_each(root, "cpu", apply_quota, &quota);
    processors->quota = quota.processors;
}

int processors_trainers(const struct processors *processors)
{
    int trainers = processors->cores;
    if (processors->quota > 0 && ceil(processors->quota) < trainers)
        trainers = (int)ceil(processors->quota);
    return trainers < DEVICES_MAX ? trainers : DEVICES_MAX;
}
