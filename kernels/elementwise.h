/* Leaves that compute each element from the elements at its place: unary functions, binary operators, scale and shift.
 *
 * The activations that cost one instruction are part of the loop; the others follow over a piece that is still in the
 * first-level cache. An output may be an input of the same layout, so no pointer is restrict.
 */
#ifndef GF_ELEMENTWISE_H
#define GF_ELEMENTWISE_H

#include "activation.h"

enum { GF_PIECE = 2048 /* elements between a loop and the activation after it */ };

GF_INLINE int64_t gf_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
GF_INLINE int64_t gf_larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Masks, since chains of conditional expressions become branches, which do not vectorise. */
GF_INLINE float s_select(int condition, float p, float q)
{
    const uint32_t mask = -(uint32_t)condition;
    return s_from_bits((s_bits(p) & mask) | (s_bits(q) & ~mask));
}

/* A NaN on either side is the result, as in NumPy. */
GF_INLINE float s_max(float p, float q) { return s_select((p > q) | (p != p), p, q); }
GF_INLINE float s_min(float p, float q) { return s_select((p < q) | (p != p), p, q); }

static int gf_unary_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_unary_f32_args *s = args;
    (void)worker;
    if (begin < end)
        gf_activate(s->act, s->alpha, s->beta, s->gamma, s->x + begin, s->y + begin, end - begin);
    return GF_OK;
}

#define GF_PAIRS(left, right, expression) \
    GF_INDEPENDENT for (int64_t i = 0; i < n; i++) \
    { \
        const float p = (left), q = (right); \
        y[i] = (expression); \
    }

#define GF_LAYOUTS(expression) \
    if (sa == 1 && sb == 1) { \
        GF_PAIRS(a[i], b[i], expression) \
    } else if (sa == 1 && sb == 0) { \
        const float fixed = *b; \
        GF_PAIRS(a[i], fixed, expression) \
    } else if (sa == 0 && sb == 1) { \
        const float fixed = *a; \
        GF_PAIRS(fixed, b[i], expression) \
    } else { \
        GF_PAIRS(a[i * sa], b[i * sb], expression) \
    }

#define GF_SPAN(name, expression) \
    static void gf_span_##name(const float *a, int64_t sa, const float *b, int64_t sb, float *y, int64_t n, int relu) \
    { \
        if (relu) { \
            GF_LAYOUTS(s_at_least(expression, 0.0f)) \
        } else { \
            GF_LAYOUTS(expression) \
        } \
    }

GF_SPAN(add, p + q)
GF_SPAN(subtract, p - q)
GF_SPAN(multiply, p *q)
GF_SPAN(divide, p / q)
GF_SPAN(maximum, s_max(p, q))
GF_SPAN(minimum, s_min(p, q))

#define GF_SPAN_NAME(name) gf_span_##name,

static int gf_binary_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    static void (*const spans[])(const float *, int64_t, const float *, int64_t, float *, int64_t, int) = {
        GF_BINARIES(GF_SPAN_NAME)};
    const gf_binary_f32_args *s = args;
    const int relu = s->act == GF_ACT_relu, plain = relu || s->act == GF_ACT_linear;
    const int64_t blocks = s->block > 0 ? (s->n3 + s->block - 1) / s->block : 0;
    (void)worker;
    if (begin >= end || blocks == 0)
        return GF_OK;
    int64_t column = begin % blocks, row = begin / blocks;
    int64_t i2 = row % s->n2, i1 = row / s->n2 % s->n1, i0 = row / s->n2 / s->n1;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = column * s->block, last = gf_smaller(first + s->block, s->n3);
        const int64_t step = plain ? last - first : GF_PIECE;
        const float *a = s->a + i0 * s->a0 + i1 * s->a1 + i2 * s->a2, *b = s->b + i0 * s->b0 + i1 * s->b1 + i2 * s->b2;
        float *y = s->y + row * s->n3;
        for (int64_t j = first; j < last; j += step) {
            const int64_t n = gf_smaller(step, last - j);
            spans[s->kind](a + j * s->a3, s->a3, b + j * s->b3, s->b3, y + j, n, relu);
            if (!plain)
                gf_activate(s->act, s->alpha, s->beta, s->gamma, y + j, y + j, n);
        }
        if (++column < blocks)
            continue;
        column = 0;
        row++;
        if (++i2 < s->n2)
            continue;
        i2 = 0;
        if (++i1 < s->n1)
            continue;
        i1 = 0;
        i0++;
    }
    return GF_OK;
}

static void gf_affine_span(const float *x, const float *scale, const float *shift, float *y, int64_t n, int relu)
{
#define GF_SCALED(expression) \
    GF_INDEPENDENT for (int64_t i = 0; i < n; i++) y[i] = (expression)
    if (scale && shift && relu)
        GF_SCALED(s_at_least(s_fma(x[i], scale[i], shift[i]), 0.0f));
    else if (scale && shift)
        GF_SCALED(s_fma(x[i], scale[i], shift[i]));
    else if (scale)
        GF_SCALED(x[i] * scale[i]);
    else if (shift)
        GF_SCALED(x[i] + shift[i]);
    else if (x != y)
        memcpy(y, x, (size_t)n * sizeof(float));
}

static int gf_affine_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_affine_f32_args *s = args;
    enum { COPIES = 16, NARROW = 32 };
    float scales[COPIES * NARROW], shifts[COPIES * NARROW];
    const float *scale = s->scale, *shift = s->shift;
    const int in_loop = s->act == GF_ACT_linear || (s->act == GF_ACT_relu && scale && shift);
    const int dense = s->ldy == s->channels;
    int64_t row = begin, width = s->channels, together = 1;
    (void)worker;
    if (begin >= end || width == 0)
        return GF_OK;
    if (width < NARROW && dense && s->ldx == width && end - begin >= 4 * COPIES) {
        /* several rows as one, beside as many copies of scale and shift */
        for (int64_t i = 0; i < COPIES * width; i++) {
            scales[i] = scale ? scale[i % width] : 1.0f;
            shifts[i] = shift ? shift[i % width] : 0.0f;
        }
        scale = scale ? scales : scale;
        shift = shift ? shifts : shift;
        together = COPIES;
    }
    const int64_t piece = gf_larger(GF_PIECE / (width * together), 1) * together;
    while (row < end) {
        const int64_t stop = gf_smaller(row + (dense ? piece : 1), end), start = row;
        for (; row < stop; row += together) {
            const int64_t rows = gf_smaller(together, stop - row);
            const float *x = s->x + row * s->ldx;
            gf_affine_span(x, scale, shift, s->y + row * s->ldy, rows * width, in_loop && s->act == GF_ACT_relu);
        }
        row = stop;
        if (!in_loop)
            gf_activate(s->act, s->alpha, s->beta, s->gamma, s->y + start * s->ldy, s->y + start * s->ldy,
                        (stop - start) * width);
    }
    return GF_OK;
}

#endif
