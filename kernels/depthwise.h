/* gf_depthwise_f32: each channel convolved with kernels of its own, channels last, from the image as it lies.
 *
 * A vector holds neighbouring channels. An output row folds the rows of taps that are inside the image; where a window
 * is inside from left to right, several neighbouring pixels are made at once, so that the weights of a row of taps stay
 * in registers; the other pixels, each for several vectors of channels:
 *
 *     out_w      0    from                                 to    out_w
 *                | one by one | blocks of pixels | the rest | one by one |
 *
 * Every output is one chain of v_fma over the taps inside, in their order, from zero; then + bias, + residual and the
 * activation. So its bits depend on its place alone.
 */
#ifndef GF_DEPTHWISE_H
#define GF_DEPTHWISE_H

enum { GF_DW_BLOCK = 8 /* pixels made at once */, GF_DW_VECTORS = 4 /* vectors of one pixel made at once */ };

/* One output row: the taps inside the image are planes x rows of them, from the first on. */
typedef struct gf_dw {
    const gf_depthwise_f32_args *g;
    gf_tile end; /* only what its epilogue needs */
    const float *x, *w, *residual;
    float *y;
    int64_t planes, rows, plane_x, row_x, plane_w, row_w;
    int64_t width; /* of the output, in channels */
} gf_dw;

GF_INLINE gf_vec gf_dw_load(const float *p, int64_t n, const int whole) { return whole ? v_load(p) : v_load_n(p, n); }

/* The sum of channels [c, c + n) of a pixel to y, with what the epilogue can do to a vector. */
GF_INLINE void gf_dw_store(const gf_dw *r, gf_vec sum, int64_t pixel, int64_t c, int64_t n, const int whole)
{
    float *y = r->y + pixel * r->g->ldy + c;
    if (r->g->bias)
        sum = v_add(sum, gf_dw_load(r->g->bias + c, n, whole));
    if (r->residual)
        sum = v_add(sum, gf_dw_load(r->residual + pixel * r->g->ldr + c, n, whole));
    if (gf_clamps(&r->end))
        sum = v_clamp(sum, v_set1(r->end.low), v_set1(r->end.high));
    if (whole)
        v_store(y, sum);
    else
        v_store_n(y, sum, n);
}

/* `columns` pixels from `pixel` on, for channels [c, c + n); their windows are inside. `kernel` and `stride` are
 * constants where this is inlined, and then every element is loaded once; or 0, and they are the step's. */
GF_INLINE void gf_dw_block(const gf_dw *r, int64_t pixel, int64_t c, int64_t n, const int columns, const int kernel,
                           const int stride, const int whole)
{
    const gf_depthwise_f32_args *g = r->g;
    const int64_t ldx = g->ldx, width = r->width, step = g->stride_w * ldx, tap = g->dilation_w * ldx;
    const float *x = r->x + (pixel * g->stride_w - g->pad_w) * ldx + c, *w = r->w + c;
    gf_vec acc[GF_DW_BLOCK];
#pragma GCC unroll 8
    for (int j = 0; j < columns; ++j)
        acc[j] = v_set1(0.0f);
    for (int64_t d = 0; d < r->planes; ++d)
        for (int64_t h = 0; h < r->rows; ++h) {
            const float *p = x + d * r->plane_x + h * r->row_x, *q = w + d * r->plane_w + h * r->row_w;
            if (kernel) {
                gf_vec k[7];
#pragma GCC unroll 8
                for (int t = 0; t < kernel; ++t)
                    k[t] = gf_dw_load(q + t * width, n, whole);
#pragma GCC unroll 32
                for (int i = 0; i < (columns - 1) * stride + kernel; ++i) {
                    const gf_vec v = gf_dw_load(p, n, whole);
                    p += ldx;
#pragma GCC unroll 8
                    for (int j = 0; j < columns; ++j)
                        if (i - j * stride >= 0 && i - j * stride < kernel)
                            acc[j] = v_fma(v, k[i - j * stride], acc[j]);
                }
                continue;
            }
            for (int64_t t = 0; t < g->kernel_w; ++t) {
                const gf_vec k = gf_dw_load(q + t * width, n, whole);
                const float *a = p + t * tap;
#pragma GCC unroll 8
                for (int j = 0; j < columns; ++j)
                    acc[j] = v_fma(gf_dw_load(a + j * step, n, whole), k, acc[j]);
            }
        }
#pragma GCC unroll 8
    for (int j = 0; j < columns; ++j)
        gf_dw_store(r, acc[j], pixel + j, c, n, whole);
}

