/*
 * engine_bed.h - what tests of the engine share: a search on the scripted evaluator in a folder of its own.
 */
#ifndef ESPALIER_TESTS_ENGINE_BED_H
#define ESPALIER_TESTS_ENGINE_BED_H

#include "scripted_evaluator.h"
#include "sessions/state.h"

/* Small and quick: random policy, 12 networks, 4 an episode, no epochs to speak of; parents by tournament, no finish. */
struct search_options bed_options(void);

/* Run a search to its end in FOLDER/NAME.esp, made new or resumed, and give its state (session_state_free it),
   which was folded again from the log and found to have the live digest. */
struct session_state *bed_run(const char *folder, const char *name, const struct search_options *options,
                              const struct script *script);
struct session_state *bed_resume(const char *folder, const char *name, const struct script *script);
/* With other options from now on, which start as those of the session; NULL: they stay. */
struct session_state *bed_resume_changed(const char *folder, const char *name, const struct search_options *options,
                                         const struct script *script);
/* The same in a folder that is removed afterwards. */
struct session_state *bed_search(const struct search_options *options, const struct script *script);
/* A path in it, the caller's to free(). */
char *bed_path(const char *folder, const char *name);

/* The tree, outcomes, weights and policy updates as text: what a resume must not change.  Leaves out what it must:
   numbers of events, and starts that were cut short. */
char *bed_story(const struct session_state *state);
/* Every network is done, failed or cancelled; done ones have their file; the pool's law: none was made again. */
void bed_check(const char *folder, const char *name, const struct session_state *state);

/* Offsets into the log `path` after each event, and their number.  offsets[0] is where the first begins. */
enum { BED_EVENTS_MAX = 1000 };
int bed_event_offsets(const char *path, int64_t offsets[BED_EVENTS_MAX]);
/* Make TO.esp of what FROM.esp was when `bytes` of its log were written.  Files of later events don't matter, so
   the folders of weights and policies are shared. */
void bed_cut(const char *folder, const char *from, const char *to, int64_t bytes);

#endif
