/* Reductions over an axis, softmax, and the fold of several rows into one under them and under pooling.
 *
 * The order in which elements are added depends on the lengths of the axes only.
 */
#ifndef GF_REDUCE_H
#define GF_REDUCE_H

#include "elementwise.h"

enum { GF_FOLD = 9 /* most rows of one fold */, GF_LANES = 256, GF_NARROW = 16 };

GF_INLINE float s_fold(const int64_t kind, float p, float q)
{
    return kind == GF_REDUCE_max ? s_max(p, q) : kind == GF_REDUCE_min ? s_min(p, q) : p + q;
}

GF_INLINE float s_nothing(const int64_t kind)
{
    return kind == GF_REDUCE_max ? -__builtin_inff() : kind == GF_REDUCE_min ? __builtin_inff() : 0.0f;
}

/* y = p[0] + (p[1] + ... + p[rows - 1]), so that a sum of many rows in y grows by sums of eight. A maximum or minimum
 * looks for a NaN apart, in pairs: that is cheaper than one that carries it. */
GF_INLINE void gf_fold_rows(const int64_t kind, const int rows, const float *const *p, float *y, int64_t n, float divisor)
{
    const int ordered = kind == GF_REDUCE_max || kind == GF_REDUCE_min;
    GF_INDEPENDENT for (int64_t i = 0; i < n; i++)
    {
        float v = p[0][i], rest = rows > 1 ? p[1][i] : 0.0f;
        if (ordered && rows == 2) {
            v = s_fold(kind, v, rest);
        } else if (ordered) {
            uint32_t nan = 0;
            for (int j = 1; j < rows; j++)
                v = kind == GF_REDUCE_max ? s_at_least(v, p[j][i]) : s_at_most(v, p[j][i]);
            for (int j = 1; j < rows; j += 2)
                nan |= -(uint32_t)(__builtin_isunordered(p[j - 1][i], p[j][i]) != 0);
            if (rows & 1)
                nan |= -(uint32_t)(p[rows - 1][i] != p[rows - 1][i]);
            v = s_from_bits(s_bits(v) | nan);
        } else if (rows > 1) {
            for (int j = 2; j < rows; j++)
                rest += p[j][i];
            v += rest;
        }
        y[i] = kind == GF_REDUCE_mean ? v / divisor : v;
    }
}

#define GF_FOLD_KINDS(kind, CASE) \
    switch (kind) { \
        CASE(GF_REDUCE_sum) \
        CASE(GF_REDUCE_mean) \
        CASE(GF_REDUCE_max) \
        CASE(GF_REDUCE_min) \
    }

#define GF_FOLD_ROWS_AS(name) \
    case name: \
        switch (rows) { \
        case 1: gf_fold_rows(name, 1, p, y, n, divisor); break; \
        case 2: gf_fold_rows(name, 2, p, y, n, divisor); break; \
        case 3: gf_fold_rows(name, 3, p, y, n, divisor); break; \
        case 4: gf_fold_rows(name, 4, p, y, n, divisor); break; \
        case 6: gf_fold_rows(name, 6, p, y, n, divisor); break; \
        case 9: gf_fold_rows(name, 9, p, y, n, divisor); break; \
        } \
        break;

static void gf_fold_step(int64_t kind, int rows, const float *const *p, float *y, int64_t n, float divisor)
{
    GF_FOLD_KINDS(kind, GF_FOLD_ROWS_AS)
}

/* y = the fold of 1 to GF_FOLD rows p[0..rows) of n elements; a mean divides their sum. p[0] may be y; p is spent. */
GF_INLINE void gf_fold(int64_t kind, int rows, const float **p, float *y, int64_t n, float divisor)
{
    const int64_t partial = kind == GF_REDUCE_mean ? GF_REDUCE_sum : kind;
    while (rows == 5 || rows == 7 || rows == 8) {
        const int now = rows == 5 ? 4 : 6;
        gf_fold_step(partial, now, p, y, n, divisor);
        p += now - 1;
        p[0] = y;
        rows -= now - 1;
    }
    gf_fold_step(kind, rows, p, y, n, divisor);
}

