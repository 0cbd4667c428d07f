/*
 * engine.h - the search: asks the policy for networks, gives them to the evaluator as trials, and writes the session.
 *
 * engine_run() owns its thread.  Other threads may call engine_command() and engine_stop() only.  Every event, durable
 * or not, goes to the log, to the engine's own state by session_apply(), and to the sinks, in that order, on the
 * engine's thread.
 */
#ifndef ESPALIER_SEARCH_ENGINE_H
#define ESPALIER_SEARCH_ENGINE_H

#include "search/journal.h"
#include "search/start.h"

struct engine;

/* A new search in a new session folder.  Borrows `evaluator`. */
int engine_create(const struct search_options *options, const char *folder, const struct search_data *data,
                  struct evaluator *evaluator, struct engine **engine, struct error *error);
/* Go on with a session: options are those in force; `data` must have the same hash.  Networks without
   a result go back to the queue; the policy is as its last update left it.  `warning`: as log_open's. */
int engine_resume(const char *folder, const struct search_data *data, struct evaluator *evaluator,
                  struct engine **engine, struct error *warning, struct error *error);
/* The same with other options from now on (resume.h).  NULL: they stay. */
int engine_resume_changed(const char *folder, const struct search_options *options, const struct search_data *data,
                          struct evaluator *evaluator, struct engine **engine, struct error *warning,
                          struct error *error);
void engine_add_sink(struct engine *engine, struct event_sink sink);

/* A full disk: how often a write that failed is tried again, and how long to wait before each (10 times, 1 s). */
void engine_set_disk_patience(struct engine *engine, int tries, double seconds);

/* Run until the budget is spent or a stop is commanded: 0.  -1 with the reason when the start network failed, or the
   session can't be written (it is intact then, and can be resumed). */
int engine_run(struct engine *engine, struct error *error);
const struct session_state *engine_state(const struct engine *engine); /* engine's thread, or after engine_run */
void engine_free(struct engine *engine);

/* Ask for a command of sessions/command.h, as a line of words; `by` says who asks.  It may be refused.  The answer is a
   COMMAND event.  Any thread; async-signal-safe is engine_stop(). */
void engine_command(struct engine *engine, enum event_author by, const char *words);
/* Ask for an orderly end.  Any thread, and safe in a signal handler. */
void engine_stop(struct engine *engine);

#endif
