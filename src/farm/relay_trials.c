/*
 * relay_trials.c - from the database to the local evaluator.
 *
 * One statement says all that the search wants of this worker: which trials, which verdicts and cancellations, whether
 * it is paused or closed.  What the local evaluator does is compared with it:
 *
 *     a trial that no lane trains           it is claimed (again, if the answer to an earlier claim was lost)
 *     a lane whose trial is not there       it is nobody's any more: dropped
 *     no row at all                         the worker was given up: everything is dropped, and it enrols anew
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/safetensors.h"
#include "farm/relay_parts.h"
#include "farm/wire.h"
#include "util/bug.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

#define BEAT     1.0
#define LOOK_MIN 0.02

int relay_beat(struct relay *relay, struct error *error)
{
    if (!relay->worker || clock_monotonic() - relay->beat < BEAT)
        return 0;
    relay->beat = clock_monotonic();
    return db_query(relay->db, error, "UPDATE espalier.worker SET beats = beats + 1 WHERE id = $1 AND NOT gone",
                    DB_INTEGER(relay->worker));
}

/* What comes is for a trial that won't begin any more, when the worker leaves. */
static int go_on(void *context, struct error *error)
{
    struct relay *relay = context;
    return relay_between(relay, error) || relay->is_leaving ? -1 : 0;
}

void relay_drop(struct relay *relay, int slot)
{
    struct relay_lane *lane = &relay->lanes[slot];
    if (!lane->fence || lane->is_dropped)
        return;
    lane->is_dropped = true;
    relay->local->kind->cancel(relay->local, lane->node);
}

/* --- the weights of parents, as files --- */

static void parent_path(const struct relay *relay, struct hash hash, struct text *path)
{
    char name[HASH_TEXT];
    text_add(path, "%s/weights/%s.safetensors", relay->folder, hash_print(hash, name));
}

static void remove_parent(struct relay *relay, int number)
{
    struct text path = TEXT_EMPTY;
    parent_path(relay, relay->parents[number], &path);
    unlink(text_string(&path));
    text_done(&path);
    relay->parent_count--;
    memmove(relay->parents + number, relay->parents + number + 1,
            (size_t)(relay->parent_count - number) * sizeof *relay->parents);
}

static bool is_used(const struct relay *relay, struct hash hash)
{
    for (int i = 0; i < relay->count; i++)
        if (relay->lanes[i].fence && hash_equal(relay->lanes[i].parent, hash))
            return true;
    return false;
}

/* Make room for one more: trainers have read the weights that they began with soon after they began, but not at once.
 */
static void make_room(struct relay *relay)
{
    for (int i = 0; relay->parent_count == relay->parents_max && i < relay->parent_count; i++)
        if (!is_used(relay, relay->parents[i]))
            remove_parent(relay, i);
    ASSERT(relay->parent_count < relay->parents_max); /* there are more than lanes, which use one each */
}

static int make_folder(struct relay *relay, struct error *error)
{
    const char *base = getenv("TMPDIR");
    struct text text = TEXT_EMPTY;
    if (relay->folder)
        return 0;
    text_add(&text, "%s/espalier-worker.XXXXXX", base && *base ? base : "/tmp");
    char *folder = text_take(&text);
    if (!mkdtemp(folder)) {
        error_set(error, "%s: can't be made; set TMPDIR to a folder with room for weights", folder);
        free(folder);
        return -1;
    }
    relay->folder = folder;
    text_add(&text, "%s/weights", folder);
    int failed = file_make_folder(text_string(&text), error);
    text_done(&text);
    return failed;
}

void relay_remove_folder(struct relay *relay)
{
    struct text text = TEXT_EMPTY;
    if (!relay->folder)
        return;
    text_add(&text, "%s/weights", relay->folder);
    DIR *folder = opendir(text_string(&text));
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0); /* not "." and "..", which are folders */
    if (folder)
        closedir(folder);
    rmdir(text_string(&text));
    rmdir(relay->folder);
    text_done(&text);
    free(relay->folder);
}

