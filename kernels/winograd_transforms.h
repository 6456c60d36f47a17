/* The transforms of Winograd's minimal filtering for windows of three, one vector of channels at a time.
 *
 * F(4, 3) interpolates at 0, +-3/4, +-3/2 and infinity, F(2, 3) at 0, +-1 and infinity; all numbers here are exact in
 * binary. The weights' side, with the divisions, is in graphflow/kernels/winograd.py. `tile` is 4 or 2, a constant
 * wherever these are called; a side has tile + 2 elements.
 */
#ifndef GF_WINOGRAD_TRANSFORMS_H
#define GF_WINOGRAD_TRANSFORMS_H

enum { GF_WINOGRAD_TILE = 4, GF_WINOGRAD_SIDE = 6 }; /* the larger ones */

/* From one side of the input to its frequencies. */
GF_INLINE void gf_winograd_forward(int tile, gf_vec *f, const gf_vec *d)
{
    if (tile == 2) {
        f[0] = d[2] - d[0];
        f[1] = d[1] + d[2];
        f[2] = d[2] - d[1];
        f[3] = d[3] - d[1];
        return;
    }
    const gf_vec a = v_set1(0.75f), b = v_set1(1.5f), minus_a = v_set1(-0.75f), minus_b = v_set1(-1.5f);
    const gf_vec minus_aa = v_set1(-0.5625f), minus_bb = v_set1(-2.25f);
    const gf_vec sum = v_set1(-2.8125f), product = v_set1(1.265625f);
    const gf_vec even_a = v_fma(minus_bb, d[2], d[4]), odd_a = v_fma(minus_bb, d[1], d[3]);
    const gf_vec even_b = v_fma(minus_aa, d[2], d[4]), odd_b = v_fma(minus_aa, d[1], d[3]);
    f[0] = v_fma(product, d[0], v_fma(sum, d[2], d[4]));
    f[1] = v_fma(a, odd_a, even_a);
    f[2] = v_fma(minus_a, odd_a, even_a);
    f[3] = v_fma(b, odd_b, even_b);
    f[4] = v_fma(minus_b, odd_b, even_b);
    f[5] = v_fma(product, d[1], v_fma(sum, d[3], d[5]));
}

/* From one side of frequencies to `tile` outputs. */
GF_INLINE void gf_winograd_backward(int tile, gf_vec *y, const gf_vec *f)
{
    const gf_vec even_a = f[1] + f[2], odd_a = f[1] - f[2];
    if (tile == 2) {
        y[0] = f[0] + even_a;
        y[1] = odd_a + f[3];
        return;
    }
    const gf_vec even_b = f[3] + f[4], odd_b = f[3] - f[4];
    y[0] = f[0] + even_a + even_b;
    y[1] = v_fma(v_set1(1.5f), odd_b, v_mul(v_set1(0.75f), odd_a));
    y[2] = v_fma(v_set1(2.25f), even_b, v_mul(v_set1(0.5625f), even_a));
    y[3] = v_fma(v_set1(3.375f), odd_b, v_fma(v_set1(0.421875f), odd_a, f[5]));
}

/* Both sides of a vector of channels. at: where the (tile + 2)^2 pixels are; v: where the first frequency goes, the
 * others `plane` apart. Adds to sums what tells too large numbers: see gf_winograd_is_safe. */
GF_INLINE void gf_winograd_input(int tile, const float *const *at, int64_t channel, int64_t lanes, gf_vec scale,
                                 gf_vec *sums, float *v, int64_t plane)
{
    const int side = tile + 2;
    gf_vec half[GF_WINOGRAD_SIDE * GF_WINOGRAD_SIDE];
#pragma GCC unroll 6
    for (int j = 0; j < side; ++j) {
        gf_vec d[GF_WINOGRAD_SIDE], f[GF_WINOGRAD_SIDE];
#pragma GCC unroll 6
        for (int i = 0; i < side; ++i) {
            const float *x = at[i * side + j] + channel;
            d[i] = lanes < GF_VL ? v_load_n(x, lanes) : v_load(x);
            sums[i % 3] = v_fma(d[i], scale, sums[i % 3]);
        }
        gf_winograd_forward(tile, f, d);
#pragma GCC unroll 6
        for (int i = 0; i < side; ++i)
            half[i * side + j] = f[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < side; ++i) {
        gf_vec f[GF_WINOGRAD_SIDE];
        gf_winograd_forward(tile, f, half + i * side);
#pragma GCC unroll 6
        for (int j = 0; j < side; ++j)
            v_store(v + (i * side + j) * plane, f[j]);
    }
}

/* The tile * tile outputs of a vector of channels, row by row, from frequencies `plane` apart. */
GF_INLINE void gf_winograd_output(int tile, const float *m, int64_t plane, gf_vec *y)
{
    const int side = tile + 2;
    gf_vec half[GF_WINOGRAD_TILE * GF_WINOGRAD_SIDE];
#pragma GCC unroll 6
    for (int j = 0; j < side; ++j) {
        gf_vec f[GF_WINOGRAD_SIDE], part[GF_WINOGRAD_TILE];
#pragma GCC unroll 6
        for (int i = 0; i < side; ++i)
            f[i] = v_load(m + (i * side + j) * plane);
        gf_winograd_backward(tile, part, f);
#pragma GCC unroll 4
        for (int i = 0; i < tile; ++i)
            half[i * side + j] = part[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < tile; ++i)
        gf_winograd_backward(tile, y + i * tile, half + i * side);
}

#endif
