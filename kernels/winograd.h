/* gf_winograd_f32: a 3x3 or kernel_d x 3 x 3 convolution of stride 1 by Winograd's minimal filtering of its last two
 * dimensions, F(4x4, 3x3) or F(2x2, 3x3).
 *
 * The output is cut into tiles of tile * tile pixels, counted from its top left corner. The side * side pixels (side =
 * tile + 2) that a tile reads become as many frequencies; for each of them, tiles times in_c times out_c is a matrix
 * product with weights that were transformed before; then frequencies become outputs:
 *
 *     x --input--> v [frequency][tile][in_c] --products--> m [frequency][tile][chunk of out_c] --output--> y
 *
 * Both buffers hold one block of tiles and stay in the cache. A tile's numbers depend on its own pixels only.
 *
 * A volume is a pile of slices. A block holds the same places in neighbouring slices of the output, so that an input
 * slice is transformed once for all that read it; the products add over kernel_d slices of v, which lie a fixed distance
 * apart, and leave out those before and behind the volume:
 *
 *     v [frequency][slice + kernel_d - 1][place][in_c]        m [frequency][slice][place][chunk of out_c]
 *
 * The transforms would spread an infinity or a NaN over the tile, and overflow where the sums themselves do not. So a
 * tile with such a pixel, or one too large for the weights at hand, is computed by the definition, with the operations
 * of conv.h in their order. The test adds every pixel times bound[0] to a sum, which becomes and stays infinite or NaN
 * if a product does; bound[0] is so large that all results are finite as long as the products are.
 */
#ifndef GF_WINOGRAD_H
#define GF_WINOGRAD_H

#include "winograd_transforms.h"

typedef struct gf_winograd {
    const gf_winograd_f32_args *g;
    int64_t down, across;     /* tiles of one slice */
    int64_t row;              /* elements from tile to tile of v: whole vectors */
    int64_t v_plane, m_plane; /* from frequency to frequency; a line more than needed, as powers of two share cache sets */
    float *v, *m, *zeros, *window;
    float *unsafe; /* for each input tile of the block: not zero if what reads it is computed by the definition */
} gf_winograd;

typedef struct gf_winograd_place {
    int64_t image, h, w; /* of the first output of a tile */
} gf_winograd_place;

/* Places [begin, end) in the output slices [from, to), and columns [first, last) of them. */
typedef struct gf_winograd_block {
    int64_t begin, end, from, to, first, last;
} gf_winograd_block;

static void gf_set_winograd(gf_winograd *w, const gf_winograd_f32_args *g, float *scratch)
{
    const int64_t frequencies = (g->tile + 2) * (g->tile + 2), slices = g->block_d + g->kernel_d - 1;
    w->g = g;
    w->down = gf_ceil_div(g->out_h, g->tile);
    w->across = gf_ceil_div(g->out_w, g->tile);
    w->row = gf_whole_vectors(g->in_c);
    w->v_plane = g->block_m * slices * w->row + GF_LINE;
    w->m_plane = g->block_m * g->block_d * g->chunk + GF_LINE;
    w->v = scratch;
    w->m = w->v + frequencies * w->v_plane;
    w->zeros = w->m + frequencies * w->m_plane;
    w->window = w->zeros + w->row;
    w->unsafe = w->window + 9 * g->kernel_d * w->row;
    gf_zero_floats(w->zeros, w->row);
}

GF_INLINE gf_winograd_place gf_winograd_at(const gf_winograd *w, int64_t tile)
{
    const int64_t line = tile / w->across;
    gf_winograd_place place = {line / w->down, line % w->down * w->g->tile, tile % w->across * w->g->tile};
    return place;
}

GF_INLINE float gf_winograd_unsafe(const gf_vec *sums)
{
    float lanes[GF_VL], sum = 0.0f;
    v_store(lanes, (sums[0] - sums[0]) + (sums[1] - sums[1]) + (sums[2] - sums[2]));
    for (int i = 0; i < GF_VL; ++i)
        sum += lanes[i];
    return sum == 0.0f ? 0.0f : 1.0f;
}