/* 1: `trial` has the path; 0: it can't begin, `why`; -1: a trouble of the connection. */
static int fetch_parent(struct relay *relay, struct trial *trial, struct error *why, struct error *error)
{
    struct text path = TEXT_EMPTY;
    char name[HASH_TEXT];
    void *bytes;
    size_t length;
    if (make_folder(relay, why))
        return 0;
    parent_path(relay, trial->parent_hash, &path);
    trial->parent_weights = text_take(&path);
    if (file_exists(trial->parent_weights))
        return 1;
    struct blob_pause pause = {go_on, relay};
    int found =
        blob_get(relay->db, relay->search->id, hash_print(trial->parent_hash, name), &pause, &bytes, &length, error);
    if (found < 0)
        return -1;
    if (!found) {
        error_set(why, "the farm doesn't have the weights %s that it begins with", name);
        return 0;
    }
    make_room(relay);
    int failed = file_write(trial->parent_weights, bytes, length, why);
    free(bytes);
    if (!failed)
        relay->parents[relay->parent_count++] = trial->parent_hash;
    return failed ? 0 : 1;
}

/* Likewise.  Without its checkpoint it doesn't begin anew: the log of the search says that it goes on. */
static int fetch_checkpoint(struct relay *relay, int64_t fence, struct trial *trial, struct error *why,
                            struct error *error)
{
    char name[BLOB_NAME];
    void *bytes;
    size_t length;
    struct blob_pause pause = {go_on, relay};
    if (!trial->has_checkpoint)
        return 1;
    int found = blob_get(relay->db, relay->search->id, blob_name(name, fence, 0), &pause, &bytes, &length, error);
    if (!found)
        error_set(why, "the farm doesn't have the checkpoint that it goes on from");
    if (found != 1)
        return found;
    struct weights *weights = weights_new(&trial->arch, relay->input);
    char *settings = trial_settings(trial);
    trial->checkpoint = memory_new(1, sizeof *trial->checkpoint);
    checkpoint_init(trial->checkpoint, NULL, weights, (double)trial->training.average, settings);
    int failed = checkpoint_decode(trial->checkpoint, bytes, length, why);
    weights_free(weights);
    free(settings);
    free(bytes);
    return failed ? 0 : 1;
}

/* --- claims --- */

/* As fetch_parent(). */
static int prepare(struct relay *relay, int64_t fence, const char *request, struct trial *trial, struct error *why,
                   struct error *error)
{
    if (wire_read_trial(request, trial, why))
        return 0;
    trial->fence = fence;
    int ready = trial->from_scratch ? 1 : fetch_parent(relay, trial, why, error);
    return ready == 1 ? fetch_checkpoint(relay, fence, trial, why, error) : ready;
}

static int claim(struct relay *relay, int slot, int64_t fence, struct error *error)
{
    struct relay_lane *lane = &relay->lanes[slot];
    struct error why = {{0}};
    if (db_query(relay->db, error,
                 "UPDATE espalier.trial SET state = 'running' WHERE search = $1 AND fence = $2 AND lane = $3"
                 " AND state IN ('offered', 'running') RETURNING request, node",
                 DB_INTEGER(relay->search->id), DB_INTEGER(fence), DB_INTEGER(lane->id)))
        return -1;
    if (!db_rows(relay->db))
        return 0;
    char *request = memory_copy_text(db_text(relay->db, 0, 0));
    struct trial *trial = memory_new(1, sizeof *trial);
    int64_t node = db_integer(relay->db, 0, 1);
    int ready = prepare(relay, fence, request, trial, &why, error);
    free(request);
    if (relay->is_leaving && ready >= 0) { /* since a moment ago: it goes back when the worker signs off */
        trial_done(trial);
        free(trial);
        return 0;
    }
    if (ready >= 0)
        *lane = (struct relay_lane){.id = lane->id, .fence = fence, .node = node, .parent = trial->parent_hash};
    if (ready == 1) {
        lane->may_stop = trial->may_stop;
        relay_say(relay, "n%" PRId64 " begins on %s", trial->node, relay->local->kind->device(relay->local, slot)->id);
        relay->local->kind->submit(relay->local, slot, trial); /* a copy, which owns the texts */
        relay->busy = clock_monotonic();
    } else {
        trial_done(trial);
        if (!ready && relay_fail(relay, slot, &why, error))
            ready = -1;
    }
    free(trial);
    return ready < 0 ? -1 : 0;
}

/* --- what the search wants --- */

struct want {
    int64_t fence, lane;
    bool cancel, goes_on;
    int verdict;
};

