/* One job at a time: the caller opens it, threads that are awake join, all claim chunks until none is left, the caller
 * closes it and waits for those who joined. A thread that wakes too late finds the job closed and is not waited for.
 *
 *   state   [ epoch : 32 | open : 1 | joined : 31 ]   changed by compare-and-swap, so that nobody joins a closed job
 *
 * After a fork the child has none of the threads: everything is reset and made anew when it is needed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define gf_pause() _mm_pause()
#define gf_default_float() _mm_setcsr(0x1f80)
#else
#include <fenv.h>
#define gf_pause() ((void)0)
#define gf_default_float() fesetenv(FE_DFL_ENV)
#endif

#define GF_OPEN (1ull << 31)
#define GF_JOINED (GF_OPEN - 1)

enum { GF_SPINS_ASLEEP = 10000, GF_SPINS_AWAKE = 40000, GF_SPINS_WAITING = 2000 };

static struct {
    gf_leaf run;
    const void *args;
    int64_t items, grain;
    int threads;
    gf_worker *workers;
    _Atomic int64_t next;
    _Atomic int seat, code, failed;
} gf_job;

static _Atomic uint64_t gf_state;
static atomic_int gf_busy, gf_running, gf_sleepers;
static int gf_started, gf_fork_known;
static pthread_mutex_t gf_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gf_wake = PTHREAD_COND_INITIALIZER;

static void gf_work(int seat)
{
    for (;;) {
        int64_t begin = atomic_fetch_add_explicit(&gf_job.next, gf_job.grain, memory_order_relaxed);
        if (begin >= gf_job.items || atomic_load_explicit(&gf_job.code, memory_order_relaxed))
            return;
        int64_t end = begin + gf_job.grain < gf_job.items ? begin + gf_job.grain : gf_job.items;
        int code = gf_job.run(gf_job.args, begin, end, &gf_job.workers[seat]);
        int none = GF_OK;
        if (code && atomic_compare_exchange_strong(&gf_job.code, &none, code))
            atomic_store(&gf_job.failed, seat);
    }
}

static int gf_join(uint64_t *seen)
{
    uint64_t state = atomic_load_explicit(&gf_state, memory_order_acquire);
    while ((state & GF_OPEN) && state >> 32 != *seen) {
        if (atomic_compare_exchange_weak(&gf_state, &state, state + 1)) {
            *seen = state >> 32;
            return 1;
        }
    }
    return 0;
}

static void *gf_thread(void *unused)
{
    uint64_t seen = 0;
    int spins = 0, was_running = 0;
    (void)unused;
    gf_default_float();
    for (;;) {
        if (gf_join(&seen)) {
            int seat = 1 + atomic_fetch_add(&gf_job.seat, 1);
            if (seat < gf_job.threads)
                gf_work(seat);
            atomic_fetch_sub_explicit(&gf_state, 1, memory_order_release);
            spins = 0;
            continue;
        }
        gf_pause();
        int running = atomic_load_explicit(&gf_running, memory_order_relaxed) > 0;
        if (running != was_running) {
            was_running = running;
            spins = 0;
        }
        if (++spins < (running ? GF_SPINS_AWAKE : GF_SPINS_ASLEEP))
            continue;
        spins = 0;
        pthread_mutex_lock(&gf_mutex);
        atomic_fetch_add(&gf_sleepers, 1);
        uint64_t state = atomic_load(&gf_state);
        while (!((state & GF_OPEN) && state >> 32 != seen)) {
            pthread_cond_wait(&gf_wake, &gf_mutex);
            state = atomic_load(&gf_state);
        }
        atomic_fetch_sub(&gf_sleepers, 1);
        pthread_mutex_unlock(&gf_mutex);
    }
    return 0;
}

static void gf_after_fork(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    gf_mutex = mutex;
    gf_wake = wake;
    gf_started = 0;
    atomic_store(&gf_state, 0);
    atomic_store(&gf_busy, 0);
    atomic_store(&gf_running, 0);
    atomic_store(&gf_sleepers, 0);
}

static void gf_start(int wanted) /* called by the holder of gf_busy only */
{
    if (!gf_fork_known) {
        pthread_atfork(0, 0, gf_after_fork);
        gf_fork_known = 1;
    }
    while (gf_started < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, 0, gf_thread, 0))
            return;
        pthread_detach(thread);
        gf_started++;
    }
}

static int gf_alone(gf_leaf run, const void *args, int64_t items, int64_t grain, gf_worker *workers, int *failed)
{
    *failed = 0;
    for (int64_t begin = 0; begin < items; begin += grain) {
        int code = run(args, begin, begin + grain < items ? begin + grain : items, &workers[0]);
        if (code)
            return code;
    }
    return GF_OK;
}

int gf_pool_run(gf_leaf run, const void *args, int64_t items, int64_t grain, int threads, gf_worker *workers,
                int *failed)
{
    int free = 0;
    if (threads < 2 || items <= grain || !atomic_compare_exchange_strong(&gf_busy, &free, 1))
        return gf_alone(run, args, items, grain, workers, failed);
    gf_start(threads - 1);
    gf_job.run = run;
    gf_job.args = args;
    gf_job.items = items;
    gf_job.grain = grain;
    gf_job.threads = threads;
    gf_job.workers = workers;
    atomic_store_explicit(&gf_job.next, 0, memory_order_relaxed);
    atomic_store_explicit(&gf_job.seat, 0, memory_order_relaxed);
    atomic_store_explicit(&gf_job.code, GF_OK, memory_order_relaxed);
    atomic_store_explicit(&gf_job.failed, 0, memory_order_relaxed);
    uint64_t epoch = (atomic_load(&gf_state) >> 32) + 1;
    epoch = (epoch & 0xffffffffu) ? epoch : 1; /* a new thread has seen epoch 0 */
    atomic_store(&gf_state, epoch << 32 | GF_OPEN);
    if (atomic_load(&gf_sleepers)) {
        pthread_mutex_lock(&gf_mutex);
        pthread_cond_broadcast(&gf_wake);
        pthread_mutex_unlock(&gf_mutex);
    }
    gf_work(0);
    atomic_fetch_and(&gf_state, ~GF_OPEN);
    for (int spins = 0; atomic_load_explicit(&gf_state, memory_order_acquire) & GF_JOINED; spins++) {
        gf_pause();
        if (spins > GF_SPINS_WAITING) {
            sched_yield();
            spins = 0;
        }
    }
    int code = atomic_load(&gf_job.code);
    *failed = atomic_load(&gf_job.failed);
    atomic_store(&gf_busy, 0);
    return code;
}

void gf_pool_enter(void)
{
    atomic_fetch_add(&gf_running, 1);
}

void gf_pool_leave(void)
{
    atomic_fetch_sub(&gf_running, 1);
}
