/* Windows of a pooling, one behind another along an output row: their columns are folded first, then the columns of each.
 *
 *         columns      0   1   2   3   4            a window of three columns that moves by two takes the last column
 *         rows    0    a   b   c   d   e            of the window before it as its first one: six elements for each
 *                 1    f   g   h   i   j            output instead of nine
 *                 2    k   l   m   n   o
 *                      first   second
 *
 * A window is c0 + (c1 + c2 + ...) of its columns' sums r0 + r1 + ..., whichever windows are made together. Some vectors
 * of channels go along the row at a time, while the input under later windows is on its way.
 */
#ifndef GF_POOL_WINDOWS_H
#define GF_POOL_WINDOWS_H

#include "reduce.h"

enum {
    GF_AHEAD = 4096,     /* bytes of each input row that are fetched before they are needed */
    GF_POOL_ROWS = 9,    /* most rows of a window: its depths times its heights */
    GF_POOL_COLUMNS = 8, /* and columns */
    GF_POOL_BLOCK = 4,   /* vectors of channels at a time, where columns are kept for the next window */
    GF_POOL_WIDE = 64 / GF_VL /* and elsewhere */
};

/* `windows` windows of `rows` times `columns` elements, `step` elements apart. What is fetched: in each of the last
 * `lines` rows, which are `pitch` elements apart from x + below on, what the window `ahead` of the present one reads, and
 * behind the last window the beginning of what the next output row reads, `down` elements farther. */
typedef struct gf_pool_run {
    const float *x; /* the first element of the first window */
    float *y;
    int64_t row[GF_POOL_ROWS]; /* where each row of a window begins, from its first */
    int64_t rows, columns, fresh, windows, step, ldx, ldy, channels; /* fresh: columns that the window before has not */
    int64_t below, lines, pitch, ahead, down;
    float number; /* how many elements, or one over it where that is exact */
    int max, exact;
} gf_pool_run;

/* The fold of some elements, and for a maximum the lanes that met a NaN. */
typedef struct gf_folded {
    gf_vec v;
    gf_nans nans;
} gf_folded;

GF_INLINE gf_folded gf_pool_join(const int max, gf_folded a, gf_folded b)
{
    if (!max)
        return (gf_folded){v_add(a.v, b.v), a.nans};
    return (gf_folded){v_greater(a.v, b.v), v_all_nans(a.nans, b.nans)};
}

/* part: n elements, fewer than a vector */
GF_INLINE gf_folded gf_pool_column(const int max, const int rows, const int part, const gf_pool_run *r, const float *x,
                                   int64_t n)
{
    const int64_t count = rows ? rows : r->rows;
    gf_vec p = part ? v_load_n(x, n) : v_load(x);
    gf_folded c = {p, v_nans(p, p)};
#pragma GCC unroll 3
    for (int64_t i = 1; i < count; i++) {
        const gf_vec q = part ? v_load_n(x + r->row[i], n) : v_load(x + r->row[i]);
        c.v = max ? v_greater(c.v, q) : v_add(c.v, q);
        if (max && i == 1)
            c.nans = v_nans(p, q);
        else if (max && (i % 2 || i + 1 == count))
            c.nans = v_more_nans(c.nans, p, q);
        p = q;
    }
    return c;
}

