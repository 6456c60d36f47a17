/* gf_gru_f32: the steps of a GRU whose input projection is already in z.
 *
 * The update and reset gates are one product with their part of the recurrent matrix; the candidate is another, of
 * the hidden rows (reset_after: the reset gate scales the product) or of the hidden rows times the reset gate. Scratch,
 * in rows of the block:
 *
 *     [ gates: 2 * units each ][ candidate: units each ][ hidden rows times the reset gate: units each ][ seen ]
 */
#ifndef GF_RECURRENT_GRU_H
#define GF_RECURRENT_GRU_H

/* The candidate before its activation: z + reset * product, or the product, which has z in it already. */
static void gf_gru_candidate(const gf_gru_f32_args *g, const float *z, const float *reset, float *candidate)
{
    const int64_t n = g->units;
    if (g->reset_after)
        for (int64_t k = 0; k < n; ++k)
            candidate[k] = s_fma(reset[k], candidate[k], z[k]);
    gf_activate(g->act, g->alpha, g->beta, g->gamma, candidate, candidate, n);
}

static int gf_gru_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_gru_f32_args *g = arguments;
    const int64_t rows = end - begin, units = g->units, steps = g->steps, slab = steps * 3 * units;
    float *gates = (float *)worker->scratch, *candidates = gates + rows * 2 * units;
    float *scaled = candidates + rows * units, *seen = scaled + rows * units;
    gf_tile t;
    gf_start_rows(g->h, g->h0, g->last, seen, begin, end, units);
    gf_set_plain(&t, units, units);
    gf_set_activation(&t, GF_ACT_linear, 0.0, 0.0, 0.0);
    t.at = 0;
    t.ldr = slab;
    for (int64_t step = 0; step < steps; ++step) {
        const int64_t source = g->reverse ? steps - 1 - step : step;
        const float *z = g->z + begin * slab + source * 3 * units, *from = g->h + begin * units;
        gf_columns both = {g->u, g->bias, z, gates, units};
        gf_columns third = {g->uh, g->bias ? g->bias + 2 * units : 0, g->reset_after ? 0 : z + 2 * units, candidates,
                            units};
        t.ldy = 2 * units;
        gf_multiply(&t, &both, from, rows, 0, 2 * units);
        gf_activate(g->gate, g->gate_alpha, g->gate_beta, g->gate_gamma, gates, gates, rows * 2 * units);
        if (!g->reset_after) {
            for (int64_t r = 0; r < rows; ++r)
                for (int64_t k = 0; k < units; ++k)
                    scaled[r * units + k] = gates[(2 * r + 1) * units + k] * from[r * units + k];
            from = scaled;
        }
        t.ldy = units;
        gf_multiply(&t, &third, from, rows, 0, units);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t row = begin + r;
            const int masked = g->mask && !g->mask[row * steps + source];
            float *h = g->h + row * units, *update = gates + r * 2 * units, *candidate = candidates + r * units;
            if (!masked) {
                gf_gru_candidate(g, z + r * slab + 2 * units, update + units, candidate);
                for (int64_t k = 0; k < units; ++k)
                    h[k] = s_fma(update[k], h[k], (1.0f - update[k]) * candidate[k]);
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
