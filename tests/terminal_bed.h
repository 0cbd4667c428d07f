/*
 * terminal_bed.h - what the tests of the terminal share: espalier on a pseudo-terminal, a recorded session to play, a
 * small data set to search on, and expectations that print the screen when they are not met.
 */
#ifndef ESPALIER_TESTS_TERMINAL_BED_H
#define ESPALIER_TESTS_TERMINAL_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pty_terminal.h"
#include "session_folder.h"

/* One folder a test program: cmocka's group set-up and its end.  Programs run in it. */
int terminal_bed_open(void **state);
int terminal_bed_close(void **state);
const char *terminal_bed_folder(void);

/* Write `name`.esp into the folder: a search played by the session generator.  What must come of it. */
struct session_expectation record_session(const char *name, const struct session_recipe *recipe);
/* Write the folder "pictures": 500 small images of 4 classes as IDX files, for --data idx:pictures. */
void draw_pictures(void);

/* Start espalier with these arguments, ended by NULL; `setup`'s folder is the bed's where it has none. */
struct pty_terminal *start_espalier(const struct pty_setup *setup, ...) __attribute__((sentinel));
/* 80×24, screen-256color: as an xterm, without the repetition of characters, in which libvterm 0.1.4 is wrong. */
struct pty_setup usual_setup(void);
const char *terminal_bed_program(void); /* path of espalier */

/* No rounds, no baseline, no finish. */
#define WITHOUT_ROUNDS                                                                                                 \
    "--parent", "tournament", "--finish", "0", "--baseline", "no", "--steady", "no", "--average", "0",                 \
        "--episode-networks", "10", "--start", "smallest"
/* A search on the pictures, without end (nor a limit that would exhaust the space), into the session `out`. */
#define SMALL_SEARCH                                                                                                   \
    "--data", "idx:pictures", "--networks", "0", "--epochs", "1", "--start-epochs", "1", "--train-subset", "300",      \
        "--validation", "100", "--devices", "cpu:1", "--limit-flops", "0", WITHOUT_ROUNDS
struct pty_terminal *start_search(const struct pty_setup *setup, const char *out);
/* A session of the folder as it is now, session_state_free() it. */
struct session_state *load_session(const char *name);
char *session_path(const char *name);

#define expect_text(terminal, row, text)                                                                               \
    expect_that(pty_wait_text(terminal, row, text), terminal, "has “" text "”", __FILE__, __LINE__)
#define expect_no_text(terminal, row, text)                                                                            \
    expect_that(pty_wait_no_text(terminal, row, text), terminal, "lacks “" text "”", __FILE__, __LINE__)
#define expect(terminal, condition) expect_that(condition, terminal, #condition, __FILE__, __LINE__)
void expect_that(bool met, struct pty_terminal *terminal, const char *what, const char *file, int line);

/* The program ends with this exit status, or by this signal. */
#define expect_exit(terminal, status)   expect_end(terminal, status, 0, __FILE__, __LINE__)
#define expect_signal(terminal, signal) expect_end(terminal, 0, signal, __FILE__, __LINE__)
void expect_end(struct pty_terminal *terminal, int status, int signal, const char *file, int line);

#endif
