/*
 * judge.h - evaluates networks of a session on its validation images while the screens show it (tui/mistakes.h).
 *
 * One network at a time, on a thread of a low priority, with one core: neither the screens nor the search wait for it.
 * What was found is kept by the hash of the weights; what failed is tried again after a few seconds.  The test images
 * are never opened.  All functions are for the screens' thread.
 */
#ifndef ESPALIER_CLI_JUDGE_H
#define ESPALIER_CLI_JUDGE_H

#include "sessions/state.h"
#include "tui/mistakes.h"

struct judge;

/* Of the session in this folder.  judge_free() ends an evaluation after its current batch, or picture. */
struct judge *judge_new(const char *folder);
void judge_free(struct judge *judge);
/* What this network gets wrong, or how far its evaluation is, which begins now unless another one has to end first.  Valid
   until the next call.  Without weights, or when images or weights can't be read, it says so. */
const struct mistakes *judge_ask(struct judge *judge, const struct session_state *state, int64_t node);

#endif
