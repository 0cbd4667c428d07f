/* test_sandbox.c - what a child process may do before and after it is sealed, and what its parent is told of its end.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/sandbox.h"

enum { MEMORY = 64 << 20, SECONDS = 1 };

/* Run it in a child; what it sent is the result, -1 when it sent nothing; `ending` is what the parent is told. */
static int run(int (*work)(int keep), int keep, struct error *ending)
{
    int pipe, result = -1;
    struct error error;
    pid_t child = sandbox_fork(MEMORY, SECONDS, keep, &pipe, &error);
    if (!child) {
        result = work(keep);
        sandbox_send(pipe, &result, sizeof result);
        sandbox_leave();
    }
    assert_true(child > 0);
    if (sandbox_receive(pipe, &result, sizeof result))
        result = -1;
    *ending = (struct error){{0}};
    sandbox_end(child, pipe, ending);
    return result;
}

static int read_what_is_open(int keep)
{
    char bytes[4] = "";
    char *memory = malloc(1 << 20);
    sandbox_seal();
    if (!memory || pread(keep, bytes, 4, 1) != 4)
        return 1;
    return memcmp(bytes, "ELF", 3);
}

/* How many of the things that a sealed child must not do it can. */
static int reach_out(int keep)
{
    sandbox_seal();
    int done = open("/etc/passwd", O_RDONLY) >= 0;
    done += open("/tmp/espalier-sandbox", O_WRONLY | O_CREAT, 0600) >= 0;
    done += socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
    done += fork() > 0;
    done += execl("/bin/true", "true", NULL) >= 0;
    done += kill(getppid(), 0) == 0;
    return done;
}

static int is_anything_else_open(int keep)
{
    int count = 0;
    for (int descriptor = 3; descriptor < 100; descriptor++)
        count += fcntl(descriptor, F_GETFD) >= 0;
    return count - 2; /* `keep` and the pipe */
}

static int crash(int keep)
{
    signal(SIGSEGV, SIG_DFL); /* the address sanitizer's */
    raise(SIGSEGV);
    return 0;
}

static int take_time(int keep)
{
    for (volatile int i = 0; !i;)
        continue;
    return 0;
}

static int take_memory(int keep)
{
    return malloc((size_t)4 << 30) ? 1 : 0;
}

static void test_what_it_may(void **state)
{
    struct error ending;
    int file = open("/proc/self/exe", O_RDONLY), other = open("/dev/null", O_RDONLY);
    assert_int_equal(run(read_what_is_open, file, &ending), 0);
    assert_string_equal(ending.text, "");
    assert_int_equal(run(is_anything_else_open, file, &ending), 0);
    close(other);
    close(file);
}

static void test_what_it_may_not(void **state)
{
#ifndef HAVE_SECCOMP
    skip();
#endif
    struct error ending;
    assert_int_equal(run(reach_out, STDIN_FILENO, &ending), 0);
    assert_string_equal(ending.text, "");
}

static void test_how_it_ends(void **state)
{
    struct error ending;
    assert_int_equal(run(crash, STDIN_FILENO, &ending), -1);
    assert_non_null(strstr(ending.text, "its reader was ended by signal 11"));
    if (!getenv("ESPALIER_TEST_LONG")) /* a second of processor time */
        return;
    assert_int_equal(run(take_time, STDIN_FILENO, &ending), -1);
    assert_non_null(strstr(ending.text, "was ended by signal"));
}

static void test_memory(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    struct error ending;
    assert_int_equal(run(take_memory, STDIN_FILENO, &ending), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_may),
        cmocka_unit_test(test_what_it_may_not),
        cmocka_unit_test(test_how_it_ends),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