/* An input slice at place `number` to the frequencies of tile `index` of the block. */
GF_INLINE void gf_winograd_spread(int tile, const gf_winograd *w, int64_t index, int64_t slice, int64_t number)
{
    const gf_winograd_f32_args *g = w->g;
    const int side = tile + 2;
    const gf_winograd_place place = gf_winograd_at(w, number);
    const float *x = g->x + (place.image * g->in_d + slice) * g->in_h * g->in_w * g->ldx;
    const gf_vec scale = v_set1(g->bound[0]);
    const float *at[GF_WINOGRAD_SIDE * GF_WINOGRAD_SIDE];
    gf_vec sums[3] = {v_set1(0.0f), v_set1(0.0f), v_set1(0.0f)};
    float *v = w->v + index * w->row;
    int64_t c = 0;
    for (int i = 0; i < side; ++i)
        for (int j = 0; j < side; ++j) {
            const int64_t row = place.h + i - g->pad_h, column = place.w + j - g->pad_w;
            const int inside = row >= 0 && row < g->in_h && column >= 0 && column < g->in_w;
            at[i * side + j] = inside ? x + (row * g->in_w + column) * g->ldx : w->zeros;
        }
    for (; c + GF_VL <= g->in_c; c += GF_VL)
        gf_winograd_input(tile, at, c, GF_VL, scale, sums, v + c, w->v_plane);
    if (c < g->in_c)
        gf_winograd_input(tile, at, c, g->in_c - c, scale, sums, v + c, w->v_plane);
    w->unsafe[index] = gf_winograd_unsafe(sums);
}

/* The columns of one panel of a tile's outputs; m: their first frequency. t: set but for y, bias, residual, columns. */
GF_INLINE void gf_winograd_panel(int tile, const gf_winograd *w, gf_tile *t, const float *m, int64_t pixel,
                                 int64_t height, int64_t width)
{
    const int64_t out_w = w->g->out_w;
    if (t->columns % GF_VL == 0 && (t->act == GF_ACT_linear || gf_clamps(t))) {
        const int clamps = gf_clamps(t);
        const gf_vec low = v_set1(t->low), high = v_set1(t->high);
        for (int64_t c = 0; c < t->columns; c += GF_VL) {
            const gf_vec bias = t->bias ? v_load(t->bias + c) : v_set1(0.0f);
            gf_vec y[GF_WINOGRAD_TILE * GF_WINOGRAD_TILE];
            gf_winograd_output(tile, m + c, w->m_plane, y);
#pragma GCC unroll 4
            for (int i = 0; i < tile; ++i)
#pragma GCC unroll 4
                for (int j = 0; j < tile; ++j)
                    if (i < height && j < width) {
                        const int64_t row = pixel + i * out_w + j;
                        gf_vec sum = v_add(y[i * tile + j], bias);
                        if (t->residual)
                            sum = v_add(sum, v_load(t->residual + row * t->ldr + c));
                        v_store(t->y + row * t->ldy + c, clamps ? v_clamp(sum, low, high) : sum);
                    }
        }
        return;
    }
    float sums[GF_WINOGRAD_TILE * GF_WINOGRAD_TILE * GF_TILE_N];
    int64_t at[GF_WINOGRAD_TILE * GF_WINOGRAD_TILE], row[GF_WINOGRAD_TILE * GF_WINOGRAD_TILE], rows = 0;
    for (int i = 0; i < tile; ++i)
        for (int j = 0; j < tile; ++j)
            if (i < height && j < width) {
                at[rows] = pixel + i * out_w + j;
                row[rows++] = i * tile + j;
            }
    for (int64_t c = 0; c < t->columns; c += GF_VL) {
        gf_vec y[GF_WINOGRAD_TILE * GF_WINOGRAD_TILE];
        gf_winograd_output(tile, m + c, w->m_plane, y);
        for (int64_t r = 0; r < rows; ++r)
            v_store(sums + r * GF_TILE_N + c, y[row[r]]);
    }
    t->at = at;
    gf_finish(t, sums, rows, GF_TILE_N);
    t->at = 0;
}

/* The same columns by the definition, pixel by pixel, with the weights as they came. */
static void gf_winograd_define(const gf_winograd *w, const gf_conv *c, gf_tile *t, int64_t first, int64_t pixel)
{
    const gf_conv_f32_args *g = c->g;
    const int64_t place = pixel % (g->out_d * g->out_h * g->out_w), column = place % g->out_w, line = place / g->out_w;
    const int64_t width = gf_whole_vectors(t->columns), n = w->g->out_c, run = 3 * g->in_c;
    const float *kernel = w->g->kernel + first;
    float sums[GF_TILE_N];
    int64_t d_first = 0, d_last = g->kernel_d, from = 0, to = 3;
    gf_gather_window(c, place, w->window);
    if (column >= c->from && column < c->to) {
        gf_inside(line / g->out_h - g->pad_d, g->in_d, g->kernel_d, 1, &d_first, &d_last);
        gf_inside(line % g->out_h - g->pad_h, g->in_h, 3, 1, &from, &to);
    }
    for (int64_t i = 0; i < width; i += GF_VL) {
        const int64_t lanes = gf_min(GF_VL, t->columns - i);
        gf_vec sum = v_set1(0.0f);
        for (int64_t d = d_first; d < d_last; ++d)
            for (int64_t k = (3 * d + from) * run; k < (3 * d + to) * run; ++k)
                sum = v_fma(v_set1(w->window[k]), v_load_n(kernel + k * n + i, lanes), sum);
        v_store(sums + i, sum);
    }
    t->at = &pixel;
    gf_finish(t, sums, 1, width);
    t->at = 0;
}

