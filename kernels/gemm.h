/* Matrix products with packed weights: the register tile that convolution and recurrence share, and gf_gemm_f32.
 *
 * A packed (k, n) matrix is a row of panels of GF_TILE_N columns, each stored [k][GF_TILE_N]. Where n is no multiple
 * of GF_TILE_N, the last panel is only as wide as the remainder rounded up to whole vectors, and zero filled:
 *
 *          0           GF_TILE_N           p * GF_TILE_N       n
 *          +-----------+--------- ... -----+-----------+-------+..+
 *     k    | panel 0   | panel 1           |           | panel p  |     panel p starts at element p * k * GF_TILE_N
 *          +-----------+--------- ... -----+-----------+-------+..+
 *
 * The left matrix is not packed: a tile reads up to GF_TILE_M rows that lie `lda` apart, one element at a time.
 *
 * Every output element is one chain of v_fma over ascending k that starts from zero, then + bias, + residual and the
 * activation, whatever the tile: so its bits depend on its row and column alone.
 */
#ifndef GF_GEMM_H
#define GF_GEMM_H

#define GF_LINE (64 / (int64_t)sizeof(float)) /* floats in a cache line */

/* One tile, up to GF_TILE_M rows by the columns of a panel. Its k elements come as taps[0] x taps[1] x taps[2] runs
 * of `run` elements; a tap moves `a` by a_step elements and `b` by b_step rows of the panel. */
typedef struct gf_tile {
    const float *a, *b;
    int64_t lda;
    int64_t panel; /* elements from one full panel to the next */
    int64_t taps[3], a_step[3], b_step[3], run;
    const float *prefetch, *prefetch_too; /* what to bring into the cache meanwhile, a line of each for two k */
    const float *next, *next_end;         /* what the next block of rows will read */
    const float *begun;                   /* the sums of the k elements before these; null: there are none */
    float *unfinished;                    /* where the sums go because more k elements follow; null: none do */
    int64_t ld_sums;                      /* of both, from row to row */
    const float *bias, *residual;
    float *y;
    const int64_t *at; /* row r goes to row at[r] of y and residual; null: to row r */
    int64_t ldr, ldy, columns;
    int64_t act;
    double alpha, beta, gamma;
    float low, high; /* of GF_ACT_relu and GF_ACT_clip */
} gf_tile;

#if defined(GF_AVX512)
GF_INLINE gf_vec v_clamp(gf_vec x, gf_vec low, gf_vec high) { return _mm512_min_ps(high, _mm512_max_ps(low, x)); }
#elif defined(GF_AVX2)
GF_INLINE gf_vec v_clamp(gf_vec x, gf_vec low, gf_vec high) { return _mm256_min_ps(high, _mm256_max_ps(low, x)); }
#else
typedef int32_t gf_mask __attribute__((vector_size(16)));
GF_INLINE gf_vec v_clamp(gf_vec x, gf_vec low, gf_vec high) /* keeps NaN, as the others do */
{
    gf_mask below = (gf_mask)(low > x);
    x = (gf_vec)(((gf_mask)low & below) | ((gf_mask)x & ~below));
    gf_mask above = (gf_mask)(high < x);
    return (gf_vec)(((gf_mask)high & above) | ((gf_mask)x & ~above));
}
#endif

GF_INLINE int gf_clamps(const gf_tile *t) { return t->act == GF_ACT_relu || t->act == GF_ACT_clip; }

static void gf_set_activation(gf_tile *t, int64_t act, double alpha, double beta, double gamma)
{
    t->begun = t->unfinished = 0;
    t->act = act;
    t->alpha = alpha;
    t->beta = beta;
    t->gamma = gamma;
    t->low = act == GF_ACT_clip ? (float)alpha : 0.0f;
    t->high = act == GF_ACT_clip ? (float)beta : INFINITY;
}

/* The product is a matrix with rows `lda` apart: one run of k. */
static void gf_set_plain(gf_tile *t, int64_t k, int64_t lda)
{
    t->lda = lda;
    t->run = k;
    t->next = t->next_end = 0;
    for (int i = 0; i < 3; ++i) {
        t->taps[i] = 1;
        t->a_step[i] = t->b_step[i] = 0;
    }
}

