/* log_bed.h - what the tests of the log share.  Include it after cmocka.h. */
#ifndef ESPALIER_TESTS_LOG_BED_H
#define ESPALIER_TESTS_LOG_BED_H

#include <string.h>

#include "session_folder.h"
#include "sessions/log.h"

/* `call` may name `error`. */
#define OK(call)                                                                                                       \
    do {                                                                                                               \
        struct error error = {{0}};                                                                                    \
        if (call)                                                                                                      \
            fail_msg("%s", error.text);                                                                                \
    } while (0)

#define FAILS(call, why)                                                                                               \
    do {                                                                                                               \
        struct error error = {{0}};                                                                                    \
        assert_int_equal(call, -1);                                                                                    \
        if (!strstr(error.text, why))                                                                                  \
            fail_msg("\"%s\" does not say \"%s\"", error.text, why);                                                   \
    } while (0)

/* A session with its first two events, and its writer. */
static inline struct log_writer *begin_session(const char *folder)
{
    struct log_writer *writer;
    OK(log_create(folder, &writer, &error));
    struct event event = {.kind = EVENT_SESSION};
    event.as.session.format = 1;
    OK(log_append(writer, &event, &error));
    event = (struct event){.kind = EVENT_OPENED};
    OK(log_append(writer, &event, &error));
    return writer;
}

#endif
