/*
 * controller.h - what the parts of the farm's evaluator share.
 *
 *   evaluator_farm.c   what the engine's thread calls: it puts orders into the slots, and takes messages from a queue
 *   controller.c       the thread with the connection: carries orders to the database
 *   take.c             on that thread: takes the search, alone
 *   reports.c          on that thread: reports from the database to the engine, and what the log has out of there
 *   lanes.c            on that thread: who joined, who is silent for too long, what was measured
 *   adoption.c         what workers train already when a search is taken
 *
 * Who may touch what: a comment above each group of fields.
 */
#ifndef ESPALIER_FARM_CONTROLLER_H
#define ESPALIER_FARM_CONTROLLER_H

#include <pthread.h>
#include <stdatomic.h>

#include "farm/db.h"
#include "farm/evaluator_farm.h"
#include "util/queue.h"

enum { MARKS = 64, FARM_LANES_MAX = 4096, ADVISORY_CLASS = 0x657370 };

/* A trial as the engine submitted it, ready to be sent; the slot's own. */
struct farm_order {
    int64_t fence; /* in the database; 0: there is none */
    int64_t node, log_fence;
    bool adopted;                /* its row is there, of an earlier process */
    char *request, *parent_path; /* no parent: NULL */
    struct hash parent_hash;
    void *checkpoint;
    size_t checkpoint_length;
};

struct farm_slot {
    /* the engine's thread */
    struct device device;
    bool may_answer; /* its last report was of an epoch */
    int epoch;       /* that */
    /* both, under the mutex */
    int64_t lane; /* as the engine knows it; 0: lost */
    struct farm_order order;
    bool is_sent, cancel, cancel_is_sent, verdict_is_sent, goes_on;
    int verdict;
    double cancelled_at; /* on the monotonic clock */
    /* the controller's thread */
    int64_t there, worker; /* the lane in the database, 0: none; and its worker */
    int64_t beats, live;   /* of the worker, and of what the lane last said of itself */
    double seen;           /* when `beats` last changed */
    int64_t handed_fence;  /* of the order whose reports come now */
    int handed;            /* the last of them that the engine got */
    char id[sizeof((struct device *)0)->id];
};

/* A trial of an earlier process, whose worker still trains it or has delivered it, until the engine has decided. */
struct farm_found {
    int64_t fence, start_event, node, lane; /* in the database; start_event: in the log */
    char *request;
};

/* To the engine. */
struct farm_message {
    struct report report;
    int64_t fence;        /* in the database */
    int number;           /* of the report */
    struct device device; /* JOINED */
    int64_t lane;
};

/* A report that the engine has, and has written when it asks for the next one. */
struct farm_receipt {
    int64_t fence;
    int number;
    bool ends; /* its trial */
    enum { RECEIPT_HANDED, RECEIPT_WRITTEN, RECEIPT_SETTLING } state;
};

struct farm {
    struct evaluator evaluator; /* the first member */
    pthread_t thread;
    bool has_thread;
    int wake;
    struct queue *messages; /* struct farm_message */
    atomic_bool closing, paused;
    atomic_llong results; /* that the log has */
    /* set before the thread starts, and then only read */
    double lease;
    char *options, *data, *data_hash, *kinds;
    /* the engine's thread */
    int slot_count;
    struct farm_message last; /* the one that it handles now: fence, number and kind */
    char *folder;
    int patience; /* seconds for taking the search */
    /* both, under the mutex */
    pthread_mutex_t mutex;
    pthread_cond_t taken;
    struct farm_slot slots[FARM_LANES_MAX];
    struct farm_receipt *receipts;
    size_t receipt_count, receipt_capacity;
    struct farm_found *found;
    size_t found_count, found_capacity;
    char *name, *session; /* of the search; NULL: not known yet */
    enum { TAKE_WAITS, TAKE_DONE, TAKE_REFUSED } take;
    struct error refusal; /* or, while it waits, the last trouble */
    /* the controller's thread */
    struct db *db;
    int64_t *withdrawn; /* fences whose trials the engine has no use for any more */
    size_t withdrawn_count, withdrawn_capacity;
    int64_t search, term, refused_seen;
    int slots_used;
    int paused_sent; /* to this connection; -1: nothing yet */
    bool away;
    int64_t mark, noted;  /* results that the database and `marked` have */
    double marked[MARKS]; /* when the last results came, a ring in which `mark_count` were put */
    int64_t mark_count;
    double watched, collected, connected, away_since;
    struct error leaving; /* why rows of the search are still there when it has ended; empty: none are */
};

/* The thread. */
void *farm_controller(void *farm);

/* take.c: on an open connection, for the first time or again.  Then everything that may not have arrived is to be sent
   (again). */
enum taking { TAKING_FAILED = -1 /* a trouble of the connection */, TAKING_REFUSED, TAKING_DONE };
enum taking farm_take_search(struct farm *farm, struct error *error);

/* Between two parts of a transfer: -1 when the search ends. */
int farm_between(void *farm, struct error *error);

/* adoption.c.  Read them; -1 with a trouble of the connection. */
int farm_find_trials(struct farm *farm, struct error *error);
/* Of a lane: its network, 0: none. */
int64_t farm_found_on(struct farm *farm, int64_t lane);
/* Those whose lanes have not joined: nobody adopts them. */
void farm_drop_unjoined(struct farm *farm);
/* The engine's thread: is it this trial?  It is given up, when there is one. */
bool farm_found_is(struct farm *farm, int64_t lane, const struct trial *trial, int64_t start_event);
void farm_found_drop(struct farm *farm, int64_t lane);
/* Take it over into an order, under the mutex, which is held until the slot has the order: a fence that is in neither
   place is withdrawn. */
void farm_found_take(struct farm *farm, int64_t lane, struct farm_order *order);
/* Under the mutex: is a fence of those? */
bool farm_is_found(const struct farm *farm, int64_t fence);
void farm_found_done(struct farm *farm);

/* reports.c: the trial of this fence is to be removed. */
void farm_withdraw(struct farm *farm, int64_t fence);
/* -1 with a trouble of the connection. */
int farm_take_reports(struct farm *farm, struct error *error);
int farm_settle_receipts(struct farm *farm, struct error *error);
/* lanes.c: likewise. */
int farm_watch(struct farm *farm, struct error *error);
int farm_take_live(struct farm *farm, struct error *error);

/* Give the engine a message; waits while it has many. */
void farm_tell(struct farm *farm, struct farm_message *message);
void farm_warn(struct farm *farm, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Under the mutex: the order has ended for the engine. */
void farm_order_done(struct farm_slot *slot);

#endif
