/* The functions of GF_ACTIVATIONS, and the elementary functions under them, as plain scalar C.
 *
 * Everything here is free of branches, tables and library calls, so that loops over it vectorise on every instruction
 * set, and an element gets the same bits in a vector body, in a tail and alone. Each function carries a NaN through:
 * its comparisons are written so that a NaN takes the arithmetic side.
 */
#ifndef GF_ACTIVATION_H
#define GF_ACTIVATION_H

#include <stdint.h>
#include <string.h>

#include "fields.h"
#include "vec.h"

GF_INLINE uint32_t s_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

GF_INLINE float s_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

GF_INLINE float s_abs(float x) { return s_from_bits(s_bits(x) & 0x7fffffffu); }
GF_INLINE float s_copysign(float x, float sign)
{
    return s_from_bits((s_bits(x) & 0x7fffffffu) | (s_bits(sign) & 0x80000000u));
}
GF_INLINE float s_at_least(float x, float low) { return x < low ? low : x; }
GF_INLINE float s_at_most(float x, float high) { return x > high ? high : x; }

/* The r of x = n log 2 + r; *power gets n + bias in its lowest nine bits and nothing in the next one, so that shifting
 * it up by 23 makes 2^(n + bias - 127). The high part of log 2 has nine bits: its product with n is exact with and
 * without fma. */
GF_INLINE float s_exp_reduce(float x, float bias, uint32_t *power)
{
    const float magic = 12582912.0f + bias; /* adding 1.5 * 2^23 rounds to whole numbers */
    const float shifted = s_fma(x, 1.44269504f, magic), n = shifted - magic;
    *power = s_bits(shifted);
    return s_fma(n, 2.12194440e-4f, s_fma(n, -0.693359375f, x));
}

/* exp(r) - 1 for |r| <= log(2) / 2 */
GF_INLINE float s_exp_near_zero(float r)
{
    float q = 1.382013550e-03f;
    q = s_fma(q, r, 8.368685842e-03f);
    q = s_fma(q, r, 4.166827351e-02f);
    q = s_fma(q, r, 1.666652113e-01f);
    q = s_fma(q, r, 4.999999404e-01f);
    return s_fma(r * r, q, r);
}

/* Scaled by two halves of 2^n, since n leaves the range of normal numbers at both ends. */
GF_INLINE float s_exp(float x)
{
    uint32_t power;
    const float r = s_exp_reduce(s_at_most(s_at_least(x, -104.0f), 89.0f), 254.0f, &power);
    const uint32_t half = power >> 1;
    return (s_exp_near_zero(r) + 1.0f) * s_from_bits(half << 23) * s_from_bits((power - half) << 23);
}

/* exp(x) for -87 <= x <= 88 */
GF_INLINE float s_exp_bounded(float x)
{
    uint32_t power;
    const float r = s_exp_reduce(x, 127.0f, &power);
    return (s_exp_near_zero(r) + 1.0f) * s_from_bits(power << 23);
}

/* exp(x) * 2^63 for x <= 0: times 2^-63 it is right down to the denormals. */
GF_INLINE float s_exp_raised(float x)
{
    uint32_t power;
    const float r = s_exp_reduce(s_at_least(x, -120.0f), 190.0f, &power);
    return (s_exp_near_zero(r) + 1.0f) * s_from_bits(power << 23);
}

/* factor * exp(x + small) * 2^63 for x <= 0 and a small that is small beside x. */
GF_INLINE float s_exp_raised_sum(float x, float small, float factor)
{
    uint32_t power;
    const float sum = x + small, lost = small - (sum - x);
    const float r = s_exp_reduce(s_at_least(sum, -120.0f), 190.0f, &power) + lost;
    return s_fma(factor, s_exp_near_zero(r), factor) * s_from_bits(power << 23);
}

/* The first twelve bits: a product of two such numbers is exact. */
GF_INLINE float s_high(float x) { return s_from_bits(s_bits(x) & 0xfffff000u); }

