/*
 * completion.c - see completion.h.
 *
 * A script has the names of the commands, their options with one line of help, and the words that a value may be.  The
 * names of sessions and files are found by the shell when a person presses Tab: reading logs would take too long.
 */
#include "cli/completion.h"

#include <string.h>

#include "search/options.h"
#include "tui/theme.h"
#include "util/bug.h"
#include "util/print.h"
#include "util/text.h"

/* Add the words of a list that are separated by any of `separators`, with a blank between them. */
static void add_words(struct text *words, const char *list, const char *separators)
{
    while (*(list += strspn(list, separators))) {
        size_t length = strcspn(list, separators);
        text_add(words, "%s%.*s", words->length ? " " : "", (int)length, list);
        list += length;
    }
}

/* The words that an option's value may be; none: anything. */
static void values_of(const char *option, struct text *words)
{
    const struct search_option *search = option_find(option);
    text_clear(words);
    if (!strcmp(option, "theme"))
        add_words(words, THEME_NAMES, ", ");
    else if (!strcmp(option, "policy"))
        for (int i = 0; policy_at(i); i++)
            add_words(words, policy_at(i)->name, " ");
    else if (search && search->words)
        add_words(words, search->words, "|");
}

/* Its value is a number or the like, so that no file is meant. */
static bool is_number(const struct cli_option *option)
{
    static const char *const arguments[] = {"N", "X", "SECONDS", "WxH", "DURATION", "ADDRESS"};
    const struct search_option *search = option_find(option->name);
    for (size_t i = 0; !search && i < COUNT_OF(arguments); i++)
        if (!strcmp(option->argument, arguments[i]))
            return true;
    return search && (search->type == OPTION_INTEGER || search->type == OPTION_REAL || search->type == OPTION_SIZE);
}

/* Call for each option of a command, --help last. */
static void each_option(const struct cli_command *command,
                        void (*print)(const struct cli_command *command, const struct cli_option *option))
{
    for (const struct cli_option *row = command->options; row && row->name; row++) {
        struct cli_option option = cli_option_complete(row);
        print(command, &option);
    }
    for (int i = 0; command->search_options && option_at(i); i++) {
        if (command->refuses && command->refuses(option_at(i)->name))
            continue;
        struct cli_option option = cli_option_complete(&(struct cli_option){.name = option_at(i)->name});
        print(command, &option);
    }
    print(command, &(struct cli_option){.name = "help", .help = "print this"});
}

/* What its words are: "no" words, "folders", or else sessions and files: "yes". */
static const char *kind_of_words(const struct cli_command *command)
{
    return !command->words_maximum ? "no" : command->takes_folders ? "folders" : "yes";
}

static void verbs_of(const struct cli_command *command, struct text *words)
{
    text_clear(words);
    add_words(words, command->verbs ? command->verbs : "", "|");
}

/* A text in single quotes, for all three shells; `special` characters get a backslash, which the shell reads once more.
 */
static void print_quoted(const char *string, const char *special)
{
    struct text text = TEXT_EMPTY;
    for (; *string; string++) {
        if (*string == '\'')
            text_add(&text, "'\\'");
        else if (strchr(special, *string))
            text_add(&text, "\\");
        text_add_bytes(&text, string, 1);
    }
    print_to(stdout, "'%s'", text_string(&text));
    text_done(&text);
}

/* --- bash --- */

static void bash_option(const struct cli_command *command, const struct cli_option *option)
{
    print_to(stdout, " --%s", option->name);
}

static void bash_values(const struct cli_command *command, const struct cli_option *option)
{
    struct text words = TEXT_EMPTY;
    values_of(option->name, &words);
    if (words.length)
        print_to(stdout, "    %s\\ --%s) values=\"%s\" ;;\n", command->name, option->name, text_string(&words));
    else if (option->argument)
        print_to(stdout, "    %s\\ --%s) files=%s ;;\n", command->name, option->name, is_number(option) ? "no" : "yes");
    text_done(&words);
}

