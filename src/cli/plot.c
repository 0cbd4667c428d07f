/*
 * plot.c - a small canvas of characters: the vertical axis spans the values, a column is an epoch or a share of one.
 */
#include "cli/plot.h"

#include <math.h>
#include <string.h>

enum { PLOT_HEIGHT = 10, PLOT_WIDTH = 60 };
enum { MARK_NONE, MARK_TRAIN, MARK_VALIDATION };

struct canvas {
    char marks[PLOT_HEIGHT][PLOT_WIDTH];
    double low, high;
};

static int row_of(const struct canvas *canvas, double value)
{
    return (int)lround((canvas->high - value) / (canvas->high - canvas->low) * (PLOT_HEIGHT - 1));
}

/* The curve's value at a column, between epochs by a straight line. */
static double value_at(const struct curve_point *curve, int count, int column, int columns, bool validation)
{
    double place = columns > 1 ? (double)column / (columns - 1) * (count - 1) : 0;
    int before = (int)place;
    int after = before + 1 < count ? before + 1 : before;
    double a = validation ? curve[before].validation_accuracy : curve[before].train_accuracy;
    double b = validation ? curve[after].validation_accuracy : curve[after].train_accuracy;
    return a + (b - a) * (place - before);
}

void plot_curve(FILE *out, const struct curve_point *curve, int count, bool unicode)
{
    const char *glyphs[2][3] = {{" ", ".", "*"}, {" ", "·", "●"}};
    struct canvas canvas = {.low = 1, .high = 0};
    int columns = count > 1 ? PLOT_WIDTH : 1;
    for (int i = 0; i < count; i++) {
        canvas.low = fmin(canvas.low, fmin(curve[i].train_accuracy, curve[i].validation_accuracy));
        canvas.high = fmax(canvas.high, fmax(curve[i].train_accuracy, curve[i].validation_accuracy));
    }
    canvas.high = fmax(canvas.high, canvas.low + 1e-3);
    for (int pass = MARK_TRAIN; pass <= MARK_VALIDATION; pass++)
        for (int column = 0; column < columns; column++) {
            double value = value_at(curve, count, column, columns, pass == MARK_VALIDATION);
            canvas.marks[row_of(&canvas, value)][column] = (char)pass;
        }
    for (int row = 0; row < PLOT_HEIGHT; row++) {
        double value = canvas.high - (canvas.high - canvas.low) * row / (PLOT_HEIGHT - 1);
        fprintf(out, "%6.2f %s", 100 * value, unicode ? "┤" : "|");
        int end = columns;
        while (end && !canvas.marks[row][end - 1])
            end--;
        for (int column = 0; column < end; column++)
            fputs(glyphs[unicode][(int)canvas.marks[row][column]], out);
        fputc('\n', out);
    }
    fprintf(out, "       1%*d epochs   %s validation   %s training\n", columns > 1 ? columns - 1 : 2, count,
            glyphs[unicode][MARK_VALIDATION], glyphs[unicode][MARK_TRAIN]);
}
