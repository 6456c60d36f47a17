/* Leaves that move elements without computing: copies of rows, transposes, rows of a table by index. */
#ifndef GF_MOVEMENT_H
#define GF_MOVEMENT_H

#include "elementwise.h"

/* Rows of a few bytes, with a width that the compiler knows. */
#define GF_COPY_ROWS(bytes) \
    case bytes: \
        for (int64_t i = begin; i < end; i++) \
            memcpy(s->y + i * s->ldy, s->x + i * s->ldx, bytes); \
        break;

static int gf_copy(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_copy_args *s = args;
    (void)worker;
    if (begin >= end || s->width == 0)
        return GF_OK;
    if (s->ldx == s->width && s->ldy == s->width) {
        memcpy(s->y + begin * s->width, s->x + begin * s->width, (size_t)((end - begin) * s->width));
        return GF_OK;
    }
    switch (s->width) {
        GF_COPY_ROWS(1)
        GF_COPY_ROWS(2)
        GF_COPY_ROWS(4)
        GF_COPY_ROWS(8)
        GF_COPY_ROWS(12)
        GF_COPY_ROWS(16)
        GF_COPY_ROWS(32)
        GF_COPY_ROWS(64)
    default:
        for (int64_t i = begin; i < end; i++)
            memcpy(s->y + i * s->ldy, s->x + i * s->ldx, (size_t)s->width);
    }
    return GF_OK;
}

typedef uint32_t gf_four __attribute__((vector_size(16)));

#if defined(__clang__)
#define GF_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define GF_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (gf_four){__VA_ARGS__})
#endif

/* y[i, j] = (p, q, r, s)[j][i] for four rows of four 4-byte elements; ldy in bytes */
GF_INLINE void gf_turn_four(const char *p, const char *q, const char *r, const char *s, char *y, int64_t ldy)
{
    gf_four a, b, c, d, low, high, lower, higher, e;
    memcpy(&a, p, 16);
    memcpy(&b, q, 16);
    memcpy(&c, r, 16);
    memcpy(&d, s, 16);
    low = GF_SHUFFLE(a, b, 0, 4, 1, 5);
    high = GF_SHUFFLE(a, b, 2, 6, 3, 7);
    lower = GF_SHUFFLE(c, d, 0, 4, 1, 5);
    higher = GF_SHUFFLE(c, d, 2, 6, 3, 7);
    e = GF_SHUFFLE(low, lower, 0, 1, 4, 5);
    memcpy(y, &e, 16);
    e = GF_SHUFFLE(low, lower, 2, 3, 6, 7);
    memcpy(y + ldy, &e, 16);
    e = GF_SHUFFLE(high, higher, 0, 1, 4, 5);
    memcpy(y + 2 * ldy, &e, 16);
    e = GF_SHUFFLE(high, higher, 2, 3, 6, 7);
    memcpy(y + 3 * ldy, &e, 16);
}

/* y[i, j] = x[j, i] for four rows of four 4-byte elements; ldx, ldy in bytes */
GF_INLINE void gf_turn_4x4(const char *x, int64_t ldx, char *y, int64_t ldy)
{
    gf_turn_four(x, x + ldx, x + 2 * ldx, x + 3 * ldx, y, ldy);
}

/* One (rows, columns) piece of y, element by element; the size is a constant where this is inlined. */
GF_INLINE void gf_gather(const char *x, int64_t sr, int64_t sc, char *y, int64_t ldy, int64_t rows, int64_t columns,
                         const size_t size)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            memcpy(y + i * ldy + j * (int64_t)size, x + i * sr + j * sc, size);
}

/* y (rows, columns), contiguous, from x with strides sr and sc: in tiles of a cache line by a cache line, since both
 * sides cannot be walked along their lines at once. */
GF_INLINE void gf_turn(const char *x, int64_t sr, int64_t sc, char *y, int64_t rows, int64_t columns, const size_t size)
{
    enum { TILE = 16 };
    const int64_t bytes = (int64_t)size, ldy = columns * bytes;
    for (int64_t i = 0; i < rows; i += TILE)
        for (int64_t j = 0; j < columns; j += TILE) {
            const int64_t height = gf_smaller(TILE, rows - i), width = gf_smaller(TILE, columns - j);
            const int64_t fours = size == 4 && sr == bytes && width >= 4 ? 4 : 0;
            const int64_t high = height / 4 * fours, wide = width / 4 * fours;
            const char *from = x + i * sr + j * sc;
            char *to = y + i * ldy + j * bytes;
            for (int64_t k = 0; k < high; k += 4)
                for (int64_t l = 0; l < wide; l += 4)
                    gf_turn_4x4(from + k * 4 + l * sc, sc, to + k * ldy + l * 4, ldy);
            if (wide < width)
                gf_gather(from + wide * sc, sr, sc, to + wide * bytes, ldy, high, width - wide, size);
            if (high < height)
                gf_gather(from + high * sr, sr, sc, to + high * ldy, ldy, height - high, width, size);
        }
}

