/*
 * test_queue.c - order, limits and closing of the queue, from one thread and from several.
 *
 * No test sleeps: what must wait is shown to have waited by what it could not have known before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/queue.h"

enum { PRODUCERS = 3, CONSUMERS = 3, MESSAGES = 4000 };

/* An odd size, so that a ring that mixed up sizes would show. */
struct message {
    int32_t producer, number;
    char filling[5];
};

static void oldest_comes_first_round_and_round(void **state)
{
    struct queue *queue = queue_new(sizeof(int), 3);
    int in = 0, out = 0, value;
    for (int round = 0; round < 10; round++) {
        while (queue_try_put(queue, &in))
            in++;
        assert_int_equal(in - out, 3);
        for (int i = 0; i < 2; i++) {
            assert_true(queue_take(queue, &value, 0));
            assert_int_equal(value, out++);
        }
    }
    queue_free(queue);
    queue_free(NULL);
}

static void take_from_empty_gives_up(void **state)
{
    struct queue *queue = queue_new(sizeof(int), 1);
    int value = 7;
    assert_false(queue_take(queue, &value, 0));
    double start = clock_monotonic();
    assert_false(queue_take(queue, &value, 0.02));
    assert_true(clock_monotonic() - start >= 0.0199);
    assert_int_equal(value, 7);
    queue_free(queue);
}

static void closing_refuses_puts_and_drains(void **state)
{
    struct queue *queue = queue_new(sizeof(int), 4);
    int value = 1;
    assert_true(queue_put(queue, &value));
    value = 2;
    assert_true(queue_try_put(queue, &value));
    queue_close(queue);
    queue_close(queue);
    assert_false(queue_put(queue, &value));
    assert_false(queue_try_put(queue, &value));
    assert_true(queue_take(queue, &value, -1));
    assert_int_equal(value, 1);
    assert_true(queue_take(queue, &value, INFINITY));
    assert_int_equal(value, 2);
    assert_false(queue_take(queue, &value, -1));
    queue_free(queue);
}

static void *put_two(void *argument)
{
    int values[] = {1, 2};
    bool first = queue_put(argument, &values[0]), second = queue_put(argument, &values[1]);
    return first && second ? argument : NULL;
}

static void put_waits_for_room(void **state)
{
    struct queue *queue = queue_new(sizeof(int), 1);
    pthread_t thread;
    void *result;
    int value;
    assert_int_equal(pthread_create(&thread, NULL, put_two, queue), 0);
    assert_true(queue_take(queue, &value, -1));
    assert_int_equal(value, 1);
    assert_true(queue_take(queue, &value, -1));
    assert_int_equal(value, 2);
    pthread_join(thread, &result);
    assert_ptr_equal(result, queue);
    queue_free(queue);
}

/* Closing ends the waits of a full queue's producer and of an empty queue's consumer. */
static void *wait_for_ever(void *argument)
{
    int value;
    return queue_take(argument, &value, -1) ? argument : NULL;
}

static void closing_wakes_those_who_wait(void **state)
{
    struct queue *full = queue_new(sizeof(int), 1), *empty = queue_new(sizeof(int), 1);
    pthread_t producer, consumers[2];
    void *result;
    assert_int_equal(pthread_create(&producer, NULL, put_two, full), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, wait_for_ever, empty), 0);
    queue_close(full);
    queue_close(empty);
    pthread_join(producer, &result);
    assert_null(result);
    for (int i = 0; i < 2; i++) {
        pthread_join(consumers[i], &result);
        assert_null(result);
    }
    queue_free(full);
    queue_free(empty);
}

struct producer {
    struct queue *queue;
    int index;
};

static void *produce(void *argument)
{
    const struct producer *producer = argument;
    for (int i = 0; i < MESSAGES; i++) {
        struct message message = {.producer = producer->index, .number = i};
        memset(message.filling, producer->index, sizeof(message.filling));
        if (i % 2 ? !queue_put(producer->queue, &message) : 0)
            return NULL;
        while (i % 2 == 0 && !queue_try_put(producer->queue, &message))
            sched_yield();
    }
    return argument;
}

/* What one consumer saw: how often each message, and whether each producer's came in order. */
struct consumer {
    struct queue *queue;
    unsigned char seen[PRODUCERS][MESSAGES];
    int last[PRODUCERS];
    bool in_order, whole;
};

static void *consume(void *argument)
{
    struct consumer *consumer = argument;
    struct message message;
    consumer->in_order = consumer->whole = true;
    memset(consumer->last, -1, sizeof(consumer->last));
    while (queue_take(consumer->queue, &message, -1)) {
        consumer->seen[message.producer][message.number]++;
        consumer->in_order = consumer->in_order && message.number > consumer->last[message.producer];
        consumer->last[message.producer] = message.number;
        for (size_t i = 0; i < sizeof(message.filling); i++)
            consumer->whole = consumer->whole && message.filling[i] == message.producer;
    }
    return NULL;
}

static void every_message_arrives_once_and_in_order(void **state)
{
    struct queue *queue = queue_new(sizeof(struct message), 5);
    pthread_t producer_threads[PRODUCERS], consumer_threads[CONSUMERS];
    struct producer producers[PRODUCERS];
    struct consumer *consumers = calloc(CONSUMERS, sizeof(*consumers));
    assert_non_null(consumers);
    for (int i = 0; i < CONSUMERS; i++) {
        consumers[i].queue = queue;
        assert_int_equal(pthread_create(&consumer_threads[i], NULL, consume, &consumers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){queue, i};
        assert_int_equal(pthread_create(&producer_threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        void *result;
        pthread_join(producer_threads[i], &result);
        assert_non_null(result);
    }
    queue_close(queue);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_join(consumer_threads[i], NULL);
    for (int producer = 0; producer < PRODUCERS; producer++)
        for (int number = 0; number < MESSAGES; number++) {
            int times = 0;
            for (int i = 0; i < CONSUMERS; i++)
                times += consumers[i].seen[producer][number];
            assert_int_equal(times, 1);
        }
    for (int i = 0; i < CONSUMERS; i++) {
        assert_true(consumers[i].in_order);
        assert_true(consumers[i].whole);
    }
    free(consumers);
    queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oldest_comes_first_round_and_round), cmocka_unit_test(take_from_empty_gives_up),
        cmocka_unit_test(closing_refuses_puts_and_drains),    cmocka_unit_test(put_waits_for_room),
        cmocka_unit_test(closing_wakes_those_who_wait),       cmocka_unit_test(every_message_arrives_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
