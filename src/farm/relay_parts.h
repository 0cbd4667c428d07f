/*
 * relay_parts.h - what the files of a worker share.
 *
 *   relay.c          the loop: when to look, when to wait, when to leave
 *   relay_trials.c   from the database to the local evaluator: trials, verdicts, cancellations
 *   relay_reports.c  from the local evaluator to the database
 *   enrol.c          searches to serve, and this worker's rows
 */
#ifndef ESPALIER_FARM_RELAY_PARTS_H
#define ESPALIER_FARM_RELAY_PARTS_H

#include "farm/blob.h"
#include "farm/relay.h"
#include "search/monitor.h"

enum { PARENTS_KEPT = 8 };
#define FOREIGN_KEY "23503" /* foreign_key_violation of PostgreSQL: what the row belongs to is gone */

/* A slot of the local evaluator. */
struct relay_lane {
    int64_t id;          /* in the database */
    int64_t fence, node; /* of its trial; 0: it is free */
    bool is_dropped;     /* nobody wants what its trial says any more: it was told to stop */
    bool is_cancelled;   /* the search asked for that */
    bool is_lost;        /* its device; nothing trains there any more, though the processor might take its place */
    bool may_stop;       /* it waits for a verdict after each epoch but the last */
    int number;          /* of its last report */
    int asked;           /* the epoch whose verdict it waits for; 0: none */
    struct hash parent;
    char *step, *sample; /* what it last said; NULL: nothing new */
};

struct relay {
    struct db *db;
    const struct farm_search *search;
    struct evaluator *local;
    struct shape input;
    const struct relay_options *options;
    int64_t worker; /* 0: not enrolled */
    int count;
    struct relay_lane *lanes;
    struct device *devices; /* of the lanes, as they were at the beginning */
    struct monitor *monitor;
    struct report pending; /* a report that is not in the database yet */
    bool has_pending, paused, is_leaving, is_closed;
    bool is_away;                 /* a person has read that the server is */
    double beat, look, look_wait; /* when it last beat, when it looks next, and how long it waits then */
    double retry, busy, live;     /* when to connect again; when a trial last went on or ended; when steps were sent */
    double leave_by, asked;       /* and when it asked last whether the search runs at all */
    int64_t live_number;
    int64_t enrolling;    /* a worker whose COMMIT had no answer; 0: none */
    char *folder;         /* of parents' weights */
    struct hash *parents; /* the last is the newest */
    int parent_count, parents_max;
};

void relay_say(const struct relay *relay, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Count up `beats`, at most once a second. */
int relay_beat(struct relay *relay, struct error *error);
/* Between two parts of a transfer, which may take minutes: beat, and see that the worker is asked to end.  -1 with
   DB_FINE: its time to leave is over. */
int relay_between(void *relay, struct error *error);
/* The trial of a lane is nobody's any more: stop it, and drop what it says. */
void relay_drop(struct relay *relay, int slot);

/* Can nothing train on a lane any more?  A processor that takes the place of a lost GPU is another device. */
bool relay_is_lost(const struct relay *relay, int slot);

/* enrol.c: rows for this worker and its lanes.  -1 with a trouble of the connection. */
int relay_enrol(struct relay *relay, struct error *error);
int relay_sign_off(struct relay *relay, struct error *error);
/* Does nobody run the search?  1, 0, or -1. */
int relay_is_orphan(struct relay *relay, struct error *error);

/* relay_trials.c: see what the search wants, and do it. */
int relay_look(struct relay *relay, struct error *error);
void relay_remove_folder(struct relay *relay);

/* relay_reports.c: take a report of the local evaluator: it is pending, or needn't be sent. */
void relay_take(struct relay *relay, struct report *report);
int relay_deliver(struct relay *relay, struct error *error);
int relay_send_live(struct relay *relay, struct error *error);
/* Let the search know that a lane is lost. */
int relay_lose(struct relay *relay, int slot, const char *why, struct error *error);
/* The trial can't begin here. */
int relay_fail(struct relay *relay, int slot, const struct error *why, struct error *error);

#endif
