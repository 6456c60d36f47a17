#define _GNU_SOURCE
#include "loop.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <fenv.h>
#endif

int64_t gf_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int gf_steps(gf_program *program)
{
    int64_t started = program->count - program->at > 4 ? gf_now() : 0;
    while (program->at < program->count) {
        const gf_step *step = &program->steps[program->at];
        int failed = 0;
        if (!step->run)
            return GF_PYTHON;
        program->code = gf_pool_run(step->run, step->args, step->items, step->grain, step->shared ? program->threads : 1,
                                    program->workers, &failed);
        if (program->code) {
            program->row = program->workers[failed].row;
            program->value = program->workers[failed].value;
            return GF_FAILED;
        }
        if (program->times)
            program->times[program->at] = gf_now();
        program->at++;
        if (started && gf_now() - started > 50000000)
            return program->at < program->count ? GF_PAUSED : GF_DONE;
    }
    return GF_DONE;
}

int gf_loop(gf_program *program)
{
    int result;
#if defined(__x86_64__)
    unsigned int kept = _mm_getcsr();
    _mm_setcsr(0x1f80);
#else
    fenv_t kept;
    fegetenv(&kept);
    fesetenv(FE_DFL_ENV);
#endif
    if (program->threads > 1)
        gf_pool_enter();
    result = gf_steps(program);
    if (program->threads > 1)
        gf_pool_leave();
#if defined(__x86_64__)
    _mm_setcsr(kept);
#else
    fesetenv(&kept);
#endif
    return result;
}

static _Atomic int64_t gf_allocations_left = -1, gf_in_use;

enum { GF_HUGE = 2 << 20, GF_PAGE = 1 << 16 };

/* What is large has pages of its own: huge ones, and small ones for the rest that would not fill a huge one. */
static size_t gf_mapped(size_t bytes)
{
    return bytes < 2 * GF_HUGE ? 0 : (bytes + GF_PAGE - 1) / GF_PAGE * GF_PAGE;
}

/* From a border of huge pages on: one more is asked for, and what stands over given back. */
static void *gf_map(size_t bytes)
{
    char *start = mmap(0, bytes + GF_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return 0;
    size_t before = (GF_HUGE - (uintptr_t)start % GF_HUGE) % GF_HUGE;
    if (before)
        munmap(start, before);
    munmap(start + before + bytes, GF_HUGE - before);
#if defined(MADV_HUGEPAGE)
    madvise(start + before, bytes, MADV_HUGEPAGE);
#endif
    return start + before;
}

void *gf_memory(size_t bytes)
{
    void *memory = 0;
    size_t mapped = gf_mapped(bytes);
    int64_t left = atomic_load(&gf_allocations_left);
    if (left == 0)
        return 0;
    if (left > 0)
        atomic_fetch_sub(&gf_allocations_left, 1);
    if (mapped)
        memory = gf_map(mapped);
    else if (posix_memalign(&memory, 64, bytes ? bytes : 64))
        memory = 0;
    if (memory)
        atomic_fetch_add(&gf_in_use, 1);
    return memory;
}

void *gf_zeros(size_t bytes)
{
    void *memory = gf_memory(bytes);
    return memory ? memset(memory, 0, bytes) : 0;
}

void gf_memory_free(void *memory, size_t bytes)
{
    if (!memory)
        return;
    atomic_fetch_sub(&gf_in_use, 1);
    if (gf_mapped(bytes))
        munmap(memory, gf_mapped(bytes));
    else
        free(memory);
}

void gf_memory_trim(void)
{
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

int64_t gf_memory_fail_after(int64_t count)
{
    atomic_store(&gf_allocations_left, count);
    return atomic_load(&gf_in_use);
}
