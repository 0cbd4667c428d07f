/*
 * event.h - the facts of a session.  Everything else is a function of their stream (state.h).
 *
 * An event is a number, a time, a kind and that kind's fields.  Kinds and fields are in the lists below,
 * which make the enum, the structs, the msgpack keys, the JSON names, the comparison and the digest.
 * To add one: a row here, a case in session_apply(), a line in espalier-session(5).
 *
 * DURABLE events are never dropped.  TRANSIENT ones (a step's loss, a device's sample) are thinned, and
 * leaving them all out leaves the durable state unchanged.  Fields marked TIMING (seconds, rates, names of
 * devices) are left out of the digest: two runs with one seed, one trainer and one instruction set differ in them and
 * in nothing else.  Fields marked LATER
 * are facts that the first logs of their kind don't have: where one is 0 or empty the digest leaves it out.
 *
 * A field of a word type (AUTHOR, FAILURE, FINISH) holds one of a few words: an enum in memory, the word on disk.
 *
 * Architectures, actions and shapes are texts in the notation of arch/.
 */
#ifndef ESPALIER_SESSIONS_EVENT_H
#define ESPALIER_SESSIONS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"
#include "util/text.h"

/* kind, msgpack name, DURABLE or TRANSIENT */
#define EVENT_KINDS(K) EVENT_OPENING_KINDS(K) EVENT_PROPOSAL_KINDS(K) EVENT_OTHER_KINDS(K)
#define EVENT_OPENING_KINDS(K)    \
    K(SESSION, session, DURABLE)  /* the first: all that is needed to do the run again */ \
    K(OPENED, opened, DURABLE)    /* a process took the session: the first time and at each resume */
/* Where a proposal led: these share struct event_proposal, the others have a struct event_<name> each. */
#define EVENT_PROPOSAL_KINDS(K)   \
    K(NODE, node, DURABLE)        /* a network joins the tree and the queue */ \
    K(KNOWN, known, DURABLE)      /* a proposal led to a network that is in the tree already */ \
    K(REFUSED, refused, DURABLE)  /* a proposal that can't be built: over a limit, no layer can grow */
#define EVENT_OTHER_KINDS(K)      \
    K(STARTED, started, DURABLE)  /* a device took it; its curve starts anew, or goes on */ \
    K(EPOCH, epoch, DURABLE)      \
    K(RESULT, result, DURABLE)    /* trained; its weights are on disk */ \
    K(FAILED, failed, DURABLE)    /* this attempt ended without a result */ \
    K(JOINED, joined, DURABLE)    /* a device of another machine, which trains for this search from now on */ \
    K(LOST, lost, DURABLE)        /* a device: nothing can run on it in this process any more, or until it joins again */ \
    K(WARNED, warned, DURABLE)    /* what the other machines have to say: one was refused, the server doesn't answer */ \
    K(POLICY, policy, DURABLE)    /* the policy learned from a batch */ \
    K(COMMAND, command, DURABLE)  /* what a person asked, and the answer */ \
    K(PAUSED, paused, DURABLE)    \
    K(PINNED, pinned, DURABLE)    \
    K(PRUNED, pruned, DURABLE)    \
    K(NOTED, noted, DURABLE)      \
    K(BUDGET, budget, DURABLE)    \
    K(SETTINGS, settings, DURABLE) /* how networks train that start from now on */ \
    K(FINISHED, finished, DURABLE) /* the process let go of the session in good order */ \
    K(TEST, test, DURABLE)         /* the finished network on the test images, which nothing else reads */ \
    K(CHANGED, changed, DURABLE)   /* options that hold from now on, in place of those of the first event */ \
    K(DROPPED, dropped, DURABLE)   /* the weights of these networks are not kept */ \
    K(STEP, step, TRANSIENT)      \
    K(SAMPLE, sample, TRANSIENT)

