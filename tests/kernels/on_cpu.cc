/*
 * on_cpu.cc - all kernels in one file, and the threads that they run on.
 *
 * A kernel with barriers runs on fibres.  The scheduler runs each thread of the block in turn until it reaches a
 * barrier or ends; when all have, it starts again.  If some threads are at a barrier and others have ended, the kernel
 * has a bug, and the program aborts.  A kernel without barriers needs no fibres: it is called once for each thread.
 *
 * ucontext creates a fibre; later switches use _longjmp, which makes no system call.  A fibre that has ended runs the
 * same thread of the next block.  (The thread sanitizer reports a jump to another stack, and the address sanitizer
 * forgets the whole stack at one; for them swapcontext makes every switch.)
 *
 * The shared memory of a block lies in heap blocks of exactly its size, filled with NaN when the block starts.
 */
#include "tests/kernels/cuda_shim.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "kernels/classifier.cu"
#include "kernels/depthwise.cu"
#include "kernels/load.cu"
#include "kernels/norm.cu"
#include "kernels/norm_backward.cu"
#include "kernels/pointwise.cu"
#include "kernels/pool.cu"
#include "kernels/squeeze.cu"
#include "kernels/update.cu"
#include "kernels/weights.cu"

#if defined __SANITIZE_ADDRESS__
#define SHIM_SWAPCONTEXT
#include <sanitizer/common_interface_defs.h>
#else
static void __sanitizer_start_switch_fiber(void **, const void *, size_t)
{
}
static void __sanitizer_finish_switch_fiber(void *, const void **, size_t *)
{
}
#endif

shim_index threadIdx, blockIdx, gridDim;

namespace
{

/* --- kernels --- */

template <typename A> void call(void (*kernel)(A), void **arguments)
{
    kernel(*static_cast<A *>(arguments[0]));
}

struct kernel_entry {
    const char *name;
    void (*run)(void **arguments);
    bool barriers;
};

#define ONE(name, type, barriers) {#name, [](void **arguments) { call(name, arguments); }, barriers},
#define EACH(name, type, barriers)                                                                                     \
    ONE(name##_f32, type, barriers) ONE(name##_bf16, type, barriers) ONE(name##_f16, type, barriers)
const kernel_entry entries[] = {KERNELS(EACH, ONE)};

const kernel_entry *find(const char *name)
{
    for (const kernel_entry &found : entries)
        if (strcmp(found.name, name) == 0)
            return &found;
    return nullptr;
}

[[noreturn]] void bug(const char *name, const char *what)
{
    fprintf(stderr, "%s: block %u,%u of %u,%u: %s\n", name, blockIdx.x, blockIdx.y, gridDim.x, gridDim.y, what);
    abort();
}

/* --- order --- */

pthread_mutex_t one_launch = PTHREAD_MUTEX_INITIALIZER;
shim_order order = SHIM_FORWARD;
uint32_t state = 1;

uint32_t draw(uint32_t bound)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)state * bound >> 32);
}

void fill_order(unsigned *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        numbers[i] = order == SHIM_REVERSE ? count - 1 - i : i;
    for (unsigned i = count - 1; order == SHIM_RANDOM && i > 0; i--) {
        const unsigned other = draw(i + 1), mine = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = mine;
    }
}

/* --- shared memory --- */

enum { SHARED_MOST = 4 };
struct {
    int which;
    void *memory;
} shared[SHARED_MOST];
int shared_count;
size_t shared_bytes;

void forget_shared()
{
    for (int i = 0; i < shared_count; i++)
        free(shared[i].memory);
    shared_count = 0;
    shared_bytes = 0;
}

/* --- fibres --- */

enum { STACK = 32 << 10 };

struct place {
    ucontext_t context;
    jmp_buf jump;
};

/* Save the current place in `from`, and go on at `to`, or at its beginning. */
void change(place *from, place *to, bool begins)
{
#ifdef SHIM_SWAPCONTEXT
    swapcontext(&from->context, &to->context);
#else
    if (_setjmp(from->jump))
        return;
    if (!begins)
        _longjmp(to->jump, 1);
    setcontext(&to->context);
#endif
}

struct fibre {
    struct place place;
    char *stack;
    void *fake_stack; /* of the address sanitizer */
    bool ended;
} fibres[KERNEL_THREADS];
place scheduler;
const void *scheduler_stack;
size_t scheduler_stack_bytes;
fibre *running;

const kernel_entry *launched;
void **launched_arguments;

/* From the running fibre to the scheduler, until it is resumed. */
void pause_fibre()
{
    fibre *me = running;
    __sanitizer_start_switch_fiber(&me->fake_stack, scheduler_stack, scheduler_stack_bytes);
    change(&me->place, &scheduler, false);
    __sanitizer_finish_switch_fiber(me->fake_stack, nullptr, nullptr);
}

