#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,prfchw,prefer-vector-width=512")
#define GF_ISA avx512
#define GF_AVX512 1
#include "leaves.h"
#endif
typedef int gf_not_empty_avx512;
