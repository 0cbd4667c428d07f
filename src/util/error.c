/* error.c - the text of an error is always terminated, cut to fit, and allocates nothing. */
#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...)
{
    if (error) {
        va_list values;
        va_start(values, format);
        vsnprintf(error->text, sizeof(error->text), format, values);
        va_end(values);
    }
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    if (!error)
        return -1;
    struct error old = *error;
    va_list values;
    va_start(values, format);
    vsnprintf(error->text, sizeof(error->text), format, values);
    va_end(values);
    size_t length = strlen(error->text);
    snprintf(error->text + length, sizeof(error->text) - length, ": %s", old.text);
    return -1;
}