/* The end of a tile of partial vectors or with an activation that is more than a clamp. sums: (rows, width). */
static __attribute__((noinline)) void gf_finish(const gf_tile *t, float *sums, int64_t rows, int64_t width)
{
    int clamps = gf_clamps(t);
    gf_vec low = v_set1(t->low), high = v_set1(t->high);
    for (int64_t r = 0; r < rows; ++r) {
        int64_t row = t->at ? t->at[r] : r;
        for (int64_t c = 0; c < t->columns; c += GF_VL) {
            int64_t n = t->columns - c < GF_VL ? t->columns - c : GF_VL;
            float *p = sums + r * width + c;
            gf_vec x = v_load(p);
            if (t->bias)
                x = v_add(x, v_load_n(t->bias + c, n));
            if (t->residual)
                x = v_add(x, v_load_n(t->residual + row * t->ldr + c, n));
            v_store(p, clamps ? v_clamp(x, low, high) : x);
        }
    }
    if (t->act != GF_ACT_linear && !clamps)
        gf_activate(t->act, t->alpha, t->beta, t->gamma, sums, sums, rows * width);
    for (int64_t r = 0; r < rows; ++r) {
        float *y = t->y + (t->at ? t->at[r] : r) * t->ldy;
        int64_t c = 0;
        for (; c + GF_VL <= t->columns; c += GF_VL)
            v_store(y + c, v_load(sums + r * width + c));
        if (c < t->columns)
            v_store_n(y + c, v_load(sums + r * width + c), t->columns - c);
    }
}

/* One element of k: acc[r][v] += a[r] * b[v]. Rows are reached from every third one. */
GF_INLINE void gf_step(gf_vec *acc, const float *const *a, int64_t lda, const float *b, int64_t panel, int rows,
                       int vecs)
{
    gf_vec w[8];
#pragma GCC unroll 8
    for (int v = 0; v < vecs; ++v)
        w[v] = v_load(b + (v / 2) * panel + (v % 2) * GF_VL);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
        gf_vec x = v_set1(a[r / 3][(r % 3) * lda]);
#pragma GCC unroll 8
        for (int v = 0; v < vecs; ++v)
            acc[r * vecs + v] = v_fma(x, w[v], acc[r * vecs + v]);
    }
}

/* Begins to bring what the tile will write, and what is added to it, into the cache. */
GF_INLINE void gf_fetch_ends(const gf_tile *t, int rows, int vecs)
{
    if (t->at)
        return;
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vecs * GF_VL; v += GF_LINE)
            __builtin_prefetch(t->y + r * t->ldy + v, 1);
    if (t->residual && t->residual != t->y)
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < vecs * GF_VL; v += GF_LINE)
                __builtin_prefetch(t->residual + r * t->ldr + v);
}

