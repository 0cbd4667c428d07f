/*
 * view_mistakes.c - what the selected network gets wrong on the validation images, over all panes: classes with the
 * confusion matrix, the worst images as pictures, and samples of the training images with their augmentation.
 *
 * The evaluation is somebody else's (mistakes.h); here is only drawn what there is of it. A picture has two pixels in a
 * cell, one above the other, and is scaled down to let at least three stand side by side.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tui/node.h"
#include "tui/view.h"

static const char *const page_names[MISTAKES_PAGES] = {"Classes", "Worst images", "Samples"};

enum { HEAD = 3 }; /* lines of the summary, the pages' names, and a blank one */

static struct area inside_of(struct area area)
{
    return area_part(area, 1, 1, area.width - 2, area.height - 2);
}

static struct area body_of(struct area inside)
{
    return area_part(inside, 1, HEAD, inside.width - 2, inside.height - HEAD);
}

static const struct mistakes *known(const struct model *model)
{
    const struct mistakes *found = model->mistakes.found;
    return found && found->state == MISTAKES_KNOWN ? found : NULL;
}

/* --- classes --- */

enum { CLASS_NAME = 14, CLASS_SHARE = 9, MATRIX_CELL = 5, MATRIX_CELL_LEAST = 4 };

/* Columns of a cell of the matrix; 0: it has no room. */
static int cell_width(const struct mistakes *mistakes, int width)
{
    int cell = (width - CLASS_NAME - CLASS_SHARE) / mistakes->classes;
    return cell < MATRIX_CELL_LEAST ? 0 : cell > MATRIX_CELL + 1 ? MATRIX_CELL + 1 : cell;
}

static int taken_for(const struct mistakes *mistakes, int class, int taken)
{
    return mistakes->confusion[(size_t) class * (size_t)mistakes->classes + (size_t)taken];
}

/* Wrong ones stand out by their share of the class. */
static enum style cell_style(const struct mistakes *mistakes, int class, int taken)
{
    int count = taken_for(mistakes, class, taken), all = mistakes_in_class(mistakes, class);
    return class == taken ? STYLE_GAIN : count * 10 >= all ? STYLE_LOSS : count * 30 >= all ? STYLE_WARNING : STYLE_DIM;
}

static int draw_share(const struct mistakes *mistakes, int class, struct canvas *canvas, struct area area, int y)
{
    int count = mistakes_in_class(mistakes, class);
    canvas_text(canvas, area_part(area, 0, 0, CLASS_NAME - 1, area.height), 0, y, STYLE_NORMAL, "%s",
                mistakes_class(mistakes, class));
    if (count)
        canvas_text(canvas, area, CLASS_NAME, y, STYLE_BOLD, "%6.2f%%",
                    100.0 * taken_for(mistakes, class, class) / count);
    return CLASS_NAME + CLASS_SHARE;
}

static void draw_matrix_row(const struct mistakes *mistakes, int class, int cell, struct canvas *canvas,
                            struct area area, int y)
{
    int x = draw_share(mistakes, class, canvas, area, y);
    for (int taken = 0; taken < mistakes->classes; taken++, x += cell) {
        int count = taken_for(mistakes, class, taken);
        if (count)
            canvas_text(canvas, area, x, y, cell_style(mistakes, class, taken), "%*d", cell - 1, count);
        else
            canvas_glyph(canvas, area, x + cell - 2, y, L'·', STYLE_DIM);
    }
}

/* The class that it was most often taken for, of those with fewer than `below` images or the same number and a later
   place than `after`; -1: none. */
static int next_taken(const struct mistakes *mistakes, int class, int below, int after)
{
    int found = -1;
    for (int taken = 0; taken < mistakes->classes; taken++) {
        int count = taken_for(mistakes, class, taken);
        bool later = count < below || (count == below && taken > after);
        if (taken != class && count && later && (found < 0 || count > taken_for(mistakes, class, found)))
            found = taken;
    }
    return found;
}

/* "  shirt 31, coat 12, dress 4": as many as have room. */
static void draw_taken(const struct mistakes *mistakes, int class, struct canvas *canvas, struct area area, int y)
{
    int x = draw_share(mistakes, class, canvas, area, y), below = INT_MAX, taken = -1;
    while ((taken = next_taken(mistakes, class, below, taken)) >= 0) {
        char text[80];
        below = taken_for(mistakes, class, taken);
        snprintf(text, sizeof text, "%.60s %d", mistakes_class(mistakes, taken), below);
        if (x + canvas_columns(text) > area.width)
            return;
        x = canvas_text(canvas, area, x, y, cell_style(mistakes, class, taken), "%s", text) + 2;
    }
}

