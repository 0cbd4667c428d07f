/*
 * print.h - the only functions that write text to the terminal, a pipe or a file of lines; the screens have
 * tui/canvas.h.
 *
 * Texts come from sessions, data sets, files' names and the command line, and a terminal obeys what is in them.  So
 * what is invisible is written as an escape: control characters (C0, DEL and C1), marks of direction and other format
 * characters, and separators of lines as \n, \t or \u009b; a byte that is not UTF-8 as \xff.  A text of the program's
 * own stays as it is.  Any thread; the streams lock themselves.
 */
#ifndef ESPALIER_UTIL_PRINT_H
#define ESPALIER_UTIL_PRINT_H

#include <stdarg.h>
#include <stdio.h>

#include "util/text.h"

/* As fprintf(): the format's own control characters are written as they are, those of the values are escaped.  Returns
   the number of bytes written. */
int print_to(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int print_values(FILE *out, const char *format, va_list values) __attribute__((format(printf, 2, 0)));
/* A document that the program made, such as JSON or a table: as print_to(out, "%s", document), but its lines stay
   lines.  In JSON the escapes mean the same characters. */
void print_document(FILE *out, const char *document);
/* Add `string` as print_to() would write it. */
void print_add(struct text *text, const char *string);
/* The number of bytes before the first one that would be escaped; all of them when none would. */
size_t print_plain_length(const char *string);

#endif
