/*
 * overlay_help.c - the help page: requests with their keys, the fixed keys, and what the signs in the tree mean.
 *
 * Long lines are wrapped, so the page's length depends on its width.
 */
#include "tui/overlay_kind.h"
#include "tui/view.h"
#include "util/bug.h"
#include "util/memory.h"

struct help {
    struct overlay overlay;
    int top, height; /* first line shown, number of lines shown when it was drawn last */
};

struct entry {
    const char *sign, *meaning;
};

static const struct entry fixed_keys[] = {
    {"1 to 9", "go to that pane; one that has no room beside the others has the whole screen"},
    {"C-c", "leave, whatever is open"},
};

static const struct entry signs[] = {
    {"*", "in training"},
    {"·", "queued"},
    {"✓", "trained"},
    {"~", "stopped early: it fell behind"},
    {"✗", "failed"},
    {"-", "cancelled"},
    {"★", "the best"},
    {"/acc>92", "numbers that `/` compares: acc, gain, loss, params, flops, epochs, seconds, speed, n, children"},
    {"/by:you", "names that it knows: by:, layer:, is:, arch:, note:, from: (that network, directly or not)"},
    {"P", "pinned: networks grow from pinned ones only"},
    {"pruned", "given up by a person, with all that grew from it, which is dim; u takes it back"},
    {"you", "asked for by a person"},
    {"◆", "marked for comparison; on replay's bar: a person's action"},
    {"✎", "has a note"},
    {"×3", "proposed three times, trained once"},
    {"(12)", "so many are folded away below"},
    {"▾ under ▾", "an only child stands under its parent, not further in"},
    {"W conv2 8→12", "conv2 was widened from 8 to 12 units"},
    {"D conv2 +3×3", "a layer was inserted behind conv2"},
    {"N conv2 12→8", "conv2 was narrowed: this changes what the network computes"},
    {"R conv2", "conv2 was taken out"},
    {"K conv2 3→5", "conv2 got a larger kernel"},
    {"S mobile2 +se", "mobile2 got channel gates (se)"},
    {"W c1-3 f1", "short for: conv1, conv2, conv3 and fc1 were widened"},
    {"4W 1D", "shorter still: four were widened and one inserted"},
};

static const struct entry panes[] = {
    {"Leaderboard",
     "val: accuracy; gain: over the control or parent; size: parameters; FLOP: of an image; img/s: in training"},
    {"7 dots",
     "trained networks, dim: controls; arrows: the nearest one, Page keys: along the front, a click: the nearest"},
    {"7 line", "the front: no other network is both better and smaller; ┊ is a limit of the search; o: another axis"},
    {"9", "the best so far, the mean of the last twenty (or of a twentieth of all), and how many have that accuracy"},
    {"weights", "Enter, its layers: norm of all that is trained; gradient: of the loss, over a batch after training"},
    {"dead", "share of the layer's ReLUs that are 0 for the whole batch"},
    {"fresh", "how much the units that the last widening added are used, over those before; 1: alike, 0: not at all"},
    {"=", "a layer stands beside what it was in the last common ancestor; -: the other network hasn't got it"},
    {"v Classes", "a row is a class, right is its accuracy, the columns say what its images were taken for"},
    {"v pictures", "the class, and what it was taken for with which probability; the largest loss first"},
};

static int draw_entry(struct canvas *canvas, struct area area, int y, const char *sign, const char *meaning)
{
    enum { SIGN = 13 };
    int under = canvas_words(canvas, area_part(area, 1, 0, SIGN, area.height), y, STYLE_KEY, sign);
    int below = canvas_words(canvas, area_part(area, SIGN + 2, 0, area.width - SIGN - 2, area.height), y, STYLE_NORMAL,
                             meaning);
    return under > below ? under : below;
}

static int draw_entries(struct canvas *canvas, struct area area, int y, const struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y = draw_entry(canvas, area, y, entries[i].sign, entries[i].meaning);
    return y;
}

/* What stands in each pane, by its columns and words. A pane without a list has only the signs below. */
enum { WORDS_MAX = 9 };
static const struct entry words_of[PANE_COUNT][WORDS_MAX] = {
    [PANE_TREE] = {{"val", "accuracy on the validation images, in %"},
                   {"gain", "accuracy over its control's, which trains on without an action, or over its parent's"},
                   {"size FLOP", "parameters, and FLOPs an image"},
                   {"curve", "its accuracy, epoch by epoch; while it trains: how far it is"},
                   {"ended", "how long ago; while it trains: where"}},
    [PANE_NETWORK] = {{"columns", "its layers from the input on, as high as they are wide; P and A are pools"},
                      {"green yellow", "a new layer, a wider layer"},
                      {"params FLOPs",
                       "parameters, FLOPs and bytes of activations an image, images it trains a second"},
                      {"val train", "accuracy on the images that it is judged by, and on those that it learns from"}},
    [PANE_CURVES] = {{"━", "accuracy on the validation images, epoch by epoch: this network, its parent, others"},
                     {"┄ train data", "accuracy on the images that it learns from"},
                     {"y", "the other scale: 1 - accuracy, on a logarithmic axis"}},
    [PANE_DEVICES] = {{"bar, %", "how busy the device is"},
                      {"GiB", "memory in use, and all"},
                      {"n38 7/8", "which network trains there, at which of its epochs"},
                      {"k/s", "images that it trains a second"}},
    [PANE_CONTROLLER] = {{"update", "how often the policy has learned; it does after each episode"},
                         {"reward", "what it learns from: tan(accuracy · π/2); baseline: what it expected"},
                         {"mean best", "accuracy of the networks of each episode"},
                         {"entropy", "how undecided it is; near 0 it always proposes the same"},
                         {"decision", "its last proposal, with the probability of each action"},
                         {"collapsed", "entropy below 0.1 nats, or four of five proposals alike: it tries nothing new"},
                         {"a ░▒▓█", "the map: how many of an episode's proposals have that action at that layer"},
                         {"gain nets", "of the trained networks that it was a part of: the mean over their control or "
                                       "parent, and how many they are"}},
    [PANE_LOG] = {{"best done", "a network is trained; it is the best so far"},
                  {"stop fail", "stopped early; failed, with the reason"},
                  {"policy", "the policy has learned from an episode"},
                  {"you person", "asked at this terminal; at another one, or before"}},
    [PANE_TRADE] = {{"dot", "a trained network: accuracy over parameters, on a logarithmic axis"},
                    {"line", "the front: no other network is both smaller and better"}},
    [PANE_QUEUE] = {{"*", "in training; a number: its place in the queue"},
                    {"you policy", "who asked for it"},
                    {"left in", "until it ends; until it starts"}},
};

