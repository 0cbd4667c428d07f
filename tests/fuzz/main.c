/*
 * main.c - runs a fuzz target without libFuzzer: over its corpus, then over mutations of it.
 *
 * fuzz_NAME runs the corpus in tests/fuzz/corpus/fuzz_NAME, then mutations of it (TAP on stdout): 20,000, or as many as
 * fit in a second of processor time, or in $FUZZ_SECONDS seconds of it.  fuzz_NAME FILE... runs these inputs only, to
 * see a failure again.
 *
 * Mutations come from a fixed stream, so a run can be repeated; $FUZZ_SEED chooses another.  No input may take more
 * than ten seconds of processor time or 1 GiB of memory.  One that does, or that makes the target abort or crash, is
 * written to fuzz_NAME.crash in the current folder; the handlers only use async-signal-safe calls.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <unistd.h>

#include "util/bug.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/random.h"

enum {
    MUTATIONS = 20000,
    MEMORY_MOST = 1 << 20 /* KiB */,
    INPUT_LIMIT = 1 << 20,
    INPUTS_MAX = 1000,
    SECONDS_PER_INPUT = 10,
    WAIT_PER_INPUT = 100 /* of which other processes may take most */
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* With the sanitizers, an error ends in SIGABRT too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:handle_abort=0:max_allocation_size_mb=1024:quarantine_size_mb=16";
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

struct input {
    uint8_t *bytes;
    size_t length;
};

static struct input inputs[INPUTS_MAX];
static int input_count;

static struct input running; /* for the handler */
static char crash_path[128];

static void write_crash(int signal_number)
{
    int descriptor = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (descriptor >= 0 && write(descriptor, running.bytes, running.length) == (ssize_t)running.length) {
        static const char words[] = "Bail out! the input that failed was written to ";
        ssize_t ignored = write(STDOUT_FILENO, words, sizeof(words) - 1);
        ignored = write(STDOUT_FILENO, crash_path, strlen(crash_path));
        ignored = write(STDOUT_FILENO, "\n", 1);
        (void)ignored;
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Of this process and the children that it has waited for, in seconds. */
static double processor_time(void)
{
    struct tms times_now;
    times(&times_now);
    clock_t all = times_now.tms_utime + times_now.tms_stime + times_now.tms_cutime + times_now.tms_cstime;
    return (double)all / (double)sysconf(_SC_CLK_TCK);
}

static void set_limits(time_t seconds, unsigned wait)
{
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = seconds}, NULL);
    alarm(wait);
}

static double slowest;

/* A copy of exactly its length, so that the address sanitizer sees a read past the end. */
static void run_one(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    double begin = processor_time();
    ASSERT(copy);
    if (length)
        memcpy(copy, bytes, length);
    running = (struct input){copy, length};
    set_limits(SECONDS_PER_INPUT, WAIT_PER_INPUT);
    ASSERT(LLVMFuzzerTestOneInput(copy, length) == 0);
    set_limits(0, 0);
    running = (struct input){0};
    free(copy);
    if (processor_time() - begin > slowest)
        slowest = processor_time() - begin;
}

static void add_input(const char *path)
{
    /* As they are: file_read() would unpack a compressed input. */
    FILE *file = fopen(path, "rb");
    if (!file || input_count == INPUTS_MAX) {
        printf("Bail out! %s: can't be opened, or there are more than %d inputs\n", path, INPUTS_MAX);
        exit(1);
    }
    uint8_t *bytes = memory_new(INPUT_LIMIT, 1);
    size_t length = fread(bytes, 1, INPUT_LIMIT, file);
    fclose(file);
    inputs[input_count++] = (struct input){memory_resize(bytes, length, 1), length};
}

static void add_corpus(const char *name)
{
    const char *source = getenv("top_srcdir");
    char folder[512];
    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", source ? source : ".", name);
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        printf("Bail out! %s: no corpus; set top_srcdir to the source folder\n", folder);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            char *path = file_join(folder, entries[i]->d_name);
            add_input(path);
            free(path);
        }
        free(entries[i]);
    }
    free(entries);
}

static size_t draw(struct random_stream *stream, size_t bound)
{
    return random_below(stream, (uint32_t)bound);
}

/* Put another number in the place of the digits at `at` or behind: one that a type, or a hundredth of it, can't hold.
 */