/* compgen -W would expand what is in a folder's name; so the names of sessions are compared here. */
static void print_bash(const struct cli_command *const *commands, size_t count)
{
    print_to(stdout,
             "# bash completion for espalier\n"
             "_espalier_sessions() {\n"
             "    local session\n"
             "    for session in ./*.esp \"${XDG_STATE_HOME:-$HOME/.local/state}\"/espalier/*.esp; do\n"
             "        session=${session##*/} session=${session%%.esp}\n"
             "        [[ $session != '*' && $session == \"$1\"* ]] && printf '%%s\\n' \"$session\"\n"
             "    done\n"
             "}\n"
             "_espalier() {\n"
             "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options= values= files= words= verbs=\n"
             "    COMPREPLY=()\n"
             "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
             "        mapfile -t COMPREPLY < <(compgen -W \"help");
    for (size_t i = 0; i < count; i++)
        print_to(stdout, " %s", commands[i]->name);
    print_to(stdout,
             "\" -- \"$word\")\n        return\n    fi\n    case \"$command ${COMP_WORDS[COMP_CWORD - 1]}\" in\n");
    for (size_t i = 0; i < count; i++)
        each_option(commands[i], bash_values);
    print_to(stdout, "    esac\n    case $command in\n");
    struct text verbs = TEXT_EMPTY;
    for (size_t i = 0; i < count; i++) {
        verbs_of(commands[i], &verbs);
        print_to(stdout, "    %s) words=%s verbs=\"%s\" options=\"", commands[i]->name, kind_of_words(commands[i]),
                 text_string(&verbs));
        each_option(commands[i], bash_option);
        print_to(stdout, "\" ;;\n");
    }
    text_done(&verbs);
    print_to(stdout, "    esac\n"
                     "    if [ -n \"$values\" ]; then\n"
                     "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\")\n"
                     "    elif [ \"$files\" = no ]; then\n"
                     "        return\n"
                     "    elif [ -n \"$files\" ]; then\n"
                     "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
                     "    elif [ \"${word#-}\" != \"$word\" ]; then\n"
                     "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
                     "    elif [ -n \"$verbs\" ] && [ \"$COMP_CWORD\" -eq 2 ]; then\n"
                     "        mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$word\")\n"
                     "    elif [ \"$words\" = folders ]; then\n"
                     "        mapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n"
                     "    elif [ \"$words\" = yes ]; then\n"
                     "        mapfile -t COMPREPLY < <(_espalier_sessions \"$word\"; compgen -f -- \"$word\")\n"
                     "    fi\n"
                     "}\n"
                     "complete -o filenames -F _espalier espalier\n");
}

/* --- zsh --- */

static void zsh_option(const struct cli_command *command, const struct cli_option *option)
{
    struct text words = TEXT_EMPTY, text = TEXT_EMPTY;
    values_of(option->name, &words);
    print_to(stdout, " \\\n            ");
    text_add(&text, "--%s[", option->name);
    print_quoted(text_string(&text), "");
    print_quoted(option->help, "[]:\\");
    text_clear(&text);
    text_add(&text, "]");
    if (option->argument && words.length)
        text_add(&text, ":value:(%s)", text_string(&words));
    else if (option->argument)
        text_add(&text, is_number(option) ? ":number: " : ":value:_files");
    print_quoted(text_string(&text), "");
    text_done(&text);
    text_done(&words);
}

