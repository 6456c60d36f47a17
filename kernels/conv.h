/* gf_conv_f32: convolution as a matrix product whose left matrix is mostly the image itself.
 *
 * Channels last, the window of an output pixel is kernel_d * kernel_h runs of consecutive elements (or runs of in_c,
 * if it is dilated or grouped), and neighbouring pixels of an output row have windows a fixed distance apart: a tile
 * of such pixels reads the image in place. Runs above, below, before or behind the image are left out. Only pixels
 * whose window sticks out to the left or right are gathered into scratch, zero filled. Where that would be most of a
 * row, the rows a block needs are copied with zeros around them, and all its pixels read in place there; rows too short
 * to fill half a tile are gathered whole:
 *
 *     out_w      0    from                              to    out_w
 *                | gathered | tiles that read in place  | gathered |
 *
 * Which way a pixel goes follows from its place, the attributes and block_m, so its bits do too. Output pixels may lie
 * apart in a larger image, as those of a transposed convolution do, which is one convolution for each of its phases.
 */
#ifndef GF_CONV_H
#define GF_CONV_H

#define GF_SHORT_ROW (GF_TILE_M / 2) /* rows with fewer pixels to read in place are gathered, if windows are large */

typedef struct gf_conv {
    const gf_conv_f32_args *g;
    const float *x; /* the channels of the group in the image */
    int64_t k, from, to;
    int joined;    /* the elements of a window row are consecutive */
    int scattered; /* the output is a part of a larger image */
    int bordered;  /* rows are copied with zeros around them, and read in place there */
} gf_conv;

GF_INLINE void gf_copy_floats(float *y, const float *x, int64_t n)
{
    for (; n >= GF_VL; n -= GF_VL, x += GF_VL, y += GF_VL)
        v_store(y, v_load(x));
    if (n > 0)
        v_store_n(y, v_load_n(x, n), n);
}

GF_INLINE void gf_zero_floats(float *y, int64_t n)
{
    if (n > 0)
        memset(y, 0, (size_t)n * sizeof(float));
}

/* Taps [*first, *last) of a window that starts at `origin` meet [0, size). */
GF_INLINE void gf_inside(int64_t origin, int64_t size, int64_t taps, int64_t dilation, int64_t *first, int64_t *last)
{
    *first = origin < 0 ? gf_min(gf_ceil_div(-origin, dilation), taps) : 0;
    *last = origin < size ? gf_min(gf_ceil_div(size - origin, dilation), taps) : 0;
    *last = gf_max(*first, *last);
}

