/* bug.c - the last words of a program that broke its own promise. */
#include "util/bug.h"

#include <stdio.h>
#include <stdlib.h>

void bug_report(const char *file, int line, const char *what)
{
    fprintf(stderr, "espalier: bug at %s:%d: %s\n", file, line, what);
    abort();
}
