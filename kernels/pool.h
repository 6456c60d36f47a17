/* Max and average pooling, channels last, in up to three dimensions: each window is a fold of its pixels.
 *
 * With few channels a pixel is too short for vectors. Then the rows of the windows are folded first, over a long run
 * of columns at once, and the columns of each window afterwards.
 */
#ifndef GF_POOL_H
#define GF_POOL_H

#include "pool_windows.h"

enum { GF_LINE = 2048 /* elements of a run of folded columns */, GF_FEW = 8 /* channels */ };

/* Outputs [from, to) of a row: the range of input rows under all its windows, without the padding. `kind` and `partial`
 * are entries of GF_REDUCTIONS, for a whole window and for a part of it; `ahead` is a number of windows. */
typedef struct gf_pool_row {
    const gf_pool_f32_args *s;
    const float *x; /* the sample */
    float *y;       /* the whole row */
    int64_t kind, partial, d0, d1, h0, h1, from, to, ahead;
} gf_pool_row;

/* The first places of the input columns w0..w1, in the range's rows, as rows of a fold of n elements. */
static void gf_pool_window(const gf_pool_row *r, int64_t kind, int64_t w0, int64_t w1, float *y, int64_t n)
{
    const gf_pool_f32_args *s = r->s;
    const int64_t size = (r->d1 - r->d0) * (r->h1 - r->h0) * (w1 - w0);
    const float *p[GF_FOLD];
    int64_t left = size;
    int rows = 0;
    for (int64_t d = r->d0; d < r->d1; d++)
        for (int64_t h = r->h0; h < r->h1; h++)
            for (int64_t w = w0; w < w1; w++) {
                p[rows++] = r->x + ((d * s->in_h + h) * s->in_w + w) * s->ldx;
                if (--left > 0 && rows < GF_FOLD)
                    continue;
                gf_fold(left ? r->partial : kind, rows, p, y, n, (float)size);
                p[0] = y;
                rows = 1;
            }
}

static void gf_pool_nothing(const gf_pool_row *r, int64_t first, int64_t last)
{
    for (int64_t ow = first; ow < last; ow++)
        for (int64_t c = 0; c < r->s->channels; c++)
            r->y[ow * r->s->ldy + c] = r->kind == GF_REDUCE_max ? -__builtin_inff() : __builtin_nanf("");
}

/* `windows` windows that take the input columns w0..w1, the first of them output ow; 0 where there is no code for their
 * size. */
static int gf_pool_fold(const gf_pool_row *r, int64_t ow, int64_t w0, int64_t w1, int64_t windows)
{
    const gf_pool_f32_args *s = r->s;
    const int64_t heights = r->h1 - r->h0, rows = (r->d1 - r->d0) * heights, columns = w1 - w0, pitch = s->in_w * s->ldx;
    const int64_t lines = gf_smaller(s->stride_h, heights), size = rows * columns, power = (size & (size - 1)) == 0;
    gf_pool_run run = {
        .x = r->x + ((r->d0 * s->in_h + r->h0) * s->in_w + w0) * s->ldx,
        .y = r->y + ow * s->ldy,
        .rows = rows,
        .columns = columns,
        .fresh = gf_smaller(columns, s->stride_w),
        .windows = windows,
        .step = s->stride_w * s->ldx,
        .ldx = s->ldx,
        .ldy = s->ldy,
        .channels = s->channels,
        .lines = lines,
        .pitch = pitch,
        .ahead = r->ahead,
        .down = s->stride_h * pitch,
        .number = power ? 1.0f / (float)size : (float)size,
        .max = s->kind == GF_POOL_max,
        .exact = (int)power,
    };
    if (rows > GF_POOL_ROWS || columns > GF_POOL_COLUMNS)
        return 0;
    for (int64_t i = 0; i < rows; i++)
        run.row[i] = (i / heights * s->in_h + i % heights) * pitch;
    run.below = run.row[rows - lines] + (columns - run.fresh) * s->ldx;
    gf_pool_windows(&run);
    return 1;
}

static void gf_pool_wide(const gf_pool_row *r)
{
    const gf_pool_f32_args *s = r->s;
    for (int64_t ow = r->from, windows; ow < r->to; ow += windows) {
        const int64_t start = ow * s->stride_w - s->pad_w;
        const int64_t w0 = gf_larger(start, 0), w1 = gf_smaller(start + s->kernel_w, s->in_w);
        windows = 1;
        if (w1 - w0 == s->kernel_w) /* as all that lie inside */
            windows = gf_smaller((s->in_w - w1) / s->stride_w + 1, r->to - ow);
        if (w0 >= w1)
            gf_pool_nothing(r, ow, ow + 1);
        else if (!gf_pool_fold(r, ow, w0, w1, windows)) {
            windows = 1;
            gf_pool_window(r, r->kind, w0, w1, r->y + ow * s->ldy, s->channels);
        }
    }
}

/* `count` whole windows of `kernel` columns, each column `channels` elements; y and x at the first of them. */
GF_INLINE void gf_pool_columns(const int64_t kind, const float *x, float *y, int64_t count, const int64_t channels,
                               const int64_t kernel, const int64_t stride, int64_t ldy, float divisor)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < channels; c++) {
            float v = x[i * stride * channels + c];
            for (int64_t k = 1; k < kernel; k++)
                v = s_fold(kind, v, x[(i * stride + k) * channels + c]);
            y[i * ldy + c] = kind == GF_REDUCE_mean ? v / divisor : v;
        }
}

