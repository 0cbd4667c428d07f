/*
 * plot.c - a small canvas of characters: the vertical axis spans the values; a column is a place on the horizontal
 * axis.
 */
#include "compare/plot.h"

#include <math.h>
#include <string.h>

#include "util/print.h"
#include "util/round.h"

enum { PLOT_HEIGHT = 10, PLOT_WIDTH = 60 };
/* The mark of a cell: one of these, or a letter. */
enum { MARK_NONE = 0, MARK_TRAIN = '.', MARK_VALIDATION = '*', MARK_SEVERAL = '*' };

struct text_plot {
    char marks[PLOT_HEIGHT][PLOT_WIDTH];
    double low, high;
};

static const char *glyph_of(char mark, bool unicode, char letter[2])
{
    if (mark == MARK_TRAIN && unicode)
        return "·";
    if (mark == MARK_VALIDATION && unicode)
        return "●";
    letter[0] = mark ? mark : ' ';
    letter[1] = '\0';
    return letter;
}

/* What is not known, or can't be an accuracy, is a gap. */
static bool is_drawn(double value)
{
    return value >= 0 && value <= 1;
}

/* Extend the axis so that it holds `value`. */
static void extend(struct text_plot *canvas, double value)
{
    if (!is_drawn(value))
        return;
    canvas->low = fmin(canvas->low, value);
    canvas->high = fmax(canvas->high, value);
}

static char *mark_at(struct text_plot *canvas, int column, double value)
{
    double share = (canvas->high - value) / (canvas->high - canvas->low);
    int row = round_within(share * (PLOT_HEIGHT - 1), 0, PLOT_HEIGHT - 1);
    return &canvas->marks[row][column];
}

static void print_canvas(FILE *out, const struct text_plot *canvas, bool unicode)
{
    for (int row = 0; row < PLOT_HEIGHT; row++) {
        double value = canvas->high - (canvas->high - canvas->low) * row / (PLOT_HEIGHT - 1);
        print_to(out, "%6.2f %s", 100 * value, unicode ? "┤" : "|");
        int end = PLOT_WIDTH;
        char letter[2];
        while (end && !canvas->marks[row][end - 1])
            end--;
        for (int column = 0; column < end; column++)
            print_to(out, "%s", glyph_of(canvas->marks[row][column], unicode, letter));
        print_to(out, "\n");
    }
}

/* The curve's value at a column, interpolated between epochs. */
static double value_at(const struct curve_point *curve, int count, int column, int columns, bool validation)
{
    double place = columns > 1 ? (double)column / (columns - 1) * (count - 1) : 0;
    int before = (int)place;
    int after = before + 1 < count ? before + 1 : before;
    double a = validation ? curve[before].validation_accuracy : curve[before].train_accuracy;
    double b = validation ? curve[after].validation_accuracy : curve[after].train_accuracy;
    if (place <= before)
        return a;
    return is_drawn(a) && is_drawn(b) ? a + (b - a) * (place - before) : (double)NAN;
}

void plot_curve(FILE *out, const struct curve_point *curve, int count, bool unicode)
{
    struct text_plot canvas = {.low = 1, .high = 0};
    char letter[2];
    int columns = count > 1 ? PLOT_WIDTH : 1;
    for (int i = 0; i < count; i++) {
        extend(&canvas, curve[i].train_accuracy);
        extend(&canvas, curve[i].validation_accuracy);
    }
    if (canvas.high < canvas.low)
        return;
    canvas.high = fmax(canvas.high, canvas.low + 1e-3);
    for (int validation = 0; validation < 2; validation++)
        for (int column = 0; column < columns; column++) {
            double value = value_at(curve, count, column, columns, validation);
            if (is_drawn(value))
                *mark_at(&canvas, column, value) = validation ? MARK_VALIDATION : MARK_TRAIN;
        }
    print_canvas(out, &canvas, unicode);
    print_to(out, "       1%*d epochs", columns > 1 ? columns - 1 : 2, count);
    print_to(out, "   %s validation", glyph_of(MARK_VALIDATION, unicode, letter));
    print_to(out, "   %s training\n", glyph_of(MARK_TRAIN, unicode, letter));
}

void plot_lines(FILE *out, const struct plot_line *lines, int count, double end, const char *axis, bool unicode)
{
    struct text_plot canvas = {.low = 1, .high = 0};
    for (int pass = 0; pass < 2; pass++) { /* first find the range of the values, then draw */
        for (int i = 0; i < count; i++)
            for (int column = 0; column < PLOT_WIDTH; column++) {
                double place = column + 1 < PLOT_WIDTH ? end * (column + 1) / PLOT_WIDTH : end;
                double value = lines[i].value(lines[i].context, place);
                if (!is_drawn(value))
                    continue;
                if (pass == 0) {
                    extend(&canvas, value);
                } else {
                    char *mark = mark_at(&canvas, column, value);
                    *mark = *mark ? MARK_SEVERAL : lines[i].letter;
                }
            }
        if (canvas.high < canvas.low)
            return;
        canvas.high = fmax(canvas.high, canvas.low + 1e-3);
    }
    print_canvas(out, &canvas, unicode);
    char text[TEXT_SHORT];
    print_to(out, "       0%*s %s\n", PLOT_WIDTH - 1, text_count(text, end), axis);
}
