/*
 * error.h - what went wrong, as a text for the person at the terminal.
 *
 * There are three kinds of trouble.  A bug aborts (bug.h).  Bad input and a bad environment return -1 and fill a struct
 * error.  A trial that fails is an event of the search.
 *
 * The text reads "FILE: what is wrong (where); what to do", without a full stop or newline at its end.  Only cli/ puts
 * "espalier:" before it.  Any thread; a struct error has one owner.
 */
#ifndef ESPALIER_UTIL_ERROR_H
#define ESPALIER_UTIL_ERROR_H

struct error {
    char text[2048];
};

/* Replace the text, cut to fit.  With `error` NULL do nothing.  Return -1, so that a function can end with
   `return error_set(error, ...)`. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "PREFIX: " before the text: the caller knows the file, the callee knew the place in it.  Return -1. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
