/* gf_lstm_f32 and gf_rnn_f32: the steps of a recurrent layer whose input projection is already in z.
 *
 * A step multiplies the hidden rows by the recurrent matrix with the rows of z as the residual, so a gate is one chain
 * from zero, then + z; gates are then applied row by row. Scratch, in rows of the block:
 *
 *     LSTM  [ gates: 4 * units each ][ tanh of the cell: units each ][ seen: one float each ]
 *     RNN   [ sums: units each ][ seen: one float each ]
 *
 * `seen` is one from a row's first unmasked step on.
 */
#ifndef GF_RECURRENT_H
#define GF_RECURRENT_H

static void gf_start_state(float *state, const float *from, int64_t begin, int64_t end, int64_t units)
{
    const size_t bytes = (size_t)((end - begin) * units) * sizeof(float);
    if (from)
        memcpy(state + begin * units, from + begin * units, bytes);
    else
        memset(state + begin * units, 0, bytes);
}

/* Before the first step: the hidden state, no row seen, and zeros as the final output, in case there are no steps. */
static void gf_start_rows(float *h, const float *h0, float *last, float *seen, int64_t begin, int64_t end, int64_t units)
{
    gf_start_state(h, h0, begin, end, units);
    memset(seen, 0, (size_t)(end - begin) * sizeof(float));
    if (last)
        memset(last + begin * units, 0, (size_t)((end - begin) * units) * sizeof(float));
}

/* A row's output of one step, to y and to `last`, either of which may be null: h, or zeros. */
GF_INLINE void gf_put_output(float *y, float *last, const float *h, int zero, int64_t units)
{
    float *outputs[2] = {y, last};
    for (int i = 0; i < 2; ++i) {
        if (outputs[i] && zero)
            memset(outputs[i], 0, (size_t)units * sizeof(float));
        else if (outputs[i])
            memcpy(outputs[i], h, (size_t)units * sizeof(float));
    }
}

/* One unmasked step of one row; gates (4 * units) are consumed. */
static void gf_lstm_gates(const gf_lstm_f32_args *g, float *gates, float *squashed, float *h, float *c)
{
    const int64_t n = g->units;
    float *i = gates, *f = gates + n, *candidate = gates + 2 * n, *o = gates + 3 * n;
    gf_activate(g->gate, g->gate_alpha, g->gate_beta, g->gate_gamma, i, i, 2 * n);
    gf_activate(g->act, g->alpha, g->beta, g->gamma, candidate, candidate, n);
    gf_activate(g->gate, g->gate_alpha, g->gate_beta, g->gate_gamma, o, o, n);
    for (int64_t k = 0; k < n; ++k)
        c[k] = s_fma(f[k], c[k], i[k] * candidate[k]);
    gf_activate(g->act, g->alpha, g->beta, g->gamma, c, squashed, n);
    for (int64_t k = 0; k < n; ++k)
        h[k] = o[k] * squashed[k];
}

static int gf_lstm_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_lstm_f32_args *g = arguments;
    const int64_t rows = end - begin, units = g->units, steps = g->steps, slab = steps * 4 * units;
    float *gates = (float *)worker->scratch, *squashed = gates + rows * 4 * units, *seen = squashed + rows * units;
    gf_tile t;
    gf_start_rows(g->h, g->h0, g->last, seen, begin, end, units);
    gf_start_state(g->c, g->c0, begin, end, units);
    gf_set_plain(&t, units, units);
    gf_set_activation(&t, GF_ACT_linear, 0.0, 0.0, 0.0);
    t.at = 0;
    t.ldr = slab;
    t.ldy = 4 * units;
    for (int64_t step = 0; step < steps; ++step) {
        const int64_t source = g->reverse ? steps - 1 - step : step;
        gf_columns all = {g->u, 0, g->z + begin * slab + source * 4 * units, gates, units};
        gf_multiply(&t, &all, g->h + begin * units, rows, 0, 4 * units);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t row = begin + r;
            const int masked = g->mask && !g->mask[row * steps + source];
            float *h = g->h + row * units;
            if (!masked) {
                gf_lstm_gates(g, gates + r * 4 * units, squashed + r * units, h, g->c + row * units);
                seen[r] = 1.0f;
            }
            gf_put_output(g->y ? g->y + (row * steps + step) * units : 0,
                          g->last && step == steps - 1 ? g->last + row * units : 0, h,
                          masked && (g->zero_output || seen[r] == 0.0f), units);
        }
    }
    return GF_OK;
}

static int gf_rnn_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_rnn_f32_args *g = arguments;
    const int64_t rows = end - begin, units = g->units, steps = g->steps, slab = steps * units;
    float *sums = (float *)worker->scratch, *seen = sums + rows * units;
    gf_tile t;
    gf_start_rows(g->h, g->h0, g->last, seen, begin, end, units);
    gf_set_plain(&t, units, units);
    gf_set_activation(&t, GF_ACT_linear, 0.0, 0.0, 0.0);
    t.at = 0;
    t.ldr = slab;
    t.ldy = units;
    for (int64_t step = 0; step < steps; ++step) {
        const int64_t source = g->reverse ? steps - 1 - step : step;
        gf_columns all = {g->u, 0, g->z + begin * slab + source * units, sums, units};
        gf_multiply(&t, &all, g->h + begin * units, rows, 0, units);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t row = begin + r;
            const int masked = g->mask && !g->mask[row * steps + source];
            float *h = g->h + row * units;
            if (!masked) {
                gf_activate(g->act, g->alpha, g->beta, g->gamma, sums + r * units, h, units);
                seen[r] = 1.0f;
            }
            gf_put_output(g->y ? g->y + (row * steps + step) * units : 0,
                          g->last && step == steps - 1 ? g->last + row * units : 0, h,
                          masked && (g->zero_output || seen[r] == 0.0f), units);
        }
    }
    return GF_OK;
}

#endif