/* x * y / 2^63 for y in [0, 2^63]. Below zero the product comes first, to be right down to the denormals. */
GF_INLINE float s_times_raised(float x, float y)
{
    const float low = x * y * 0x1p-63f, high = x * (y * 0x1p-63f);
    return x < 0.0f ? low : high;
}

GF_INLINE float s_exp_negative(float x) { return s_exp_raised(x) * 0x1p-63f; }

/* exp(x) - 1 for x <= 0 */
GF_INLINE float s_expm1_negative(float x)
{
    uint32_t power;
    const float q = s_exp_near_zero(s_exp_reduce(s_at_least(x, -20.0f), 127.0f, &power));
    const float scale = s_from_bits(power << 23);
    return s_fma(scale, q, scale - 1.0f);
}

/* log(1 + z) for 0 <= z <= 1 */
GF_INLINE float s_log1p_unit(float z)
{
    float p = 2.084544394e-03f;
    p = s_fma(p, z, -1.369167119e-02f);
    p = s_fma(p, z, 4.211482406e-02f);
    p = s_fma(p, z, -8.323895186e-02f);
    p = s_fma(p, z, 1.247952953e-01f);
    p = s_fma(p, z, -1.613517106e-01f);
    p = s_fma(p, z, 1.989962310e-01f);
    p = s_fma(p, z, -2.498886436e-01f);
    p = s_fma(p, z, 3.333271444e-01f);
    p = s_fma(p, z, -4.999998808e-01f);
    return s_fma(z * z, p, z);
}

GF_INLINE float s_log(float x)
{
    const int tiny = x < 1.17549435e-38f;
    const uint32_t bits = s_bits(tiny ? x * 33554432.0f : x);
    const int32_t k = (int32_t)(bits - 0x3f3504f3u) >> 23; /* x = m 2^k, sqrt(1/2) <= m < sqrt(2) */
    const float f = s_from_bits(bits - ((uint32_t)k << 23)) - 1.0f, e = (float)(tiny ? k - 25 : k);
    float p = 6.749153137e-02f, y;
    p = s_fma(p, f, -1.167000607e-01f);
    p = s_fma(p, f, 1.188353971e-01f);
    p = s_fma(p, f, -1.240624115e-01f);
    p = s_fma(p, f, 1.422035992e-01f);
    p = s_fma(p, f, -1.666798890e-01f);
    p = s_fma(p, f, 2.000207156e-01f);
    p = s_fma(p, f, -2.500000894e-01f);
    p = s_fma(p, f, 3.333331347e-01f);
    p = s_fma(p * f, f * f, s_fma(e, -2.12194440e-4f, f * f * -0.5f)) + f;
    y = s_fma(e, 0.693359375f, p);
    y = x < __builtin_inff() ? y : x;
    y = x == 0.0f ? -__builtin_inff() : y;
    return x < 0.0f ? __builtin_nanf("") : y;
}

/* 2^63 times the logistic function of x, from raised = 2^63 z, z = exp(-|x|). It is 1 / d or z / d with d = 1 + z; `lost`
 * is what rounding d dropped. */
GF_INLINE float s_logistic_raised(float x, float raised)
{
    const float z = raised * 0x1p-63f;
    const float d = 1.0f + z, lost = z - (d - 1.0f), y = (x < 0.0f ? raised : 0x1p63f) / d;
    return s_fma(-y, lost * s_fma(z, -0.5f, 1.0f), y);
}

GF_INLINE float s_sigmoid(float x) { return s_logistic_raised(x, s_exp_raised(-s_abs(x))) * 0x1p-63f; }

GF_INLINE float s_silu(float x)
{
    const float raised = s_exp_raised(-s_abs(x));
    return s_times_raised(x, s_logistic_raised(x, s_abs(x) < 116.0f ? raised : 0.0f));
}

GF_INLINE float s_tanh(float x)
{
    const float a = s_abs(x), s = x * x;
    const float large = 1.0f - 2.0f / (s_exp_bounded(s_at_most(a + a, 30.0f)) + 1.0f);
    float p = -5.692296661e-03f;
    p = s_fma(p, s, 2.062816732e-02f);
    p = s_fma(p, s, -5.373651534e-02f);
    p = s_fma(p, s, 1.333140582e-01f);
    p = s_fma(p, s, -3.333328068e-01f);
    p = s_fma(p * s, a, a);
    return s_copysign(a < 0.625f ? p : large, x);
}

