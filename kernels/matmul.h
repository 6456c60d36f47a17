/* gf_matmul_f32: products of two matrices that are both made during the run, such as those of attention.
 *
 * Either matrix may lie in its tensor with gaps; only the left one's k elements must be consecutive. The right one is
 * packed into scratch, a block of columns at a time, for all row blocks of the item range that follow it; then the
 * tile of gemm.h does the rest, so that an element is the same chain as in gf_gemm_f32.
 */
#ifndef GF_MATMUL_H
#define GF_MATMUL_H

#include "conv.h"
#include "movement.h"

/* Panels of b (k, columns) with strides sk and sn, zeros behind the last. */
static void gf_pack_panels(const float *b, int64_t sk, int64_t sn, float *w, int64_t k, int64_t columns)
{
    const int64_t bytes = (int64_t)sizeof(float);
    for (int64_t i = 0; i < k && sn == 1; i++)
        for (int64_t c = 0; c < columns; c += GF_TILE_N) {
            const int64_t wide = gf_min(columns - c, GF_TILE_N), width = gf_whole_vectors(wide);
            float *row = w + c * k + i * width;
            gf_copy_floats(row, b + i * sk + c, wide);
            gf_zero_floats(row + wide, width - wide);
        }
    for (int64_t c = 0; c < columns && sn != 1; c += GF_TILE_N, w += k * GF_TILE_N) {
        const int64_t wide = gf_min(columns - c, GF_TILE_N), width = gf_whole_vectors(wide);
        const int64_t fours = sk == 1 ? wide / 4 * 4 : 0, tall = k / 4 * 4;
        const float *from = b + c * sn;
        for (int64_t i = 0; fours && i < tall; i += 4)
            for (int64_t j = 0; j < fours; j += 4)
                gf_turn_4x4((const char *)(from + j * sn + i), sn * bytes, (char *)(w + i * width + j), width * bytes);
        for (int64_t i = 0; i < k; i++) {
            for (int64_t j = i < tall ? fours : 0; j < wide; j++)
                w[i * width + j] = from[i * sk + j * sn];
            gf_zero_floats(w + i * width + wide, width - wide);
        }
    }
}

static int gf_matmul_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_matmul_f32_args *g = arguments;
    const int64_t down = gf_ceil_div(g->m, g->block_m), across = gf_ceil_div(g->n, g->block_n);
    float *packed = (float *)worker->scratch;
    int64_t held = -1;
    gf_tile t;
    t.at = 0;
    gf_set_plain(&t, g->k, g->lda);
    gf_set_activation(&t, g->act, g->alpha, g->beta, g->gamma);
    t.ldr = 0;
    t.ldy = g->ldy;
    for (int64_t item = begin; item < end; ++item) {
        const int64_t row = item % down * g->block_m, block = item / down, first = block % across * g->block_n;
        const int64_t batch = block / across, i3 = batch % g->n3, i2 = batch / g->n3 % g->n2;
        const int64_t i1 = batch / g->n3 / g->n2 % g->n1, i0 = batch / g->n3 / g->n2 / g->n1;
        const float *a = g->a + i0 * g->a0 + i1 * g->a1 + i2 * g->a2 + i3 * g->a3 + row * g->lda;
        const float *b = g->b + i0 * g->b0 + i1 * g->b1 + i2 * g->b2 + i3 * g->b3 + first * g->sn;
        float *y = g->y + i0 * g->y0 + i1 * g->y1 + i2 * g->y2 + i3 * g->y3 + row * g->ldy + first;
        const int64_t rows = gf_min(g->m - row, g->block_m), columns = gf_min(g->n - first, g->block_n);
        const gf_columns all = {packed, g->bias ? g->bias + first : 0, 0, y, g->k, 0};
        if (held != block)
            gf_pack_panels(b, g->sk, g->sn, packed, g->k, columns);
        held = block;
        gf_multiply(&t, &all, a, rows, 0, columns);
    }
    return GF_OK;
}

#endif
