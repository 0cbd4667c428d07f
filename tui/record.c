/* record.c - the model and the replay bar of the screens, with a clock that goes on by one frame at a time. */
#include "tui/record.h"

#include <string.h>

#include "tui/cast.h"
#include "tui/replay_bar.h"
#include "tui/screenshot.h"
#include "tui/view.h"
#include "util/file.h"

enum { FRAMES_A_SECOND = 10 };

struct recording {
    const struct tui_source *source;
    const char *theme;
    bool mono;
    struct model model;
    struct canvas canvas;
};

static void open_recording(struct recording *recording, const struct tui_source *source,
                           const struct record_options *options)
{
    recording->source = source;
    recording->theme = options->look.theme ? options->look.theme : "dark";
    recording->mono = options->look.mono || !strcmp(recording->theme, "mono");
    model_init(&recording->model, MODE_REPLAY, source->session_name);
    canvas_init(&recording->canvas, options->width, options->height, !options->look.ascii);
    recording->canvas.mono = recording->mono;
    if (options->pane >= 0)
        recording->model.focus = (enum pane)options->pane;
    recording->model.zoomed = options->pane >= 0;
    replay_bar_start(source, &recording->model);
}

static void close_recording(struct recording *recording)
{
    model_done(&recording->model);
    canvas_done(&recording->canvas);
}

static void draw(struct recording *recording)
{
    canvas_reset(&recording->canvas, recording->canvas.width, recording->canvas.height);
    screen_draw(&recording->model, &recording->canvas);
}

int record_cast(const struct tui_source *source, const struct record_options *options, const char *path,
                double *seconds, struct error *error)
{
    struct recording recording;
    struct text file = TEXT_EMPTY;
    open_recording(&recording, source, options);
    struct cast *cast = cast_new(options->width, options->height, recording.theme, recording.mono);
    *seconds = 0;
    for (int64_t frame = 0;; frame++) {
        *seconds = (double)frame / FRAMES_A_SECOND;
        replay_bar_tick(source, &recording.model, 1 + *seconds); /* its clock begins above 0 */
        draw(&recording);
        cast_add(cast, &recording.canvas, *seconds);
        if (!recording.model.replay.playing)
            break;
    }
    cast_print(cast, source->session_name, *seconds, &file);
    int status = recording.model.ended ? file_write(path, text_string(&file), file.length, error)
                                       : error_set(error, "%s", recording.model.message);
    text_done(&file);
    cast_free(cast);
    close_recording(&recording);
    return status;
}

int record_png(const struct tui_source *source, const struct record_options *options, const char *path,
               struct error *error)
{
    struct recording recording;
    open_recording(&recording, source, options);
    recording.model.replay.playing = false;
    draw(&recording);
    int status = *recording.model.message /* the moment can't be read */
                     ? error_set(error, "%s", recording.model.message)
                     : screenshot_write(&recording.canvas, recording.theme, recording.mono, options->font, path, error);
    close_recording(&recording);
    return status;
}
