/* Chains of links that cost an instruction or two: some vectors go through all links in registers.
 *
 * Where a link takes what the one before it made, that is still there; other results wait in a slot. What a link does is
 * looked up once for a block of vectors, and all blocks of a piece share the slots.
 */
#ifndef GF_CHAIN_BLOCKS_H
#define GF_CHAIN_BLOCKS_H

#include "elementwise.h"

enum { GF_CHAIN_OPERANDS = 6, GF_CHAIN_NUMBERS = 8, GF_CHAIN_LINKS = 16, GF_CHAIN_BLOCK = 8 /* vectors */ };

typedef struct gf_operand {
    const float *x;
    int64_t step; /* 1, or 0 for one element for all */
} gf_operand;

/* `other`: an operand or a slot, as in the program. f(here, other), and where it matters f(other, here). */
#define GF_CHAIN_PAIRS(P) \
    P(put, q) P(add, v_add(here, q)) P(subtract, here - q) P(subtract_from, q - here) P(multiply, v_mul(here, q)) \
    P(divide, here / q) P(divide_by, q / here) P(maximum, v_max(here, q)) P(maximum_of, v_max(q, here)) \
    P(minimum, v_min(here, q)) P(minimum_of, v_min(q, here))
#define GF_CHAIN_ALONE(A) \
    A(relu, v_greater(zero, here)) A(clip, v_lesser(beta, v_greater(alpha, here))) A(affine, v_fma(alpha, here, beta)) \
    A(negative, -here) A(absolute, v_abs(here)) A(square, v_mul(here, here))

#define GF_CHAIN_NAME(name, expression) GF_CHAIN_##name,
enum { GF_CHAIN_PAIRS(GF_CHAIN_NAME) GF_CHAIN_pairs, GF_CHAIN_ALONE(GF_CHAIN_NAME) GF_CHAIN_keep, GF_CHAIN_none };

typedef struct gf_move {
    int64_t what, other;
    float alpha, beta;
} gf_move;

/* Where the result of link i is taken, beside by the next one as one of its operands. */
static int gf_chain_is_kept(const double *program, int64_t links, int64_t i)
{
    const double slot = program[i * GF_CHAIN_NUMBERS + 3], place = GF_CHAIN_OPERANDS + slot;
    for (int64_t j = i + 1; j < links; j++) {
        const double *link = program + j * GF_CHAIN_NUMBERS;
        const int first = link[1] == place, second = link[0] >= 0.0 && link[2] == place;
        if (j == i + 1 ? first && second : first || second)
            return 1;
        if (link[3] == slot)
            return 0;
    }
    return 0;
}

/* The moves of a program, at most four for a link, or 0 where one of its links has none. */
static int64_t gf_chain_moves(const double *program, int64_t links, gf_move *moves)
{
    static const int64_t pairs[][2] = {{GF_CHAIN_add, GF_CHAIN_add},           {GF_CHAIN_subtract, GF_CHAIN_subtract_from},
                                       {GF_CHAIN_multiply, GF_CHAIN_multiply}, {GF_CHAIN_divide, GF_CHAIN_divide_by},
                                       {GF_CHAIN_maximum, GF_CHAIN_maximum_of}, {GF_CHAIN_minimum, GF_CHAIN_minimum_of}};
    double before = -1.0;
    int64_t count = 0;
    for (int64_t i = 0; i < links; i++) {
        const double *link = program + i * GF_CHAIN_NUMBERS;
        const int64_t kind = (int64_t)link[0], act = (int64_t)link[4];
        const int first = before >= 0.0 && link[1] == before, second = kind >= 0 && before >= 0.0 && link[2] == before;
        gf_move move = {GF_CHAIN_none, 0, (float)link[5], (float)link[6]};
        if (!first && !second)
            moves[count++] = (gf_move){GF_CHAIN_put, (int64_t)link[1], 0.0f, 0.0f};
        if (kind >= 0)
            moves[count++] = (gf_move){pairs[kind][second && !first], (int64_t)link[second && !first ? 1 : 2], 0.0f, 0.0f};
        switch (act) {
        case GF_ACT_linear: break;
        case GF_ACT_relu: move.what = GF_CHAIN_relu; break;
        case GF_ACT_clip: move.what = GF_CHAIN_clip; break;
        case GF_ACT_affine: move.what = GF_CHAIN_affine; break;
        case GF_ACT_negative: move.what = GF_CHAIN_negative; break;
        case GF_ACT_absolute: move.what = GF_CHAIN_absolute; break;
        case GF_ACT_square: move.what = GF_CHAIN_square; break;
        default: return 0;
        }
        if (move.what != GF_CHAIN_none)
            moves[count++] = move;
        before = link[3] < 0.0 ? -1.0 : link[3] + GF_CHAIN_OPERANDS;
        if (before >= 0.0 && gf_chain_is_kept(program, links, i))
            moves[count++] = (gf_move){GF_CHAIN_keep, (int64_t)before, 0.0f, 0.0f};
    }
    return count;
}

#define GF_CHAIN_PAIR(name, expression, second) \
    case GF_CHAIN_##name: \
        for (int i = 0; i < GF_CHAIN_BLOCK; i++) { \
            const gf_vec q = (second), here = v[i]; \
            v[i] = (expression); \
            (void)here; \
        } \
        break;
#define GF_CHAIN_WITH_ONE(name, expression) GF_CHAIN_PAIR(name, expression, all)
#define GF_CHAIN_WITH_MANY(name, expression) GF_CHAIN_PAIR(name, expression, v_load(x + i * GF_VL))

#define GF_CHAIN_ONE(name, expression) \
    case GF_CHAIN_##name: \
        for (int i = 0; i < GF_CHAIN_BLOCK; i++) { \
            const gf_vec here = v[i]; \
            v[i] = (expression); \
        } \
        break;

/* As many elements of a piece as whole blocks have. from: the operands at the piece; slots: each `size` elements. */
static int64_t gf_chain_blocks(const gf_move *moves, int64_t count, const gf_operand *from, float *slots, int64_t size,
                               float *y, int64_t n)
{
    enum { BLOCK = GF_CHAIN_BLOCK * GF_VL };
    const gf_vec zero = v_set1(0.0f);
    gf_vec v[GF_CHAIN_BLOCK];
    int64_t at = 0;
    for (int i = 0; i < GF_CHAIN_BLOCK; i++)
        v[i] = zero;
    for (; at + BLOCK <= n; at += BLOCK) {
        for (const gf_move *m = moves; m < moves + count; m++) {
            const gf_vec alpha = v_set1(m->alpha), beta = v_set1(m->beta);
            const gf_operand *other = from + m->other;
            if (m->what > GF_CHAIN_pairs) {
                switch (m->what) {
                    GF_CHAIN_ALONE(GF_CHAIN_ONE)
                case GF_CHAIN_keep:
                    for (int i = 0; i < GF_CHAIN_BLOCK; i++)
                        v_store(slots + (m->other - GF_CHAIN_OPERANDS) * size + i * GF_VL, v[i]);
                    break;
                }
            } else if (other->step == 0) {
                const gf_vec all = v_set1(*other->x);
                switch (m->what) {
                    GF_CHAIN_PAIRS(GF_CHAIN_WITH_ONE)
                }
            } else {
                const float *x = other->x + (m->other < GF_CHAIN_OPERANDS ? at : 0);
                switch (m->what) {
                    GF_CHAIN_PAIRS(GF_CHAIN_WITH_MANY)
                }
            }
        }
        for (int i = 0; i < GF_CHAIN_BLOCK; i++)
            v_store(y + at + i * GF_VL, v[i]);
    }
    return at;
}

#endif
