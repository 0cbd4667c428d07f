/*
 * test_farm_db.c - the connection (deadlines, troubles, messages), the tables' version, bytes in parts, and the texts
 * of trials and reports.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "farm/blob.h"
#include "farm/wire.h"
#include "farm_bed.h"
#include "test_folder.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/memory.h"

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" doesn't say \"%s\"", text, part);
}

/* Opening it fails with this trouble, and says this. */
static void check_refused(const char *url, enum db_trouble trouble, const char *part)
{
    struct db *db;
    struct error error;
    assert_int_equal(db_new(url, "test", &db, &error), 0);
    assert_int_equal(db_connect(db, &error), -1);
    assert_int_equal(db_trouble(db), trouble);
    assert_false(db_is_open(db));
    assert_says(error.text, part);
    db_free(db);
}

static void test_addresses(void **state)
{
    struct db *db;
    struct error error;
    char url[300];
    assert_int_equal(db_new("postgresql://me:secret@db/espalier", "test", &db, &error), -1);
    assert_says(error.text, "~/.pgpass");
    assert_null(strstr(error.text, "secret"));
    assert_int_equal(db_new("nonsense=1", "test", &db, &error), -1);
    assert_says(error.text, "is no address of a database");
    check_refused("host=/nonexistent dbname=x", DB_CUT, "is the server running");
    snprintf(url, sizeof url, "%s&dbname=nobase", bed_url);
    check_refused(url, DB_REFUSED, "there is no such database");
    snprintf(url, sizeof url, "%s&user=nobody_here", bed_url);
    check_refused(url, DB_REFUSED, "the server doesn't let this user in");
}

static void write_password(const char *password)
{
    FILE *file = fopen(in_folder("pgpass"), "w");
    assert_non_null(file);
    fprintf(file, "*:*:*:guarded:%s\n", password);
    assert_int_equal(fchmod(fileno(file), 0600) || fclose(file), 0);
}

static void test_passwords(void **state)
{
    struct db *db;
    struct error error;
    char url[300];
    snprintf(url, sizeof url, "%s&user=guarded", bed_url);
    setenv("PGPASSFILE", in_folder("pgpass"), 1);
    bed_sql("CREATE ROLE guarded LOGIN PASSWORD 'right'");
    char *file = bed_sql_text("SELECT current_setting('hba_file')");
    bed_sql("COPY (SELECT unnest(ARRAY['local all guarded scram-sha-256', 'local all all trust'])) TO '%s'", file);
    free(file);
    bed_sql("SELECT pg_reload_conf()");
    bed_wait_for(2, "SELECT count(*) FROM pg_hba_file_rules");
    write_password("wrong");
    assert_int_equal(db_new(url, "test", &db, &error), 0);
    while (!db_connect(db, &error)) /* until the server has read the file */
        ;
    db_free(db);
    check_refused(url, DB_REFUSED, "the password is wrong: see ~/.pgpass");
    unlink(in_folder("pgpass"));
    check_refused(url, DB_REFUSED, "put the password into ~/.pgpass");
    write_password("right");
    assert_int_equal(db_new(url, "test", &db, &error), 0);
    assert_int_equal(db_connect(db, &error), 0);
    db_free(db);
}

/* A server that accepts and says nothing. */
static void test_frozen(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct db *db;
    struct error error;
    char url[300];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", in_folder(".s.PGSQL.5432"));
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    snprintf(url, sizeof url, "host=%s dbname=x", folder);
    assert_int_equal(db_new(url, "test", &db, &error), 0);
    db_set_seconds(db, 0.2);
    double began = clock_monotonic();
    assert_int_equal(db_connect(db, &error), -1);
    assert_true(clock_monotonic() - began < 5);
    assert_int_equal(db_trouble(db), DB_CUT);
    assert_says(error.text, "no answer within 0.2 seconds");
    double first = db_wait_next(db), second = db_wait_next(db);
    assert_true(second > first);
    for (int i = 0; i < 20; i++)
        first = db_wait_next(db);
    assert_true(first <= 5);
    db_free(db);
    close(listener);
}

/* A server without TLS, for anybody. */
static void *refuse_encryption(void *listener)
{
    int client;
    char request[8];
    while ((client = accept(*(int *)listener, NULL, NULL)) >= 0) {
        if (recv(client, request, sizeof request, MSG_WAITALL) == sizeof request)
            assert_int_equal(send(client, "N", 1, MSG_NOSIGNAL), 1);
        close(client);
    }
    return NULL;
}