/* Pixels [from, to), inside from left to right; returns the first that is left over. */
GF_INLINE int64_t gf_dw_blocks(const gf_dw *r, int64_t from, int64_t to, const int kernel, const int stride)
{
    int64_t pixel = from;
    for (int64_t c = 0; c < r->width; c += GF_VL) {
        const int64_t n = r->width - c;
        pixel = from;
        if (n >= GF_VL) {
            for (; pixel + GF_DW_BLOCK <= to; pixel += GF_DW_BLOCK)
                gf_dw_block(r, pixel, c, GF_VL, GF_DW_BLOCK, kernel, stride, 1);
            for (; pixel + GF_DW_BLOCK / 2 <= to; pixel += GF_DW_BLOCK / 2)
                gf_dw_block(r, pixel, c, GF_VL, GF_DW_BLOCK / 2, kernel, stride, 1);
        } else {
            for (; pixel + GF_DW_BLOCK / 2 <= to; pixel += GF_DW_BLOCK / 2)
                gf_dw_block(r, pixel, c, n, GF_DW_BLOCK / 2, 0, 0, 0);
        }
    }
    return pixel;
}

#define GF_DW_FUNCTION(kernel, stride) \
    static __attribute__((noinline)) int64_t gf_dw_##kernel##_##stride(const gf_dw *r, int64_t from, int64_t to) \
    { \
        return gf_dw_blocks(r, from, to, kernel, stride); \
    }
GF_DW_FUNCTION(0, 0)
GF_DW_FUNCTION(3, 1)
GF_DW_FUNCTION(3, 2)
GF_DW_FUNCTION(5, 1)
GF_DW_FUNCTION(5, 2)
GF_DW_FUNCTION(7, 1)

static int64_t gf_dw_inside(const gf_dw *r, int64_t from, int64_t to)
{
    const int64_t kernel = r->g->dilation_w == 1 ? r->g->kernel_w : 0, stride = r->g->stride_w;
    if (kernel == 3 && stride <= 2)
        return stride == 1 ? gf_dw_3_1(r, from, to) : gf_dw_3_2(r, from, to);
    if (kernel == 5 && stride <= 2)
        return stride == 1 ? gf_dw_5_1(r, from, to) : gf_dw_5_2(r, from, to);
    return kernel == 7 && stride == 1 ? gf_dw_7_1(r, from, to) : gf_dw_0_0(r, from, to);
}

/* One pixel, with the taps [first, last) of each row, for `vectors` vectors of channels from c on. */
GF_INLINE void gf_dw_pixel(const gf_dw *r, int64_t pixel, int64_t first, int64_t last, int64_t c, int64_t n,
                           const int vectors, const int whole)
{
    const gf_depthwise_f32_args *g = r->g;
    const float *x = r->x + (pixel * g->stride_w - g->pad_w) * g->ldx + c, *w = r->w + c;
    gf_vec acc[GF_DW_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
        acc[v] = v_set1(0.0f);
    for (int64_t d = 0; d < r->planes; ++d)
        for (int64_t h = 0; h < r->rows; ++h)
            for (int64_t t = first; t < last; ++t) {
                const float *p = x + d * r->plane_x + h * r->row_x + t * g->dilation_w * g->ldx;
                const float *q = w + d * r->plane_w + h * r->row_w + t * r->width;
#pragma GCC unroll 4
                for (int v = 0; v < vectors; ++v)
                    acc[v] = v_fma(gf_dw_load(p + v * GF_VL, n, whole), gf_dw_load(q + v * GF_VL, n, whole), acc[v]);
            }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v)
        gf_dw_store(r, acc[v], pixel, c + v * GF_VL, n, whole);
}

