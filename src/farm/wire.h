/*
 * wire.h - a trial and its reports as JSON texts, for two processes of one program.
 *
 * What was written is read back to the bit: reals have 17 digits, and those that are not finite are words.  Bytes
 * (weights, checkpoints) travel beside the text (blob.h); so does the path of the parent's weights, which is another on
 * each machine.  What is read may be damaged, or made by somebody else: it is checked, and refused with -1.
 */
#ifndef ESPALIER_FARM_WIRE_H
#define ESPALIER_FARM_WIRE_H

#include "search/evaluator.h"

/* All of a trial but its checkpoint and the path of its parent's weights; the caller's to free(). */
char *wire_write_trial(const struct trial *trial);
/* `trial_done()` it. */
int wire_read_trial(const char *text, struct trial *trial, struct error *error);

/* The word of a kind of report, and back; -1: there is none. */
const char *wire_report_word(enum report_kind kind);
int wire_report_kind(const char *word, enum report_kind *kind);
/* All of a report but kind, node, slot and bytes, which has its weights where it has the health of layers; the caller's to free(). */
char *wire_write_report(const struct report *report);
/* Sets what wire_write_report() wrote; `report_done()` it.  The kind decides what must be there. */
int wire_read_report(const char *text, enum report_kind kind, struct report *report, struct error *error);

/* The checksums of a search's images, as one text; `test` zero: it has no test images.  The caller's to free(). */
char *wire_write_sums(struct hash images, struct hash test);
/* May a machine with `here` serve a search with `search`?  It needs test images only where the search has some. */
bool wire_sums_fit(const char *search, const char *here);

#endif
