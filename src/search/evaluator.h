/*
 * evaluator.h - the interface between the engine and what trains networks: submit, poll, cancel.
 *
 * Trainers are threads of this process (evaluator_local.c) or on other machines; tests have a scripted evaluator.  The
 * engine's thread makes all calls, and none of them waits but poll().
 *
 * A slot trains one network at a time.  Slots are numbered from 0 and may come and go:
 *
 *   1. Slots of this machine are there from the start.  One of another machine joins by a REPORT_JOINED, which has
 *      either the number after the last or that of a slot that was lost.  There may be no slot at all, for any time.
 *   2. What slots() and device() say changes within poll() alone, with the report that it returns.
 *   3. A slot that is lost has `device->lost`; nothing is submitted to it until it joins again.
 *   4. A trial that was submitted gets exactly one last report: RESULT, FAILED or CANCELLED, or the LOST of its slot.
 *   5. A report repeats the trial's node and fence.  The engine drops one that doesn't have those of the trial that the
 *      slot has now: so what a machine that was given up says later has no effect.
 *   6. When the engine calls poll() again, everything that the report before it led to is in the log, and synced where
 *      it is a result: the evaluator may forget its copy.
 *   7. A slot that joins may train already: for an earlier process of this search, which was killed.  Its REPORT_JOINED
 *      names the network.  The engine submits that trial at once, marked as adopted, when adopts() says that it is the
 *      same; what its trainer reported since then follows, with what the log may have already.  Else it is given up.
 */
#ifndef ESPALIER_SEARCH_EVALUATOR_H
#define ESPALIER_SEARCH_EVALUATOR_H

#include <stdlib.h>

#include "arch/weights.h"
#include "device/device.h"
#include "morph/morph.h"
#include "nn/trainer.h"
#include "policy/policy.h"
#include "search/checkpoint.h"
#include "sessions/event.h"

/* One network to train.  Plain values and owned texts only: it may cross a thread or a wire. */
struct trial {
    int64_t node;
    int64_t fence;     /* the number of its STARTED event, larger than all before it in the log */
    struct arch arch;  /* of the network that is trained */
    bool from_scratch; /* initialise: a start network, a baseline, a retrained one */
    bool test;         /* evaluate it on the test images too, after training */
    bool may_stop;     /* after each epoch but the last, wait until proceed() says whether it goes on */
    struct arch parent_arch;
    char *parent_weights; /* path; the trial's own */
    struct hash parent_hash;
    struct proposal proposal; /* the actions from parent to child */
    struct morph_options morph;
    struct training training;
    enum precision precision;      /* the evaluator's: a checkpoint fits to no other */
    struct checkpoint *checkpoint; /* what it goes on from, the trial's own; NULL: it begins */
    bool has_checkpoint;           /* it has one; on its way to another machine that comes beside the rest */
    double seconds_most;           /* its first epoch fails after that; 0: no limit */
    double seconds_before;         /* that it had trained by then */
    bool adopted;                  /* its slot trains it already (adopts()), and has reported so many epochs */
    int adopted_epochs;
};
static inline void trial_done(struct trial *trial)
{
    free(trial->parent_weights);
    trial->parent_weights = NULL;
    checkpoint_free(trial->checkpoint);
    trial->checkpoint = NULL;
}
/* All that its training depends on, as a text of one line; the caller's to free(). */
char *trial_settings(const struct trial *trial);

enum report_kind {
    REPORT_STEP,       /* a few a second for each slot; some may be dropped */
    REPORT_EPOCH,      /* none of these and of the following is dropped */
    REPORT_CHECKPOINT, /* `checkpoint`, of a training that goes on or is cancelled */
    REPORT_RESULT,     /* trained; `weights` changes owner */
    REPORT_FAILED,     /* `failure` (diverged, memory, device, error) and `message` */
    REPORT_CANCELLED,
    /* Of slots, not of trials: `node` and `fence` are 0. */
    REPORT_JOINED, /* device(slot) describes it from now on, and it is free; or trains `node`, which may be adopted */
    REPORT_LOST,   /* with the trial that it had, which is tried elsewhere; `message` says why, `left` how */
    REPORT_SAMPLE, /* `sample` of a device of another machine, about once a second; some may be dropped */
    /* Of the evaluator: `slot` means nothing. */
    REPORT_WARNING, /* `message`: what a person should see, such as a worker that was refused */
    REPORT_BROKEN   /* `message`: no trial can run any more.  The search ends, and can be resumed */
};

struct report {
    enum report_kind kind;
    int64_t node, fence;
    int slot; /* free again after a result, a failure or a cancellation */
    struct step_report step;
    struct epoch_report epoch;
    struct evaluation result;
    struct evaluation test; /* of a trial with `test`; no images: the evaluator has none */
    double seconds, images_per_second;
    struct layer_health *health; /* of a result, one for each layer, the receiver's to free(); NULL: not measured */
    struct weights *weights;
    void *checkpoint; /* `length` bytes, the receiver's to free() */
    size_t length;
    enum failure_reason failure;
    bool left; /* in good order: its worker was idle, or was asked to end.  Its trial's attempt doesn't count */
    struct device_sample sample;
    char *message; /* the receiver's to free(), or NULL */
};
static inline void report_done(struct report *report)
{
    weights_free(report->weights);
    free(report->message);
    free(report->checkpoint);
    free(report->health);
    report->health = NULL;
    report->checkpoint = NULL;
    report->weights = NULL;
    report->message = NULL;
}

struct evaluator;
struct evaluator_kind {
    /* How many slots there are, those that are lost included, and on what.  When a device of this machine is lost, a
       report of FAILURE_DEVICE comes with the mark. */
    int (*slots)(const struct evaluator *evaluator);
    const struct device *(*device)(const struct evaluator *evaluator, int slot);
    /* Give a trial to a free slot.  The evaluator owns its texts from then on. */
    void (*submit)(struct evaluator *evaluator, int slot, struct trial *trial);
    /* Is what a slot trained when it joined this trial, as the STARTED event of that number began it?  NULL: it never
       trains anything then. */
    bool (*adopts)(const struct evaluator *evaluator, int slot, const struct trial *trial, int64_t start_event);
    /* The next report, waiting up to `seconds`.  False: none. */
    bool (*poll)(struct evaluator *evaluator, struct report *report, double seconds);
    /* Ask a running trial to stop; a REPORT_CANCELLED, or the result if it came first, follows. */
    void (*cancel)(struct evaluator *evaluator, int64_t node);
    /* The answer to the report of an epoch of a trial that may stop: it goes on, or ends with a result now. */
    void (*proceed)(struct evaluator *evaluator, int64_t node, bool goes_on);
    /* Pause or continue all training, within one batch. */
    void (*pause)(struct evaluator *evaluator, bool paused);
    /* Cancels what runs, joins threads, frees. */
    void (*free)(struct evaluator *evaluator);
};
struct evaluator {
    const struct evaluator_kind *kind; /* the first member of every evaluator */
};

/* The backend of a device at a precision.  NULL when the device can't do it: the message says what to do. */
const struct backend *device_backend(const struct device *device, enum precision precision, struct error *error);

/* One pinned trainer thread a device, each of which must be able to do `precision`.  Borrows the views, which outlive
   it; `test` may be NULL.  NULL when the system has no thread for a trainer. */
struct evaluator *evaluator_local_new(const struct device *devices, int count, enum precision precision,
                                      const struct view *train, const struct view *validate, const struct view *test);
/* Seconds between two checkpoints of a trainer, at least; large ones are made less often.  Call it before any trial. */
void evaluator_local_checkpoints(struct evaluator *evaluator, double seconds);

#endif
