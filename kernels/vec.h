/* One small set of vector verbs per instruction set: load, store, partial load and store, set1, add, mul, fma,
 * quotient, the greater of two, and the lanes that are NaN.
 *
 * v_fma is fused where the instruction set has it and a product followed by a sum where it has not; within one
 * instruction set it is always the same one. Plain loops that the compiler vectorises need none of this.
 */
#ifndef GF_VEC_H
#define GF_VEC_H

#define GF_INLINE static inline __attribute__((always_inline))

#if defined(GF_AVX512)

#include <immintrin.h>
#define GF_VL 16
#define GF_TILE_M 14
#define GF_TILE_N 32
typedef __m512 gf_vec;
GF_INLINE gf_vec v_load(const float *p) { return _mm512_loadu_ps(p); }
GF_INLINE void v_store(float *p, gf_vec a) { _mm512_storeu_ps(p, a); }
GF_INLINE gf_vec v_load_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p); }
GF_INLINE void v_store_n(float *p, gf_vec a, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), a); }
GF_INLINE gf_vec v_set1(float a) { return _mm512_set1_ps(a); }
GF_INLINE gf_vec v_add(gf_vec a, gf_vec b) { return _mm512_add_ps(a, b); }
GF_INLINE gf_vec v_mul(gf_vec a, gf_vec b) { return _mm512_mul_ps(a, b); }
GF_INLINE gf_vec v_fma(gf_vec a, gf_vec b, gf_vec c) { return _mm512_fmadd_ps(a, b, c); }
/* a / b, rounded as division is but for denormals: an estimate and its remainder, which is NaN where a is not finite */
GF_INLINE gf_vec v_quotient(gf_vec a, gf_vec b)
{
    const gf_vec one_over = _mm512_div_ps(_mm512_set1_ps(1.0f), b), about = _mm512_mul_ps(a, one_over);
    const gf_vec left = _mm512_fnmadd_ps(about, b, a);
    return _mm512_mask3_fmadd_ps(left, one_over, about, _mm512_cmp_ps_mask(left, left, _CMP_ORD_Q));
}
GF_INLINE gf_vec v_greater(gf_vec a, gf_vec b) { return _mm512_max_ps(a, b); }
GF_INLINE gf_vec v_lesser(gf_vec a, gf_vec b) { return _mm512_min_ps(a, b); }
GF_INLINE gf_vec v_if_nan(gf_vec a, gf_vec b)
{
    return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}
typedef __mmask16 gf_nans; /* the lanes without a NaN: a comparison can narrow them */
GF_INLINE gf_nans v_nans(gf_vec a, gf_vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_ORD_Q); }
GF_INLINE gf_nans v_more_nans(gf_nans f, gf_vec a, gf_vec b) { return _mm512_mask_cmp_ps_mask(f, a, b, _CMP_ORD_Q); }
GF_INLINE gf_nans v_all_nans(gf_nans f, gf_nans g) { return _kand_mask16(f, g); }
GF_INLINE gf_vec v_put_nans(gf_vec a, gf_nans f)
{
    return _mm512_mask_mov_ps(_mm512_castsi512_ps(_mm512_set1_epi32(-1)), f, a);
}

#elif defined(GF_AVX2)

