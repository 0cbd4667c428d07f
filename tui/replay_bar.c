/*
 * replay_bar.c - plays a recorded session by a clock of its own.
 *
 * Playing folds event by event, as live. Every other move seeks in the recording, which has keyframes, and gives the
 * model a copy of the state there. model->now is the clock; the recording's position follows it.
 */
#include "tui/replay_bar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessions/replay.h"
#include "tui/view.h"
#include "util/memory.h"

static const double slowest = 0.25, fastest = 1000;
enum { EVENTS_A_TICK = 20000, EVENTS_RECALLED = 400, DURABLE_RECALLED = 2000 };

/* Fill the log and the devices' histories with the last events before the position.  Most events are transient and have
   no line in the log: of the durable ones more are recalled. */
static void recall(struct replay *replay, struct model *model)
{
    struct event event;
    int64_t end = replay_position(replay), recent = end - EVENTS_RECALLED, first = end;
    for (int durable = 0; first > 1 && durable < DURABLE_RECALLED; first--)
        durable += replay_is_durable(replay, first);
    for (int64_t position = first > 1 ? first : 1; position <= end; position++)
        if ((position > recent || replay_is_durable(replay, position)) && !replay_event(replay, position, &event, NULL)) {
            model_recall(model, &event);
            event_done(&event);
        }
}

static void show_position(const struct tui_source *source, struct model *model)
{
    struct session_state *state = session_state_copy(replay_state(source->replay));
    model_replace(model, state);
    recall(source->replay, model);
    model->ended = replay_position(source->replay) == replay_count(source->replay);
}

/* Go to a position and set the clock to its event. */
static void seek(const struct tui_source *source, struct model *model, int64_t position)
{
    struct error error = {{0}};
    if (replay_seek(source->replay, position, &error))
        model_say(model, "%s", error.text);
    show_position(source, model);
    model->now = replay_time(source->replay, replay_position(source->replay));
}

static void seek_time(const struct tui_source *source, struct model *model, double time)
{
    time = time < 0 ? 0 : time > model->replay.length ? model->replay.length : time;
    seek(source, model, replay_position_at(source->replay, time));
    model->now = time;
}

/* The bar's marks. A position with several gets the rarest. */
static void find_marks(const struct replay *replay, struct replay_bar *bar)
{
    size_t capacity = 0;
    for (int64_t position = 1; position <= replay_count(replay); position++) {
        unsigned marks = replay_marks(replay, position);
        if (!marks)
            continue;
        bar->marks = memory_grow(bar->marks, (size_t)bar->mark_count, &capacity, sizeof *bar->marks);
        bar->marks[bar->mark_count++] =
            (struct replay_bar_mark){replay_time(replay, position), marks & REPLAY_USER      ? STYLE_USER
                                                                    : marks & REPLAY_FAILURE ? STYLE_FAILED
                                                                                             : STYLE_BEST};
    }
}

void replay_bar_start(const struct tui_source *source, struct model *model)
{
    model->replay.event_total = replay_count(source->replay);
    model->replay.length = replay_time(source->replay, model->replay.event_total);
    model->replay.speed = source->speed;
    model->replay.playing = true;
    find_marks(source->replay, &model->replay);
    seek_time(source, model, source->from);
    if (model->state->node_count == 0) /* begin with the first network on the screen */
        seek(source, model, replay_position_at(source->replay, 0));
}

static bool jump(const struct tui_source *source, struct model *model, int64_t position, const char *what)
{
    if (position < 0)
        model_say(model, "no %s there", what);
    else
        seek(source, model, position);
    model->replay.playing = model->replay.playing && position < 0;
    return true;
}

static void change_speed(struct model *model, double factor)
{
    double speed = model->replay.speed * factor;
    model->replay.speed = speed < slowest ? slowest : speed > fastest ? fastest : speed;
}

bool replay_bar_request(const struct tui_source *source, struct model *model, enum request request)
{
    struct replay *replay = source->replay;
    switch (request) {
    case REQUEST_PAUSE:
        if (!model->replay.playing && model->ended)
            seek_time(source, model, 0);
        model->replay.playing = !model->replay.playing;
        return true;
    case REQUEST_SLOWER:
        change_speed(model, 0.5);
        return true;
    case REQUEST_FASTER:
        change_speed(model, 2);
        return true;
    case REQUEST_BACK:
        seek_time(source, model, model->now - model->replay.length / 20);
        return true;
    case REQUEST_ON:
        seek_time(source, model, model->now + model->replay.length / 20);
        return true;
    case REQUEST_STEP:
        return jump(source, model, replay_position(replay) < replay_count(replay) ? replay_position(replay) + 1 : -1,
                    "event");
    case REQUEST_STEP_BACK:
        return jump(source, model, replay_position(replay) > 1 ? replay_position(replay) - 1 : -1, "event");
    case REQUEST_NEXT_BEST:
        return jump(source, model, replay_next(replay, REPLAY_BEST), "new best");
    case REQUEST_PREVIOUS_BEST:
        return jump(source, model, replay_previous(replay, REPLAY_BEST), "new best");
    case REQUEST_NEXT_FAILURE:
        return jump(source, model, replay_next(replay, REPLAY_FAILURE), "failure");
    case REQUEST_NEXT_USER:
        return jump(source, model, replay_next(replay, REPLAY_USER), "action of a person");
    default:
        return false;
    }
}

bool replay_bar_command(const struct tui_source *source, struct model *model, const char *words)
{
    double place;
    if (strncmp(words, "goto ", 5))
        return false;
    if (text_to_place(words + 5, model->replay.length, &place))
        model_say(model, "%s: goto takes a share (50%%) or a time (90, 1h02m)", words);
    else
        seek_time(source, model, place);
    return true;
}

void replay_bar_click(const struct tui_source *source, struct model *model, struct area bar, int x)
{
    struct area line = bars_replay_line(model, bar);
    if (line.width > 1)
        seek_time(source, model, model->replay.length * (x - line.x) / (line.width - 1));
}

/* The session's time after `passed` seconds of the person's. A wait that would last longer than source->compress is
   shortened to that. */
static double advance(const struct tui_source *source, const struct model *model, double passed)
{
    double now = model->now, begin, end;
    if (source->compress <= 0)
        return now + passed * model->replay.speed;
    while (passed > 0 && now < model->replay.length) {
        replay_wait(source->replay, replay_position_at(source->replay, now), &begin, &end);
        double rate = fmax(model->replay.speed, (end - begin) / source->compress);
        if (end <= now || passed * rate < end - now)
            return now + passed * rate;
        passed -= (end - now) / rate;
        now = end;
    }
    return now;
}

bool replay_bar_tick(const struct tui_source *source, struct model *model, double monotonic)
{
    double passed = model->replay.ticked > 0 ? monotonic - model->replay.ticked : 0;
    struct event event;
    struct error error = {{0}};
    model->replay.ticked = monotonic;
    if (!model->replay.playing)
        return false;
    model->now = advance(source, model, passed);
    model->now = model->now > model->replay.length ? model->replay.length : model->now;
    int64_t target = replay_position_at(source->replay, model->now);
    if (target - replay_position(source->replay) > EVENTS_A_TICK) {
        double now = model->now;
        seek(source, model, target);
        model->now = now;
    }
    while (replay_position(source->replay) < target && replay_step(source->replay, &event, &error) == LOG_EVENT) {
        model_apply(model, &event);
        event_done(&event);
    }
    if (*error.text)
        model_say(model, "%s", error.text);
    model->ended = replay_position(source->replay) == replay_count(source->replay);
    model->replay.playing = model->replay.playing && !model->ended && !*error.text;
    return true;
}
