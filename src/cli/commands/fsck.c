/* fsck.c - `espalier fsck`: checks a session, and repairs a damaged log. */
#include <stdlib.h>

#include "cli/cli.h"
#include "sessions/log.h"
#include "util/print.h"

static void print_outcome(const struct fsck_report *report, bool repair)
{
    if (report->log_findings && repair && report->kept_as > 1)
        print_to(stdout, ": events.log is written anew, the old one is events.log.damaged.%d\n", report->kept_as);
    else if (report->log_findings)
        print_to(stdout, repair ? ": events.log is written anew, the old one is events.log.damaged\n"
                                : ": --repair keeps the good frames\n");
    else
        print_to(stdout, report->weights_missing || report->weights_wrong ? "\n" : ": clean\n");
}

static int run(const struct cli_arguments *arguments)
{
    struct error error = {{0}};
    struct fsck_report report = {0};
    struct text findings = TEXT_EMPTY;
    char *folder = NULL;
    bool repair = cli_value(arguments, "repair") != NULL;
    int status =
        session_find(arguments->words[0], &folder, &error) || session_check(folder, repair, &report, &findings, &error);
    print_document(stdout, text_string(&findings));
    if (status) {
        cli_fail(&error);
    } else {
        print_to(stdout,
                 "%s: %lld good frames, %lld bad, %lld bytes skipped, %lld stand-ins; weights: %lld missing, "
                 "%lld wrong, %lld not named",
                 folder, (long long)report.frames_good, (long long)report.frames_bad, (long long)report.bytes_skipped,
                 (long long)report.stand_ins, (long long)report.weights_missing, (long long)report.weights_wrong,
                 (long long)report.orphans);
        print_outcome(&report, repair);
        bool log_is_good = repair || !report.log_findings;
        status = log_is_good && !report.weights_missing && !report.weights_wrong ? 0 : 1;
    }
    text_done(&findings);
    free(folder);
    return status;
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
