/*
 * test_hostile.c - sessions that somebody else made: what they must not do to the one who opens them.
 * test_proportion.c has those that ask for much work.
 *
 *   1. Nothing outside of the folder is written or handed on, whatever links, pipes and second names are in it.
 *   2. No finding of a check: every reader loads the log, without a warning.  Otherwise none does; repaired, all do.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_bed.h"
#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "sessions/replay.h"
#include "sessions/session_file.h"
#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/random.h"

static bool never(void)
{
    return false;
}

/* --- a session with one trained network, beside a victim ------------------------------------------------------ */

#define WEIGHTS "n1.safetensors"

struct bed {
    char *root, *session, *victim, *copy;
};

static void append(struct log_writer *writer, struct event event)
{
    OK(log_append(writer, &event, &error));
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    ASSERT(file && fputs(text, file) >= 0 && !fclose(file));
}

static struct bed bed_new(void)
{
    struct bed bed = {.root = folder_new()};
    bed.session = file_join(bed.root, "one.esp");
    bed.victim = file_join(bed.root, "victim");
    bed.copy = file_join(bed.root, "copy.esp");
    put(bed.victim, "mine");
    struct log_writer *writer = begin_session(bed.session);
    char hash[HASH_TEXT];
    hash_print(hash_of("weights", 7), hash);
    append(writer, (struct event){.kind = EVENT_NODE, .as.node = {.node = 1, .by = {AUTHOR_START}, .arch = "SM(10)"}});
    append(writer, (struct event){.kind = EVENT_STARTED, .as.started = {.node = 1, .attempt = 1, .epochs = 1}});
    append(writer,
           (struct event){.kind = EVENT_RESULT, .as.result = {.node = 1, .weights = WEIGHTS, .weights_hash = hash}});
    log_close(writer);
    char *weights = file_join(bed.session, "weights/" WEIGHTS);
    put(weights, "weights");
    free(weights);
    return bed;
}

static void bed_done(struct bed *bed)
{
    folder_remove(bed->root);
    free(bed->root);
    free(bed->session);
    free(bed->victim);
    free(bed->copy);
}

static void is_untouched(const struct bed *bed)
{
    void *bytes;
    size_t length;
    OK(file_read(bed->victim, 100, &bytes, &length, &error));
    assert_string_equal(bytes, "mine");
    free(bytes);
    assert_false(file_exists(bed->copy));
}

/* --- links, pipes, second names ------------------------------------------------------------------------------- */

enum { LINK, HARD_LINK, PIPE, FOLDER_LINK, FOREIGN_KINDS };

static void make_foreign(const struct bed *bed, const char *path, int kind)
{
    if (kind == FOLDER_LINK) {
        char *moved = file_join(bed->root, "moved");
        assert_int_equal(rename(path, moved), 0);
        assert_int_equal(symlink(moved, path), 0);
        free(moved);
        return;
    }
    remove(path);
    assert_int_equal(kind == LINK        ? symlink(bed->victim, path)
                     : kind == HARD_LINK ? link(bed->victim, path)
                                         : mkfifo(path, 0600),
                     0);
}

static int open_to_write(const struct bed *bed, struct error *error)
{
    struct log_writer *writer;
    struct session_state *state;
    struct error warning;
    if (log_open(bed->session, &writer, &state, &warning, error))
        return -1;
    log_close(writer);
    session_state_free(state);
    return 0;
}

static int repair(const struct bed *bed, struct error *error)
{
    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    int result = session_check(bed->session, true, &report, &findings, error);
    if (!result && report.weights_wrong)
        result = error_set(error, "%s", text_string(&findings));
    text_done(&findings);
    return result;
}

static int copy_all(const struct bed *bed, struct error *error)
{
    struct copy_report report;
    return session_copy(bed->session, bed->copy, COPY_ALL, false, 0, never, &report, error);
}

static int load(const struct bed *bed, struct error *error)
{
    struct session_state *state;
    struct error warning;
    if (session_load(bed->session, &state, &warning, error))
        return -1;
    session_state_free(state);
    return 0;
}

#define REGULAR "is not a regular file"
#define SECOND  "a hard link"

