/* command.c - the rows of command.h as a table. */
#include "sessions/command.h"

#include <string.h>

const struct command_row *command_row(enum command_kind kind)
{
#define COMMAND_ROW(kind, name, arguments, help) {#name, arguments, help},
    static const struct command_row rows[] = {COMMANDS(COMMAND_ROW)};
    return &rows[kind];
}

enum command_kind command_find(const char *name)
{
    enum command_kind kind = 0;
    while (kind < COMMAND_COUNT && strcmp(command_row(kind)->name, name))
        kind++;
    return kind;
}
