/*
 * test_replay_bar.c - replay's clock: how far the session goes on when a person's time does.
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

#include "session_folder.h"
#include "sessions/replay.h"
#include "tui/record.h"
#include "tui/replay_bar.h"
#include "util/file.h"

struct bed {
    char *folder;
    struct replay *replay;
    struct model model;
    struct tui_source source;
    double clock; /* the person's */
};

static void add(struct event_list *list, int64_t *number, double time, struct event *event)
{
    *number += event_is_durable(event->kind);
    event->number = *number;
    event->time = time;
    event_list_add(list, event);
}

/* Durable events at 0, 1, 2, 100 and 101 s; samples of a device in between, and after the last. */
static void bed_init(struct bed *bed, double speed, double compress)
{
    static const double durable[] = {0, 1, 2, 100, 101}, samples[] = {1.5, 30, 60, 90, 103};
    struct event_list list = {0};
    struct error error, warning;
    int64_t number = 0;
    size_t *offsets;
    for (int i = 0; i < 5; i++) {
        struct event event = {.kind = i ? EVENT_OPENED : EVENT_SESSION}, sample = {.kind = EVENT_SAMPLE};
        if (!i)
            event.as.session.format = EVENT_FORMAT;
        if (i == 3) {
            for (int j = 1; j < 4; j++)
                add(&list, &number, samples[j], &sample);
        }
        add(&list, &number, durable[i], &event);
        if (i == 1)
            add(&list, &number, samples[0], &sample);
        if (i == 4)
            add(&list, &number, samples[4], &sample);
    }
    *bed = (struct bed){.folder = folder_new(), .clock = 1000};
    unsigned char *bytes = log_bytes(&list, &offsets);
    log_put(bed->folder, bytes, offsets[list.count]);
    free(bytes);
    free(offsets);
    event_list_done(&list);
    if (replay_open(bed->folder, &bed->replay, &warning, &error))
        fail_msg("%s", error.text);
    bed->source = (struct tui_source){.mode = MODE_REPLAY, .replay = bed->replay, .speed = speed, .compress = compress};
    model_init(&bed->model, MODE_REPLAY, "bar");
    replay_bar_start(&bed->source, &bed->model);
    replay_bar_tick(&bed->source, &bed->model, bed->clock);
}

static void bed_done(struct bed *bed)
{
    model_done(&bed->model);
    replay_free(bed->replay);
    folder_remove(bed->folder);
    free(bed->folder);
}

/* The session's clock after that many seconds of the person more. */
static void expect_after(struct bed *bed, double seconds, double wanted)
{
    bed->clock += seconds;
    replay_bar_tick(&bed->source, &bed->model, bed->clock);
    assert_float_equal(bed->model.now, wanted, 1e-9);
    assert_int_equal(replay_position(bed->replay), replay_position_at(bed->replay, wanted));
}

static void time_is_the_recordings(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed, 4, 0);
    expect_after(&bed, 0.25, 1);
    expect_after(&bed, 1, 5);
    expect_after(&bed, 20, 85);
    expect_after(&bed, 20, 103);
    assert_true(bed.model.ended && !bed.model.replay.playing);
    bed_done(&bed);
}

/* Durable events at 0, 1 and 2 s, and a sample each second from the third on. */
static void bed_init_samples(struct bed *bed, int samples)
{
    struct event_list list = {0};
    struct error error, warning;
    int64_t number = 0;
    size_t *offsets;
    *bed = (struct bed){.folder = folder_new(), .clock = 1000};
    for (int i = 0; i < 3; i++) {
        struct event event = {.kind = i ? EVENT_OPENED : EVENT_SESSION};
        if (!i)
            event.as.session.format = EVENT_FORMAT;
        add(&list, &number, i, &event);
    }
    for (int i = 0; i < samples; i++)
        add(&list, &number, 3 + i, &(struct event){.kind = EVENT_SAMPLE});
    unsigned char *bytes = log_bytes(&list, &offsets);
    log_put(bed->folder, bytes, offsets[list.count]);
    free(bytes);
    free(offsets);
    event_list_done(&list);
    assert_int_equal(replay_open(bed->folder, &bed->replay, &warning, &error), 0);
    bed->source = (struct tui_source){.mode = MODE_REPLAY, .replay = bed->replay, .session_name = "bar", .speed = 1};
    model_init(&bed->model, MODE_REPLAY, "bar");
    replay_bar_start(&bed->source, &bed->model);
}