/* What each of these must answer; NULL: it may do its work. */
static const struct {
    const char *name;
    int kind;
    const char *load, *write, *repair, *copy;
} foreign[] = {
    {"lock", LINK, NULL, REGULAR, REGULAR, NULL},
    {"lock", PIPE, NULL, REGULAR, REGULAR, NULL},
    {"lock", HARD_LINK, NULL, SECOND, SECOND, NULL},
    {"events.log", LINK, REGULAR, REGULAR, REGULAR, REGULAR},
    {"events.log", PIPE, REGULAR, REGULAR, REGULAR, REGULAR},
    {"weights/" WEIGHTS, LINK, NULL, REGULAR, REGULAR, REGULAR},
    {"weights/" WEIGHTS, PIPE, NULL, REGULAR, REGULAR, REGULAR},
    {"weights", FOLDER_LINK, NULL, "not a folder of the session's own", "not a folder of the session's own",
     "not a folder of the session's own"},
    {"policy", FOLDER_LINK, NULL, "not a folder of the session's own", "not a folder of the session's own", NULL},
};

static void answers(const struct bed *bed, int (*work)(const struct bed *, struct error *), const char *refusal)
{
    if (!refusal) {
        OK(work(bed, &error));
        return;
    }
    FAILS(work(bed, &error), refusal);
    is_untouched(bed);
}

static void test_nothing_is_reached_through_a_session(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        struct bed bed = bed_new();
        char *path = file_join(bed.session, foreign[i].name);
        make_foreign(&bed, path, foreign[i].kind);
        answers(&bed, load, foreign[i].load);
        answers(&bed, open_to_write, foreign[i].write);
        answers(&bed, repair, foreign[i].repair);
        answers(&bed, copy_all, foreign[i].copy);
        free(path);
        bed_done(&bed);
    }
}

/* The log of another session, or of a backup made of hard links, must not grow with this one. */
static void test_a_log_with_a_second_name_is_only_read(void **unused)
{
    struct bed bed = bed_new();
    char *path = file_join(bed.session, LOG_FILE), *backup = file_join(bed.root, "backup");
    assert_int_equal(link(path, backup), 0);
    OK(load(&bed, &error));
    FAILS(open_to_write(&bed, &error), SECOND);
    OK(copy_all(&bed, &error));
    free(path);
    free(backup);
    bed_done(&bed);
}

/* By a resume and a repair, which have the session to themselves; others only read. */
static void test_what_killed_writers_left_is_removed(void **unused)
{
    static const char *const names[] = {"weights/x.espalier-0123456789abcdef", "policy/x.espalier-0123456789abcdef",
                                        "events.log.espalier-0123456789abcdef"};
    int (*const works[])(const struct bed *, struct error *) = {load, copy_all, open_to_write, repair};
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        struct bed bed = bed_new();
        for (size_t j = 0; j < COUNT_OF(names); j++) {
            char *path = file_join(bed.session, names[j]);
            put(path, "cut sh");
            free(path);
        }
        OK(works[i](&bed, &error));
        for (size_t j = 0; j < COUNT_OF(names); j++) {
            char *path = file_join(bed.session, names[j]);
            assert_int_equal(file_exists(path), i < 2);
            free(path);
        }
        bed_done(&bed);
    }
}

static void test_files_are_written_beside_and_renamed(void **unused)
{
    struct bed bed = bed_new();
    char *path = file_join(bed.session, "weights/" WEIGHTS);
    make_foreign(&bed, path, LINK);
    OK(session_file_write(path, IN_PLACE, "new", 3, &error)); /* replaces the link itself */
    is_untouched(&bed);
    void *bytes;
    size_t length;
    OK(session_file_read(path, IN_PLACE, 100, &bytes, &length, &error));
    assert_string_equal(bytes, "new");
    free(bytes);
    FAILS(session_file_read(path, IN_PLACE, 2, &bytes, &length, &error), "larger than");
    free(path);
    bed_done(&bed);
}

