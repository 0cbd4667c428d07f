/*
 * test_folder.h - a folder for the files of one test program, given to cmocka_run_group_tests() as make_folder and
 * remove_folder.
 */
#ifndef ESPALIER_TESTS_TEST_FOLDER_H
#define ESPALIER_TESTS_TEST_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];

static inline int make_folder(void **state)
{
    strcpy(folder, "/tmp/espalier-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* A path in it; the last four live at once. */
static inline const char *in_folder(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

#endif
