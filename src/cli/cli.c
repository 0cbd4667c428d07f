/*
 * cli.c - what every subcommand uses: option values, messages, signals, and what the terminal can do.
 */
#include "cli/cli.h"

#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/images.h"
#include "util/print.h"
#include "util/text.h"

const char *cli_value(const struct cli_arguments *arguments, const char *name)
{
    for (int i = arguments->value_count - 1; i >= 0; i--)
        if (!strcmp(arguments->values[i].name, name))
            return arguments->values[i].value ? arguments->values[i].value : "";
    return NULL;
}

int cli_integer(const struct cli_arguments *arguments, const char *name, int64_t fallback, int64_t minimum,
                int64_t maximum, int64_t *value)
{
    const char *text = cli_value(arguments, name);
    *value = fallback;
    if (!text || !text_to_whole_count(text, minimum, maximum, value))
        return 0;
    cli_usage(arguments, "--%s %s: must be a whole number from %lld to %lld", name, text, (long long)minimum,
              (long long)maximum);
    return -1;
}

int cli_real(const struct cli_arguments *arguments, const char *name, double fallback, double minimum, double maximum,
             double *value)
{
    const char *text = cli_value(arguments, name);
    *value = fallback;
    if (!text || !text_to_real(text, minimum, maximum, value))
        return 0;
    cli_usage(arguments, "--%s %s: must be a number from %g to %g", name, text, minimum, maximum);
    return -1;
}

int cli_fail(const struct error *error)
{
    fflush(stdout);
    print_to(stderr, "espalier: %s\n", error->text);
    return 1;
}

void cli_warn(const struct error *warning)
{
    if (*warning->text)
        print_to(stderr, "espalier: %s\n", warning->text);
}

void cli_warn_of_images(const struct images *images)
{
    for (const char *line = images->warnings; line && *line;) {
        int length = (int)strcspn(line, "\n");
        print_to(stderr, "espalier: %.*s\n", length, line);
        line += length + 1;
    }
}

int cli_usage(const struct cli_arguments *arguments, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fflush(stdout);
    print_to(stderr, "espalier %s: ", arguments->command);
    print_values(stderr, format, list);
    print_to(stderr, "; `espalier %s --help` lists the options\n", arguments->command);
    va_end(list);
    return 2;
}

bool cli_is_terminal(FILE *stream)
{
    const char *terminal = getenv("TERM");
    return isatty(fileno(stream)) && terminal && *terminal && strcmp(terminal, "dumb");
}

bool cli_is_unicode(void)
{
    return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* Global, because signals come to the process. */
static struct {
    void (*stop)(void *context);
    void *context;
    volatile sig_atomic_t signal;
} caught;

static void on_signal(int number)
{
    if (caught.signal) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    int saved = errno;
    caught.signal = number;
    caught.stop(caught.context);
    errno = saved;
}

void cli_catch_signals(void (*stop)(void *context), void *context)
{
    caught.stop = stop;
    caught.context = context;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction hangup;
    if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN) /* nohup stays in force */
        sigaction(SIGHUP, &action, NULL);
}

void cli_ignore_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    caught.signal = 0;
}

int cli_signal(void)
{
    return caught.signal;
}