static void test_a_copy_has_only_what_the_log_names(void **unused)
{
    struct bed bed = bed_new();
    char *path = file_join(bed.session, "weights/" WEIGHTS);
    put(path, "another");
    FAILS(copy_all(&bed, &error), "its content is not what was saved");
    is_untouched(&bed);
    remove(path);
    OK(copy_all(&bed, &error)); /* a file that is missing is counted */
    free(path);
    bed_done(&bed);
}

static int asked;

static bool at_the_last_question(void)
{
    return !--asked;
}

/* Two questions: before the one file, and when all is written. */
static void test_a_copy_that_is_stopped_late_is_removed(void **unused)
{
    for (asked = 1; asked <= 2; asked++) {
        struct bed bed = bed_new();
        struct copy_report report;
        int question = asked;
        FAILS(session_copy(bed.session, bed.copy, COPY_ALL, false, 0, at_the_last_question, &report, &error),
              "stopped; the incomplete copy was removed");
        is_untouched(&bed);
        bed_done(&bed);
        asked = question;
    }
}

/* --- two writers ---------------------------------------------------------------------------------------------- */

static void test_a_removed_lock_lets_nobody_in(void **unused)
{
    struct bed bed = bed_new();
    struct log_writer *writer, *second;
    struct session_state *state;
    struct stat status;
    char *lock = file_join(bed.session, LOCK_FILE);
    OK(log_open(bed.session, &writer, &state, NULL, &error));
    session_state_free(state);
    assert_int_equal(stat(lock, &status), 0);
    assert_int_equal(status.st_mode & 0077, 0);
    assert_int_equal(remove(lock), 0);
    FAILS(log_open(bed.session, &second, &state, NULL, &error), "another process writes this session");
    FAILS(repair(&bed, &error), "another process writes this session");
    log_close(writer);
    OK(open_to_write(&bed, &error));
    free(lock);
    bed_done(&bed);
}

/* --- a run that ended before its first event ------------------------------------------------------------------- */

static void test_a_name_is_not_blocked_by_a_run_without_events(void **unused)
{
    static const char *const logs[] = {NULL, "", "ESP", LOG_HEADER_BYTES};
    for (size_t i = 0; i < COUNT_OF(logs); i++) {
        struct bed bed = bed_new();
        char *folder = file_join(bed.root, "new.esp"), *log = file_join(folder, LOG_FILE),
             *lock = file_join(folder, LOCK_FILE);
        assert_int_equal(mkdir(folder, 0777), 0);
        put(lock, "99 elsewhere\n");
        if (logs[i])
            put(log, logs[i]);
        struct log_writer *writer = begin_session(folder);
        log_close(writer);
        FAILS(log_create(folder, &writer, &error), "not empty");
        free(folder);
        free(log);
        free(lock);
        bed_done(&bed);
    }
}

static void test_a_session_without_events_is_not_left(void **unused)
{
    struct bed bed = bed_new();
    struct log_writer *writer;
    OK(log_create(bed.copy, &writer, &error));
    log_close(writer);
    assert_false(file_exists(bed.copy));
    bed_done(&bed);
}

/* --- a check says what the readers do --------------------------------------------------------------------------- */

static bool loads(const char *folder)
{
    struct session_state *state = NULL;
    struct replay *replay = NULL;
    struct error warning, replayed, trouble;
    bool whole = !session_load(folder, &state, &warning, &trouble) && !warning.text[0];
    bool plays = !replay_open(folder, &replay, &replayed, &trouble) && !replayed.text[0];
    if (whole) {
        struct log_writer *writer;
        struct session_state *again;
        OK(log_open(folder, &writer, &again, &warning, &error));
        assert_string_equal(warning.text, "");
        assert_true(hash_equal(session_digest(state), session_digest(again)));
        log_close(writer);
        session_state_free(again);
    }
    session_state_free(state);
    replay_free(replay);
    assert_int_equal(whole, plays);
    return whole;
}

/* Who refuses a log that can be repaired says so. */
static void names_the_repair(const char *folder)
{
    struct session_state *state = NULL;
    struct error warning, trouble;
    if (session_load(folder, &state, &warning, &trouble) && !strstr(trouble.text, "fsck --repair"))
        fail_msg("no way out in: %s", trouble.text);
    session_state_free(state);
    struct replay *replay = NULL;
    if (replay_open(folder, &replay, &warning, &trouble) && !strstr(trouble.text, "fsck --repair"))
        fail_msg("no way out in: %s", trouble.text);
    replay_free(replay);
}