GF_INLINE void gf_pool_strip(const int max, const int rows, const int columns, const int kept, const int block,
                             const int part, const gf_pool_run *r, int64_t channel, int64_t n, int64_t from, int64_t to)
{
    const int64_t fresh = columns ? columns - kept : r->fresh;
    const float *x = r->x + from * r->step + channel;
    float *y = r->y + from * r->ldy + channel;
    const gf_vec number = v_set1(r->number);
    gf_folded last[2][GF_POOL_BLOCK];
#pragma GCC unroll 2
    for (int k = 0; k < kept; k++)
#pragma GCC unroll 4
        for (int b = 0; b < block; b++)
            last[k][b] = gf_pool_column(max, rows, part, r, x + k * r->ldx + b * GF_VL, n);
    for (int64_t window = from; window < to; window++, x += r->step, y += r->ldy) {
        const int64_t at = window + r->ahead;
        const float *next = r->x + channel + r->below + (at < r->windows ? at * r->step : r->down + (at - r->windows) * r->step);
        for (int64_t line = 0; line < r->lines; line++, next += r->pitch)
#pragma GCC unroll 3
            for (int64_t k = 0; k < fresh; k++)
#pragma GCC unroll 4
                for (int b = 0; b < block * GF_VL; b += 16)
                    __builtin_prefetch(next + k * r->ldx + b);
#pragma GCC unroll 4
        for (int b = 0; b < block; b++) {
            gf_folded c[3], whole;
            if (columns) {
#pragma GCC unroll 3
                for (int k = 0; k < columns; k++)
                    c[k] = k < kept ? last[k][b] : gf_pool_column(max, rows, part, r, x + k * r->ldx + b * GF_VL, n);
#pragma GCC unroll 2
                for (int k = 0; k < kept; k++)
                    last[k][b] = c[k + columns - kept];
                whole = gf_pool_join(max, c[0], columns > 2 ? gf_pool_join(max, c[1], c[2]) : c[1]);
            } else {
                whole = gf_pool_column(max, rows, part, r, x + b * GF_VL, n);
                if (r->columns > 1) {
                    gf_folded others = gf_pool_column(max, rows, part, r, x + r->ldx + b * GF_VL, n);
                    for (int64_t k = 2; k < r->columns; k++)
                        others = gf_pool_join(max, others, gf_pool_column(max, rows, part, r, x + k * r->ldx + b * GF_VL, n));
                    whole = gf_pool_join(max, whole, others);
                }
            }
            gf_vec v = whole.v;
            if (max)
                v = v_put_nans(v, whole.nans);
            else if (r->exact)
                v = v_mul(v, number);
            else
                v = v_quotient(v, number);
            if (part)
                v_store_n(y + b * GF_VL, v, n);
            else
                v_store(y + b * GF_VL, v);
        }
    }
}

/* A group of windows at a time, so that the blocks of channels that follow find its lines in the first-level cache. */
GF_INLINE void gf_pool_blocks(const int max, const int rows, const int columns, const int kept, const gf_pool_run *r)
{
    const int block = kept ? GF_POOL_BLOCK : GF_POOL_WIDE, next = block > 4 ? 4 : 2;
    const int64_t wide = block * GF_VL, more = next * GF_VL;
    const int64_t n = r->channels, group = n == wide ? r->windows : gf_larger(GF_AHEAD / 2 / r->step, 8);
    for (int64_t from = 0, to; from < r->windows; from = to) {
        int64_t c = 0;
        to = gf_smaller(from + group, r->windows);
        for (; c + wide <= n; c += wide)
            gf_pool_strip(max, rows, columns, kept, block, 0, r, c, 0, from, to);
        for (; c + more <= n; c += more)
            gf_pool_strip(max, rows, columns, kept, next, 0, r, c, 0, from, to);
        for (; c + GF_VL <= n; c += GF_VL)
            gf_pool_strip(max, rows, columns, kept, 1, 0, r, c, 0, from, to);
        if (c < n)
            gf_pool_strip(max, rows, columns, kept, 1, 1, r, c, n - c, from, to);
    }
}

/* The usual windows, so that the compiler knows their sizes: rows, columns, and how many columns the next one takes. 0 is
 * any number. */
#define GF_POOL_SHAPES(S) \
    S(2, 2, 0) S(3, 3, 1) S(3, 2, 0) S(2, 3, 1) S(3, 3, 2) S(2, 3, 2) S(1, 2, 0) S(4, 2, 0) S(0, 2, 0) S(1, 3, 1) \
    S(0, 3, 1) S(0, 3, 2) S(1, 0, 0) S(0, 0, 0)

typedef void (*gf_pool_code)(const gf_pool_run *);
typedef struct gf_pool_shape {
    int rows, columns, kept;
    gf_pool_code average, max;
} gf_pool_shape;

#define GF_POOL_FUNCTION(rows, columns, kept) \
    static void gf_average_##rows##_##columns##_##kept(const gf_pool_run *r) { gf_pool_blocks(0, rows, columns, kept, r); } \
    static void gf_max_##rows##_##columns##_##kept(const gf_pool_run *r) { gf_pool_blocks(1, rows, columns, kept, r); }
#define GF_POOL_ENTRY(rows, columns, kept) \
    {rows, columns, kept, gf_average_##rows##_##columns##_##kept, gf_max_##rows##_##columns##_##kept},
GF_POOL_SHAPES(GF_POOL_FUNCTION)

static void gf_pool_windows(const gf_pool_run *r)
{
    static const gf_pool_shape shapes[] = {GF_POOL_SHAPES(GF_POOL_ENTRY)};
    const int64_t kept = r->columns - r->fresh;
    for (int64_t i = 0;; i++) {
        const gf_pool_shape *s = &shapes[i];
        if ((s->rows == 0 || s->rows == r->rows) && (s->columns == 0 || (s->columns == r->columns && s->kept == kept))) {
            (r->max ? s->max : s->average)(r);
            return;
        }
    }
}

#endif
