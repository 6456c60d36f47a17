/* gf_local_f32: locally connected layers, a matrix product for every place of the window.
 *
 * The windows of some images at one place are gathered into the rows of scratch; the matrix of the place is read once
 * for each GF_TILE_M of them. Every output is the chain of gemm.h.
 */
#ifndef GF_LOCAL_H
#define GF_LOCAL_H

/* The windows, as the convolution of the same sizes has them. */
static gf_conv_f32_args gf_local_windows(const gf_local_f32_args *g)
{
    gf_conv_f32_args a;
    memset(&a, 0, sizeof a);
    a.in_c = a.ldx = g->channels;
    a.in_d = g->in_d;
    a.in_h = g->in_h;
    a.in_w = g->in_w;
    a.out_d = g->out_d;
    a.out_h = g->out_h;
    a.out_w = g->out_w;
    a.kernel_d = g->kernel_d;
    a.kernel_h = g->kernel_h;
    a.kernel_w = g->kernel_w;
    a.stride_d = g->stride_d;
    a.stride_h = g->stride_h;
    a.stride_w = g->stride_w;
    a.dilation_d = a.dilation_h = a.dilation_w = 1;
    a.pad_d = g->pad_d;
    a.pad_h = g->pad_h;
    a.pad_w = g->pad_w;
    return a;
}

static int gf_local_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_local_f32_args *g = arguments;
    const gf_conv_f32_args windows = gf_local_windows(g);
    const int64_t image = g->in_d * g->in_h * g->in_w * g->channels, row = g->out_d * g->out_h * g->out_w * g->filters;
    float *gathered = (float *)worker->scratch;
    gf_conv c;
    gf_tile t;
    c.g = &windows;
    c.k = g->kernel_d * g->kernel_h * g->kernel_w * g->channels;
    c.joined = 1;
    gf_set_plain(&t, c.k, c.k);
    gf_set_activation(&t, g->act, g->alpha, g->beta, g->gamma);
    t.at = 0;
    t.ldr = t.ldy = row;
    for (int64_t place = begin; place < end; ++place)
        for (int64_t first = 0; first < g->batch; first += GF_TILE_M) {
            const int64_t rows = gf_min(g->batch - first, GF_TILE_M), at = first * row + place * g->filters;
            const gf_columns all = {g->w + place * c.k * gf_ceil_div(g->filters, GF_VL) * GF_VL,
                                    g->bias ? g->bias + place * g->filters : 0, g->residual ? g->residual + at : 0,
                                    g->y + at, c.k, 0};
            for (int64_t r = 0; r < rows; ++r) {
                c.x = g->x + (first + r) * image;
                gf_gather_window(&c, place, gathered + r * c.k);
            }
            gf_multiply(&t, &all, gathered, rows, 0, g->filters);
        }
    return GF_OK;
}

#endif