#include <immintrin.h>
#define GF_VL 8
#define GF_TILE_M 6
#define GF_TILE_N 16
typedef __m256 gf_vec;
GF_INLINE __m256i v_mask(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
GF_INLINE gf_vec v_load(const float *p) { return _mm256_loadu_ps(p); }
GF_INLINE void v_store(float *p, gf_vec a) { _mm256_storeu_ps(p, a); }
GF_INLINE gf_vec v_load_n(const float *p, int64_t n) { return _mm256_maskload_ps(p, v_mask(n)); }
GF_INLINE void v_store_n(float *p, gf_vec a, int64_t n) { _mm256_maskstore_ps(p, v_mask(n), a); }
GF_INLINE gf_vec v_set1(float a) { return _mm256_set1_ps(a); }
GF_INLINE gf_vec v_add(gf_vec a, gf_vec b) { return _mm256_add_ps(a, b); }
GF_INLINE gf_vec v_mul(gf_vec a, gf_vec b) { return _mm256_mul_ps(a, b); }
GF_INLINE gf_vec v_fma(gf_vec a, gf_vec b, gf_vec c) { return _mm256_fmadd_ps(a, b, c); }
GF_INLINE gf_vec v_quotient(gf_vec a, gf_vec b)
{
    const gf_vec one_over = _mm256_div_ps(_mm256_set1_ps(1.0f), b), about = _mm256_mul_ps(a, one_over);
    const gf_vec left = _mm256_fnmadd_ps(about, b, a);
    return _mm256_blendv_ps(_mm256_fmadd_ps(left, one_over, about), about, _mm256_cmp_ps(left, left, _CMP_UNORD_Q));
}
GF_INLINE gf_vec v_greater(gf_vec a, gf_vec b) { return _mm256_max_ps(a, b); }
GF_INLINE gf_vec v_lesser(gf_vec a, gf_vec b) { return _mm256_min_ps(a, b); }
GF_INLINE gf_vec v_if_nan(gf_vec a, gf_vec b) { return _mm256_blendv_ps(b, a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
typedef __m256 gf_nans;
GF_INLINE gf_nans v_nans(gf_vec a, gf_vec b) { return _mm256_cmp_ps(a, b, _CMP_UNORD_Q); }
GF_INLINE gf_nans v_all_nans(gf_nans f, gf_nans g) { return _mm256_or_ps(f, g); }
GF_INLINE gf_nans v_more_nans(gf_nans f, gf_vec a, gf_vec b) { return v_all_nans(f, v_nans(a, b)); }
GF_INLINE gf_vec v_put_nans(gf_vec a, gf_nans f) { return _mm256_or_ps(a, f); }

#else /* plain C with vectors of four, for x86-64 without AVX2 and for other processors */

#define GF_VL 4
#define GF_TILE_M 6
#define GF_TILE_N 8
typedef float gf_vec __attribute__((vector_size(16)));
GF_INLINE gf_vec v_load(const float *p)
{
    gf_vec a;
    memcpy(&a, p, sizeof a);
    return a;
}
GF_INLINE void v_store(float *p, gf_vec a) { memcpy(p, &a, sizeof a); }
GF_INLINE gf_vec v_load_n(const float *p, int64_t n)
{
    gf_vec a = {0.0f, 0.0f, 0.0f, 0.0f};
    memcpy(&a, p, (size_t)n * sizeof(float));
    return a;
}
GF_INLINE void v_store_n(float *p, gf_vec a, int64_t n) { memcpy(p, &a, (size_t)n * sizeof(float)); }
GF_INLINE gf_vec v_set1(float a) { return (gf_vec){a, a, a, a}; }
GF_INLINE gf_vec v_add(gf_vec a, gf_vec b) { return a + b; }
GF_INLINE gf_vec v_mul(gf_vec a, gf_vec b) { return a * b; }
#if defined(__aarch64__)
#include <arm_neon.h>
GF_INLINE gf_vec v_fma(gf_vec a, gf_vec b, gf_vec c)
{
    return (gf_vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
GF_INLINE gf_vec v_fma(gf_vec a, gf_vec b, gf_vec c) { return a * b + c; }
#endif

GF_INLINE gf_vec v_quotient(gf_vec a, gf_vec b) { return a / b; }
typedef int32_t gf_nans __attribute__((vector_size(16)));
#if defined(__SSE2__)
#include <emmintrin.h>
GF_INLINE gf_vec v_greater(gf_vec a, gf_vec b) { return (gf_vec)_mm_max_ps((__m128)a, (__m128)b); }
GF_INLINE gf_vec v_lesser(gf_vec a, gf_vec b) { return (gf_vec)_mm_min_ps((__m128)a, (__m128)b); }
GF_INLINE gf_nans v_nans(gf_vec a, gf_vec b) { return (gf_nans)_mm_cmpunord_ps((__m128)a, (__m128)b); }
#else
GF_INLINE gf_vec v_greater(gf_vec a, gf_vec b)
{
    gf_nans is = (gf_nans)(a > b);
    return (gf_vec)(((gf_nans)a & is) | ((gf_nans)b & ~is));
}
GF_INLINE gf_vec v_lesser(gf_vec a, gf_vec b)
{
    gf_nans is = (gf_nans)(a < b);
    return (gf_vec)(((gf_nans)a & is) | ((gf_nans)b & ~is));
}
GF_INLINE gf_nans v_nans(gf_vec a, gf_vec b) { return (gf_nans)(a != a) | (gf_nans)(b != b); }
#endif
GF_INLINE gf_nans v_all_nans(gf_nans f, gf_nans g) { return f | g; }
GF_INLINE gf_nans v_more_nans(gf_nans f, gf_vec a, gf_vec b) { return f | v_nans(a, b); }
GF_INLINE gf_vec v_put_nans(gf_vec a, gf_nans f) { return (gf_vec)((gf_nans)a | f); }
GF_INLINE gf_vec v_if_nan(gf_vec a, gf_vec b)
{
    const gf_nans is = v_nans(a, a);
    return (gf_vec)(((gf_nans)a & is) | ((gf_nans)b & ~is));
}

#endif

typedef int32_t gf_bits __attribute__((vector_size(4 * GF_VL)));
GF_INLINE gf_vec v_abs(gf_vec a) { return (gf_vec)((gf_bits)a & 0x7fffffff); }
/* A NaN on either side is the result. */
GF_INLINE gf_vec v_max(gf_vec a, gf_vec b) { return v_if_nan(a, v_greater(a, b)); }
GF_INLINE gf_vec v_min(gf_vec a, gf_vec b) { return v_if_nan(a, v_lesser(a, b)); }

/* v_quotient wants a finite b that is no power of two, used in many quotients. v_greater: the greater of both, b where
 * they are equal or either is NaN; v_lesser: the lesser. v_if_nan: a where it is NaN, else b. v_nans: the lanes where
 * either is NaN; v_more_nans: those of f and these; v_all_nans: those of f and g. v_put_nans: NaN in such lanes. */

/* Fused where v_fma is, so that a scalar tail gives the bits of a vector body. */
GF_INLINE float s_fma(float a, float b, float c)
{
#if defined(GF_AVX512) || defined(GF_AVX2) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

#endif
