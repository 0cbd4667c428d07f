/*
 * repeats.h - how often a test repeats itself with other numbers.
 *
 * The plain build checks the numbers.  A sanitizer checks each access, and sees nothing new in the same code with other
 * numbers: there a tenth of the repeats is enough, and the suites stay within a few minutes.
 */
#ifndef ESPALIER_TESTS_REPEATS_H
#define ESPALIER_TESTS_REPEATS_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* `count`, or a tenth of it but at least once. */
#define REPEATS(count) (SANITIZED ? ((count) + 9) / 10 : (count))

#endif