/* y = the fold of `count` rows, ld elements apart */
static void gf_fold_many(int64_t kind, const float *x, int64_t count, int64_t ld, float *y, int64_t n)
{
    const int64_t partial = kind == GF_REDUCE_mean ? GF_REDUCE_sum : kind;
    const float *p[GF_FOLD];
    int rows = 0;
    for (int64_t i = 0; i < count; i++) {
        p[rows++] = x + i * ld;
        if (rows < GF_FOLD && i + 1 < count)
            continue;
        gf_fold(i + 1 < count ? partial : kind, rows, p, y, n, (float)count);
        p[0] = y;
        rows = 1;
    }
}

/* A few columns: `beside` rows, a power of two, go side by side into lanes, and a tree folds the lanes at the end. */
GF_INLINE void gf_fold_lanes(const int64_t kind, const float *x, int64_t middle, const int64_t inner, int64_t beside,
                             float *y)
{
    float lane[GF_LANES];
    const int64_t width = beside * inner, blocks = middle / beside, rest = middle % beside * inner;
    if (blocks == 0)
        for (int64_t j = 0; j < width; j++)
            lane[j] = s_nothing(kind);
    else
        gf_fold_many(kind == GF_REDUCE_mean ? GF_REDUCE_sum : kind, x, blocks, width, lane, width);
    for (int64_t j = 0; j < rest; j++)
        lane[j] = s_fold(kind, lane[j], x[blocks * width + j]);
    for (int64_t half = width / 2; half >= inner; half /= 2)
        for (int64_t j = 0; j < half; j++)
            lane[j] = s_fold(kind, lane[j], lane[j + half]);
    for (int64_t j = 0; j < inner; j++)
        y[j] = kind == GF_REDUCE_mean ? lane[j] / (float)middle : lane[j];
}

#define GF_FOLD_ROW_AS(name) \
    case name: \
        if (n < 128) \
            gf_fold_lanes(name, x, n, 1, 16, &y); \
        else \
            gf_fold_lanes(name, x, n, 1, 64, &y); \
        break;

#define GF_FOLD_COLUMNS_AS(name) case name: gf_fold_lanes(name, x, middle, inner, 16, y); break;

/* The fold of one contiguous row. */
static float gf_fold_row(int64_t kind, const float *x, int64_t n)
{
    float y = 0.0f;
    GF_FOLD_KINDS(kind, GF_FOLD_ROW_AS)
    return y;
}

/* The fold of rows of fewer than GF_NARROW elements. */
static void gf_fold_columns(int64_t kind, const float *x, int64_t middle, int64_t inner, float *y)
{
    GF_FOLD_KINDS(kind, GF_FOLD_COLUMNS_AS)
}

static int gf_reduce_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_reduce_f32_args *s = args;
    const int64_t inner = s->inner, middle = s->middle;
    (void)worker;
    for (int64_t item = begin; item < end; item++) {
        const float *x = s->x + item * middle * inner;
        float *y = s->y + item * inner;
        if (inner == 1)
            *y = gf_fold_row(s->kind, x, middle);
        else if (inner < GF_NARROW || middle == 0)
            for (int64_t j = 0; j < inner; j += GF_NARROW)
                gf_fold_columns(s->kind, x, middle, gf_smaller(GF_NARROW, inner - j), y + j);
        else
            for (int64_t j = 0; j < inner; j += GF_PIECE / 2)
                gf_fold_many(s->kind, x + j, middle, inner, y + j, gf_smaller(GF_PIECE / 2, inner - j));
    }
    return GF_OK;
}

static int gf_softmax_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_softmax_f32_args *s = args;
    float piece[GF_PIECE / 2];
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const float *x = s->x + row * s->n;
        float *y = s->y + row * s->n;
        const float top = gf_fold_row(GF_REDUCE_max, x, s->n);
        float sum = 0.0f;
        for (int64_t first = 0; first < s->n; first += GF_PIECE / 2) {
            const int64_t n = gf_smaller(GF_PIECE / 2, s->n - first);
            float *e = s->log ? piece : y + first;
            GF_INDEPENDENT for (int64_t i = 0; i < n; i++) e[i] = s_exp_negative(x[first + i] - top);
            sum += gf_fold_row(GF_REDUCE_sum, e, n);
        }
        const float scale = s->log ? s_log(sum) : 1.0f / sum;
        if (s->log) {
            GF_INDEPENDENT for (int64_t i = 0; i < s->n; i++) y[i] = (x[i] - top) - scale;
        } else {
            GF_INDEPENDENT for (int64_t i = 0; i < s->n; i++) y[i] *= scale;
        }
    }
    return GF_OK;
}

#endif
