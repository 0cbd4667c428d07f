/* browse_internal.h - shared by browse.c, the loop, and browse_actions.c, what its answers mean. */
#ifndef ESPALIER_CLI_BROWSE_INTERNAL_H
#define ESPALIER_CLI_BROWSE_INTERNAL_H

#include <termios.h>

#include "cli/child.h"
#include "cli/gather.h"
#include "tui/browser.h"
#include "tui/terminal.h"

enum browse_job { JOB_NONE, JOB_DRY_RUN, JOB_COMPARE };

struct browse {
    struct browser browser;
    struct terminal *terminal; /* NULL: another process has it, or it is given back */
    struct canvas canvas;
    struct gather *gather;
    int signals;               /* signalfd */
    sigset_t mask;             /* as it was at first, which children get */
    struct termios modes;      /* likewise */
    enum browse_job job;       /* what `child` runs for */
    struct child child;
    struct text printed;       /* by it */
    unsigned previewed, seen;  /* versions of the form: that the last dry run was of; that was there at `typed` */
    double typed, drawn;       /* monotonic */
    bool dirty, asked;         /* a frame is due soon; at once */
    bool mouse, leave;
    int status;                /* exit status */
};

/* browse.c */
void browse_run(struct browse *browse, const char *const *words, bool stays);
void browse_start_job(struct browse *browse, enum browse_job job, const char *const *words);
void browse_stop_job(struct browse *browse);

/* browse_actions.c */
void browse_do(struct browse *browse, enum browser_answer answer);
/* Begin the dry run that the form describes. */
void browse_dry_run(struct browse *browse);
/* Show what a job has printed. */
void browse_show_job(struct browse *browse, enum browse_job job, const char *printed);

#endif
