/* fsck.c - `espalier fsck`: checks a session, and repairs a damaged log. */
#include <stdlib.h>

#include "cli/cli.h"
#include "sessions/log.h"
#include "util/print.h"

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct fsck_report report = {0};
    struct text findings = TEXT_EMPTY;
    char *folder = NULL;
    bool repair = cli_value(arguments, "repair") != NULL;
    if (session_find(arguments->words[0], &folder, &error) ||
        session_check(folder, repair, &report, &findings, &error)) {
        free(folder);
        return cli_fail(&error);
    }
    print_document(stdout, text_string(&findings));
    bool clean = !report.frames_bad && !report.weights_missing && !report.weights_wrong;
    print_to(
        stdout,
        "%s: %lld good frames, %lld bad, %lld bytes skipped; weights: %lld missing, %lld wrong, %lld not named%s\n",
        folder, (long long)report.frames_good, (long long)report.frames_bad, (long long)report.bytes_skipped,
        (long long)report.weights_missing, (long long)report.weights_wrong, (long long)report.orphans,
        clean                         ? ": clean"
        : repair && report.frames_bad ? ": events.log is written anew, the old one is events.log.damaged"
        : report.frames_bad           ? ": --repair keeps the good frames"
                                      : "");
    text_done(&findings);
    free(folder);
    bool whole = clean || (repair && !report.weights_missing && !report.weights_wrong);
    return whole ? 0 : 1;
}

static const struct cli_option options_of_fsck[] = {
    {"repair", NULL, "write the log anew from its good frames; the old one is kept beside it", NULL},
    {0},
};

const struct cli_command command_fsck = {
    .name = "fsck",
    .synopsis = "SESSION",
    .summary = "check a session's log and weights, and repair a damaged log",
    .details = "Exit status 1 when something is wrong and was not repaired.",
    .words_minimum = 1,
    .words_maximum = 1,
    .options = options_of_fsck,
    .run = run,
};