/* Taps [*first, *last) of the output slice d lie inside the volume. */
GF_INLINE void gf_winograd_taps(const gf_winograd_f32_args *g, int64_t d, int64_t *first, int64_t *last)
{
    gf_inside(d - g->pad_d, g->in_d, g->kernel_d, 1, first, last);
}

/* Whether a tile of the output, of slice d and the block's place `index`, reads one that is unsafe. */
GF_INLINE int gf_winograd_is_unsafe(const gf_winograd *w, const gf_winograd_block *b, int64_t d, int64_t index)
{
    const float *unsafe = w->unsafe + (d - b->from) * (b->end - b->begin) + index;
    int64_t first, last;
    gf_winograd_taps(w->g, d, &first, &last);
    for (int64_t tap = first; tap < last; ++tap)
        if (unsafe[tap * (b->end - b->begin)] != 0.0f)
            return 1;
    return 0;
}

/* From frequencies to the outputs of a block whose columns are at most a chunk. */
GF_INLINE void gf_winograd_outputs(int tile, const gf_winograd *w, gf_conv *c, gf_tile *t, const gf_winograd_block *b)
{
    const gf_winograd_f32_args *g = w->g;
    const int64_t places = b->end - b->begin, tiles = (b->to - b->from) * places;
    for (int64_t i = 0; i < tiles; ++i) {
        const int64_t d = b->from + i / places, index = i % places;
        const gf_winograd_place place = gf_winograd_at(w, b->begin + index);
        const int64_t height = gf_min(tile, g->out_h - place.h), width = gf_min(tile, g->out_w - place.w);
        const int64_t pixel = ((place.image * g->out_d + d) * g->out_h + place.h) * g->out_w + place.w;
        const int unsafe = gf_winograd_is_unsafe(w, b, d, index);
        for (int64_t column = b->first; column < b->last; column += GF_TILE_N) {
            t->columns = gf_min(GF_TILE_N, b->last - column);
            t->bias = g->bias ? g->bias + column : 0;
            t->residual = g->residual ? g->residual + column : 0;
            t->y = g->y + column;
            if (!unsafe) {
                const float *m = w->m + i * g->chunk + column - b->first;
                gf_winograd_panel(tile, w, t, m, pixel, height, width);
                continue;
            }
            c->x = g->x + place.image * g->in_d * g->in_h * g->in_w * g->ldx;
            for (int64_t j = 0; j < height * width; ++j)
                gf_winograd_define(w, c, t, column, pixel + j / width * g->out_w + j % width);
        }
    }
}

/* Rows of v times the rows of the panels from `skipped` on; t->taps and t->run say how many those are. */
static void gf_winograd_multiply(gf_tile *t, const gf_columns *all, const float *v, int64_t rows, int64_t skipped,
                                 int64_t columns)
{
    const int64_t tiles = gf_ceil_div(rows, GF_TILE_M);
    if (skipped == 0) {
        gf_multiply(t, all, v, rows, 0, columns);
        return;
    }
    for (int64_t column = 0; column < columns; column += GF_TILE_N)
        for (int64_t i = 0, row = 0; i < tiles; ++i) {
            const int64_t height = rows / tiles + (i < rows % tiles);
            t->a = v + row * t->lda;
            gf_set_column(t, all, column, row);
            gf_set_prefetch(t, all, i, tiles);
            t->b += skipped * (columns - column > GF_VL ? GF_TILE_N : GF_VL);
            gf_run_tile(t, height, columns - column);
            row += height;
        }
}

