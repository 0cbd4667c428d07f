/*
 * stopping.c - which networks aren't worth the rest of their training.
 *
 * A network of the growth ends after the last epoch that fits into --network-seconds, by the mean time of its epochs.
 * One whose first epoch doesn't fit fails (local_trainer.c): nothing is known of it.  That is its result, as if it had
 * been asked to train so many epochs.  Those that train at the end have as many epochs as the budget gives them.
 *
 * After each epoch but its last a network of the policy may be stopped, for one of two reasons.  A person's network and
 * the start network never are.  The answer is a function of the session's state: of curves that are in the log.
 *
 *   rungs      asynchronous successive halving (ASHA: Li et al., MLSys 2020), its stopping kind: at certain epochs a
 *              network goes on when its accuracy is among the best share of all that reached this epoch by now, the
 *              first of them always.
 *   hopeless   the chance that it would end better than the best network so far is less than the options say, by the
 *              prediction below (Domhan, Springenberg, Hutter 2015; Baker et al. 2017).
 *
 * The prediction.  A network's own curve doesn't say what it will gain by the end: under the cosine schedule most of
 * the gain comes when the rate falls.  The prediction is a regression over the networks that were trained to the end
 * with as many epochs: of their final accuracy y on their accuracy x at this epoch.  While they are few or alike it
 * shrinks to a slope of 1 (all gain the same), by a ridge of SHRINK that is added to both sums of squares.  With n of
 * them
 *
 *     y = mean(y) + slope * (x - mean(x)),     slope = (Sxy + SHRINK) / (Sxx + SHRINK)
 *     deviation^2 = s^2 * (1 + 1/n + (x - mean(x))^2 / (Sxx + SHRINK)) * (n - 2) / (n - 4)
 *
 * where s^2 is the mean square of the residuals with n - 2 degrees of freedom, or the variance of counting on the
 * validation images if that is larger, and the last factor is Student's for few networks.  With fewer than
 * REFERENCES_MIN networks nothing is hopeless.  With none the prediction is the present accuracy.
 *
 * Networks that were stopped at this epoch don't bias a regression of y given x.  Those that were stopped later are
 * missing from it and do, a little: on scripted searches predictions are too high by half a point.
 */
#include "search/stopping.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { REFERENCES_MIN = 5 };
static const double shrink = 0.001; /* as much as one network three points off */

/* --- curves to compare with --- */

static double accuracy_at(const struct session_node *node, int epoch)
{
    return node->curve[epoch - 1].validation_accuracy;
}

/* Was `other` grown and trained like `node`, as far as `epoch`? */
static bool is_comparable(const struct session_node *other, const struct session_node *node, int epoch)
{
    return other != node && other->facts.parent && !node_is_final(other) &&
           (other->status == NODE_DONE || other->status == NODE_RUNNING) && other->epochs == node->epochs &&
           other->curve_count >= epoch && isfinite(accuracy_at(other, epoch));
}

/* --- rungs --- */

static bool is_rung(const char *rungs, int64_t epoch)
{
    char *end;
    for (; *rungs; rungs = *end ? end + 1 : end)
        if (strtoll(rungs, &end, 10) == epoch)
            return true;
    return false;
}

static bool fails_rung(const struct session_state *state, const struct search_options *options,
                       const struct session_node *node, struct error *reason)
{
    int epoch = node->curve_count, reached = 1, better = 0;
    if (!is_rung(options->rungs, epoch))
        return false;
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *other = session_node(state, i);
        if (!is_comparable(other, node, epoch))
            continue;
        reached++;
        better += accuracy_at(other, epoch) > accuracy_at(node, epoch);
    }
    int going_on = (int)ceil(options->rung_keep * reached);
    if (better < going_on)
        return false;
    error_set(reason, "rung %d: %.2f %% is number %d of %d, and %d go on", epoch, 100 * accuracy_at(node, epoch),
              better + 1, reached, going_on);
    return true;
}

/* --- the prediction --- */

struct prediction {
    int references;
    double accuracy, deviation; /* the deviation from REFERENCES_MIN on */
};

