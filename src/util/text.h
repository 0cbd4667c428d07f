/*
 * text.h - a growing string, and numbers in a form for people.
 *
 * `struct text` starts as TEXT_EMPTY and ends with text_done().  `text.bytes` is always terminated once
 * something was added, and NULL before (text_string() gives "" then).
 */
#ifndef ESPALIER_UTIL_TEXT_H
#define ESPALIER_UTIL_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes;
    size_t length, capacity;
};
#define TEXT_EMPTY ((struct text){0})

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *text, const char *bytes, size_t length);
const char *text_string(const struct text *text);
/* Give the string to the caller, who free()s it; the text is empty then. */
char *text_take(struct text *text);
void text_clear(struct text *text);
void text_done(struct text *text);

/* Numbers in short form, written into the caller's buffer, which is returned. */
#define TEXT_SHORT 24
/* 950, 12.3k, 1.84M, 212M, 3.1G (powers of 1000, three significant digits) */
char *text_count(char buffer[TEXT_SHORT], double count);
/* 512 B, 1.5 KiB, 8.1 GiB */
char *text_bytes(char buffer[TEXT_SHORT], double bytes);
/* 0.4s, 12s, 3m10s, 2h44m, 5d03h */
char *text_duration(char buffer[TEXT_SHORT], double seconds);

/* Convert a whole string: 0, or -1 when it is not exactly one number within the range. */
int text_to_integer(const char *string, int64_t minimum, int64_t maximum, int64_t *value);
int text_to_real(const char *string, double minimum, double maximum, double *value);
/* The same with powers of 1000 after the number, as text_count() prints them: 600G, 1.5T (k, M, G, T, P, E). */
int text_to_count(const char *string, double minimum, double maximum, double *value);
/* A whole number, also as 25k or 2.2M; 2.2 and 1.2345k are none. */
int text_to_whole_count(const char *string, int64_t minimum, int64_t maximum, int64_t *value);
/* A position within `length` seconds: 50%, 90 (seconds), 3m10s, 1h02m. */
int text_to_place(const char *string, double length, double *seconds);
/* 4096, 512M, 2G (powers of 1024; K, M, G, T, with or without "iB"). */
int text_to_size(const char *string, int64_t *bytes);

#endif