#define GF_TURN_SIZE(bytes) \
    case bytes: gf_turn(x, s->s4, s->s5, y, s->n4, s->n5, bytes); break;

static int gf_transpose(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_transpose_args *s = args;
    const int64_t width = s->n5 * s->itemsize, plane = s->n4 * width;
    (void)worker;
    if (plane == 0)
        return GF_OK;
    for (int64_t item = begin; item < end; item++) {
        const int64_t i3 = item % s->n3, above = item / s->n3, i2 = above % s->n2, i1 = above / s->n2 % s->n1;
        const char *x = s->x + above / s->n2 / s->n1 * s->s0 + i1 * s->s1 + i2 * s->s2 + i3 * s->s3;
        char *y = s->y + item * plane;
        if (s->s5 == s->itemsize && (s->s4 == width || s->n4 == 1)) {
            memcpy(y, x, (size_t)plane);
        } else if (s->s5 == s->itemsize && width >= 64) {
            for (int64_t i = 0; i < s->n4; i++)
                memcpy(y + i * width, x + i * s->s4, (size_t)width);
        } else {
            switch (s->itemsize) {
                GF_TURN_SIZE(1)
                GF_TURN_SIZE(2)
                GF_TURN_SIZE(4)
                GF_TURN_SIZE(8)
                GF_TURN_SIZE(16)
            }
        }
    }
    return GF_OK;
}

/* Rows [begin, end) of y from columns: a cache line of each column at a time, so that neither side is touched twice. */
GF_INLINE void gf_interleaved(const char *const *x, char *y, int64_t n, int64_t begin, int64_t end, const size_t size)
{
    enum { TILE = 16 };
    const int64_t bytes = (int64_t)size, ldy = n * bytes;
    for (int64_t i = begin; i < end; i += TILE) {
        const int64_t height = gf_smaller(TILE, end - i), fours = size == 4 && height == TILE ? n / 4 * 4 : 0;
        for (int64_t j = 0; j < fours; j += 4) {
            const char *p = x[j] + i * 4, *q = x[j + 1] + i * 4, *r = x[j + 2] + i * 4, *s = x[j + 3] + i * 4;
            for (int64_t k = 0; k < TILE; k += 4)
                gf_turn_four(p + k * 4, q + k * 4, r + k * 4, s + k * 4, y + (i + k) * ldy + j * 4, ldy);
        }
        for (int64_t j = fours; j < n; j++)
            for (int64_t k = i; k < i + height; k++)
                memcpy(y + k * ldy + j * bytes, x[j] + k * bytes, size);
    }
}

static int gf_interleave(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_interleave_args *s = args;
    (void)worker;
    switch (s->itemsize) {
    case 1: gf_interleaved(s->x, s->y, s->n, begin, end, 1); break;
    case 2: gf_interleaved(s->x, s->y, s->n, begin, end, 2); break;
    case 4: gf_interleaved(s->x, s->y, s->n, begin, end, 4); break;
    case 8: gf_interleaved(s->x, s->y, s->n, begin, end, 8); break;
    }
    return GF_OK;
}

/* The index at a position, as far as an int64 can hold it. */
GF_INLINE int gf_index(const gf_embedding_f32_args *s, int64_t position, int64_t *index)
{
    if (s->kind == GF_INDEX_int32) {
        *index = ((const int32_t *)s->indices)[position];
    } else if (s->kind == GF_INDEX_int64) {
        *index = ((const int64_t *)s->indices)[position];
    } else {
        const float value = ((const float *)s->indices)[position], limit = 9223372036854775808.0f;
        *index = value >= limit ? INT64_MAX : value >= -limit ? (int64_t)value : value < -limit ? INT64_MIN : 0;
        if (value - value != 0.0f || (s_abs(value) < limit && (float)*index != value))
            return GF_NOT_AN_INTEGER;
    }
    return *index >= 0 && *index < s->vocabulary ? GF_OK : GF_INDEX_OUT_OF_RANGE;
}

static int gf_embedding_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_embedding_f32_args *s = args;
    for (int64_t i = begin; i < end; i++) {
        int64_t index;
        const int code = gf_index(s, i, &index);
        if (code != GF_OK) {
            worker->row = i;
            worker->value = index;
            return code;
        }
        if (s->width > 0)
            memcpy(s->y + i * s->width, s->table + index * s->width, (size_t)s->width * sizeof(float));
    }
    return GF_OK;
}

#endif
