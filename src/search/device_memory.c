/*
 * device_memory.c - an account for each GPU and one for the machine, each with a queue of those who wait.
 *
 * What the libraries allocate for themselves isn't reserved: a tenth of the memory stays free for that.
 */
#include "search/device_memory.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "device/cuda.h"
#include "util/bug.h"
#include "util/memory.h"

struct waiter {
    struct waiter *next;
};

struct account {
    double bytes, reserved;
    int trials;           /* that have a reservation */
    struct waiter *first; /* the head of the queue; each waiter is on its thread's stack */
};

struct device_memory {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct account accounts[1 + CUDA_DEVICES_MAX]; /* by number, from MACHINE_MEMORY */
};

static struct account *account_of(struct device_memory *memory, int gpu)
{
    return &memory->accounts[gpu - MACHINE_MEMORY];
}

/* INFINITY where it isn't known: then an allocation fails when there is no more. */
static double free_bytes(int gpu)
{
    double bytes;
    const struct cuda_module *module = cuda_module(NULL);
    return module && module->memory_free(gpu, &bytes, NULL) == 0 ? bytes : INFINITY;
}

struct device_memory *device_memory_new(const struct device *devices, int count, double images, double machine)
{
    struct device_memory *memory = memory_new(1, sizeof *memory);
    if (pthread_mutex_init(&memory->mutex, NULL) || pthread_cond_init(&memory->changed, NULL))
        BUG("no mutex for the memory of devices");
    account_of(memory, MACHINE_MEMORY)->bytes = 0.9 * machine;
    for (int i = 0; i < count; i++)
        if (devices[i].cuda)
            account_of(memory, devices[i].gpu)->bytes = 0.9 * (free_bytes(devices[i].gpu) - images);
    return memory;
}

void device_memory_free(struct device_memory *memory)
{
    pthread_cond_destroy(&memory->changed);
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

static void add_waiter(struct account *account, struct waiter *waiter)
{
    struct waiter **last = &account->first;
    while (*last)
        last = &(*last)->next;
    *last = waiter;
}

static void remove_waiter(struct account *account, const struct waiter *waiter)
{
    struct waiter **at = &account->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
}

bool device_memory_reserve(struct device_memory *memory, int gpu, double bytes, bool (*cancelled)(void *context),
                           void *context)
{
    struct account *account = account_of(memory, gpu);
    struct waiter waiter = {NULL};
    bool gone;
    pthread_mutex_lock(&memory->mutex);
    add_waiter(account, &waiter);
    while (!(gone = cancelled(context)) &&
           (account->first != &waiter || (account->trials && account->reserved + bytes > account->bytes)))
        pthread_cond_wait(&memory->changed, &memory->mutex);
    remove_waiter(account, &waiter);
    if (!gone) {
        account->reserved += bytes;
        account->trials++;
    }
    pthread_cond_broadcast(&memory->changed); /* another waiter is the first now */
    pthread_mutex_unlock(&memory->mutex);
    return !gone;
}

void device_memory_release(struct device_memory *memory, int gpu, double bytes)
{
    pthread_mutex_lock(&memory->mutex);
    account_of(memory, gpu)->reserved -= bytes;
    account_of(memory, gpu)->trials--;
    pthread_cond_broadcast(&memory->changed);
    pthread_mutex_unlock(&memory->mutex);
}

void device_memory_wake(struct device_memory *memory)
{
    pthread_mutex_lock(&memory->mutex);
    pthread_cond_broadcast(&memory->changed);
    pthread_mutex_unlock(&memory->mutex);
}
