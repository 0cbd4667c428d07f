/*
 * slots.h - the slots of the evaluator: which are there, which are free, and what each trains.
 *
 * They come and go (evaluator.h), hundreds of them: nothing here takes time in proportion to the square of their
 * number.  The engine's thread only.  It borrows what it is made with.
 */
#ifndef ESPALIER_SEARCH_SLOTS_H
#define ESPALIER_SEARCH_SLOTS_H

#include "search/journal.h"
#include "search/stopping.h"

struct trial_slot {
    int64_t node;   /* in training; 0: free */
    int64_t fence;  /* of its trial */
    bool may_stop;  /* it is asked after each epoch whether it stops early */
    bool adopted;   /* it was begun for an earlier process: the log may have some of what it reports, or lack some */
    bool cancelled; /* it was asked to stop */
    bool again;     /* and goes back to the queue */
    bool stopped;   /* early, for the reason in `stop` */
    struct early_stop stop;
    const char *wrong; /* what it reported that can't be: it is cancelled, and fails; NULL: nothing */
};

struct slot {
    struct trial_slot trial;
    int first;      /* the first slot of its device; on a GPU several may train */
    int running;    /* of that first slot: how many train on the device */
    double stepped; /* when its last step was shown, and its last sample; event times */
    double sampled;
};

struct slots {
    struct journal *journal;
    struct evaluator *evaluator;
    struct slot *items;
    size_t capacity;
    int count;   /* lost ones included */
    int present; /* that are not lost */
    int running; /* that train */
};

void slots_init(struct slots *slots, struct journal *journal, struct evaluator *evaluator);
void slots_done(struct slots *slots);

/* A free slot on the least busy device; -1: there is none. */
int slots_find_free(const struct slots *slots);
/* The slot that trains a network; -1: none does. */
int slots_find(const struct slots *slots, int64_t node);
/* Is this the current trial of its slot?  Else it is of one that was given up. */
bool slots_has(const struct slots *slots, const struct report *report);
void slots_take(struct slots *slots, int slot, const struct trial_slot *trial);
/* The slot is free again, and what it trained. */
struct trial_slot slots_release(struct slots *slots, int slot);

/* What the reports JOINED and LOST say is written.  `id`: of the device that was lost, whose slot may have another now.
   A GPU of this machine is lost with all its trainers, and the first of them says so. */
void slots_join(struct slots *slots, int slot);
void slots_lose(struct slots *slots, int slot, const char *id, const char *message, bool left);
/* A step, or a sample, of a slot now: is it to be shown?  With many slots few are, since each is an event of the log.
 */
bool slots_show_step(struct slots *slots, int slot);
bool slots_show_sample(struct slots *slots, int slot);
/* Write how busy a device is. */
void slots_emit_sample(struct journal *journal, const char *device, const struct device_sample *sample);

#endif
