/* The loop and the pool of threads under a race detector: several callers run programs at the same time, whose steps
 * are shared between threads, run side by side, do real work, return to the caller, or fail. Every result is checked.
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
enum { SAMPLES = 2, LENGTH = 5, WIDTH = 3, UNITS = 24, SCRATCH = 2048 };

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

/* A recurrent layer whose units are computed in parts, side by side: the same bits as in one part. */
typedef struct {
    float x[SAMPLES * LENGTH * WIDTH], whole[SAMPLES * LENGTH * UNITS], parts[SAMPLES * LENGTH * UNITS];
    float h[2][SAMPLES * UNITS], c[2][SAMPLES * UNITS], work[1 << 14];
    _Alignas(64) int32_t counters[16 * 8];
} gf_sequence;

static float gf_weights[UNITS * 4 * UNITS];

static gf_recurrent_f32_args gf_layer(gf_sequence *s, float *y, int64_t part)
{
    gf_recurrent_f32_args g;
    memset(&g, 0, sizeof g);
    g.x = s->x, g.w = g.u = gf_weights, g.y = y, g.h = s->h[0], g.c = s->c[0], g.work = s->work, g.counters = s->counters;
    g.kind = GF_KIND_lstm, g.batch = g.block_m = SAMPLES, g.steps = LENGTH, g.features = WIDTH, g.units = UNITS;
    g.ldx = WIDTH, g.ldy = UNITS, g.part = part, g.chunk = 2, g.work_step = 1 << 14, g.act = GF_ACT_tanh, g.gate = GF_ACT_sigmoid;
    return g;
}

static void gf_check_sequence(gf_sequence *s, gf_worker *workers, int run)
{
    const int64_t parts = UNITS / gf_leaves_base.tile_n;
    gf_recurrent_f32_args whole = gf_layer(s, s->whole, UNITS), split = gf_layer(s, s->parts, gf_leaves_base.tile_n);
    gf_worker alone = {(char *)s->work, 0, 0};
    for (int i = 0; i < SAMPLES * LENGTH * WIDTH; ++i)
        s->x[i] = (float)((i * 7 + run) % 11 - 5) / 16.0f;
    gf_find("recurrent_f32")(&whole, 0, 1, &alone);
    memset(s->counters, 0, sizeof s->counters);
    gf_step step = {gf_find("recurrent_f32"), &split, parts, 1, 1, 1};
    gf_program program = {&step, 1, 0, workers, THREADS, 0, 0, 0, 0};
    gf_check(gf_loop(&program) == GF_DONE, "the end of a layer", run);
    gf_check(!memcmp(s->whole, s->parts, sizeof s->whole), "a layer", run);
}

/* Two layers and a sum side by side, an item a row; the sum fails in some runs. Times part what the three took. */
static void gf_check_group(gf_sequence *s, gf_worker *workers, int run)
{
    enum { ROW = LENGTH * UNITS };
    float first[SAMPLES * ROW], second[SAMPLES * ROW];
    int64_t in[ITEMS], out[ITEMS], times[4], fails = run % 3 == 1;
    gf_recurrent_f32_args one = gf_layer(s, first, UNITS), other = gf_layer(s, second, UNITS);
    gf_sum_args sum = {out, in, fails ? 40 : -1};
    one.block_m = other.block_m = 1, other.flip = 1, other.h = s->h[1], other.c = s->c[1];
    for (int i = 0; i < ITEMS; ++i)
        in[i] = i * run;
    const gf_step steps[] = {{gf_find("recurrent_f32"), &one, SAMPLES, 1, 1, 3},
                             {gf_find("recurrent_f32"), &other, SAMPLES, 1, 1, 1},
                             {gf_sum, &sum, ITEMS, 9, 1, 1},
                             {gf_sum, &sum, ITEMS, 9, 1, 1}};
    gf_program program = {steps, 4, 0, workers, THREADS, 0, 0, 0, run % 2 ? times : 0};
    const int result = gf_loop(&program);
    if (fails) {
        gf_check(result == GF_FAILED && program.at == 2 && program.row == 40 && program.value == -40, "a failure", run);
        return;
    }
    gf_check(result == GF_DONE && program.at == 4, "the end of a group", run);
    gf_check(!memcmp(s->whole, first, sizeof first), "the first of a group", run);
    for (int r = 0; r < SAMPLES; ++r)
        for (int t = 0; t < LENGTH; ++t)
            gf_check(!memcmp(first + r * ROW + t * UNITS, second + r * ROW + (LENGTH - 1 - t) * UNITS,
                             sizeof(float) * UNITS),
                     "the second of a group", run);
    for (int i = 0; i < ITEMS; ++i)
        gf_check(out[i] == 2 * in[i] + i, "the third of a group", run);
    for (int i = 1; i < 4 && run % 2; ++i)
        gf_check(times[i] >= times[i - 1], "the times of a group", run);
}

