/*
 * policy_map.h - what the policy has proposed, by action and layer, episode by episode; what that brought; and whether
 * it still chooses.  A function of the state: plain values, one thread.
 *
 * A choice is an action at a layer, whatever its width or kernel: "widen:conv2".  A proposal has it or not, however
 * often.  Only proposals of the policy count, in episodes.
 */
#ifndef ESPALIER_SESSIONS_POLICY_MAP_H
#define ESPALIER_SESSIONS_POLICY_MAP_H

#include "sessions/state.h"

enum { POLICY_CHOICES_MAX = 128, POLICY_CHOICE_NAME = 32 };

struct policy_choice {
    char name[POLICY_CHOICE_NAME]; /* "widen:conv2" */
    int64_t proposals;             /* that have it */
    int64_t networks;              /* of these, new ones that are trained and have a gain */
    double gain;                   /* their mean (session_gain), over whatever else was proposed with it */
};

/* A column of the map: the proposals of an episode. */
struct policy_column {
    int64_t episode, proposals;
    double entropy; /* of the last update from it; NaN: none */
};

struct policy_map_proposal {
    int column;
    int64_t node; /* the new network; 0: none */
    size_t end;   /* of its choices in `chosen`; they begin where those of the one before end */
};

struct policy_map {
    int choice_count, column_count;
    struct policy_choice choices[POLICY_CHOICES_MAX]; /* as they came up */
    struct policy_column *columns;
    int64_t left_out; /* actions whose choice had no place */
    int64_t count;    /* proposals of the policy */
    struct policy_map_proposal *proposals;
    size_t chosen_count;
    uint8_t *chosen; /* indices into `choices` */
    /* Private: what of the state is in it; capacities. */
    int64_t proposals_read, policies_read;
    size_t column_capacity, proposal_capacity, chosen_capacity;
};

/* Add what has come since the last call, and compute the gains anew.  All zero: an empty map.  The state is the same
   one, grown; of another one the map begins again: policy_map_done() first. */
void policy_map_update(struct policy_map *map, const struct session_state *state);
void policy_map_done(struct policy_map *map);

/* Was there anything to learn from?  Otherwise the update has no values: no network, or none that counted, and entropy,
   loss and gradient are all 0. */
bool policy_has_learned(const struct event_policy *policy);

/* Has a policy that learns collapsed?  Then `words` (empty before) say how one sees it: "collapsed in episode 43:
   entropy 0.05, it hardly chooses" (below 0.1 nats from there on), "collapsed: 17 of its last 20 proposals are alike:
   widen:conv1 deepen:conv2" (four of five, of at least ten). */
bool policy_has_collapsed(const struct session_state *state, struct text *words);

#endif
