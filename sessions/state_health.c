/*
 * state_health.c - the health of a network's layers, as its RESULT has it: four lists of equal length.
 */
#include <math.h>

#include "sessions/fields.h"
#include "sessions/state_internal.h"

void state_set_health(struct session_node *node, const struct event_result *facts)
{
    const struct event_reals *const of[HEALTH_MEASURES] = {[HEALTH_WEIGHT_NORM] = &facts->weight_norms,
                                                           [HEALTH_GRADIENT_NORM] = &facts->gradient_norms,
                                                           [HEALTH_DEAD] = &facts->dead,
                                                           [HEALTH_FRESH] = &facts->fresh};
    state_free_health(node);
    for (int i = 0; i < HEALTH_MEASURES; i++)
        event_field_copy(EVENT_FIELD_REALS, of[i], &node->health[i]);
}

void state_free_health(struct session_node *node)
{
    for (int i = 0; i < HEALTH_MEASURES; i++)
        event_field_done(EVENT_FIELD_REALS, &node->health[i]);
}

void state_copy_health(const struct session_node *from, struct session_node *to)
{
    for (int i = 0; i < HEALTH_MEASURES; i++)
        event_field_copy(EVENT_FIELD_REALS, &from->health[i], &to->health[i]);
}

double node_health(const struct session_node *node, int layer, enum health_measure measure)
{
    const struct event_reals *values = &node->health[measure];
    return layer >= 0 && layer < values->count ? values->items[layer] : (double)NAN;
}
