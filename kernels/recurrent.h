/* gf_recurrent_f32: LSTM, GRU and SimpleRNN over a whole sequence, their input's projection included.
 *
 * The input of `chunk` steps at a time is projected into z, which stays in the cache; then, step by step, the state is
 * multiplied by the recurrent matrix, and the gates are applied row by row (recurrent_gates.h). Gates add z to the
 * product, so that a gate is one chain from zero, + bias, + z.
 *
 * The work is a list of tasks: the start, then one for each step, or two where the GRU's reset gate comes before the
 * product. A task is done in `parts` of the units. With one part, an item is a block of rows with all its tasks. With
 * more, each is an item, and all that hold items of a block go through its tasks side by side: a part of a task may
 * begin when all parts of the task before are done. Whoever is through with its own part takes those that nobody has
 * begun, so that a block is completed by whoever is there, even one thread alone, and nobody waits for a part that is
 * not being computed. The states then have two places, by turns.
 *
 * Memory of a block of `rows`, in floats; `work` where there are parts, else scratch:
 *
 *     [ states: 2 * rows * units ]      with parts only
 *     [ scaled: rows * units ][ seen: rows * parts ][ sums: rows * gates * units ][ z: rows * chunk * gates * units ]
 *
 * `scaled` is the state times the reset gate; `seen` is one from a row's first unmasked step on. A block has
 * 16 * (parts + 1) counters, which are zero before the step: how many parts of tasks are done; for each part, how many
 * of its tasks are begun.
 */
#ifndef GF_RECURRENT_H
#define GF_RECURRENT_H

#include <sched.h>
#include <stdatomic.h>

enum { GF_COUNTER = 16 }; /* each has a line of its own */

typedef struct gf_block {
    const gf_recurrent_f32_args *g;
    int64_t begin, rows, parts, gates, phases, tasks;
    float *state[2], *scaled, *seen, *sums, *z;
    gf_row_function row;
} gf_block;

static int64_t gf_gates_count(const gf_recurrent_f32_args *g)
{
    return g->kind == GF_KIND_lstm ? 4 : g->kind == GF_KIND_gru ? 3 : 1;
}

/* The states before the first step, no row seen, and zeros as the final output, in case there are no steps. */
static void gf_start_part(const gf_block *b, int64_t part, int64_t first, int64_t last)
{
    const gf_recurrent_f32_args *g = b->g;
    const size_t bytes = (size_t)(last - first) * sizeof(float);
    for (int64_t r = 0; r < b->rows; ++r) {
        const int64_t at = (b->begin + r) * g->units + first, here = r * g->units + first;
        if (g->h0)
            memcpy(b->state[0] + here, g->h0 + at, bytes);
        else
            memset(b->state[0] + here, 0, bytes);
        if (g->h + at != b->state[0] + here)
            memcpy(g->h + at, b->state[0] + here, bytes);
        if (g->c && g->c0)
            memcpy(g->c + at, g->c0 + at, bytes);
        else if (g->c)
            memset(g->c + at, 0, bytes);
        if (g->last)
            memset(g->last + (b->begin + r) * g->ldy + first, 0, bytes);
        b->seen[part * b->rows + r] = 0.0f;
    }
}

/* z of the part's columns for the steps [step, step + count), in the order of the source: (steps, rows, columns). */
static void gf_project(const gf_block *b, float *z, int64_t step, int64_t count, int64_t first, int64_t last)
{
    const gf_recurrent_f32_args *g = b->g;
    const int64_t sequence = g->steps * g->ldx, width = b->gates * (last - first);
    const int64_t source = g->reverse ? g->steps - step - count : step;
    const float *x = g->x + b->begin * sequence + source * g->ldx;
    const gf_sweep along_steps = {x, g->w, g->bias, z, g->features, b->gates * first, b->gates * last, b->rows,
                                  sequence, width, count, g->ldx, b->rows * width};
    const gf_sweep along_rows = {x, g->w, g->bias, z, g->features, b->gates * first, b->gates * last, count,
                                 g->ldx, b->rows * width, b->rows, sequence, width};
    gf_sweep_columns(count >= b->rows || count >= GF_TILE_M ? &along_steps : &along_rows, 0);
}

/* A masked row keeps its state and repeats its output. */
static void gf_keep_row(const gf_gates *r, int zero)
{
    const size_t bytes = (size_t)(r->last - r->first) * sizeof(float);
    if (r->to != r->from)
        memcpy(r->to + r->first, r->from + r->first, bytes);
    if (r->y && zero)
        memset(r->y + r->first, 0, bytes);
    else if (r->y)
        memcpy(r->y + r->first, r->from + r->first, bytes);
}

static void gf_finish_row(const gf_block *b, const gf_gates *r, int64_t row, int zero)
{
    const gf_recurrent_f32_args *g = b->g;
    const size_t bytes = (size_t)(r->last - r->first) * sizeof(float);
    float *h = g->h + row * g->units;
    if (r->to != h)
        memcpy(h + r->first, r->to + r->first, bytes);
    if (g->last && !zero)
        memcpy(g->last + row * g->ldy + r->first, r->to + r->first, bytes);
}

