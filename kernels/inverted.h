/* gf_inverted_residual_f32: expand 1x1, depthwise, project 1x1, where what lies between them never leaves the cache.
 *
 * An item is a strip of output rows of an image; it is made in bands of a few rows. For a band, one panel of hidden
 * channels after another is expanded and convolved by depthwise, which fills its columns of the band; then the band is
 * projected:
 *
 *     x (in_h, in_w, in_c)      ring of a panel              band                          y (out_h, out_w, out_c)
 *     rows the band needs  -->  depth x (in_w, panel)  -->   rows x (out_w, hidden)  -->   rows x (out_w, out_c)
 *              expand 1x1              depthwise, each panel its columns         project 1x1
 *
 * Row h of the image is row h % depth of the ring, so that what the band above has expanded is there for the next one;
 * a strip begins with an empty ring. Without expansion (w_expand null) depthwise reads x itself; without projection (w
 * null) its result is y.
 *
 * The products are tiles of gemm.h and the rows are those of depthwise.h: every element is the chain that the three
 * kernels by themselves compute, so it has their bits, whatever the strips, bands and rings.
 */
#ifndef GF_INVERTED_H
#define GF_INVERTED_H

typedef struct gf_inverted {
    const gf_inverted_residual_f32_args *g;
    gf_tile expand, project;
    gf_depthwise_f32_args depthwise; /* of one panel, or of all channels of x */
    gf_dw row;
    int64_t depth; /* rows of the ring */
    float *ring, *band;
} gf_inverted;