/* type, name, FACT, LATER or TIMING */
#define EVENT_FIELDS_SESSION(F)                                                                             \
    F(INTEGER, format, FACT)     /* of this list: EVENT_FORMAT */                                           \
    F(TEXT, program, TIMING)     /* "espalier 0.1.0" */                                                     \
    F(REAL, created, TIMING)     /* seconds since 1970 */                                                   \
    F(INTEGER, seed, FACT)                                                                                  \
    F(TEXTS, options, FACT)      /* "name=value", every option in force (search/options.h) */               \
    F(TEXT, data, FACT)          /* as --data has it */                                                     \
    F(TEXT, data_hash, FACT)                                                                                \
    F(TEXT, input, FACT)         /* "channels,height,width" */                                              \
    F(INTEGER, classes, FACT)                                                                               \
    F(INTEGER, train_images, FACT)                                                                          \
    F(INTEGER, validation_images, FACT)                                                                     \
    F(INTEGERS, match, FACT)     /* FLOPs of the networks that a policy grew in the session of --match */   \
    F(TEXTS, devices, TIMING)    /* ids */                                                                  \
    F(TEXTS, device_names, TIMING)                                                                          \
    F(TEXTS, class_names, LATER) /* in the order of the outputs; numbers where the set has no names */      \
    F(REALS, mean, LATER)        /* of the training images' pixels, 0 to 255; one for each channel */       \
    F(REALS, deviation, LATER)   /* the input is (pixel - mean) / deviation */                              \
    F(TEXT, layout, LATER)       /* of the input: "NCHW RGB" */                                             \
    F(BOOL, mirrors, LATER)      /* a mirrored image keeps its class */
#define EVENT_FIELDS_OPENED(F)                                                                              \
    F(REAL, date, TIMING) F(TEXT, host, TIMING) F(INTEGER, process, TIMING) F(TEXT, program, TIMING)        \
    F(TEXTS, devices, TIMING)    /* of this process: ids; none in logs of before this field */              \
    F(TEXTS, device_names, TIMING)                                                                          \
    F(TEXT, instructions, TIMING) /* the CPU backend's instruction set: "avx512" */
/* `own` are fields of a kind, `sampled` EVENT_FIELDS_SAMPLED(F) or nothing.  The digest depends on the order. */
#define EVENT_FIELDS_PROPOSAL(F, own, sampled)                                                              \
    F(INTEGER, parent, FACT)     /* 0: none */                                                              \
    F(AUTHOR, by, FACT) own                                                                                 \
    F(TEXTS, actions, FACT)      /* each on what those before it made: widen:conv2:48 */                    \
    F(INTEGERS, steps, FACT)     /* which decision each action belongs to */                                \
    sampled                                                                                                 \
    F(INTEGER, episode, FACT)    /* from 1; 0: none */                                                      \
    F(INTEGER, proposal, FACT)   /* from 1, counts known and refused ones too; 0: none */
#define EVENT_FIELDS_SAMPLED(F) F(REALS, probabilities, FACT) F(REAL, log_probability, FACT) F(REAL, entropy, FACT)
#define EVENT_FIELDS_NODE(F)                                                                                \
    F(INTEGER, node, FACT)       /* from 1 in order of joining; 1 is the start network */                   \
    EVENT_FIELDS_PROPOSAL(F, F(TEXT, arch, FACT), EVENT_FIELDS_SAMPLED(F))                                  \
    F(INTEGER, parameters, FACT) F(INTEGER, flops, FACT) F(INTEGER, activation_bytes, FACT)
#define EVENT_FIELDS_KNOWN(F)                                                                               \
    F(INTEGER, node, FACT)       /* the one that has this architecture */                                   \
    EVENT_FIELDS_PROPOSAL(F, , EVENT_FIELDS_SAMPLED(F))
#define EVENT_FIELDS_REFUSED(F) EVENT_FIELDS_PROPOSAL(F, F(TEXT, reason, FACT), )
#define EVENT_FIELDS_STARTED(F) F(INTEGER, node, FACT) F(TEXT, device, TIMING) F(INTEGER, attempt, FACT) F(INTEGER, epochs, FACT) \
    F(INTEGER, epochs_done, LATER) /* it goes on after so many, which stay in its curve */