static void *gf_caller(void *which)
{
    gf_sequence *sequence = aligned_alloc(64, (sizeof(gf_sequence) + 63) / 64 * 64);
    float *x = malloc(sizeof(float) * ROWS * INNER), *y = malloc(sizeof(float) * ROWS * COLUMNS);
    int64_t values[STEPS + 1][ITEMS];
    gf_sum_args args[STEPS];
    gf_worker workers[THREADS];
    gf_step steps[STEPS + 1];
    gf_gemm_f32_args gemm;
    int64_t blocks = gf_leaves_base.tile_m, columns = gf_leaves_base.tile_n, id = (int64_t)(size_t)which;
    char *scratch = aligned_alloc(64, SCRATCH * THREADS);
    for (int i = 0; i < THREADS; ++i)
        workers[i].scratch = scratch + SCRATCH * i;
    for (int i = 0; i < ROWS * INNER; ++i)
        x[i] = (float)((i * 7 + id) % 5);
    memset(&gemm, 0, sizeof gemm);
    gemm.x = x, gemm.w = gf_ones, gemm.y = y;
    gemm.m = ROWS, gemm.n = COLUMNS, gemm.k = INNER;
    gemm.ldx = INNER, gemm.ldr = gemm.ldy = COLUMNS;
    gemm.block_m = blocks, gemm.block_n = columns;
    for (int run = 0; run < RUNS; ++run) {
        gf_check_sequence(sequence, workers, run);
        gf_check_group(sequence, workers, run);
        int fails = run % 7 == 3, pauses = run % 5 == 1;
        for (int i = 0; i < ITEMS; ++i)
            values[0][i] = i * (run + 1) + id;
        for (int s = 0; s < STEPS; ++s) {
            args[s] = (gf_sum_args){values[s + 1], values[s], fails && s == 3 ? 50 : -1};
            steps[s] = (gf_step){pauses && s == 2 ? 0 : gf_sum, &args[s], ITEMS, 9, 1, 1};
        }
        steps[STEPS] = (gf_step){gf_find("gemm_f32"), &gemm,
                                 (ROWS + blocks - 1) / blocks * ((COLUMNS + columns - 1) / columns), 1, 1, 1};
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
    free(x), free(y), free(scratch), free(sequence);
    return 0;
}

int main(void)
{
    pthread_t threads[CALLERS];
    for (int i = 0; i < UNITS * 4 * UNITS; ++i)
        gf_weights[i] = (float)(i * 5 % 13 - 6) / 32.0f;
    for (int i = 0; i < INNER * COLUMNS; ++i)
        gf_ones[i] = 1;
    for (size_t i = 0; i < CALLERS; ++i)
        pthread_create(&threads[i], 0, gf_caller, (void *)i);
    for (int i = 0; i < CALLERS; ++i)
        pthread_join(threads[i], 0);
    puts("ok");
    return 0;
}
