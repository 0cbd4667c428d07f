/* main.c - the table of subcommands; parses options and prints --help by the subcommand's own table. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cpu/cpu.h"
#include "cli/browse.h"
#include "cli/completion.h"
#include "search/options.h"
#include "sessions/command.h"
#include "tui/tui.h"
#include "util/bug.h"
#include "util/memory.h"
#include "util/print.h"

static const struct cli_command *const commands[] = {
    &command_run,     &command_resume,  &command_attach, &command_replay, &command_list,    &command_show,
    &command_compare, &command_morph,   &command_train,  &command_eval,   &command_predict, &command_export,
    &command_copy,    &command_devices, &command_fsck,   &command_keys,   &command_farm,    &command_worker,
    &command_version,
};

static void print_help(FILE *out)
{
    print_to(out, "Espalier grows small neural networks for image data: each child keeps its parent's weights.\n\n"
                  "usage: espalier COMMAND [ARGUMENTS]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        print_to(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    print_to(out, "\n`espalier COMMAND --help` describes one; `man espalier` is the manual.\n"
                  "First steps: espalier run --networks 5\n"
                  "Without a command, on a terminal: the list of sessions.\n");
}

enum { HELP_COLUMN = 29, HELP_WIDTH = 80 };

/* Print words on a line that has `column` characters already; further lines begin at `margin`. */
static void print_words(FILE *out, const char *text, int column, int margin)
{
    for (bool first = true; *text; first = false) {
        int length = (int)strcspn(text, " \n");
        if (!first && column + 1 + length > HELP_WIDTH)
            column = print_to(out, "\n%*s", margin, "") - 1;
        else if (!first)
            column += print_to(out, " ");
        column += print_to(out, "%.*s", length, text);
        text += length;
        text += strspn(text, " \n");
    }
    print_to(out, "\n");
}

static void print_beside(FILE *out, const char *left, const char *text)
{
    int column = print_to(out, "  %s", left);
    if (column >= HELP_COLUMN)
        column = print_to(out, "\n") - 1;
    print_to(out, "%*s", HELP_COLUMN - column, "");
    print_words(out, text, HELP_COLUMN, HELP_COLUMN);
}

static void print_option(FILE *out, const struct cli_option *option)
{
    const struct search_option *search = option_find(option->name);
    const char *fallback = option->fallback ? option->fallback : "";
    size_t length = strlen(fallback);
    bool goes_on = length > 4 && !strcmp(fallback + length - 4, "else");
    char left[64];
    struct text text = TEXT_EMPTY;
    snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    text_add(&text, "%s", option->help);
    if (search && search->help == option->help && search->zero)
        text_add(&text, !strcmp(fallback, "0") ? " [0: %s]" : " (0: %s)", search->zero);
    if (length && text.bytes[text.length - 1] != ']')
        text_add(&text, " [%s%s%s]", fallback, goes_on ? " " : "", goes_on ? search->fallback : "");
    print_beside(out, left, text_string(&text));
    text_done(&text);
}

static void print_commands(void)
{
    print_to(stdout, "\nCommands of a running search:\n");
    for (enum command_kind kind = 0; kind < COMMAND_COUNT; kind++) {
        const struct command_row *command = command_row(kind);
        char left[64];
        snprintf(left, sizeof left, "%s %s", command->name, command->arguments);
        print_beside(stdout, left, command->help);
    }
}

static bool has_own(const struct cli_command *command, const char *name)
{
    const struct cli_option *option = command->options;
    while (option && option->name && strcmp(option->name, name) != 0)
        option++;
    return option && option->name;
}

static void print_search_options(const struct cli_command *command)
{
    bool some = command->refuses;
    print_to(stdout, some ? "\nOptions of the search that may change, from now on:\n"
                          : "\nOptions of the search (each may stand in a preset as `name = value`):\n");
    for (int i = 0; option_at(i); i++) {
        const char *name = option_at(i)->name;
        if (has_own(command, name) || (some && command->refuses(name)))
            continue;
        struct cli_option option =
            cli_option_complete(&(struct cli_option){.name = name, .fallback = some ? "the session's" : NULL});
        print_option(stdout, &option);
    }
}

