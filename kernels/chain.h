/* gf_chain_f32: several elementwise functions and operators, one piece of the output after another.
 *
 * A piece is GF_PIECE / 2 elements of a row at most, or several whole rows of fewer: all that its links make stays in
 * the first-level cache, and only the last one goes to memory. An operand whose elements of a piece neither lie side by
 * side nor are one is spread in scratch first; one that is the same for all rows is spread once.
 *
 *     scratch    | slot 0 | ... | slot of each operand |     each as large as a piece
 *     program    of each link: operator or -1, first, second, where to (-1: the output), activation and its numbers;
 *                operands and results: 0 to 5 an operand of the chain, from 6 on a slot
 */
#ifndef GF_CHAIN_H
#define GF_CHAIN_H

#include "chain_blocks.h"

/* `rows` rows of `columns` elements that lie (down, across) apart, side by side. */
static void gf_spread(const float *x, int64_t down, int64_t across, int64_t rows, int64_t columns, float *y)
{
    for (int64_t r = 0; r < rows; r++, x += down, y += columns) {
        if (across == 1)
            memcpy(y, x, (size_t)columns * sizeof(float));
        else
            for (int64_t c = 0; c < columns; c++)
                y[c] = x[c * across];
    }
}

static void gf_link(const double *link, const gf_operand *from, float *y, int64_t n)
{
    static void (*const spans[])(const float *, int64_t, const float *, int64_t, float *, int64_t, int) = {
        GF_BINARIES(GF_SPAN_NAME)};
    const int64_t kind = (int64_t)link[0], act = (int64_t)link[4];
    const gf_operand a = from[(int64_t)link[1]];
    if (kind >= 0) {
        const gf_operand b = from[(int64_t)link[2]];
        spans[kind](a.x, a.step, b.x, b.step, y, n, act == GF_ACT_relu);
        if (act != GF_ACT_relu && act != GF_ACT_linear)
            gf_activate(act, link[5], link[6], link[7], y, y, n);
    } else if (a.step == 1 || n == 1) {
        gf_activate(act, link[5], link[6], link[7], a.x, y, n);
    } else {
        float one;
        gf_activate(act, link[5], link[6], link[7], a.x, &one, 1);
        gf_spread(&one, 0, 0, 1, n, y);
    }
}

/* All links over n elements from element `at` of a piece on. */
static void gf_links(const gf_chain_f32_args *s, const gf_operand *from, float *scratch, float *y, int64_t at, int64_t n)
{
    gf_operand here[GF_CHAIN_OPERANDS + GF_CHAIN_LINKS];
    for (int64_t i = 0; i < GF_CHAIN_OPERANDS + s->slots; i++) {
        here[i] = from[i];
        if (i < s->operands)
            here[i].x += at * from[i].step;
    }
    for (int64_t i = 0; i < s->links; i++) {
        const double *link = s->program + i * GF_CHAIN_NUMBERS;
        const int64_t to = (int64_t)link[3];
        gf_link(link, here, to < 0 ? y + at : scratch + to * s->rows * s->columns, n);
    }
}

static int gf_chain_f32(const void *args, int64_t begin, int64_t end, gf_worker *worker)
{
    enum { BLOCK = GF_CHAIN_BLOCK * GF_VL };
    const gf_chain_f32_args *s = args;
    const float *const x[GF_CHAIN_OPERANDS] = {s->x0, s->x1, s->x2, s->x3, s->x4, s->x5};
    const int64_t strides[GF_CHAIN_OPERANDS][4] = {
        {s->a0, s->a1, s->a2, s->a3}, {s->b0, s->b1, s->b2, s->b3}, {s->c0, s->c1, s->c2, s->c3},
        {s->d0, s->d1, s->d2, s->d3}, {s->e0, s->e1, s->e2, s->e3}, {s->f0, s->f1, s->f2, s->f3}};
    const int64_t down = s->rows > 0 ? (s->n2 + s->rows - 1) / s->rows : 0;
    const int64_t across = s->columns > 0 ? (s->n3 + s->columns - 1) / s->columns : 0, piece = s->rows * s->columns;
    float *const scratch = (float *)worker->scratch;
    const float *spread[GF_CHAIN_OPERANDS] = {0};
    int64_t spread_rows[GF_CHAIN_OPERANDS] = {0};
    gf_operand from[GF_CHAIN_OPERANDS + GF_CHAIN_LINKS] = {{0, 0}};
    gf_move moves[4 * GF_CHAIN_LINKS];
    const int64_t count = gf_chain_moves(s->program, s->links, moves);
    for (int64_t i = 0; i < s->slots; i++) {
        from[GF_CHAIN_OPERANDS + i].x = scratch + i * piece;
        from[GF_CHAIN_OPERANDS + i].step = 1;
    }
    for (int64_t item = begin; item < end; item++) {
        const int64_t c0 = item % across * s->columns, r0 = item / across % down * s->rows;
        const int64_t i1 = item / across / down % s->n1, i0 = item / across / down / s->n1;
        const int64_t rows = gf_smaller(s->rows, s->n2 - r0), columns = gf_smaller(s->columns, s->n3 - c0);
        float *y = s->y + ((i0 * s->n1 + i1) * s->n2 + r0) * s->n3 + c0;
        for (int64_t i = 0; i < s->operands; i++) {
            const int64_t *by = strides[i];
            const float *p = x[i] + i0 * by[0] + i1 * by[1] + r0 * by[2] + c0 * by[3];
            const int side_by_side = by[3] == 1 && (rows == 1 || by[2] == s->n3), one = by[3] == 0 && (rows == 1 || by[2] == 0);
            float *to = scratch + (s->slots + i) * piece;
            from[i].x = side_by_side || one ? p : to;
            from[i].step = !one;
            if (side_by_side || one || (spread[i] == p && by[2] == 0 && spread_rows[i] >= rows))
                continue;
            gf_spread(p, by[2], by[3], rows, columns, to);
            spread[i] = p;
            spread_rows[i] = rows;
        }
        const int64_t n = rows * columns;
        const int64_t at = count && piece >= BLOCK ? gf_chain_blocks(moves, count, from, scratch, piece, y, n) : 0;
        if (at < n)
            gf_links(s, from, scratch, y, at, n - at);
    }
    return GF_OK;
}

#endif
