/*
 * test_device_memory.c - who trains beside whom: trials that book the machine's memory before they take it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "search/device_memory.h"
#include "util/queue.h"

/* One that wants to train on a thread of its own. */
struct trainer {
    struct device_memory *memory;
    double bytes;
    struct queue *looked; /* it has looked whether there is room, and may be waiting now */
    atomic_bool cancelled, reserved;
    pthread_t thread;
};

static bool is_cancelled(void *context)
{
    struct trainer *trainer = context;
    queue_try_put(trainer->looked, "");
    return atomic_load(&trainer->cancelled);
}

static void *book(void *context)
{
    struct trainer *trainer = context;
    atomic_store(&trainer->reserved,
                 device_memory_reserve(trainer->memory, MACHINE_MEMORY, trainer->bytes, is_cancelled, trainer));
    return NULL;
}

static void trainer_start(struct trainer *trainer, struct device_memory *memory, double bytes)
{
    char looked;
    trainer->memory = memory;
    trainer->bytes = bytes;
    trainer->looked = queue_new(1, 8);
    atomic_init(&trainer->cancelled, false);
    atomic_init(&trainer->reserved, false);
    assert_int_equal(pthread_create(&trainer->thread, NULL, book, trainer), 0);
    assert_true(queue_take(trainer->looked, &looked, -1));
}

/* Whether it may train. */
static bool trainer_join(struct trainer *trainer)
{
    assert_int_equal(pthread_join(trainer->thread, NULL), 0);
    queue_free(trainer->looked);
    return atomic_load(&trainer->reserved);
}

static bool never(void *context)
{
    return false;
}

static void test_large_networks_train_one_after_the_other(void **state)
{
    struct device_memory *memory = device_memory_new(NULL, 0, 0, 100);
    struct trainer large, small;
    assert_true(device_memory_reserve(memory, MACHINE_MEMORY, 60, never, NULL));
    assert_true(device_memory_reserve(memory, MACHINE_MEMORY, 20, never, NULL)); /* beside it */
    trainer_start(&large, memory, 60);
    trainer_start(&small, memory, 5); /* would fit, but it came later */
    device_memory_release(memory, MACHINE_MEMORY, 20);
    assert_false(atomic_load(&large.reserved));
    assert_false(atomic_load(&small.reserved));
    device_memory_release(memory, MACHINE_MEMORY, 60);
    assert_true(trainer_join(&large));
    assert_true(trainer_join(&small));
    device_memory_free(memory);
}

static void test_who_waits_can_give_up(void **state)
{
    struct device_memory *memory = device_memory_new(NULL, 0, 0, 100);
    struct trainer waiting;
    assert_true(device_memory_reserve(memory, MACHINE_MEMORY, 500, never, NULL)); /* alone: the machine says whether */
    trainer_start(&waiting, memory, 1);
    atomic_store(&waiting.cancelled, true);
    device_memory_wake(memory);
    assert_false(trainer_join(&waiting));
    device_memory_release(memory, MACHINE_MEMORY, 500);
    device_memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_networks_train_one_after_the_other),
        cmocka_unit_test(test_who_waits_can_give_up),
    };
    return cmocka_run_group_tests_name("memory of devices", tests, NULL, NULL);
}
