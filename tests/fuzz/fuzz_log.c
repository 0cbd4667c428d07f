/*
 * fuzz_log.c - any bytes as a session's log, and as one event.
 *
 * The log is read as it stands, or (as the last bit of the input says) with every frame's checksum made right, so that
 * what is inside a frame is reached too.  What can be salvaged must give a log that is clean, loads, and folds to the
 * same state.  What every reader loads without a word has no finding, and the other way round.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "session_input.h"
#include "sessions/frame.h"
#include "sessions/log_internal.h"
#include "sessions/replay.h"
#include "util/bug.h"
#include "util/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static char *folder;

static void remove_folder(void)
{
    folder_remove(folder);
    free(folder);
}

static void as_event(const uint8_t *bytes, size_t length)
{
    struct event event, again;
    struct error error = {""};
    if (event_decode(bytes, length, &event, &error) != EVENT_DECODED)
        return;
    void *encoded;
    size_t encoded_length;
    event_encode(&event, &encoded, &encoded_length);
    ASSERT(event_decode(encoded, encoded_length, &again, &error) == EVENT_DECODED);
    struct text left = TEXT_EMPTY, right = TEXT_EMPTY;
    event_print_json(&event, &left);
    event_print_json(&again, &right);
    ASSERT(!strcmp(left.bytes, right.bytes));
    text_done(&left);
    text_done(&right);
    free(encoded);
    event_done(&event);
    event_done(&again);
}

/* The digest of the folder's session, when it loads without a word. */
static bool loads(const void *bytes, size_t length, struct hash *digest)
{
    struct session_state *state;
    struct replay *replay;
    struct error error = {""}, warning, replayed;
    log_put(folder, bytes, length);
    bool refused = session_load(folder, &state, &warning, &error),
         plays = !replay_open(folder, &replay, &replayed, &error);
    ASSERT(plays == !refused);
    if (refused) {
        ASSERT(error.text[0]);
        return false;
    }
    replay_free(replay);
    ASSERT(!warning.text[0] == !replayed.text[0]);
    *digest = session_digest(state);
    session_state_free(state);
    return !warning.text[0];
}

static void as_log(const uint8_t *bytes, size_t length)
{
    struct session_state *state = session_state_new(), *again = session_state_new();
    struct fsck_report report = {0}, clean = {0};
    struct text findings = TEXT_EMPTY, log = TEXT_EMPTY, same = TEXT_EMPTY;
    struct error error = {""};
    struct hash digest, loaded;
    bool good = loads(bytes, length, &loaded);
    if (log_salvage(bytes, length, state, &report, &findings, &log, &error)) {
        ASSERT(error.text[0] && !good);
    } else {
        digest = session_digest(state);
        ASSERT(good == !report.log_findings && (!good || hash_equal(digest, loaded)));
        ASSERT(!log_salvage(log.bytes, log.length, again, &clean, &findings, &same, &error));
        ASSERT(!clean.log_findings);
        ASSERT(log.length == same.length && !memcmp(log.bytes, same.bytes, log.length));
        ASSERT(loads(log.bytes, log.length, &loaded) && hash_equal(digest, loaded));
    }
    session_state_free(state);
    session_state_free(again);
    text_done(&findings);
    text_done(&log);
    text_done(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (!folder) {
        folder = folder_new();
        atexit(remove_folder);
    }
    as_event(bytes, length);
    if (!length || bytes[length - 1] & 1) {
        as_log(bytes, length);
        return 0;
    }
    uint8_t *mended = memcpy(memory_new(length, 1), bytes, length);
    mend_checksums(mended, length);
    as_log(mended, length);
    if (length > LOG_HEADER + FRAME_HEADER)
        as_event(mended + LOG_HEADER + FRAME_HEADER, length - LOG_HEADER - FRAME_HEADER);
    free(mended);
    return 0;
}
