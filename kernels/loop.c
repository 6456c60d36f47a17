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

/* Steps that run side by side. */
typedef struct gf_group {
    const gf_step *steps;
    const gf_worker *workers;
    int64_t count;
    int timed;
    int64_t failed[GF_MOST_THREADS];        /* the step that failed, by worker */
    _Atomic int64_t spent[GF_MOST_THREADS]; /* nanoseconds, by step */
} gf_group;

/* The chunks [begin, end) of a group, as a leaf: the first of each step, then the second of each, and so on. */
static int gf_beside(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    gf_group *group = (gf_group *)arguments;
    for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t which = chunk % group->count;
        const gf_step *step = &group->steps[which];
        const int64_t first = chunk / group->count * step->grain, left = step->items - first;
        if (left <= 0)
            continue;
        const int64_t started = group->timed ? gf_now() : 0;
        const int code = step->run(step->args, first, first + (left < step->grain ? left : step->grain), worker);
        if (group->timed)
            atomic_fetch_add(&group->spent[which], gf_now() - started);
        if (code) {
            group->failed[worker - group->workers] = which;
            return code;
        }
    }
    return GF_OK;
}

/* Parts the time from `started` until now among steps by what each of them took. */
static void gf_part_time(const gf_group *group, int64_t *times, int64_t started)
{
    const int64_t ended = gf_now();
    double all = 0, until = 0;
    for (int64_t i = 0; i < group->count; ++i)
        all += (double)group->spent[i];
    for (int64_t i = 0; i + 1 < group->count; ++i) {
        until += (double)group->spent[i];
        times[i] = started + (int64_t)(all > 0 ? (double)(ended - started) * (until / all) : 0);
    }
    times[group->count - 1] = ended;
}

static int gf_run_group(gf_program *program, const gf_step *steps, int *failed)
{
    gf_group group;
    const int64_t started = program->times ? gf_now() : 0;
    int64_t most = 0;
    group.steps = steps;
    group.workers = program->workers;
    group.count = steps->beside;
    group.timed = program->times != 0;
    for (int64_t i = 0; i < group.count; ++i) {
        const int64_t chunks = (steps[i].items + steps[i].grain - 1) / steps[i].grain;
        most = chunks > most ? chunks : most;
        atomic_init(&group.spent[i], 0);
    }
    const int code = gf_pool_run(gf_beside, &group, most * group.count, 1, steps->shared ? program->threads : 1,
                                 program->workers, failed);
    if (code)
        program->at += group.failed[*failed];
    else if (group.timed)
        gf_part_time(&group, program->times + program->at, started);
    return code;
}

static int gf_steps(gf_program *program)
{
    int64_t started = program->count - program->at > 4 ? gf_now() : 0;
    while (program->at < program->count) {
        const gf_step *step = &program->steps[program->at];
        int failed = 0;
        if (!step->run)
            return GF_PYTHON;
        const int64_t count = step->beside > 1 ? step->beside : 1;
        program->code = count > 1 ? gf_run_group(program, step, &failed)
                                  : gf_pool_run(step->run, step->args, step->items, step->grain,
                                                step->shared ? program->threads : 1, program->workers, &failed);
        if (program->code) {
            program->row = program->workers[failed].row;
            program->value = program->workers[failed].value;
            return GF_FAILED;
        }
        if (program->times && count == 1)
            program->times[program->at] = gf_now();
        program->at += count;
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