GF_INLINE float s_erf(float x)
{
    const float a = s_abs(x), b = s_at_most(a, 4.0f), s = x * x;
    float p = 7.943100354e-05f, q = 1.042969507e-05f;
    q = s_fma(q, b, -3.148308315e-04f); /* b * q = -log(1 - erf(b)) */
    q = s_fma(q, b, 3.610258689e-03f);
    q = s_fma(q, b, -2.369444445e-02f);
    q = s_fma(q, b, 1.061589643e-01f);
    q = s_fma(q, b, 6.351980567e-01f);
    q = s_fma(q, b, 1.128637075e+00f);
    q = 1.0f - s_exp_bounded(-b * q);
    p = s_fma(p, s, -8.039752720e-04f);
    p = s_fma(p, s, 5.191753153e-03f);
    p = s_fma(p, s, -2.685556002e-02f);
    p = s_fma(p, s, 1.128362417e-01f);
    p = s_fma(p, s, -3.761262894e-01f);
    p = s_fma(p, s, 1.283791661e-01f);
    p = s_fma(p, a, a);
    return s_copysign(a < 0.9f ? p : q, x);
}

GF_INLINE float s_softplus(float x)
{
    return s_at_least(x, 0.0f) + s_log1p_unit(s_exp_negative(-s_abs(x)));
}

/* x times the normal distribution function: 1/2 + x P(x^2) near zero. Farther out its tail is exp(-x^2 / 2) times a
 * polynomial in (a - 3) / (a + 3), divided by a + 3; x^2 in two parts keeps the tail accurate where x^2 is large. */
GF_INLINE float s_gelu(float x)
{
    const float s = x * x, a = s_at_most(s_abs(x), 15.0f), d = a + 3.0f, u = (a - 3.0f) / d;
    const float high = s_high(a);
    float p = -8.169563444e-06f, q = -9.675410111e-04f;
    p = s_fma(p, s, 1.150188327e-04f);
    p = s_fma(p, s, -1.188019989e-03f);
    p = s_fma(p, s, 9.974163026e-03f);
    p = s_fma(p, s, -6.649053842e-02f);
    p = s_fma(p, s, 3.989422917e-01f);
    p = s_fma(p, x, 0.5f);
    q = s_fma(q, u, 8.813203895e-04f);
    q = s_fma(q, u, 6.957026664e-03f);
    q = s_fma(q, u, -1.043222286e-02f);
    q = s_fma(q, u, -4.726169258e-02f);
    q = s_fma(q, u, 2.300154567e-01f);
    q = s_fma(q, u, -5.093320012e-01f);
    q = s_fma(q, u, 7.290837169e-01f);
    q = s_exp_raised_sum(high * high * -0.5f, (a + high) * (a - high) * -0.5f, q / d);
    q = a < 14.5f ? q : 0.0f;
    q = x < 0.0f ? q : 0x1p63f - q;
    return s_times_raised(x, a < 1.0f ? p * 0x1p63f : q);
}

/* x times the logistic function of 2 sqrt(2 / pi) (x + 0.044715 x^3) = x (g + small), every product and sum in two
 * parts: an error in the argument grows by the argument's size. */
GF_INLINE float s_gelu_tanh(float x)
{
    const float a = s_at_most(s_abs(x), 12.0f), high = s_high(a), low = a - high;
    const float s = s_high(a * a), s_low = (high * high - s) + (a + high) * low;
    const float cubic = 0.0713501f * s, g = cubic + 1.5957692f, back = g - cubic;
    const float lost = (cubic - (g - back)) + (1.5957692f - back);
    const float small = lost + s_fma(0.0713501f, s_low, s_fma(4.7186163e-06f, a * a, -4.534068e-08f));
    const float g_high = s_high(g), g_low = (g - g_high) + small;
    const float raised = s_exp_raised_sum(-high * g_high, -s_fma(high, g_low, low * (g_high + g_low)), 1.0f);
    return s_times_raised(x, s_logistic_raised(x, a < 11.25f ? raised : 0.0f));
}

