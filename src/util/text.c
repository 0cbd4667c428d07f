/*
 * text.c - a growing string, and conversions between numbers and text.
 *
 * Invariant: bytes is NULL and length 0, or bytes[length] is the terminator and length < capacity.
 * The decimal separator is always a point: the program sets only LC_CTYPE of its locale, never LC_NUMERIC.
 */
#include "util/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bug.h"
#include "util/memory.h"

static void reserve(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity)
        return;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < needed)
        capacity *= 2;
    text->bytes = memory_resize(text->bytes, capacity, 1);
    text->capacity = capacity;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, values);
    va_end(values);
    ASSERT(length >= 0);
    reserve(text, (size_t)length);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
    va_end(again);
    text->length += (size_t)length;
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
    reserve(text, length);
    if (length)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

const char *text_string(const struct text *text)
{
    return text->bytes ? text->bytes : "";
}

char *text_take(struct text *text)
{
    reserve(text, 0);
    char *bytes = text->bytes;
    bytes[text->length] = 0;
    *text = TEXT_EMPTY;
    return bytes;
}

void text_clear(struct text *text)
{
    text->length = 0;
    if (text->bytes)
        text->bytes[0] = 0;
}

void text_done(struct text *text)
{
    free(text->bytes);
    *text = TEXT_EMPTY;
}

char *text_count(char buffer[TEXT_SHORT], double count)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    size_t unit = 0;
    /* 999.5 would be printed with four digits, so it goes to the next unit. */
    while (fabs(count) >= 999.5 && isfinite(count) && unit + 1 < COUNT_OF(units)) {
        count /= 1000;
        unit++;
    }
    snprintf(buffer, TEXT_SHORT, "%.3g%s", count, units[unit]);
    return buffer;
}

char *text_bytes(char buffer[TEXT_SHORT], double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    while (fabs(bytes) >= 1023.5 && isfinite(bytes) && unit + 1 < COUNT_OF(units)) {
        bytes /= 1024;
        unit++;
    }
    int decimals = unit > 0 && fabs(bytes) < 99.95;
    snprintf(buffer, TEXT_SHORT, fabs(bytes) < 1e6 ? "%.*f %s" : "%.*g %s", decimals, bytes, units[unit]);
    return buffer;
}

char *text_duration(char buffer[TEXT_SHORT], double seconds)
{
    if (!isfinite(seconds)) {
        snprintf(buffer, TEXT_SHORT, "?");
        return buffer;
    }
    const char *sign = seconds < 0 ? "-" : "";
    seconds = fmin(fabs(seconds), 1e15);
    if (seconds < 9.95) {
        snprintf(buffer, TEXT_SHORT, "%s%.1fs", sign, seconds);
        return buffer;
    }
    long long whole = llround(seconds);
    long long minutes = whole / 60, hours = minutes / 60, days = hours / 24;
    if (!minutes)
        snprintf(buffer, TEXT_SHORT, "%s%llds", sign, whole);
    else if (!hours)
        snprintf(buffer, TEXT_SHORT, "%s%lldm%02llds", sign, minutes, whole % 60);
    else if (!days)
        snprintf(buffer, TEXT_SHORT, "%s%lldh%02lldm", sign, hours, minutes % 60);
    else
        snprintf(buffer, TEXT_SHORT, "%s%lldd%02lldh", sign, days, hours % 24);
    return buffer;
}

int text_to_integer(const char *string, int64_t minimum, int64_t maximum, int64_t *value)
{
    if (!isdigit((unsigned char)*string) && *string != '-') /* strtoll would skip blanks */
        return -1;
    char *end;
    errno = 0;
    long long number = strtoll(string, &end, 10);
    if (errno || end == string || *end || number < minimum || number > maximum)
        return -1;
    *value = number;
    return 0;
}

int text_to_real(const char *string, double minimum, double maximum, double *value)
{
    /* Only decimal notation: strtod also takes blanks, hexadecimal, "inf" and "nan". */
    if (!*string || strspn(string, "0123456789.eE+-") != strlen(string))
        return -1;
    char *end;
    double number = strtod(string, &end);
    if (end == string || *end || !(number >= minimum && number <= maximum))
        return -1;
    *value = number;
    return 0;
}

int text_to_count(const char *string, double minimum, double maximum, double *value)
{
    static const char letters[] = "kMGTPE";
    size_t length = strlen(string);
    const char *letter = length > 1 ? strchr(letters, string[length - 1]) : NULL;
    char number[32];
    double count;
    if (!letter || length > sizeof number)
        return text_to_real(string, minimum, maximum, value);
    memcpy(number, string, length - 1);
    number[length - 1] = '\0';
    if (strpbrk(number, "eE") || text_to_real(number, -1e300, 1e300, &count))
        return -1;
    for (const char *power = letters; power <= letter; power++)
        count *= 1000;
    if (!(count >= minimum && count <= maximum))
        return -1;
    *value = count;
    return 0;
}

int text_to_whole_count(const char *string, int64_t minimum, int64_t maximum, int64_t *value)
{
    double count;
    if (!text_to_integer(string, minimum, maximum, value))
        return 0;
    /* A count with a letter: beyond 2^53 not every whole number is a double, and 2.01M isn't exactly 2010000. */
    if (!*string || !isalpha((unsigned char)string[strlen(string) - 1]) ||
        text_to_count(string, (double)minimum, fmin((double)maximum, 0x1p53), &count) ||
        fabs(count - round(count)) > 1e-12 * fabs(count))
        return -1;
    *value = llround(count);
    return 0;
}

static int take_number(const char **string, double maximum, double *value)
{
    char number[32];
    size_t digits = strspn(*string, "0123456789.");
    if (!digits || digits >= sizeof number)
        return -1;
    memcpy(number, *string, digits);
    number[digits] = 0;
    *string += digits;
    return text_to_real(number, 0, maximum, value);
}

int text_to_size(const char *string, int64_t *bytes)
{
    double value;
    if (take_number(&string, 0x1p62, &value))
        return -1;
    if (*string) {
        static const char letters[] = "KMGT";
        const char *letter = strchr(letters, toupper((unsigned char)*string));
        if (!letter || (string[1] && strcmp(string + 1, "iB") != 0))
            return -1;
        value = ldexp(value, 10 * (int)(letter - letters + 1));
    }
    if (value >= 0x1p62)
        return -1;
    *bytes = (int64_t)value;
    return 0;
}

int text_to_place(const char *string, double length, double *seconds)
{
    static const char units[] = "smhd";
    static const double sizes[] = {1, 60, 3600, 86400};
    double sum = 0, value;
    if (!*string)
        return -1;
    while (*string) {
        if (take_number(&string, 1e12, &value))
            return -1;
        if (!strcmp(string, "%") && sum == 0) {
            *seconds = value / 100 * length;
            return value <= 100 ? 0 : -1;
        }
        const char *unit = *string ? strchr(units, *string) : units;
        if (!unit)
            return -1;
        sum += value * sizes[unit - units];
        string += *string != 0;
    }
    *seconds = sum;
    return 0;
}