/* Sums over the networks that were trained to the end. */
struct sums {
    int count;
    double x, y, xx, xy, yy;
};

static struct sums references_of(const struct session_state *state, const struct session_node *node)
{
    struct sums sums = {0};
    for (int64_t i = 1; i <= state->node_count; i++) {
        const struct session_node *other = session_node(state, i);
        if (!is_comparable(other, node, node->epochs) || other->status != NODE_DONE || !isfinite(other->accuracy))
            continue;
        double x = accuracy_at(other, node->curve_count), y = other->accuracy;
        if (!isfinite(x))
            continue;
        sums.count++;
        sums.x += x;
        sums.y += y;
        sums.xx += x * x;
        sums.xy += x * y;
        sums.yy += y * y;
    }
    return sums;
}

static struct prediction predict(const struct session_state *state, const struct session_node *node)
{
    struct sums sums = references_of(state, node);
    double n = sums.count, x = accuracy_at(node, node->curve_count);
    struct prediction prediction = {.references = sums.count, .accuracy = x, .deviation = INFINITY};
    if (!sums.count)
        return prediction;
    double mean_x = sums.x / n, mean_y = sums.y / n, away = x - mean_x;
    double sxx = fmax(0, sums.xx - n * mean_x * mean_x), sxy = sums.xy - n * mean_x * mean_y;
    double syy = fmax(0, sums.yy - n * mean_y * mean_y), slope = (sxy + shrink) / (sxx + shrink);
    prediction.accuracy = fmin(1, fmax(0, mean_y + slope * away));
    if (sums.count < REFERENCES_MIN)
        return prediction;
    double residual = fmax(0, syy - 2 * slope * sxy + slope * slope * sxx) / (n - 2);
    double counting = mean_y * (1 - mean_y) / (double)state->facts.validation_images;
    double spread = 1 + 1 / n + away * away / (sxx + shrink);
    prediction.deviation = sqrt(fmax(residual, counting) * spread * (n - 2) / (n - 4));
    return prediction;
}

/* --- hopeless --- */

static bool is_hopeless(const struct session_state *state, const struct search_options *options,
                        const struct prediction *prediction, int epoch, struct error *reason)
{
    const struct session_node *best = session_node(state, state->best);
    if (!options->stop_hopeless || !best || prediction->references < REFERENCES_MIN)
        return false;
    double behind = (best->accuracy - prediction->accuracy) / prediction->deviation;
    double chance = 0.5 * erfc(behind / sqrt(2));
    if (chance >= options->stop_hopeless)
        return false;
    error_set(reason, "epoch %d: hopeless, %.2f +- %.2f %% expected and n%" PRId64 " has %.2f %%", epoch,
              100 * prediction->accuracy, 100 * prediction->deviation, state->best, 100 * best->accuracy);
    return true;
}

/* --- the answer --- */

static bool may_be_judged(const struct search_options *options, const struct session_node *node)
{
    bool grown = node->facts.proposal && node->facts.by.value != AUTHOR_CONTROL;
    return (options->rungs[0] || options->stop_hopeless > 0) && grown;
}

static bool has_time_limit(const struct search_options *options, const struct session_node *node)
{
    return options->network_seconds > 0 && node_phase(node) == PHASE_GROWTH;
}

bool stopping_applies(const struct search_options *options, const struct session_node *node)
{
    return may_be_judged(options, node) || has_time_limit(options, node);
}

bool stopping_check(const struct session_state *state, const struct search_options *options, int64_t number,
                    struct early_stop *stop)
{
    const struct session_node *node = session_node(state, number);
    *stop = (struct early_stop){.predicted = 0};
    if (has_time_limit(options, node) &&
        node->seconds * (node->curve_count + 1) / node->curve_count > options->network_seconds)
        return true;
    if (!may_be_judged(options, node) || !isfinite(accuracy_at(node, node->curve_count)))
        return false;
    struct prediction prediction = predict(state, node);
    stop->predicted = prediction.accuracy;
    return fails_rung(state, options, node, &stop->reason) ||
           is_hopeless(state, options, &prediction, node->curve_count, &stop->reason);
}
