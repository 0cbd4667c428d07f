/* evaluator.c - what passes through the seam, freed. */
#include "search/evaluator.h"

#include <stdlib.h>

void trial_done(struct trial *trial)
{
    free(trial->parent_weights);
    trial->parent_weights = NULL;
}

void report_done(struct report *report)
{
    weights_free(report->weights);
    free(report->message);
    report->weights = NULL;
    report->message = NULL;
}
