/* test_file.c - whole files: plain and gzip, limits, what a failed write leaves behind, and every message. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include "test_folder.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

static void check_content(const char *path, const char *expected, size_t expected_length)
{
    struct error error = {""};
    void *bytes = NULL;
    size_t length = 0;
    assert_int_equal(file_read_gzip(path, 1 << 24, &bytes, &length, &error), 0);
    assert_int_equal(length, expected_length);
    assert_memory_equal(bytes, expected, length);
    assert_int_equal(((char *)bytes)[length], 0);
    free(bytes);
}

static void check_unreadable(const char *path, size_t limit, const char *message)
{
    struct error error = {""};
    void *bytes = NULL;
    size_t length = 0;
    assert_int_equal(file_read_gzip(path, limit, &bytes, &length, &error), -1);
    assert_null(bytes);
    assert_memory_equal(error.text, path, strlen(path));
    if (!strstr(error.text, message))
        fail_msg("\"%s\" does not say \"%s\"", error.text, message);
}

static void write_gzip(const char *path, const void *bytes, size_t length)
{
    gzFile gz = gzopen(path, "wb");
    assert_non_null(gz);
    assert_int_equal(gzwrite(gz, bytes, (unsigned)length), (int)length);
    assert_int_equal(gzclose(gz), Z_OK);
}

/* In the test's folder, of names that begin with `beginning`. */
static int count_of_names(const char *beginning)
{
    int count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += !strncmp(entry->d_name, beginning, strlen(beginning));
    closedir(directory);
    return count;
}

static void what_is_written_is_read(void **state)
{
    struct error error = {""};
    const char *path = in_folder("plain");
    assert_false(file_exists(path));
    assert_int_equal(file_write(path, "first", 5, &error), 0);
    assert_true(file_exists(path));
    check_content(path, "first", 5);
    assert_int_equal(file_write(path, "a\0b", 3, &error), 0);
    check_content(path, "a\0b", 3);
    assert_int_equal(file_write(path, NULL, 0, &error), 0);
    check_content(path, "", 0);
    assert_int_equal(count_of_names("plain"), 1); /* nothing else is left in the folder */
}

static void large_files_plain_and_gzip(void **state)
{
    enum { LENGTH = 5 * 1000 * 1000 + 1 };
    char *bytes = memory_new(LENGTH, 1);
    for (int i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i * 2654435761u >> 24);
    struct error error = {""};
    assert_int_equal(file_write(in_folder("large"), bytes, LENGTH, &error), 0);
    check_content(in_folder("large"), bytes, LENGTH);
    write_gzip(in_folder("large.gz"), bytes, LENGTH);
    check_content(in_folder("large.gz"), bytes, LENGTH);
    free(bytes);
}

static void limits_hold_after_expansion(void **state)
{
    struct error error = {""};
    char *zeros = memory_new(100000, 1);
    assert_int_equal(file_write(in_folder("limit"), zeros, 1000, &error), 0);
    write_gzip(in_folder("bomb.gz"), zeros, 100000);
    check_unreadable(in_folder("limit"), 999, "larger than 999 B");
    check_unreadable(in_folder("bomb.gz"), 99999, "larger than 97.7 KiB");
    void *bytes;
    size_t length;
    assert_int_equal(file_read(in_folder("limit"), 1000, &bytes, &length, &error), 0);
    assert_int_equal(length, 1000);
    free(bytes);
    assert_int_equal(file_read_gzip(in_folder("bomb.gz"), 100000, &bytes, &length, &error), 0);
    free(bytes);
    free(zeros);
}

/* Time and memory are at most linear in the file. */
static void small_files_stay_small(void **state)
{
    enum { LENGTH = 8 << 20 };
    char *zeros = memory_new(LENGTH, 1);
    void *bytes;
    size_t length;
    struct error error;
    write_gzip(in_folder("bomb.gz"), zeros, LENGTH);
    check_unreadable(in_folder("bomb.gz"), 1 << 30, "larger than 1.8 MiB");
    /* Only where gzip is meant is it unpacked. */
    assert_int_equal(file_read(in_folder("bomb.gz"), 1 << 30, &bytes, &length, &error), 0);
    assert_in_range(length, 1000, 20000);
    assert_memory_equal(bytes, "\x1f\x8b", 2);
    free(bytes);
    free(zeros);
}

static void pipes_and_devices_are_refused(void **state)
{
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    check_unreadable(in_folder("pipe"), 10, "pipe: is not a regular file");
    check_unreadable("/dev/zero", 10, "/dev/zero: is not a regular file");
    assert_int_equal(file_read(in_folder("pipe"), 10, &(void *){NULL}, &(size_t){0}, NULL), -1);
}

