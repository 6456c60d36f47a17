/* The loop and the pool of threads under a race detector: several callers run programs at the same time, whose steps
 * are shared between threads, do real work, return to the caller, or fail. Every result is checked.
 *
 * Built by `make race` with ThreadSanitizer; prints "ok" and ends with 0 when all results are right.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "loop.h"

enum { CALLERS = 4, RUNS = 1500, THREADS = 3, ITEMS = 97, STEPS = 5, ROWS = 24, INNER = 40, COLUMNS = 32 };

typedef struct {
    int64_t *out;
    const int64_t *in;
    int64_t fail_at;
} gf_sum_args;

/* out[i] = 2 in[i] + i; fails at one item if told so, and says at which. */
static int gf_sum(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_sum_args *a = args;
    memset(worker->scratch, (int)(begin & 127), 64);
    for (int64_t i = begin; i < end; ++i) {
        if (i == a->fail_at) {
            worker->row = i;
            worker->value = -i;
            return GF_INDEX_OUT_OF_RANGE;
        }
        a->out[i] = 2 * a->in[i] + i;
    }
    return GF_OK;
}

static gf_leaf gf_find(const char *name)
{
    for (const gf_leaf_row *row = gf_leaves_base.rows; row->name; ++row)
        if (!strcmp(row->name, name))
            return row->run;
    abort();
}

static void gf_check(int right, const char *what, int run)
{
    if (!right) {
        fprintf(stderr, "wrong: %s in run %d\n", what, run);
        exit(1);
    }
}

static float gf_ones[INNER * COLUMNS]; /* packed or not, a matrix of ones is all ones */

static void *gf_caller(void *which)
{
    float *x = malloc(sizeof(float) * ROWS * INNER), *y = malloc(sizeof(float) * ROWS * COLUMNS);
    int64_t values[STEPS + 1][ITEMS];
    gf_sum_args args[STEPS];
    gf_worker workers[THREADS];
    gf_step steps[STEPS + 1];
    gf_gemm_f32_args gemm;
    int64_t blocks = gf_leaves_base.tile_m, columns = gf_leaves_base.tile_n, id = (int64_t)(size_t)which;
    char *scratch = malloc(64 * THREADS);
    for (int i = 0; i < THREADS; ++i)
        workers[i].scratch = scratch + 64 * i;
    for (int i = 0; i < ROWS * INNER; ++i)
        x[i] = (float)((i * 7 + id) % 5);
    memset(&gemm, 0, sizeof gemm);
    gemm.x = x, gemm.w = gf_ones, gemm.y = y;
    gemm.m = ROWS, gemm.n = COLUMNS, gemm.k = INNER;
    gemm.ldx = INNER, gemm.ldr = gemm.ldy = COLUMNS;
    gemm.block_m = blocks, gemm.block_n = columns;
    for (int run = 0; run < RUNS; ++run) {
        int fails = run % 7 == 3, pauses = run % 5 == 1;
        for (int i = 0; i < ITEMS; ++i)
            values[0][i] = i * (run + 1) + id;
        for (int s = 0; s < STEPS; ++s) {
            args[s] = (gf_sum_args){values[s + 1], values[s], fails && s == 3 ? 50 : -1};
            steps[s] = (gf_step){pauses && s == 2 ? 0 : gf_sum, &args[s], ITEMS, 9, 1};
        }
        steps[STEPS] = (gf_step){gf_find("gemm_f32"), &gemm,
                                 (ROWS + blocks - 1) / blocks * ((COLUMNS + columns - 1) / columns), 1, 1};
        gf_program program = {steps, STEPS + 1, 0, workers, THREADS, 0, 0, 0, 0};
        int result = gf_loop(&program);
        while (result == GF_PAUSED || result == GF_PYTHON) {
            if (result == GF_PYTHON) {
                gf_sum(&args[program.at], 0, ITEMS, &workers[0]);
                program.at++;
            }
            result = gf_loop(&program);
        }
        if (fails) {
            gf_check(result == GF_FAILED && program.row == 50 && program.value == -50, "the failure", run);
            continue;
        }
        gf_check(result == GF_DONE, "the end", run);
        for (int i = 0; i < ITEMS; ++i) {
            int64_t wanted = values[0][i];
            for (int s = 0; s < STEPS; ++s)
                wanted = 2 * wanted + i;
            gf_check(values[STEPS][i] == wanted, "a sum", run);
        }
        for (int r = 0; r < ROWS; ++r) {
            float wanted = 0;
            for (int k = 0; k < INNER; ++k)
                wanted += x[r * INNER + k];
            for (int c = 0; c < COLUMNS; ++c)
                gf_check(y[r * COLUMNS + c] == wanted, "a product", run);
        }
    }
    free(x), free(y), free(scratch);
    return 0;
}

int main(void)
{
    pthread_t threads[CALLERS];
    for (int i = 0; i < INNER * COLUMNS; ++i)
        gf_ones[i] = 1;
    for (size_t i = 0; i < CALLERS; ++i)
        pthread_create(&threads[i], 0, gf_caller, (void *)i);
    for (int i = 0; i < CALLERS; ++i)
        pthread_join(threads[i], 0);
    puts("ok");
    return 0;
}
