/* Leaves that put elements into a larger array: with a border of one value, or with linear steps between them. */
#ifndef GF_RESIZE_H
#define GF_RESIZE_H

#define GF_FILL_SIZE(bytes, type) \
    case bytes: \
        for (int64_t i = 0; i < n; i++) \
            memcpy(y + i * bytes, &(type){(type)value}, bytes); \
        break;

static void gf_fill(char *y, int64_t n, int64_t itemsize, uint64_t value)
{
    if (value == 0) {
        memset(y, 0, (size_t)(n * itemsize));
        return;
    }
    switch (itemsize) {
        GF_FILL_SIZE(1, uint8_t)
        GF_FILL_SIZE(2, uint16_t)
        GF_FILL_SIZE(4, uint32_t)
        GF_FILL_SIZE(8, uint64_t)
    }
}

static int gf_pad(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_pad_args *s = args;
    const int64_t size = s->itemsize, row = s->m3 * size, width = s->n3 * size;
    (void)worker;
    for (int64_t item = begin; item < end; item++) {
        const int64_t i2 = item % s->m2 - s->p2, above = item / s->m2, i1 = above % s->m1 - s->p1, i0 = above / s->m1 - s->p0;
        char *y = s->y + item * row;
        if (i0 < 0 || i0 >= s->n0 || i1 < 0 || i1 >= s->n1 || i2 < 0 || i2 >= s->n2) {
            gf_fill(y, s->m3, size, (uint64_t)s->value);
            continue;
        }
        gf_fill(y, s->p3, size, (uint64_t)s->value);
        memcpy(y + s->p3 * size, s->x + ((i0 * s->n1 + i1) * s->n2 + i2) * width, (size_t)width);
        gf_fill(y + s->p3 * size + width, s->m3 - s->p3 - s->n3, size, (uint64_t)s->value);
    }
    return GF_OK;
}

/* Output `place` lies between elements *low and *high of `size`, at the returned part of the way. */
GF_INLINE float gf_between(int64_t place, int64_t size, int64_t factor, int64_t *low, int64_t *high)
{
    const int64_t twice = 2 * place + 1 - factor; /* 2 * factor * the place in the input */
    const int64_t below = twice < 0 ? -1 : twice / (2 * factor);
    *low = gf_larger(below, 0);
    *high = gf_smaller(below + 1, size - 1);
    return (float)(twice - below * 2 * factor) / (float)(2 * factor);
}

/* Between an element and itself lies the element, be it infinite. */
static void gf_blend(const float *a, const float *b, float part, float *y, int64_t n)
{
    if (a == b) {
        gf_copy_floats(y, a, n);
        return;
    }
    GF_INDEPENDENT for (int64_t i = 0; i < n; i++)
        y[i] = s_fma(b[i] - a[i], part, a[i]);
}

static int gf_bilinear_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_bilinear_f32_args *s = args;
    const int64_t rows = s->h * s->factor_h, columns = s->w * s->factor_w, width = s->w * s->inner;
    float *line = (float *)worker->scratch;
    for (int64_t item = begin; item < end; item++) {
        const float *x = s->x + item / rows * s->h * width;
        float *y = s->y + item * columns * s->inner;
        int64_t low, high;
        const float part = gf_between(item % rows, s->h, s->factor_h, &low, &high);
        gf_blend(x + low * width, x + high * width, part, line, width);
        for (int64_t column = 0; column < columns; column++, y += s->inner) {
            const float across = gf_between(column, s->w, s->factor_w, &low, &high);
            if (s->inner == 1)
                *y = low == high ? line[low] : s_fma(line[high] - line[low], across, line[low]);
            else
                gf_blend(line + low * s->inner, line + high * s->inner, across, y, s->inner);
        }
    }
    return GF_OK;
}

#endif
