/*
 * test_proportion.c - logs that ask for much work with few bytes: time and memory are at most linear in the log.
 *
 * The limits are many times what the work needs; work that grows with the square takes minutes.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "log_bed.h"
#include "repeats.h"
#include "sessions/frame.h"
#include "sessions/replay.h"

struct growing_log {
    struct text bytes;
    int64_t number;
};

static void add(struct growing_log *log, struct event event)
{
    void *payload;
    size_t length;
    event.number = log->number += event_is_durable(event.kind);
    event_encode(&event, &payload, &length);
    log_add_frame(&log->bytes, payload, length);
    free(payload);
}

static void add_node(struct growing_log *log, int64_t node, int64_t parent)
{
    add(log, (struct event){.kind = EVENT_NODE,
                            .as.node = {.node = node, .parent = parent, .by = {AUTHOR_START}, .arch = "SM(10)"}});
}

static void begin(struct growing_log *log)
{
    *log = (struct growing_log){0};
    text_add_bytes(&log->bytes, LOG_HEADER_BYTES, LOG_HEADER);
    add(log, (struct event){.kind = EVENT_SESSION, .as.session.format = 1});
    add_node(log, 1, 0);
}

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Of this process, in bytes; 0 where a sanitizer takes its own. */
static size_t most_memory(void)
{
#if SANITIZED
    return 0;
#else
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss << 10;
#endif
}

/* Checking, loading, repairing and replaying: at most `limit` seconds of a processor, many times what they need.  Quadratic work
   takes minutes. */
static struct fsck_report handle(const struct growing_log *log, double limit)
{
    char *folder = folder_new();
    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    struct session_state *state = NULL;
    struct replay *replay;
    struct error trouble, warning;
    double before = processor_seconds();
    log_put(folder, log->bytes.bytes, log->bytes.length);
    session_load(folder, &state, &warning, &trouble);
    session_state_free(state);
    OK(session_check(folder, true, &report, &findings, &error));
    OK(session_load(folder, &state, &warning, &error));
    session_state_free(state);
    OK(replay_open(folder, &replay, &warning, &error));
    replay_free(replay);
    double taken = processor_seconds() - before;
    if (taken > limit)
        fail_msg("%.1f s for %zu bytes", taken, log->bytes.length);
    size_t made = log_size(folder) + findings.length;
    if (made > (1 << 20) + 40 * log->bytes.length)
        fail_msg("%zu bytes come of %zu", made, log->bytes.length);
    if (most_memory() > ((size_t)64 << 20) + 50 * log->bytes.length)
        fail_msg("%zu bytes of memory for a log of %zu", most_memory(), log->bytes.length);
    folder_remove(folder);
    free(folder);
    text_done(&findings);
    return report;
}

/* Headers that overlap, each of a long frame that looks like an event. */
static void test_bytes_like_headers(void **unused)
{
    static const char unit[] = "\x00\x35\x0c\x00\0\0\0\0\x81\xa1n"; /* 800,000 bytes */
    struct growing_log log;
    begin(&log);
    while (log.bytes.length < 1600000)
        text_add_bytes(&log.bytes, unit, sizeof unit - 1);
    handle(&log, 20);
    text_done(&log.bytes);
    begin(&log); /* the same between good frames */
    while (log.bytes.length < 1600000) {
        text_add_bytes(&log.bytes, unit, sizeof unit - 1);
        add(&log, (struct event){.kind = EVENT_NOTED, .as.noted = {.node = 1, .note = "x"}});
    }
    handle(&log, 20);
    text_done(&log.bytes);
}

/* Numbers that jump ask for events in the place of lost ones, but few bytes can't ask for many. */
static void test_gaps_make_a_bounded_number_of_events(void **unused)
{
    struct growing_log log;
    begin(&log);
    for (int64_t i = 1; i <= 100; i++)
        add_node(&log, 1 + i * 9000, 0);
    struct fsck_report report = handle(&log, 10);
    assert_true(report.stand_ins > 0 && (size_t)report.stand_ins <= 1001 + log.bytes.length / 64); /* a lost network is two */
    text_done(&log.bytes);
}

/* Each walks over all that was pruned, so there may be so many and no more. */
static void test_prunings_taken_back(void **unused)
{
    enum { NETWORKS = 5000, MORE = 100 };
    struct growing_log log;
    begin(&log);
    for (int64_t i = 2; i <= NETWORKS; i++)
        add_node(&log, i, i - 1);
    for (int i = 0; i < SESSION_UNPRUNED_MAX + MORE; i++)
        for (int back = 0; back < 2; back++)
            add(&log, (struct event){.kind = EVENT_PRUNED, .as.pruned = {.node = 2, .by = {AUTHOR_USER}, .back = back}});
    struct fsck_report report = handle(&log, 20);
    assert_int_equal(report.frames_bad, MORE);
    text_done(&log.bytes);
}

/* What a state does for each event must not depend on how many networks or devices there are. */
static void test_events_that_reach_many_networks(void **unused)
{
    enum { MANY = 20000 };
    struct growing_log log;
    begin(&log);
    for (int64_t i = 2; i <= MANY; i++)
        add_node(&log, i, i - 1);
    for (int64_t i = MANY; i >= 1; i--) {
        add(&log, (struct event){.kind = EVENT_STARTED, .as.started = {.node = 1, .attempt = 1, .epochs = 1}});
        char name[16];
        snprintf(name, sizeof name, "set%d", (int)i);
        add(&log, (struct event){.kind = EVENT_OPENED, .as.opened.instructions = name});
        add(&log, (struct event){.kind = EVENT_PRUNED, .as.pruned = {.node = i > 1 ? i : 2, .by = {AUTHOR_USER}}});
    }
    struct fsck_report report = handle(&log, 20);
    assert_int_equal(report.log_findings, 0);
    text_done(&log.bytes);
    begin(&log);
    for (int i = 0; i < SESSION_DEVICES_MAX + 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "cpu:%d", i);
        add(&log, (struct event){.kind = EVENT_SAMPLE, .as.sample.device = name});
    }
    report = handle(&log, 10);
    assert_int_equal(report.frames_bad, 100);
    text_done(&log.bytes);
}

/* A replay keeps copies of the state, which share what does not change. */
static void test_many_updates_of_the_policy(void **unused)
{
    struct growing_log log;
    begin(&log);
    for (int64_t i = 1; i <= 60000; i++)
        add(&log, (struct event){.kind = EVENT_POLICY, .as.policy.update = i});
    struct fsck_report report = handle(&log, 20);
    assert_int_equal(report.log_findings, 0);
    text_done(&log.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_updates_of_the_policy),
        cmocka_unit_test(test_bytes_like_headers),
        cmocka_unit_test(test_gaps_make_a_bounded_number_of_events),
        cmocka_unit_test(test_prunings_taken_back),
        cmocka_unit_test(test_events_that_reach_many_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
