/*
 * command.h - the commands that steer a running search: what may be typed at the `:` line, or sent by `espalier attach`.
 *
 * This list is the only one.  It makes the enum, the prompt with its completion (tui/overlay_prompt.c), the handlers
 * (search/commands.c, which does not compile when one is missing), the message about an unknown command, and the help of
 * `espalier attach`, which tests/test_man.sh compares with the manual page.
 *
 * To add a command: a row here, check_NAME() and do_NAME() in search/commands.c, and a line in espalier-attach(1).
 */
#ifndef ESPALIER_SESSIONS_COMMAND_H
#define ESPALIER_SESSIONS_COMMAND_H

/* kind, name, arguments, help.  Words in lower case among the arguments are typed as they stand. */
#define COMMANDS(C)                                                                                   \
    C(PAUSE, pause, "", "hold all training")                                                          \
    C(CONTINUE, continue, "", "let training go on")                                                   \
    C(PIN, pin, "N", "grow networks from pinned ones only")                                           \
    C(UNPIN, unpin, "N", "unpin a network")                                                           \
    C(PRUNE, prune, "N", "give up a network and all that grew from it")                               \
    C(UNPRUNE, unprune, "N", "take that back: networks may grow from them again")                     \
    C(GROW, grow, "N ACTION...", "a child: widen|deepen|narrow|remove|kernel:LAYER[:N]")              \
    C(UNDO, undo, "[STEP]", "take back your last step, or the one with that number")                  \
    C(NOTE, note, "N TEXT", "write a note on a network")                                              \
    C(BUDGET, budget, "networks|episodes|seconds|flops VALUE", "in all, or +N, -N; 0: no limit")      \
    C(RATE, rate, "X", "learning rate of networks that start from now on")                            \
    C(EPOCHS, epochs, "N", "epochs of networks that start from now on")                               \
    C(STOP, stop, "", "end the search in good order")

enum command_kind {
#define COMMAND_ENUM(kind, name, arguments, help) COMMAND_##kind,
    COMMANDS(COMMAND_ENUM)
#undef COMMAND_ENUM
    COMMAND_COUNT
};

struct command_row {
    const char *name, *arguments, *help;
};
const struct command_row *command_row(enum command_kind kind);
/* The command of that name, or COMMAND_COUNT. */
enum command_kind command_find(const char *name);

#endif
