/* What a recurrent step does to a row once its products are there, one block of units after another.
 *
 * All columns of a recurrent layer are ordered by blocks of GF_VL units, the gates of a block side by side, so that a
 * block is a few whole vectors; the last block is as narrow as what is left, and is computed in whole vectors, too:
 *
 *     LSTM  [ i f o c ][ i f o c ] ...        GRU  [ z r c ][ z r c ] ...        RNN  [ c ][ c ] ...
 */
#ifndef GF_RECURRENT_GATES_H
#define GF_RECURRENT_GATES_H

/* One row of one step: `sums` are the products of the previous state, z the projected input, both of the columns from
 * unit `first` on; `to`, and y if it is not null, get the new state, `cell` is changed in place. */
typedef struct gf_gates {
    const gf_recurrent_f32_args *g;
    int64_t first, last; /* units */
    const float *sums, *candidates, *z, *from;
    float *scaled, *to, *cell, *y;
} gf_gates;

/* n lanes of x, zeros behind them; or the sum of x and y. */
GF_INLINE void gf_get_lanes(float *lanes, const float *x, int64_t n)
{
    v_store(lanes, n == GF_VL ? v_load(x) : v_load_n(x, n));
}

GF_INLINE void gf_add_lanes(float *lanes, const float *x, const float *y, int64_t n)
{
    v_store(lanes, n == GF_VL ? v_add(v_load(x), v_load(y)) : v_add(v_load_n(x, n), v_load_n(y, n)));
}

GF_INLINE void gf_put_lanes(float *y, const float *lanes, int64_t n)
{
    if (n == GF_VL)
        v_store(y, v_load(lanes));
    else
        v_store_n(y, v_load(lanes), n);
}

#define GF_LANES(k) GF_INDEPENDENT for (int k = 0; k < GF_VL; ++k)

static __attribute__((noinline)) void gf_any_gate(const gf_recurrent_f32_args *g, float *lanes, int64_t n)
{
    gf_activate(g->gate, g->gate_alpha, g->gate_beta, g->gate_gamma, lanes, lanes, n);
}

static __attribute__((noinline)) void gf_any_act(const gf_recurrent_f32_args *g, float *lanes, int64_t n)
{
    gf_activate(g->act, g->alpha, g->beta, g->gamma, lanes, lanes, n);
}

/* usual: the gates are sigmoids and the activation is tanh, known where this is compiled. */
GF_INLINE void gf_lstm_block(const gf_gates *r, int64_t unit, int64_t n, int usual)
{
    const int64_t at = 4 * (unit - r->first);
    float a[4 * GF_VL], c[GF_VL], h[GF_VL];
    float *const i = a, *const f = a + GF_VL, *const o = a + 2 * GF_VL, *const candidate = a + 3 * GF_VL;
#pragma GCC unroll 4
    for (int gate = 0; gate < 4; ++gate)
        gf_add_lanes(a + gate * GF_VL, r->sums + at + gate * n, r->z + at + gate * n, n);
    gf_get_lanes(c, r->cell + unit, n);
    if (usual) {
        GF_LANES(k)
        {
            c[k] = s_fma(s_sigmoid(f[k]), c[k], s_sigmoid(i[k]) * s_tanh(candidate[k]));
            h[k] = s_sigmoid(o[k]) * s_tanh(c[k]);
        }
    } else {
        gf_any_gate(r->g, a, 3 * GF_VL);
        gf_any_act(r->g, candidate, GF_VL);
        GF_LANES(k) h[k] = c[k] = s_fma(f[k], c[k], i[k] * candidate[k]);
        gf_any_act(r->g, h, GF_VL);
        GF_LANES(k) h[k] = o[k] * h[k];
    }
    gf_put_lanes(r->cell + unit, c, n);
    gf_put_lanes(r->to + unit, h, n);
    if (r->y)
        gf_put_lanes(r->y + unit, h, n);
}

/* The first of two phases where the reset gate comes before the product: the update gate stays in `sums`, and `scaled`
 * gets the state times the reset gate. */
GF_INLINE void gf_gru_reset_block(const gf_gates *r, float *sums, int64_t unit, int64_t n)
{
    const int64_t at = 2 * (unit - r->first), from = 3 * (unit - r->first);
    float a[2 * GF_VL], h[GF_VL];
    for (int gate = 0; gate < 2; ++gate)
        gf_add_lanes(a + gate * GF_VL, sums + at + gate * n, r->z + from + gate * n, n);
    gf_any_gate(r->g, a, 2 * GF_VL);
    gf_get_lanes(h, r->from + unit, n);
    GF_LANES(k) h[k] = a[GF_VL + k] * h[k];
    gf_put_lanes(sums + at, a, n);
    gf_put_lanes(r->scaled + unit, h, n);
}

