/*
 * queue.h - a bounded queue of messages between threads.
 *
 * Messages are fixed-size values, copied in and out; the receiver owns what they point to.  Any number of threads may
 * put and take.  After queue_close() puts are refused, and takes return the messages that are left.
 */
#ifndef ESPALIER_UTIL_QUEUE_H
#define ESPALIER_UTIL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue;

struct queue *queue_new(size_t message_size, size_t capacity);
void queue_free(struct queue *queue);

/* Put; wait while the queue is full.  False when it is closed (the message stays the caller's). */
bool queue_put(struct queue *queue, const void *message);
/* Put, or return false at once when the queue is full or closed. */
bool queue_try_put(struct queue *queue, const void *message);
/* Take the oldest.  Waits up to `seconds` (0: not at all, negative: for ever); false: nothing came. */
bool queue_take(struct queue *queue, void *message, double seconds);
void queue_close(struct queue *queue);

#endif
