/*
 * wider_actor.c - one coin a layer: the same linear layer on each layer's encoder state.
 */
#include "policy/actors.h"

void wider_actor_init(struct wider_actor *actor, struct parameters *parameters, struct random_stream *stream)
{
    linear_init(&actor->linear, parameters, stream, "wider.weight", "wider.bias", ENCODER_UNITS, 1);
}

void wider_actor_forward(const struct wider_actor *actor, const struct encoding *encoding, int count, double *logits)
{
    for (int i = 0; i < count; i++)
        linear_forward(&actor->linear, encoding->outputs[i], &logits[i]);
}

void wider_actor_backward(const struct wider_actor *actor, const struct encoding *encoding, int count,
                          const double *logit_gradients, struct encoding *gradient)
{
    for (int i = 0; i < count; i++)
        linear_backward(&actor->linear, encoding->outputs[i], &logit_gradients[i], gradient->outputs[i]);
}