static size_t mutate_number(struct random_stream *stream, uint8_t *bytes, size_t length, size_t at)
{
    static const char *const numbers[] = {"0",          "1",          "99999999",
                                          "999999999",  "21474837",   "42949673",
                                          "2147483647", "4294967297", "18446744073709551617",
                                          "1e400"};
    const char *number = numbers[draw(stream, COUNT_OF(numbers))];
    while (at < length && (bytes[at] < '0' || bytes[at] > '9'))
        at++;
    size_t end = at, size = strlen(number);
    while (end < length && bytes[end] >= '0' && bytes[end] <= '9')
        end++;
    if (end == at || length - (end - at) + size > INPUT_LIMIT)
        return length;
    memmove(bytes + at + size, bytes + end, length - end);
    memcpy(bytes + at, number, size);
    return length - (end - at) + size;
}

/* Change `bytes` (room for INPUT_LIMIT) in one way; returns the new length. */
static size_t mutate(struct random_stream *stream, uint8_t *bytes, size_t length)
{
    static const uint8_t interesting[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '(', ',', ' ', '"', '\n'};
    const struct input *other = &inputs[draw(stream, (size_t)input_count)];
    size_t at = length ? draw(stream, length) : 0, left = length - at;
    size_t span = left ? 1 + draw(stream, left < 16 ? left : 16) : 0;
    switch (draw(stream, 8)) {
    case 0: /* flip a bit */
        if (length)
            bytes[at] ^= (uint8_t)(1u << draw(stream, 8));
        return length;
    case 1: /* a byte that is often a limit */
        if (length)
            bytes[at] = interesting[draw(stream, sizeof(interesting))];
        return length;
    case 2: /* any byte */
        if (length)
            bytes[at] = (uint8_t)random_word(stream);
        return length;
    case 3: /* leave out a few */
        memmove(bytes + at, bytes + at + span, left - span);
        return length - span;
    case 4: /* repeat a few */
        if (length + span > INPUT_LIMIT)
            return length;
        memmove(bytes + at + span, bytes + at, left);
        return length + span;
    case 5: /* cut short */
        return at;
    case 6:
        return mutate_number(stream, bytes, length, at);
    default: /* go on as another input does */
        if (at + other->length > INPUT_LIMIT || !other->length)
            return length;
        span = draw(stream, other->length);
        memcpy(bytes + at, other->bytes + span, other->length - span);
        return at + other->length - span;
    }
}

static int run_mutations(void)
{
    const char *seconds = getenv("FUZZ_SECONDS"), *seed = getenv("FUZZ_SEED");
    double begin = processor_time(), end = begin + (seconds ? atof(seconds) : 1);
    struct random_stream stream = random_stream_new(seed ? strtoull(seed, NULL, 10) : 1, RANDOM_TEST, 0, 0);
    uint8_t *bytes = memory_new(INPUT_LIMIT, 1);
    int done = 0;
    while (processor_time() < end && (seconds || done < MUTATIONS)) {
        const struct input *input = &inputs[draw(&stream, (size_t)input_count)];
        size_t length = input->length;
        if (length)
            memcpy(bytes, input->bytes, length);
        for (size_t change = 1 + draw(&stream, 4); change > 0; change--)
            length = mutate(&stream, bytes, length);
        run_one(bytes, length);
        done++;
    }
    free(bytes);
    printf("# %.0f mutations an hour of processor time, the slowest input took %.2f s\n",
           3600.0 * done / fmax(processor_time() - begin, 0.01), slowest);
    return done;
}

int main(int count, char **words)
{
    const char *slash = strrchr(words[0], '/'), *name = slash ? slash + 1 : words[0];
    snprintf(crash_path, sizeof(crash_path), "%s.crash", name);
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGPROF};
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        signal(signals[i], write_crash);
    setvbuf(stdout, NULL, _IOLBF, 0);

    for (int i = 1; i < count; i++)
        add_input(words[i]);
    if (count == 1)
        add_corpus(name);
    printf("1..%d\n", count == 1 ? 2 : 1);
    for (int i = 0; i < input_count; i++)
        run_one(inputs[i].bytes, inputs[i].length);
    printf("%s 1 - %s: %d inputs\n", input_count ? "ok" : "not ok", name, input_count);
    if (count == 1 && input_count)
        printf("ok 2 - %s: %d mutations\n", name, run_mutations());
    for (int i = 0; i < input_count; i++)
        free(inputs[i].bytes);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("# at most %ld MiB of memory\n", usage.ru_maxrss >> 10);
#ifndef __SANITIZE_THREAD__
    ASSERT(usage.ru_maxrss < MEMORY_MOST);
#endif
    return input_count ? 0 : 1;
}
