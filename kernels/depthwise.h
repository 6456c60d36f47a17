/* gf_depthwise_f32: each channel convolved with kernels of its own, channels last, from the image as it lies.
 *
 * A vector holds neighbouring channels, and a block of neighbouring pixels of an output row is made at once, so that an
 * element of the image is loaded once for all the taps of a row of the window that meet it. Taps outside the image are
 * left out; only the first and the last block of a row have to look for them.
 *
 * Every output is one chain of v_fma over the taps inside, in their order, from zero; then + bias, + residual and the
 * activation. So its bits depend on its place alone.
 */
#ifndef GF_DEPTHWISE_H
#define GF_DEPTHWISE_H

enum { GF_DW_BLOCK = 8 /* pixels made at once, at most */ };

/* One output row: the taps inside the image are planes x rows of them, from the first on. What becomes of the sums is
 * here too: bias, residual and clamps, and `out`, where pixels lie ldout apart. */
typedef struct gf_dw {
    const gf_depthwise_f32_args *g;
    gf_tile end; /* only its activation */
    const float *x, *w, *bias, *residual;
    float *out;
    int64_t planes, rows, plane_x, row_x, plane_w, row_w, tap_w, ldout, clamps, from, to;
    int64_t wrap, turn; /* of a ring of rows: from row `wrap` of the window on, x is `turn` elements back */
} gf_dw;

/* Row h of the window in plane d. */
GF_INLINE const float *gf_dw_window(const gf_dw *r, int64_t d, int64_t h)
{
    return r->x + d * r->plane_x + h * r->row_x - (h >= r->wrap ? r->turn : 0);
}

GF_INLINE gf_vec gf_dw_load(const float *p, int64_t n, const int whole) { return whole ? v_load(p) : v_load_n(p, n); }

/* The sums of channels [c, c + n) of `columns` pixels to their places. */
GF_INLINE void gf_dw_finish(const gf_dw *r, gf_vec *acc, int64_t pixel, int64_t c, int64_t n, const int columns,
                            const int whole)
{
    const int64_t ldout = r->ldout, ldr = r->g->ldr;
    float *out = r->out + pixel * ldout + c;
    if (r->bias) {
        const gf_vec bias = gf_dw_load(r->bias + c, n, whole);
#pragma GCC unroll 8
        for (int j = 0; j < columns; ++j)
            acc[j] = v_add(acc[j], bias);
    }
    if (r->residual) {
        const float *residual = r->residual + pixel * ldr + c;
#pragma GCC unroll 8
        for (int j = 0; j < columns; ++j)
            acc[j] = v_add(acc[j], gf_dw_load(residual + j * ldr, n, whole));
    }
    if (r->clamps) {
        const gf_vec low = v_set1(r->end.low), high = v_set1(r->end.high);
#pragma GCC unroll 8
        for (int j = 0; j < columns; ++j)
            acc[j] = v_clamp(acc[j], low, high);
    }
#pragma GCC unroll 8
    for (int j = 0; j < columns; ++j, out += ldout) {
        if (whole)
            v_store(out, acc[j]);
        else
            v_store_n(out, acc[j], n);
    }
}

/* `columns` pixels from `pixel` on, for a vector of channels from c on. `checked`: their windows may stick out. */
GF_INLINE void gf_dw_block(const gf_dw *r, int64_t pixel, int64_t c, const int columns, const int kernel,
                           const int stride, const int checked)
{
    const gf_depthwise_f32_args *g = r->g;
    const int64_t ldx = g->ldx, tap_w = r->tap_w, left = pixel * stride - g->pad_w;
    gf_vec acc[GF_DW_BLOCK];
#pragma GCC unroll 8
    for (int j = 0; j < columns; ++j)
        acc[j] = v_set1(0.0f);
    for (int64_t d = 0; d < r->planes; ++d)
        for (int64_t h = 0; h < r->rows; ++h) {
            const float *p = gf_dw_window(r, d, h) + left * ldx + c;
            const float *q = r->w + d * r->plane_w + h * r->row_w + c;
            gf_vec k[7];
#pragma GCC unroll 8
            for (int t = 0; t < kernel; ++t)
                k[t] = v_load(q + t * tap_w);
#pragma GCC unroll 32
            for (int i = 0; i < (columns - 1) * stride + kernel; ++i, p += ldx) {
                if (checked && (left + i < 0 || left + i >= g->in_w))
                    continue;
                const gf_vec v = v_load(p);
#pragma GCC unroll 8
                for (int j = 0; j < columns; ++j)
                    if (i - j * stride >= 0 && i - j * stride < kernel)
                        acc[j] = v_fma(v, k[i - j * stride], acc[j]);
            }
        }
    gf_dw_finish(r, acc, pixel, c, GF_VL, columns, 1);
}

