/*
 * devices.c - `espalier devices`: what a search would train on here.
 */
#include "cli/cli.h"
#include "device/device.h"
#include "nn/backend.h"

static int run(const struct cli_arguments *arguments)
{
    static struct device devices[DEVICES_MAX];
    struct error error = {{0}};
    int count;
    const char *list = cli_value(arguments, "devices");
    if (devices_find(list ? list : "auto", devices, &count, &error))
        return cli_fail(&error);
    for (int i = 0; i < count; i++)
        printf("%-8s %s\n", devices[i].id, devices[i].name);
    printf("backend  %s: %s\n", backend_cpu()->name, backend_cpu()->description);
    printf("precision %s\n", backend_cpu()->bf16 ? "f32, bf16" : "f32; bf16 needs a processor with AVX512_BF16");
    if (cli_value(arguments, "explain")) {
        struct text text = TEXT_EMPTY;
        devices_explain(&text);
        printf("\n%s", text_string(&text));
        text_done(&text);
    }
    return 0;
}

static const struct cli_option options_of_devices[] = {
    {"devices", "LIST", "what to list: auto, cpu, cpu:N, cuda, cuda:N [auto]"},
    {"explain", NULL, "processor, instruction sets, limits, and why there is no GPU"},
    {0},
};

const struct cli_command command_devices = {
    .name = "devices",
    .synopsis = "",
    .summary = "list the devices that a search trains on here",
    .options = options_of_devices,
    .run = run,
};
