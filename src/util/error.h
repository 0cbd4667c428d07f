/*
 * error.h - what went wrong, in words for the person at the terminal.
 *
 * Three kinds of trouble (STYLE of this house): a bug aborts (bug.h); bad input or environment
 * returns -1 and fills a `struct error`; a trial that fails is an event of the search, not an error.
 * The text reads "FILE: what is wrong (and where); what to do": no trailing newline or full stop,
 * and no "espalier:" in front, which only cli/ adds.  Any thread; a struct error has one owner.
 */
#ifndef ESPALIER_UTIL_ERROR_H
#define ESPALIER_UTIL_ERROR_H

struct error {
    char text[512];
};

/* Replace the text (cut to fit).  `error` may be NULL: then the text is lost.  Returns -1 always, so
   that a function can end with `return error_set(error, ...)`. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "PREFIX: " before the text that is there: the caller knows the file, the callee knew the place.
   Returns -1. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
