/*
 * test_terminal_gallery.c - the recorded searches that come with the program: found by name, small, played to the end with
 * the figures that `show` prints, and the same at any place whether sought or folded from the start.
 */
#include "config.h"

#include "terminal_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sessions/replay.h"
#include "util/random.h"
#include "util/text.h"

static const char *const names[] = {"fashion-mnist", "cifar10", "cifar10-dense", "cifar10-modern"};
enum { NAMES = sizeof names / sizeof *names, PLACES = 30, SIZE_MAX_BYTES = 1500000 };

static char *gallery_path(const char *name)
{
    struct text path = TEXT_EMPTY;
    text_add(&path, "%s/sessions/gallery/%s.esp", getenv("top_srcdir"), name);
    return text_take(&path);
}

static void test_small(void **state)
{
    for (int i = 0; i < NAMES; i++) {
        struct stat status;
        struct text log = TEXT_EMPTY;
        char *folder = gallery_path(names[i]);
        text_add(&log, "%s/events.log", folder);
        assert_int_equal(stat(text_string(&log), &status), 0);
        assert_true(status.st_size > 10000 && status.st_size < SIZE_MAX_BYTES);
        text_done(&log);
        free(folder);
    }
}

/* The digest after the first `position` events, folded one by one. */
static struct hash fold_to(const char *folder, int64_t position)
{
    struct error error = {{0}};
    struct log_reader *reader;
    struct session_state *folded = session_state_new();
    struct event event;
    assert_int_equal(log_read(folder, &reader, &error), 0);
    for (int64_t i = 0; i < position; i++) {
        assert_int_equal(log_next(reader, &event, &error), LOG_EVENT);
        assert_int_equal(session_apply(folded, &event, &error), 0);
        event_done(&event);
    }
    struct hash digest = session_digest(folded);
    log_reader_free(reader);
    session_state_free(folded);
    return digest;
}

static void test_seek_is_fold(void **state)
{
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 1, 0);
    for (int i = 0; i < NAMES; i++) {
        struct error error = {{0}}, warning = {{0}};
        struct replay *replay;
        char *folder = gallery_path(names[i]);
        assert_int_equal(replay_open(folder, &replay, &warning, &error), 0);
        assert_string_equal(warning.text, "");
        for (int place = 0; place < PLACES; place++) {
            int64_t position = random_below(&stream, (uint32_t)replay_count(replay) + 1);
            assert_int_equal(replay_seek(replay, position, &error), 0);
            assert_true(hash_equal(session_digest(replay_state(replay)), fold_to(folder, position)));
        }
        replay_free(replay);
        free(folder);
    }
}

/* `show` on a terminal, and replay at 1000 times, side by side. */
static void test_plays_to_what_show_says(void **state)
{
    struct text variable = TEXT_EMPTY;
    text_add(&variable, "ESPALIER_GALLERY=%s/sessions/gallery", getenv("top_srcdir"));
    const char *environment[] = {text_string(&variable), NULL};
    for (int i = 0; i < NAMES; i++) {
        long long best, done;
        double accuracy;
        size_t length;
        char wanted[64];
        struct pty_setup setup = usual_setup();
        setup.width = 160;
        setup.height = 45;
        setup.environment = environment;
        struct pty_terminal *terminal = start_espalier(&setup, "show", names[i], NULL);
        expect_exit(terminal, 0);
        const char *bytes = pty_bytes(terminal, &length), *place = strstr(bytes, "best      n");
        if (!place) /* a search with a finish */
            place = strstr(bytes, "finished  n");
        assert_non_null(place);
        assert_int_equal(sscanf(place, "%*s  n%lld", &best), 1);
        place = strstr(place, "validation accuracy ");
        assert_non_null(place);
        assert_int_equal(sscanf(place, "validation accuracy %lf", &accuracy), 1);
        place = strstr(bytes, "state  ");
        assert_non_null(place);
        assert_int_equal(sscanf(place, "state %*[^:]: %lld networks trained", &done), 1);
        pty_free(terminal);

        terminal = start_espalier(&setup, "replay", names[i], "--speed", "1000", NULL);
        expect_text(terminal, 2, "100%");
        expect_text(terminal, 0, "‖ REPLAY");
        snprintf(wanted, sizeof wanted, "★ %.2f%% n%lld ", accuracy, best);
        expect(terminal, pty_has_text(terminal, 1, wanted));
        /* "12/31 networks" where the budget is one of networks, "12 done" elsewhere */
        snprintf(wanted, sizeof wanted, " %lld/", done);
        bool of_budget = pty_has_text(terminal, 1, wanted);
        snprintf(wanted, sizeof wanted, " %lld done", done);
        expect(terminal, of_budget || pty_has_text(terminal, 1, wanted));
        pty_send(terminal, "q");
        expect_exit(terminal, 0);
        pty_free(terminal);
    }
    text_done(&variable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_seek_is_fold),
        cmocka_unit_test(test_plays_to_what_show_says),
    };
    return cmocka_run_group_tests_name("gallery", tests, terminal_bed_open, terminal_bed_close);
}
