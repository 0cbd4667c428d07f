/*
 * test_hosts.c - the devices of other machines on the screen: hosts that are folded, joins and losses, and a search
 * that nobody trains.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "screen_bed.h"
#include "screen_session.h"
#include "util/bug.h"

static void apply(struct model *model, struct event event)
{
    event.number = model->state->last_number + event_is_durable(event.kind);
    event.time = model->state->time;
    model_apply(model, &event);
    model->now = event.time;
}

static void join(struct model *model, int host, int gpu)
{
    char id[32], name[16];
    snprintf(name, sizeof name, "node%d", host);
    snprintf(id, sizeof id, "node%d/cuda:%d", host, gpu);
    apply(model,
          (struct event){.kind = EVENT_JOINED,
                         .as.joined = {.device = id, .host = name, .name = "NVIDIA L4", .speed_class = "NVIDIA L4"}});
}

static void lose(struct model *model, const char *id, const char *message, bool left)
{
    apply(model, (struct event){.kind = EVENT_LOST,
                                .as.lost = {.device = (char *)id, .message = (char *)message, .left = left}});
}

static void sample(struct model *model, int host, int gpu)
{
    char id[32];
    snprintf(id, sizeof id, "node%d/cuda:%d", host, gpu);
    apply(model,
          (struct event){.kind = EVENT_SAMPLE,
                         .as.sample = {id, 0.5 + 0.1 * gpu + 0.005 * host, 11.2 * 0x1p30, 24 * 0x1p30, 61, 70, 1.9e9}});
}

/* A process of a farm: the devices of this machine don't train. */
static void open_farm(struct model *model)
{
    screen_open_model(model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    char *none[] = {"asynchronous=auto"};
    apply(model, (struct event){.kind = EVENT_CHANGED, .as.changed.options = {1, none}});
    apply(model, (struct event){.kind = EVENT_OPENED,
                                .as.opened = {.program = "espalier", .host = "box", .instructions = "avx2"}});
}

/* Three networks train, on the first devices of the first hosts. */
static void train(struct model *model)
{
    int host = 1;
    for (int64_t i = 1; i <= model->state->node_count && host <= 3; i++) {
        char id[32];
        if (session_node(model->state, i)->status != NODE_QUEUED)
            continue;
        snprintf(id, sizeof id, "node%d/cuda:0", host++);
        apply(model, (struct event){.kind = EVENT_STARTED,
                                    .as.started = {.node = i, .device = id, .attempt = 1, .epochs = 8}});
        apply(model,
              (struct event){.kind = EVENT_STEP,
                             .as.step = {.node = i, .step = 10, .steps = 100, .images_per_second = 12300 * host}});
    }
}

static void open_hosts(struct model *model, int hosts)
{
    open_farm(model);
    for (int host = 1; host <= hosts; host++)
        for (int gpu = 0; gpu < 4; gpu++) {
            join(model, host, gpu);
            sample(model, host, gpu);
        }
    train(model);
    lose(model, "node2/cuda:3", "launching a kernel: CUDA error 719", false);
    for (int gpu = 0; gpu < 4; gpu++) {
        char id[32];
        snprintf(id, sizeof id, "node4/cuda:%d", gpu);
        lose(model, id, "no sign of life for 30 s", false);
    }
    lose(model, "node5/cuda:0", "asked to end", true);
}

static void host_screens(void **unused)
{
    struct model model;
    open_hosts(&model, 12);
    screen_check(&model, 80, 24, true, "hosts-80x24");
    screen_check(&model, 120, 40, true, "hosts-120x40");
    model.focus = PANE_DEVICES;
    model.zoomed = true;
    screen_request(&model, REQUEST_DOWN, 80, 24);
    assert_true(screen_request(&model, REQUEST_OPEN, 80, 24));
    screen_check(&model, 80, 24, true, "hosts-unfolded-80x24");
    screen_check(&model, 120, 40, true, "hosts-unfolded-120x40");
    model_done(&model);
}

/* The rows are a list, and a host is folded from any of its devices. */
static void test_keys(void **unused)
{
    struct model model;
    open_hosts(&model, 12);
    model.focus = PANE_DEVICES;
    model.zoomed = true;
    assert_false(screen_shows(&model, 80, 24, "cuda:1"));
    assert_true(screen_request(&model, REQUEST_RIGHT, 80, 24));
    assert_true(screen_shows(&model, 80, 24, "cuda:1"));
    for (int i = 0; i < 3; i++)
        screen_request(&model, REQUEST_DOWN, 80, 24);
    assert_int_equal(model.devices.row, 3);
    assert_true(screen_request(&model, REQUEST_LEFT, 80, 24));
    assert_int_equal(model.devices.row, 0);
    assert_false(screen_shows(&model, 80, 24, "cuda:1"));
    screen_request(&model, REQUEST_LAST, 80, 24);
    assert_true(screen_shows(&model, 80, 24, "node12"));
    model_done(&model);
    open_hosts(&model, 4); /* few devices: unfolded */
    model.focus = PANE_DEVICES;
    model.zoomed = true;
    assert_true(screen_shows(&model, 80, 24, "cuda:1"));
    screen_request(&model, REQUEST_OPEN, 80, 24);
    assert_true(screen_shows(&model, 80, 24, "▸ node1"));
    model_done(&model);
}

static void test_no_device(void **unused)
{
    struct model model;
    open_farm(&model);
    screen_check(&model, 80, 24, true, "hosts-none-80x24");
    assert_true(screen_shows(&model, 120, 40, "no device: waits for a worker"));
    join(&model, 7, 0);
    assert_false(screen_shows(&model, 120, 40, "no device"));
    assert_true(screen_shows(&model, 120, 40, "joined  node7/cuda:0: NVIDIA L4"));
    lose(&model, "node7/cuda:0", "asked to end", true);
    assert_true(screen_shows(&model, 120, 40, "left    node7/cuda:0: asked to end"));
    assert_true(screen_shows(&model, 120, 40, "no device: waits for a worker"));
    apply(&model, (struct event){.kind = EVENT_WARNED, .as.warned.message = "node8 has other images: refused"});
    assert_true(screen_shows(&model, 120, 40, "warning node8 has other images: refused"));
    model_done(&model);
}

/* Without its last GPU a search on this machine trains on the processor: it waits for nobody. */
static void test_no_gpu(void **unused)
{
    struct model model;
    char *gpu[] = {"cuda:0"};
    screen_open_model(&model, MODE_LIVE, SCREEN_SESSION_MIDDLE);
    apply(&model, (struct event){.kind = EVENT_OPENED,
                                 .as.opened = {.program = "espalier", .host = "box", .devices = {1, gpu}}});
    lose(&model, "cuda:0", "fell off the bus", false);
    assert_false(screen_shows(&model, 120, 40, "no device"));
    assert_false(screen_shows(&model, 120, 40, "worker"));
    assert_true(screen_shows(&model, 120, 40, "fell off the bus"));
    model_done(&model);
}

/* A host has a line when it joins, and a few when it is lost, however many devices it has. */
static void test_lines_of_a_host(void **unused)
{
    enum { GPUS = 8 };
    struct model model;
    char id[32];
    open_farm(&model);
    int before = model.log.count;
    join(&model, 8, 0);
    for (int gpu = 0; gpu < GPUS; gpu++)
        join(&model, 7, gpu);
    assert_int_equal(model.log.count, before + 3); /* of each host, and that the search doesn't wait any more */
    before = model.log.count;
    for (int gpu = 0; gpu < GPUS - 1; gpu++) {
        snprintf(id, sizeof id, "node7/cuda:%d", gpu);
        lose(&model, id, "no sign of life", false);
    }
    assert_int_equal(model.log.count, before + 4);
    lose(&model, "node7/cuda:7", "no sign of life", false);
    assert_int_equal(model.log.count, before + 5);
    assert_string_equal(model.log.lines[model.log.count - 1].text, "node7, with all of its 8 devices: no sign of life");
    assert_int_equal(model.log.lines[model.log.count - 1].style, STYLE_FAILED);
    model_done(&model);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_screens),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_no_device),
        cmocka_unit_test(test_no_gpu),
        cmocka_unit_test(test_lines_of_a_host),
    };
    return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