/* A block for all whole vectors of channels. */
GF_INLINE int64_t gf_dw_blocks(const gf_dw *r, int64_t pixel, const int columns, const int kernel, const int stride)
{
    if (pixel >= r->from && pixel + columns <= r->to)
        for (int64_t c = 0; c + GF_VL <= r->g->channels; c += GF_VL)
            gf_dw_block(r, pixel, c, columns, kernel, stride, 0);
    else
        for (int64_t c = 0; c + GF_VL <= r->g->channels; c += GF_VL)
            gf_dw_block(r, pixel, c, columns, kernel, stride, 1);
    return pixel + columns;
}

/* A whole row. */
GF_INLINE void gf_dw_row(const gf_dw *r, const int kernel, const int stride)
{
    const int64_t width = r->g->out_w, sevens = width <= 28 && width % 7 == 0;
    int64_t pixel = 0;
    while (sevens && pixel < width)
        pixel = gf_dw_blocks(r, pixel, 7, kernel, stride);
    while (pixel + 8 <= width)
        pixel = gf_dw_blocks(r, pixel, 8, kernel, stride);
    if (pixel + 4 <= width)
        pixel = gf_dw_blocks(r, pixel, 4, kernel, stride);
    if (pixel + 2 <= width)
        pixel = gf_dw_blocks(r, pixel, 2, kernel, stride);
    if (pixel < width)
        gf_dw_blocks(r, pixel, 1, kernel, stride);
}

#define GF_DW_ROW(kernel, stride) \
    static __attribute__((noinline)) void gf_dw_row_##kernel##_##stride(const gf_dw *r) { gf_dw_row(r, kernel, stride); }
GF_DW_ROW(3, 1)
GF_DW_ROW(3, 2)
GF_DW_ROW(5, 1)
GF_DW_ROW(5, 2)
GF_DW_ROW(7, 1)

/* `columns` pixels with the taps [first, last) of each row, for channels [c, c + n), of any kernel, stride, dilation. */
GF_INLINE void gf_dw_any(const gf_dw *r, int64_t pixel, int64_t first, int64_t last, int64_t c, int64_t n,
                         const int columns, const int whole)
{
    const gf_depthwise_f32_args *g = r->g;
    const int64_t step = g->stride_w * g->ldx, tap = g->dilation_w * g->ldx;
    const int64_t left = pixel * g->stride_w - g->pad_w;
    const float *w = r->w + c;
    gf_vec acc[GF_DW_BLOCK];
#pragma GCC unroll 8
    for (int j = 0; j < columns; ++j)
        acc[j] = v_set1(0.0f);
    for (int64_t d = 0; d < r->planes; ++d)
        for (int64_t h = 0; h < r->rows; ++h)
            for (int64_t t = first; t < last; ++t) {
                const float *p = gf_dw_window(r, d, h) + left * g->ldx + c + t * tap;
                const gf_vec k = gf_dw_load(w + d * r->plane_w + h * r->row_w + t * r->tap_w, n, whole);
#pragma GCC unroll 8
                for (int j = 0; j < columns; ++j)
                    acc[j] = v_fma(gf_dw_load(p + j * step, n, whole), k, acc[j]);
            }
    gf_dw_finish(r, acc, pixel, c, n, columns, whole);
}

/* A whole row, for channels from c on. */
static __attribute__((noinline)) void gf_dw_row_any(const gf_dw *r, int64_t c)
{
    const gf_depthwise_f32_args *g = r->g;
    for (; c < g->channels; c += GF_VL) {
        const int64_t n = gf_min(g->channels - c, GF_VL);
        int64_t first, last, pixel = 0;
        while (pixel < g->out_w) {
            if (pixel >= r->from && pixel + GF_DW_BLOCK <= r->to) {
                if (n == GF_VL)
                    gf_dw_any(r, pixel, 0, g->kernel_w, c, GF_VL, GF_DW_BLOCK, 1);
                else
                    gf_dw_any(r, pixel, 0, g->kernel_w, c, n, GF_DW_BLOCK, 0);
                pixel += GF_DW_BLOCK;
                continue;
            }
            gf_inside(pixel * g->stride_w - g->pad_w, g->in_w, g->kernel_w, g->dilation_w, &first, &last);
            gf_dw_any(r, pixel++, first, last, c, n, 1, 0);
        }
    }
}

static void gf_dw_sums(const gf_dw *r)
{
    const gf_depthwise_f32_args *g = r->g;
    const int64_t kernel = g->dilation_w == 1 ? g->kernel_w : 0, whole = g->channels / GF_VL * GF_VL;
    if (kernel == 3 && g->stride_w == 1)
        gf_dw_row_3_1(r);
    else if (kernel == 3 && g->stride_w == 2)
        gf_dw_row_3_2(r);
    else if (kernel == 5 && g->stride_w == 1)
        gf_dw_row_5_1(r);
    else if (kernel == 5 && g->stride_w == 2)
        gf_dw_row_5_2(r);
    else if (kernel == 7 && g->stride_w == 1)
        gf_dw_row_7_1(r);
    else {
        gf_dw_row_any(r, 0);
        return;
    }
    gf_dw_row_any(r, whole);
}