/* vecs: 1 or 2 vectors of one panel, or all of vecs / 2 full panels. */
GF_INLINE void gf_tile_body(const gf_tile *t, int rows, int vecs)
{
    enum { BASES = (GF_TILE_M + 2) / 3 };
    gf_vec acc[2 * GF_TILE_M];
    const int64_t lda = t->lda, panel = t->panel, run = t->run, width = (vecs == 1 ? 1 : 2) * GF_VL;
    const float *ahead = t->prefetch, *ahead_too = t->prefetch_too;
    if (vecs <= 2 && t->begun) {
#pragma GCC unroll 32
        for (int i = 0; i < rows * vecs; ++i)
            acc[i] = v_load(t->begun + i / vecs * t->ld_sums + i % vecs * GF_VL);
    } else {
#pragma GCC unroll 32
        for (int i = 0; i < rows * vecs; ++i)
            acc[i] = v_set1(0.0f);
    }
    gf_fetch_ends(t, rows, vecs);
    for (int64_t d = 0; d < t->taps[0]; ++d)
        for (int64_t h = 0; h < t->taps[1]; ++h)
            for (int64_t w = 0; w < t->taps[2]; ++w) {
                const float *a[BASES];
                const float *b = t->b + (d * t->b_step[0] + h * t->b_step[1] + w * t->b_step[2]) * width;
                a[0] = t->a + d * t->a_step[0] + h * t->a_step[1] + w * t->a_step[2];
#pragma GCC unroll 8
                for (int i = 1; i < (rows + 2) / 3; ++i)
                    a[i] = a[i - 1] + 3 * lda;
                int64_t left = run;
                for (; left >= 2; left -= 2) {
                    gf_step(acc, a, lda, b, panel, rows, vecs);
                    __builtin_prefetch(ahead);
                    __builtin_prefetch(ahead_too, 0, 2);
#pragma GCC unroll 8
                    for (int i = 0; i < (rows + 2) / 3; ++i)
                        ++a[i];
                    gf_step(acc, a, lda, b + width, panel, rows, vecs);
#pragma GCC unroll 8
                    for (int i = 0; i < (rows + 2) / 3; ++i)
                        ++a[i];
                    b += 2 * width;
                    ahead += GF_LINE;
                    ahead_too += GF_LINE;
                }
                if (left)
                    gf_step(acc, a, lda, b, panel, rows, vecs);
            }

    if (vecs <= 2 && t->unfinished) {
#pragma GCC unroll 32
        for (int i = 0; i < rows * vecs; ++i)
            v_store(t->unfinished + i / vecs * t->ld_sums + i % vecs * GF_VL, acc[i]);
        return;
    }
    if (t->columns < vecs * GF_VL || !(t->act == GF_ACT_linear || gf_clamps(t))) {
        float sums[2 * GF_TILE_M * GF_VL];
#pragma GCC unroll 32
        for (int i = 0; i < rows * vecs; ++i)
            v_store(sums + i * GF_VL, acc[i]);
        gf_finish(t, sums, rows, vecs * GF_VL);
        return;
    }
    if (t->bias) {
#pragma GCC unroll 32
        for (int i = 0; i < rows * vecs; ++i)
            acc[i] = v_add(acc[i], v_load(t->bias + i % vecs * GF_VL));
    }
    if (t->residual) {
#pragma GCC unroll 32
        for (int i = 0; i < rows * vecs; ++i) {
            int64_t row = t->at ? t->at[i / vecs] : i / vecs;
            acc[i] = v_add(acc[i], v_load(t->residual + row * t->ldr + i % vecs * GF_VL));
        }
    }
    if (gf_clamps(t)) {
        gf_vec low = v_set1(t->low), high = v_set1(t->high);
#pragma GCC unroll 32
        for (int i = 0; i < rows * vecs; ++i)
            acc[i] = v_clamp(acc[i], low, high);
    }
#pragma GCC unroll 32
    for (int i = 0; i < rows * vecs; ++i) {
        int64_t row = t->at ? t->at[i / vecs] : i / vecs;
        v_store(t->y + row * t->ldy + i % vecs * GF_VL, acc[i]);
    }
}

#if GF_TILE_M == 14
#define GF_TILES(T) T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12) T(13) T(14)
#else
#define GF_TILES(T) T(1) T(2) T(3) T(4) T(5) T(6)
#endif
#define GF_TILE_FUNCTION(rows, vecs) \
    static __attribute__((noinline)) void gf_tile_##rows##x##vecs(const gf_tile *t) { gf_tile_body(t, rows, vecs); }
#define GF_TILE_FUNCTIONS(rows) GF_TILE_FUNCTION(rows, 1) GF_TILE_FUNCTION(rows, 2)
#define GF_TILE_ROW(rows) {gf_tile_##rows##x1, gf_tile_##rows##x2},

GF_TILES(GF_TILE_FUNCTIONS)
GF_TILE_FUNCTION(1, 4)
GF_TILE_FUNCTION(1, 8)
GF_TILE_FUNCTION(2, 4)
#if GF_TILE_M == 14
GF_TILE_FUNCTION(3, 4)
GF_TILE_FUNCTION(4, 4)
GF_TILE_FUNCTION(5, 4)
GF_TILE_FUNCTION(6, 4)
#endif

