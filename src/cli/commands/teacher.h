/*
 * teacher.h - the trained network that another one learns from (`train --teacher`).
 */
#ifndef ESPALIER_CLI_COMMANDS_TEACHER_H
#define ESPALIER_CLI_COMMANDS_TEACHER_H

#include "cli/cli_network.h"

/* Find the teacher that `text` names for a network whose images are open, and which keeps `validation` of them out,
   drawn by `seed`.  -1: it has no weights, doesn't know its classes or takes other images, or it was trained on images
   that validate here, or may have been.  cli_network_done() it, also after a failure. */
int teacher_find(const char *text, const struct cli_network *student, int validation, uint64_t seed,
                 struct cli_network *teacher, struct error *error);
/* Does a network with this normalisation show its teacher what the teacher is used to? */
bool teacher_sees(const struct cli_network *teacher, const struct normalisation *pixels);

#endif
