/*
 * decisions.h - a proposal as its sequence of decisions: sampled from probabilities, or recovered from actions.
 *
 * Every policy decides in the same order (EAS, section 5).  First come `wider_decisions` decisions: each tosses one
 * coin for each layer.  Then come `deeper_decisions`: each chooses a block, a layer and a kernel.  A decision is made
 * on the architecture that the decisions before it left.  A chooser gives the probabilities; the functions here mask,
 * draw and apply.
 *
 * What was offered depends on the parent, the options and the actions alone, so that decisions can be recovered from a
 * recorded proposal.
 */
#ifndef ESPALIER_POLICY_DECISIONS_H
#define ESPALIER_POLICY_DECISIONS_H

#include "policy/growth.h"

enum deeper_level { LEVEL_BLOCK, LEVEL_LAYER, LEVEL_KERNEL, DEEPER_LEVELS };

/* The most choices of any level. */
enum { LEVEL_CHOICES_MAX = GROWTH_BLOCK_LAYERS_MAX };

/* A softmax choice among those offered. */
struct level_choice {
    int count, choice;
    bool offered[LEVEL_CHOICES_MAX];
};

struct decision {
    struct arch arch; /* it is made on this architecture */
    bool deeper;
    /* Wider: which layers could take their next width when their turn came, and which did. */
    bool offered[ARCH_LAYERS_MAX], chosen[ARCH_LAYERS_MAX];
    /* Deeper: 3 levels after a convolution, 2 after a D or an FC, 0 where nothing could be inserted. */
    int level_count;
    struct level_choice levels[DEEPER_LEVELS];
};

/* Gives the probabilities of one decision's choices. */
struct chooser {
    /* The probability of widening each layer of `arch`, whether it is offered or not. */
    void (*wider)(void *context, const struct arch *arch, double probabilities[ARCH_LAYERS_MAX]);
    /* Begin a deeper decision. */
    void (*deeper)(void *context, const struct arch *arch);
    /* The probability of each choice of a level; they sum to 1, and are 0 where a choice isn't offered.  `previous` is
       the choice at the level above, or 0 at the first level.  `choice->choice` isn't known yet. */
    void (*level)(void *context, enum deeper_level level, int previous, const struct level_choice *choice,
                  double probabilities[LEVEL_CHOICES_MAX]);
    void *context;
};

void decisions_sample(const struct policy_options *options, const struct chooser *chooser, const struct arch *parent,
                      struct random_stream *stream, struct proposal *proposal);

/* Find the decisions that made `proposal`, without its trade; the options say how many.  False: no policy with these
   options can have made it (it is a person's, or the options were others). */
bool decisions_recover(const struct policy_options *options, const struct arch *parent, const struct proposal *proposal,
                       struct decision *decisions);

/* Find decisions that lead to a person's actions; their number may differ from the options'.  A widening becomes one
   wider decision, which chose this layer alone, for each width on the way; a deepening becomes one deeper decision.
   Returns their count, or 0: no policy in this space can make them, or they are more than DECISIONS_OF_PERSON_MAX. */
enum { DECISIONS_OF_PERSON_MAX = 64 };
int decisions_of_person(const struct policy_options *options, const struct arch *parent, const struct proposal *proposal,
                        struct decision decisions[DECISIONS_OF_PERSON_MAX]);

#endif