typedef void (*gf_tile_function)(const gf_tile *);
static const gf_tile_function gf_tiles[GF_TILE_M][2] = {GF_TILES(GF_TILE_ROW)};

GF_INLINE int64_t gf_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
GF_INLINE int64_t gf_whole_vectors(int64_t n) { return gf_ceil_div(n, GF_VL) * GF_VL; }
GF_INLINE int64_t gf_min(int64_t a, int64_t b) { return a < b ? a : b; }
GF_INLINE int64_t gf_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* Runs a tile on the panel at t->b, from which on the matrix has `columns` columns. */
GF_INLINE void gf_run_tile(gf_tile *t, int64_t rows, int64_t columns)
{
    t->columns = columns < GF_TILE_N ? columns : GF_TILE_N;
    gf_tiles[rows - 1][t->columns > GF_VL](t);
}

/* Where the tile's panel, bias, residual and output are at a column of a (k, n) matrix. */
typedef struct gf_columns {
    const float *w, *bias, *residual;
    float *y;
    int64_t k;     /* from panel to panel */
    int64_t depth; /* elements of k that a tile takes: all, or a block of them; 0 for all */
} gf_columns;

GF_INLINE void gf_set_column(gf_tile *t, const gf_columns *all, int64_t column, int64_t row)
{
    t->b = all->w + column * all->k;
    t->bias = all->bias ? all->bias + column : 0;
    t->residual = all->residual ? all->residual + row * t->ldr + column : 0;
    t->y = all->y + row * t->ldy + column;
}

/* The first tiles of a panel fetch the next one, each its share; the others what the next block of rows will read. */
GF_INLINE void gf_set_prefetch(gf_tile *t, const gf_columns *all, int64_t tile, int64_t tiles)
{
    const int64_t depth = all->depth ? all->depth : all->k, share = depth / 2 * GF_LINE;
    const int64_t streams = tiles < GF_TILE_N / 8 ? 2 : 1, fetched = tile * streams * share;
    t->prefetch = t->prefetch_too = t->b;
    if (fetched < GF_TILE_N * depth) {
        t->prefetch = t->b + GF_TILE_N * all->k + fetched;
        if (streams == 2 && fetched + share < GF_TILE_N * depth) {
            t->prefetch_too = t->prefetch + share;
            return;
        }
    }
    if (t->next < t->next_end) {
        t->prefetch_too = t->next;
        t->next += share;
    }
}

/* Rows [0, rows) of x times columns [first, last) of the matrix; t is set but for a, b, bias, residual, y. */
static void gf_multiply(gf_tile *t, const gf_columns *all, const float *x, int64_t rows, int64_t first, int64_t last)
{
    const int64_t tiles = gf_ceil_div(rows, GF_TILE_M);
    t->panel = all->k * GF_TILE_N;
    for (int64_t column = first; column < last; column += GF_TILE_N) {
        if (rows <= 2) {
            int64_t full = (last - column) / GF_TILE_N;
            int64_t panels = rows == 1 && full >= 4 ? 4 : full >= 2 ? 2 : 1;
            t->a = x;
            gf_set_column(t, all, column, 0);
            t->prefetch = t->prefetch_too = t->b;
            if (panels == 1) {
                gf_run_tile(t, rows, last - column);
            } else {
                t->columns = panels * GF_TILE_N;
                (rows == 2 ? gf_tile_2x4 : panels == 4 ? gf_tile_1x8 : gf_tile_1x4)(t);
                column += (panels - 1) * GF_TILE_N;
            }
            continue;
        }
        for (int64_t i = 0, row = 0; i < tiles; ++i) {
            int64_t height = rows / tiles + (i < rows % tiles);
            t->a = x + row * t->lda;
            gf_set_column(t, all, column, row);
            gf_set_prefetch(t, all, i, tiles);
            gf_run_tile(t, height, last - column);
            row += height;
        }
    }
}

enum { GF_WAITING = 512 /* columns whose unfinished sums are kept */, GF_MERELY = 10 /* rows that are not copied */ };