#define EVENT_FIELDS_EPOCH(F)                                                                               \
    F(INTEGER, node, FACT) F(INTEGER, epoch, FACT) F(INTEGER, epochs, FACT) F(REAL, rate, FACT)             \
    F(REAL, train_loss, FACT) F(REAL, train_accuracy, FACT) F(REAL, validation_loss, FACT)                  \
    F(REAL, validation_accuracy, FACT) F(REAL, seconds, TIMING) F(REAL, images_per_second, TIMING)
#define EVENT_FIELDS_RESULT(F)                                                                              \
    F(INTEGER, node, FACT) F(REAL, accuracy, FACT) F(REAL, loss, FACT) F(INTEGER, epochs, FACT)             \
    F(REAL, seconds, TIMING) F(REAL, images_per_second, TIMING)                                             \
    F(TEXT, weights, FACT)       /* file under weights/ */                                                  \
    F(TEXT, weights_hash, FACT)                                                                             \
    F(TEXT, stopped, FACT)       /* why it wasn't trained to the end; "": it was */                         \
    F(REAL, predicted, FACT)     /* then: the accuracy that it would have reached; accuracy is measured */
#define EVENT_FIELDS_FAILED(F)                                                                              \
    F(INTEGER, node, FACT) F(INTEGER, attempt, FACT)                                                        \
    F(FAILURE, reason, FACT) F(TEXT, message, FACT)                                                         \
    F(BOOL, again, FACT)         /* back in the queue */
#define EVENT_FIELDS_JOINED(F)                                                                              \
    F(TEXT, device, TIMING)      /* its id in the session: "node17/cuda:0" */                               \
    F(TEXT, host, TIMING) F(TEXT, name, TIMING)                                                             \
    F(TEXT, speed_class, TIMING) /* devices of one class are equally fast */
#define EVENT_FIELDS_LOST(F)                                                                                \
    F(TEXT, device, TIMING)      /* with all its trainers: cuda:0 means cuda:0.1 too */                     \
    F(TEXT, message, TIMING)                                                                                \
    F(BOOL, left, TIMING)        /* in good order */
#define EVENT_FIELDS_WARNED(F) F(TEXT, message, TIMING)
#define EVENT_FIELDS_POLICY(F)                                                                              \
    F(INTEGER, update, FACT)     /* from 1 */                                                               \
    F(INTEGER, episode, FACT) F(INTEGER, networks, FACT)                                                    \
    F(REAL, accuracy_mean, FACT) F(REAL, accuracy_best, FACT)                                               \
    F(REAL, reward_mean, FACT) F(REAL, baseline, FACT)                                                      \
    F(REAL, loss, FACT) F(REAL, entropy, FACT) F(REAL, gradient_norm, FACT)                                 \
    F(TEXT, state, FACT)         /* file under policy/ with the policy's networks, or "" */                 \
    F(TEXT, state_hash, FACT)                                                                               \
    F(INTEGERS, asked, FACT)     /* networks of a person that it observed beside the batch */ \
    F(INTEGERS, proposals, FACT) /* the batch; none: those of the episode */
#define EVENT_FIELDS_COMMAND(F) F(AUTHOR, by, FACT) F(TEXT, words, FACT) F(BOOL, refused, FACT) F(TEXT, answer, FACT) \
    F(INTEGER, undoes, LATER)    /* number of the command that it takes back; 0: none */
#define EVENT_FIELDS_PAUSED(F) F(BOOL, paused, FACT) F(AUTHOR, by, FACT)
#define EVENT_FIELDS_PINNED(F) F(INTEGER, node, FACT) F(BOOL, pinned, FACT) F(AUTHOR, by, FACT)
#define EVENT_FIELDS_PRUNED(F) F(INTEGER, node, FACT) F(AUTHOR, by, FACT) /* with all that grew from it */ \
    F(BOOL, back, LATER)         /* the pruning of this network is taken back */