GF_INLINE void gf_gru_block(const gf_gates *r, int64_t unit, int64_t n, int usual)
{
    const gf_recurrent_f32_args *g = r->g;
    const int64_t at = 3 * (unit - r->first);
    float a[2 * GF_VL], candidate[GF_VL], z[GF_VL], h[GF_VL];
    gf_get_lanes(h, r->from + unit, n);
    if (g->reset_after) {
        float inner[GF_VL];
        for (int gate = 0; gate < 2; ++gate) {
            gf_get_lanes(a + gate * GF_VL, r->sums + at + gate * n, n);
            if (g->inner) {
                gf_get_lanes(inner, g->inner + 3 * unit + gate * n, n);
                GF_LANES(k) a[gate * GF_VL + k] += inner[k];
            }
            gf_get_lanes(z, r->z + at + gate * n, n);
            GF_LANES(k) a[gate * GF_VL + k] += z[k];
        }
        gf_get_lanes(candidate, r->sums + at + 2 * n, n);
        if (g->inner) {
            gf_get_lanes(inner, g->inner + 3 * unit + 2 * n, n);
            GF_LANES(k) candidate[k] += inner[k];
        }
        gf_get_lanes(z, r->z + at + 2 * n, n);
    } else {
        gf_get_lanes(a, r->sums + 2 * (unit - r->first), n);
        gf_add_lanes(candidate, r->candidates + unit - r->first, r->z + at + 2 * n, n);
    }
    if (usual) { /* and reset_after */
        GF_LANES(k)
        {
            const float update = s_sigmoid(a[k]);
            h[k] = s_fma(update, h[k], (1.0f - update) * s_tanh(s_fma(s_sigmoid(a[GF_VL + k]), candidate[k], z[k])));
        }
    } else {
        if (g->reset_after) {
            gf_any_gate(g, a, 2 * GF_VL);
            GF_LANES(k) candidate[k] = s_fma(a[GF_VL + k], candidate[k], z[k]);
        }
        gf_any_act(g, candidate, GF_VL);
        GF_LANES(k) h[k] = s_fma(a[k], h[k], (1.0f - a[k]) * candidate[k]);
    }
    gf_put_lanes(r->to + unit, h, n);
    if (r->y)
        gf_put_lanes(r->y + unit, h, n);
}

GF_INLINE void gf_rnn_block(const gf_gates *r, int64_t unit, int64_t n, int usual)
{
    float h[GF_VL];
    gf_add_lanes(h, r->sums + unit - r->first, r->z + unit - r->first, n);
    if (usual)
        GF_LANES(k) h[k] = s_tanh(h[k]);
    else
        gf_any_act(r->g, h, GF_VL);
    gf_put_lanes(r->to + unit, h, n);
    if (r->y)
        gf_put_lanes(r->y + unit, h, n);
}

#define GF_ROW_OF_BLOCKS(name, block) \
    static __attribute__((noinline)) void name(const gf_gates *r) \
    { \
        int64_t unit = r->first; \
        for (; unit + GF_VL <= r->last; unit += GF_VL) \
            block(r, unit, GF_VL); \
        if (unit < r->last) \
            block(r, unit, r->last - unit); \
    }
#define GF_LSTM_USUAL(r, unit, n) gf_lstm_block(r, unit, n, 1)
#define GF_LSTM_ANY(r, unit, n) gf_lstm_block(r, unit, n, 0)
#define GF_GRU_USUAL(r, unit, n) gf_gru_block(r, unit, n, 1)
#define GF_GRU_ANY(r, unit, n) gf_gru_block(r, unit, n, 0)
#define GF_GRU_RESET(r, unit, n) gf_gru_reset_block(r, (float *)r->sums, unit, n)
#define GF_RNN_USUAL(r, unit, n) gf_rnn_block(r, unit, n, 1)
#define GF_RNN_ANY(r, unit, n) gf_rnn_block(r, unit, n, 0)

GF_ROW_OF_BLOCKS(gf_lstm_usual, GF_LSTM_USUAL)
GF_ROW_OF_BLOCKS(gf_lstm_any, GF_LSTM_ANY)
GF_ROW_OF_BLOCKS(gf_gru_usual, GF_GRU_USUAL)
GF_ROW_OF_BLOCKS(gf_gru_any, GF_GRU_ANY)
GF_ROW_OF_BLOCKS(gf_gru_reset, GF_GRU_RESET)
GF_ROW_OF_BLOCKS(gf_rnn_usual, GF_RNN_USUAL)
GF_ROW_OF_BLOCKS(gf_rnn_any, GF_RNN_ANY)

typedef void (*gf_row_function)(const gf_gates *);

static gf_row_function gf_gates_of(const gf_recurrent_f32_args *g)
{
    const int usual = g->act == GF_ACT_tanh && (g->kind == GF_KIND_rnn || g->gate == GF_ACT_sigmoid);
    if (g->kind == GF_KIND_lstm)
        return usual ? gf_lstm_usual : gf_lstm_any;
    if (g->kind == GF_KIND_gru)
        return usual && g->reset_after ? gf_gru_usual : gf_gru_any;
    return usual ? gf_rnn_usual : gf_rnn_any;
}

#endif