void fibre_main()
{
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
    for (;;) {
        launched->run(launched_arguments);
        running->ended = true;
        pause_fibre();
    }
}

void make(fibre *fibre)
{
    fibre->stack = static_cast<char *>(malloc(STACK));
    getcontext(&fibre->place.context);
    fibre->place.context.uc_stack.ss_sp = fibre->stack;
    fibre->place.context.uc_stack.ss_size = STACK;
    makecontext(&fibre->place.context, fibre_main, 0);
}

void resume(fibre *fibre)
{
    static void *fake_stack;
    const bool begins = !fibre->stack;
    running = fibre;
    if (begins)
        make(fibre);
    __sanitizer_start_switch_fiber(&fake_stack, fibre->stack, STACK);
    change(&scheduler, &fibre->place, begins);
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
    running = nullptr;
}

void run_with_barriers()
{
    unsigned numbers[KERNEL_THREADS], ended = 0;
    for (fibre &each : fibres)
        each.ended = false;
    while (ended == 0) {
        fill_order(numbers, KERNEL_THREADS);
        for (const unsigned number : numbers) {
            threadIdx.x = number;
            resume(&fibres[number]);
            ended += fibres[number].ended;
        }
    }
    if (ended < KERNEL_THREADS)
        bug(launched->name, "some threads have ended, others are at a barrier");
}

void run_without_barriers()
{
    unsigned numbers[KERNEL_THREADS];
    fill_order(numbers, KERNEL_THREADS);
    for (const unsigned number : numbers) {
        threadIdx.x = number;
        launched->run(launched_arguments);
    }
}

} // namespace

void __syncthreads()
{
    if (!running)
        bug(launched->name, "a barrier in a kernel that has none in KERNELS (kernels.h)");
    const unsigned number = threadIdx.x;
    pause_fibre();
    threadIdx.x = number;
}

void *shim_shared(int which, size_t bytes)
{
    for (int i = 0; i < shared_count; i++)
        if (shared[i].which == which)
            return shared[i].memory;
    shared_bytes += bytes;
    if (shared_count == SHARED_MOST || shared_bytes > KERNEL_SHARED_MOST)
        bug(launched->name, "more shared memory than kernels.h allows");
    void *memory = malloc(bytes);
    memset(memory, 0xff, bytes);
    shared[shared_count++] = {which, memory};
    return memory;
}

void shim_set_order(enum shim_order next, uint32_t seed)
{
    pthread_mutex_lock(&one_launch);
    order = next;
    state = seed;
    pthread_mutex_unlock(&one_launch);
}

bool shim_has(const char *name)
{
    return find(name) != nullptr;
}

void shim_launch(const char *name, unsigned grid_x, unsigned grid_y, void **arguments)
{
    pthread_mutex_lock(&one_launch);
    launched = find(name);
    launched_arguments = arguments;
    if (!launched)
        bug(name, "no such kernel");
    const unsigned blocks = grid_x * grid_y;
    unsigned *numbers = static_cast<unsigned *>(malloc(blocks * sizeof *numbers));
    fill_order(numbers, blocks);
    gridDim = {grid_x, grid_y, 1};
    for (unsigned i = 0; i < blocks; i++) {
        blockIdx = {numbers[i] % grid_x, numbers[i] / grid_x, 0};
        if (launched->barriers)
            run_with_barriers();
        else
            run_without_barriers();
        forget_shared();
    }
    free(numbers);
    pthread_mutex_unlock(&one_launch);
}

/* --- storage types --- */

static unsigned float_bits(float value)
{
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

uint16_t shim_to_bf16(float value)
{
    const unsigned bits = float_bits(value);
    if (value != value)
        return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16); /* to the nearest, of equally near ones the even */
}

float shim_from_bf16(uint16_t bits)
{
    return __uint_as_float((unsigned)bits << 16);
}

uint16_t shim_to_f16(float value)
{
    const unsigned sign = float_bits(value) >> 16 & 0x8000;
    const float size = fabsf(value);
    if (value != value)
        return 0x7fff;
    if (size >= 65520) /* would round to 2^16 */
        return (uint16_t)(sign | 0x7c00);
    if (size < 0x1p-14f) /* subnormal: a multiple of 2^-24 */
        return (uint16_t)(sign | (unsigned)rintf(size * 0x1p24f));
    const unsigned bits = float_bits(size) - (112u << 23);
    return (uint16_t)(sign | (bits + 0xfff + (bits >> 13 & 1)) >> 13);
}

float shim_from_f16(uint16_t half)
{
    const unsigned sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, digits = half & 0x3ffu;
    if (exponent == 0)
        return __uint_as_float(sign | float_bits((float)digits * 0x1p-24f));
    const unsigned wide = exponent == 31 ? 255 : exponent + 112;
    return __uint_as_float(sign | wide << 23 | digits << 13);
}