#define EVENT_FIELDS_NOTED(F) F(INTEGER, node, FACT) F(TEXT, note, FACT) F(AUTHOR, by, FACT)
#define EVENT_FIELDS_BUDGET(F) F(INTEGER, episodes, FACT) F(INTEGER, networks, FACT) F(REAL, seconds, FACT) F(AUTHOR, by, FACT) \
    F(REAL, flops, LATER)        /* of training, over all networks */
#define EVENT_FIELDS_SETTINGS(F) F(INTEGER, epochs, FACT) F(REAL, rate, FACT) F(AUTHOR, by, FACT)
#define EVENT_FIELDS_FINISHED(F) F(FINISH, reason, FACT) F(TEXT, message, FACT)
#define EVENT_FIELDS_TEST(F) F(INTEGER, node, FACT) F(REAL, accuracy, FACT) F(REAL, loss, FACT) F(INTEGER, images, FACT)
#define EVENT_FIELDS_CHANGED(F) F(TEXTS, options, FACT) F(AUTHOR, by, FACT) /* "name=value", as SESSION has them */
#define EVENT_FIELDS_DROPPED(F) F(INTEGERS, nodes, FACT)
#define EVENT_FIELDS_STEP(F)                                                                                \
    F(INTEGER, node, FACT) F(INTEGER, epoch, FACT) F(INTEGER, step, FACT) F(INTEGER, steps, FACT)           \
    F(REAL, loss, FACT) F(REAL, images_per_second, TIMING)
#define EVENT_FIELDS_SAMPLE(F)                                                                              \
    F(TEXT, device, TIMING) F(REAL, utilisation, TIMING) F(REAL, memory_used, TIMING)                       \
    F(REAL, memory_total, TIMING) F(REAL, temperature, TIMING) F(REAL, power, TIMING) F(REAL, clock, TIMING) \
    /* unknown ones are NaN */

enum { EVENT_FORMAT = 1 };

/* Who wrote or asked for an event.  Any other word is the name of a policy. */
#define EVENT_AUTHORS(W)                                                                                    \
    W(AUTHOR_START, start)       /* the options: the start network */                                       \
    W(AUTHOR_USER, user)                                                                                    \
    W(AUTHOR_RESUME, resume)     /* the program, when a session is taken up again */                        \
    W(AUTHOR_REPAIR, lost)       /* fsck: stands in for an event that is lost */                            \
    W(AUTHOR_CONTROL, control)   /* of a round: its parent trains on, without an action */                  \
    W(AUTHOR_BASELINE, baseline) /* the template of the limits, from scratch */                             \
    W(AUTHOR_RETRAIN, retrain)   /* the architecture of its parent, from scratch */                         \
    W(AUTHOR_FINISH, finish)     /* the final training of the winner */
#define FAILURE_REASONS(W)                                                                                  \
    W(FAILURE_DIVERGED, diverged) W(FAILURE_MEMORY, memory) W(FAILURE_DEVICE, device) W(FAILURE_ERROR, error) \
    W(FAILURE_CANCELLED, cancelled) /* stopped by a person, a pruned parent or the end of the search */     \
    W(FAILURE_TIME, time)        /* its first epoch takes longer than a network may train */               \
    W(FAILURE_LOST, lost)        /* fsck: how the attempt ended is not in the log */
#define FINISH_REASONS(W)                                                                                   \
    W(FINISH_BUDGET, budget) W(FINISH_INTERRUPTED, interrupted)                                             \
    W(FINISH_EXHAUSTED, exhausted) /* proposals lead to nothing new any more */                             \
    W(FINISH_ERROR, error)

#define EVENT_WORD(value, word) value,
enum event_author { AUTHOR_POLICY, EVENT_AUTHORS(EVENT_WORD) };
enum failure_reason { FAILURE_UNKNOWN, FAILURE_REASONS(EVENT_WORD) };
enum finish_reason { FINISH_UNKNOWN, FINISH_REASONS(EVENT_WORD) };
#undef EVENT_WORD