static void draw_classes(const struct model *model, const struct mistakes *mistakes, struct canvas *canvas,
                         struct area body)
{
    int cell = cell_width(mistakes, body.width);
    canvas_text(canvas, body, 0, 0, STYLE_DIM, "class");
    canvas_text(canvas, body, CLASS_NAME + 2, 0, STYLE_DIM, "right");
    for (int taken = 0; cell && taken < mistakes->classes; taken++)
        canvas_text(canvas, body, CLASS_NAME + CLASS_SHARE + taken * cell, 0, STYLE_DIM, "%*.*s", cell - 1, cell - 1,
                    mistakes_class(mistakes, taken));
    if (!cell)
        canvas_text(canvas, body, CLASS_NAME + CLASS_SHARE, 0, STYLE_DIM, "taken for, and how many");
    struct area rows = area_part(body, 0, 1, body.width, body.height - 1);
    for (int y = 0; y < rows.height && model->mistakes.top + y < mistakes->classes; y++) {
        int class = model->mistakes.top + y;
        if (cell)
            draw_matrix_row(mistakes, class, cell, canvas, rows, y);
        else
            draw_taken(mistakes, class, canvas, rows, y);
    }
    if (cell && rows.height > mistakes->classes + 1)
        canvas_text(canvas, rows, 0, mistakes->classes + 1, STYLE_DIM,
                    "a row is a class, its columns say what its images were taken for");
}

/* --- pictures --- */

