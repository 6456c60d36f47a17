/* Windows of a pooling that lie wholly inside the image: one behind another along an output row, a vector of channels at
 * a time, while the input rows under the next windows are on their way.
 */
#ifndef GF_POOL_WINDOWS_H
#define GF_POOL_WINDOWS_H

#include "reduce.h"

enum { GF_AHEAD = 4096 /* bytes of each input row that are fetched before they are needed */ };

/* What is fetched: `rows` stretches of the input, `pitch` elements apart, as far as the window `ahead` of the present
 * one, and behind the last window the beginning of what the next output row reads, `down` elements farther. */
typedef struct gf_pool_ahead {
    const float *x; /* of the first window */
    int64_t rows, pitch, step, windows, ahead, down;
} gf_pool_ahead;

GF_INLINE void gf_pool_fetch(const gf_pool_ahead *a, int64_t window)
{
    int64_t at = window + a->ahead;
    const float *x = at < a->windows ? a->x + at * a->step : a->x + a->down + (at - a->windows) * a->step;
    for (int64_t row = 0; row < a->rows; row++, x += a->pitch)
        for (int64_t i = 0; i < a->step; i += 64 / (int64_t)sizeof(float))
            __builtin_prefetch(x + i);
}

enum { GF_POOL_LARGEST, GF_POOL_DIVIDED, GF_POOL_SCALED };

/* A window's elements of one vector: p[0] + (p[1] + ... ), as gf_fold_rows has it, or the greatest. */
GF_INLINE gf_vec gf_pool_fold(const int how, const int rows, const gf_vec *p, gf_vec number)
{
    gf_vec v = p[0];
    if (how == GF_POOL_LARGEST) {
        gf_flags nan = v_unordered(p[0], p[rows - 1]);
#pragma GCC unroll 8
        for (int j = 1; j < rows; j++)
            v = v_greater(p[j], v);
#pragma GCC unroll 8
        for (int j = 1; j + 1 < rows; j += 2)
            nan = v_either(nan, v_unordered(p[j], p[j + 1]));
        return v_make_nan(v, nan);
    }
    gf_vec rest = p[1];
#pragma GCC unroll 8
    for (int j = 2; j < rows; j++)
        rest = v_add(rest, p[j]);
    v = v_add(v, rest);
    if (how == GF_POOL_SCALED)
        return v_mul(v, number);
    return v_quotient(v, number);
}

GF_INLINE void gf_pool_inside(const int how, const int rows, const float *const *first, int64_t step, int64_t windows,
                              float *y, int64_t ldy, int64_t n, float number, const gf_pool_ahead *ahead)
{
    const gf_vec numbers = v_set1(number);
    const float *p[GF_FOLD];
#pragma GCC unroll 9
    for (int j = 0; j < rows; j++)
        p[j] = first[j];
    for (int64_t window = 0; window < windows; window++, y += ldy) {
        gf_vec v[GF_FOLD];
        int64_t i = 0;
        gf_pool_fetch(ahead, window);
        for (; i + GF_VL <= n; i += GF_VL) {
#pragma GCC unroll 9
            for (int j = 0; j < rows; j++)
                v[j] = v_load(p[j] + i);
            v_store(y + i, gf_pool_fold(how, rows, v, numbers));
        }
        if (i < n) {
#pragma GCC unroll 9
            for (int j = 0; j < rows; j++)
                v[j] = v_load_n(p[j] + i, n - i);
            v_store_n(y + i, gf_pool_fold(how, rows, v, numbers), n - i);
        }
#pragma GCC unroll 9
        for (int j = 0; j < rows; j++)
            p[j] += step;
    }
}

#define GF_POOL_HOW(rows) \
    case rows: \
        if (how == GF_POOL_LARGEST) \
            gf_pool_inside(GF_POOL_LARGEST, rows, first, step, windows, y, ldy, n, number, ahead); \
        else if (how == GF_POOL_DIVIDED) \
            gf_pool_inside(GF_POOL_DIVIDED, rows, first, step, windows, y, ldy, n, number, ahead); \
        else \
            gf_pool_inside(GF_POOL_SCALED, rows, first, step, windows, y, ldy, n, number, ahead); \
        return 1;

/* Whether there is code for windows of so many pixels; if so, they are done. first: the pixels of the first window. */
static int gf_pool_windows(int64_t kind, int rows, const float *const *first, int64_t step, int64_t windows, float *y,
                           int64_t ldy, int64_t n, const gf_pool_ahead *ahead)
{
    const int power = (rows & (rows - 1)) == 0; /* then a product is the quotient */
    const int how = kind == GF_REDUCE_max ? GF_POOL_LARGEST : power ? GF_POOL_SCALED : GF_POOL_DIVIDED;
    const float number = power ? 1.0f / (float)rows : (float)rows;
    switch (rows) {
        GF_POOL_HOW(2)
        GF_POOL_HOW(3)
        GF_POOL_HOW(4)
        GF_POOL_HOW(6)
        GF_POOL_HOW(8)
        GF_POOL_HOW(9)
    }
    return 0;
}

#endif