static void print_command_help(const struct cli_command *command)
{
    print_to(stdout, "usage: espalier %s%s%s [OPTIONS]\n\n%s\n", command->name, *command->synopsis ? " " : "",
             command->synopsis, command->summary);
    if (command->details) {
        print_to(stdout, "\n");
        print_words(stdout, command->details, 0, 0);
    }
    print_to(stdout, "\nOptions:\n");
    for (const struct cli_option *row = command->options; row && row->name; row++) {
        struct cli_option option = cli_option_complete(row);
        print_option(stdout, &option);
    }
    print_option(stdout, &(struct cli_option){.name = "help", .help = "print this"});
    if (command->lists_commands)
        print_commands();
    if (!command->search_options)
        return;
    print_search_options(command);
    print_to(stdout, "\nPolicies:\n");
    for (int i = 0; policy_at(i); i++)
        print_beside(stdout, policy_at(i)->name, policy_at(i)->summary);
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

/* Each option has a number of its own, above all letters.  Options with the same number would be the same to
   getopt_long: it would read an ambiguous beginning as the first of them. */
enum { FIRST_NUMBER = 256 };

static struct option *add_option(struct option *list, size_t *count, size_t *capacity, const char *name,
                                 const char *argument)
{
    list = memory_grow(list, *count, capacity, sizeof *list);
    list[*count] = (struct option){name, argument ? required_argument : no_argument, NULL, FIRST_NUMBER + (int)*count};
    ++*count;
    return list;
}

/* The options of the command, those of the search where it takes them, and --help, for getopt_long. */
static struct option *long_options(const struct cli_command *command)
{
    size_t count = 0, capacity = 0;
    struct option *list = NULL;
    for (const struct cli_option *option = command->options; option && option->name; option++)
        list = add_option(list, &count, &capacity, option->name, cli_option_complete(option).argument);
    for (int i = 0; command->search_options && option_at(i); i++)
        if (!has_own(command, option_at(i)->name))
            list = add_option(list, &count, &capacity, option_at(i)->name, option_at(i)->argument);
    list = memory_resize(list, count + 2, sizeof *list);
    list[count++] = (struct option){"help", no_argument, NULL, 'h'};
    list[count] = (struct option){0};
    return list;
}

/* After '?' of getopt_long, optopt is an unknown letter, the number of a flag that was given a value, or 0. */
static int refuse_option(const struct cli_arguments *arguments, const struct option *list, char **argv)
{
    const char *word = argv[optind - 1];
    int begins = 0;
    if (optopt > 0 && optopt < FIRST_NUMBER)
        return cli_usage(arguments, "-%c is not an option", optopt);
    if (optopt)
        return cli_usage(arguments, "%s: this option takes no value", word);
    for (size_t length = strcspn(word, "=") - 2; list->name; list++)
        begins += !strncmp(list->name, word + 2, length);
    return cli_usage(arguments, begins > 1 ? "%s begins several options; write more of it" : "%s is not an option",
                     word);
}

static int parse_and_run(const struct cli_command *command, int argc, char **argv)
{
    struct cli_arguments arguments = {.command = command->name};
    struct option *list = long_options(command);
    int status = -1, which = 0, found;
    opterr = 0;
    while (status < 0 && (found = getopt_long(argc, argv, ":h", list, &which)) != -1) {
        if (found == 'h') {
            print_command_help(command);
            status = 0;
        } else if (found == ':') {
            status = cli_usage(&arguments, "%s needs a value", argv[optind - 1]);
        } else if (found == '?') {
            status = refuse_option(&arguments, list, argv);
        } else if (arguments.value_count == CLI_VALUES_MAX) {
            status = cli_usage(&arguments, "more than %d options", CLI_VALUES_MAX);
        } else {
            arguments.values[arguments.value_count].name = list[which].name;
            arguments.values[arguments.value_count++].value = optarg;
        }
    }
    arguments.word_count = argc - optind;
    arguments.words = argv + optind;
    if (status < 0 && arguments.word_count < command->words_minimum)
        status = cli_usage(&arguments, "needs %s", command->synopsis);
    if (status < 0 && command->words_maximum >= 0 && arguments.word_count > command->words_maximum)
        status = cli_usage(&arguments, "%s is one argument too many", arguments.words[command->words_maximum]);
    if (status < 0)
        status = command->run(&arguments);
    free(list);
    return cli_signal() ? 128 + cli_signal() : status;
}

/* Standard streams may be closed.  Then a log would be opened as descriptor 1, and get the messages. */
static void hold_standard_descriptors(void)
{
    int file;
    do
        file = open("/dev/null", O_RDONLY);
    while (file >= 0 && file <= STDERR_FILENO);
    if (file >= 0)
        close(file);
}

/* Output that could not be written is a failure. */
static int close_output(int status)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (!fflush(stdout) && !failed)
        return status;
    print_to(stderr, "espalier: standard output: can't be written%s%s%s\n", errno ? " (" : "",
             errno ? strerror(errno) : "", errno ? ")" : "");
    return status ? status : 1;
}

/* Refuse an instruction set of the environment that this machine lacks, rather than replace it silently. */
static int check_environment(void)
{
    const char *name = getenv("ESPALIER_ISA");
    if (!name || !*name || backend_cpu_isa(name))
        return 0;
    print_to(stderr, "espalier: ESPALIER_ISA=%s: this machine or program has no such instruction set; there are", name);
    for (int i = 0; cpu_isa_names[i]; i++)
        if (backend_cpu_isa(cpu_isa_names[i]))
            print_to(stderr, " %s", cpu_isa_names[i]);
    print_to(stderr, "\n");
    return 2;
}

static int run_words(int argc, char **argv)
{
    struct error error;
    if (argc < 2 && cli_is_terminal(stdin) && cli_is_terminal(stdout) && !tui_check(NULL, &error))
        return check_environment() ? 2 : browse();
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (argc == 3 && !strcmp(argv[1], "--completion") && !completion_print(argv[2], commands, COUNT_OF(commands)))
        return 0;
    bool help = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help");
    const char *name = help ? (argc > 2 && strcmp(argv[2], "help") && *argv[2] != '-' ? argv[2] : NULL)
                       : !strcmp(argv[1], "--version") ? "version"
                                                       : argv[1];
    const struct cli_command *command = name ? find_command(name) : NULL;
    if (name && !command) {
        print_to(stderr, "espalier: %s is not a command; `espalier help` lists them\n", name);
        return 2;
    }
    if (!help)
        return check_environment() ? 2 : parse_and_run(command, argc - 1, argv + 1);
    if (command)
        print_command_help(command);
    else
        print_help(stdout);
    return 0;
}

/* Without memory jansson would leave out what doesn't fit, and the file would be written without it. */
static void *json_memory(size_t size)
{
    return memory_resize(NULL, size, 1);
}

int main(int argc, char **argv)
{
    json_set_alloc_funcs(json_memory, free);
    hold_standard_descriptors();
    setlocale(LC_CTYPE, "");
    signal(SIGXFSZ, SIG_IGN); /* a write over the file size limit then fails with EFBIG, and is reported */
    return close_output(run_words(argc, argv));
}
