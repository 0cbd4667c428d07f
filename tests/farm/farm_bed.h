/*
 * farm_bed.h - what tests of the farm share: a PostgreSQL server of their own (server.sh), statements on it, and
 * workers whose trainers are scripted.
 */
#ifndef ESPALIER_TESTS_FARM_FARM_BED_H
#define ESPALIER_TESTS_FARM_FARM_BED_H

#include <pthread.h>

#include "farm/relay.h"
#include "farm/schema.h"
#include "scripted_evaluator.h"

/* Is PostgreSQL here?  If not, say so in TAP: the program ends then. */
bool bed_has_server(void);
/* For cmocka_run_group_tests(): a server with an empty farm; stopped and removed. */
int bed_open(void **state);
int bed_close(void **state);
/* For each test: the farm is made anew. */
int bed_renew(void **state);
void bed_server(const char *verb, const char *argument); /* "stop", "immediate"; "start", NULL */

extern char bed_url[256];
/* A connection of the test's own, open. */
struct db *bed_db(void);
/* Execute a statement: its first value, or the number of rows that it changed.  A failure fails the test. */
int64_t bed_sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *bed_sql_text(const char *format, ...) __attribute__((format(printf, 1, 2))); /* the caller's to free() */
/* Wait until the statement's value is that; fails the test after 20 s. */
void bed_wait_for(int64_t value, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What the farm still has, as "2 trial, 1 worker", the caller's to free(); "": nothing but rows of searches. */
char *bed_left(void);
/* From now on statements of others that `verb` rows of a table ("UPDATE", "trial") stand still after they have seen the
   rows, and before they change one; until bed_gate_open().  Those of the test itself go on. */
void bed_gate(const char *verb, const char *table);
void bed_gate_wait(void); /* until one stands there */
void bed_gate_open(void);
/* End the connections of a program, "espalier run" or "espalier worker", or nothing if there is none now. */
void bed_disconnect(const char *program);

/* A trial from scratch of a small network, with its number as fence too. */
struct trial bed_trial(int64_t node);

/* A worker on a thread, for the search of that number; 0: for the one that runs. */
struct bed_worker {
    pthread_t thread;
    struct farm_search search;
    struct script script;
    double idle, patience;
    const char *url; /* NULL: bed_url */
    atomic_bool stop;
    enum relay_end end; /* after bed_worker_join() */
    struct error error;
};
/* A search's row as the tests insert it. */
struct farm_search bed_row(int64_t id);
void bed_worker_start(struct bed_worker *worker, int64_t search, const struct script *script);
enum relay_end bed_worker_join(struct bed_worker *worker);
/* The same on the caller's thread, for child processes. */
enum relay_end bed_worker_run(struct bed_worker *worker);
/* A process that serves one search after the other, until it gets SIGTERM. */
pid_t bed_worker_fork(const char *url, const struct script *script);

/* A relay between `folder`, made anew, and the server: a process group, which SIGSTOP makes a network that is cut.
   `url` leads through it. */
pid_t bed_network(const char *folder, char url[256]);

#endif
