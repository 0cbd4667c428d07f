/*
 * bug.h - a broken promise inside the program: print where, and abort.
 *
 * For conditions that no input can cause.  Active in every build.
 */
#ifndef ESPALIER_UTIL_BUG_H
#define ESPALIER_UTIL_BUG_H

_Noreturn void bug_report(const char *file, int line, const char *what);

#define BUG(what)         bug_report(__FILE__, __LINE__, (what))
#define ASSERT(condition) ((condition) ? (void)0 : bug_report(__FILE__, __LINE__, #condition))
#define COUNT_OF(array)   (sizeof(array) / sizeof((array)[0]))

#endif