static void gf_dw_begin(gf_dw *r, const float *bias, const float *residual, int64_t clamps, float *out, int64_t ldout)
{
    r->bias = bias;
    r->residual = residual;
    r->clamps = clamps;
    r->out = out;
    r->ldout = ldout;
}

/* Output channel c * multiplier + m from channel c: the sums of one m after another in scratch, then set apart. */
static void gf_dw_multiplied(gf_dw *r, const float *residual, float *y, float *sums)
{
    const gf_depthwise_f32_args *g = r->g;
    const int64_t width = g->channels * g->multiplier;
    const float *w = r->w;
    gf_dw_begin(r, 0, 0, 0, sums, g->channels);
    for (int64_t m = 0; m < g->multiplier; ++m) {
        r->w = w + m * g->channels;
        gf_dw_sums(r);
        for (int64_t pixel = 0; pixel < g->out_w; ++pixel)
            for (int64_t c = 0; c < g->channels; ++c)
                y[pixel * g->ldy + c * g->multiplier + m] = sums[pixel * g->channels + c];
    }
    gf_dw_begin(r, g->bias, residual, gf_clamps(&r->end), y, g->ldy);
    for (int64_t pixel = 0; pixel < g->out_w; ++pixel)
        for (int64_t c = 0; c < width; c += GF_VL) {
            const int64_t n = gf_min(width - c, GF_VL);
            gf_vec sum = v_load_n(y + pixel * g->ldy + c, n);
            gf_dw_finish(r, &sum, pixel, c, n, 1, 0);
        }
}

/* Activations that are more than a clamp, over the finished row. */
static void gf_dw_activate(const gf_dw *r, float *y)
{
    const gf_depthwise_f32_args *g = r->g;
    const int64_t width = g->channels * g->multiplier, runs = g->ldy == width ? 1 : g->out_w;
    if (g->act == GF_ACT_linear || gf_clamps(&r->end))
        return;
    for (int64_t i = 0; i < runs; ++i)
        gf_activate(g->act, g->alpha, g->beta, g->gamma, y + i * g->ldy, y + i * g->ldy, g->out_w / runs * width);
}

/* What all rows have in common; tap_w: weights from tap to tap. */
static void gf_dw_set(gf_dw *r, const gf_depthwise_f32_args *g, int64_t tap_w)
{
    const int64_t reach = g->in_w - 1 - (g->kernel_w - 1) * g->dilation_w + g->pad_w;
    r->g = g;
    r->from = gf_min(gf_max(gf_ceil_div(g->pad_w, g->stride_w), 0), g->out_w);
    r->to = gf_max(r->from, reach < 0 ? 0 : gf_min(reach / g->stride_w + 1, g->out_w));
    r->tap_w = tap_w;
    r->row_w = g->kernel_w * tap_w;
    r->plane_w = g->kernel_h * r->row_w;
    r->row_x = g->dilation_h * g->in_w * g->ldx;
    r->plane_x = g->dilation_d * g->in_h * g->in_w * g->ldx;
    r->wrap = g->kernel_h;
    r->turn = 0;
    gf_set_activation(&r->end, g->act, g->alpha, g->beta, g->gamma);
}

static int gf_depthwise_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_depthwise_f32_args *g = arguments;
    gf_dw r;
    gf_dw_set(&r, g, g->channels * g->multiplier);
    for (int64_t item = begin; item < end; ++item) {
        const int64_t h = item % g->out_h * g->stride_h - g->pad_h, above = item / g->out_h;
        const int64_t d = above % g->out_d * g->stride_d - g->pad_d, image = above / g->out_d;
        int64_t d_first, d_last, h_first, h_last;
        gf_inside(d, g->in_d, g->kernel_d, g->dilation_d, &d_first, &d_last);
        gf_inside(h, g->in_h, g->kernel_h, g->dilation_h, &h_first, &h_last);
        r.planes = d_last - d_first;
        r.rows = h_last - h_first;
        r.x = g->x + ((image * g->in_d + d + d_first * g->dilation_d) * g->in_h + h + h_first * g->dilation_h) * g->in_w *
                         g->ldx;
        r.w = g->w + d_first * r.plane_w + h_first * r.row_w;
        const float *residual = g->residual ? g->residual + item * g->out_w * g->ldr : 0;
        float *y = g->y + item * g->out_w * g->ldy;
        if (g->multiplier > 1) {
            gf_dw_multiplied(&r, residual, y, (float *)worker->scratch);
        } else {
            gf_dw_begin(&r, g->bias, residual, gf_clamps(&r.end), y, g->ldy);
            gf_dw_sums(&r);
        }
        gf_dw_activate(&r, y);
    }
    return GF_OK;
}

#endif
