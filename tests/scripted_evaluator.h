/*
 * scripted_evaluator.h - an evaluator that trains nothing: its answers are a function of the architecture.
 *
 * Answers come at once, in an order among the running trials that `seed` scrambles, so that scheduling, resume
 * and learning can be tested on many searches.  Every trial is checked as a trainer would: the parent's file must
 * have the named content and architecture, and the actions must make the trial's.  One thread.
 */
#ifndef ESPALIER_TESTS_SCRIPTED_EVALUATOR_H
#define ESPALIER_TESTS_SCRIPTED_EVALUATOR_H

#include "search/engine.h"

enum scripted_fate { FATE_RESULT, FATE_DIVERGE, FATE_NO_MEMORY, FATE_ERROR, FATE_LOSE_DEVICE };

enum { SCRIPTED_SLOTS_MAX = 1024 };

struct script {
    int slots;    /* of this machine, which are there from the start */
    int remote;   /* of other machines, four each, which join one by one at the beginning */
    int absent;   /* polls before the first of these joins */
    double churn; /* chance at each poll that one of these comes or goes, or says something of a trial that it lost */
    uint64_t seed;
    bool tests;                         /* it has test images: 40, on which a network is two points worse */
    bool no_epochs;                     /* else one report for each epoch of the trial */
    double epoch_seconds;               /* that its reports say of an epoch */
    int64_t wrong_epoch, wrong_weights; /* networks: one whose second epoch is its third, one with other weights */
    int64_t joins_with;                 /* network that the first remote slot trains already when it joins; 0: none */
    int joins_after;                    /* that many epochs of it, which it has reported */
    double seconds;                     /* that a trial takes, for tests that interrupt; 0: none */
    /* What a trial that isn't stopped early reaches, NULL: scripted_accuracy().  Its loss is 1 - that. */
    double (*accuracy)(void *context, const struct trial *trial);
    /* What becomes of a trial, NULL: FATE_RESULT always. */
    enum scripted_fate (*fate)(void *context, const struct trial *trial);
    /* Called after the answer to each trial is decided, NULL: nothing. */
    void (*answered)(void *context, const struct trial *trial);
    void *context;
};

/* Borrows nothing; free it with kind->free. */
struct evaluator *scripted_evaluator_new(const struct script *script);
/* Trials answered with a result so far, of all scripted evaluators of this process. */
int64_t scripted_results(void);
/* Processor time that this process has spent in them, in seconds: what is left is the engine's. */
double scripted_seconds(void);
/* Its slot comes, or goes with its trial, at the next poll. */
void scripted_join(struct evaluator *evaluator, int slot);
void scripted_lose(struct evaluator *evaluator, int slot, bool left);
/* At the next poll it is broken. */
void scripted_break(struct evaluator *evaluator);

/* Between 0.5 and 0.95, larger for more parameters, with a little that depends on the architecture's hash. */
double scripted_accuracy(const struct arch *arch, struct shape input);
/* After an epoch of its training: rises to scripted_accuracy, with some noise on the way. */
double scripted_curve(const struct arch *arch, struct shape input, int epoch, int epochs);
/* What a scripted search says of its data: 1×16×16 of 10 classes. */
struct search_data scripted_data(void);

/* A new empty folder for a test, in $TMPDIR, /dev/shm or /tmp; the caller's to free() after scratch_remove(). */
char *scratch_new(void);
void scratch_remove(char *folder);

#endif