/* However another host is named, nothing goes there without encryption. */
static void test_encryption(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
    socklen_t length = sizeof address;
    pthread_t thread;
    char url[300];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(pthread_create(&thread, NULL, refuse_encryption, &listener), 0);
    snprintf(url, sizeof url, "host=127.0.0.2 port=%d dbname=x", ntohs(address.sin_port));
    check_refused(url, DB_CUT, "SSL was required");
    snprintf(url, sizeof url, "hostaddr=127.0.0.2 port=%d dbname=x", ntohs(address.sin_port));
    check_refused(url, DB_CUT, "SSL was required");
    FILE *file = fopen(in_folder("services"), "w");
    assert_non_null(file);
    fprintf(file, "[there]\nhost=127.0.0.2\nport=%d\ndbname=x\n[plain]\nhost=127.0.0.2\nport=%d\nsslmode=disable\n",
            ntohs(address.sin_port), ntohs(address.sin_port));
    assert_int_equal(fclose(file), 0);
    setenv("PGSERVICEFILE", in_folder("services"), 1);
    check_refused("service=there", DB_CUT, "SSL was required");
    check_refused("service=plain", DB_CUT, "is the server running"); /* it said so */
    unsetenv("PGSERVICEFILE");
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
}

static void test_troubles(void **state)
{
    struct db *db;
    struct error error;
    assert_int_equal(db_new(bed_url, "troubles", &db, &error), 0);
    assert_int_equal(db_command(db, "SELECT 1", &error), -1);
    assert_int_equal(db_trouble(db), DB_CUT);
    assert_int_equal(db_connect(db, &error), 0);
    /* a connection that breaks before its first statement: the waits grow */
    double first = db_wait_next(db);
    assert_int_equal(db_connect(db, &error), 0);
    assert_true(db_wait_next(db) > first);
    assert_int_equal(db_command(db, "SELECT 1", &error), 0);
    assert_true(db_wait_next(db) <= first);
    /* a statement that takes too long */
    db_set_seconds(db, 0.2);
    assert_int_equal(db_command(db, "SELECT pg_sleep(30)", &error), -1);
    assert_int_equal(db_trouble(db), DB_CUT);
    assert_false(db_is_open(db));
    db_set_seconds(db, 10);
    assert_int_equal(db_connect(db, &error), 0);
    /* a full disk, as the server says it; the connection and what follows are good */
    assert_int_equal(db_command(db, "BEGIN", &error), 0);
    assert_int_equal(db_command(db, "DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$", &error), -1);
    assert_int_equal(db_trouble(db), DB_FULL);
    assert_says(error.text, "the server's disk is full");
    db_rollback(db);
    assert_int_equal(db_trouble(db), DB_FULL);
    assert_int_equal(db_query(db, &error, "SELECT $1 + 1, $2::text, $3::text", DB_INTEGER(41), DB_TEXT("a"), DB_NULL),
                     0);
    assert_int_equal(db_trouble(db), DB_FINE);
    assert_int_equal(db_integer(db, 0, 0), 42);
    assert_string_equal(db_text(db, 0, 1), "a");
    assert_true(db_is_null(db, 0, 2));
    /* a wrong statement */
    assert_int_equal(db_command(db, "SELECT nothing", &error), -1);
    assert_int_equal(db_trouble(db), DB_REFUSED);
    assert_int_equal(db_command(db, "SELECT 1 / 0", &error), -1);
    assert_int_equal(db_trouble(db), DB_WRONG);
    assert_true(db_is_open(db));
    /* a connection that the server ends */
    bed_disconnect("troubles");
    assert_int_equal(db_command(db, "SELECT 1", &error), -1);
    assert_int_equal(db_trouble(db), DB_CUT);
    assert_false(db_is_open(db));
    db_free(db);
}

static void test_notifications(void **state)
{
    struct db *db;
    struct error error;
    assert_int_equal(db_new(bed_url, "listener", &db, &error), 0);
    assert_int_equal(db_connect(db, &error), 0);
    assert_int_equal(db_command(db, "LISTEN bell", &error), 0);
    assert_int_equal(db_wait(db, -1, 0, &error), 0);
    bed_sql("NOTIFY bell");
    assert_int_equal(db_wait(db, -1, 10, &error), 1);
    bed_disconnect("listener");
    int waited;
    while ((waited = db_wait(db, -1, 10, &error)) == 0)
        ;
    assert_int_equal(waited, -1);
    assert_int_equal(db_wait(db, -1, 0, &error), 0); /* closed */
    db_free(db);
}

