/* state_internal.h - what the files of the reducer share beyond state.h. */
#ifndef ESPALIER_SESSIONS_STATE_INTERNAL_H
#define ESPALIER_SESSIONS_STATE_INTERNAL_H

#include "sessions/state.h"

/* The network `node`, which is there, for a change: this state's own from now on, however many share it. */
struct session_node *session_node_own(struct session_state *state, int64_t node);
void state_set_status(struct session_state *state, struct session_node *node, enum node_status status);
/* Devices (state_devices.c): the one with this id, or NULL; of an event's lists; what OPENED, and the end of all
   training, do to them; what one trains; the events JOINED, LOST and SAMPLE. */
struct session_device *state_device(const struct session_state *state, const char *id);
void state_add_devices(struct session_state *state, const struct event_texts *ids, const struct event_texts *names);
void state_devices_opened(struct session_state *state, bool says);
void state_devices_stop(struct session_state *state);
void state_device_trains(struct session_state *state, const char *id, int64_t node);
void state_device_release(struct session_state *state, const struct session_node *node);
void state_apply_joined(struct session_state *state, const struct event_joined *facts);
void state_apply_lost(struct session_state *state, const struct event_lost *facts);
void state_apply_sample(struct session_state *state, const struct event_sample *facts, double time);
/* How many new ones can take the place of one that is gone. */
int state_devices_to_forget(const struct session_state *state);
void state_devices_copy(const struct session_state *from, struct session_state *to);
void state_devices_free(struct session_state *state);
/* Before an event is applied: the step that it is, or whose effect it is (state_steps.c). */
void state_add_step(struct session_state *state, const struct event *event);
void session_step_release(struct session_step *step);
/* The event PRUNED (state_prune.c). */
void state_apply_pruned(struct session_state *state, const struct event_pruned *facts, double time);
/* The event DROPPED (state_prune.c). */
void state_apply_dropped(struct session_state *state, const struct event_dropped *facts);
/* The event CHANGED (state_options.c). */
void state_apply_changed(struct session_state *state, const struct event_changed *facts);
/* Set the control of a proposal that is about to be added: the last one before it that has the same parent, among
   proposals in a row of its episode. */
void proposal_find_control(struct session_state *state, struct proposal_record *record);

#endif