static __attribute__((noinline)) void gf_dw_pixels(const gf_dw *r, int64_t from, int64_t to)
{
    const gf_depthwise_f32_args *g = r->g;
    for (int64_t pixel = from; pixel < to; ++pixel) {
        int64_t first, last, c = 0;
        gf_inside(pixel * g->stride_w - g->pad_w, g->in_w, g->kernel_w, g->dilation_w, &first, &last);
        for (; c + GF_DW_VECTORS * GF_VL <= r->width; c += GF_DW_VECTORS * GF_VL)
            gf_dw_pixel(r, pixel, first, last, c, GF_VL, GF_DW_VECTORS, 1);
        for (; c + GF_VL <= r->width; c += GF_VL)
            gf_dw_pixel(r, pixel, first, last, c, GF_VL, 1, 1);
        if (c < r->width)
            gf_dw_pixel(r, pixel, first, last, c, r->width - c, 1, 0);
    }
}

/* Output channel c * multiplier + m from channel c: sums in scratch, one pixel after another. */
static void gf_dw_multiplied(const gf_dw *r, float *sums)
{
    const gf_depthwise_f32_args *g = r->g;
    for (int64_t pixel = 0; pixel < g->out_w; ++pixel) {
        const float *x = r->x + (pixel * g->stride_w - g->pad_w) * g->ldx;
        int64_t first, last, c = 0;
        gf_inside(pixel * g->stride_w - g->pad_w, g->in_w, g->kernel_w, g->dilation_w, &first, &last);
        gf_zero_floats(sums, r->width);
        for (int64_t d = 0; d < r->planes; ++d)
            for (int64_t h = 0; h < r->rows; ++h)
                for (int64_t t = first; t < last; ++t) {
                    const float *p = x + d * r->plane_x + h * r->row_x + t * g->dilation_w * g->ldx;
                    const float *q = r->w + d * r->plane_w + h * r->row_w + t * r->width;
                    float *sum = sums;
                    for (int64_t i = 0; i < g->channels; ++i, q += g->multiplier, sum += g->multiplier)
                        for (int64_t m = 0; m < g->multiplier; ++m)
                            sum[m] = s_fma(p[i], q[m], sum[m]);
                }
        for (; c + GF_VL <= r->width; c += GF_VL)
            gf_dw_store(r, v_load(sums + c), pixel, c, GF_VL, 1);
        if (c < r->width)
            gf_dw_store(r, v_load_n(sums + c, r->width - c), pixel, c, r->width - c, 0);
    }
}

/* Activations that are more than a clamp, over the finished row. */
static void gf_dw_activate(const gf_dw *r)
{
    const gf_depthwise_f32_args *g = r->g;
    const int64_t runs = g->ldy == r->width ? 1 : g->out_w, length = g->ldy == r->width ? g->out_w * r->width : r->width;
    if (g->act == GF_ACT_linear || gf_clamps(&r->end))
        return;
    for (int64_t i = 0; i < runs; ++i)
        gf_activate(g->act, g->alpha, g->beta, g->gamma, r->y + i * g->ldy, r->y + i * g->ldy, length);
}

static int gf_depthwise_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_depthwise_f32_args *g = arguments;
    const int64_t reach = g->in_w - 1 - (g->kernel_w - 1) * g->dilation_w + g->pad_w;
    const int64_t from = gf_min(gf_max(gf_ceil_div(g->pad_w, g->stride_w), 0), g->out_w);
    const int64_t to = gf_max(from, reach < 0 ? 0 : gf_min(reach / g->stride_w + 1, g->out_w));
    gf_dw r;
    r.g = g;
    r.width = g->channels * g->multiplier;
    r.row_w = g->kernel_w * r.width;
    r.plane_w = g->kernel_h * r.row_w;
    r.row_x = g->dilation_h * g->in_w * g->ldx;
    r.plane_x = g->dilation_d * g->in_h * g->in_w * g->ldx;
    gf_set_activation(&r.end, g->act, g->alpha, g->beta, g->gamma);
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
        r.y = g->y + item * g->out_w * g->ldy;
        r.residual = g->residual ? g->residual + item * g->out_w * g->ldr : 0;
        if (g->multiplier > 1) {
            gf_dw_multiplied(&r, (float *)worker->scratch);
        } else {
            gf_dw_pixels(&r, 0, from);
            gf_dw_pixels(&r, gf_dw_inside(&r, from, to), g->out_w);
        }
        gf_dw_activate(&r);
    }
    return GF_OK;
}

#endif