/* Wherever one goes, the log has the last lines before that, however many samples lie between. */
static void the_log_after_a_seek(void **state)
{
    struct bed bed;
    (void)state;
    bed_init_samples(&bed, 5000);
    replay_bar_command(&bed.source, &bed.model, "goto 100%");
    assert_int_equal(bed.model.log.count, 3);
    replay_bar_command(&bed.source, &bed.model, "goto 1");
    assert_int_equal(bed.model.log.count, 2);
    bed_done(&bed);
}

/* What happens between two durable events takes two seconds at most, from wherever it is watched. */
static void long_waits_are_short(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed, 1, 2);
    expect_after(&bed, 1.5, 1.5);
    expect_after(&bed, 1, 2 + 0.5 * 49); /* in a wait of 98 s */
    expect_after(&bed, 1, 2 + 1.5 * 49);
    expect_after(&bed, 0.5, 100);
    expect_after(&bed, 0.75, 100.75);
    expect_after(&bed, 1, 101.75);
    replay_bar_command(&bed.source, &bed.model, "goto 51");
    expect_after(&bed, 0.5, 51 + 24.5);
    expect_after(&bed, 2, 101.5); /* out of it: half a second was left */
    expect_after(&bed, 100, 103);
    assert_true(bed.model.ended);
    bed_done(&bed);
}

/* Speed is for what is not too long anyway. */
static void speed_and_short_waits(void **state)
{
    (void)state;
    struct bed bed;
    bed_init(&bed, 0.5, 4);
    expect_after(&bed, 2, 1); /* 1 s takes 2 */
    expect_after(&bed, 2, 2);
    expect_after(&bed, 4, 100);
    bed_done(&bed);
    bed_init(&bed, 98, 2); /* 98 s take 1 */
    expect_after(&bed, 2.0 / 98 + 0.5, 2 + 49);
    bed_done(&bed);
}

/* Of a log that can't be read to its end there is no end, and no file that looks like the whole. */
static void a_log_that_is_damaged_meanwhile(void **state)
{
    enum { SAMPLES = 20000 }; /* more than are read in one go */
    struct error error = {{0}};
    struct bed bed;
    struct record_options options = {.width = 80, .height = 24, .pane = -1};
    double seconds;
    (void)state;
    for (int how = 0; how < 3; how++) {
        bed_init_samples(&bed, SAMPLES);
        char *log = file_join(bed.folder, "events.log"), *path = file_join(bed.folder, "film");
        FILE *file = fopen(log, "r+");
        assert_non_null(file);
        assert_int_equal(fseek(file, -3, SEEK_END), 0);
        assert_int_equal(fwrite("xyz", 1, 3, file), 3);
        assert_int_equal(fclose(file), 0);
        if (how == 0) {
            bed.model.replay.speed = SAMPLES;
            replay_bar_tick(&bed.source, &bed.model, bed.clock);
            replay_bar_tick(&bed.source, &bed.model, bed.clock + 10);
            assert_true(!bed.model.ended && !bed.model.replay.playing && *bed.model.message);
        } else if (how == 1) {
            bed.source.speed = SAMPLES;
            assert_int_equal(record_cast(&bed.source, &options, path, &seconds, &error), -1);
        } else {
            bed.source.from = SAMPLES + 2;
            assert_int_equal(record_png(&bed.source, &options, path, &error), -1);
            assert_non_null(strstr(error.text, "is not in the log any more"));
        }
        assert_false(file_exists(path));
        free(path);
        free(log);
        bed_done(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_the_recordings),
        cmocka_unit_test(the_log_after_a_seek),
        cmocka_unit_test(long_waits_are_short),
        cmocka_unit_test(speed_and_short_waits),
        cmocka_unit_test(a_log_that_is_damaged_meanwhile),
    };
    return cmocka_run_group_tests_name("replay bar", tests, NULL, NULL);
}
