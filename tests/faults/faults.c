/*
 * faults.c - a library that is loaded before the program (LD_PRELOAD) and lets one of its calls fail, or kills it
 * there.
 *
 *     FAULT="CALL NUMBER WHAT"   at the call with that number, counted from 1: fail with errno WHAT (a number), or
 *                                "kill": the process is killed before the call
 *     FAULT="CALL NUMBER+ WHAT"  at that call and at all after it
 *     FAULT_PATH=TEXT            only calls on files whose path has this text are counted
 *     FAULT_COUNT=FILE           write the number of calls there at the end
 *
 * CALL is open (to write), write, sync, rename, remove, truncate, folder, read, thread or alloc; `any` is every call on
 * a file but read.  `clock`: from that call on, the wall clock is WHAT seconds ahead (or behind).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct {
    bool ready, forever, kill;
    char call[16];
    long at, what;
    const char *path;
    atomic_long count;
} fault;

static void prepare(void)
{
    const char *text = getenv("FAULT"), *path = getenv("FAULT_PATH");
    char number[24] = "", what[24] = "";
    fault.ready = true;
    fault.path = path ? path : "";
    if (!text || sscanf(text, "%15s %23s %23s", fault.call, number, what) != 3)
        return;
    fault.at = atol(number);
    fault.forever = strchr(number, '+') != NULL;
    fault.kill = !strcmp(what, "kill");
    fault.what = atol(what);
}

static bool is_counted(const char *call, bool on_file)
{
    if (!fault.ready)
        prepare();
    return !strcmp(fault.call, call) || (on_file && !strcmp(fault.call, "any"));
}

/* True: the call fails, with errno. */
static bool strikes(void)
{
    long number = atomic_fetch_add(&fault.count, 1) + 1;
    if (number != fault.at && !(fault.forever && number > fault.at))
        return false;
    if (fault.kill)
        kill(getpid(), SIGKILL);
    errno = (int)fault.what;
    return true;
}

/* The path of an open file or folder, with a name in it or NULL. */
static bool is_path(int file, const char *name)
{
    char link[64], path[4096] = "";
    if (!*fault.path || (name && strstr(name, fault.path)))
        return true;
    if (file == AT_FDCWD || (name && *name == '/'))
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1) > 0 && strstr(path, fault.path);
}

static bool strikes_file(const char *call, int file, const char *name)
{
    return is_counted(call, strcmp(call, "read")) && is_path(file, name) && strikes();
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FAULT_COUNT");
    char text[24];
    int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&fault.count));
    long file = path ? syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (file >= 0)
        syscall(SYS_write, (int)file, text, length);
}

static bool writes(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY;
}

static int open_at(int folder, const char *name, int flags, int mode)
{
    if (writes(flags) && strikes_file("open", folder, name))
        return -1;
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, int) : 0;
    va_end(list);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *name, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, int) : 0;
    va_end(list);
    return open_at(folder, name, flags, mode);
}

/* What _FORTIFY_SOURCE makes of the two. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

int __openat_2(int folder, const char *name, int flags);
int __openat_2(int folder, const char *name, int flags)
{
    return open_at(folder, name, flags, 0);
}

ssize_t write(int file, const void *bytes, size_t length)
{
    return strikes_file("write", file, NULL) ? -1 : syscall(SYS_write, file, bytes, length);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset)
{
    return strikes_file("write", file, NULL) ? -1 : syscall(SYS_pwrite64, file, bytes, length, offset);
}

ssize_t read(int file, void *bytes, size_t length)
{
    return strikes_file("read", file, NULL) ? -1 : syscall(SYS_read, file, bytes, length);
}

ssize_t pread(int file, void *bytes, size_t length, off_t offset)
{
    return strikes_file("read", file, NULL) ? -1 : syscall(SYS_pread64, file, bytes, length, offset);
}

int fsync(int file)
{
    return strikes_file("sync", file, NULL) ? -1 : (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    return strikes_file("sync", file, NULL) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int ftruncate(int file, off_t length)
{
    return strikes_file("truncate", file, NULL) ? -1 : (int)syscall(SYS_ftruncate, file, length);
}

int rename(const char *from, const char *to)
{
    return strikes_file("rename", AT_FDCWD, to) ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return strikes_file("rename", to_folder, to) ? -1 : (int)syscall(SYS_renameat, from_folder, from, to_folder, to);
}

int unlink(const char *path)
{
    return strikes_file("remove", AT_FDCWD, path) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int folder, const char *name, int flags)
{
    return strikes_file("remove", folder, name) ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags);
}

int mkdir(const char *path, mode_t mode)
{
    return strikes_file("folder", AT_FDCWD, path) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    create *next = (create *)dlsym(RTLD_NEXT, "pthread_create");
    return is_counted("thread", false) && strikes() ? EAGAIN : next(thread, attributes, run, context);
}

/* dlsym() itself allocates, so the C library's own names are called. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return is_counted("alloc", false) && strikes() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_counted("alloc", false) && strikes() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_counted("alloc", false) && strikes() ? NULL : __libc_realloc(old, size);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME && is_counted("clock", false) && strikes())
        time->tv_sec += fault.what;
    return result;
}