/* Before a loop whose output is an input at the same place or does not overlap it. */
#if defined(__clang__)
#define GF_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define GF_INDEPENDENT _Pragma("GCC ivdep")
#endif

#define GF_EACH(expression) \
    do { \
        GF_INDEPENDENT for (int64_t i = 0; i < n; i++) \
        { \
            const float v = x[i]; \
            y[i] = (expression); \
        } \
    } while (0)

/* GCC follows a condition of one function into the next, x < 0 in both factors of silu, and computes both ways through
 * all that is between, a division too. Without that the same numbers of these come up to a quarter sooner. */
#if defined(__GNUC__) && !defined(__clang__)
#define GF_ONE_WAY __attribute__((noinline, optimize("no-thread-jumps", "no-split-paths", "no-tree-pre")))
#else
#define GF_ONE_WAY
#endif

GF_ONE_WAY static void gf_silu(const float *x, float *y, int64_t n) { GF_EACH(s_silu(v)); }
GF_ONE_WAY static void gf_gelu(const float *x, float *y, int64_t n) { GF_EACH(s_gelu(v)); }
GF_ONE_WAY static void gf_gelu_tanh(const float *x, float *y, int64_t n) { GF_EACH(s_gelu_tanh(v)); }

static void gf_activate(int64_t act, double alpha, double beta, double gamma, const float *x, float *y, int64_t n)
{
    const float a = (float)alpha, b = (float)beta, c = (float)gamma;
    switch (act) {
    case GF_ACT_linear:
        if (x != y && n > 0)
            memcpy(y, x, (size_t)n * sizeof(float));
        break;
    case GF_ACT_relu: GF_EACH(s_at_least(v, 0.0f)); break;
    case GF_ACT_relu_general: GF_EACH(v >= b ? b : v >= c ? v : a * (v - c)); break;
    case GF_ACT_clip: GF_EACH(s_at_most(s_at_least(v, a), b)); break;
    case GF_ACT_sigmoid: GF_EACH(s_sigmoid(v)); break;
    case GF_ACT_tanh: GF_EACH(s_tanh(v)); break;
    case GF_ACT_hard_sigmoid: GF_EACH(s_at_most(s_at_least(s_fma(a, v, b), 0.0f), 1.0f)); break;
    case GF_ACT_elu: GF_EACH(v > 0.0f ? v : a * s_expm1_negative(s_at_most(v, 0.0f))); break;
    case GF_ACT_selu:
        GF_EACH(v > 0.0f ? 1.05070098736f * v : 1.75809934085f * s_expm1_negative(s_at_most(v, 0.0f)));
        break;
    case GF_ACT_softplus: GF_EACH(s_softplus(v)); break;
    case GF_ACT_softsign: GF_EACH(v / (1.0f + s_abs(v))); break;
    case GF_ACT_exponential: GF_EACH(s_exp(v)); break;
    case GF_ACT_silu: gf_silu(x, y, n); break;
    case GF_ACT_gelu: gf_gelu(x, y, n); break;
    case GF_ACT_gelu_tanh: gf_gelu_tanh(x, y, n); break;
    case GF_ACT_affine: GF_EACH(s_fma(a, v, b)); break;
    case GF_ACT_negative: GF_EACH(-v); break;
    case GF_ACT_absolute: GF_EACH(s_abs(v)); break;
    case GF_ACT_square: GF_EACH(v * v); break;
    case GF_ACT_sqrt: GF_EACH(__builtin_sqrtf(v)); break;
    case GF_ACT_rsqrt: GF_EACH(1.0f / __builtin_sqrtf(v)); break;
    case GF_ACT_reciprocal: GF_EACH(1.0f / v); break;
    case GF_ACT_log: GF_EACH(s_log(v)); break;
    case GF_ACT_erf: GF_EACH(s_erf(v)); break;
    }
}

#endif