/* What gf_multiply does, `depth` elements of k after another. Of them the rows are copied into scratch first, an odd
 * number of lines apart: rows that lie a multiple of a page apart all fall into the same few places of the first-level
 * cache, and drive each other out of it. Sums wait in scratch for the rest of their k elements.
 *
 *     scratch    rows x gf_spread_row(depth)  |  where depth < k: rows x GF_WAITING
 */
GF_INLINE int64_t gf_spread_row(int64_t depth) { return (gf_ceil_div(depth, GF_LINE) | 1) * GF_LINE; }

static void gf_multiply_in_parts(gf_tile *t, const gf_columns *all, const float *x, int64_t ldx, int64_t rows,
                                 int64_t first, int64_t last, int64_t depth, float *scratch)
{
    const int64_t tiles = gf_ceil_div(rows, GF_TILE_M), ld = gf_spread_row(depth);
    const int64_t most = depth < all->k ? GF_WAITING : last - first;
    float *const sums = scratch + rows * ld;
    gf_columns part = *all;
    t->panel = all->k * GF_TILE_N;
    t->ld_sums = GF_WAITING;
    for (int64_t left = first, right; left < last; left = right) {
        right = gf_min(left + most, last);
        for (int64_t done = 0; done < all->k; done += depth) {
            part.depth = gf_min(depth, all->k - done);
            gf_set_plain(t, part.depth, ld);
            for (int64_t row = 0; row < rows && (left == first || depth < all->k); ++row)
                memcpy(scratch + row * ld, x + row * ldx + done, (size_t)part.depth * sizeof(float));
            for (int64_t column = left; column < right; column += GF_TILE_N) {
                const int64_t width = last - column > GF_VL ? GF_TILE_N : GF_VL;
                for (int64_t i = 0, row = 0; i < tiles; ++i) {
                    const int64_t height = rows / tiles + (i < rows % tiles);
                    float *waiting = sums + row * GF_WAITING + column - left;
                    t->a = scratch + row * ld;
                    t->begun = done ? waiting : 0;
                    t->unfinished = done + part.depth < all->k ? waiting : 0;
                    gf_set_column(t, &part, column, row);
                    t->b += done * width;
                    gf_set_prefetch(t, &part, i, tiles);
                    gf_run_tile(t, height, last - column);
                    row += height;
                }
            }
        }
    }
    t->begun = t->unfinished = 0;
}

/* What the next block of rows will read. */
GF_INLINE void gf_set_next(gf_tile *t, const float *next, const float *end)
{
    t->next = next;
    t->next_end = end;
}

static int gf_gemm_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_gemm_f32_args *g = arguments;
    const int64_t across = gf_ceil_div(g->n, g->block_n);
    gf_tile t;
    t.at = 0;
    gf_set_activation(&t, g->act, g->alpha, g->beta, g->gamma);
    t.ldr = g->ldr;
    t.ldy = g->ldy;
    for (int64_t item = begin; item < end; ++item) {
        int64_t row = item / across * g->block_m, first = item % across * g->block_n;
        int64_t rows = g->m - row < g->block_m ? g->m - row : g->block_m;
        int64_t last = g->n - first < g->block_n ? g->n : first + g->block_n;
        gf_columns all = {g->w, g->bias, g->residual ? g->residual + row * g->ldr : 0, g->y + row * g->ldy, g->k, 0};
        if (g->block_k && rows > GF_MERELY) {
            gf_multiply_in_parts(&t, &all, g->x + row * g->ldx, g->ldx, rows, first, last, g->block_k,
                                 (float *)worker->scratch);
            continue;
        }
        gf_set_plain(&t, g->k, g->ldx);
        if (g->ldx == g->k && item + 1 < end && first == 0)
            gf_set_next(&t, g->x + (row + g->block_m) * g->k, g->x + gf_min(row + 2 * g->block_m, g->m) * g->k);
        gf_multiply(&t, &all, g->x + row * g->ldx, rows, first, last);
    }
    return GF_OK;
}

#endif