static void damaged_gzip_is_refused(void **state)
{
    struct error error = {""};
    struct stat status;
    char words[4000];
    for (size_t i = 0; i < sizeof(words); i++)
        words[i] = (char)(i * i * 2654435761u >> 13);
    write_gzip(in_folder("whole.gz"), words, sizeof(words));
    assert_int_equal(stat(in_folder("whole.gz"), &status), 0);
    size_t size = (size_t)status.st_size;
    char *packed = memory_new(size, 1);
    FILE *file = fopen(in_folder("whole.gz"), "rb");
    assert_int_equal(fread(packed, 1, size, file), size);
    fclose(file);
    /* Cut in the data, in the checksum, and in the header. */
    const size_t cuts[] = {size / 2, size - 9, size - 1, 12, 9};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        assert_int_equal(file_write(in_folder("cut.gz"), packed, cuts[i], &error), 0);
        check_unreadable(in_folder("cut.gz"), 1 << 20, "cut short or damaged");
    }
    packed[size / 2] ^= 0x10;
    assert_int_equal(file_write(in_folder("flip.gz"), packed, size, &error), 0);
    check_unreadable(in_folder("flip.gz"), 1 << 20, "cut short or damaged");
    free(packed);
}

static void unreadable_paths(void **state)
{
    check_unreadable(in_folder("absent"), 10, "No such file or directory");
    check_unreadable(folder, 10, "is a folder");
    assert_false(file_exists(in_folder("absent")));
    assert_int_equal(file_read(in_folder("absent"), 10, &(void *){NULL}, &(size_t){0}, NULL), -1);
}

static void check_unwritable(const char *path, const char *reason)
{
    struct error error = {""};
    assert_int_equal(file_write(path, "new", 3, &error), -1);
    assert_memory_equal(error.text, path, strlen(path));
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void unwritable_places(void **state)
{
    struct error error = {""};
    check_unwritable(in_folder("absent/file"), "No such file or directory");
    check_unwritable(folder, "Is a directory");
    assert_int_equal(file_write(in_folder("file"), "old", 3, &error), 0);
    check_unwritable(in_folder("file/below"), "Not a directory");
    if (access("/dev/full", W_OK) == 0)
        check_unwritable("/dev/full", "No space left on device");
    assert_int_equal(file_write("/dev/null", "gone", 4, &error), 0);
    struct stat status;
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode)); /* not replaced by a file */
}

static void folder_without_permission(void **state)
{
    struct error error = {""};
    assert_int_equal(mkdir(in_folder("closed"), 0777), 0);
    assert_int_equal(file_write(in_folder("closed/file"), "old", 3, &error), 0);
    assert_int_equal(chmod(in_folder("closed"), 0555), 0);
    const uid_t user = geteuid(), somebody = 65534;
    if (user == 0) { /* root may write anywhere: be someone else for a moment */
        assert_int_equal(chmod(folder, 0755), 0);
        assert_int_equal(seteuid(somebody), 0);
    }
    check_unwritable(in_folder("closed/file"), "Permission denied");
    assert_int_equal(file_may_write(in_folder("closed/file"), &error), -1);
    check_content(in_folder("closed/file"), "old", 3);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(in_folder("closed"), 0755), 0);
}

