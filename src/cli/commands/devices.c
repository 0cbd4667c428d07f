/* devices.c - `espalier devices`: lists the devices of this machine. */
#include <stdlib.h>

#include "arch/space.h"
#include "cli/cli.h"
#include "device/device.h"
#include "nn/trainer.h"
#include "util/print.h"

/* The memory that training a small and a large network needs on a device. */
static void print_memory(const struct backend *backend)
{
    const struct shape input = {3, 32, 32};
    const struct training training = {.batch = 64};
    char bytes[TEXT_SHORT];
    for (int i = 0; space_at(i); i++) {
        struct arch start;
        struct text text = TEXT_EMPTY;
        space_start(space_at(i), input, 10, &start);
        arch_print(&start, &text);
        text_bytes(bytes, (double)train_bytes(backend, &start, input, &training, EVALUATION_BATCH));
        print_to(stdout, "%-8s %s to train %s\n", i ? "" : "memory", bytes, text_string(&text));
        text_done(&text);
    }
    print_to(stdout, "         (for each trainer, %s; batches of 64 images of 3x32x32", backend->name);
    if (backend->device)
        print_to(stdout, "; workspaces take up to %s more", text_bytes(bytes, (double)train_workspaces(backend)));
    print_to(stdout, ")\n");
}

static int run(const struct cli_arguments *arguments)
{
    static struct device devices[2 * DEVICES_MAX]; /* then the GPUs that a search uses only when --devices names them */
    struct error error = {{0}};
    int count, gpus;
    const char *list = cli_value(arguments, "devices");
    if (devices_find(list ? list : "auto", devices, &count, &error)) {
        error_prefix(&error, "--devices %s", list ? list : "auto");
        return cli_fail(&error);
    }
    for (int i = 0; i < count; i++)
        print_to(stdout, "%-8s %s\n", devices[i].id, devices[i].name);
    bool unnamed = !list && !devices_find("cudax1", devices + DEVICES_MAX, &gpus, NULL);
    for (int i = DEVICES_MAX; unnamed && i < DEVICES_MAX + gpus; i++)
        print_to(stdout, "         %s (%s) only when --devices names it\n", devices[i].id, devices[i].name);
    print_to(stdout, "backend  %s: %s\n", backend_cpu()->name, backend_cpu()->description);
    print_to(stdout, "operands %s\n",
             backend_cpu()->bf16 ? "f32, bf16" : "f32; bf16 needs a processor with AVX512_BF16");
    print_memory(devices[0].cuda ? devices[0].cuda : backend_cpu());
    if (cli_value(arguments, "explain")) {
        struct text text = TEXT_EMPTY;
        devices_explain("", &text);
        print_to(stdout, "\n");
        print_document(stdout, text_string(&text));
        text_done(&text);
    }
    return 0;
}

static const struct cli_option options_of_devices[] = {
    {.name = "devices"},
    {"explain", NULL, "processor, instruction sets, limits, the GPUs or why there is none", NULL},
    {0},
};

const struct cli_command command_devices = {
    .name = "devices",
    .synopsis = "",
    .summary = "list the devices that a search trains on here",
    .options = options_of_devices,
    .run = run,
};