static void test_schema(void **state)
{
    struct error error;
    assert_int_equal(farm_schema_check(bed_db(), &error), 0);
    assert_int_equal(bed_sql("SELECT count(*) FROM pg_settings WHERE name LIKE 'tcp_%%' AND source = 'session'"), 4);
    assert_int_equal(farm_schema_create(bed_db(), &error), -1);
    assert_says(error.text, "has a farm already");
    bed_sql("UPDATE espalier.meta SET version = version + 1");
    assert_int_equal(farm_schema_check(bed_db(), &error), -1);
    assert_says(error.text, "the farm is newer than this program");
    bed_sql("UPDATE espalier.meta SET version = version - 2");
    assert_int_equal(farm_schema_check(bed_db(), &error), -1);
    assert_says(error.text, "the farm is older than this program");
    bed_sql("UPDATE espalier.meta SET version = %d, program = 'espalier 0.0.0'", FARM_SCHEMA_VERSION);
    assert_int_equal(farm_schema_check(bed_db(), &error), -1);
    assert_says(error.text, "was made by espalier 0.0.0, and this is");
    assert_int_equal(farm_schema_drop(bed_db(), &error), 0);
    assert_int_equal(farm_schema_exists(bed_db(), &error), 0);
    assert_int_equal(farm_schema_check(bed_db(), &error), -1);
    assert_int_equal(db_trouble(bed_db()), DB_REFUSED);
    assert_says(error.text, "espalier farm init");
}

static int count_pause(void *context, struct error *error)
{
    ++*(int *)context;
    return 0;
}

static void test_bytes(void **state)
{
    static const size_t lengths[] = {0, 1, 100000, BLOB_PART, BLOB_PART + 1, 5 * BLOB_PART / 2};
    struct error error;
    struct random_stream stream = random_stream_new(1, RANDOM_TEST, 0, 0);
    int pauses = 0;
    struct blob_pause pause = {count_pause, &pauses};
    int64_t search =
        bed_sql("INSERT INTO espalier.search (name, session, host, process, program, options, data, data_hash,"
                " instructions, kinds) VALUES ('s', '', '', 1, '', '', '', '', '', '') RETURNING id");
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        char *bytes = memory_new(lengths[i], 1), name[16];
        void *back;
        size_t length;
        for (size_t j = 0; j < lengths[i]; j++)
            bytes[j] = (char)random_below(&stream, 256);
        snprintf(name, sizeof name, "b%zu", i);
        assert_int_equal(blob_get(bed_db(), search, name, NULL, &back, &length, &error), 0);
        assert_int_equal(blob_put(bed_db(), search, name, 0, bytes, lengths[i], &pause, &error), 0);
        if (i == 5) { /* as after a connection that broke: what is missing is sent, what is there stays */
            bed_sql("DELETE FROM espalier.chunk WHERE name = 'b5' AND part = 2");
            assert_int_equal(blob_get(bed_db(), search, name, NULL, &back, &length, &error), 0);
            assert_int_equal(blob_put(bed_db(), search, name, 0, bytes, lengths[i], NULL, &error), 0);
        }
        assert_int_equal(blob_get(bed_db(), search, name, NULL, &back, &length, &error), 1);
        assert_int_equal(length, lengths[i]);
        assert_memory_equal(back, bytes, length);
        free(back);
        free(bytes);
    }
    assert_int_equal(pauses, 1 + 2);
    /* bytes of an attempt that isn't there are refused */
    assert_int_equal(blob_put(bed_db(), search, "x", 7, "x", 1, NULL, &error), -1);
    assert_string_equal(db_state(bed_db()), "23503");
    bed_sql("DELETE FROM espalier.search");
    assert_int_equal(bed_sql("SELECT count(*) FROM espalier.chunk"), 0);
}

/* --- texts --- */

