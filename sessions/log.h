/*
 * log.h - a session's folder and its append-only log.
 *
 * NAME.esp/ holds `events.log` (8 bytes "ESPALOG" and the format's version, then frames: frame.h), `weights/`,
 * `policy/` and `lock`.
 *
 *   1. One writer: it holds `lock` and the log itself with flock(); `lock` has its pid and host for the message.
 *   2. Readers need no lock and may follow a log that grows.
 *   3. A torn last frame (short, or a bad checksum at the very end) is dropped with a warning, and the writer
 *      cuts it off before it appends.  A bad frame with good frames behind it is an error with its offset:
 *      fsck salvages.
 *   4. An event that names a file is appended after that file and its folder are synced; log_append of a durable
 *      event returns after the bytes are in the file, and after fdatasync for SESSION, RESULT, POLICY, FINISHED.
 */
#ifndef ESPALIER_SESSIONS_LOG_H
#define ESPALIER_SESSIONS_LOG_H

#include "sessions/state.h"

struct log_writer;

/* Make a new session folder and lock it.  It must not exist, or be empty, or be of a run that ended before its first
   event. */
int log_create(const char *folder, struct log_writer **writer, struct error *error);
/* Open an existing session to append: lock it, fold all events into `*state` (session_state_free it), cut off a torn
   end (`warning` says so, else it is "").  -1 with the pid and host when another process writes it. */
int log_open(const char *folder, struct log_writer **writer, struct session_state **state, struct error *warning,
             struct error *error);
/* Number (durable), encode, write.  After a full disk or an I/O error (-1) the log is as before, and the same event can
   be appended again later. */
int log_append(struct log_writer *writer, struct event *event, struct error *error);
/* Sync, unlock, free.  A new session without an event is removed. */
void log_close(struct log_writer *writer);
const char *log_folder(const struct log_writer *writer);

struct log_reader;

int log_read(const char *folder, struct log_reader **reader, struct error *error);
/* LOG_EVENT with `*event` (event_done it); LOG_END: no more now (call again later to follow); LOG_TORN: as
   LOG_END, but the rest is not a whole frame; -1: damaged, the message has the offset.  Unknown kinds are skipped. */
enum { LOG_EVENT = 1, LOG_END = 0, LOG_TORN = 2 };
int log_next(struct log_reader *reader, struct event *event, struct error *error);
int64_t log_offset(const struct log_reader *reader);
void log_reader_free(struct log_reader *reader);

/* Read and fold all of a session. */
int session_load(const char *folder, struct session_state **state, struct error *warning, struct error *error);

/* Find what a SESSION argument names: a path, or a name in the current folder, in
   $XDG_STATE_HOME/espalier (~/.local/state/espalier) and in the gallery; with or without ".esp".
   `*folder` is the caller's to free(). */
int session_find(const char *name, char **folder, struct error *error);
/* The sessions of the current folder and of the state folder, each once, as paths without links.  The caller frees each, and
   the array. */
char **session_list(size_t *count);
/* A session is begun or resumed: where it lies outside of the state folder, let it be found by its name from everywhere.
   A link to it is made there, in place of one to another session of the name, so that a name means the session that was
   used last.  Does nothing where that can't be written. */
void session_remember(const char *folder);
/* It is about to be renamed or removed: remove that link, if it leads to this session. */
void session_forget(const char *folder);
/* The network that a NODE argument names: a number, "n12", "best" (the finished one where there is one) or "start".  0
   with a message: there is none. */
int64_t session_find_node(const struct session_state *state, const char *text, struct error *error);
/* $XDG_STATE_HOME/espalier or ~/.local/state/espalier, the caller's to free(); NULL where neither is set. */
char *session_state_folder(void);
/* The folder of a new session of that name: a path, with ".esp" added if it is missing. */
int session_path_of(const char *text, char **folder, struct error *error);
/* A path for a new session in the state folder: "NAME-N.esp" with the first free N.  Makes the state folder. */
int session_new_path(const char *name, char **folder, struct error *error);

struct fsck_report {
    int64_t log_findings; /* lines about the log; 0: every reader loads it, without a warning */
    int64_t frames_good, frames_bad, bytes_skipped;
    int64_t stand_ins;                      /* events that take the place of lost ones */
    int64_t weights_missing, weights_wrong; /* files that results name */
    int64_t orphans;                        /* files that no event names */
    int kept_as; /* the old log of a repair: events.log.damaged, from 2 on with this number behind it; 0: none */
};
/* Check every frame and file; a line for each finding is added to `text`.  `repair`: if there is a finding about the
   log, write a new one from the good frames that can be folded, and keep the old one as events.log.damaged. */
int session_check(const char *folder, bool repair, struct fsck_report *report, struct text *text, struct error *error);

/* Which of the files that events name.  COPY_BEST: the weights of the best network and of the start network, and the
   last state of the policy; enough to use the best one, and to resume a search that grows from the start network. */
enum copy_files { COPY_NO_FILES, COPY_BEST, COPY_ALL };
struct copy_report {
    int64_t events, left_out;      /* events in the copy's log; transient ones left out */
    int64_t files, missing, bytes; /* weights and states of the policy; `bytes` are those of the whole copy */
};
/* Copy a session, which may be in use, into the folder `to`, which must not exist, or be empty.  `thin`: without
   transient events, but for the last, which has the session's time.  `until`: the number of the last event, with the
   files that the events up to it name; 0: all.  `stopped` is asked before each file.  When
   it returns true or anything fails: -1, and the folder `to` is removed. */
int session_copy(const char *from, const char *to, enum copy_files files, bool thin, int64_t until,
                 bool (*stopped)(void), struct copy_report *report, struct error *error);

#endif