struct tiles {
    int width, height; /* of a picture, in pixels on the screen */
    int across, lines; /* tiles in a row; lines of one */
    int columns;       /* of one */
    int count, rows;   /* tiles, and rows of them */
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Variants of a sample stay in one row where there is room. */
static struct tiles tiles_of(const struct mistakes *mistakes, enum mistakes_page page, struct area body)
{
    enum { CAPTION = 14, APART = 2, SIDE_BY_SIDE = 3 };
    bool worst = page == MISTAKES_WORST, variants = !worst && mistakes->augmented;
    int captions = worst ? 2 : 1, beside = variants ? MISTAKES_VARIANTS : SIDE_BY_SIDE;
    int side = least(least(MISTAKES_SIDE_MAX,
                           mistakes->size.width > mistakes->size.height ? mistakes->size.width : mistakes->size.height),
                     least(body.width / beside - APART, 2 * (body.height - captions)));
    struct tiles tiles = {.count = worst ? mistakes->worst_count : mistakes->sample_count};
    side = side < 1 ? 1 : side > 2 ? side - side % 2 : side; /* whole cells */
    double scale =
        (double)side / (mistakes->size.width > mistakes->size.height ? mistakes->size.width : mistakes->size.height);
    tiles.width = (int)(mistakes->size.width * scale + 0.5);
    tiles.height = (int)(mistakes->size.height * scale + 0.5);
    tiles.width = tiles.width < 1 ? 1 : tiles.width;
    tiles.height = tiles.height < 1 ? 1 : tiles.height;
    tiles.columns = (tiles.width > CAPTION ? tiles.width : CAPTION) + APART;
    tiles.across = body.width / tiles.columns < 1 ? 1 : body.width / tiles.columns;
    if (variants && tiles.across >= MISTAKES_VARIANTS)
        tiles.across -= tiles.across % MISTAKES_VARIANTS;
    tiles.lines = (tiles.height + 1) / 2 + captions + (body.height >= 30);
    tiles.rows = (tiles.count + tiles.across - 1) / tiles.across;
    return tiles;
}

/* The mean of the pixels that one pixel on the screen stands for. */
static void scaled_pixel(const struct mistakes *mistakes, const struct mistakes_image *image, const struct tiles *tiles,
                         int x, int y, uint8_t pixel[3])
{
    int left = x * mistakes->size.width / tiles->width, right = (x + 1) * mistakes->size.width / tiles->width;
    int top = y * mistakes->size.height / tiles->height, bottom = (y + 1) * mistakes->size.height / tiles->height;
    int sums[3] = {0}, count = 0;
    memset(pixel, 0, 3);
    if (y >= tiles->height)
        return;
    for (int from_y = top; from_y < bottom || from_y == top; from_y++)
        for (int from_x = left; from_x < right || from_x == left; from_x++, count++)
            for (int i = 0; i < 3; i++)
                sums[i] += image->pixels[3 * (from_y * mistakes->size.width + from_x) + i];
    for (int i = 0; i < 3; i++)
        pixel[i] = (uint8_t)(sums[i] / count);
}

static void draw_picture(const struct mistakes *mistakes, const struct mistakes_image *image, const struct tiles *tiles,
                         struct canvas *canvas, struct area area)
{
    uint8_t upper[3], lower[3];
    for (int y = 0; 2 * y < tiles->height; y++)
        for (int x = 0; x < tiles->width; x++) {
            scaled_pixel(mistakes, image, tiles, x, 2 * y, upper);
            scaled_pixel(mistakes, image, tiles, x, 2 * y + 1, lower);
            canvas_pixels(canvas, area, x, y, upper, lower);
        }
}

static void draw_captions(const struct mistakes *mistakes, enum mistakes_page page, int index, struct canvas *canvas,
                          struct area area, int y)
{
    const struct mistakes_image *image = page == MISTAKES_WORST ? &mistakes->worst[index] : &mistakes->samples[index];
    if (page == MISTAKES_SAMPLES && mistakes->augmented && index % MISTAKES_VARIANTS) {
        canvas_text(canvas, area, 0, y, STYLE_DIM, "augmented");
        return;
    }
    canvas_text(canvas, area, 0, y, STYLE_NORMAL, "%s", mistakes_class(mistakes, image->label));
    if (page != MISTAKES_WORST)
        return;
    char share[16];
    snprintf(share, sizeof share, " %.0f%%", 100 * image->probability);
    int x = canvas_text(canvas, area_part(area, 0, 0, area.width - (int)strlen(share), area.height), 0, y + 1,
                        STYLE_LOSS, "→ %s", mistakes_class(mistakes, image->prediction));
    canvas_text(canvas, area, x, y + 1, STYLE_DIM, "%s", share);
}

static void draw_tiles(const struct model *model, const struct mistakes *mistakes, struct canvas *canvas,
                       struct area body)
{
    enum mistakes_page page = model->mistakes.page;
    struct tiles tiles = tiles_of(mistakes, page, body);
    if (!tiles.count)
        canvas_text(canvas, body, 0, 0, STYLE_GAIN,
                    page == MISTAKES_WORST ? "it gets every image right" : "there are no images");
    for (int row = 0; (row + 1) * tiles.lines <= body.height || !row; row++)
        for (int column = 0; column < tiles.across; column++) {
            int index = (model->mistakes.top + row) * tiles.across + column;
            struct area area =
                area_part(body, column * tiles.columns, row * tiles.lines, tiles.columns - 1, tiles.lines);
            if (index >= tiles.count)
                return;
            draw_picture(mistakes, page == MISTAKES_WORST ? &mistakes->worst[index] : &mistakes->samples[index], &tiles,
                         canvas, area);
            draw_captions(mistakes, page, index, canvas, area, (tiles.height + 1) / 2);
        }
}

/* --- the whole --- */

/* What is said in place of a page. */
static void draw_waiting(const struct model *model, struct canvas *canvas, struct area inside)
{
    const struct mistakes *found = model->mistakes.found;
    if (!found) {
        canvas_text(canvas, inside, 1, 0, STYLE_DIM, "networks can't be evaluated here");
    } else if (found->state == MISTAKES_EVALUATING) {
        int x = canvas_text(canvas, inside, 1, 0, STYLE_RUNNING, "evaluating on the validation images");
        canvas_meter(canvas, inside, x + 2, 0, 20, found->done, STYLE_RUNNING);
        canvas_words(canvas, area_part(inside, 1, 2, inside.width - 2, inside.height - 2), 0, STYLE_DIM,
                     "on one core, at a low priority: the search goes on");
    } else {
        struct area below = area_part(inside, 1, 2, inside.width - 2, inside.height - 2);
        canvas_text(canvas, inside, 1, 0, STYLE_WARNING, "n%lld can't be evaluated", (long long)model->selected);
        int y = canvas_words(canvas, below, 0, STYLE_NORMAL, found->message);
        if (model->mode == MODE_ATTACHED)
            canvas_words(canvas, below, y + 1, STYLE_DIM,
                         "attached: its images and weights are read on this machine, not where the search runs");
    }
}

static void draw_head(const struct model *model, const struct mistakes *mistakes, struct canvas *canvas,
                      struct area inside)
{
    int wrong = mistakes->count - mistakes->correct, x = 1;
    canvas_text(canvas, inside, 1, 0, STYLE_NORMAL, "%.2f%% of %d validation images right, %d wrong, loss %.4f",
                mistakes->count ? 100.0 * mistakes->correct / mistakes->count : 0, mistakes->count, wrong,
                mistakes->loss);
    for (int page = 0; page < MISTAKES_PAGES; page++) {
        bool here = page == (int)model->mistakes.page;
        x = canvas_text(canvas, inside, x, 1, here ? STYLE_FOCUS : STYLE_DIM, here ? "[%s]" : " %s ",
                        page_names[page]) +
            1;
    }
    if (model->mistakes.page == MISTAKES_SAMPLES)
        canvas_text(canvas, inside, x + 1, 1, STYLE_DIM, "%s",
                    mistakes->augmented ? "training images, as augmented" : "training images, not augmented");
}

/* How many lines or rows there are, and how many of them fit. */
static void extent(const struct mistakes *mistakes, enum mistakes_page page, struct area body, int *count, int *fit)
{
    struct tiles tiles = tiles_of(mistakes, page, body);
    *count = page == MISTAKES_CLASSES ? mistakes->classes : tiles.rows;
    *fit = page == MISTAKES_CLASSES ? body.height - 1 : body.height / tiles.lines;
    *fit = *fit < 1 ? 1 : *fit;
}

void mistakes_settle(struct model *model, struct area area)
{
    int count = 0, fit = 0;
    const struct mistakes *mistakes = known(model);
    if (mistakes)
        extent(mistakes, model->mistakes.page, body_of(inside_of(area)), &count, &fit);
    scroll_settle(&model->mistakes.top, count - fit);
}

void mistakes_draw(const struct model *model, struct canvas *canvas, struct area area)
{
    const struct mistakes *mistakes = known(model);
    char title[64];
    int count, fit;
    snprintf(title, sizeof title, " What n%lld gets wrong ", (long long)model->selected);
    canvas_box(canvas, area, title, STYLE_FOCUS);
    struct area inside = inside_of(area), body = body_of(inside);
    if (!mistakes) {
        draw_waiting(model, canvas, inside);
        return;
    }
    draw_head(model, mistakes, canvas, inside);
    if (body.width < 1 || body.height < 1)
        return;
    if (model->mistakes.page == MISTAKES_CLASSES)
        draw_classes(model, mistakes, canvas, body);
    else
        draw_tiles(model, mistakes, canvas, body);
    extent(mistakes, model->mistakes.page, body, &count, &fit);
    if (count > fit)
        canvas_text_right(canvas, area_part(area, 1, area.height - 1, inside.width, 1), 1, 0, 0, STYLE_DIM,
                          " %d of %d, ↑↓ scroll ", least(model->mistakes.top + fit, count), count);
}

static void turn_page(struct model *model, int step)
{
    model->mistakes.page = (enum mistakes_page)(((int)model->mistakes.page + MISTAKES_PAGES + step) % MISTAKES_PAGES);
    model->mistakes.top = 0;
}

bool mistakes_request(struct model *model, enum request request, int height)
{
    enum { AROUND = 12 }; /* a page is about what is seen of the classes */
    if (scroll_request(&model->mistakes.top, request, model->mistakes.page == MISTAKES_CLASSES ? height - AROUND : 3)) {
        scroll_settle(&model->mistakes.top, INT_MAX); /* the last line is found when it is drawn */
        return true;
    }
    switch (request) {
    case REQUEST_MISTAKES:
    case REQUEST_CANCEL:
        model->mistakes.open = !model->mistakes.open && model->selected;
        model->mistakes.top = 0;
        model->mistakes.found = NULL;
        if (model->mistakes.open)
            model->follow = false; /* the network stays the one that was asked for */
        return true;
    case REQUEST_LEFT:
    case REQUEST_RIGHT:
    case REQUEST_NEXT_PANE:
    case REQUEST_PREVIOUS_PANE:
        turn_page(model, request == REQUEST_LEFT || request == REQUEST_PREVIOUS_PANE ? -1 : 1);
        return true;
    case REQUEST_OPEN:
    case REQUEST_ZOOM:
    case REQUEST_FOLD_ALL:
    case REQUEST_UNFOLD_ALL:
    case REQUEST_FIND_NEXT:
    case REQUEST_FIND_PREVIOUS:
        return true; /* of what lies behind it */
    default:
        return false;
    }
}