static void check_may_write(const char *path, const char *reason)
{
    struct error error = {""};
    assert_int_equal(file_may_write(path, &error), reason ? -1 : 0);
    if (reason && !strstr(error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void places_are_looked_at_before(void **state)
{
    struct error error = {""};
    check_may_write(in_folder("later"), NULL);
    assert_false(file_exists(in_folder("later")));
    check_may_write("later", NULL);
    check_may_write("/dev/null", NULL);
    assert_int_equal(file_write(in_folder("present"), "old", 3, &error), 0);
    check_may_write(in_folder("present"), NULL);
    check_content(in_folder("present"), "old", 3);
    check_may_write("", "names no file");
    check_may_write(folder, "is a folder");
    check_may_write(in_folder("absent/file"), "No such file or directory");
    check_may_write(in_folder("present/below"), "Not a directory");
}

/* A folder in the place of the file makes the rename fail: nothing new lies about then. */
static void what_lies_in_the_way_of_a_write(void **state)
{
    struct error error = {""};
    assert_int_equal(file_write(in_folder("kept"), "old", 3, &error), 0);
    assert_int_equal(rename(in_folder("kept"), in_folder("moved")), 0);
    assert_int_equal(mkdir(in_folder("kept"), 0777), 0);
    int here = open(folder, O_RDONLY | O_DIRECTORY);
    assert_int_equal(file_write_at(here, "kept", "new", 3), -1);
    assert_int_equal(errno, EISDIR);
    close(here);
    assert_int_equal(count_of_names("kept"), 1);
    /* A link in the place of the file is replaced, and what it names stays as it is. */
    assert_int_equal(rmdir(in_folder("kept")), 0);
    assert_int_equal(symlink("moved", in_folder("kept")), 0);
    assert_int_equal(file_write(in_folder("kept"), "new", 3, &error), 0);
    check_content(in_folder("kept"), "new", 3);
    check_content(in_folder("moved"), "old", 3);
    assert_int_equal(count_of_names("kept"), 1);
}

static void written_in_the_current_folder(void **state)
{
    struct error error = {""};
    char *back = getcwd(NULL, 0);
    assert_int_equal(chdir(folder), 0);
    int result = file_write("here", "x", 1, &error);
    int made = file_make_folder("there/below", &error);
    assert_int_equal(chdir(back), 0);
    free(back);
    assert_int_equal(result, 0);
    assert_int_equal(made, 0);
    check_content(in_folder("here"), "x", 1);
    assert_true(file_exists(in_folder("there/below")));
}

static void folders_are_made(void **state)
{
    struct error error = {""};
    struct stat status;
    assert_int_equal(file_make_folder(in_folder("a//b/c/"), &error), 0);
    assert_int_equal(stat(in_folder("a/b/c"), &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    assert_int_equal(file_make_folder(in_folder("a/b"), &error), 0);
    assert_int_equal(file_make_folder("/", &error), 0);
    assert_int_equal(file_write(in_folder("a/file"), "", 0, &error), 0);
    assert_int_equal(file_make_folder(in_folder("a/file"), &error), -1);
    assert_non_null(strstr(error.text, "Not a directory"));
    assert_int_equal(file_make_folder(in_folder("a/file/below"), &error), -1);
    assert_non_null(strstr(error.text, "Not a directory"));
    assert_int_equal(file_make_folder("", &error), -1);
}

/* What is synced, by its number in the file system. */
static struct {
    int count;
    ino_t items[16];
} synced;

int fsync(int file)
{
    struct stat status;
    assert_int_equal(fstatat(file, "", &status, AT_EMPTY_PATH), 0);
    if (synced.count < 16)
        synced.items[synced.count++] = status.st_ino;
    return (int)syscall(SYS_fsync, file);
}

static bool is_synced(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    for (int i = 0; i < synced.count; i++)
        if (synced.items[i] == status.st_ino)
            return true;
    return false;
}

/* A file that is safe in a folder is lost with the folder. */
static void new_folders_are_there_after_a_power_cut(void **state)
{
    struct error error = {""};
    char *place = memory_copy_text(in_folder("place"));
    char *deep = file_join(place, "a/b/c"), *a = file_join(place, "a"), *b = file_join(place, "a/b");
    assert_int_equal(mkdir(place, 0777), 0);
    synced.count = 0;
    assert_int_equal(file_make_folder(deep, &error), 0);
    assert_true(is_synced(place) && is_synced(a) && is_synced(b));
    assert_false(is_synced(in_folder("."))); /* it made nothing there */
    free(place);
    free(deep);
    free(a);
    free(b);
}

static void paths_are_joined(void **state)
{
    static const char *const rows[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}, {"a/b", "c/d", "a/b/c/d"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *path = file_join(rows[i][0], rows[i][1]);
        assert_string_equal(path, rows[i][2]);
        free(path);
    }
}

/* What killed writers of a file left goes when it is reserved; other files, and names that only look alike, stay. */
static void what_killed_writers_left_is_removed(void **state)
{
    static const char *const names[] = {"left.espalier-0123456789abcdef", "left.checkpoint.espalier-0123456789abcdef",
                                        "left.espalier-0123456789abcdeg", "left.espalier-0123", "left.espalier",
                                        "leftmost.espalier-0123456789abcdef"};
    struct error error = {""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(file_write(in_folder(names[i]), "x", 1, &error), 0);
    int reservation = file_reserve(in_folder("left"), &error);
    assert_true(reservation >= 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(file_exists(in_folder(names[i])), i > 1);
    file_release(in_folder("left"), reservation);
    int all = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_sweep(all, NULL), 1);
    assert_false(file_exists(in_folder(names[5])));
    close(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(large_files_plain_and_gzip),
        cmocka_unit_test(limits_hold_after_expansion),
        cmocka_unit_test(small_files_stay_small),
        cmocka_unit_test(pipes_and_devices_are_refused),
        cmocka_unit_test(damaged_gzip_is_refused),
        cmocka_unit_test(unreadable_paths),
        cmocka_unit_test(unwritable_places),
        cmocka_unit_test(folder_without_permission),
        cmocka_unit_test(places_are_looked_at_before),
        cmocka_unit_test(what_lies_in_the_way_of_a_write),
        cmocka_unit_test(written_in_the_current_folder),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(new_folders_are_there_after_a_power_cut),
        cmocka_unit_test(paths_are_joined),
        cmocka_unit_test(what_killed_writers_left_is_removed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