/* One part of one step, or of one of its two phases. */
static void gf_step_part(const gf_block *b, int64_t step, int64_t phase, int64_t part, int64_t first, int64_t last)
{
    const gf_recurrent_f32_args *g = b->g;
    const int64_t units = g->units, width = b->gates * (last - first), source = g->reverse ? g->steps - 1 - step : step;
    const int64_t target = g->flip ? g->steps - 1 - step : step;
    const int64_t chunk = step / g->chunk * g->chunk, count = gf_min(g->chunk, g->steps - chunk);
    const int64_t before = g->kind == GF_KIND_gru && !g->reset_after, own = before ? 2 : b->gates;
    float *z = b->z + b->rows * g->chunk * b->gates * first, *seen = b->seen + part * b->rows;
    float *sums = b->sums + b->rows * b->gates * first, *candidates = sums + b->rows * 2 * (last - first);
    const float *from = b->state[step & 1];
    gf_sweep s = {from, g->u, 0, sums, units, own * first, own * last, 1, 0, 0, b->rows, units, own * (last - first)};
    if (!phase && step == chunk)
        gf_project(b, z, step, count, first, last);
    if (phase) {
        s.x = b->scaled;
        s.w = g->uh;
        s.y = candidates;
        s.first = first;
        s.last = last;
        s.ldy = last - first;
    }
    gf_sweep_columns(&s, step & 1);
    z += (g->reverse ? chunk + count - 1 - step : step - chunk) * b->rows * width;
    for (int64_t r = 0; r < b->rows; ++r) {
        const int64_t row = b->begin + r;
        const int masked = g->mask && !g->mask[row * g->steps + source];
        gf_gates gates = {g, first, last, sums + r * own * (last - first), candidates + r * (last - first),
                          z + r * width, from + r * units, b->scaled + r * units, b->state[~step & 1] + r * units,
                          g->c ? g->c + row * units : 0, g->y ? g->y + (row * g->steps + target) * g->ldy : 0};
        if (before && !phase) {
            gf_gru_reset(&gates);
            continue;
        }
        const int zero = masked && (g->zero_output || seen[r] == 0.0f);
        if (masked) {
            gf_keep_row(&gates, zero);
        } else {
            b->row(&gates);
            seen[r] = 1.0f;
        }
        if (step == g->steps - 1)
            gf_finish_row(b, &gates, row, zero);
    }
}

static void gf_do_task(const gf_block *b, int64_t task, int64_t part)
{
    const gf_recurrent_f32_args *g = b->g;
    const int64_t first = part * g->part, last = gf_min(first + g->part, g->units);
    if (task)
        gf_step_part(b, (task - 1) / b->phases, (task - 1) % b->phases, part, first, last);
    else
        gf_start_part(b, part, first, last);
}

static void gf_wait_until(atomic_int *done, int64_t count)
{
    for (int spins = 1; atomic_load_explicit(done, memory_order_acquire) < count; ++spins) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
        if (spins % 4096 == 0)
            sched_yield();
    }
}

/* All tasks of a block, as the one who has this part. */
static void gf_do_tasks(const gf_block *b, atomic_int *done, int64_t own)
{
    for (int64_t task = 0; task < b->tasks; ++task) {
        gf_wait_until(done, task * b->parts);
        for (int64_t i = 0; i < b->parts; ++i) {
            const int64_t part = (own + i) % b->parts;
            atomic_int *begun = done + (part + 1) * GF_COUNTER;
            int expected = (int)task;
            if (atomic_load_explicit(begun, memory_order_relaxed) == expected &&
                atomic_compare_exchange_strong(begun, &expected, expected + 1)) {
                gf_do_task(b, task, part);
                atomic_fetch_add_explicit(done, 1, memory_order_release);
            }
        }
    }
}

static int gf_recurrent_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_recurrent_f32_args *g = arguments;
    gf_block b = {.g = g, .gates = gf_gates_count(g), .row = gf_gates_of(g)};
    b.parts = g->units > g->part ? gf_ceil_div(g->units, g->part) : 1;
    b.phases = g->kind == GF_KIND_gru && !g->reset_after ? 2 : 1;
    b.tasks = 1 + g->steps * b.phases;
    for (int64_t item = begin; item < end; ++item) {
        const int64_t block = item / b.parts;
        float *memory = b.parts > 1 ? g->work + block * g->work_step : (float *)worker->scratch;
        b.begin = block * g->block_m;
        b.rows = gf_min(g->block_m, g->batch - b.begin);
        b.state[0] = b.state[1] = g->h + b.begin * g->units;
        if (b.parts > 1) {
            b.state[0] = memory;
            b.state[1] = b.state[0] + b.rows * g->units;
            memory = b.state[1] + b.rows * g->units;
        }
        b.scaled = memory;
        b.seen = b.scaled + b.rows * g->units;
        b.sums = b.seen + b.rows * b.parts;
        b.z = b.sums + b.rows * b.gates * g->units;
        if (b.parts > 1)
            gf_do_tasks(&b, (atomic_int *)g->counters + block * GF_COUNTER * (b.parts + 1), item % b.parts);
        else
            for (int64_t task = 0; task < b.tasks; ++task)
                gf_do_task(&b, task, 0);
    }
    return GF_OK;
}

#endif
