/*
 * test_adoption.c - a search is killed while another machine trains for it, and the next process takes that up:
 * whatever the log has of it, each network has one result, and no attempt more than it had.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine_bed.h"
#include "sessions/log.h"

enum { EPOCHS = 5, KILLED_AFTER = 2 };

/* How many events of a kind there are of network 2; and where the log was when it had so many. */
static int count_events(const char *path, enum event_kind kind, int stop, int64_t *offset, int64_t *epochs_done)
{
    struct log_reader *reader;
    struct event event;
    struct error error;
    int count = 0;
    assert_int_equal(log_read(path, &reader, &error), 0);
    while (count != stop && log_next(reader, &event, &error) == LOG_EVENT) {
        count += event.kind == kind && event.as.started.node == 2; /* the first field of all that are asked for */
        if (event.kind == EVENT_STARTED && event.as.started.node == 2 && epochs_done)
            *epochs_done = event.as.started.epochs_done;
        event_done(&event);
    }
    if (offset)
        *offset = log_offset(reader);
    log_reader_free(reader);
    return count;
}

/* Its trainer has reported `reported` epochs, of which the log has KILLED_AFTER. */
static void adopt(int reported, int starts, int epochs_done)
{
    struct search_options options = bed_options();
    char *folder = scratch_new(), *path = bed_path(folder, "a"), *cut = bed_path(folder, "b");
    int64_t offset, last = 0;
    options.epochs = EPOCHS;
    struct session_state *whole = bed_run(folder, "a", &options, &(struct script){.slots = 1});
    count_events(path, EVENT_EPOCH, KILLED_AFTER, &offset, NULL);
    bed_cut(folder, "a", "b", offset);
    struct session_state *state =
        bed_resume(folder, "b", &(struct script){.remote = 1, .joins_with = 2, .joins_after = reported});
    bed_check(folder, "b", state);
    assert_int_equal(count_events(cut, EVENT_STARTED, -1, NULL, &last), starts);
    assert_int_equal(last, epochs_done);
    assert_int_equal(count_events(cut, EVENT_RESULT, -1, NULL, NULL), 1);
    assert_int_equal(session_node(state, 2)->attempts, 1);
    assert_int_equal(session_node(state, 2)->curve_count, EPOCHS);
    assert_true(session_node(state, 2)->accuracy == session_node(whole, 2)->accuracy);
    assert_int_equal(state->status_count[NODE_DONE], whole->status_count[NODE_DONE]);
    session_state_free(state);
    session_state_free(whole);
    scratch_remove(folder);
    free(folder);
    free(path);
    free(cut);
}

static void test_goes_on(void **unused)
{
    adopt(KILLED_AFTER, 2, KILLED_AFTER);
}

/* Its last report wasn't forgotten yet: it comes again. */
static void test_known_epochs(void **unused)
{
    adopt(KILLED_AFTER - 1, 2, KILLED_AFTER);
}

/* The machine of the log lost its power: it begins anew. */
static void test_missing_epochs(void **unused)
{
    adopt(KILLED_AFTER + 1, 3, 0);
}

static void test_missing_end(void **unused)
{
    adopt(EPOCHS, 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goes_on), cmocka_unit_test(test_known_epochs),
                                       cmocka_unit_test(test_missing_epochs), cmocka_unit_test(test_missing_end)};
    return cmocka_run_group_tests_name("adoption", tests, NULL, NULL);
}