/* The usual sizes, so that the compiler knows them. */
#define GF_POOL_SIZES(kind) \
    if (channels == 1 && ldy == 1 && kernel == 2 && stride == 2) \
        gf_pool_columns(kind, x, y, count, 1, 2, 2, 1, divisor); \
    else if (channels == 1 && ldy == 1 && kernel == 3 && stride == 2) \
        gf_pool_columns(kind, x, y, count, 1, 3, 2, 1, divisor); \
    else if (channels == 1 && ldy == 1 && stride == 1) \
        gf_pool_columns(kind, x, y, count, 1, kernel, 1, 1, divisor); \
    else if (channels == 3 && kernel == 2 && stride == 2) \
        gf_pool_columns(kind, x, y, count, 3, 2, 2, ldy, divisor); \
    else if (channels == 3 && kernel == 3 && stride == 2) \
        gf_pool_columns(kind, x, y, count, 3, 3, 2, ldy, divisor); \
    else \
        gf_pool_columns(kind, x, y, count, channels, kernel, stride, ldy, divisor)

static void gf_pool_some(int64_t kind, const float *restrict x, float *restrict y, int64_t count, int64_t channels,
                         int64_t kernel, int64_t stride, int64_t ldy, float divisor)
{
    if (kind == GF_REDUCE_max)
        GF_POOL_SIZES(GF_REDUCE_max);
    else
        GF_POOL_SIZES(GF_REDUCE_mean);
}

static void gf_pool_narrow(const gf_pool_row *r)
{
    const gf_pool_f32_args *s = r->s;
    const int64_t c = s->channels, kernel = s->kernel_w, stride = s->stride_w, pad = s->pad_w;
    const int64_t area = (r->d1 - r->d0) * (r->h1 - r->h0), outputs = 1 + (GF_LINE / c - kernel) / stride;
    float line[GF_LINE];
    for (int64_t ow = r->from, stop; ow < r->to; ow = stop) {
        stop = gf_smaller(ow + outputs, r->to);
        const int64_t left = gf_larger(ow * stride - pad, 0);
        const int64_t right = gf_smaller((stop - 1) * stride - pad + kernel, s->in_w);
        if (left >= right) {
            gf_pool_nothing(r, ow, stop);
            continue;
        }
        gf_pool_window(r, r->partial, left, left + 1, line, (right - left) * c);
        while (ow < stop) {
            const int64_t start = ow * stride - pad;
            const int64_t w0 = gf_larger(start, 0), w1 = gf_smaller(start + kernel, s->in_w);
            int64_t same = 1; /* windows like this one: those that lie wholly inside */
            if (w0 >= w1)
                gf_pool_nothing(r, ow, ow + 1);
            else {
                if (w1 - w0 == kernel)
                    same = gf_smaller((s->in_w - kernel - start) / stride + 1, stop - ow);
                gf_pool_some(r->kind, line + (w0 - left) * c, r->y + ow * s->ldy, same, c, w1 - w0, stride, s->ldy,
                             (float)(area * (w1 - w0)));
            }
            ow += same;
        }
    }
}

static int gf_pool_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_pool_f32_args *s = args;
    const int narrow = s->channels < GF_FEW && s->ldx == s->channels && s->kernel_w * s->channels <= GF_LINE;
    const int64_t spans = s->span > 0 ? (s->out_w + s->span - 1) / s->span : 1;
    const int64_t ahead = s->ldx ? 1 + GF_AHEAD / (s->stride_w * s->ldx * (int64_t)sizeof(float)) : 0;
    (void)worker;
    if (s->channels == 0)
        return GF_OK;
    for (int64_t item = begin; item < end; item++) {
        const int64_t line = item / spans, from = item % spans * s->span;
        const int64_t oh = line % s->out_h, od = line / s->out_h % s->out_d, sample = line / s->out_h / s->out_d;
        const int64_t d = od * s->stride_d - s->pad_d, h = oh * s->stride_h - s->pad_h;
        const gf_pool_row row = {
            .s = s,
            .x = s->x + sample * s->in_d * s->in_h * s->in_w * s->ldx,
            .y = s->y + line * s->out_w * s->ldy,
            .kind = s->kind == GF_POOL_max ? GF_REDUCE_max : GF_REDUCE_mean,
            .partial = s->kind == GF_POOL_max ? GF_REDUCE_max : GF_REDUCE_sum,
            .d0 = gf_larger(d, 0),
            .d1 = gf_smaller(d + s->kernel_d, s->in_d),
            .h0 = gf_larger(h, 0),
            .h1 = gf_smaller(h + s->kernel_h, s->in_h),
            .from = from,
            .to = gf_smaller(from + s->span, s->out_w),
            .ahead = ahead,
        };
        if (row.d0 >= row.d1 || row.h0 >= row.h1)
            gf_pool_nothing(&row, row.from, row.to);
        else if (narrow)
            gf_pool_narrow(&row);
        else
            gf_pool_wide(&row);
    }
    return GF_OK;
}

#endif
