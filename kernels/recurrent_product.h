/* The products of a recurrent layer: rows times a range of columns of a packed matrix, in either direction.
 *
 * A matrix that is multiplied at every step is walked forwards and backwards by turns: what a step read last is what
 * the next reads first, so a matrix somewhat larger than a cache is still read from it for the most part.
 */
#ifndef GF_RECURRENT_PRODUCT_H
#define GF_RECURRENT_PRODUCT_H

/* Tiles of two panels, for as many rows as leave room for their sums in registers. */
#if GF_TILE_M == 14
enum { GF_FEW_ROWS = 6 };
static const gf_tile_function gf_few_rows[] = {0,           gf_tile_1x4, gf_tile_2x4, gf_tile_3x4,
                                               gf_tile_4x4, gf_tile_5x4, gf_tile_6x4};
#else
enum { GF_FEW_ROWS = 2 };
static const gf_tile_function gf_few_rows[] = {0, gf_tile_1x4, gf_tile_2x4};
#endif

/* y = x . w[:, first : last) + bias, for `sets` sets of `rows` rows. first is a multiple of GF_TILE_N, y is where its
 * column goes. */
typedef struct gf_sweep {
    const float *x, *w, *bias;
    float *y;
    int64_t k, first, last;
    int64_t sets, x_step, y_step; /* elements from set to set */
    int64_t rows, ldx, ldy;
} gf_sweep;

/* A few rows: up to eight vectors at once, which read as many streams and keep the units busy that multiply. Panels come
 * in groups, so that the direction does not change which of them go together. */
static void gf_sweep_few(const gf_sweep *s, gf_tile *t, int64_t set, int backwards)
{
    const int64_t together = s->rows == 1 ? 4 : 2, group = together * GF_TILE_N;
    const int64_t groups = gf_ceil_div(s->last - s->first, group);
    t->a = s->x + set * s->x_step;
    for (int64_t i = 0; i < groups; ++i) {
        int64_t column = s->first + (backwards ? groups - 1 - i : i) * group;
        const int64_t end = s->last - column < group ? s->last : column + group;
        while (column < end) {
            const int64_t full = (end - column) / GF_TILE_N;
            const int64_t panels = s->rows == 1 && full >= 4 ? 4 : full >= 2 ? 2 : 1;
            t->b = s->w + column * s->k;
            t->bias = s->bias ? s->bias + column : 0;
            t->y = s->y + set * s->y_step + column - s->first;
            t->prefetch = t->prefetch_too = t->b;
            t->columns = panels * GF_TILE_N;
            if (panels == 1)
                gf_run_tile(t, s->rows, end - column);
            else
                (panels == 4 ? gf_tile_1x8 : gf_few_rows[s->rows])(t);
            column += panels * GF_TILE_N;
        }
    }
}

static void gf_sweep_columns(const gf_sweep *s, int backwards)
{
    const int64_t panels = gf_ceil_div(s->last - s->first, GF_TILE_N), tiles = gf_ceil_div(s->rows, GF_TILE_M);
    gf_tile t;
    t.at = 0;
    t.residual = 0;
    t.ldr = 0;
    t.ldy = s->ldy;
    t.panel = s->k * GF_TILE_N;
    gf_set_plain(&t, s->k, s->ldx);
    gf_set_activation(&t, GF_ACT_linear, 0.0, 0.0, 0.0);
    if (s->rows <= 2 || (s->rows <= GF_FEW_ROWS && s->sets == 1)) {
        for (int64_t set = 0; set < s->sets; ++set)
            gf_sweep_few(s, &t, set, backwards);
        return;
    }
    for (int64_t i = 0; i < panels; ++i) {
        const int64_t panel = backwards ? panels - 1 - i : i, column = s->first + panel * GF_TILE_N;
        const float *next = s->w + (column + (backwards ? -GF_TILE_N : GF_TILE_N)) * s->k;
        int64_t done = 0;
        t.b = t.prefetch_too = s->w + column * s->k;
        t.bias = s->bias ? s->bias + column : 0;
        for (int64_t set = 0; set < s->sets; ++set) {
            for (int64_t tile = 0, row = 0; tile < tiles; ++tile, ++done) {
                const int64_t height = s->rows / tiles + (tile < s->rows % tiles);
                t.a = s->x + set * s->x_step + row * s->ldx;
                t.y = s->y + set * s->y_step + row * s->ldy + panel * GF_TILE_N;
                t.prefetch = i + 1 < panels && done < GF_TILE_N / 8 ? next + done * 8 * s->k : t.b;
                gf_run_tile(&t, height, s->last - column);
                row += height;
            }
        }
    }
}

#endif
