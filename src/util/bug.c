/* bug.c - prints where a bug was met, and aborts. */
#include "util/bug.h"

#include <stdio.h>
#include <stdlib.h>

void bug_report(const char *file, int line, const char *what)
{
    fprintf(stderr, "espalier: bug at %s:%d: %s\n", file, line, what);
    abort();
}