/* How many input rows `lines` output rows need, and how wide they are with their zeros. */
GF_INLINE int64_t gf_bordered_rows(const gf_conv_f32_args *g, int64_t lines)
{
    return (lines - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
}

GF_INLINE int64_t gf_bordered_width(const gf_conv_f32_args *g)
{
    return (g->out_w - 1) * g->stride_w + (g->kernel_w - 1) * g->dilation_w + 1;
}

static void gf_set_conv(gf_conv *c, const gf_conv_f32_args *g)
{
    int64_t reach = g->in_w - 1 - (g->kernel_w - 1) * g->dilation_w + g->pad_w;
    c->g = g;
    c->k = g->kernel_d * g->kernel_h * g->kernel_w * g->in_c;
    c->from = gf_min(gf_max(gf_ceil_div(g->pad_w, g->stride_w), 0), g->out_w);
    c->to = gf_max(c->from, reach < 0 ? 0 : gf_min(reach / g->stride_w + 1, g->out_w));
    c->bordered = 0;
    if (c->to - c->from < (c->k == g->in_c ? GF_TILE_M : GF_SHORT_ROW)) {
        c->to = c->from;
        c->bordered = g->out_w >= GF_SHORT_ROW && g->kernel_d == 1 && g->in_d == 1 && g->out_d == 1 &&
                      gf_bordered_rows(g, gf_ceil_div(g->block_m, g->out_w) + 1) * gf_bordered_width(g) * g->in_c <=
                          g->block_m * c->k;
    }
    c->joined = g->ldx == g->in_c && g->dilation_w == 1;
    c->scattered = g->full_d != g->out_d || g->full_h != g->out_h || g->full_w != g->out_w;
}

/* Where in the larger image an output pixel lies. */
GF_INLINE int64_t gf_place(const gf_conv *c, int64_t pixel)
{
    const gf_conv_f32_args *g = c->g;
    const int64_t line = pixel / g->out_w;
    if (!c->scattered)
        return pixel;
    return (line / g->out_h * g->step_d * g->full_h + line % g->out_h * g->step_h) * g->full_w + pixel % g->out_w * g->step_w;
}

/* An output pixel reads exactly the input pixel of the same number. */
static int gf_is_pointwise(const gf_conv_f32_args *g)
{
    return g->kernel_d == 1 && g->kernel_h == 1 && g->kernel_w == 1 && g->stride_d == 1 && g->stride_h == 1 &&
           g->stride_w == 1 && g->pad_d == 0 && g->pad_h == 0 && g->pad_w == 0 && g->out_d == g->in_d &&
           g->out_h == g->in_h && g->out_w == g->in_w;
}

/* The window of one output pixel as k consecutive elements. */
static void gf_gather_window(const gf_conv *c, int64_t pixel, float *row)
{
    const gf_conv_f32_args *g = c->g;
    const int64_t line = pixel / g->out_w, width = g->kernel_w * g->in_c, w0 = pixel % g->out_w * g->stride_w - g->pad_w;
    const int64_t d0 = line / g->out_h * g->stride_d - g->pad_d, h0 = line % g->out_h * g->stride_h - g->pad_h;
    int64_t first, last;
    gf_inside(w0, g->in_w, g->kernel_w, g->dilation_w, &first, &last);
    for (int64_t i = 0; i < g->kernel_d; ++i)
        for (int64_t j = 0; j < g->kernel_h; ++j, row += width) {
            const int64_t d = d0 + i * g->dilation_d, h = h0 + j * g->dilation_h;
            if (d < 0 || d >= g->in_d || h < 0 || h >= g->in_h) {
                gf_zero_floats(row, width);
                continue;
            }
            const float *x = c->x + ((d * g->in_h + h) * g->in_w + w0) * g->ldx;
            gf_zero_floats(row, first * g->in_c);
            if (c->joined)
                gf_copy_floats(row + first * g->in_c, x + first * g->in_c, (last - first) * g->in_c);
            else
                for (int64_t w = first; w < last; ++w)
                    gf_copy_floats(row + w * g->in_c, x + w * g->dilation_w * g->ldx, g->in_c);
            gf_zero_floats(row + last * g->in_c, (g->kernel_w - last) * g->in_c);
        }
}

/* The first pixel from `pixel` on, and before `end`, that is gathered; or `end`. */
GF_INLINE int64_t gf_next_gathered(const gf_conv *c, int64_t pixel, int64_t end)
{
    while (pixel < end) {
        int64_t w = pixel % c->g->out_w;
        if (w < c->from || w >= c->to)
            return pixel;
        pixel += c->to - w;
    }
    return end;
}

/* The tiles of one panel over the pixels of [begin, end) that are read in place; returns how many there were. */
static int64_t gf_conv_in_place(const gf_conv *c, gf_tile *t, const gf_columns *all, int64_t column, int64_t columns,
                                int64_t begin, int64_t end)
{
    const gf_conv_f32_args *g = c->g;
    const int64_t plane = g->kernel_h * g->kernel_w * g->in_c, width = g->kernel_w * g->in_c;
    const int64_t panel_width = columns > GF_VL ? GF_TILE_N : GF_VL;
    const int64_t lines = (end - 1) / g->out_w - begin / g->out_w + 1;
    int64_t count = 0;
    t->next = t->next_end = 0;
    t->lda = g->stride_w * g->ldx;
    t->ldy = g->step_w * g->ldy;
    t->ldr = g->step_w * g->ldr;
    t->run = c->joined ? width : g->in_c;
    t->taps[2] = c->joined ? 1 : g->kernel_w;
    t->a_step[0] = g->dilation_d * g->in_h * g->in_w * g->ldx;
    t->a_step[1] = g->dilation_h * g->in_w * g->ldx;
    t->a_step[2] = g->dilation_w * g->ldx;
    t->b_step[0] = plane;
    t->b_step[1] = width;
    t->b_step[2] = g->in_c;
    for (int64_t line = begin / g->out_w; line * g->out_w < end; ++line) {
        const int64_t from = gf_max(line * g->out_w + c->from, begin), to = gf_min(line * g->out_w + c->to, end);
        const int64_t pixels = to - from, tiles = gf_ceil_div(pixels, GF_TILE_M);
        const int64_t d = line / g->out_h * g->stride_d - g->pad_d, h = line % g->out_h * g->stride_h - g->pad_h;
        int64_t d_first, d_last, h_first, h_last, pixel = from;
        gf_inside(d, g->in_d, g->kernel_d, g->dilation_d, &d_first, &d_last);
        gf_inside(h, g->in_h, g->kernel_h, g->dilation_h, &h_first, &h_last);
        t->taps[0] = d_last - d_first;
        t->taps[1] = h_last - h_first;
        for (int64_t i = 0; i < tiles; ++i) {
            const int64_t w = (pixel - line * g->out_w) * g->stride_w - g->pad_w;
            const int64_t height = pixels / tiles + (i < pixels % tiles);
            const int64_t place = gf_place(c, pixel);
            gf_set_column(t, all, column, 0);
            t->y += place * g->ldy;
            t->residual = t->residual ? t->residual + place * g->ldr : 0;
            gf_set_prefetch(t, all, count++, lines * tiles);
            t->a = c->x + (((d + d_first * g->dilation_d) * g->in_h + h + h_first * g->dilation_h) * g->in_w + w) * g->ldx;
            t->b += (d_first * plane + h_first * width) * panel_width;
            gf_run_tile(t, height, columns);
            pixel += height;
        }
    }
    return count;
}

/* The tiles of one panel over the gathered pixels of [begin, end), which are `rows` rows of scratch. */
static void gf_conv_gathered(const gf_conv *c, gf_tile *t, const gf_columns *all, int64_t column, int64_t columns,
                             int64_t begin, int64_t end, const float *gathered, int64_t rows, int64_t count)
{
    const int64_t tiles = gf_ceil_div(rows, GF_TILE_M);
    int64_t at[GF_TILE_M], pixel = begin;
    gf_set_plain(t, c->k, c->k);
    t->ldy = c->g->ldy;
    t->ldr = c->g->ldr;
    t->at = at;
    for (int64_t i = 0; i < tiles; ++i) {
        const int64_t height = rows / tiles + (i < rows % tiles);
        for (int64_t r = 0; r < height; ++r, ++pixel) {
            pixel = gf_next_gathered(c, pixel, end);
            at[r] = gf_place(c, pixel);
        }
        gf_set_column(t, all, column, 0);
        gf_set_prefetch(t, all, count++, GF_TILE_N);
        t->a = gathered;
        gf_run_tile(t, height, columns);
        gathered += height * c->k;
    }
    t->at = 0;
}

/* Copies the rows that the output rows from `line` on need, with zeros where they stick out of the image. */
static void gf_copy_bordered(const gf_conv *c, int64_t line, int64_t lines, float *y)
{
    const gf_conv_f32_args *g = c->g;
    const int64_t rows = gf_bordered_rows(g, lines), width = gf_bordered_width(g), top = line * g->stride_h - g->pad_h;
    const int64_t first = gf_min(gf_max(g->pad_w, 0), width), last = gf_max(first, gf_min(width, g->in_w + g->pad_w));
    for (int64_t r = 0; r < rows; ++r, y += width * g->in_c) {
        const int64_t h = top + r;
        if (h < 0 || h >= g->in_h) {
            gf_zero_floats(y, width * g->in_c);
            continue;
        }
        const float *x = c->x + (h * g->in_w + first - g->pad_w) * g->ldx;
        gf_zero_floats(y, first * g->in_c);
        if (g->ldx == g->in_c)
            gf_copy_floats(y + first * g->in_c, x, (last - first) * g->in_c);
        else
            for (int64_t w = first; w < last; ++w, x += g->ldx)
                gf_copy_floats(y + w * g->in_c, x, g->in_c);
        gf_zero_floats(y + last * g->in_c, (width - last) * g->in_c);
    }
}

static void gf_conv_bordered(const gf_conv *c, gf_tile *t, const gf_columns *all, int64_t begin, int64_t end,
                             int64_t first, int64_t last, float *scratch)
{
    const int64_t line = begin / c->g->out_w, lines = (end - 1) / c->g->out_w - line + 1;
    gf_conv_f32_args g = *c->g;
    gf_conv inside = *c;
    gf_copy_bordered(c, line, lines, scratch);
    g.in_h = gf_bordered_rows(c->g, lines);
    g.in_w = gf_bordered_width(c->g);
    g.ldx = g.in_c;
    g.pad_h = line * g.stride_h;
    g.pad_w = 0;
    inside.g = &g;
    inside.x = scratch;
    inside.from = 0;
    inside.to = g.out_w;
    inside.joined = g.dilation_w == 1;
    for (int64_t column = first; column < last; column += GF_TILE_N)
        gf_conv_in_place(&inside, t, all, column, last - column, begin, end);
}

static void gf_conv_block(const gf_conv *c, gf_tile *t, const gf_columns *all, int64_t begin, int64_t end, int64_t first,
                          int64_t last, float *scratch)
{
    gf_columns block = *all;
    int64_t gathered = 0;
    block.y += begin * c->g->ldy;
    block.residual = all->residual ? all->residual + begin * c->g->ldr : 0;
    if (gf_is_pointwise(c->g) && !c->scattered) {
        gf_set_plain(t, c->k, c->g->ldx);
        if (c->g->ldx == c->k) /* images lie one behind another, so this may be the next one's */
            gf_set_next(t, c->x + end * c->k, c->x + (2 * end - begin) * c->k);
        gf_multiply(t, &block, c->x + begin * c->g->ldx, end - begin, first, last);
        return;
    }
    if (c->bordered) {
        gf_conv_bordered(c, t, all, begin, end, first, last, scratch);
        return;
    }
    for (int64_t p = begin; (p = gf_next_gathered(c, p, end)) < end; ++p, ++gathered)
        gf_gather_window(c, p, scratch + gathered * c->k);
    if (gathered == end - begin && !c->scattered) {
        gf_set_plain(t, c->k, c->k);
        gf_multiply(t, &block, scratch, gathered, first, last);
        return;
    }
    for (int64_t column = first; column < last; column += GF_TILE_N) {
        int64_t count = gf_conv_in_place(c, t, all, column, last - column, begin, end);
        gf_conv_gathered(c, t, all, column, last - column, begin, end, scratch, gathered, count);
    }
}

static int gf_conv_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_conv_f32_args *g = arguments;
    const int64_t pixels = g->out_d * g->out_h * g->out_w, inputs = g->in_d * g->in_h * g->in_w;
    const int64_t image_size = g->full_d * g->full_h * g->full_w;
    const int64_t across = gf_ceil_div(g->out_c, g->block_n), down = gf_ceil_div(pixels, g->block_m);
    gf_conv c;
    gf_tile t;
    gf_set_conv(&c, g);
    gf_set_activation(&t, g->act, g->alpha, g->beta, g->gamma);
    t.at = 0;
    t.ldr = g->ldr;
    t.ldy = g->ldy;
    for (int64_t item = begin; item < end; ++item) {
        const int64_t first = item % across * g->block_n, pixel = item / across % down * g->block_m;
        const int64_t group = item / across / down % g->groups, image = item / across / down / g->groups;
        const int64_t channel = group * g->out_c, at = image * image_size;
        gf_columns all;
        all.k = c.k;
        all.depth = 0;
        all.w = g->w + group * c.k * gf_ceil_div(g->out_c, GF_VL) * GF_VL;
        all.bias = g->bias ? g->bias + channel : 0;
        all.residual = g->residual ? g->residual + at * g->ldr + channel : 0;
        all.y = g->y + at * g->ldy + channel;
        c.x = g->x + image * inputs * g->ldx + group * g->in_c;
        gf_conv_block(&c, &t, &all, pixel, gf_min(pixel + g->block_m, pixels), first,
                      gf_min(first + g->block_n, g->out_c), (float *)worker->scratch);
    }
    return GF_OK;
}

#endif
