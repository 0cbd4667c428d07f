/* explain.c - the text of `espalier devices --explain`: what was found, where, and what follows from it. */
#include <stdlib.h>
#include <string.h>

#include "device/cuda.h"
#include "device/device_internal.h"

static void explain_caches(const char *root, int processor, struct text *text)
{
    struct text type = TEXT_EMPTY;
    text_add(text, "caches        ");
    int shown = 0;
    for (int index = 0; index < 8; index++) {
        double level, kibibytes;
        char bytes[TEXT_SHORT];
        if (!proc_number(root, &level, "/sys/devices/system/cpu/cpu%d/cache/index%d/level", processor, index) ||
            !proc_number(root, &kibibytes, "/sys/devices/system/cpu/cpu%d/cache/index%d/size", processor, index) ||
            !proc_read(root, &type, "/sys/devices/system/cpu/cpu%d/cache/index%d/type", processor, index) ||
            strncmp(text_string(&type), "Instruction", 11) == 0)
            continue;
        text_add(text, "%sL%d %s", shown++ ? ", " : "", (int)level, text_bytes(bytes, kibibytes * 1024));
    }
    text_add(text, shown ? "\n" : "not known\n");
    text_done(&type);
}

static void explain_processors(const char *root, const struct processors *processors, struct text *text)
{
    text_add(text, "processor     %s\n", processors->model);
    text_add(text, "instructions  %s\n", processors->instructions);
    explain_caches(root, processors->numbers[0], text);
    text_add(text, "may use       %d hardware thread%s of %d core%s, by affinity\n", processors->count,
             processors->count == 1 ? "" : "s", processors->cores, processors->cores == 1 ? "" : "s");
    if (processors->quota > 0)
        text_add(text, "quota         %.3g cores' worth of time, by control group\n", processors->quota);
    else
        text_add(text, "quota         none\n");
    int trainers = processors_trainers(processors);
    text_add(text, "trainers      %d by default, one a core", trainers);
    if (processors->count > trainers)
        text_add(text, "; --devices cpu:%d uses every hardware thread", processors->count);
    text_add(text, "\n");
}

static void explain_sensors(const char *root, const struct processors *processors, struct text *text)
{
    struct device device = {.core = processors->numbers[0]};
    struct device_sample sample;
    struct device_monitor *monitor = device_monitor_new_under(root, &device, 1, 0);
    device_monitor_sample_at(monitor, &sample, 1);
    device_monitor_free(monitor);
    char used[TEXT_SHORT], total[TEXT_SHORT], hertz[TEXT_SHORT];
    if (sample.valid & DEVICE_MEMORY)
        text_add(text, "memory        %s, %s in use\n", text_bytes(total, sample.memory_total),
                 text_bytes(used, sample.memory_used));
    else
        text_add(text, "memory        not known: /proc/meminfo can't be read\n");
    if (sample.valid & DEVICE_TEMPERATURE)
        text_add(text, "temperature   %.0f degrees\n", sample.temperature);
    else
        text_add(text, "temperature   not known: no processor sensor in /sys/class/hwmon\n");
    if (sample.valid & DEVICE_CLOCK)
        text_add(text, "clock         %sHz\n", text_count(hertz, sample.clock));
    else
        text_add(text, "clock         not known: no cpufreq in /sys/devices/system/cpu\n");
    if (sample.valid & DEVICE_POWER)
        text_add(text, "power         measured (RAPL)\n");
    else
        text_add(text, "power         not known: /sys/class/powercap has no energy counter that can be read\n");
}

static void explain_cuda(const char *root, struct text *text)
{
    static struct cuda_device devices[CUDA_DEVICES_MAX];
    struct text driver = TEXT_EMPTY;
    struct error error = {{0}};
    int count;
    bool has_driver = proc_read(root, &driver, "/proc/driver/nvidia/version");
    text_done(&driver);
    const struct cuda_module *module = cuda_module(&error);
    if (!module) {
        text_add(text, "cuda          not available: %s; %s\n", error.text,
                 has_driver ? "an NVIDIA driver is loaded, but networks are trained on the CPU"
                            : "there is no NVIDIA driver here either (/proc/driver/nvidia)");
        return;
    }
    text_add(text, "cuda module   %s\n", cuda_module_path());
    text_add(text, "cuda toolkit  %s\n", module->toolkit());
    if (module->devices(devices, &count, &error)) {
        text_add(text, "cuda          not available: %s\n", error.text);
        return;
    }
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (visible)
        text_add(text, "cuda devices  those that CUDA_VISIBLE_DEVICES names: \"%s\"\n", visible);
    for (int i = 0; i < count; i++) {
        char bytes[TEXT_SHORT];
        int trainers = gpu_trainers(&devices[i]);
        text_add(text, "cuda:%-2d       %s, %s, %s, compute capability %d.%d, %s, %s, %d trainer%s\n", i,
                 devices[i].name, devices[i].bus, devices[i].uuid, devices[i].major, devices[i].minor,
                 text_bytes(bytes, devices[i].memory), devices[i].bf16 ? "bf16" : "f16 in place of bf16", trainers,
                 trainers == 1 ? "" : "s");
    }
    text_add(text, "              used when --devices names cuda; this backend has never run on a GPU\n");
    text_add(text, "cuda sensors  %s\n", nvml_open(&error) ? "read from NVML (libnvidia-ml.so.1)" : error.text);
}

void devices_explain(const char *root, struct text *text)
{
    struct processors processors;
    processors_read(root, &processors);
    explain_processors(root, &processors, text);
    explain_sensors(root, &processors, text);
    explain_cuda(root, text);
}