static void test_trials(void **state)
{
    struct error error;
    struct trial trial = bed_trial(12345678901), back;
    trial.training.rate = 0.1f / 3;
    trial.training.seed = UINT64_MAX - 5;
    trial.seconds_most = (double)INFINITY;
    trial.seconds_before = 1.0 / 3;
    char *text = wire_write_trial(&trial), *again;
    assert_int_equal(wire_read_trial(text, &back, &error), 0);
    assert_true(back.node == trial.node && back.training.seed == trial.training.seed);
    assert_true(back.training.rate == trial.training.rate && back.seconds_before == trial.seconds_before);
    assert_true(arch_equal(&back.arch, &trial.arch));
    free(text);
    /* with a parent: the actions lead from it to the network */
    trial.from_scratch = false;
    trial.parent_arch = trial.arch;
    trial.parent_hash = (struct hash){1, 2};
    trial.proposal.count = 1;
    assert_int_equal(action_parse(&trial.parent_arch, "widen:conv1:8", &trial.proposal.actions[0].action, &error), 0);
    assert_int_equal(action_apply(&trial.parent_arch, &trial.proposal.actions[0].action, &trial.arch, &error), 0);
    text = wire_write_trial(&trial);
    assert_int_equal(wire_read_trial(text, &back, &error), 0);
    again = wire_write_trial(&back);
    assert_string_equal(again, text);
    assert_true(hash_equal(back.parent_hash, trial.parent_hash));
    free(again);
    /* what is cut or lacks something is refused */
    for (size_t length = strlen(text); length-- > 0;) {
        char *cut = memory_copy_text(text);
        cut[length] = '\0';
        assert_int_equal(wire_read_trial(cut, &back, &error), -1);
        free(cut);
    }
    char *epochs = strstr(text, "\"training.epochs\":");
    assert_non_null(epochs);
    epochs[1] = 'X';
    assert_int_equal(wire_read_trial(text, &back, &error), -1);
    assert_says(error.text, "training.epochs");
    free(text);
}

static void test_reports(void **state)
{
    struct error error;
    struct report back = {0};
    struct report report = {.kind = REPORT_EPOCH,
                            .epoch = {.epoch = 3,
                                      .epochs = 9,
                                      .rate = 1.0 / 7,
                                      .train_loss = (double)NAN,
                                      .validation_loss = (double)INFINITY,
                                      .seconds = 1e-300}};
    char *text = wire_write_report(&report);
    assert_int_equal(wire_read_report(text, REPORT_EPOCH, &back, &error), 0);
    assert_true(back.epoch.epoch == 3 && back.epoch.rate == 1.0 / 7 && isnan(back.epoch.train_loss) &&
                isinf(back.epoch.validation_loss) && back.epoch.seconds == 1e-300);
    assert_int_equal(wire_read_report(text, REPORT_RESULT, &back, &error), -1);
    free(text);
    report = (struct report){.kind = REPORT_FAILED, .failure = FAILURE_MEMORY, .message = "\xff\n\"quoted\""};
    text = wire_write_report(&report);
    back = (struct report){0};
    assert_int_equal(wire_read_report(text, REPORT_FAILED, &back, &error), 0);
    assert_int_equal(back.failure, FAILURE_MEMORY);
    assert_says(back.message, "\"quoted\"");
    report_done(&back);
    free(text);
    back = (struct report){0};
    assert_int_equal(wire_read_report("{\"failure\":99}", REPORT_FAILED, &back, &error), -1);
    assert_int_equal(wire_read_report("[]", REPORT_CANCELLED, &back, &error), -1);
    enum report_kind kind;
    assert_int_equal(wire_report_kind("result", &kind), 0);
    assert_int_equal(kind, REPORT_RESULT);
    assert_int_equal(wire_report_kind("nonsense", &kind), -1);
}

static void test_sums(void **state)
{
    const struct hash images = {1, 2}, others = {1, 3}, test = {4, 5}, none = {0};
    char *sums[] = {wire_write_sums(images, none), wire_write_sums(images, test), wire_write_sums(images, others),
                    wire_write_sums(others, test)};
    assert_true(wire_sums_fit(sums[0], sums[0]) && wire_sums_fit(sums[0], sums[1]) && wire_sums_fit(sums[1], sums[1]));
    assert_false(wire_sums_fit(sums[1], sums[0]) || wire_sums_fit(sums[1], sums[2]) || wire_sums_fit(sums[1], sums[3]));
    assert_false(wire_sums_fit(sums[0], sums[3]));
    for (size_t i = 0; i < COUNT_OF(sums); i++)
        free(sums[i]);
}

static int open_all(void **state)
{
    return make_folder(state) || bed_open(state);
}

static int close_all(void **state)
{
    return bed_close(state) || remove_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trials),        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_sums),
        cmocka_unit_test(test_frozen),        cmocka_unit_test(test_encryption),
        cmocka_unit_test(test_passwords),     cmocka_unit_test(test_troubles),
        cmocka_unit_test(test_notifications), cmocka_unit_test_setup(test_bytes, bed_renew),
        cmocka_unit_test(test_schema),
    };
    return bed_has_server() ? cmocka_run_group_tests_name("farm_db", tests, open_all, close_all) : 0;
}