/* Ranges of the table of requests. */
static const struct section {
    const char *title;
    enum request first, last;
} sections[] = {
    {"Steer the search", REQUEST_PAUSE, REQUEST_PALETTE}, {NULL, 0, 0}, /* the pane at hand */
    {"Find and look", REQUEST_OPEN, REQUEST_SCALE},       {"Go", REQUEST_NEXT_PANE, REQUEST_LAST},
    {"Replay", REQUEST_SLOWER, REQUEST_SCREENS - 1},      {"Screen", REQUEST_FREEZE, REQUEST_SUSPEND},
};

static int draw_pane(const struct model *model, struct canvas *canvas, struct area area, int y)
{
    static const char *const titles[PANE_COUNT] = {
#define HELP_PANE(name, key, title) [PANE_##name] = title,
        LAYOUT_PANES(HELP_PANE)
#undef HELP_PANE
    };
    size_t count = 0;
    while (count < WORDS_MAX && words_of[model->focus][count].sign)
        count++;
    if (!count)
        return y;
    canvas_text(canvas, area, 1, y + 1, STYLE_TITLE, "In this pane: %s", titles[model->focus]);
    return draw_entries(canvas, area, y + 2, words_of[model->focus], count);
}

static int draw_section(const struct section *section, struct canvas *canvas, struct area area, int y)
{
    canvas_text(canvas, area, 1, y + 1, STYLE_TITLE, "%s", section->title);
    y += 2;
    for (enum request request = section->first; request <= section->last; request++)
        y = draw_entry(canvas, area, y, request_keys(request), request_row(request)->help);
    return y;
}

/* Draw the page with its first line in row `y`; returns the row after its last.  A recording can't be steered: its own
   keys come first. */
static int draw_page(const struct model *model, struct canvas *canvas, struct area area, int y)
{
    const struct section *replay = &sections[4];
    bool recording = model->mode == MODE_REPLAY;
    y = draw_entry(canvas, area, y, request_keys(REQUEST_HELP), request_row(REQUEST_HELP)->help);
    y = draw_entry(canvas, area, y, request_keys(REQUEST_QUIT), request_row(REQUEST_QUIT)->help);
    if (recording)
        y = draw_section(replay, canvas, area, y);
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        if (!sections[i].title)
            y = draw_pane(model, canvas, area, y);
        else if (!recording || &sections[i] != replay)
            y = draw_section(&sections[i], canvas, area, y);
    y = draw_entries(canvas, area, y, fixed_keys, COUNT_OF(fixed_keys));
    canvas_text(canvas, area, 1, y + 1, STYLE_TITLE, "Signs");
    y = draw_entries(canvas, area, y + 2, signs, COUNT_OF(signs));
    canvas_text(canvas, area, 1, y + 1, STYLE_TITLE, "Panes");
    return draw_entries(canvas, area, y + 2, panes, COUNT_OF(panes));
}

static void draw_help(struct overlay *overlay, const struct model *model, struct canvas *canvas)
{
    struct help *help = (struct help *)overlay;
    enum { WIDTH = 78 };
    int width = (WIDTH < canvas->width ? WIDTH : canvas->width) - 2;
    int lines = draw_page(model, canvas, (struct area){.width = width}, 0);
    struct area inside = overlay_box(canvas, WIDTH, lines + 2, " Keys and signs ─ ↑↓ scroll, Escape closes ");
    help->height = inside.height;
    scroll_settle(&help->top, lines - inside.height);
    draw_page(model, canvas, inside, -help->top);
}

static enum overlay_answer key_help(struct overlay *overlay, struct model *model, int key, struct text *words)
{
    struct help *help = (struct help *)overlay;
    return scroll_request(&help->top, request_of_key(key), help->height) ? OVERLAY_OPEN : OVERLAY_CLOSED;
}

struct overlay *overlay_help(void)
{
    static const struct overlay_kind kind = {.draw = draw_help, .key = key_help};
    struct help *help = memory_new(1, sizeof *help);
    help->overlay.kind = &kind;
    help->height = 10; /* in case a key comes before it is drawn */
    return &help->overlay;
}
