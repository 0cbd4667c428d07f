/*
 * protocol_bed.h - a test that is the engine, on the farm's evaluator, and plays a worker with statements of its own.
 */
#ifndef ESPALIER_TESTS_FARM_PROTOCOL_BED_H
#define ESPALIER_TESTS_FARM_PROTOCOL_BED_H

#include "farm_bed.h"

extern struct search_options options;
extern struct search_data data;
extern struct evaluator *farm;
extern struct event_sink sink;
extern int64_t search, worker, lane;
extern const char result_body[]; /* of a report */

/* For each test: a search with one worker of one lane, whose lease is short or not; nothing of it may be left. */
int begin_search(void **state);
int begin_short(void **state);
int end_search(void **state);
struct evaluator *new_farm(void);

/* What the engine does. */
void submit(int64_t node);
void tell_result(void);
/* The next report of this kind; those before it may only be of steps and samples. */
struct report next_report(enum report_kind kind);
void no_report(void);

/* What workers do.  Of end_trial() and deliver_result(): the rows that they changed. */
int64_t insert_worker(const char *host);
int64_t insert_lane(int64_t of);
void beat(void);
void claim(void);
int64_t fence_of(int64_t node);
void put_report(int64_t fence, int number, const char *kind, const char *body, const char *blob);
int64_t end_trial(int64_t fence, int number, const char *kind, const char *body, const char *blob);
int64_t deliver_result(int64_t fence, int number);

/* One epoch, from the worker to the engine. */
void epoch_comes(int64_t fence, int number);

#endif
