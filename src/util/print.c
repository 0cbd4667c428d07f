/*
 * print.c - which characters are the format's own is found by formatting twice.
 *
 * The second format has another control character for each of the first.  It is no part of a conversion, so that both
 * results have the same length, and the characters in which they differ are the format's.
 */
#include "util/print.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "util/bug.h"
#include "util/memory.h"

static bool is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7f;
}

static bool is_visible(utf8proc_int32_t character)
{
    switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

/* The escape is that of JSON, where characters above U+FFFF are two. */
static void add_escape(struct text *text, utf8proc_int32_t character)
{
    if (character == '\n' || character == '\t')
        text_add(text, character == '\n' ? "\\n" : "\\t");
    else if (character < 0x10000)
        text_add(text, "\\u%04x", (unsigned)character);
    else
        text_add(text, "\\u%04x\\u%04x", 0xd800 + (unsigned)(character - 0x10000) / 0x400,
                 0xdc00 + (unsigned)(character - 0x10000) % 0x400);
}

/* Add the character at `string`, of which there are `left` bytes; returns its length. */
static size_t add_character(struct text *text, const char *string, size_t left)
{
    utf8proc_int32_t character;
    utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)string, (utf8proc_ssize_t)left, &character);
    if (length <= 0)
        text_add(text, "\\x%02x", (unsigned char)*string);
    else if (is_visible(character))
        text_add_bytes(text, string, (size_t)length);
    else
        add_escape(text, character);
    return length > 0 ? (size_t)length : 1;
}

void print_add(struct text *text, const char *string)
{
    for (size_t left = strlen(string), length; left; left -= length, string += length)
        length = add_character(text, string, left);
}

size_t print_plain_length(const char *string)
{
    size_t at = 0;
    utf8proc_int32_t character;
    utf8proc_ssize_t length;
    while (string[at] && (length = utf8proc_iterate((const utf8proc_uint8_t *)string + at, -1, &character)) > 0 &&
           is_visible(character))
        at += (size_t)length;
    return at;
}

static void write_text(FILE *out, struct text *text)
{
    fwrite(text_string(text), 1, text->length, out); /* the stream keeps the error, which main.c asks for at the end */
    text_done(text);
}

void print_document(FILE *out, const char *document)
{
    struct text text = TEXT_EMPTY;
    for (size_t left = strlen(document), length; left; left -= length, document += length) {
        length = *document == '\n' ? 1 : add_character(&text, document, left);
        if (*document == '\n')
            text_add_bytes(&text, "\n", 1);
    }
    write_text(out, &text);
}

static char *formatted(const char *format, va_list values, size_t *length)
{
    char *result;
    int count = vasprintf(&result, format, values);
    ASSERT(count >= 0);
    *length = (size_t)count;
    return result;
}

int print_values(FILE *out, const char *format, va_list values)
{
    va_list again;
    va_copy(again, values);
    char *other = memory_copy_text(format);
    for (char *at = other; *at; at++)
        if (is_control(*at))
            *at = *at == 1 ? 2 : 1;
    size_t count, same;
    char *result = formatted(format, values, &count), *check = formatted(other, again, &same);
    va_end(again);
    ASSERT(count == same);
    struct text text = TEXT_EMPTY;
    for (size_t at = 0, length; at < count; at += length) {
        bool own = result[at] != check[at];
        length = own ? 1 : add_character(&text, result + at, count - at);
        if (own)
            text_add_bytes(&text, result + at, 1);
    }
    free(other);
    free(result);
    free(check);
    int written = (int)text.length;
    write_text(out, &text);
    return written;
}

int print_to(FILE *out, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int written = print_values(out, format, values);
    va_end(values);
    return written;
}
