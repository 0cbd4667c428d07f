/*
 * notes.h - the texts in a file's metadata, and a data set's facts as such texts.
 *
 * The notes of a data set, so that other programs can use the file too:
 *     data       what trained the network, as --data has it: "images@48:flowers"
 *     checksum   of these images
 *     classes    their names, one a line, in the order of the network's outputs
 *     mean       a number for each channel, with commas between
 *     deviation  likewise: the input is (pixel - mean) / deviation, of pixels from 0 to 255
 *     layout     of the input: "NCHW RGB"
 *     mirrors    "yes": a mirrored image keeps its class; or "no"
 */
#ifndef ESPALIER_EXPORT_NOTES_H
#define ESPALIER_EXPORT_NOTES_H

#include "data/facts.h"
#include "export/safetensors.h"

enum { NOTES_MAX = 16 };

/* A list that safetensors.h and onnx.h take.  It owns its texts. */
struct notes {
    int count;
    struct safetensors_note list[NOTES_MAX + 1]; /* ends with a NULL name */
};

/* `name` is borrowed, `text` copied; NULL or "": nothing is added. */
void notes_add(struct notes *notes, const char *name, const char *text);
/* Those that are known. */
void notes_add_data(struct notes *notes, const struct data_facts *facts);
void notes_done(struct notes *notes);

/* The facts in a file of weights that was read; unknown ones where they are incomplete.  Trusts nothing in the file;
   data_facts_check() tells whether they fit a network.  data_facts_done() them. */
void data_facts_of_file(const void *bytes, size_t length, struct data_facts *facts);

#endif
