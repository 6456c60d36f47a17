/* The loop that runs a plan: a flat list of steps, each a leaf with its arguments. */
#ifndef GF_LOOP_H
#define GF_LOOP_H

#include "abi.h"

typedef struct gf_step {
    gf_leaf run;       /* null: a step that needs Python */
    const void *args;
    int64_t items, grain;
    int64_t shared;    /* whether threads share it */
    int64_t beside;    /* how many steps, this one included, run side by side from here on; 0 or 1: it runs alone */
} gf_step;

typedef struct gf_program {
    const gf_step *steps;
    int64_t count, at;
    gf_worker *workers;
    int threads;
    int code;          /* of the leaf that failed */
    int64_t row, value;
    int64_t *times;    /* when each step ended, by gf_now, if anybody asks; else null */
} gf_program;

enum { GF_DONE = 0, GF_PYTHON = 1, GF_FAILED = 2, GF_PAUSED = 3 };

/* Runs steps from program->at on, until all are done, one needs Python, one fails, or 50 ms have passed. The
 * floating-point environment is the default one meanwhile. Steps that run side by side share the threads: their chunks
 * are claimed in turn, one of each step; times say for each of them which part of the time it took. */
int gf_loop(gf_program *program);

/* Nanoseconds of a clock that only goes forward. */
int64_t gf_now(void);

/* Memory for arenas and scratch: 64-byte aligned. What is large lies on huge pages of its own, and goes back to the
 * system when it is freed, by the number of bytes that it was asked for with. Null when there is none. */
void *gf_memory(size_t bytes);
/* The same, all zeros. */
void *gf_zeros(size_t bytes);
void gf_memory_free(void *memory, size_t bytes);
/* Gives freed memory that the C library keeps back to the system, where it can. */
void gf_memory_trim(void);

/* For tests: the allocation after `count` more fails, and all after it; a negative count: none does. Returns how many
 * pieces of memory are in use. */
int64_t gf_memory_fail_after(int64_t count);

#endif