static void check_law(const char *folder)
{
    struct fsck_report report;
    struct text findings = TEXT_EMPTY;
    struct error trouble;
    bool good = loads(folder), refused = session_check(folder, false, &report, &findings, &trouble);
    assert_int_equal(good, !refused && !report.log_findings);
    assert_int_equal(!refused && !report.log_findings, !refused && !strstr(text_string(&findings), LOG_FILE));
    if (!refused) {
        names_the_repair(folder);
        OK(session_check(folder, true, &report, &findings, &error));
        if (!loads(folder))
            fail_msg("a repaired session doesn't load:\n%s", text_string(&findings));
    }
    text_done(&findings);
}

/* Frames are taken away, doubled, exchanged and made anew; bytes are flipped, cut and put in. */
static struct text mutated(const struct event_list *list, struct random_stream *stream)
{
    size_t *offsets;
    unsigned char *bytes = log_bytes(list, &offsets);
    struct text log = TEXT_EMPTY;
    text_add_bytes(&log, LOG_HEADER_BYTES, LOG_HEADER);
    size_t chosen = random_below(stream, (uint32_t)list->count);
    uint32_t what = random_below(stream, 6);
    for (size_t i = 0; i < list->count; i++) {
        const char *frame = (const char *)bytes + offsets[i];
        size_t length = offsets[i + 1] - offsets[i];
        if (i == chosen && what == 0)
            continue;
        text_add_bytes(&log, frame, length);
        if (i == chosen && what == 1)
            text_add_bytes(&log, frame, length);
        if (i == chosen && what == 2) { /* an event of another kind, or of another network, in its turn */
            struct event event = list->items[random_below(stream, (uint32_t)list->count)];
            void *payload;
            event.number = list->items[i].number;
            event.time = list->items[i].time;
            event_encode(&event, &payload, &length);
            log.length -= offsets[i + 1] - offsets[i];
            log_add_frame(&log, payload, length);
            free(payload);
        }
    }
    if (what == 3)
        log.bytes[random_below(stream, (uint32_t)log.length)] ^= (char)(1 << random_below(stream, 8));
    if (what == 4)
        log.length = random_below(stream, (uint32_t)log.length);
    if (what == 5)
        text_add_bytes(&log, (const char *)bytes + random_below(stream, (uint32_t)offsets[list->count] - 40), 40);
    free(offsets);
    free(bytes);
    return log;
}

static void test_no_finding_means_that_every_reader_loads_it(void **unused)
{
    const char *thorough = getenv("ESPALIER_TEST_LONG");
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 2, 0);
    for (int round = 0; round < (thorough ? 20000 : 120); round++) {
        struct session_recipe recipe = session_recipe_default((uint64_t)round);
        struct event_list list = {0};
        recipe.networks = 6;
        recipe.steps = 1;
        session_generate(&recipe, event_list_add, &list);
        struct text log = mutated(&list, &stream);
        char *folder = folder_new();
        log_put(folder, log.bytes, log.length);
        check_law(folder);
        folder_remove(folder);
        free(folder);
        text_done(&log);
        event_list_done(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_reached_through_a_session),
        cmocka_unit_test(test_a_log_with_a_second_name_is_only_read),
        cmocka_unit_test(test_what_killed_writers_left_is_removed),
        cmocka_unit_test(test_files_are_written_beside_and_renamed),
        cmocka_unit_test(test_a_copy_has_only_what_the_log_names),
        cmocka_unit_test(test_a_copy_that_is_stopped_late_is_removed),
        cmocka_unit_test(test_a_removed_lock_lets_nobody_in),
        cmocka_unit_test(test_a_name_is_not_blocked_by_a_run_without_events),
        cmocka_unit_test(test_a_session_without_events_is_not_left),
        cmocka_unit_test(test_no_finding_means_that_every_reader_loads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
