/*
 * bug.h - what to do about a bug: print where, and abort.
 *
 * For conditions that no input can cause.  ASSERT() states a condition and has no side effects; CHECK() makes a call that
 * must succeed.  Both are active in every build.
 */
#ifndef ESPALIER_UTIL_BUG_H
#define ESPALIER_UTIL_BUG_H

_Noreturn void bug_report(const char *file, int line, const char *what);

#define BUG(what)         bug_report(__FILE__, __LINE__, (what))
#define ASSERT(condition) ((condition) ? (void)0 : bug_report(__FILE__, __LINE__, #condition))
#define CHECK(call)       ASSERT(call)
#define COUNT_OF(array)   (sizeof(array) / sizeof((array)[0]))

#endif
