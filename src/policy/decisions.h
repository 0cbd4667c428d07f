/*
 * decisions.h - a proposal as its sequence of decisions: sampled from probabilities, or recovered from actions.
 *
 * Every policy decides in the same order (EAS, section 5): `wider_decisions` times one coin a layer, then
 * `deeper_decisions` times block, layer, kernel; each on the architecture that the decisions before it made.
 * A chooser gives the probabilities; the functions here mask, draw, apply and sum up.
 *
 * What was offered depends on the parent, the options and the actions alone, so that decisions can be recovered from a
 * recorded proposal.
 */
#ifndef ESPALIER_POLICY_DECISIONS_H
#define ESPALIER_POLICY_DECISIONS_H

#include "policy/growth.h"

enum deeper_level { LEVEL_BLOCK, LEVEL_LAYER, LEVEL_KERNEL, DEEPER_LEVELS };

/* As many choices as any level has. */
enum { LEVEL_CHOICES_MAX = GROWTH_BLOCK_LAYERS_MAX };

/* A softmax choice among those offered. */
struct level_choice {
    int count, choice;
    bool offered[LEVEL_CHOICES_MAX];
};

struct decision {
    struct arch arch; /* on which it is made */
    bool deeper;
    /* Wider: which layers could take their next width when their turn came, and which did. */
    bool offered[ARCH_LAYERS_MAX], chosen[ARCH_LAYERS_MAX];
    /* Deeper: 3 levels after a convolution, 2 after a D or an FC, 0 where nothing could be inserted. */
    int level_count;
    struct level_choice levels[DEEPER_LEVELS];
};

/* Gives the probabilities of one decision's choices. */
struct chooser {
    /* Of widening each layer of `arch`, whether offered or not. */
    void (*wider)(void *context, const struct arch *arch, double probabilities[ARCH_LAYERS_MAX]);
    /* Begin a deeper decision. */
    void (*deeper)(void *context, const struct arch *arch);
    /* Of each choice of a level: 0 where not offered, 1 together.  `previous`: chosen at the level above, 0 at
       the first.  `choice->choice` isn't known yet. */
    void (*level)(void *context, enum deeper_level level, int previous, const struct level_choice *choice,
                  double probabilities[LEVEL_CHOICES_MAX]);
    void *context;
};

void decisions_sample(const struct policy_options *options, const struct chooser *chooser, const struct arch *parent,
                      struct random_stream *stream, struct proposal *proposal);

/* The decisions that gave `proposal`, without its trade: as many as the options say.  False when no policy with these
   options can have given it (a person's action, or other options). */
bool decisions_recover(const struct policy_options *options, const struct arch *parent, const struct proposal *proposal,
                       struct decision *decisions);

/* The decisions that a policy would have made for a person's actions, whatever their number in the options: for each
   action in turn, wider ones that chose this layer alone, one for each width on the way, or a deeper one.  Their count;
   0 when no policy in this space can have made them, or they are more than DECISIONS_OF_PERSON_MAX. */
enum { DECISIONS_OF_PERSON_MAX = 64 };
int decisions_of_person(const struct policy_options *options, const struct arch *parent, const struct proposal *proposal,
                        struct decision decisions[DECISIONS_OF_PERSON_MAX]);

#endif
