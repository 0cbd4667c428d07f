/*
 * fuzz_session.c - what is shown of any log that loads: exports, reports, and screens of any size after any keys.
 *
 * Nothing that is printed may have a control character, whatever the events hold.
 */
#include "config.h"

#include <stdio.h>

#include "cli/report.h"
#include "export/csv.h"
#include "export/dot.h"
#include "export/json.h"
#include "session_input.h"
#include "tui/overlay.h"
#include "tui/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static char *folder;

static void remove_folder(void)
{
    folder_remove(folder);
    free(folder);
}

static void check_exports(const struct session_state *state)
{
    static void (*const exports[])(const struct session_state *,
                                   struct text *) = {export_json, export_dot, export_csv_networks, export_csv_curves};
    for (size_t i = 0; i < sizeof exports / sizeof *exports; i++) {
        struct text text = TEXT_EMPTY;
        char *printed = NULL;
        size_t size = 0;
        exports[i](state, &text);
        FILE *out = open_memstream(&printed, &size);
        print_document(out, text_string(&text));
        fclose(out);
        assert_plain_lines(printed);
        free(printed);
        text_done(&text);
    }
}

static void check_reports(const struct session_state *state)
{
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    report_summary(out, state, folder);
    report_tree(out, state);
    report_best(out, state, 5);
    report_pareto(out, state);
    report_end(out, state, folder);
    for (int64_t node = 1; node <= state->node_count && node <= 8; node++)
        report_node(out, state, node);
    fclose(out);
    assert_plain_lines(printed);
    free(printed);
}

static void draw(struct model *model, struct overlay *overlay, struct random_stream *random, struct canvas *canvas)
{
    struct text text = TEXT_EMPTY;
    canvas->unicode = random_below(random, 4) != 0;
    canvas_reset(canvas, 1 + (int)random_below(random, 130), 1 + (int)random_below(random, 50));
    screen_draw(model, canvas);
    if (overlay)
        overlay_draw(overlay, model, canvas);
    canvas_print(canvas, &text);
    assert_plain_lines(text_string(&text));
    text_done(&text);
}

static struct overlay *open_overlay(struct model *model, struct random_stream *random)
{
    const struct session_node *node = session_node(model->state, model->selected);
    switch (node ? random_below(random, 4) : 4) {
    case 0:
        return overlay_widen(model, model->selected);
    case 1:
        return overlay_deepen(model, model->selected);
    case 2:
        return overlay_prune(model, model->selected);
    case 3:
        return overlay_prompt(PROMPT_NOTE, model->selected, node->note);
    default:
        return overlay_help();
    }
}

/* A key of a dialog, then the screen with it. */
static void try_overlay(struct model *model, struct random_stream *random, struct canvas *canvas)
{
    static const int keys[] = {'\t', '\r', ' ', 'w', '1', '9', '+', '-', KEY_CODE_UP, KEY_CODE_DOWN, 127};
    struct overlay *overlay = open_overlay(model, random);
    struct text words = TEXT_EMPTY;
    enum overlay_answer answer = OVERLAY_OPEN;
    for (int i = 0; overlay && i < 4 && answer == OVERLAY_OPEN; i++) {
        draw(model, overlay, random, canvas);
        answer = overlay_key(overlay, model, keys[random_below(random, sizeof keys / sizeof *keys)], &words);
    }
    text_done(&words);
    if (overlay)
        overlay_free(overlay);
}

static void press(struct model *model, struct random_stream *random, struct canvas *canvas)
{
    enum request request = (enum request)(1 + random_below(random, REQUEST_COUNT - 1));
    int width = canvas->width, height = canvas->height;
    switch (random_below(random, 6)) {
    case 0:
        screen_mouse(model, width, height, (int)random_below(random, 130), (int)random_below(random, 50),
                     (int)random_below(random, 3) - 1);
        return;
    case 1:
        screen_focus(model, (enum pane)random_below(random, PANE_COUNT), width, height);
        return;
    case 2:
        model->detail.open = !model->detail.open;
        return;
    case 3:
        try_overlay(model, random, canvas);
        return;
    default:
        screen_request(model, request, width, height);
    }
}

/* The events again, as screens see them. */
static void check_screens(uint64_t seed)
{
    struct random_stream random = random_stream_new(seed, RANDOM_TEST, 1, 0);
    struct log_reader *reader;
    struct event event;
    struct error error;
    struct model model;
    struct canvas canvas;
    ASSERT(!log_read(folder, &reader, &error));
    model_init(&model, (enum model_mode)(seed % 3), "any");
    canvas_init(&canvas, 80, 24, true);
    while (log_next(reader, &event, &error) == LOG_EVENT) {
        model_apply(&model, &event);
        event_done(&event);
    }
    if (model.state->node_count)
        tree_select(&model, 1 + random_below(&random, (uint32_t)model.state->node_count));
    for (int i = 0; i < 6; i++) {
        draw(&model, NULL, &random, &canvas);
        press(&model, &random, &canvas);
    }
    canvas_done(&canvas);
    model_done(&model);
    log_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct session_state *state;
    struct error error = {""}, warning;
    if (!folder) {
        folder = folder_new();
        atexit(remove_folder);
    }
    session_input_put(folder, bytes, length);
    if (session_load(folder, &state, &warning, &error)) {
        ASSERT(error.text[0]);
        return 0;
    }
    check_exports(state);
    check_reports(state);
    session_state_free(state);
    check_screens(hash_of(bytes, length).low);
    return 0;
}
