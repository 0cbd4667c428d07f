/*
 * sandbox.h - a child process in which a library reads a file that may be a stranger's.
 *
 *     pid_t child = sandbox_fork(memory, seconds, &pipe);
 *     if (!child) {open the library and the file; sandbox_seal(); read; write the result to pipe; sandbox_leave();}
 *     read the result from pipe, and trust nothing in it; sandbox_end(child, pipe, &error);
 *
 * A crash of the library ends the child alone.  Its memory and time are limited.  Once it is sealed it can read open
 * files, write to the pipe and allocate memory; the kernel refuses everything else (where the program was built with
 * libseccomp). The pipe, the descriptor `keep` and the standard input are all that it inherits.
 */
#ifndef ESPALIER_DATA_SANDBOX_H
#define ESPALIER_DATA_SANDBOX_H

#include <stddef.h>
#include <sys/types.h>

#include "util/error.h"

/* As fork(): 0 in the child, -1 and the reason in `error`.  `*pipe` is the end to write to in the child, to read from
   in the parent.  The child may take `memory` bytes more than the program has, and `seconds` of processor time. */
pid_t sandbox_fork(size_t memory, unsigned seconds, int keep, int *pipe, struct error *error);
void sandbox_seal(void);
_Noreturn void sandbox_leave(void);
/* Close the pipe and wait for the child: 0, or -1 when it did not leave by itself. */
int sandbox_end(pid_t child, int pipe, struct error *error);

/* All of the bytes, through short reads and writes: 0, or -1. */
int sandbox_send(int pipe, const void *bytes, size_t length);
int sandbox_receive(int pipe, void *bytes, size_t length);

#endif