static int slot_of(const struct relay *relay, int64_t lane)
{
    for (int i = 0; i < relay->count; i++)
        if (relay->lanes[i].id == lane)
            return i;
    return -1;
}

static void answer(struct relay *relay, int slot, const struct want *want)
{
    struct relay_lane *lane = &relay->lanes[slot];
    if (want->cancel && !lane->is_cancelled) {
        lane->is_cancelled = true;
        relay->local->kind->cancel(relay->local, lane->node);
    }
    if (lane->asked && want->verdict >= lane->asked) {
        lane->asked = 0;
        relay->local->kind->proceed(relay->local, lane->node, want->goes_on);
    }
}

static int follow(struct relay *relay, const struct want *want, struct error *error)
{
    int slot = slot_of(relay, want->lane);
    if (slot < 0)
        return 0;
    struct relay_lane *lane = &relay->lanes[slot];
    if (lane->fence == want->fence)
        answer(relay, slot, want);
    else if (lane->fence)
        relay_drop(relay, slot); /* the next one begins when it has stopped */
    else if (!relay->is_leaving && !relay_is_lost(relay, slot))
        return claim(relay, slot, want->fence, error);
    return 0;
}

static void drop_unwanted(struct relay *relay, const struct want *wants, int count)
{
    for (int i = 0; i < relay->count; i++) {
        int found = 0;
        while (found < count && wants[found].fence != relay->lanes[i].fence)
            found++;
        if (found == count)
            relay_drop(relay, i);
    }
}

/* A GPU goes with all of its lanes; the one that trained has said so of itself. */
static int see_losses(struct relay *relay, struct error *error)
{
    for (int i = 0; i < relay->count; i++)
        if (!relay->lanes[i].fence && !relay->lanes[i].is_lost && relay_is_lost(relay, i) &&
            relay_lose(relay, i, "its device is lost", error))
            return -1;
    return 0;
}

/* No row of this worker, or it is gone: was it given up, or has the search ended? */
static int see_absence(struct relay *relay, struct error *error)
{
    if (db_query(relay->db, error, "SELECT 1 FROM espalier.search WHERE id = $1 AND NOT closed",
                 DB_INTEGER(relay->search->id)))
        return -1;
    relay->is_closed = !db_rows(relay->db);
    relay->worker = 0;
    drop_unwanted(relay, NULL, 0);
    if (!relay->is_closed)
        relay_say(relay, "was given up by the search: nothing was heard of it for too long; it enrols anew");
    return 0;
}

int relay_look(struct relay *relay, struct error *error)
{
    if (relay_beat(relay, error) || see_losses(relay, error) ||
        db_query(relay->db, error,
                 "SELECT s.paused, s.closed, t.fence, t.lane, t.cancel, t.verdict, t.goes_on FROM espalier.worker w"
                 " JOIN espalier.search s ON s.id = w.search LEFT JOIN espalier.trial t ON t.worker = w.id"
                 " AND t.state <> 'done' WHERE w.id = $1 AND NOT w.gone ORDER BY t.fence DESC",
                 DB_INTEGER(relay->worker)))
        return -1;
    int count = db_rows(relay->db), failed = 0;
    if (!count)
        return see_absence(relay, error);
    bool paused = db_bool(relay->db, 0, 0);
    relay->is_closed = db_bool(relay->db, 0, 1);
    if (paused != relay->paused)
        relay->local->kind->pause(relay->local, relay->paused = paused);
    struct want *wants = memory_new((size_t)count, sizeof *wants);
    for (int i = 0; i < count; i++)
        wants[i] = (struct want){db_integer(relay->db, i, 2), db_integer(relay->db, i, 3), db_bool(relay->db, i, 4),
                                 db_bool(relay->db, i, 6), (int)db_integer(relay->db, i, 5)};
    drop_unwanted(relay, wants, count);
    bool news = false;
    for (int i = 0; i < count && !failed && wants[i].fence; i++) {
        news |=
            slot_of(relay, wants[i].lane) >= 0 && relay->lanes[slot_of(relay, wants[i].lane)].fence != wants[i].fence;
        failed = follow(relay, &wants[i], error);
    }
    free(wants);
    if (news)
        relay->look_wait = LOOK_MIN;
    return failed;
}
