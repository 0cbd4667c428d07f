/*
 * queue.c - a ring of fixed-size messages under one mutex, with one condition for producers and one for consumers.
 *
 * Invariants under the mutex: count <= capacity; the messages are ring[first … first+count), wrapping.
 * `closed` changes from false to true once.  A put wakes one consumer and a take one producer; closing wakes all.  The
 * conditions use the monotonic clock, so that setting the machine's date doesn't change a wait.
 */
#include "util/queue.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/bug.h"
#include "util/memory.h"

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t has_message, has_room;
    size_t message_size, capacity;
    size_t first, count;
    bool closed;
    char *ring;
};

struct queue *queue_new(size_t message_size, size_t capacity)
{
    ASSERT(message_size > 0 && capacity > 0);
    struct queue *queue = memory_new(1, sizeof(*queue));
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_mutex_init(&queue->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&queue->has_message, &attributes) == 0);
    CHECK(pthread_cond_init(&queue->has_room, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    queue->message_size = message_size;
    queue->capacity = capacity;
    queue->ring = memory_new(capacity, message_size);
    return queue;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->has_room);
    pthread_cond_destroy(&queue->has_message);
    pthread_mutex_destroy(&queue->mutex);
    free(queue->ring);
    free(queue);
}

static char *slot(struct queue *queue, size_t index)
{
    return queue->ring + (queue->first + index) % queue->capacity * queue->message_size;
}

/* Append if the queue is open and not full.  Under the mutex. */
static bool append(struct queue *queue, const void *message)
{
    if (queue->closed || queue->count == queue->capacity)
        return false;
    memcpy(slot(queue, queue->count), message, queue->message_size);
    queue->count++;
    pthread_cond_signal(&queue->has_message);
    return true;
}

bool queue_put(struct queue *queue, const void *message)
{
    pthread_mutex_lock(&queue->mutex);
    while (!queue->closed && queue->count == queue->capacity)
        pthread_cond_wait(&queue->has_room, &queue->mutex);
    bool put = append(queue, message);
    pthread_mutex_unlock(&queue->mutex);
    return put;
}

bool queue_try_put(struct queue *queue, const void *message)
{
    pthread_mutex_lock(&queue->mutex);
    bool put = append(queue, message);
    pthread_mutex_unlock(&queue->mutex);
    return put;
}

static struct timespec deadline_after(double seconds)
{
    struct timespec deadline;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &deadline) == 0);
    double whole = floor(seconds);
    deadline.tv_sec += (time_t)whole;
    deadline.tv_nsec += (long)((seconds - whole) * 1e9);
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return deadline;
}

/* Wait until there is a message, the queue is closed, or the time is over.  Under the mutex. */
static void wait_for_message(struct queue *queue, double seconds)
{
    const double for_ever = 1e9; /* seconds: 31 years, and no overflow of time_t */
    if (seconds == 0)
        return;
    bool limited = seconds > 0 && seconds < for_ever;
    struct timespec deadline = limited ? deadline_after(seconds) : (struct timespec){0};
    while (queue->count == 0 && !queue->closed) {
        if (!limited)
            pthread_cond_wait(&queue->has_message, &queue->mutex);
        else if (pthread_cond_timedwait(&queue->has_message, &queue->mutex, &deadline) == ETIMEDOUT)
            return;
    }
}

bool queue_take(struct queue *queue, void *message, double seconds)
{
    pthread_mutex_lock(&queue->mutex);
    wait_for_message(queue, seconds);
    bool taken = queue->count > 0;
    if (taken) {
        memcpy(message, slot(queue, 0), queue->message_size);
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->has_room);
    }
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_broadcast(&queue->has_message);
    pthread_cond_broadcast(&queue->has_room);
    pthread_mutex_unlock(&queue->mutex);
}