static void gf_set_inverted(gf_inverted *v, const gf_inverted_residual_f32_args *g, float *scratch)
{
    gf_depthwise_f32_args *d = &v->depthwise;
    memset(v, 0, sizeof *v);
    v->g = g;
    v->depth = (g->rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
    v->ring = scratch;
    v->band = scratch + (g->w_expand ? v->depth * g->in_w * g->hidden : 0);
    gf_set_plain(&v->expand, g->in_c, g->ldx);
    gf_set_activation(&v->expand, g->expand_act, g->expand_act_alpha, g->expand_act_beta, g->expand_act_gamma);
    gf_set_plain(&v->project, g->hidden, g->hidden);
    gf_set_activation(&v->project, g->act, g->alpha, g->beta, g->gamma);
    v->project.ldr = g->ldr;
    v->project.ldy = g->ldy;
    d->multiplier = d->in_d = d->out_d = d->kernel_d = d->stride_d = d->dilation_d = 1;
    d->channels = g->hidden;
    d->in_h = g->in_h;
    d->in_w = g->in_w;
    d->out_h = g->out_h;
    d->out_w = g->out_w;
    d->kernel_h = g->kernel_h;
    d->kernel_w = g->kernel_w;
    d->stride_h = g->stride_h;
    d->stride_w = g->stride_w;
    d->dilation_h = g->dilation_h;
    d->dilation_w = g->dilation_w;
    d->pad_h = g->pad_h;
    d->pad_w = g->pad_w;
    d->ldx = g->ldx;
    d->ldy = g->w ? g->hidden : g->ldy;
    d->act = g->depthwise_act;
    d->alpha = g->depthwise_act_alpha;
    d->beta = g->depthwise_act_beta;
    d->gamma = g->depthwise_act_gamma;
    gf_dw_set(&v->row, d, g->hidden);
}

/* Input rows [row, end) of one panel of hidden channels to their places in its ring. */
static void gf_inverted_expand(gf_inverted *v, const float *x, int64_t row, int64_t end, int64_t channel, int64_t width,
                               float *ring)
{
    const gf_inverted_residual_f32_args *g = v->g;
    v->expand.ldy = width;
    while (row < end) {
        const int64_t slot = row % v->depth, count = gf_min(end - row, v->depth - slot);
        const gf_columns all = {g->w_expand + channel * g->in_c, g->bias_expand ? g->bias_expand + channel : 0, 0,
                                ring + slot * g->in_w * width, g->in_c, 0};
        gf_multiply(&v->expand, &all, x + row * g->in_w * g->ldx, count * g->in_w, 0, width);
        row += count;
    }
}

/* Output row `line` for channels from `channel` on; x is the image, or the ring of a panel. */
static void gf_inverted_row(gf_inverted *v, const float *x, int64_t line, int64_t channel, float *out)
{
    const gf_inverted_residual_f32_args *g = v->g;
    const gf_depthwise_f32_args *d = &v->depthwise;
    const int64_t h = line * g->stride_h - g->pad_h;
    gf_dw *r = &v->row;
    int64_t first, last, row;
    gf_inside(h, g->in_h, g->kernel_h, g->dilation_h, &first, &last);
    row = h + first * g->dilation_h;
    r->planes = 1;
    r->rows = last - first;
    r->wrap = r->rows;
    if (g->w_expand && r->rows) {
        row %= v->depth;
        r->wrap = gf_ceil_div(v->depth - row, g->dilation_h);
        r->turn = v->depth * d->in_w * d->ldx;
    }
    r->x = r->rows ? x + row * d->in_w * d->ldx : x;
    r->w = g->w_depthwise + first * r->row_w + channel;
    gf_dw_begin(r, g->bias_depthwise ? g->bias_depthwise + channel : 0, 0, gf_clamps(&r->end), out + channel, d->ldy);
    gf_dw_sums(r);
    gf_dw_activate(r, out + channel);
}

/* Output rows [line, end) of an image; input rows up to `expanded` are in the ring. Returns how far they are after it. */
static int64_t gf_inverted_band(gf_inverted *v, int64_t image, int64_t line, int64_t end, int64_t expanded)
{
    const gf_inverted_residual_f32_args *g = v->g;
    const int64_t top = line * g->stride_h - g->pad_h;
    const int64_t last = gf_min((end - 1) * g->stride_h - g->pad_h + (g->kernel_h - 1) * g->dilation_h + 1, g->in_h);
    const int64_t pixel = (image * g->out_h + line) * g->out_w, pixels = (end - line) * g->out_w;
    const float *x = g->x + image * g->in_h * g->in_w * g->ldx;
    float *band = g->w ? v->band : g->y + pixel * g->ldy;
    const int64_t from = gf_max(gf_max(top, 0), expanded);
    if (!g->w_expand) {
        for (int64_t i = line; i < end; ++i)
            gf_inverted_row(v, x, i, 0, band + (i - line) * g->out_w * v->depthwise.ldy);
    } else {
        for (int64_t channel = 0; channel < g->hidden; channel += GF_TILE_N) {
            const int64_t width = gf_min(g->hidden - channel, GF_TILE_N);
            float *ring = v->ring + v->depth * g->in_w * channel;
            v->depthwise.channels = v->depthwise.ldx = width;
            v->row.row_x = g->dilation_h * g->in_w * width;
            gf_inverted_expand(v, x, from, last, channel, width, ring);
            for (int64_t i = line; i < end; ++i)
                gf_inverted_row(v, ring, i, channel, band + (i - line) * g->out_w * v->depthwise.ldy);
        }
    }
    if (g->w) {
        const gf_columns all = {g->w, g->bias, g->residual ? g->residual + pixel * g->ldr : 0, g->y + pixel * g->ldy,
                                g->hidden, 0};
        gf_multiply(&v->project, &all, band, pixels, 0, g->out_c);
    }
    return gf_max(expanded, last);
}

static int gf_inverted_residual_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_inverted_residual_f32_args *g = arguments;
    const int64_t strips = gf_ceil_div(g->out_h, g->strip);
    gf_inverted v;
    gf_set_inverted(&v, g, (float *)worker->scratch);
    for (int64_t item = begin; item < end; ++item) {
        const int64_t first = item % strips * g->strip, last = gf_min(first + g->strip, g->out_h);
        int64_t expanded = 0;
        for (int64_t line = first; line < last; line += g->rows)
            expanded = gf_inverted_band(&v, item / strips, line, gf_min(line + g->rows, last), expanded);
    }
    return GF_OK;
}

#endif