/* One of these enums.  At 0 `other` has the word itself (a policy's name, a word of a newer program) or is NULL: none. */
struct event_word { int value; char *other; };

enum event_kind {
#define EVENT_ENUM(kind, name, durability) EVENT_##kind,
    EVENT_KINDS(EVENT_ENUM)
#undef EVENT_ENUM
    EVENT_KIND_COUNT
};

struct event_texts { int count; char **items; };
struct event_reals { int count; double *items; };
struct event_integers { int count; int64_t *items; };

#define EVENT_TYPE_INTEGER int64_t
#define EVENT_TYPE_REAL double
#define EVENT_TYPE_BOOL bool
#define EVENT_TYPE_TEXT char *
#define EVENT_TYPE_AUTHOR struct event_word
#define EVENT_TYPE_FAILURE struct event_word
#define EVENT_TYPE_FINISH struct event_word
#define EVENT_TYPE_TEXTS struct event_texts
#define EVENT_TYPE_REALS struct event_reals
#define EVENT_TYPE_INTEGERS struct event_integers
#define EVENT_MEMBER(type, name, timing) EVENT_TYPE_##type name;

/* struct event_session, struct event_opened, … */
#define EVENT_STRUCT(kind, name, durability) struct event_##name { EVENT_FIELDS_##kind(EVENT_MEMBER) };
EVENT_OPENING_KINDS(EVENT_STRUCT)
EVENT_OTHER_KINDS(EVENT_STRUCT)
#undef EVENT_STRUCT
/* Of NODE, KNOWN and REFUSED; each has the fields of its list, the others stay 0. */
struct event_proposal { EVENT_FIELDS_NODE(EVENT_MEMBER) char *reason; };

struct event {
    int64_t number; /* of durable events: from 1, without gaps; transient ones repeat the last durable's */
    double time;    /* seconds that the search has been open, over all its processes: never goes back */
    enum event_kind kind;
    union {
#define EVENT_UNION(kind, name, durability) struct event_##name name;
        EVENT_OPENING_KINDS(EVENT_UNION)
        EVENT_OTHER_KINDS(EVENT_UNION)
#undef EVENT_UNION
        struct event_proposal node, known, refused;
    } as;
};

/* Texts, words and arrays inside an event are its own.  A NULL text is written as "". */
void event_done(struct event *event);
void event_copy(const struct event *from, struct event *to);

const char *event_kind_name(enum event_kind kind);
bool event_is_durable(enum event_kind kind);
/* Whose it is: the field `by`; AUTHOR_POLICY for kinds without one. */
enum event_author event_author(const struct event *event);
/* The words; "" for none.  They live as long as the argument. */
const char *author_name(const struct event_word *author);
const char *failure_name(const struct event_word *reason);
const char *finish_name(const struct event_word *reason);
/* An author from its word; a policy's name is copied. */
struct event_word author_of(const char *word);

/* One msgpack map: {"n": number, "t": time, "k": kind, field: value, …}; `*bytes` the caller's to free(). */
void event_encode(const struct event *event, void **bytes, size_t *length);
/* EVENT_DECODED, EVENT_UNKNOWN for a well-formed map of a kind that this program doesn't know (skip it; number
   and time are set), or -1.  Unknown keys are skipped, missing ones are 0, "" and empty; a wrong type fails. */
enum { EVENT_DECODED = 0, EVENT_UNKNOWN = 1 };
int event_decode(const void *bytes, size_t length, struct event *event, struct error *error);

/* One JSON object on one line, without newline; NaN and infinities as null. */
void event_print_json(const struct event *event, struct text *text);

/* Helpers to fill events. */
char *event_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void event_texts_add(struct event_texts *texts, const char *text);
void event_reals_add(struct event_reals *reals, double value);
void event_integers_add(struct event_integers *integers, int64_t value);

#endif
