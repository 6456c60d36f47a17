/* Masks: comparisons, logic on bools, selection, conversions, and whether any or all of a row hold.
 *
 * A bool is one byte, 0 or 1. Operands are broadcast by strides of 0 over a shape of four dimensions.
 */
#ifndef GF_LOGIC_H
#define GF_LOGIC_H

#include "elementwise.h"

/* Runs `body` for the rows of a shape of four dimensions from item `begin` to `end`, with the offsets of the operands
 * A, B and C in elements. */
#define GF_ROWS(s, A, B, C, body) \
    for (int64_t row = begin; row < end; row++) { \
        const int64_t i2 = row % s->n2, i1 = row / s->n2 % s->n1, i0 = row / s->n2 / s->n1, n = s->n3; \
        const int64_t at_a = i0 * s->A##0 + i1 * s->A##1 + i2 * s->A##2; \
        const int64_t at_b = i0 * s->B##0 + i1 * s->B##1 + i2 * s->B##2; \
        const int64_t at_c = i0 * s->C##0 + i1 * s->C##1 + i2 * s->C##2; \
        (void)at_c; \
        body \
    }

#define GF_COMPARE_SPAN(expression) \
    if (sa == 1 && sb == 1) { \
        GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = (uint8_t)(expression(a[i], b[i])); \
    } else if (sa == 1 && sb == 0) { \
        GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = (uint8_t)(expression(a[i], b[0])); \
    } else { \
        GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = (uint8_t)(expression(a[i * sa], b[i * sb])); \
    }

#define GF_IS_equal(p, q) ((p) == (q))
#define GF_IS_not_equal(p, q) ((p) != (q))
#define GF_IS_less(p, q) ((p) < (q))
#define GF_IS_less_equal(p, q) ((p) <= (q))
#define GF_IS_greater(p, q) ((p) > (q))
#define GF_IS_greater_equal(p, q) ((p) >= (q))
#define GF_IS_logical_and(p, q) (((p) != 0) & ((q) != 0))
#define GF_IS_logical_or(p, q) (((p) != 0) | ((q) != 0))
#define GF_IS_neither(p, q) (((p) == 0) & ((q) == 0))

#define GF_COMPARE_CASE(name) \
    case GF_COMPARE_##name: GF_COMPARE_SPAN(GF_IS_##name) break;

#define GF_COMPARE_TYPE(type, name) \
    static void gf_compare_##name(int64_t kind, const type *a, int64_t sa, const type *b, int64_t sb, uint8_t *y, \
                                  int64_t n) \
    { \
        switch (kind) { GF_COMPARISONS(GF_COMPARE_CASE) } \
    }

GF_COMPARE_TYPE(float, float32)
GF_COMPARE_TYPE(int32_t, int32)
GF_COMPARE_TYPE(int64_t, int64)
GF_COMPARE_TYPE(uint8_t, bool)

#define GF_COMPARE_AS(type, name) \
    case GF_TYPE_##name: \
        GF_ROWS(s, a, b, a, { \
            gf_compare_##name(s->kind, (const type *)s->a + at_a, s->a3, (const type *)s->b + at_b, s->b3, \
                              s->y + row * n, n); \
        }) \
        break;

static int gf_compare(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_compare_args *s = args;
    (void)worker;
    switch (s->type) {
        GF_COMPARE_AS(float, float32)
        GF_COMPARE_AS(int32_t, int32)
        GF_COMPARE_AS(int64_t, int64)
        GF_COMPARE_AS(uint8_t, bool)
    }
    return GF_OK;
}

#define GF_CHOOSE(p, q) \
    GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = s_select(c[i] != 0, (p), (q))

static void gf_choose(const uint8_t *c, int64_t sc, const float *a, int64_t sa, const float *b, int64_t sb, float *y,
                      int64_t n)
{
    if (sc == 0 && n > 0) {
        const float *from = *c ? a : b;
        const int64_t step = *c ? sa : sb;
        for (int64_t i = 0; i < n; i++)
            y[i] = from[i * step];
    } else if (sa == 1 && sb == 1) {
        GF_CHOOSE(a[i], b[i]);
    } else if (sa == 1 && sb == 0) {
        GF_CHOOSE(a[i], b[0]);
    } else if (sa == 0 && sb == 1) {
        GF_CHOOSE(a[0], b[i]);
    } else {
        GF_CHOOSE(a[i * sa], b[i * sb]);
    }
}

static int gf_where_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_where_f32_args *s = args;
    (void)worker;
    GF_ROWS(s, a, b, c, {
        gf_choose(s->c + at_c, s->c3, s->a + at_a, s->a3, s->b + at_b, s->b3, s->y + row * n, n);
    })
    return GF_OK;
}

#define GF_CONVERT(from, to, expression) \
    do { \
        const from *x = s->x; \
        to *y = s->y; \
        GF_INDEPENDENT for (int64_t i = begin; i < end; i++) \
        { \
            const from v = x[i]; \
            y[i] = (to)(expression); \
        } \
    } while (0)

#define GF_CONVERT_FROM(from, name) \
    case GF_TYPE_##name: \
        if (s->to == GF_TYPE_float32) \
            GF_CONVERT(from, float, v); \
        else \
            GF_CONVERT(from, uint8_t, v != 0); \
        break;

static int gf_cast(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_cast_args *s = args;
    (void)worker;
    switch (s->from) {
        GF_CONVERT_FROM(float, float32)
        GF_CONVERT_FROM(int32_t, int32)
        GF_CONVERT_FROM(int64_t, int64)
        GF_CONVERT_FROM(uint8_t, bool)
    }
    return GF_OK;
}

static int gf_band(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_band_args *s = args;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        uint8_t *y = s->y + i * s->columns;
        for (int64_t j = 0; j < s->columns; j++)
            y[j] = (uint8_t)((i - j >= s->low) & (i - j <= s->high));
    }
    return GF_OK;
}

static int gf_hold(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_hold_args *s = args;
    const int64_t inner = s->inner, middle = s->middle;
    (void)worker;
    for (int64_t item = begin; item < end; item++) {
        const uint8_t *x = s->x + item * middle * inner;
        uint8_t *y = s->y + item * inner;
        memset(y, s->all ? 1 : 0, (size_t)inner);
        if (inner == 1) {
            *y = middle ? (memchr(x, !s->all, (size_t)middle) != 0) ^ (s->all != 0) : s->all != 0;
            continue;
        }
        for (int64_t i = 0; i < middle; i++) {
            const uint8_t *p = x + i * inner;
            if (s->all) {
                GF_INDEPENDENT for (int64_t j = 0; j < inner; j++) y[j] = y[j] & p[j];
            } else {
                GF_INDEPENDENT for (int64_t j = 0; j < inner; j++) y[j] = y[j] | p[j];
            }
        }
    }
    return GF_OK;
}

#endif
