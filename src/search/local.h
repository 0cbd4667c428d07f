/*
 * local.h - what the two halves of the local evaluator share: evaluator_local.c, which the engine's thread calls, and
 * local_trainer.c, the trainers' threads.
 */
#ifndef ESPALIER_SEARCH_LOCAL_H
#define ESPALIER_SEARCH_LOCAL_H

#include <stdatomic.h>

#include "search/device_memory.h"
#include "search/evaluator.h"
#include "util/queue.h"
#include "util/team.h"
#include "util/threads.h"

#define CHECKPOINT_SECONDS 2.0

/* Does a trial go on after an epoch?  It waits for the engine's answer. */
enum epoch_answer { EPOCH_GOES_ON, EPOCH_WAITS, EPOCH_ENDS };

struct trainer {
    struct local_evaluator *local;
    int slot;
    struct device device;
    int gpu; /* its number, while `backend` runs on a GPU */
    const struct backend *backend;
    pthread_t thread;
    struct queue *inbox;    /* struct trial, to the trainer */
    int64_t submitted;      /* node of the last trial; this and the next two are used by the engine's thread only */
    bool busy;              /* until the last report of that trial */
    bool replaced;          /* the device is lost, and the processor is in its place */
    atomic_llong cancelled; /* node whose trial must end */
    atomic_int answer;      /* enum epoch_answer, of the last epoch */
    /* Used by the trainer's thread only, during a trial: */
    const struct trial *trial;
    struct device_monitor *monitor; /* for the machine's memory that is free */
    double step_time;               /* of the last report of a step */
    struct epoch_report last;       /* epoch; all zero before the first */
    struct evaluation test;
    struct layer_health *health; /* of the layers, at the end; NULL: not measured */
    double seconds, rate_seconds; /* of training and evaluation; sum of images/s over the epochs here */
    int epochs_here;
    double began, waited;           /* on the monotonic clock; seconds of pauses since then */
    bool overtime;                  /* the first epoch takes too long */
    double kept_time;             /* of the last checkpoint, or of the beginning */
    struct checkpoint checkpoint; /* of the running trial */
};

struct local_evaluator {
    struct evaluator evaluator; /* the first member */
    const struct view *train, *validate, *test; /* no test: NULL */
    int count;
    double checkpoint_seconds;
    struct trainer *trainers;
    struct helpers *helpers; /* one for each trainer; NULL: a trainer works alone */
    struct queue *reports;   /* struct report, to the engine */
    struct device_memory *memory;
    atomic_bool closing;
    /* A trainer waits for `resumed` while the search is paused or an answer is missing. */
    pthread_mutex_t mutex;
    pthread_cond_t resumed;
    atomic_bool paused;
};

/* A trainer's thread: trials from its inbox, until that is closed. */
void *local_trainer(void *trainer);
/* Free bytes of the machine's memory; INFINITY where they aren't known. */
double local_free_memory(struct device_monitor *monitor);

#endif