/* All frequencies of a block whose columns are at most a chunk. Slices with the same taps are one product. */
static void gf_winograd_products(const gf_winograd *w, const gf_winograd_block *b)
{
    const gf_winograd_f32_args *g = w->g;
    const int64_t frequencies = (g->tile + 2) * (g->tile + 2), places = b->end - b->begin;
    const int64_t width = gf_whole_vectors(b->last - b->first), k = g->kernel_d * g->in_c;
    gf_tile product;
    product.at = 0;
    gf_set_plain(&product, g->in_c, w->row);
    gf_set_activation(&product, GF_ACT_linear, 0.0, 0.0, 0.0);
    product.ldr = 0;
    product.ldy = g->chunk;
    product.a_step[0] = places * w->row;
    product.b_step[0] = g->in_c;
    for (int64_t f = 0; f < frequencies; ++f) {
        const float *weights = g->w + (b->first * frequencies + f * width) * k;
        for (int64_t d = b->from, next; d < b->to; d = next) {
            const int64_t row = (d - b->from) * places;
            const gf_columns all = {weights, 0, 0, w->m + f * w->m_plane + row * g->chunk, k, 0};
            int64_t first, last, next_first, next_last;
            gf_winograd_taps(g, d, &first, &last);
            for (next = d + 1; next < b->to; ++next) {
                gf_winograd_taps(g, next, &next_first, &next_last);
                if (next_first != first || next_last != last)
                    break;
            }
            product.taps[0] = last - first;
            gf_winograd_multiply(&product, &all, w->v + f * w->v_plane + (row + first * places) * w->row,
                                 (next - d) * places, first * g->in_c, width);
        }
    }
}

GF_INLINE void gf_winograd_run(int tile, const gf_winograd *w, gf_conv *c, gf_tile *t, const gf_winograd_block *b)
{
    const gf_winograd_f32_args *g = w->g;
    const int64_t places = b->end - b->begin, begin = b->from - g->pad_d, end = b->to - g->pad_d + g->kernel_d - 1;
    for (int64_t slice = gf_max(begin, 0); slice < gf_min(end, g->in_d); ++slice)
        for (int64_t i = 0; i < places; ++i)
            gf_winograd_spread(tile, w, (slice - begin) * places + i, slice, b->begin + i);
    for (int64_t column = b->first; column < b->last; column += g->chunk) {
        gf_winograd_block part = *b;
        part.first = column;
        part.last = gf_min(column + g->chunk, b->last);
        gf_winograd_products(w, &part);
        gf_winograd_outputs(tile, w, c, t, &part);
    }
}

/* What conv.h is told of the same convolution. */
static void gf_set_winograd_conv(gf_conv *c, gf_conv_f32_args *conv, const gf_winograd_f32_args *g)
{
    memset(conv, 0, sizeof *conv);
    conv->groups = conv->stride_d = conv->stride_h = conv->stride_w = 1;
    conv->dilation_d = conv->dilation_h = conv->dilation_w = 1;
    conv->kernel_d = g->kernel_d;
    conv->kernel_h = conv->kernel_w = 3;
    conv->in_c = g->in_c;
    conv->out_c = g->out_c;
    conv->in_d = g->in_d;
    conv->in_h = g->in_h;
    conv->in_w = g->in_w;
    conv->out_d = g->out_d;
    conv->out_h = g->out_h;
    conv->out_w = g->out_w;
    conv->pad_d = g->pad_d;
    conv->pad_h = g->pad_h;
    conv->pad_w = g->pad_w;
    conv->ldx = g->ldx;
    gf_set_conv(c, conv);
}

static int gf_winograd_f32(const void *arguments, int64_t begin, int64_t end, gf_worker *worker)
{
    const gf_winograd_f32_args *g = arguments;
    const int64_t across = gf_ceil_div(g->out_c, g->block_n), deep = gf_ceil_div(g->out_d, g->block_d);
    gf_winograd w;
    gf_conv_f32_args conv;
    gf_conv c;
    gf_tile t;
    gf_set_winograd(&w, g, (float *)worker->scratch);
    gf_set_winograd_conv(&c, &conv, g);
    gf_set_activation(&t, g->act, g->alpha, g->beta, g->gamma);
    t.at = 0;
    t.ldr = g->ldr;
    t.ldy = g->ldy;
    for (int64_t item = begin; item < end; ++item) {
        gf_winograd_block b;
        b.first = item % across * g->block_n;
        b.last = gf_min(b.first + g->block_n, g->out_c);
        b.from = item / across % deep * g->block_d;
        b.to = gf_min(b.from + g->block_d, g->out_d);
        b.begin = item / across / deep * g->block_m;
        b.end = gf_min(b.begin + g->block_m, g->batch * w.down * w.across);
        if (g->tile == 4)
            gf_winograd_run(4, &w, &c, &t, &b);
        else
            gf_winograd_run(2, &w, &c, &t, &b);
    }
    return GF_OK;
}

#endif