static void print_zsh(const struct cli_command *const *commands, size_t count)
{
    struct text verbs = TEXT_EMPTY;
    print_to(stdout, "#compdef espalier\n"
                     "_espalier_sessions() {\n"
                     "    local -a sessions\n"
                     "    sessions=(*.esp(N:t:r) ${XDG_STATE_HOME:-$HOME/.local/state}/espalier/*.esp(N:t:r))\n"
                     "    _alternative 'sessions:session:compadd -a sessions' 'files:file:_files'\n"
                     "}\n"
                     "_espalier() {\n"
                     "    local -a commands\n"
                     "    commands=(\n"
                     "        help:'list the commands'\n");
    for (size_t i = 0; i < count; i++) {
        print_to(stdout, "        %s:", commands[i]->name);
        print_quoted(commands[i]->summary, ":");
        print_to(stdout, "\n");
    }
    print_to(stdout, "    )\n"
                     "    if (( CURRENT == 2 )); then\n"
                     "        _describe command commands\n"
                     "        return\n"
                     "    fi\n"
                     "    shift words\n"
                     "    (( CURRENT-- ))\n"
                     "    case $words[1] in\n");
    for (size_t i = 0; i < count; i++) {
        print_to(stdout, "    %s)\n        _arguments -S", commands[i]->name);
        each_option(commands[i], zsh_option);
        verbs_of(commands[i], &verbs);
        if (verbs.length)
            print_to(stdout, " \\\n            '1:verb:(%s)'", text_string(&verbs));
        if (commands[i]->words_maximum)
            print_to(stdout, " \\\n            %s",
                     commands[i]->takes_folders ? "'*:folder:_files -/'" : "'*:session:_espalier_sessions'");
        print_to(stdout, " ;;\n");
    }
    print_to(stdout, "    esac\n}\n_espalier \"$@\"\n");
    text_done(&verbs);
}

/* --- fish --- */

static void fish_option(const struct cli_command *command, const struct cli_option *option)
{
    struct text words = TEXT_EMPTY;
    values_of(option->name, &words);
    print_to(stdout, "complete -c espalier -n '__fish_seen_subcommand_from %s' -l %s -d ", command->name, option->name);
    print_quoted(option->help, "\\");
    if (words.length)
        print_to(stdout, " -x -a '%s'", text_string(&words));
    else if (option->argument)
        print_to(stdout, is_number(option) ? " -x" : " -r -F");
    print_to(stdout, "\n");
    text_done(&words);
}

static void fish_words(const struct cli_command *command)
{
    struct text verbs = TEXT_EMPTY;
    verbs_of(command, &verbs);
    const char *name = command->name, *list = text_string(&verbs);
    if (verbs.length) {
        print_to(stdout,
                 "complete -c espalier -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from %s'"
                 " -f -a '%s'\n",
                 name, list, list);
        print_to(stdout,
                 "complete -c espalier -n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s'"
                 " -f -a '(__fish_complete_directories)'\n",
                 name, list);
    } else {
        print_to(stdout, "complete -c espalier -n '__fish_seen_subcommand_from %s' %s\n", name,
                 !command->words_maximum  ? "-f"
                 : command->takes_folders ? "-f -a '(__fish_complete_directories)'"
                                          : "-a '(__espalier_sessions)'");
    }
    text_done(&verbs);
}

static void print_fish(const struct cli_command *const *commands, size_t count)
{
    print_to(stdout, "# fish completion for espalier\n"
                     "function __espalier_sessions\n"
                     "    set -q XDG_STATE_HOME; and set -l state $XDG_STATE_HOME; or set -l state $HOME/.local/state\n"
                     "    for session in ./*.esp $state/espalier/*.esp\n"
                     "        string replace -r '\\.esp$' '' (string split -r -m1 / $session)[-1]\n"
                     "    end\n"
                     "end\n"
                     "complete -c espalier -n __fish_use_subcommand -f -a help -d 'list the commands'\n");
    for (size_t i = 0; i < count; i++) {
        print_to(stdout, "complete -c espalier -n __fish_use_subcommand -f -a %s -d ", commands[i]->name);
        print_quoted(commands[i]->summary, "\\");
        print_to(stdout, "\n");
        fish_words(commands[i]);
        each_option(commands[i], fish_option);
    }
}

int completion_print(const char *shell, const struct cli_command *const *commands, size_t count)
{
    static const struct {
        const char *name;
        void (*print)(const struct cli_command *const *commands, size_t count);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < COUNT_OF(shells); i++)
        if (!strcmp(shells[i].name, shell)) {
            shells[i].print(commands, count);
            return 0;
        }
    return -1;
}
